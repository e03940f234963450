"""Connections that a slow or silent client cannot turn into an occupied thread.

cheroot gives a connection to a worker as soon as it is accepted, makes the TLS handshake on the thread that accepts
everybody, and waits anew for every piece it reads: forty clients that say nothing, or one byte every few seconds,
stop it. Here a request gathers without a thread, under one deadline for all of its bytes, and goes to a worker when
it is whole.
"""
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Hashable
from typing import Any

from cheroot import errors
from cheroot.server import HTTPConnection

from rest.turns import Parties

TAKER = "hadron.taker"
"""In the environment of a request: who goes on with its socket, once the head of the answer has been sent."""

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds a client has to send one whole request, and again to take the whole answer."""
AHEAD = 1 << 16
"""Bytes of a body that gather without a thread; a larger one is read by a worker."""
LARGEST_HEAD = 1 << 16
"""Bytes of a request line with its headers: room for a filter of 1 000 UUIDs."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_GOES_ON = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Reader:
    """What cheroot reads requests from: bytes gather without waiting, or are waited for until a moment."""

    bytes_read = 0

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._shaken = not isinstance(sock, ssl.SSLSocket)
        self._held = bytearray()
        self._deadline = 0.0
        self._ended = False
        self.closed = False

    def begin(self, patience: float) -> None:
        """Start the clock for reading the rest of a request, in seconds."""
        self._deadline = time.monotonic() + patience

    def has_data(self) -> bool:
        """Whether there is work for a thread: a whole request, one too large to gather, or an end."""
        if self.closed:
            return False
        self._gather()
        return self._ended or _whole(self._held)

    def shown(self) -> int | None:
        """What stands for the token in the request that is here."""
        return Parties.shown(self._held)

    def reads(self) -> bool:
        """Whether the request that is here only reads."""
        return self._held.startswith((b"GET ", b"HEAD "))

    @property
    def started(self) -> bool:
        """Whether a part of a request is here."""
        return bool(self._held)

    def _gather(self) -> None:
        """Take what the client has sent so far; a connection that breaks has ended."""
        try:
            self._socket.settimeout(0)
            if isinstance(self._socket, ssl.SSLSocket) and not self._shaken:
                self._socket.do_handshake()
                self._shaken = True
            while len(self._held) < LARGEST_HEAD + AHEAD:
                piece = self._socket.recv(1 << 16)
                self._ended = not piece
                if not piece:
                    return
                self._held += piece
        except _GOES_ON:
            return
        except (OSError, ValueError) as broken:
            log.debug("a connection ended: %s", broken)
            self._ended = True

    def _wait(self) -> bool:
        """Wait for more; False at the end. TimeoutError when the request's time is over."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        if self._ended:
            return False
        self._socket.settimeout(left)
        piece = self._socket.recv(1 << 16)
        self._held += piece
        self._ended = not piece
        return not self._ended

    def _take(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    def readline(self, most: int) -> bytes:
        """Bytes up to and with a newline, `most` at most; fewer at the end."""
        while (end := self._held.find(b"\n", 0, most)) < 0 and len(self._held) < most:
            if not self._wait():
                break
        return self._take(end + 1 if end >= 0 else most)

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end."""
        while len(self._held) < size and self._wait():
            pass
        return self._take(size)

    def forget(self, most: int) -> None:
        """Read up to so many bytes and drop them."""
        while most > 0:
            most -= len(self._held)
            self._held.clear()
            if not self._wait():
                return

    def close(self) -> None:
        """Forget what was not read; the socket belongs to the connection."""
        self.closed = True
        self._held.clear()


def _whole(ahead: bytearray) -> bool:
    """Whether a worker can answer without waiting: there is all of it, or enough to see that it is wrong."""
    end = ahead.find(b"\r\n\r\n")
    if end < 0:
        line = ahead.find(b"\n")
        return len(ahead) > LARGEST_HEAD or line >= 0 and not (line and ahead[line - 1] == 13)
    length = _LENGTH.search(ahead, 0, end + 2)
    return length is None or int(length[1]) > AHEAD or len(ahead) >= end + 4 + int(length[1])


