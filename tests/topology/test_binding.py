"""Ports bound to switch ports by `binding:profile`, without OVSDB."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.talk import ping, tcp
from tests.kit.worlds import ADMIN, ANN, World, refused
from tests.rest.fabric import fabric
from tests.topology.plain import Plain, dpid, profile


@pytest.fixture
def net() -> Plain:
    net = Plain()
    net.switch(1, 1, 2, 3)
    return net


def test_two_ports_of_one_plain_switch_reach_each_other_and_nobody_else(net: Plain) -> None:
    red, blue = net.network("red", subnets=["10.0.0.0/24"]), net.network("blue", subnets=["10.0.0.0/24"], project="bolt")
    a, b = net.port("a", network=red, at=(1, 1), ip="10.0.0.5"), net.port("b", network=red, at=(1, 2), ip="10.0.0.6")
    other = net.port("other", network=blue, at=(1, 3), ip="10.0.0.6")
    net.passes(ping(a, b))
    net.passes(tcp(a, b, 80))
    net.send(other, ping(a, b).frame).reaches()
    net.check()


def test_a_port_bound_to_a_switch_port_is_held_to_its_addresses(net: Plain) -> None:
    a, b = net.port("a", at=(1, 1)), net.port("b", at=(1, 2))
    net.send(b, ping(a, b).frame).reaches()


def test_a_switch_port_is_named_by_number_or_name_and_the_switch_as_people_write_it(net: Plain) -> None:
    a, b = net.port("a", at=("00:00:00:00:00:01", "s1-eth2")), net.port("b", at=("0x1", "3"))
    net.passes(ping(a, b))
    assert a.switch_port == f"{dpid(1)}:s1-eth2" and b.switch_port == f"{dpid(1)}:3"


def test_a_port_takes_part_once_its_switch_port_is_there_and_no_longer(net: Plain) -> None:
    a, b = net.port("a", at=(1, 1)), net.port("b", at=(1, 9))
    net.send(ping(a, b)).reaches()
    net.interface(1, 9)
    net.passes(ping(a, b))
    net.learn([], [("interface", f"{dpid(1)}:9")])
    net.send(ping(a, b)).reaches()
    net.check()


def test_a_port_follows_its_binding(net: Plain) -> None:
    a, b = net.port("a", at=(1, 1)), net.port("b", at=(1, 2))
    net.change(b, binding_profile=profile(1, 3))
    net.passes(ping(a, b))
    net.change(b, binding_profile={})
    net.send(ping(a, b)).reaches()
    net.remove(a)
    net.remove(b)
    net.check()


def test_one_switch_port_carries_one_port_however_it_is_named(net: Plain) -> None:
    a, b = net.port("a", at=(1, 1)), net.port("b", at=(1, 2))
    late = net.port("late", at=(1, "s1-eth2"), network=net.things["network", "net"])
    net.passes(ping(a, b))
    net.send(ping(a, late)).reaches()
    net.check()
    net.remove(b)
    net.passes(ping(a, late))
    net.check()


def test_a_port_cannot_be_bound_to_an_interface_that_ovsdb_tells_of(net: Plain) -> None:
    network = net.network("red")
    a = net.port("a", on="host2", network=network)
    b = net.port("b", at=(2, a.net.place(a)[1]), network=network)
    net.send(ping(a, b)).reaches()


@pytest.mark.parametrize("links", [
    [{}], [{"switch_id": "1"}], [{"port_id": "1"}], [{"switch_id": "x", "port_id": 1}], "1", {"a": 1}, [1], 5,
    [{"switch_id": "1" * 17, "port_id": 1}], [{"switch_id": "1", "port_id": 1}] * 2, [{"switch_id": "1", "port_id": "a\nb"}]])
def test_what_names_no_switch_port_is_refused(links: Any) -> None:
    world = World()
    network = world.network("10.0.0.0/24")
    with refused("InvalidInput"):
        world.make("port", ADMIN, network_id=network.id, project_id=ANN.project_id,
                   binding__profile={"local_link_information": links})


def test_a_second_port_on_a_switch_port_is_refused_and_changes_nothing() -> None:
    world = World()
    network = world.network("10.0.0.0/24")
    first = world.make("port", ADMIN, network_id=network.id, binding__profile=profile(1, 1))
    with refused("PortBindingError"):
        world.make("port", ADMIN, network_id=network.id, binding__profile=profile("0:1", "1"))
    second = world.make("port", ADMIN, network_id=network.id, binding__profile=profile(1, 2))
    with refused("PortBindingError"):
        world.change(second, ADMIN, binding__profile=profile(1, 1))
    world.change(first, ADMIN, binding__profile={})
    world.change(second, ADMIN, binding__profile=profile(1, 1))
    with refused("PolicyNotAuthorized"):
        world.make("port", ANN, network_id=network.id, binding__profile=profile(1, 5))


def test_a_port_on_a_plain_switch_becomes_active() -> None:
    with fabric(adopt=["all"]) as net:
        switch = net.fakes.add(dpid(0xc3))
        switch.port(7, name="s1-eth7")
        network = net.as_ops.create("network", name="red")
        port = net.as_ops.create("port", network_id=network["id"], binding__profile=profile(0xc3, "s1-eth7"),
                                 binding__host_id="rack4", binding__vnic_type="baremetal")
        assert port["binding:vif_type"] == "other"
        net.until(lambda: net.as_ops.get(f"/v2.0/ports/{port['id']}")["port"]["status"] == "ACTIVE")
        switch.unport(7)
        net.until(lambda: net.as_ops.get(f"/v2.0/ports/{port['id']}")["port"]["status"] == "DOWN")
