"""What would be lost if something failed: said of a copy of the graph, of ports, networks and projects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations, permutations, product
from typing import Any

import networkx
import pytest

from tests.kit.links import cut as cut_off
from tests.kit.links import lose, member, meshed, numbered
from tests.kit.net import Port
from tests.kit.router import Router
from tests.kit.talk import raw
from tests.rest.fabric import fabric
from tests.topology.plain import Plain, dpid
from tests.topology.test_discovery import Site
from topology.what_if import Failure, cut


class Row(Plain):
    """Switches 1 - 2 - 3, and 3 - 4 twice; a port of red on each, of blue on 1 and 2."""

    def __init__(self) -> None:
        super().__init__()
        for number in (1, 2, 3, 4):
            self.switch(number, 10, 11, 12)
        for one, other in (((1, 1), (2, 1)), ((2, 2), (3, 2)), ((3, 3), (4, 3)), ((3, 4), (4, 4))):
            self.wire(one, other)
        red, blue = self.network("red"), self.network("blue", project="bolt")
        for number in (1, 2, 3, 4):
            self.port(f"red{number}", network=red, at=(number, 10))
        for number in (1, 2):
            self.port(f"blue{number}", network=blue, at=(number, 11))

    def without(self, *links: str, switches: tuple[int, ...] = (), plugs: tuple[tuple[int, int], ...] = ()) -> Any:
        return without(self, *links, switches=map(dpid, switches), plugs=plugs)


def without(net: Plain, *links: str, switches: Iterable[str] = (), plugs: Iterable[tuple[int, int]] = ()) -> Any:
    """What would be lost without links, each by the id of one direction, switches, and wires to machines."""
    rows = [net.model.get("link", id) for id in links]
    ends = {end for row in rows for end in ((row.source_switch_id, row.source_port), (row.target_switch_id, row.target_port))}
    return cut(net.compiler.world, net.model, Failure(
        frozenset(ends), frozenset(switches), frozenset((dpid(switch), port) for switch, port in plugs)))


@pytest.fixture
def row() -> Row:
    return Row()


def lost(answer: Any) -> dict[str, int]:
    return {one["name"]: one["lost"] for one in answer["ports"] if one["lost"]}


def test_a_wire_that_is_the_only_way_parts_a_network(row: Row) -> None:
    answer = row.without(f"{dpid(2)}:2")
    assert [(one["name"], one["pairs_lost"], one["pairs"]) for one in answer["networks"]] == [("red", 4, 6)]
    assert lost(answer) == {"red1": 2, "red2": 2, "red3": 2, "red4": 2} and answer["projects"] == ["acme"]
    assert (answer["pairs"], answer["pairs_lost"], answer["fine"]) == (7, 4, False)
    assert row.without(f"{dpid(3)}:2") == answer, "either end names the wire"


def test_one_of_two_wires_is_missed_by_nobody(row: Row) -> None:
    answer = row.without(f"{dpid(3)}:3")
    assert answer["fine"] and not answer["ports"] and not answer["pairs_lost"] and not answer["projects"]
    assert not row.without(f"{dpid(3)}:3", f"{dpid(4)}:4")["fine"]


def test_a_switch_takes_its_ports_with_it(row: Row) -> None:
    answer = row.without(switches=(2,))
    assert {one["name"]: one["pairs_lost"] for one in answer["networks"]} == {"blue": 1, "red": 5}
    assert lost(answer) == {"red1": 3, "red2": 3, "red3": 2, "red4": 2, "blue1": 1, "blue2": 1}
    assert answer["projects"] == ["acme", "bolt"]


def test_ports_of_one_switch_lose_each_other_with_it_and_not_with_a_wire(row: Row) -> None:
    row.port("red1b", network=row.things["network", "red"], at=(1, 12))
    assert lost(row.without(f"{dpid(1)}:1"))["red1b"] == 3
    assert lost(row.without(switches=(1,)))["red1b"] == 4


def test_what_cannot_reach_each_other_now_is_not_lost(row: Row) -> None:
    row.learn([], [("link", f"{dpid(1)}:1")])                       # one way only from now on
    assert row.without(f"{dpid(2)}:1")["fine"]
    assert row.without(switches=(1,))["fine"]


def test_hosts_with_tunnels_do_not_need_links(row: Row) -> None:
    red = row.things["network", "red"]
    row.port("h7", network=red, on="host7"), row.port("h8", network=red, on="host8")
    answer = row.without(f"{dpid(1)}:1")
    assert not {"h7", "h8"} & lost(answer).keys()
    (switch,) = row.model.find("switch", "host_id", "host7")
    assert lost(without(row, switches=[switch.id])) == {"h7": 1, "h8": 1}


def test_networks_that_are_routed_to_each_other_count_together(row: Row) -> None:
    red = row.things["network", "red"]
    green = row.network("green", subnets=["10.7.0.0/24"])
    row.port("green3", network=green, at=(3, 11))
    before = row.without(f"{dpid(2)}:2")
    assert "green3" not in lost(before)
    Router(row, "r").join(red, green)
    answer = row.without(f"{dpid(2)}:2")
    assert lost(answer)["green3"] == 2 and answer["pairs_lost"] == 6


@pytest.mark.parametrize("number", range(200, 1253, 101))
def test_what_is_said_of_any_graph_is_what_a_path_through_it_would_find(number: int) -> None:
    net, graph = Plain(), networkx.graph_atlas(number)
    red = net.network("red")
    for node in graph:
        net.switch(node + 1, 60)
        net.port(f"p{node}", network=red, at=(node + 1, 60))
    for place, (one, other) in enumerate(graph.edges(), 1):
        net.wire((one + 1, place), (other + 1, place))
    for place, edge in enumerate(list(graph.edges()), 1):
        cut_graph = graph.copy()
        cut_graph.remove_edge(*edge)
        expected = sum(networkx.has_path(graph, a, b) and not networkx.has_path(cut_graph, a, b) for a, b in combinations(graph, 2))
        answer = without(net, f"{dpid(edge[0] + 1)}:{place}")
        assert answer["pairs_lost"] == expected


# ---- what is said is what happens, packet by packet


def fat_tree() -> Any:
    """Twelve switches: four cores, two pods of two aggregation and two edge switches each."""
    graph = networkx.Graph()
    for pod, one, other in product(range(2), range(2), range(2)):
        graph.add_edges_from([(f"edge {pod} {one}", f"agg {pod} {other}"), (f"agg {pod} {one}", f"core {one} {other}")])
    return graph


def silent(net: Plain, members: list[Port]) -> dict[str, int]:
    """How many others each member cannot send to."""
    found: Counter[str] = Counter()
    for one, other in permutations(members, 2):
        if not net.send(raw(one, other)).arrivals:
            found[one.name] += 1
    return dict(found)


def interrupted(answer: Any) -> dict[str, int]:
    return {one["name"]: one["interrupted"] for one in answer["ports"] if one["interrupted"]}


@pytest.mark.parametrize("protection", (True, False))
def test_for_each_link_of_a_fat_tree_what_is_said_is_what_packets_find(protection: bool) -> None:
    graph = fat_tree()
    net = meshed(graph, settings={"path_protection": protection, "equal_paths": 1})
    red = net.network("red", subnets=())
    members = [member(net, red, name, number) for number, name in enumerate(sorted(graph), 1) if name.startswith("edge")]
    moved = 0
    for one, port, other, into in numbered(graph):
        answer = without(net, f"{dpid(one)}:{port}")
        cut_off(net, one, other)
        assert interrupted(answer) == silent(net, members) and (protection or answer["pairs_interrupted"] == answer["pairs_moved"])
        lose(net, one, other)
        net.cut.clear()
        assert lost(answer) == silent(net, members) == {}
        net.wire((one, port), (other, into))
        moved += answer["pairs_moved"]
        assert answer["fine"] and answer["pairs_lost"] == 0 and not (protection and answer["pairs_interrupted"])
    assert moved > 10


@pytest.mark.parametrize("number", (1003, 1070, 1119, 1150))
def test_for_each_link_and_switch_of_a_graph_with_bridges_too(number: int) -> None:
    graph = networkx.graph_atlas(number)
    net = meshed(graph, settings={"equal_paths": 1})
    red = net.network("red", subnets=())
    members = [member(net, red, f"p{place}", place) for place in range(1, len(graph) + 1)]
    for one, port, other, into in numbered(graph):
        answer = without(net, f"{dpid(one)}:{port}")
        cut_off(net, one, other)
        assert silent(net, members) == {name: number for name in (one.name for one in members)
                                        if (number := lost(answer).get(name, 0) + interrupted(answer).get(name, 0))}
        lose(net, one, other)
        net.cut.clear()
        assert lost(answer) == silent(net, members)
        net.wire((one, port), (other, into))
    for place in range(1, len(graph) + 1):
        answer = without(net, switches=[dpid(place)])
        gone = [row for row in net.model.find("link", "all", True) if dpid(place) in (row.source_switch_id, row.target_switch_id)]
        net.learn([], [("link", row.id) for row in gone])
        assert lost(answer) == silent(net, members)
        net.learn([("link", row._asdict()) for row in gone])


def test_a_machine_whose_wire_breaks_is_lost_to_all_others(row: Row) -> None:
    answer = row.without(plugs=((3, 10),))
    assert lost(answer) == {"red1": 1, "red2": 1, "red3": 3, "red4": 1} and not answer["pairs_moved"]


def test_a_networks_own_ways_are_what_counts_for_it() -> None:
    """A ring of four: the policy keeps red away from the link 1-2, which blue takes."""
    net = meshed(networkx.cycle_graph(4), settings={"path_protection": False, "equal_paths": 1})
    for name in ("red", "blue"):
        network = net.network(name, subnets=())
        member(net, network, f"{name}1", 1), member(net, network, f"{name}2", 2)
    net._create("path_policy", "p", "admin", {"network_id": net.things["network", "red"].id, "avoid": [f"{dpid(1)}:1"]})
    assert interrupted(without(net, f"{dpid(1)}:1")) == {"blue1": 1, "blue2": 1}
    assert interrupted(without(net, f"{dpid(4)}:1")) == {"red1": 1, "red2": 1}


def test_circuits_are_named_that_move_and_those_that_are_cut_for_want_of_room() -> None:
    """A ring with room for one of two circuits on either side: one moves, and the younger one has to go."""
    net = meshed(networkx.cycle_graph(4), speed=100)
    for number, (name, kbps) in enumerate((("small", 50_000), ("large", 60_000)), 50):
        for switch in (1, 2):
            net.interface(switch, number)
        net._create("circuit", name, "acme", {"a_switch_port": f"{dpid(1)}:{number}", "z_switch_port": f"{dpid(2)}:{number}",
                                              "committed_kbps": kbps})
    answer = without(net, f"{dpid(1)}:1")
    assert [(one["name"], one["then"], [int(id, 16) for id in one["path"]]) for one in answer["circuits"]] == [
        ("small", "moved", [1, 4, 3, 2]), ("large", "cut", [])]
    assert answer["circuits"][1]["full"] == f"{dpid(1)}:2" and answer["projects"] == ["acme"] and not answer["fine"]
    assert [one["then"] for one in without(net, plugs=((1, 50),))["circuits"]] == ["cut", "moved"]
    assert [one["then"] for one in without(net, switches=[dpid(2)])["circuits"]] == ["cut", "cut"]
    assert not without(net, switches=[])["circuits"]


def test_it_is_asked_over_http_by_whatever_people_call_things() -> None:
    with fabric(adopt=["all"]) as net:
        site = Site(net)
        a, b, c = (site.switch(number) for number in (1, 2, 3))
        site.wires.join(a, 1, b, 1), site.wires.join(b, 2, c, 2)
        a.port(0xFFFFFFFE, name="s1")
        site.see((1, 1, 2, 1), (2, 2, 3, 2))
        net.until(lambda: net.hadron.model.get("switch", dpid(1)).bridge == "s1")
        ask = net.as_ops.ask
        assert ask("GET", "/inspect/what-if?link=s1:2").body["without"] == {
            "links": [f"{dpid(1)}:1"], "switches": [], "machines": []}
        assert ask("GET", f"/inspect/what-if?link={dpid(2)}:1,2:3&switch=3").body["without"] == {
            "links": [f"{dpid(2)}:1", f"{dpid(2)}:2"], "switches": [dpid(3)], "machines": []}
        assert ask("GET", "/inspect/what-if?link=1:3").status == 404 == ask("GET", "/inspect/what-if?switch=9").status
        assert ask("GET", "/inspect/what-if?host=h1").status == 404
        assert ask("GET", "/inspect/what-if").status == 400 == ask("GET", "/inspect/what-if?link=1").status
