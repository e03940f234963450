"""Detours: the way around each link, for a switch to take by itself as soon as it sees the link broken.

It leads from the one end of the link to the other, so it does not matter what is on its way where, nor by which path
that came. It is the shortest, over the links of equal worth, and depends on the neighbourhood alone. The way back is the
way there.

    detours = Detours.over(trees)                   from scratch
    detours = detours.after(trees)                  the same, at the cost of what has changed
    detours.at["a"][3]                              the path around the link that leaves a by port 3
"""
from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from controller.app import query
from topology.paths import Path, Wire, joined
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
            if wire.back < wire.at:                     # its other direction says the same of the links' other directions
                continue
            to, onward = trees.distance[wire.source], trees.distance[wire.target]
            for switch, held in trees.around.items():
                so_far, known = to.get(switch, FAR) + wire.weight, self.at.get(switch, {})
                found.update([end for link in held if (path := known.get(link.port)) is None
                              or so_far + onward.get(link.target, FAR) < path.weight for end in (link.at, link.back)])
        return found

    def _with(self, trees: Trees, stale: Iterable[Port]) -> Detours:
        """The same, but for these links."""
        at: dict[str, Mapping[int, Path]] = dict(self.at)
        users, found = dict(self.users), {}  # type: dict[Port, frozenset[Port]], dict[Port, Path | None]
        for switch, port in stale:
            wire, once = trees.wires.get((switch, port)), self.at.get(switch, {}).get(port)
            other = found.get(wire.back) if wire is not None else None
            path = _turned(other) if other is not None else _around(trees, wire) if wire is not None else None
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


def _around(trees: Trees, link: Wire) -> Path | None:
    """The path around one link, from where it begins to where it leads; None if there is none.

    Who looks for it knows how far it is at least from anywhere: as far as if the link could be taken (A*).
    """
    left = trees.distance[link.target]
    best: dict[str, tuple[int, Wire | None]] = {link.source: (0, None)}
    waiting = [(left[link.source], link.source)]
    while waiting:
        least, here = heapq.heappop(waiting)
        if here == link.target:
            return _path(best, here)
        weight = best[here][0]
        if weight + left[here] < least:                 # a better way was found here meanwhile
            continue
        for wire in trees.around[here]:
            more = weight + wire.weight
            if (wire.target not in best or more < best[wire.target][0]) and wire.at not in (link.at, link.back):
                best[wire.target] = more, wire
                heapq.heappush(waiting, (more + left[wire.target], wire.target))
    return None


def _path(best: Mapping[str, tuple[int, Wire | None]], here: str) -> Path:
    found: list[Wire] = []
    while (wire := best[here][1]) is not None:
        found.append(wire)
        here = wire.source
    return joined(found[::-1])


def _turned(path: Path) -> Path:
    return joined([wire.turned for wire in reversed(path.wires)])
