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
from collections.abc import Iterable, Iterator, Mapping

from controller.app import query
from topology.paths import HOPS, Around, Path, Wire, joined, wires

Port = tuple[str, int]
FAR = 1 << 200              # from where there is no way


class Trees:
    """All trees over one set of wires. Not to be changed once made."""

    __slots__ = ("around", "wires", "distance", "steps")

    def __init__(self, around: Around, wires: Mapping[Port, Wire], distance: Mapping[str, Mapping[str, int]],
                 steps: Mapping[str, Mapping[str, int]]) -> None:
        self.around, self.wires, self.distance, self.steps = around, wires, distance, steps

    @classmethod
    def over(cls, around: Around) -> Trees:
        """The trees, from nothing."""
        return cls({}, {}, {}, {}).after(around)

    def after(self, around: Around) -> Trees:
        """The trees over other wires; what they have in common with these stays."""
        gone, come = _difference(self.around, around)
        wires = {**{at: wire for at, wire in self.wires.items() if at not in gone}, **{wire.at: wire for wire in come}}
        if not gone and not come and around.keys() == self.around.keys():
            return self
        change = _Change(self, around, wires)
        for target in around:
            change.mend(target, gone, come)
        return change.done()

    def other_than(self, old: Trees) -> tuple[list[Wire], list[Wire]]:
        """The wires that are no more, and those that have come, since there were other trees."""
        gone, come = _difference(old.around, self.around)
        return list(gone.values()), come

    def hops(self, source: str, target: str) -> int:
        """How many wires the path has."""
        return self.distance[target][source] & HOPS

    def path(self, source: str, target: str) -> Path | None:
        """The path that the tables make; None if there is none."""
        found = []
        while source != target:
            port = self.steps.get(source, {}).get(target)
            if port is None:
                return None
            found.append(self.wires[source, port])
            source = found[-1].target
        return joined(found)


def _difference(old: Around, new: Around) -> tuple[dict[Port, Wire], list[Wire]]:
    """The wires that are gone, and those that have come; where a switch's are the same tuple, nothing is looked at."""
    differ = [switch for switch in {**old, **new} if old.get(switch) is not new.get(switch)]
    before, after = ({wire for switch in differ for wire in around.get(switch, ())} for around in (old, new))
    return {wire.at: wire for wire in sorted(before - after)}, sorted(after - before)


class _Change:
    """Trees in the making: copies what it changes, and nothing else."""

    def __init__(self, old: Trees, around: Around, wires: Mapping[Port, Wire]) -> None:
        self.old, self.around, self.wires = old, around, wires
        self.distance: dict[str, dict[str, int] | Mapping[str, int]] = {}
        self.steps: dict[str, dict[str, int] | Mapping[str, int]] = {
            switch: old.steps.get(switch, {}) for switch in around}
        self._own: set[str] = set()                     # switches whose table is a copy already

    def mend(self, target: str, gone: Mapping[Port, Wire], come: Iterable[Wire]) -> None:
        """One target's tree: forget what hung on wires that are gone, then find ways from what is left."""
        old = self.old.distance.get(target)
        distance: dict[str, int] = {target: 0} if old is None else old      # type: ignore[assignment]
        lost = set(self._lost(target, gone)) if old is not None else set()
        better = self._waiting(target, distance, lost, come)
        if old is not None and not lost and not better:
            self.distance[target] = old
            return
        distance = self.distance[target] = dict(distance)
        for switch in lost:
            del distance[switch]
            self._table(switch).pop(target, None)
        if old is None:
            better = list(self._from((target,), distance))
        self._spread(target, distance, better)

    def _lost(self, target: str, gone: Mapping[Port, Wire]) -> Iterator[str]:
        """The switches whose way led over a wire that is gone, or that are gone themselves."""
        steps, around = self.old.steps, self.old.around
        waiting = [wire.source for at, wire in gone.items() if steps[wire.source].get(target) == wire.port]
        waiting += [switch for switch in around.keys() - self.around.keys() if target in steps.get(switch, ())]
        seen: set[str] = set()
        while waiting:
            here = waiting.pop()
            if here in seen:
                continue
            seen.add(here)
            yield here
            waiting += [wire.target for wire in around[here] if steps[wire.target].get(target) == wire.target_port]

    def _waiting(self, target: str, distance: Mapping[str, int], lost: set[str],
                 come: Iterable[Wire]) -> list[tuple[int, str, int]]:
        """Where better ways may begin: (weight, switch, port) over new wires, and out of what was lost."""
        found = []
        for wire in come:
            if wire.target in distance and wire.target not in lost:
                weight = distance[wire.target] + wire.weight
                if weight < distance.get(wire.source, FAR) or wire.source in lost:
                    found.append((weight, wire.source, wire.port))
        for switch in lost:
            for wire in self.around.get(switch, ()):
                if wire.target in distance and wire.target not in lost:
                    found.append((distance[wire.target] + wire.weight, switch, wire.port))
        return found

    def _from(self, switches: Iterable[str], distance: Mapping[str, int]) -> Iterator[tuple[int, str, int]]:
        """The ways of the neighbours by way of these switches."""
        for here in switches:
            weight = distance[here]
            for wire in self.around.get(here, ()):
                yield weight + wire.weight, wire.target, wire.target_port

    def _spread(self, target: str, distance: dict[str, int], waiting: list[tuple[int, str, int]]) -> None:
        """Dijkstra's, outwards from the target, over what is better than what is known."""
        heapq.heapify(waiting)
        while waiting:
            weight, here, port = heapq.heappop(waiting)
            if weight >= distance.get(here, FAR):
                continue
            distance[here] = weight
            self._table(here)[target] = port
            for wire in self.around.get(here, ()):
                more = weight + wire.weight
                if more < distance.get(wire.target, FAR):
                    heapq.heappush(waiting, (more, wire.target, wire.target_port))

    def _table(self, switch: str) -> dict[str, int]:
        """A switch's table, to be changed."""
        if switch not in self._own:
            self._own.add(switch)
            self.steps[switch] = dict(self.steps.get(switch, {}))
        return self.steps[switch]                                       # type: ignore[return-value]

    def done(self) -> Trees:
        stale = self.old.around.keys() - self.around.keys()
        for switch in self.around if stale else ():
            for target in stale & self.steps[switch].keys():
                del self._table(switch)[target]
        return Trees(self.around, self.wires, self.distance, {switch: self.steps[switch] for switch in self.around})


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
