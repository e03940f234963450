"""Path policies: which ways over links a network takes."""

from __future__ import annotations

from typing import Any

import networkx
import pytest

from tests.kit.links import cut, lose, member, meshed
from tests.kit.net import Port, Thing
from tests.kit.outside import external
from tests.kit.talk import broadcast, raw
from tests.kit.worlds import ADMIN, ANN, World, refused
from tests.topology.plain import Plain, dpid


def ring(**policy: Any) -> tuple[Plain, Thing | None, Port, Port]:
    """Six switches in a ring, with ports of red on 1 and 2, and of blue, which has no policy."""
    net = meshed(networkx.cycle_graph(6))
    red, blue = (net.network(name, subnets=()) for name in ("red", "blue"))
    made = net._create("path_policy", "policy", "acme", {"network_id": red.id, **policy}) if policy else None
    for network in (red, blue):
        for number in (1, 2):
            member(net, network, f"{network.name}{number}", number)
    return net, made, net.things["port", "red1"], net.things["port", "red2"]  # type: ignore[return-value]


def passed(net: Plain, one: Port, other: Port) -> list[int]:
    """The switches that a frame from one to the other passes."""
    links = net.send(raw(one, other)).reaches(other).links
    return [int(links[0][0], 16), *(int(there, 16) for _, there in links)]


def test_without_a_policy_the_shortest_way_is_taken() -> None:
    net, _, one, other = ring()
    assert passed(net, one, other) == [1, 2]


@pytest.mark.parametrize("avoid", ([f"{dpid(1)}:1"], [f"{dpid(2)}:1"]))
def test_a_link_that_is_avoided_is_gone_around_by_this_network_only_in_both_directions(avoid: list[str]) -> None:
    net, _, one, other = ring(avoid=avoid)
    assert passed(net, one, other) == [1, 6, 5, 4, 3, 2]
    assert passed(net, other, one) == [2, 3, 4, 5, 6, 1]
    assert passed(net, net.things["port", "blue1"], net.things["port", "blue2"]) == [1, 2]  # type: ignore[arg-type]
    net.send(broadcast(one)).reaches(other)
    net.check()


def test_a_switch_that_is_avoided_is_gone_around() -> None:
    net, _, one, _ = ring(avoid=[dpid(2)])
    far = member(net, net.things["network", "red"], "far", 3)
    assert passed(net, one, far) == [1, 6, 5, 4, 3]


def test_what_has_no_other_way_takes_it_unless_the_policy_is_strict() -> None:
    net, policy, one, other = ring(avoid=[dpid(2)])
    assert passed(net, one, other) == [1, 2]
    assert policy is not None
    net.change(policy, strict=True)
    net.send(raw(one, other)).reaches_nobody("its path policy leaves no way")
    net.check()


def test_what_is_preferred_is_taken_though_it_is_longer() -> None:
    net, _, one, other = ring(prefer=[dpid(number) for number in (4, 5, 6)] + [f"{dpid(2)}:2"])
    assert passed(net, one, other) == [1, 6, 5, 4, 3, 2]


def test_all_frames_go_by_way_of_the_waypoint() -> None:
    net, policy, one, other = ring(waypoint=dpid(4))
    assert 4 in passed(net, one, other) and 4 in passed(net, other, one)
    there = member(net, net.things["network", "red"], "there", 4)
    assert passed(net, there, one)[0] == 4 and passed(net, one, there)[-1] == 4
    assert policy is not None
    net.change(policy, waypoint=dpid(77))  # which is not there
    assert passed(net, one, other) == [1, 2]
    net.check()


def test_a_policy_that_goes_leaves_nothing_behind() -> None:
    net, policy, one, other = ring(avoid=[f"{dpid(1)}:1"], waypoint=dpid(4))
    assert policy is not None
    net.remove(policy)
    assert passed(net, one, other) == [1, 2]
    assert not [entry for bridge in net.bridges.values() for entry in bridge.held.values()
                if entry.why.rule.startswith("apps.path_policies")]


def test_a_policys_way_that_breaks_is_gone_around_and_then_found_anew() -> None:
    net, _, one, other = ring(avoid=[f"{dpid(1)}:1"])
    cut(net, 4, 5)
    assert passed(net, one, other)[-1] == 2
    lose(net, 4, 5)
    net.cut.clear()
    assert passed(net, one, other) == [1, 2]


# ---- documents


def test_only_administrators_make_policies_one_for_a_network() -> None:
    world = World()
    network = world.network()
    with refused("PolicyNotAuthorized"):
        world.make("path_policy", network_id=network.id)
    world.make("path_policy", ADMIN, network_id=network.id)
    with refused("PathPolicyExists"):
        world.make("path_policy", ADMIN, network_id=network.id)


def test_a_physical_network_takes_no_policy() -> None:
    world = World()
    with refused("InvalidInput"):
        world.make("path_policy", ADMIN, network_id=external(world).id)


def test_a_policy_goes_with_its_network() -> None:
    world = World()
    network = world.network(by=ANN)
    policy = world.make("path_policy", ADMIN, network_id=network.id)
    world.drop(network)
    assert world.now(policy) is None
