"""Networks of several segments, by packets: each host carries one by the wire that it reaches."""

from __future__ import annotations

import pytest

from tests.kit.net import Net, Port, Thing
from tests.kit.talk import broadcast, ping, raw, tcp
from tests.kit.wires import Outsider, attach, unwire, vlan, wire

RACK1 = Outsider("rack 1", ip="10.0.0.91", ip6="2001:db8::91", vlan=101, wire="physnet1")
RACK2 = Outsider("rack 2", ip="10.0.0.92", ip6="2001:db8::92", mac="02:00:00:00:00:92", vlan=202, wire="physnet2")
ELSEWHERE = Outsider("elsewhere", mac="02:00:00:00:00:93", vlan=101, wire="physnet2")


@pytest.fixture
def red(net: Net) -> Thing:
    """Hosts 1 and 2 are on physnet1, hosts 3 and 4 on physnet2; network red is VLAN 101 there and 202 here."""
    wire(net, "host1", "host2", to="physnet1")
    wire(net, "host3", "host4", to="physnet2")
    attach(net, RACK1, RACK2, ELSEWHERE)
    made = vlan(net, "red", 101, wire="physnet1")
    net._create("segment", "second", "acme", {
        "network_id": made.id, "network_type": "vlan", "physical_network": "physnet2", "segmentation_id": 202})
    return made


@pytest.fixture
def ports(net: Net, red: Thing) -> list[Port]:
    group = net.group("open")
    net.rule(group)
    return [net.port(f"p{number}", network=red, on=f"host{number}", groups=[group]) for number in (1, 2, 3, 4)]


def test_hosts_of_one_segment_reach_each_other_by_its_wire(net: Net, ports: list[Port]) -> None:
    one, two, three, four = ports
    net.passes(tcp(one, two, 80))
    net.passes(tcp(three, four, 80))
    assert net.send(tcp(one, two, 81)).wires == [("host1", "physnet1", 101)]
    assert net.send(tcp(three, four, 81)).wires == [("host3", "physnet2", 202)]


def test_what_is_outside_of_a_segment_is_reached_with_its_vlan(net: Net, ports: list[Port]) -> None:
    one, _, three, _ = ports
    net.passes(ping(one, RACK1))
    net.passes(ping(three, RACK2))
    net.send(raw(ELSEWHERE, three)).reaches_nobody("not a known port")


def test_segments_are_joined_outside_if_at_all(net: Net, ports: list[Port]) -> None:
    one, two, three, _ = ports
    net.send(tcp(one, three, 80)).reaches_nobody()
    assert net.send(tcp(one, three, 80)).wires == [("host1", "physnet1", 101)]
    net.change(net.things["network", "red"], port_security_enabled=True)
    free = net.port("free", network=net.things["network", "red"], on="host1", security=False)
    net.send(broadcast(free)).reaches(one, two, RACK1)


def test_a_host_on_both_wires_uses_one(net: Net, ports: list[Port]) -> None:
    """The other would be a second way to the same machines: a loop."""
    one, two, three, four = ports
    wire(net, "host3", to="physnet1")
    net.passes(tcp(one, three, 80))
    assert net.send(tcp(three, two, 80)).wires == [("host3", "physnet1", 101)]
    net.send(raw(RACK2, three)).reaches_nobody("not a known port")
    unwire(net, "host3", to="physnet1")
    net.passes(tcp(three, four, 80))


def test_a_segment_comes_and_goes(net: Net, red: Thing, ports: list[Port]) -> None:
    one, two, three, four = ports
    net.remove(net.things["segment", "second"])
    net.send(tcp(three, four, 80)).reaches_nobody("its physical network is not here")
    net.passes(tcp(one, two, 80))
    net._create("segment", "flat", "acme", {
        "network_id": red.id, "network_type": "flat", "physical_network": "physnet2"})
    net.passes(tcp(three, four, 80))
    assert net.send(tcp(three, four, 81)).wires == [("host3", "physnet2", None)]
