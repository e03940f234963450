"""The shortest paths between all switches: for each switch a tree of the ways to it, kept up link by link.

    trees = Trees.over(around)                  from scratch
    trees = trees.after(around)                 the same as from scratch, at the cost of what has changed
    trees.steps["a"]["b"]                       the port by which a sends what is for b
    trees.distance["b"]["a"]                    the weight of the way from a to b

No two ways weigh the same (paths.py), so there is one tree for each switch, and it does not matter how it was come by.
A tree that a change does not touch is the same object afterwards, and so is a switch's table of ports.
"""
from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any

from controller.app import query
from controller.derived import Derived
from topology.paths import HOPS, Around, Path, Wire, joined, wires

Port = tuple[str, int]
FAR = 1 << 200              # from where there is no way
NO_STEPS: Mapping[str, int] = {}


class Trees:
    """All trees over one set of wires. Not to be changed once made; `pairs` keeps what is found on them."""

    __slots__ = ("around", "wires", "distance", "steps", "pairs")

    def __init__(self, around: Around, wires: Mapping[Port, Wire], distance: Mapping[str, Mapping[str, int]],
                 steps: Mapping[str, Mapping[str, int]]) -> None:
        self.around, self.wires, self.distance, self.steps = around, wires, distance, steps
        self.pairs: dict[tuple[str, str, int], Any] = {}

    @classmethod
    def over(cls, around: Around) -> Trees:
        """The trees, from nothing."""
        return cls({}, {}, {}, {}).after(around)

    def after(self, around: Around) -> Trees:
        """The trees over other wires; what they have in common with these stays."""
        gone, come = _difference(self.around, around)
        if not gone and not come and around.keys() == self.around.keys():
            return self
        change = _Change(self, around, gone, come)
        for target in change.concerned():
            change.mend(target)
        return change.done()

    def other_than(self, old: Trees) -> tuple[list[Wire], list[Wire]]:
        """The wires that are no more, and those that have come, since there were other trees."""
        gone, come = _difference(old.around, self.around)
        return list(gone.values()), come

    def hops(self, source: str, target: str) -> int:
        """How many wires the path has."""
        return self.distance[target][source] & HOPS

    def way(self, source: str, target: str) -> list[Wire]:
        """The wires that the tables lead over to a switch that can be reached."""
        found = []
        while source != target:
            found.append(self.wires[source, self.steps[source][target]])
            source = found[-1].target
        return found

    def path(self, source: str, target: str) -> Path | None:
        """The path that the tables make; None if there is none."""
        return joined(self.way(source, target)) if source == target or target in self.steps.get(source, ()) else None


def _difference(old: Around, new: Around) -> tuple[dict[Port, Wire], list[Wire]]:
    """The wires that are gone, and those that have come; where a switch's are the same tuple, nothing is looked at."""
    differ = [switch for switch in {**old, **new} if old.get(switch) is not new.get(switch)]
    before, after = ({wire for switch in differ for wire in around.get(switch, ())} for around in (old, new))
    return {wire.at: wire for wire in sorted(before - after)}, sorted(after - before)


