"""Transport: frames between switches that nothing but links join, by labels."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import networkx
import pytest

from apps.transport import GROUPS, carry
from controller.openflow.actions import FORGET_IN_PORT, dec_mpls_ttl, group
from controller.openflow.flow import Flow
from tests.kit.links import bridges, cut, ends, lose, member, meshed
from tests.kit.net import Port, Thing
from tests.kit.talk import broadcast, multicast, ping, raw, tcp, to_unknown
from tests.topology.plain import Plain, dpid

SHAPES = {
    "linear": networkx.path_graph(5),
    "ring": networkx.cycle_graph(6),
    "tree": networkx.balanced_tree(2, 2),
    "torus": networkx.grid_2d_graph(3, 3, periodic=True),
    "full": networkx.complete_graph(4),
    "parallel": networkx.MultiGraph([(1, 2), (1, 2), (2, 3), (3, 1)]),
    **{f"atlas {number}": networkx.graph_atlas(number) for number in (60, 300, 481, 720, 1000, 1203)
       if networkx.is_connected(networkx.graph_atlas(number))},
}


def bare(net: Plain, name: str, **more: object) -> Thing:
    return net.network(name, subnets=(), **more)


def one_on_each(net: Plain, network: Thing, count: int) -> list[Port]:
    return [member(net, network, f"{network.name}{number}", number) for number in range(1, count + 1)]


# ---- who reaches whom


@pytest.mark.parametrize("shape", SHAPES)
def test_all_members_of_a_network_reach_each_other_by_shortest_paths_and_nobody_else(shape: str) -> None:
    graph = SHAPES[shape]
    net = meshed(graph)
    red, blue = (one_on_each(net, bare(net, name, project=name), len(graph)) for name in ("red", "blue"))
    far = {one: dict(enumerate(lengths[other] for other in sorted(graph, key=str)))
           for one, (_, lengths) in zip(itertools.count(), sorted(networkx.all_pairs_shortest_path_length(graph),
                                                                  key=lambda item: str(item[0])), strict=False)}
    for members in (red, blue):
        for (i, a), (j, b) in itertools.permutations(enumerate(members), 2):
            journey = net.send(raw(a, b)).reaches(b)
            assert len(journey.links) == far[i][j]
    net.check()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_broadcast_reaches_each_member_once_and_crosses_no_link_for_nothing(shape: str) -> None:
    graph = SHAPES[shape]
    net = meshed(graph)
    red = one_on_each(net, bare(net, "red"), len(graph))
    one_on_each(net, bare(net, "blue"), len(graph))
    twin = member(net, net.things["network", "red"], "twin", 1)
    for sender in red:
        journey = net.send(broadcast(sender)).reaches(*[port for port in (*red, twin) if port is not sender])
        assert len(journey.links) <= len(graph) ** 2


def test_tenants_may_have_the_same_addresses() -> None:
    net = meshed(SHAPES["ring"])
    for a, b in [_pair(net, tenant) for tenant in ("red", "blue")]:
        for said in (ping(a, b), tcp(a, b), ping(a, b, v=6)):
            net.passes(said)
        net.send(multicast(a)).reaches(b)


def _pair(net: Plain, tenant: str) -> list[Port]:
    network, group = net.network(tenant, project=tenant), net.group(f"open {tenant}", project=tenant)
    net.rule(group)
    net.rule(group, v=6)
    return [member(net, network, f"{tenant}{number}", number, ip=[f"10.0.0.{number}", f"2001:db8::{number}"],
                   mac_address=f"fa:16:3e:00:00:0{number}", groups=[group]) for number in (1, 4)]


def test_unknown_addresses_are_looked_for_where_they_may_be() -> None:
    net = meshed(SHAPES["ring"])
    red = bare(net, "red")
    a = member(net, red, "a", 1)
    wanderer = member(net, red, "wanderer", 3, security=False)
    member(net, red, "other", 5)
    net.send(to_unknown(a)).reaches(wanderer)


@pytest.mark.parametrize("ethertype", (0x88B5, 0x8137, 0x8906, 0x22F0))
def test_any_ethertype_crosses_links(ethertype: int) -> None:
    net = meshed(SHAPES["linear"])
    red = bare(net, "red")
    a, b = member(net, red, "a", 1, security=False), member(net, red, "b", 5, security=False)
    net.send(raw(a, b, ethertype)).reaches(b)


# ---- what is on the links


def test_a_switch_on_the_way_holds_a_flow_for_each_other_switch_whatever_the_number_of_ports() -> None:
    """The formula of apps/transport.py."""
    graph = SHAPES["torus"]
    net = meshed(graph)
    red = bare(net, "red")
    counted = []
    for size in (0, 30):
        for number in range(size):
            member(net, red, f"m{number}", 1 + number % 2)
        held = {switch: [entry for entry in bridge.held.values() if entry.why.rule.startswith("apps.transport")]
                for switch, bridge in net.bridges.items()}
        counted.append({switch: len(found) for switch, found in held.items()})
        for switch, found in held.items():
            links = len(net.model.find("link", "source_switch_id", switch))
            kinds = Counter(type(entry).__name__ for entry in found if not entry.why.rule.endswith("lead_around"))
            assert kinds["Flow"] == len(graph) - 1 + 2 * links + 12 and kinds["Group"] == links
    assert counted[0] == counted[1]
    print(f"torus of 9: {counted[0]}")


def test_the_labels_on_a_link_are_the_switch_that_it_is_for_and_the_network() -> None:
    net = meshed(SHAPES["linear"])
    red = bare(net, "red")
    a, b = member(net, red, "a", 1), member(net, red, "b", 5)
    journey = net.send(raw(a, b)).reaches(b)
    assert journey.labels == [(net.model.get("switch", dpid(5)).label, 0x10000 | red.key)] * 4


def test_a_frame_that_goes_round_ends() -> None:
    """Two switches that each take the other for the way: as they might for a moment, if one is told before the other."""
    net = meshed(SHAPES["linear"])
    red = bare(net, "red")
    a, b = member(net, red, "a", 1), member(net, red, "b", 5)
    label = net.model.get("switch", dpid(5)).label
    wrong = next(entry for entry in net.bridges[dpid(3)].held.values() if isinstance(entry, Flow)
                 and entry.why.rule == "apps.transport.carry" and f"{label:08x}" in entry.match.hex())
    back = (FORGET_IN_PORT, dec_mpls_ttl(), group(GROUPS + 1))
    net.bridges[dpid(3)].take({wrong.key: Flow(wrong.table, wrong.key[1], wrong.match, back, wrong.why)})
    journey = net.send(raw(a, b))
    assert not journey.arrivals and len(journey.links) < 70 and journey.punts
    net.bridges[dpid(3)].take({wrong.key: wrong})


# ---- links that break


@pytest.mark.parametrize("shape", SHAPES)
def test_switches_send_around_any_one_broken_link_before_the_controller_has_heard(shape: str) -> None:
    graph = SHAPES[shape]
    net = meshed(graph)
    red = one_on_each(net, bare(net, "red"), len(graph))
    alone = bridges(graph) if not isinstance(graph, networkx.MultiGraph) else set()
    for one, other in {tuple(sorted((link.source_switch_id, link.target_switch_id)))
                       for link in net.model.find("link", "all", True)}:
        numbers = int(one, 16), int(other, 16)
        broken = ends(net, *numbers)[:1]
        back = net.model.get("link", f"{broken[0][0]}:{broken[0][1]}")
        net.cut = {broken[0], (back.target_switch_id, back.target_port)}
        for a, b in itertools.permutations(red, 2):
            if frozenset(numbers) not in alone:
                net.send(raw(a, b)).reaches(b)
        net.send(broadcast(red[0])) if frozenset(numbers) in alone else net.send(broadcast(red[0])).reaches(*red[1:])
    net.cut.clear()


def test_once_the_controller_has_heard_the_new_paths_are_the_shortest_again() -> None:
    net = meshed(SHAPES["ring"])
    red = one_on_each(net, bare(net, "red"), 6)
    cut(net, 1, 2)
    assert len(net.send(raw(red[5], red[1])).reaches(red[1]).links) == 6      # 6 1 6 5 4 3 2: to the break, and around
    lose(net, 1, 2)
    assert len(net.send(raw(red[5], red[1])).reaches(red[1]).links) == 4
    net.check()


def test_a_link_that_comes_back_is_used_again() -> None:
    net = meshed(SHAPES["ring"])
    red = one_on_each(net, bare(net, "red"), 6)
    known = {switch: dict(bridge.held) for switch, bridge in net.bridges.items()}
    lost = [link for link in net.model.find("link", "all", True)
            if {link.source_switch_id, link.target_switch_id} == {dpid(1), dpid(2)}]
    lose(net, 1, 2)
    assert len(net.send(raw(red[0], red[1])).reaches(red[1]).links) == 5
    net.learn([("link", link._asdict()) for link in lost])
    assert len(net.send(raw(red[0], red[1])).reaches(red[1]).links) == 1
    assert {switch: dict(bridge.held) for switch, bridge in net.bridges.items()} == known


def test_a_link_that_is_seen_one_way_only_carries_nothing() -> None:
    net = meshed(SHAPES["ring"])
    red = one_on_each(net, bare(net, "red"), 6)
    net.learn([], [("link", f"{dpid(1)}:1")])
    assert len(net.send(raw(red[0], red[1])).reaches(red[1]).links) == 5


def test_parts_that_no_link_joins_any_more_keep_to_themselves() -> None:
    net = meshed(SHAPES["linear"])
    red = one_on_each(net, bare(net, "red"), 5)
    lose(net, 2, 3)
    net.send(raw(red[0], red[1])).reaches(red[1])
    net.send(raw(red[0], red[4])).reaches_nobody("no way over links leads to that switch")
    net.send(broadcast(red[3])).reaches(red[2], red[4])
    net.check()


@pytest.mark.parametrize(("by", "straight"), (("hop", True), ("speed", False), ("latency", False)))
def test_what_makes_a_path_short_is_links_speed_or_delay_as_the_operator_says(by: str, straight: bool) -> None:
    """A slow and late link from 1 to 2, and a fast way by 3; when they change places, so does the way."""
    def lay(near: dict[str, int], far: dict[str, int]) -> None:
        net.wire((1, 1), (2, 1), **near), net.wire((1, 2), (3, 1), **far), net.wire((3, 2), (2, 2), **far)

    def by_way_of_3() -> bool:
        return len(net.send(raw(a, b)).reaches(b).links) == 2

    net, slow, fast = Plain(path_cost=by), {"speed": 1_000, "latency": 9_000}, {"speed": 40_000, "latency": 20}
    for number in (1, 2, 3):
        net.switch(number)
    lay(slow, fast)
    red = bare(net, "red")
    a, b = member(net, red, "a", 1), member(net, red, "b", 2)
    assert by_way_of_3() is not straight
    lay(fast, slow)
    assert not by_way_of_3()
    net.check()


def test_a_change_makes_those_entries_anew_that_it_changes_and_no_others() -> None:
    """Whatever the size of the fabric: a way on that stays is the same object, on every switch."""
    net = meshed(networkx.random_regular_graph(4, 24, seed=2))

    def ways() -> dict[tuple, Any]:
        return {(args, key): entry for (rule, args), (held, _) in net.compiler.units.items() if rule is carry
                for key, entry in held.items()}

    before, (link, *_) = ways(), net.model.find("link", "source_switch_id", dpid(1))
    lose(net, 1, int(link.target_switch_id, 16))
    after = ways()
    anew = {place for place, entry in after.items() if before.get(place) is not entry}
    assert before.keys() == after.keys() and 0 < len(anew) < len(after) / 5
    assert all(before[place] != after[place] for place in anew)
    net.check()
