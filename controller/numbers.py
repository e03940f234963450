"""Numbers that reach the wire: tunnel keys, port keys, conjunction ids. Each has one owner and is reused last.

A number in use is a document (kind `number`, id `pool/number`) with its owner, written in the same commit as the owner
and set free with it. A free number that was used before is a document without an owner; so a restarted controller still
reuses it last.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

KIND = "number"


class Full(Exception):
    """Every number of the pool is in use."""


class Taken(Exception):
    """The number asked for has an owner."""

    def __init__(self, pool: str, number: int, owner: str) -> None:
        super().__init__(f"{number} of {pool} belongs to {owner}")
        self.pool, self.number, self.owner = pool, number, owner


class Pool:
    """Numbers from `first` to `last`: fresh ones in order, then the one that has been free longest."""

    def __init__(self, name: str, first: int, last: int) -> None:
        self.name, self.first, self.last = name, first, last
        self.owners: dict[int, str] = {}
        self.free: dict[int, None] = {}               # used before, in the order of release
        self._fresh = first

    def take(self, owner: str) -> int:
        """A number for an owner; Full if there is none."""
        while self._fresh <= self.last:
            number = self._fresh
            self._fresh += 1
            if number not in self.owners and number not in self.free:
                self.owners[number] = owner
                return number
        for number in self.free:
            if self.first <= number <= self.last:
                del self.free[number]
                self.owners[number] = owner
                return number
        raise Full(self.name)

    def claim(self, number: int, owner: str) -> None:
        """A certain number for an owner, in the range or not; Taken if it has another."""
        if self.owners.get(number, owner) != owner:
            raise Taken(self.name, number, self.owners[number])
        self.owners[number] = owner
        self.free.pop(number, None)

    def give(self, number: int) -> None:
        """The number is free again; it is the last to be reused."""
        if self.owners.pop(number, None) is not None:
            self.free.pop(number, None)
            self.free[number] = None

    def undo(self, number: int) -> None:
        """The number was taken for nothing: it is the next one to be taken."""
        self.owners.pop(number, None)
        if number == self._fresh - 1:
            self._fresh = number
        else:
            self.free = {number: None, **self.free}


class Spans:
    """Values of some ranges, where somebody else knows which are used: fresh ones, then what was free longest."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self.ranges = tuple(ranges)
        self._free: dict[int, None] = {}
        self._lap()

    def _lap(self) -> None:
        self._range = 0
        self._fresh = self.ranges[0][0] if self.ranges else 0
        self._dry = False

    def take(self, used: Callable[[int], bool]) -> int | None:
        """A value that is not used, or None."""
        value = self._next(used)
        if value is None and not self._dry:
            self._lap()                    # something may have become free without our hearing of it
            value = self._next(used)
            self._dry = value is None
        return value

    def _next(self, used: Callable[[int], bool]) -> int | None:
        while self._range < len(self.ranges):
            last = self.ranges[self._range][1]
            while self._fresh <= last:
                value = self._fresh
                self._fresh += 1
                if value not in self._free and not used(value):
                    return value
            self._range += 1
            if self._range < len(self.ranges):
                self._fresh = self.ranges[self._range][0]
        while self._free:
            value = next(iter(self._free))
            del self._free[value]
            if not used(value):
                return value
        return None

    def give(self, value: int) -> None:
        """The value is free again; it is reused last."""
        if any(first <= value <= last for first, last in self.ranges):
            self._free.pop(value, None)
            self._free[value] = None
            self._dry = False


class Claim(NamedTuple):
    """A number that a document holds."""

    pool: str
    number: int

    @property
    def id(self) -> str:
        return f"{self.pool}/{self.number}"


class Numbers:
    """All pools. Ranges of pools that are not declared with one come from the settings."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}

    def pool(self, name: str, first: int, last: int) -> Pool:
        """The pool of a name, made when first asked for."""
        if name not in self.pools:
            self.pools[name] = Pool(name, first, last)
        pool = self.pools[name]
        if (pool.first, pool.last) != (first, last):
            pool.first, pool.last, pool._fresh = first, last, first
        return pool

    def restore(self, documents: Iterable[tuple[int, str, str | None]]) -> None:
        """Take in what the store knows: (revision, `pool/number`, owner or None), free ones in the order of release."""
        for _, id, owner in sorted(documents, key=lambda one: one[0]):
            name, _, number = id.rpartition("/")
            pool = self.pools.setdefault(name, Pool(name, 1, 0))
            if owner is None:
                pool.free[int(number)] = None
            else:
                pool.owners[int(number)] = owner
