"""What machines on a physical network hear of the routers that are their gateways."""
from __future__ import annotations

import pytest
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, ICMPv6NDOptRDNSS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet

from apps.uplinks import wire_mac
from tests.kit import frames
from tests.kit.net import Net
from tests.kit.office import DESK, HOSTS, Office
from tests.kit.told import Told
from tests.kit.wires import unwire

NET = Told
SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}


@pytest.fixture
def office(net: Net) -> Office:
    return Office(net, **SLAAC, dns_nameservers=["2001:db8::53"])


def asking(office: Office) -> list[tuple[int, bytes]]:
    """What hosts say by their uplinks to the desk that asks for routers."""
    net, asked = office.net, frames.rs(DESK.mac)
    units = [net.compiler.punts[punt.cookie] for punt in net.send(DESK, asked).punts]
    return [answer for rule, (id, *_) in units
            for answer in rule.answers(net.compiler.world, net.model.get(rule.per, id), asked)]


def advertised(frame: bytes) -> tuple[str, str, str, Packet]:
    """The MAC that a frame comes from, whom it is from and to, and what it advertises; it must be in VLAN 105."""
    read = Ether(frame)
    assert read[Dot1Q].vlan == 105 and read[IPv6].hlim == 255
    return read.src, read[IPv6].src, read[IPv6].dst, read[ICMPv6ND_RA]


def said(net: Told) -> list[tuple[str, bytes]]:
    """The advertisements among what has been sent by uplinks."""
    return [(switch, frame) for switch, _, frame in net.heard() if frame[12:14] == b"\x81\x00" and frame[16:18] == b"\x86\xdd"
            and frame[58] == 134]


def said_in(net: Told, seconds: int) -> list[tuple[str, bytes]]:
    for _ in range(seconds):
        net.now += 1
        net.announcements.tick(net.now)
    return said(net)


def test_who_asks_on_the_wire_is_told_of_the_router_by_one_host(net, office):
    ((uplink, frame),) = asking(office)
    door, port = office.door(6), office.interface(6)
    mac, source, to, told = advertised(frame)
    assert mac in {wire_mac(seen.switch_id, port) for seen in net.model.find("uplink", "all", True) if seen.ofport == uplink}
    assert (source, to) == (frames.link_local(port.mac), frames.link_local(DESK.mac))
    assert told.routerlifetime == 9000 and told[ICMPv6NDOptSrcLLAddr].lladdr == wire_mac(net.switch_on(door), port)
    assert (told[ICMPv6NDOptPrefixInfo].prefix, told[ICMPv6NDOptPrefixInfo].A) == ("2001:db8:5::", 1)
    assert told[ICMPv6NDOptRDNSS].dns == ["2001:db8::53"], "ours is not on the wire"


def test_all_are_told_at_once_again_in_turn_and_when_it_is_over(net):
    office = Office(net, **SLAAC)
    net.announcements.tick(net.now)
    ((switch, frame),) = {*said(net)}
    assert advertised(frame)[2] == "ff02::1" and advertised(frame)[3].routerlifetime == 9000
    assert {*said_in(net, 600)} == {(switch, frame)}
    office.cloud.router.leave(office.office)
    ends = [advertised(frame)[3] for _, frame in said_in(net, 2)]
    assert any(not told.routerlifetime for told in ends)
    assert any(told[ICMPv6NDOptPrefixInfo].validlifetime == 0 for told in ends if ICMPv6NDOptPrefixInfo in told)
    assert not said_in(net, 600) and not asking(office)


def test_machines_on_hosts_do_not_hear_it_twice(net, office):
    a = net.port("a", on="host1", network=office.office, groups=[office.group])
    heard = frames.ra("0e:00:00:00:00:01", frames.link_local(office.interface(6).mac))
    assert a.name not in {name for name, _ in net.send(DESK, heard).arrivals}
    others = frames.ra("0e:00:00:00:00:01", "fe80::99")
    assert a.name in {name for name, _ in net.send(DESK, others).arrivals}, "of a router outside they do hear"


def test_another_host_speaks_when_the_door_is_lost_and_of_another_mac(net, office):
    first = office.door(6)
    net.learn([("loss", {"id": net.switch_on(first)})])
    second = office.door(6)
    assert first != second
    told = [advertised(frame)[3] for _, frame in said_in(net, 2)]
    assert told[-1][ICMPv6NDOptSrcLLAddr].lladdr == wire_mac(net.switch_on(second), office.interface(6))
    for host in HOSTS:
        unwire(net, host)
    assert not said_in(net, 600)


def test_a_router_that_is_down_is_not_told_of(net, office):
    net.change(office.cloud.router.thing, admin_state_up=False)
    assert not asking(office)


def test_two_routers_are_told_of_by_one_host_each_as_a_router_of_its_own(net, office):
    seven = net.subnet(office.office, "2001:db8:7::/64", **SLAAC)
    other = office.cloud.router.__class__(net, "other")
    other.act("add_router_interface", {"subnet_id": seven.id})
    told = [advertised(frame) for _, frame in asking(office)]
    assert len({uplink for uplink, _ in asking(office)}) == 1
    assert {(source, read[ICMPv6NDOptPrefixInfo].prefix) for _, source, _, read in told} == {
        (frames.link_local(office.interface(6).mac), "2001:db8:5::"), (frames.link_local(other.on(office.office, 6).mac), "2001:db8:7::")}


def test_a_subnet_without_a_mode_is_not_told_of(net):
    Office(net)
    assert not said_in(net, 600)
