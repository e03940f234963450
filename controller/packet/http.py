"""HTTP/1.x requests and answers (RFC 9112), as a small server reads and writes them: one for each connection."""
from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

LONGEST_HEAD = 8192                 # bytes of a request line with its headers
MOST_HEADERS = 64

_LINE = re.compile(rb"([A-Z]{1,16}) (/[!-~]{0,2047}) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):[ \t]*([ -~\t\x80-\xff]*?)[ \t]*")


class Request(NamedTuple):
    """A whole request. `target` is the path with its query as it came; header names are in lower case."""
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Wrong(NamedTuple):
    """What came is no request that is served: the status to say so with."""
    status: int


class Answer(NamedTuple):
    """What is answered."""
    status: int
    body: bytes = b""
    type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


def read(data: bytes, most: int) -> Request | Wrong | None:
    """The request in what has come so far, or what is wrong with it; None: it is not whole. `most` bytes are the most."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return Wrong(431) if len(data) >= min(LONGEST_HEAD, most) else _early(data)
    if end > LONGEST_HEAD:
        return Wrong(431)
    line, *lines = data[:end].split(b"\r\n")
    found = _LINE.fullmatch(line)
    if found is None:
        return Wrong(414 if len(line) > 2048 else 505 if re.search(rb" HTTP/[^1]", line) else 400)
    headers = _headers(lines)
    if headers is None:
        return Wrong(400)
    length = _length(headers, found[3] == b"1")
    if isinstance(length, Wrong):
        return length
    if end + 4 + length > most:
        return Wrong(413)
    body = data[end + 4:end + 4 + length]
    if len(body) < length:
        return None
    return Request(found[1].decode(), found[2].decode(), headers, body)


def _early(data: bytes) -> Wrong | None:
    """What can be no request need not be waited for to its end."""
    return Wrong(400) if data and re.match(rb"[A-Z]{1,16}( |$)|[A-Z]{1,16}$", data[:17]) is None else None


def _headers(lines: Iterable[bytes]) -> tuple[tuple[str, str], ...] | None:
    found: list[tuple[str, str]] = []
    for line in lines:
        one = _HEADER.fullmatch(line)
        if one is None or len(found) == MOST_HEADERS:
            return None
        found.append((one[1].decode().lower(), one[2].decode("latin-1")))
    return tuple(found)


def _length(headers: tuple[tuple[str, str], ...], needs_host: bool) -> int | Wrong:
    """Bytes of the body. Two readings of one request are how requests are smuggled: what is ambiguous is refused."""
    lengths = [value for name, value in headers if name == "content-length"]
    if any(name == "transfer-encoding" for name, _ in headers):
        return Wrong(501)
    if sum(name == "host" for name, _ in headers) != 1 and needs_host or len(lengths) > 1:
        return Wrong(400)
    if lengths and not re.fullmatch("[0-9]{1,9}", lengths[0]):
        return Wrong(400)
    return int(lengths[0]) if lengths else 0


def write(answer: Answer, *, with_body: bool = True) -> bytes:
    """The answer's bytes; the connection ends with it."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Answer"
    lines = [f"HTTP/1.1 {answer.status} {phrase}", f"Content-Type: {answer.type}", f"Content-Length: {len(answer.body)}",
             *(f"{name}: {value}" for name, value in answer.headers), "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + (answer.body if with_body else b"")
