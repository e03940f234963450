"""Paths on any graph, against networkx; and what is kept from one graph to the next, against what is found from nothing."""

from __future__ import annotations

import itertools
import random
from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.links import member, meshed
from tests.topology.plain import dpid
from topology import between
from topology.detours import Detours
from topology.equal import Choice
from topology.paths import COST, Path, Wire, disjoint, k_shortest, shortest, wires_of
from topology.trees import Trees

SWITCHES = 8


def graph_of(edges: Any) -> Any:
    """The networkx.MultiDiGraph of wires (one, other, speed); each is there in both directions, at ports of its own."""
    found = networkx.MultiDiGraph()
    for number, (one, other, speed) in enumerate(edges):
        for source, target, port, into in ((one, other, 2 * number, 2 * number + 1), (other, one, 2 * number + 1, 2 * number)):
            found.add_edge(f"s{source}", f"s{target}", key=port, port=port, target_port=into, speed=speed, latency=None)
    return found


_edges = st.lists(st.tuples(st.integers(0, SWITCHES - 1), st.integers(0, SWITCHES - 1), st.sampled_from((1000, 10_000, 40_000)))
                  .filter(lambda edge: edge[0] != edge[1]), min_size=3, max_size=20)


def simple_paths(graph: Any, source: str, target: str) -> list[int]:
    """The cost of each way that passes no switch twice; parallel wires are ways of their own."""
    if source not in graph or target not in graph or not networkx.has_path(graph, source, target):
        return []
    cost = {(wire.source, wire.port): wire.weight >> COST for held in wires_of(graph, "speed").values() for wire in held}
    return sorted(sum(cost[one, port] for one, _, port in path) for path in networkx.all_simple_edge_paths(graph, source, target))


@settings(deadline=None, max_examples=60)
@given(_edges, st.integers(1, 6))
def test_the_k_shortest_paths_are_those_of_least_cost_and_pass_no_switch_twice(edges: Any, count: int) -> None:
    graph = graph_of(edges)
    found = k_shortest(wires_of(graph, "speed"), "s0", "s1", count)
    assert [path.cost for path in found] == simple_paths(graph, "s0", "s1")[:count]
    assert len(set(found)) == len(found) and all(len(set(path.switches)) == len(path.switches) for path in found)
    assert all(one.target == other.source for path in found for one, other in itertools.pairwise(path.wires))
    if found:
        assert found[0] == shortest(wires_of(graph, "speed"), "s0", "s1")


@settings(deadline=None, max_examples=60)
@given(_edges)
def test_two_disjoint_paths_are_found_wherever_there_are_and_share_no_switch_if_that_can_be(edges: Any) -> None:
    graph = graph_of(edges)
    if "s0" not in graph or "s1" not in graph:
        return
    pair = disjoint(wires_of(graph), "s0", "s1")
    flow = networkx.DiGraph()
    for one, other, port in graph.edges(keys=True):
        flow.add_edge(one, (one, port), capacity=1)
        flow.add_edge((one, port), other, capacity=1)
    assert (pair is not None) == (networkx.maximum_flow_value(flow, "s0", "s1") >= 2)
    if pair is None:
        return
    one, other = pair
    assert not one.links & other.links and one.weight <= other.weight
    apart = networkx.DiGraph()          # each switch but the ends lets one path through
    for switch in graph:
        apart.add_edge((switch, "in"), (switch, "out"), capacity=2 if switch in ("s0", "s1") else 1)
    for source, target, port in graph.edges(keys=True):
        apart.add_edge((source, "out"), (source, port), capacity=1)
        apart.add_edge((source, port), (target, "in"), capacity=1)
    if networkx.maximum_flow_value(apart, ("s0", "in"), ("s1", "out")) >= 2:
        assert set(one.switches) & set(other.switches) == {"s0", "s1"}


def test_what_is_not_allowed_is_on_no_path() -> None:
    around = wires_of(graph_of([(0, 2, 1000), (2, 1, 1000), (0, 3, 1000), (3, 1, 1000), (0, 1, 1000)]))
    found = k_shortest(around, "s0", "s1", 5, allowed=lambda wire: {wire.source, wire.target} != {"s0", "s1"})
    assert [path.switches for path in found] in ([("s0", "s2", "s1"), ("s0", "s3", "s1")], [("s0", "s3", "s1"), ("s0", "s2", "s1")])
    assert not k_shortest(around, "s0", "s9", 5) and not k_shortest(around, "s0", "s0", 5)


