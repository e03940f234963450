"""Paths of equal cost between two switches, each told by a switch that it leads through.

A frame that is first sent to such a switch, and from there on to where it goes out, takes just that path: so switches on
the way hold nothing for it. What is found from a to b is what is found from b to a, turned round and in the same order,
so both directions of a connection may be given one path by one symmetric choice.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from topology.paths import COST, Path, joined
from topology.trees import Trees

MOST_TRIED = 64             # switches between the two that are tried


class Equal(NamedTuple):
    """One of several paths: the switch to send to first, and how many links it has."""
    via: str
    hops: int


def equal_paths(trees: Trees, source: str, target: str, most: int) -> tuple[Equal, ...]:
    """Up to so many paths that share as few links as can be; the shortest path of all is the first one found for itself."""
    if source not in trees.distance.get(target, ()):
        return ()
    tried: dict[frozenset, tuple[str, Path]] = {}
    for via in (*sorted(set(_between(trees, source, target)) - {target})[:MOST_TRIED], target):
        path = _through(trees, source, via, target)
        if path is not None:
            tried.setdefault(path.links, (via, path))
    used: Counter = Counter()
    chosen: list[frozenset] = []
    while tried and len(chosen) < most:
        links = min(tried.keys() - set(chosen), default=None,
                    key=lambda one: (sum(used[end] for end in one), len(one), sorted(one)))
        if links is None:
            break
        chosen.append(links)
        used.update(links)
    return tuple(Equal(tried[links][0], len(tried[links][1].wires)) for links in sorted(chosen, key=sorted))


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


def _through(trees: Trees, source: str, via: str, target: str) -> Path | None:
    """The path by way of a switch, if it costs no more than the shortest."""
    if via == source:
        return None
    first, rest = trees.path(source, via), trees.path(via, target)
    if first is None or rest is None:
        return None
    path = joined(first.wires, rest.wires)
    return path if path.cost == trees.distance[target][source] >> COST else None
