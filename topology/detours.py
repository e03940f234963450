"""Detours: the way around each link, for a switch to take by itself as soon as it sees the link broken.

It leads from the one end of the link to the other, so it does not matter what is on its way where, nor by which path
that came. It is the shortest, over the links of equal worth, and depends on the neighbourhood alone: who looks for it
looks from both ends at once, and goes no further than where the two meet. The way back is the way there.

    detours = Detours.over(trees)                   from scratch
    detours = detours.after(trees)                  the same, at the cost of what has changed
    detours.at["a"][3]                              the path around the link that leaves a by port 3
"""
from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from controller.app import query
from topology.paths import Around, Path, Wire, joined
from topology.trees import FAR, Port, Trees, trees

MANY = 20                   # if one wire of so many is new, all ways around are looked for: that takes no longer


class Detours:
    """The ways around all links. Not to be changed once made; what a change does not touch is the same object afterwards.

    `users`: the links whose detours lead over a wire, by the port where it begins.
    """

    __slots__ = ("trees", "at", "users")

    def __init__(self, trees: Trees, at: Mapping[str, Mapping[int, Path]], users: Mapping[Port, frozenset[Port]]) -> None:
        self.trees, self.at, self.users = trees, at, users

    @classmethod
    def over(cls, trees: Trees) -> Detours:
        """All detours, from nothing."""
        return cls(Trees.over({}), {}, {}).after(trees)

    def after(self, trees: Trees) -> Detours:
        """The detours over other wires: looked for anew where the old one is broken, or a better one may have come."""
        gone, come = trees.other_than(self.trees)
        if not gone and not come:
            return self
        if MANY * len(come) > len(trees.wires):
            return self._with(trees, sorted(trees.wires.keys() | self.trees.wires.keys()))
        stale = {wire.at for wire in (*gone, *come)}.union(*(self.users.get(wire.at, ()) for wire in gone))
        return self._with(trees, sorted(stale | self._bettered(trees, come)))

    def _bettered(self, trees: Trees, come: Iterable[Wire]) -> set[Port]:
        """The links around which a way over wires that have come may be shorter than the known one, if it could take all
        links: it is no longer than that at least."""
        found: set[Port] = set()
        for wire in come:
            to, onward = trees.distance[wire.source], trees.distance[wire.target]
            for link in trees.wires.values():
                known = self.at.get(link.source, {}).get(link.port)
                if to.get(link.source, FAR) + wire.weight + onward.get(link.target, FAR) < (known.weight if known else FAR):
                    found |= {link.at, link.back}
        return found

    def _with(self, trees: Trees, stale: Iterable[Port]) -> Detours:
        """The same, but for these links."""
        at: dict[str, Mapping[int, Path]] = dict(self.at)
        users, found = dict(self.users), {}  # type: dict[Port, frozenset[Port]], dict[Port, Path | None]
        for switch, port in stale:
            wire, once = trees.wires.get((switch, port)), self.at.get(switch, {}).get(port)
            other = found.get(wire.back) if wire is not None else None
            path = _turned(other) if other is not None else _around(trees.around, wire) if wire is not None else None
            found[switch, port] = path
            if path == once:
                continue
            at[switch] = {**{number: held for number, held in at.get(switch, {}).items() if number != port},
                          **({port: path} if path is not None else {})}
            for end in once.links if once is not None else ():
                users[end] = users[end] - {(switch, port)}
            for end in path.links if path is not None else ():
                users[end] = users.get(end, frozenset()) | {(switch, port)}
        return Detours(trees, at, users)


@query
def detours(world):
    """The detours around all links, made from those that were known before: the answer is the same whatever those were."""
    return (world.known(detours) or Detours.over(Trees.over({}))).after(world.ask(trees))


@query
def detours_at(world, switch_id):
    """{port: the path around the link that leaves a switch by it}; links that nothing leads around are not there."""
    return world.ask(detours).at.get(switch_id, {})


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


def _around(around: Around, link: Wire) -> Path | None:
    """The path around one link, from where it begins to where it leads; None if there is none."""
    sides = _Side(link.source), _Side(link.target)
    least: tuple[int, str] | None = None
    while (side := _next(sides, least)) is not None:
        other = sides[1 - sides.index(side)]
        weight, here = heapq.heappop(side.waiting)
        side.done.add(here)
        for wire in around.get(here, ()):
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
    return joined(there[::-1], [wire.turned for wire in back])


def _turned(path: Path) -> Path:
    return joined([wire.turned for wire in reversed(path.wires)])
