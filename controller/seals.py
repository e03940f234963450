"""Seals: proof that a frame is one that we sent, just now, and that it has come back but once.

    seal    time (8 bytes, µs) | nonce (8 bytes) | HMAC-SHA256 over what it is about, time and nonce, cut to 16 bytes

What a controller seals any other with the same key can open. The key is made once and kept in the store.
"""
from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable
from hashlib import sha256

SIZE = 32
LATEST = 1.0            # seconds on the way beyond which a frame proves nothing: it may have been carried elsewhere
REMEMBERED = 60.0       # seconds for which what was opened is known: a copy that came in time may wait here for that long
_MAC = 16


class Doubtful(Exception):
    """A seal proves nothing; the message says why."""


class Late(Doubtful):
    """It is ours, and has not been here before, but was too long on the way."""


class Seals:
    """`now` gives seconds, `chance` so many random bytes; `key` may be replaced by one that is shared. Any thread
    may make seals, one opens them."""

    def __init__(self, now: Callable[[], float], chance: Callable[[int], bytes]) -> None:
        self.key, self._now, self._chance = chance(32), now, chance
        self._used: set[bytes] = set()
        self._order: deque[tuple[float, bytes]] = deque()

    def make(self, about: bytes) -> bytes:
        """The proof that this is about what it says, from now on for a moment."""
        head = round(self._now() * 1e6).to_bytes(8, "big") + self._chance(8)
        return head + self._code(about, head)

    def open(self, about: bytes, seal: bytes, at: float | None = None) -> float:
        """Seconds that it was on the way; `at` is when it came. Raises Doubtful; whatever was opened once is, after that."""
        head, now = seal[:16], self._now()
        if len(seal) != SIZE or not hmac.compare_digest(seal[16:], self._code(about, head)):
            raise Doubtful("forged")
        took = (now if at is None else at) - int.from_bytes(head[:8], "big") / 1e6
        self._forget(now)
        if head in self._used:
            raise Doubtful("replayed, or relayed: it has been here before")
        if not -LATEST < took <= LATEST:
            raise Late(f"replayed or relayed: it was {took:.1f} s on the way")
        self._used.add(head)
        self._order.append((now, head))
        return max(took, 0.0)

    def _forget(self, now: float) -> None:
        """What is too old to be opened need not be remembered."""
        while self._order and now - self._order[0][0] > REMEMBERED:
            self._used.discard(self._order.popleft()[1])

    def _code(self, about: bytes, head: bytes) -> bytes:
        return hmac.digest(self.key, len(about).to_bytes(4, "big") + about + head, sha256)[:_MAC]
