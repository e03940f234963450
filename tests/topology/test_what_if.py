"""What would be lost if something failed: said of a copy of the graph, of ports, networks and projects."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import networkx
import pytest

from tests.kit.router import Router
from tests.rest.fabric import fabric
from tests.topology.plain import Plain, dpid
from tests.topology.test_discovery import Site
from topology.what_if import cut


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

    def without(self, *links: str, switches: tuple[int, ...] = ()) -> Any:
        return cut(self.compiler.world, self.model, frozenset(links), frozenset(map(dpid, switches)))


@pytest.fixture
def row() -> Row:
    return Row()


def lost(answer: Any) -> dict[str, int]:
    return {one["name"]: one["lost"] for one in answer["ports"]}


def test_a_wire_that_is_the_only_way_parts_a_network(row: Row) -> None:
    answer = row.without(f"{dpid(2)}:2")
    assert [(one["name"], one["pairs_lost"], one["pairs"]) for one in answer["networks"]] == [("red", 4, 6)]
    assert lost(answer) == {"red1": 2, "red2": 2, "red3": 2, "red4": 2} and answer["projects"] == ["acme"]
    assert (answer["pairs"], answer["pairs_lost"], answer["fine"]) == (7, 4, False)
    assert row.without(f"{dpid(3)}:2") == answer, "either end names the wire"


def test_one_of_two_wires_is_missed_by_nobody(row: Row) -> None:
    answer = row.without(f"{dpid(3)}:3")
    assert answer["fine"] and not answer["networks"] and not answer["ports"]
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
    assert lost(cut(row.compiler.world, row.model, frozenset(), frozenset((switch.id,)))) == {"h7": 1, "h8": 1}


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
        answer = cut(net.compiler.world, net.model, frozenset((f"{dpid(edge[0] + 1)}:{place}",)), frozenset())
        assert answer["pairs_lost"] == expected


def test_it_is_asked_over_http_by_whatever_people_call_things() -> None:
    with fabric(adopt=["all"]) as net:
        site = Site(net)
        a, b, c = (site.switch(number) for number in (1, 2, 3))
        site.wires.join(a, 1, b, 1), site.wires.join(b, 2, c, 2)
        a.port(0xFFFFFFFE, name="s1")
        site.see((1, 1, 2, 1), (2, 2, 3, 2))
        net.until(lambda: net.hadron.model.get("switch", dpid(1)).bridge == "s1")
        ask = net.as_ops.ask
        assert ask("GET", "/inspect/what-if?link=s1:2").body["without"] == {"links": [f"{dpid(1)}:1"], "switches": []}
        assert ask("GET", f"/inspect/what-if?link={dpid(2)}:1,2:3&switch=3").body["without"] == {
            "links": [f"{dpid(2)}:1", f"{dpid(2)}:2"], "switches": [dpid(3)]}
        assert ask("GET", "/inspect/what-if?link=1:3").status == 404 == ask("GET", "/inspect/what-if?switch=9").status
        assert ask("GET", "/inspect/what-if?host=h1").status == 404
        assert ask("GET", "/inspect/what-if").status == 400 == ask("GET", "/inspect/what-if?link=1").status
