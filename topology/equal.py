"""Paths of equal cost between two switches, each told by a switch that it leads through.

A frame that is first sent to such a switch, and from there on to where it goes out, takes just that path: so switches on
the way hold nothing for it. What is found from a to b is what is found from b to a, turned round and in the same order,
so both directions of a connection may be given one path by one symmetric choice.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from topology.paths import COST, Wire
from topology.trees import Port, Trees

MOST_TRIED = 64             # switches between the two that are tried


class Equal(NamedTuple):
    """One of several paths: the switch to send to first, and how many links it has."""
    via: str
    hops: int


class Choice:
    """The equal paths from one switch to others, and the trees they were found on. Two that offer the same are equal."""

    __slots__ = ("source", "paths", "_trees")

    def __init__(self, trees: Trees, source: str, paths: Mapping[str, tuple[Equal, ...]]) -> None:
        self.source, self.paths, self._trees = source, paths, trees

    @classmethod
    def over(cls, trees: Trees, source: str, targets: Iterable[str], most: int) -> Choice:
        """Those to these switches, from nothing; up to so many to each."""
        return cls(trees, source, {target: equal_paths(trees, source, target, most) for target in targets})

    def after(self, trees: Trees, targets: Iterable[str], most: int) -> Choice:
        """The same on other trees: looked for anew only where a wire that is gone, or has come, is on a path of least cost."""
        gone, come = _between_trees(self._trees, trees)
        kept, known = set(targets) & self.paths.keys(), self.paths
        for old, wires in ((self._trees, gone), (trees, come)):
            for wire in wires if kept else ():
                kept -= _ends_of_paths_over(old, wire, self.source, kept)
        return Choice(trees, self.source, {target: known[target] if target in kept else equal_paths(
            trees, self.source, target, most) for target in targets})

    def __eq__(self, other: object) -> bool:
        return other.__class__ is Choice and self.paths == other.paths


@lru_cache(1)
def _between_trees(old: Trees, new: Trees) -> tuple[tuple[Wire, ...], tuple[Wire, ...]]:
    gone, come = new.other_than(old)
    return tuple(gone), tuple(come)


def _ends_of_paths_over(trees: Trees, wire: Wire, source: str, targets: Iterable[str]) -> set[str]:
    """The targets to which a path of least cost leads over a wire. It is as far there as it is back."""
    near, far = trees.distance.get(source, {}), trees.distance[wire.target]
    if wire.source not in near:
        return set()
    so_far = (near[wire.source] >> COST) + (wire.weight >> COST)
    if near[wire.target] >> COST != so_far:             # from here, no path of least cost leads over it to anywhere
        return set()
    return {target for target in targets if target in near and so_far + (far[target] >> COST) == near[target] >> COST}


def equal_paths(trees: Trees, source: str, target: str, most: int) -> tuple[Equal, ...]:
    """Up to so many paths that share as few links as can be; the shortest path of all is the first one found for itself."""
    one, other = sorted((source, target))
    found = trees.pairs.get((one, other, most))
    if found is None:
        found = trees.pairs[one, other, most] = tuple(_chosen(_tried(trees, one, other), most))
    return found if source == one else tuple([Equal(target, hops) if via == source else Equal(via, hops) for via, hops in found])


class _Way(NamedTuple):
    """A path that may be chosen: both ends of each of its links, in order, and the switch that it is told by."""
    ends: tuple[Port, ...]
    via: str


def _tried(trees: Trees, source: str, target: str) -> list[_Way]:
    """The ways by each switch on a path of least cost; those that several switches tell are told by the first of them."""
    if source not in trees.distance.get(target, ()) or source == target:
        return []
    found: dict[tuple[Port, ...], str] = {}
    for via in (*sorted(set(_between(trees, source, target)) - {target})[:MOST_TRIED], target):
        ends = [end for wire in (*trees.way(source, via), *trees.way(via, target)) for end in (wire.at, wire.back)]
        found.setdefault(tuple(sorted(ends)), via)
    return [_Way(*each) for each in found.items()]


def _chosen(tried: list[_Way], most: int) -> Iterator[Equal]:
    """Those that share the least with the ones chosen before, by the order of their links."""
    used: Counter[Port] = Counter()
    chosen: list[_Way] = []
    while tried and len(chosen) < most:
        way = min(tried, key=lambda one: (sum([used[end] for end in one.ends]), len(one.ends), one.ends))
        tried.remove(way)
        chosen.append(way)
        used.update(way.ends)
    for way in sorted(chosen):
        yield Equal(way.via, len(way.ends) // 2)


def _between(trees: Trees, source: str, target: str) -> Iterator[str]:
    """The switches on any path of least cost, the target among them."""
    ways = trees.distance[target]
    waiting, seen = [source], {source}
    while waiting:
        here = waiting.pop()
        left = ways[here] >> COST
        for wire in trees.around[here]:
            if wire.target in ways and (wire.weight >> COST) + (ways[wire.target] >> COST) == left:
                yield wire.target
                if wire.target not in seen:
                    seen.add(wire.target)
                    waiting.append(wire.target)
