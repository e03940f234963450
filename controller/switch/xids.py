"""Transaction numbers of one connection: what we say, and by which number it is answered."""
from __future__ import annotations

_FIRST = 16                 # the greeting has used some before
_LAST = 0x3FFFFFFF          # os-ken's begin after it


class Xids:
    """Gives the first of `count` numbers that follow each other, and are nobody else's."""

    def __init__(self) -> None:
        self._last = _FIRST

    def __call__(self, count: int) -> int:
        first = self._last + 1
        if first + count > _LAST:
            first = 1
        self._last = first + count - 1
        return first