class Writer:
    """What cheroot writes answers to: head and body leave in one segment where they fit into one."""

    bytes_written = 0

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        """Keep small pieces until flush; pass large ones on without a copy."""
        if len(self._held) + len(data) <= 1 << 16:
            self._held += data
        else:
            self.flush()
            self._send(data)
        return len(data)

    def flush(self) -> None:
        """Send what is held. OSError when the client does not take it in time."""
        if self._held:
            data, self._held = bytes(self._held), bytearray()
            self._send(data)

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(PATIENCE)
        self._socket.sendall(data)

    def close(self) -> None:
        """Forget what was not sent; the socket belongs to the connection."""
        self._held.clear()


def streams(sock: socket.socket, mode: str, _size: int = 0) -> Reader | Writer:
    """cheroot's `makefile`: the two ends of a connection."""
    return Reader(sock) if "r" in mode else Writer(sock)


class Connection(HTTPConnection):
    """One client; `since` is when the request that is gathering began, None between two requests."""

    since: float | None = None
    served = False
    shown: int | None = None            # what stands for the token that its present request shows
    party: Hashable = None              # whose request that is, and whether it only reads
    at_once = 1                         # how many of these may be served at once
    taken: Callable[[socket.socket], None] | None = None        # who goes on with the socket once the head is sent

    def __init__(self, server: Any, sock: socket.socket, _makefile: Any = None) -> None:
        super().__init__(server, sock, streams)

    def communicate(self) -> bool:
        """Serve one request; whether to keep the connection."""
        self.since, self.served = None, True
        self.rfile.begin(self.server.patience)
        try:
            keep = super().communicate()
            try:
                self.wfile.flush()
            except OSError:
                return False
            return bool(keep)
        finally:
            self.server.requests.turns.done(self.party)

    def close(self) -> None:
        """Close the socket, unless somebody else goes on with it."""
        if self.taken is None:
            super().close()
        else:
            self.rfile.close()
            self.taken(self.socket)

    def join(self, parties: Parties) -> None:
        """Find out whose turn the request that is here has to wait for."""
        self.shown, reading = self.rfile.shown(), self.rfile.reads()
        self.party = parties.of(self.shown, self.remote_addr), reading
        self.at_once = max(1, self.server.requests.min // (8 if reading else 2))

    def drain(self, most: int) -> None:
        """Read and forget what a refused client is still sending, so that it gets to read the refusal.

        Closing a socket with unread bytes resets it, and the client then sees a broken pipe instead of the answer.
        """
        try:
            self.wfile.flush()
            self.socket.shutdown(socket.SHUT_WR)
            self.rfile.begin(1.0)
            self.rfile.forget(most)
        except (OSError, ValueError):
            return


def read_chunks(rfile: Reader, most: int) -> bytes:
    """A body that comes in chunks (RFC 9112 section 7.1).

    ValueError where the framing is wrong, cheroot's MaxSizeExceeded for more than `most` bytes.
    """
    body = bytearray()
    while size := _chunk_size(rfile):
        if len(body) + size > most:
            raise errors.MaxSizeExceeded
        body += rfile.read(size)
        if rfile.read(2) != b"\r\n":
            raise ValueError("a chunk does not end where it says")
    for _ in range(32):
        line = rfile.readline(1024)
        if line == b"\r\n":
            return bytes(body)
        if not line.endswith(b"\r\n"):
            break
    raise ValueError("the trailer of the body has no end")


def _chunk_size(rfile: Reader) -> int:
    line = rfile.readline(256)
    digits = line.split(b";", 1)[0].strip()
    if not line.endswith(b"\r\n") or not digits or len(digits) > 8 or digits.strip(b"0123456789abcdefABCDEF"):
        raise ValueError("the size of a chunk is not a hexadecimal number")
    return int(digits, 16)
