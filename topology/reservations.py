"""Bandwidth reserved on links: which circuit gets which path, and how much of each link is left.

One after another, the highest priority first and among equals the older one, each circuit gets the shortest path on which
every link still has room for its committed rate. So a new circuit takes nothing from those of its priority or above, and
what those below lose by it is theirs to lose. All of it follows from the circuits and the links as they are: a link that
breaks, or comes back, is one of these.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from topology.paths import Path, Wire, disjoint, shortest

FREE = 0.05                 # of each link, that is never handed out beyond what is committed


class Asked(NamedTuple):
    """What a circuit asks for: from where to where, how many kbit/s committed and at most, and whether twice."""
    priority: int
    key: int
    source: str
    target: str
    committed: int
    peak: int
    protected: bool

    @property
    def turn(self) -> tuple[int, int]:
        return -self.priority, self.key


class Given(NamedTuple):
    """What it gets: the path, another that shares no link with it if it is protected, and the rate that it may send at.

    Without a path, `full` is the first link on the shortest one that has no room, or None if no path leads there.
    """
    path: Path | None
    spare: Path | None = None
    rate: int = 0
    full: Wire | None = None


class Reserved(NamedTuple):
    """What all circuits get, by their keys; of links with circuits what these leave for everything else; and what may
    still be committed of each link: in kbit/s, by the port where each direction of a link begins.
    """
    given: Mapping[int, Given]
    left: Mapping[tuple[str, int], int]
    free: Mapping[tuple[str, int], int]


def room(speed: int | None, slowest: int, most: int | None) -> int:
    """What a link of this speed (Mbit/s) carries, in kbit/s; both directions alike. `slowest` is for links that do not say."""
    return min(speed or slowest, most or 1 << 40) * 1000


@lru_cache(16)
def reserve(wires: tuple[Wire, ...], asked: tuple[Asked, ...], share: float, slowest: int, most: int | None) -> Reserved:
    """Give each circuit what can be given. Of a link, `share` may be committed."""
    around: dict[str, list[Wire]] = {}
    for wire in wires:
        around.setdefault(wire.source, []).append(wire)
    speed = {wire.at: room(wire.speed, slowest, most) for wire in wires}
    free = {at: int(whole * share) for at, whole in speed.items()}
    given = {one.key: _place(around, free, one) for one in sorted(asked, key=lambda one: one.turn)}
    return _rates(asked, given, speed, free)


def _place(around: Mapping[str, Sequence[Wire]], free: dict[tuple[str, int], int], one: Asked) -> Given:
    """Find a path, and take what it needs."""
    def fits(wire: Wire) -> bool:
        return min(free[wire.at], free.get(wire.back, 0)) >= one.committed

    pair = disjoint(around, one.source, one.target, allowed=fits) if one.protected else None
    path, spare = pair or (shortest(around, one.source, one.target, allowed=fits), None)
    if path is None:
        straight = shortest(around, one.source, one.target)
        return Given(None, full=next((wire for wire in straight.wires if not fits(wire)), None) if straight else None)
    for taken in (path, spare):
        for wire in taken.wires if taken else ():
            free[wire.at] -= one.committed
            free[wire.back] -= one.committed
    return Given(path, spare)


def _rates(asked: tuple[Asked, ...], given: dict[int, Given], speed: Mapping[tuple[str, int], int],
           free: Mapping[tuple[str, int], int]) -> Reserved:
    """Above what is committed, each circuit may send a part of what it wishes for that all have room for at once."""
    placed = [(one, path) for one in asked if (path := given[one.key].path) is not None]
    sure, more = dict.fromkeys(speed, 0), dict.fromkeys(speed, 0)
    for one, path in placed:
        for end in path.links:
            sure[end] += one.committed
            more[end] += one.peak - one.committed
    part = {end: min(1.0, max(0.0, (whole * (1 - FREE) - sure[end]) / more[end])) for end, whole in speed.items() if more[end]}
    left = dict(speed)
    for one, path in placed:
        rate = one.committed + int((one.peak - one.committed) * min((part[end] for end in path.links if end in part), default=1.0))
        given[one.key] = given[one.key]._replace(rate=rate)
        for end in path.links:
            left[end] -= rate
    used = {end for _, path in placed for end in path.links}
    return Reserved(given, {end: max(1, left[end]) for end in used}, free)
