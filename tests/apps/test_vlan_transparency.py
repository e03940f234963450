"""Networks that carry the tags of machines, and those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Invalid, Unsupported
from tests.apps.cases import FAMILIES, HOSTS, TYPES
from tests.kit import frames
from tests.kit.net import Net, Port
from tests.kit.talk import Said, broadcast, raw, tcp
from tests.kit.worlds import ADMIN, World, refused

TAG = 0x1000 | 77


def tagged(said: Said, tag: int = 77, **more: Any) -> Said:
    return Said(said.sender, frames.tagged(said.frame, tag, **more), lambda: tagged(said.answer(), tag, **more))


def two(net: Net, there: str, *, transparent: bool = True, **more: Any) -> tuple[Port, Port]:
    network = net.network("red", vlan_transparent=transparent, **more)
    return net.port("a", network=network, on="host1"), net.port("b", network=network, on=there)


@HOSTS
@FAMILIES
def test_a_machines_tag_crosses_the_network_as_it_is(net: Net, there: str, v: int) -> None:
    a, b = two(net, there)
    net.passes(tagged(tcp(a, b, 80, v=v)))
    assert net.send(tagged(tcp(a, b, 80, v=v), priority=5)).arrived["vlan_pcp"] == 5
    assert net.send(tagged(tcp(a, b, 80, v=v))).arrived["vlan_vid"] == TAG
    net.passes(tcp(a, b, 81, v=v))


@TYPES
def test_every_tunnel_carries_tags(net: Net, type: str) -> None:
    a, b = two(net, "host2", type=type)
    assert net.send(tagged(tcp(a, b, 80))).arrived["vlan_vid"] == TAG


@HOSTS
def test_elsewhere_a_guarded_port_sends_no_tags(net: Net, there: str) -> None:
    a, b = two(net, there, transparent=False)
    net.send(tagged(tcp(a, b, 80))).reaches_nobody("a tag that the port may not send")


@HOSTS
def test_inside_a_tag_a_port_has_the_same_addresses(net: Net, there: str) -> None:
    a, b = two(net, there)
    forged = frames.tcp(a.mac, b.mac, "10.0.0.99", b.ip, 40000, 80)
    net.send(tagged(Said(a, forged))).reaches_nobody("source address is not the port's")
    net.send(tagged(Said(a, frames.arp_request(a.mac, b.ip, "10.0.0.9")))).reaches_nobody("ARP with an address")
    net.send(tagged(Said(a, frames.na(a.mac, b.ip6)))).reaches_nobody()
    net.send(tagged(Said(a, frames.udp(a.mac, b.mac, a.ip, b.ip, 67, 68)))).reaches_nobody("may not be a DHCP server")


@HOSTS
def test_inside_a_tag_the_same_rules_hold(net: Net, there: str) -> None:
    a, b = two(net, there)
    web = net.group("web")
    net.rule(web, protocol="tcp", ports=80)
    net.change(b, security_groups=[web.id])
    net.passes(tagged(tcp(a, b, 80)))
    net.send(tagged(tcp(a, b, 22))).reaches_nobody("no rule of the receiver's groups allows it")


@HOSTS
def test_a_tag_inside_a_tag_passes_no_guard(net: Net, there: str) -> None:
    a, b = two(net, there)
    net.send(tagged(tagged(tcp(a, b, 80), 5))).reaches_nobody()
    free, freed = (net.port(name, network=a.net.things["network", "red"], on=host, security=False)
                   for name, host in (("free", "host1"), ("freed", there)))
    net.send(tagged(tagged(raw(free, b), 5))).reaches_nobody("a tag inside a tag")
    assert net.send(tagged(tagged(raw(free, freed), 5))).arrived["vlan_vid"] == TAG


def test_questions_inside_a_tag_are_for_those_inside(net: Net) -> None:
    """The network's own servers, routers and neighbours have no tag."""
    a, b = two(net, "host2")
    net.send(tagged(Said(a, frames.arp_request(a.mac, a.ip, b.ip)))).reaches(b)
    net.send(tagged(Said(a, frames.arp_request(a.mac, a.ip, "10.0.0.1")))).reaches(b)
    discover = frames.udp(a.mac, frames.TO_ALL, "0.0.0.0", "255.255.255.255", 68, 67)
    assert net.send(tagged(Said(a, discover))).punts == []


def test_a_broadcast_keeps_its_tag(net: Net) -> None:
    network = net.network("red", vlan_transparent=True, subnets=())
    a, b, c = (net.port(name, network=network, on=host) for name, host in (("a", "host1"), ("b", "host1"), ("c", "host2")))
    journey = net.send(tagged(broadcast(a))).reaches(b, c)
    assert {frame["vlan_vid"] for _, frame in journey.arrivals} == {TAG}


def test_a_trunk_on_it_has_its_own_tags_only(net: Net) -> None:
    a, b = two(net, "host2")
    sub = net.port("sub", network=net.network("blue", mtu=1400))
    net.trunk(a, t77=sub)
    net.send(tagged(tcp(a, b, 80), 78)).reaches_nobody("a tag that the port may not send")
    net.send(tagged(tcp(b, a, 80))).reaches_nobody("it has a tag of its own")
    net.passes(tcp(a, b, 80))


# ---- documents


def test_a_tag_is_left_room_for() -> None:
    world = World()
    assert world.make("network").mtu - world.make("network", vlan_transparent=True).mtu == 4
    with pytest.raises(Invalid, match="^mtu: must be between 68 and 1446"):
        world.make("network", vlan_transparent=True, mtu=1450)
    network = world.make("network", vlan_transparent=True)
    with pytest.raises(Invalid, match="^mtu"):
        world.change(network, mtu=1450)
    with pytest.raises(Invalid, match="^vlan_transparent"):
        world.change(network, vlan_transparent=False)


@pytest.mark.parametrize("said", (None, False))
def test_it_is_off_unless_asked_for(said: bool | None) -> None:
    assert World().make("network", vlan_transparent=said).vlan_transparent is False


@pytest.mark.parametrize("kind", ("flat", "vlan"))
def test_a_physical_networks_tags_are_not_the_machines(kind: str) -> None:
    number = {"provider__segmentation_id": 7} if kind == "vlan" else {}
    with pytest.raises(Unsupported, match="^vlan_transparent: a (flat|vlan) network carries no tags but its own"):
        World().make("network", ADMIN, provider__network_type=kind, provider__physical_network="physnet1",
                     vlan_transparent=True, **number)


def test_a_tag_around_tags_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="^qinq"):
        World().make("network", qinq=True)
    with refused("SubPortMtuGreaterThanTrunkPortMtu"):
        world = World()
        parent = world.make("port", network_id=world.make("network", vlan_transparent=True).id)
        sub = world.make("port", network_id=world.make("network").id)
        world.make("trunk", port_id=parent.id, sub_ports=[
            {"port_id": sub.id, "segmentation_type": "vlan", "segmentation_id": 5}])
