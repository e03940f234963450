"""Trunks, by packets: one interface, several networks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps.cases import FAMILIES
from tests.kit import frames
from tests.kit.net import Net, Port, Thing
from tests.kit.router import Router
from tests.kit.router import ping as routed_ping
from tests.kit.talk import Said, broadcast, ping, raw, tcp

THERE = pytest.mark.parametrize("there", ("host1", "host2"), ids=("same host", "other host"))


class Carried:
    """A machine with a trunk on host1: `parent` on red, `sub` on blue with tag 100; and who else is on both."""

    def __init__(self, net: Net, there: str = "host2", **parent: Any) -> None:
        self.net = net
        self.red, self.blue = net.network("red"), net.network("blue", type="geneve", project="other")
        self.parent = net.port("parent", network=self.red, on="host1", **parent)
        self.sub = net.port("sub", network=self.blue)
        self.trunk = net.trunk(self.parent, t100=self.sub)
        self.red_peer = net.port("red peer", network=self.red, on=there)
        self.blue_peer = net.port("blue peer", network=self.blue, on=there)


def say(sender: Port, receiver: Port, tag: int, **more: Any) -> Said:
    """What a machine says on its interface with a tag of its choice."""
    return Said(sender, frames.tagged(tcp(sender, receiver, 80, **more).frame, tag))


@THERE
@FAMILIES
def test_each_port_of_a_trunk_is_on_its_own_network(net: Net, there: str, v: int) -> None:
    one = Carried(net, there)
    net.passes(tcp(one.parent, one.red_peer, 80, v=v))
    net.passes(tcp(one.sub, one.blue_peer, 80, v=v))
    net.passes(ping(one.blue_peer, one.sub, v=v))
    assert net.send(ping(one.blue_peer, one.sub, v=v)).arrived["vlan_vid"] == 0x1000 | 100
    assert not net.send(ping(one.red_peer, one.parent, v=v)).arrived.get("vlan_vid")


def test_broadcasts_reach_the_port_of_that_network_only(net: Net) -> None:
    one = Carried(net)
    net.send(broadcast(one.blue_peer, frames.ARP)).reaches_nobody()  # guarded: no such ARP
    net.send(one.red_peer, frames.arp_request(one.red_peer.mac, one.red_peer.ip, "10.0.0.77")).reaches(one.parent)
    net.send(one.blue_peer, frames.arp_request(one.blue_peer.mac, one.blue_peer.ip, "10.0.0.77")).reaches(one.sub)
    net.send(one.sub, frames.arp_request(one.sub.mac, one.sub.ip, "10.0.0.77")).reaches(one.blue_peer)
    net.send(one.parent, frames.arp_request(one.parent.mac, one.parent.ip, "10.0.0.77")).reaches(one.red_peer)


def test_answers_to_a_sub_port_have_its_tag(net: Net) -> None:
    one = Carried(net)
    for sender, peer, tag in ((one.sub, one.blue_peer, 0x1000 | 100), (one.parent, one.red_peer, 0)):
        net.send(sender, frames.arp_request(sender.mac, sender.ip, peer.ip)).answered(arp_spa=peer.ip, vlan_vid=tag)
        net.send(sender, frames.ns(sender.mac, sender.ip6, peer.ip6)).answered(nd_target=peer.ip6, vlan_vid=tag)


def test_a_tag_that_is_no_sub_port_goes_nowhere(net: Net) -> None:
    one = Carried(net)
    for tag in (0, 1, 99, 101, 4094):
        net.send(say(one.parent, one.red_peer, tag)).reaches_nobody("a tag that the port may not send")
    net.send(say(one.blue_peer, one.sub, 100)).reaches_nobody("a tag that the port may not send")


def test_a_tag_does_not_change_who_somebody_is(net: Net) -> None:
    """The addresses of the parent do not pass with the sub-port's tag, nor the other way round."""
    one = Carried(net)
    net.send(say(one.parent, one.blue_peer, 100)).reaches_nobody("source address is not the port's")
    untagged = tcp(one.sub, one.red_peer, 80).frame
    net.send(Said(one.parent, untagged)).reaches_nobody("source address is not the port's")


@pytest.mark.parametrize("security", (True, False), ids=("guarded", "free"))
@pytest.mark.parametrize("ethertype", (frames.VLAN, frames.QINQ))
def test_a_tag_inside_a_tag_is_refused(net: Net, security: bool, ethertype: int) -> None:
    one = Carried(net, security=security)
    for outer in (100, 7):
        twice = frames.tagged(frames.tagged(raw(one.sub, one.blue_peer).frame, 5, ethertype=ethertype), outer)
        net.send(Said(one.parent, twice)).reaches_nobody("a tag inside a tag")


def test_an_unguarded_parent_sends_no_tags_of_its_own_and_hears_none(net: Net) -> None:
    """The machine would take a neighbour's tagged frame for one of another network."""
    one = Carried(net, security=False)
    free = net.port("free", network=one.red, on="host1", security=False)
    far = net.port("far", network=one.red, on="host2", security=False)
    for sender in (free, far):
        net.send(raw(sender, one.parent)).reaches(one.parent)
        forged = Said(sender, frames.tagged(raw(sender, one.parent).frame, 100))
        net.send(forged).reaches_nobody("it has a tag of its own, and its receiver is on a trunk")
    net.send(Said(free, frames.tagged(broadcast(free).frame, 100))).reaches(far, one.red_peer)
    net.send(say(one.parent, one.red_peer, 200)).reaches_nobody("a tag that the port may not send")