class _Change:
    """Trees in the making: copies what it changes, and nothing else."""

    def __init__(self, old: Trees, around: Around, gone: Mapping[Port, Wire], come: list[Wire]) -> None:
        self.old, self.around, self.gone, self.come = old, around, gone, come
        self.wires = dict(old.wires)
        for at in gone:
            del self.wires[at]
        self.wires.update({wire.at: wire for wire in come})
        self.distance = {target: old.distance[target] for target in around if target in old.distance}
        self.steps = {switch: old.steps.get(switch, NO_STEPS) for switch in around}
        self._stale = old.around.keys() - around.keys()
        self._own: dict[str, Derived] = {}              # tables that are copies already, to be changed

    def concerned(self) -> Iterable[str]:
        """The targets whose tree led over a wire that is gone, or is shorter over one that has come: no other changes."""
        old = self.old
        found = set(self.around.keys() - old.around.keys())
        for switch in self._stale:
            found.update(old.steps[switch])
        for (switch, number) in self.gone:
            found.update([target for target, port in old.steps[switch].items() if port == number])
        for wire in self.come:
            source, target, weight = wire.source, wire.target, wire.weight
            found.update([root for root, ways in old.distance.items()
                          if target in ways and ways[target] + weight < ways.get(source, FAR)])
        return sorted(found & self.around.keys())

    def mend(self, target: str) -> None:
        """One target's tree: forget what hung on wires that are gone, then find ways from what is left."""
        distance = self.distance[target] = dict(self.old.distance.get(target, {target: 0}))
        lost = self._lost(target) if target in self.old.distance else set()
        for switch in lost:
            distance[switch] = FAR                      # not taken out: where nothing was, the next copy takes five times as long
        if target not in self.old.distance:
            better = [(wire.weight, wire.target, wire.target_port) for wire in self.around[target]]
        else:
            better = [(distance[wire.target] + wire.weight, wire.source, wire.port) for wire in self.come
                      if distance.get(wire.target, FAR) < FAR]
        for switch in lost:
            better += self._out_of(switch, distance)
        ports = self._spread(distance, better)
        for switch, port in ports.items():              # nearly all of what was lost goes on by the port that it had
            if self.steps[switch].get(target) != port:
                self._table(switch).put(target, port)
        for switch in lost - ports.keys():
            del distance[switch]
            if switch in self.around:
                self._table(switch).drop(target)

    def _lost(self, target: str) -> set[str]:
        """The switches whose way led over a wire that is gone, or that are gone themselves."""
        steps, around = self.old.steps, self.old.around
        waiting = [switch for switch, port in self.gone if steps[switch].get(target) == port]
        waiting += [switch for switch in self._stale if target in steps[switch]]
        seen = set(waiting)
        while waiting:
            for wire in around[waiting.pop()]:
                if steps[wire.target].get(target) == wire.target_port and wire.target not in seen:
                    seen.add(wire.target)
                    waiting.append(wire.target)
        return seen

    def _out_of(self, switch: str, distance: Mapping[str, int]) -> list[tuple[int, str, int]]:
        """The best way of a switch over one of its neighbours that has a way."""
        return sorted([(distance[wire.target] + wire.weight, switch, wire.port)
                       for wire in self.around.get(switch, ()) if distance.get(wire.target, FAR) < FAR])[:1]

    def _spread(self, distance: dict[str, int], waiting: list[tuple[int, str, int]]) -> dict[str, int]:
        """Dijkstra's, outwards from the target, over what is better than what is known; the ports of who goes otherwise now."""
        found = {}
        heapq.heapify(waiting)
        while waiting:
            weight, here, port = heapq.heappop(waiting)
            if weight >= distance.get(here, FAR):
                continue
            distance[here], found[here] = weight, port
            for wire in self.around[here]:
                more = weight + wire.weight
                if more < distance.get(wire.target, FAR):
                    heapq.heappush(waiting, (more, wire.target, wire.target_port))
        return found

    def _table(self, switch: str) -> Derived:
        """A switch's table, to be changed."""
        own = self._own.get(switch)
        if own is None:
            own = self._own[switch] = self.steps[switch] = Derived(self.steps[switch])
        return own

    def done(self) -> Trees:
        for target in self._stale:
            for switch, table in list(self.steps.items()):
                if target in table:
                    self._table(switch).drop(target)
        return Trees(self.around, self.wires, self.distance, self.steps)


_last = Trees({}, {}, {}, {})


@query
def trees(world):
    """The trees over all links, by the cost that is configured.

    They are made from those that were asked for last, by whomever: the answer is the same whatever those were.
    """
    global _last
    _last = _last.after(world.ask(wires))
    return _last


class Steps:
    """By which port a switch sends what is for each other one that it can reach. Two that say the same ports are equal."""

    __slots__ = ("switch", "ports", "_trees")

    def __init__(self, switch: str, trees: Trees) -> None:
        self.switch, self.ports, self._trees = switch, trees.steps.get(switch, {}), trees

    def __eq__(self, other: object) -> bool:
        return other.__class__ is Steps and (self.ports is other.ports or self.ports == other.ports)

    def hops(self, target: str) -> int:
        """How many wires lie before a switch."""
        return self._trees.hops(self.switch, target)


@query
def steps(world, switch_id):
    """The steps of one switch: another answer only if it sends otherwise than before."""
    return Steps(switch_id, world.ask(trees))
