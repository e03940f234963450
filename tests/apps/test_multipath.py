"""Several paths of equal cost: all are used, each by whole connections, and both directions take the same."""

from __future__ import annotations

import itertools

import networkx
import pytest

from tests.kit.links import cut, lose, member, meshed
from tests.kit.net import Port
from tests.kit.talk import broadcast, raw
from tests.topology.plain import Plain

SHAPES = {
    "diamond": (networkx.Graph([(1, 2), (2, 4), (1, 3), (3, 4)]), 1, 4, 2),
    "torus": (networkx.grid_2d_graph(3, 3, periodic=True), 1, 5, 2),
    "bipartite": (networkx.complete_bipartite_graph(4, 5), 1, 2, 5),
    "grid": (networkx.grid_2d_graph(3, 3), 1, 9, 4),  # of six: those that one switch on the way tells from the others
    "linear": (networkx.path_graph(4), 1, 4, 1),
}


def pair(shape: str) -> tuple[Plain, Port, Port]:
    graph, one, other, _ = SHAPES[shape]
    net = meshed(graph)
    red = net.network("red", subnets=())
    return net, member(net, red, "a", one), member(net, red, "b", other)


def paths(net: Plain, one: Port, other: Port) -> list[tuple[tuple[str, str], ...]]:
    """The path of each choice that the group may make."""
    found = []
    for choice in range(16):
        net.choose = lambda group, buckets, choice=choice: min(choice, len(buckets) - 1)
        found.append(tuple(net.send(raw(one, other)).reaches(other).links))
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("shape", SHAPES)
def test_paths_of_least_cost_are_each_taken_by_somebody(shape: str) -> None:
    graph, one, other, count = SHAPES[shape]
    net, a, b = pair(shape)
    found = paths(net, a, b)
    nodes = sorted(graph, key=str)
    least = networkx.shortest_path_length(graph, nodes[one - 1], nodes[other - 1])
    assert len(found) == count and {len(path) for path in found} == {least}
    net.check()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_choice_is_the_same_path_in_both_directions(shape: str) -> None:
    net, a, b = pair(shape)
    for choice in range(8):
        net.choose = lambda group, buckets, choice=choice: min(choice, len(buckets) - 1)
        there, back = (net.send(raw(*ends)).links for ends in ((a, b), (b, a)))
        assert [(other, one) for one, other in reversed(there)] == back


def test_what_takes_a_path_that_breaks_goes_around_the_break_and_then_another_path() -> None:
    net, a, b = pair("bipartite")
    before = paths(net, a, b)
    cut(net, 1, 5)
    assert len(paths(net, a, b)) == len(before)
    lose(net, 1, 5)
    net.cut.clear()
    assert set(paths(net, a, b)) < set(before)
    net.check()


def test_a_broadcast_is_not_spread() -> None:
    net, a, b = pair("bipartite")
    taken = {tuple(net.send(broadcast(a)).reaches(b).links) for net.choose in
             [lambda group, buckets, choice=choice: min(choice, len(buckets) - 1) for choice in range(4)]}
    assert len(taken) == 1


def test_paths_are_found_for_all_pairs_alike() -> None:
    """From either end: the same paths, in the same order."""
    from topology.equal import equal_paths
    from topology.paths import wires_of
    from topology.trees import Trees
    graph = networkx.MultiDiGraph()
    for number, (one, other) in enumerate(networkx.random_regular_graph(4, 12, seed=3).edges):
        for source, target, near, far in ((one, other, 2 * number, 2 * number + 1), (other, one, 2 * number + 1, 2 * number)):
            graph.add_edge(f"s{source:02}", f"s{target:02}", key=near, port=near, target_port=far, speed=None, latency=None)
    trees = Trees.over(wires_of(graph))
    for one, other in itertools.combinations(sorted(graph), 2):
        there, back = equal_paths(trees, one, other, 8), equal_paths(trees, other, one, 8)
        assert [trees.path(one, path.via).links | trees.path(path.via, other).links for path in there] == [  # type: ignore[union-attr]
            trees.path(other, path.via).links | trees.path(path.via, one).links for path in back]  # type: ignore[union-attr]
