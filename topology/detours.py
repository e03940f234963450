"""Detours: the way around each link, for a switch to take by itself as soon as it sees the link broken.

It leads from the one end of the link to the other, so it does not matter what is on its way where, nor by which path
that came. It is the shortest, over the links of equal worth, and depends on the neighbourhood alone: who looks for it
looks from both ends at once, and goes no further than where the two meet.
"""
from __future__ import annotations

import heapq

from controller.app import query
from topology.paths import Path, Wire, adjacent, joined


class _Side:
    """What has been found from one end: for each switch its weight, and the wire by which it was come to."""

    def __init__(self, start: str) -> None:
        self.best: dict[str, tuple[int, Wire | None]] = {start: (0, None)}
        self.waiting = [(0, start)]
        self.done: set[str] = set()

    @property
    def nearest(self) -> int | None:
        while self.waiting and self.waiting[0][1] in self.done:
            heapq.heappop(self.waiting)
        return self.waiting[0][0] if self.waiting else None


@query
def detour(world, switch_id, port):
    """The path around the link that leaves a switch by a port, to where it leads; None if there is none."""
    link = next((wire for wire in world.ask(adjacent, switch_id) if wire.port == port), None)
    if link is None:
        return None
    sides = _Side(link.source), _Side(link.target)
    least: tuple[int, str] | None = None
    while (side := _next(sides, least)) is not None:
        other = sides[1 - sides.index(side)]
        weight, here = heapq.heappop(side.waiting)
        side.done.add(here)
        for wire in world.ask(adjacent, here):
            more = weight + wire.weight
            if wire.at in (link.at, link.back) or wire.target in side.best and side.best[wire.target][0] <= more:
                continue
            side.best[wire.target] = more, wire
            heapq.heappush(side.waiting, (more, wire.target))
            if wire.target in other.best:
                met = more + other.best[wire.target][0], wire.target
                least = met if least is None else min(met, least)
    return _path(sides, least[1]) if least is not None else None


def _next(sides: tuple[_Side, _Side], least: tuple[int, str] | None) -> _Side | None:
    """The side that has come less far; None if nothing better can be found."""
    ends = [side.nearest for side in sides]
    if None in ends or least is not None and sum(filter(None, ends)) >= least[0]:
        return None
    return sides[ends.index(min(filter(lambda end: end is not None, ends)))]        # type: ignore[type-var]


def _path(sides: tuple[_Side, _Side], meeting: str) -> Path:
    there, back = ([], [])  # type: tuple[list[Wire], list[Wire]]
    for side, found in zip(sides, (there, back), strict=True):
        here = meeting
        while (wire := side.best[here][1]) is not None:
            found.append(wire)
            here = wire.source
    return joined(there[::-1], [_turned(wire) for wire in back])


def _turned(wire: Wire) -> Wire:
    return wire._replace(source=wire.target, port=wire.target_port, target=wire.source, target_port=wire.port)
