"""JSON-RPC 1.0 as Open vSwitch speaks it (RFC 7047 §4): JSON objects one after another, with nothing between them.

`Splitter` finds where each object ends, in one pass over what arrives, and refuses what is too long or too deep before any
parser sees it. `JsonLink` is a link whose frames are such objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol, cast

import orjson

from controller.switch.link import Link, Refused

MAX_DEPTH = 64

_TOKEN = re.compile(rb'[{}\[\]]|"')
_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)


class Malformed(Refused):
    """The peer sent something that is not JSON-RPC, or too much of it; its connection is closed."""


class Splitter:
    """Cuts a stream of bytes into JSON objects of at most `limit` octets."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._seen = 0
        self._depth = 0
        self._in_text = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The objects that are complete now, in order. Raises Malformed when it comes to what is not one."""
        self._buffer += data
        while (end := self._end()) is not None:
            message = _parse(bytes(self._buffer[:end]))
            del self._buffer[:end]
            self._seen = 0
            yield message
        if len(self._buffer) > self.limit:
            raise Malformed(f"message of more than {self.limit} octets")

    def _end(self) -> int | None:
        """Where the first object ends, if it does; what has been looked at is not looked at again."""
        buffer = self._buffer
        if not self._depth:
            if buffer[:1].isspace():
                buffer[:] = buffer.lstrip()
            if buffer and buffer[0] != ord("{"):
                raise Malformed(f"{bytes(buffer[:20])!r} where an object should begin")
        while True:
            if self._in_text and not self._leave_text():
                return None
            token = _TOKEN.search(buffer, self._seen)
            if token is None:
                self._seen = len(buffer)
                return None
            self._seen = token.end()
            if self._step(token[0]):
                return self._seen

    def _step(self, token: bytes) -> bool:
        if token == b'"':
            self._in_text = True
        elif token in b"{[":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise Malformed(f"more than {MAX_DEPTH} levels")
        else:
            self._depth -= 1
        return not self._depth and not self._in_text

    def _leave_text(self) -> bool:
        text = _TEXT.match(self._buffer, self._seen)
        assert text is not None  # it matches nothing at all if there is nothing
        self._seen = text.end()
        if self._seen >= len(self._buffer) or self._buffer[self._seen] != ord('"'):
            return False
        self._seen += 1
        self._in_text = False
        return True


def _parse(data: bytes) -> dict[str, Any]:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error}") from None


class JsonPeer(Protocol):
    """What a JsonLink talks to: opened, ticked and closed as for every link's peer, and messages instead of frames."""

    def opened(self, certificate: str) -> None: ...
    def received(self, message: dict[str, Any]) -> None: ...
    def settled(self) -> None: ...
    def ticked(self, now: float) -> None: ...
    def closed(self, reason: str) -> None: ...


class JsonLink(Link):
    """One peer's connection whose frames are JSON objects.

    The peer's `settled` is called when everything that had arrived together has been handed over.
    """

    splitter: Splitter

    def say(self, message: dict[str, Any]) -> None:
        """Queue one message."""
        self.send(orjson.dumps(message))

    def _frames(self) -> None:
        peer = cast(JsonPeer, self.peer)
        data = bytes(self._in)
        self._in.clear()
        try:
            for message in self.splitter.feed(data):
                if not self.open:
                    return
                peer.received(message)
            peer.settled()
        except Refused as error:
            self.close(str(error))
