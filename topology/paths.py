"""Paths over the links between switches: the shortest, the next shortest, and pairs that share no link.

    around = world.ask(wires)                       the wires of each switch, at the cost that is configured
    shortest(around, "a", "b")                      Path, or None if there is none
    k_shortest(around, "a", "b", 3)
    disjoint(around, "a", "b")                      two paths that share no link, and no switch if that can be

A wire costs the same in both directions, and no two ways between the same switches cost the same: beside its cost each
wire has a small weight of its own, drawn from its name, that decides between ways of equal cost. So the path from a to
b is the path from b to a, and it does not depend on the order in which links were seen.
"""
from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2s
from typing import Any, NamedTuple

from controller.app import query, tally

HOPS, COST = 4095, 56                   # bits of a weight that count wires; the first bit of its cost
SLOWEST, REFERENCE = 1000, 100_000      # Mbit/s: of a link that does not say, and of one that costs 1
UNKNOWN_LATENCY = 1000                  # µs of a link that could not be measured
COSTS = ("hop", "speed", "latency")


class Wire(NamedTuple):
    """One direction of a wire: its ends, and its weight, which is that of the other direction."""
    source: str
    port: int
    target: str
    target_port: int
    weight: int
    speed: int | None = None            # Mbit/s

    @property
    def back(self) -> tuple[str, int]:
        """The other direction, as (switch, port)."""
        return self.target, self.target_port

    @property
    def at(self) -> tuple[str, int]:
        return self.source, self.port

    @property
    def turned(self) -> Wire:
        """The other direction."""
        return self._replace(source=self.target, port=self.target_port, target=self.source, target_port=self.port)


Around = Mapping[str, Sequence[Wire]]
Allowed = Callable[[Wire], bool]


class Path(NamedTuple):
    """The wires of a path, in order, and their weights' sum."""
    weight: int
    wires: tuple[Wire, ...]

    @property
    def cost(self) -> int:
        return self.weight >> COST

    @property
    def switches(self) -> tuple[str, ...]:
        """The switches that it passes, both ends among them; none if it has no wire."""
        return (self.wires[0].source, *(wire.target for wire in self.wires)) if self.wires else ()

    @property
    def links(self) -> frozenset[tuple[str, int]]:
        """Both ends of each wire, as (switch, port)."""
        return frozenset(end for wire in self.wires for end in (wire.at, wire.back))


@lru_cache(65536)
def weight_of(cost: int, one: tuple[str, int], other: tuple[str, int]) -> int:
    """Cost, then what decides between ways of equal cost: 32 bits of the wire's own, of which 4095 may be added up."""
    text = " ".join(f"{switch}:{port}" for switch, port in sorted((one, other)))
    return cost << COST | int.from_bytes(blake2s(text.encode(), digest_size=4).digest(), "big") << 12 | 1