def test_paths_are_listed_with_what_circuits_have_left_on_them_and_whether_they_are_in_use() -> None:
    """A ring of six with a chord: 1 and 4 are two apart by way of the chord 1-3, and three by either side."""
    net = meshed(networkx.Graph([*networkx.cycle_graph(6).edges, (0, 2)]), speed=100)
    for switch in (1, 4):
        net.interface(switch, 50)
        member(net, net.things.get(("network", "red")) or net.network("red", subnets=()), f"red{switch}", switch)
    net._create("circuit", "c", "acme", {"a_switch_port": f"{dpid(1)}:50", "z_switch_port": f"{dpid(4)}:50", "committed_kbps": 40_000})
    world = net.compiler.world
    found = between.paths(*between.seen(world, dpid(1), dpid(4)), dpid(1), dpid(4), 9)
    assert [([int(id, 16) for id in one["switches"]], one["cost"], one["room_kbps"], one["in_use"]) for one in found[:1]] == [
        ([1, 3, 4], 2, 50_000, True)]
    assert sorted((one["cost"], one["room_kbps"], one["in_use"]) for one in found[1:]) == [(3, 50_000, False), (3, 90_000, False)]


# ---- kept from one graph to the next


def changing(number: int) -> Any:
    """A graph to which one or a few wires are added, or from which they are taken, again and again: its wires each time."""
    chance = random.Random(number)
    edges = {(*edge, place, chance.choice((1000, 10_000))) for place, edge in enumerate(
        networkx.random_regular_graph(4, 14, seed=number).edges)}
    down: set[Any] = set()
    for _ in range(25):
        for _ in range(chance.choice((1, 1, 1, 3, 20))):
            if down and chance.random() < 0.5:
                down.remove(chance.choice(sorted(down)))
            elif len(edges - down) > 1:
                down.add(chance.choice(sorted(edges - down)))
        graph = networkx.MultiDiGraph()
        for one, other, place, speed in sorted(edges - down):
            for source, target, port, into in ((one, other, 2 * place, 2 * place + 1), (other, one, 2 * place + 1, 2 * place)):
                graph.add_edge(f"s{source:02}", f"s{target:02}", key=port, port=port, target_port=into, speed=speed, latency=None)
        yield wires_of(graph, "speed")


def around_it(around: Any, link: Wire) -> Path | None:
    """The shortest path between a link's ends without the link, found the plain way."""
    return shortest(around, link.source, link.target, allowed=lambda wire: wire.at not in (link.at, link.back))


@pytest.mark.parametrize("number", range(4))
def test_trees_detours_and_equal_paths_that_are_kept_up_are_those_found_from_nothing(number: int) -> None:
    trees, choices = Trees.over({}), {}
    detours = Detours.over(trees)
    for around in changing(number):
        trees = trees.after(around)
        anew = Trees.over(around)
        assert (trees.distance, trees.steps, trees.wires) == (anew.distance, anew.steps, anew.wires)
        detours = detours.after(trees)
        wires = list(trees.wires.values())
        assert {wire.at: path for wire in wires if (path := around_it(around, wire))} == {
            (switch, port): path for switch, held in detours.at.items() for port, path in held.items()}
        assert {end: links for end, links in detours.users.items() if links} == Detours.over(anew).users
        for switch in sorted(around)[::3]:
            others = sorted(around.keys() - {switch})
            choices[switch] = choices[switch].after(trees, others, 8) if switch in choices else Choice.over(trees, switch, others, 8)
            assert choices[switch] == Choice.over(anew, switch, others, 8)


def test_what_a_change_does_not_touch_is_the_same_object() -> None:
    """So nobody who reads it is asked again. A ladder, of which one rung breaks."""
    rungs = [(one, one + 10, 1000) for one in range(10)]
    rails = [(one + side, one + side + 1, 1000) for one in range(9) for side in (0, 10)]
    before = Trees.over(wires_of(graph_of(rungs + rails)))
    ways, around = Detours.over(before), dict(before.around)
    for switch, port in (("s0", 0), ("s10", 1)):
        around[switch] = tuple(wire for wire in around[switch] if wire.port != port)
    after = before.after(around)
    found = ways.after(after)
    assert len(after.wires) == len(before.wires) - 2 and found.at["s0"] != ways.at["s0"]
    assert all(found.at[f"s{far}"] is ways.at[f"s{far}"] for far in range(3, 10))
    assert before.after(before.around) is before and ways.after(before) is ways
    choice = Choice.over(before, "s5", ["s7", "s0"], 8)
    kept = choice.after(after, ["s7", "s0"], 8)
    assert kept.paths["s7"] is choice.paths["s7"] and kept == Choice.over(after, "s5", ["s7", "s0"], 8)