def test_security_groups_are_each_ports_own(net: Net) -> None:
    one = Carried(net)
    web = net.group("web", project="other")
    net.rule(web, protocol="tcp", ports=80)
    net.change(one.sub, security_groups=[web.id])
    net.passes(tcp(one.blue_peer, one.sub, 80))
    net.send(tcp(one.blue_peer, one.sub, 22)).reaches_nobody("no rule of the receiver's groups allows it")
    net.passes(tcp(one.red_peer, one.parent, 22))


def test_two_ports_of_one_trunk_talk_to_each_other(net: Net) -> None:
    """Containers in a machine: their frames go out where they came in."""
    red = net.network("red")
    parent = net.port("parent", network=red, on="host1")
    one, two = net.port("one", network=red), net.port("two", network=red)
    net.trunk(parent, t10=one, t20=two)
    for sender, receiver in ((one, two), (two, one), (one, parent), (parent, two)):
        net.passes(tcp(sender, receiver, 80))
    question = frames.arp_request(one.mac, one.ip, "10.0.0.77")
    net.send(one, question).reaches(parent, two)
    net.send(raw(one, one)).reaches_nobody()


def test_a_router_joins_networks_of_one_trunk(net: Net) -> None:
    red, blue = net.network("red", subnets=("10.1.0.0/24",)), net.network("blue", subnets=("10.2.0.0/24",))
    parent, sub = net.port("parent", network=red, on="host1"), net.port("sub", network=blue)
    net.trunk(parent, t100=sub)
    router = Router(net).join(red, blue)
    journey = net.send(routed_ping(parent, router.on(red), sub)).reaches(sub)
    assert journey.arrived["vlan_vid"] == 0x1000 | 100
    net.send(routed_ping(sub, router.on(blue), parent, reply=True)).reaches(parent)


def test_sub_ports_come_and_go_while_the_machine_runs(net: Net) -> None:
    one = Carried(net)
    more = net.port("more", network=one.red)
    body = {"port_id": more.id, "segmentation_type": "vlan", "segmentation_id": 200}
    net.act(one.trunk, "add_subports", {"sub_ports": [body]})
    net.passes(tcp(more, one.red_peer, 80))
    net.act(one.trunk, "remove_subports", {"sub_ports": [{"port_id": more.id}]})
    net.send(say(one.parent, one.red_peer, 200)).reaches_nobody("a tag that the port may not send")
    net.send(tcp(one.red_peer, more, 80)).reaches_nobody()
    net.passes(tcp(one.sub, one.blue_peer, 80))


def off_the_sub_port(one: Carried) -> None:
    one.net.change(one.sub, admin_state_up=False)


def off_the_parent(one: Carried) -> None:
    one.net.change(one.parent, admin_state_up=False)


def off_the_trunk(one: Carried) -> None:
    one.net.change(one.trunk, admin_state_up=False)


def off_its_network(one: Carried) -> None:
    one.net.change(one.blue, admin_state_up=False)


def unplug(one: Carried) -> None:
    one.net.unplug(one.parent, "host1")


@pytest.mark.parametrize("stop", (off_the_sub_port, off_the_parent, off_the_trunk, off_its_network, unplug))
def test_a_sub_port_takes_part_while_all_that_carries_it_is_up(net: Net, stop: Any) -> None:
    one = Carried(net)
    at = net.place(one.parent)
    stop(one)
    net.send(tcp(one.blue_peer, one.sub, 80)).reaches_nobody()
    net.send(one.parent, frames.tagged(tcp(one.sub, one.blue_peer, 80).frame, 100), at=at).reaches_nobody(
        "a tag that the port may not send")


def test_the_parents_network_being_down_is_not_the_sub_ports_business(net: Net) -> None:
    one = Carried(net)
    net.change(one.red, admin_state_up=False)
    net.passes(tcp(one.sub, one.blue_peer, 80))
    twice = frames.tagged(frames.tagged(raw(one.sub, one.blue_peer).frame), 100)
    net.send(Said(one.parent, twice)).reaches_nobody("a tag inside a tag")


def test_sub_ports_move_with_their_parent(net: Net) -> None:
    one = Carried(net)
    net.unplug(one.parent, "host1")
    net.plug(one.parent, "host3")
    net.passes(tcp(one.sub, one.blue_peer, 80))
    net.passes(tcp(one.parent, one.red_peer, 80))
    assert not [key for key, entry in net.flows("host1").items() if entry.why.resource in (one.sub.id, one.trunk.id)]


def test_an_interface_that_names_a_sub_port_is_not_believed(net: Net) -> None:
    one = Carried(net)
    net.plug(one.sub, "host3")
    net.passes(tcp(one.sub, one.blue_peer, 80))
    net.send(one.parent, tcp(one.sub, one.blue_peer, 80).frame, at=(net.switch_on("host3"), 9)).reaches_nobody()


def test_a_trunk_leaves_nothing_behind(net: Net) -> None:
    red, blue = net.network("red"), net.network("blue")
    parent, sub = net.port("parent", network=red, on="host1"), net.port("sub", network=blue)
    before = dict(net.flows("host1"))
    trunk = net.trunk(parent, t100=sub)
    assert net.flows("host1") != before
    net.remove(trunk)
    assert net.flows("host1") == before


def test_dhcp_and_router_advertisements_are_asked_for_and_said_through_the_tag(net: Net) -> None:
    one = Carried(net)
    net.send(one.sub, frames.udp(one.sub.mac, frames.TO_ALL, "0.0.0.0", "255.255.255.255", 68, 67)).asks_controller(6)
    seats = dict(seats_of(net, one.blue))
    assert isinstance(seats[net.switch_on("host1")], bytes) and isinstance(seats[net.switch_on("host2")], int)


def seats_of(net: Net, network: Thing) -> Any:
    from apps.places import seats

    return seats(net.compiler.world, network.row)