def cost_of(by: str, speed: int | None, latency: int | None) -> int:
    """What a wire costs: 1, its slowness, or its latency; at least 1."""
    if by == "speed":
        return max(1, REFERENCE // (speed or SLOWEST))
    if by == "latency":
        return max(1, latency if latency is not None else UNKNOWN_LATENCY)
    return 1


def wires_of(graph: Any, by: str = "hop") -> dict[str, tuple[Wire, ...]]:
    """The wires of each switch of a graph, in order of their ports; of two directions the dearer sets the cost."""
    found: dict[str, list[Wire]] = {switch: [] for switch in sorted(graph)}
    costs = {(source, port): cost_of(by, link["speed"], link["latency"])
             for source, _, port, link in graph.edges(keys=True, data=True)}
    for source, target, port, link in graph.edges(keys=True, data=True):
        ends = (source, port), (target, link["target_port"])
        weight = weight_of(max(costs[ends[0]], costs.get(ends[1], 0)), *ends)
        found[source].append(Wire(source, port, target, ends[1][1], weight, link["speed"]))
    return {switch: tuple(sorted(held)) for switch, held in found.items()}


def everything(wire: Wire) -> bool:
    return True


def shortest(around: Around, source: str, target: str, *, allowed: Allowed = everything) -> Path | None:
    """The path of least weight over the wires that are allowed; None if there is none."""
    best: dict[str, tuple[int, Wire | None]] = {source: (0, None)}
    waiting = [(0, source)]
    while waiting:
        weight, here = heapq.heappop(waiting)
        if here == target:
            return Path(weight, tuple(_walked(best, target)))
        if weight > best[here][0]:
            continue
        for wire in around.get(here, ()):
            more = weight + wire.weight
            known = best.get(wire.target)
            if (known is None or more < known[0]) and allowed(wire):
                best[wire.target] = more, wire
                heapq.heappush(waiting, (more, wire.target))
    return None


def _walked(best: Mapping[str, tuple[int, Wire | None]], target: str) -> list[Wire]:
    found = []
    while (wire := best[target][1]) is not None:
        found.append(wire)
        target = wire.source
    return found[::-1]


def k_shortest(around: Around, source: str, target: str, count: int, *, allowed: Allowed = everything) -> list[Path]:
    """Up to so many paths that pass no switch twice, the shortest first (Yen's algorithm)."""
    first = shortest(around, source, target, allowed=allowed)
    found = [first] if first is not None and first.wires else []
    waiting: list[Path] = []
    while found and len(found) < count:
        for path in _detours(around, found, target, allowed):
            if path not in waiting and path not in found:
                heapq.heappush(waiting, path)
        if not waiting:
            break
        found.append(heapq.heappop(waiting))
    return found


def _detours(around: Around, found: list[Path], target: str, allowed: Allowed) -> Iterator[Path]:
    """What leaves the last path at each of its switches, and none of the paths found before."""
    last = found[-1].wires
    for place in range(len(last)):
        head = last[:place]
        taken = {path.wires[place].at for path in found if path.wires[:place] == head and len(path.wires) > place}
        passed = {wire.source for wire in last[:place + 1]}
        rest = shortest(around, last[place].source, target,
                        allowed=lambda wire, taken=taken, passed=passed:    # type: ignore[misc]
                        wire.at not in taken and wire.target not in passed and allowed(wire))
        if rest is not None:
            yield joined(head, rest.wires)


def joined(*parts: Iterable[Wire]) -> Path:
    """One path of several parts, each of which begins where the one before ends."""
    wires = tuple(wire for part in parts for wire in part)
    return Path(sum(wire.weight for wire in wires), wires)


def disjoint(around: Around, source: str, target: str, *, allowed: Allowed = everything) -> tuple[Path, Path] | None:
    """Two paths that together weigh least: if possible they share no switch but their ends, else no link; the shorter
    first. None if any two paths share a link.
    """
    return _pair(around, source, target, allowed, True) or _pair(around, source, target, allowed, False)


def _pair(around: Around, source: str, target: str, allowed: Allowed, apart: bool) -> tuple[Path, Path] | None:
    """Suurballe's: a second path that may take the first one's wires back, at a gain; what both took falls out."""
    first = shortest(around, source, target, allowed=allowed)
    if first is None or not first.wires:
        return None
    second = _second(around, first, target, allowed, apart)
    if second is None:
        return None
    undone = {wire.back for wire in second}
    kept = [wire for wire in first.wires if wire.at not in undone]
    kept += [wire for wire in second if wire.back not in {one.at for one in first.wires}]
    one, other = sorted((_follow(kept, source, target), _follow(kept, source, target)))
    return one, other


def _second(around: Around, first: Path, target: str, allowed: Allowed, apart: bool) -> list[Wire] | None:
    """The cheapest way from the first path's start to its end where its own wires are closed, or lead back for a gain.

    A state is (switch, whether it was reached against the first path): who comes onto a switch of the first path that
    both may not share must go on against it. Weights may be negative, but no circle of them is (Bellman and Ford).
    """
    forth, back = {wire.at for wire in first.wires}, {wire.back for wire in first.wires}
    inside = set(first.switches[1:-1]) if apart else set()
    start = (first.wires[0].source, False)
    best: dict[tuple[str, bool], tuple[int, Wire | None, Any]] = {start: (0, None, None)}
    waiting = [start]
    while waiting:
        state = waiting.pop(0)
        here, against = state
        weight = best[state][0]
        for wire in around.get(here, ()):
            gain = wire.at in back
            if wire.at in forth or not (gain or allowed(wire)) or here in inside and not against and not gain:
                continue
            then = wire.target, gain and wire.target in inside
            more = weight - wire.weight if gain else weight + wire.weight
            if then not in best or more < best[then][0]:
                best[then] = more, wire, state
                if then[0] != target:
                    waiting.append(then)
    return _back_from(best, (target, False))


def _back_from(best: Mapping[Any, tuple[int, Wire | None, Any]], state: Any) -> list[Wire] | None:
    if state not in best:
        return None
    found: list[Wire] = []
    while (step := best[state])[1] is not None:
        found.append(step[1])
        state = step[2]
    return found[::-1]


def _follow(wires: list[Wire], source: str, target: str) -> Path:
    """Take a path out of a bag of wires."""
    found, here = [], source
    while here != target:
        wire = next(wire for wire in wires if wire.source == here)
        wires.remove(wire)
        found.append(wire)
        here = wire.target
    return joined(found)


# ---- as rules ask

@query
def adjacent(world, switch_id):
    """The two-way wires at a switch, by port, at the cost that is configured: it changes with these wires only."""
    found, by = [], world.setting("path_cost")
    for link in world.find("link", "source_switch_id", switch_id):
        back = world.get("link", f"{link.target_switch_id}:{link.target_port}")
        ends = (link.source_switch_id, link.source_port), (link.target_switch_id, link.target_port)
        if back is not None and (back.target_switch_id, back.target_port) == ends[0] and switch_id != link.target_switch_id \
                and world.get("switch", switch_id) and world.get("switch", link.target_switch_id):
            cost = max(cost_of(by, one.speed, one.latency) for one in (link, back))
            found.append(Wire(*ends[0], *ends[1], weight_of(cost, *ends), link.speed))
    return tuple(sorted(found))


@tally(per="link")
def ends(world, link):
    """The switches that have links are gathered."""
    yield "switches", link.source_switch_id


@query
def wires(world):
    """The wires of each switch that has any, between switches that have."""
    once = world.known(wires) or {}
    found = {switch: held for switch in sorted(world.gathered(ends, "switches")) if (held := world.ask(adjacent, switch))}
    # While changes are taken in, a switch may have heard of a link, or of its end, a moment before its neighbour has.
    changed = {switch for switch in {**once, **found} if once.get(switch) is not found.get(switch)}
    near = changed.union(wire.target for switch in changed for wire in (*once.get(switch, ()), *found.get(switch, ())))
    known = {wire.at for switch in near for wire in found.get(switch, ())}
    for switch in near & found.keys():
        held = tuple([wire for wire in found[switch] if wire.target not in near or wire.back in known])
        found[switch] = held if len(held) < len(found[switch]) else found[switch]
    return found
