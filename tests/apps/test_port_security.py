"""Port security: a port sends from its own addresses only, and is neither router nor DHCP server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit import frames
from tests.kit.journey import answers
from tests.kit.net import Net, Port
from tests.kit.talk import Said, broadcast, ping, raw, tcp, udp

OTHER_MAC, OTHER_IP, OTHER_IP6 = "fa:16:3e:99:99:99", "10.0.0.99", "2001:db8::99"
Forge = Callable[[Port, Port], bytes]


@pytest.fixture
def cheat(net: Net) -> tuple[Port, Port]:
    """A machine that would cheat, and its victim: everything that security groups ask is allowed between them."""
    open = net.group("open")
    for v in (4, 6):
        net.rule(open, "ingress", v=v)
    villain = net.port("villain", on="host1", ip=["10.0.0.5", "2001:db8::5"], groups=[open])
    victim = net.port("victim", on="host1", ip=["10.0.0.6", "2001:db8::6"], groups=[open])
    net.port("far", on="host2", ip=["10.0.0.7", "2001:db8::7"], groups=[open])
    return villain, victim


def forged_udp(source: str, mac: str | None = None) -> Forge:
    return lambda villain, victim: frames.udp(
        mac or villain.mac, victim.mac, source, victim.ip if "." in source else victim.ip6, 1, 2
    )


SPOOFS: dict[str, Forge] = {
    "a foreign MAC": lambda villain, victim: frames.udp(OTHER_MAC, victim.mac, villain.ip, victim.ip, 1, 2),
    "the victim's MAC": lambda villain, victim: frames.udp(victim.mac, victim.mac, villain.ip, victim.ip, 1, 2),
    "a foreign MAC over IPv6": lambda villain, victim: frames.udp(OTHER_MAC, victim.mac, villain.ip6, victim.ip6, 1, 2),
    "another IPv4 address": forged_udp(OTHER_IP),
    "the victim's IPv4 address": forged_udp("10.0.0.6"),
    "the gateway's IPv4 address": forged_udp("10.0.0.1"),
    "no IPv4 address": forged_udp("0.0.0.0"),
    "the IPv4 broadcast address": forged_udp("255.255.255.255"),
    "an IPv4 group's address": forged_udp("224.0.0.1"),
    "another IPv6 address": forged_udp(OTHER_IP6),
    "the victim's IPv6 address": forged_udp("2001:db8::6"),
    "another link-local address": forged_udp("fe80::1"),
    "no IPv6 address": forged_udp("::"),
    "an IPv6 group's address": forged_udp("ff02::1"),
    "ARP for another address": lambda villain, victim: frames.arp_request(
        villain.mac, OTHER_IP, victim.ip, to_mac=victim.mac
    ),
    "ARP for the victim's address": lambda villain, victim: frames.arp_request(villain.mac, victim.ip, "10.0.0.50"),
    "ARP with a foreign MAC inside": lambda villain, victim: frames.arp_request(
        villain.mac, villain.ip, "10.0.0.50", sha=OTHER_MAC
    ),
    "an ARP reply for the gateway": lambda villain, victim: frames.arp_reply(
        villain.mac, "10.0.0.1", victim.mac, victim.ip
    ),
    "an ARP reply with a foreign MAC inside": lambda villain, victim: frames.arp_reply(
        villain.mac, villain.ip, victim.mac, victim.ip, sha=OTHER_MAC
    ),
    "an ARP reply from no address": lambda villain, victim: frames.arp_reply(
        villain.mac, "0.0.0.0", victim.mac, victim.ip
    ),
    "a gratuitous ARP for the victim": lambda villain, victim: frames.arp_request(villain.mac, victim.ip, victim.ip),
    "RARP": lambda villain, victim: frames.ethernet(villain.mac, frames.TO_ALL, 0x8035, bytes(28)),
    "ARP cut short": lambda villain, victim: frames.arp_request(villain.mac, villain.ip, victim.ip)[:30],
}


@pytest.mark.parametrize("name", SPOOFS)
def test_a_spoofed_sender_reaches_nobody(net: Net, cheat: tuple[Port, Port], name: str) -> None:
    villain, victim = cheat
    net.send(villain, SPOOFS[name](villain, victim)).reaches_nobody()


@pytest.mark.parametrize(("forged", "address", "because"), (
    (lambda one, other: frames.arp_request(one.mac, other.ip, "10.0.0.50"), "10.0.0.6", "it is port {}'s"),
    (lambda one, other: frames.arp_reply(one.mac, "10.0.0.1", other.mac, other.ip), "10.0.0.1", "it is not the port's"),
    (lambda one, other: frames.na(one.mac, other.ip6, from_ip=one.ip6), "2001:db8::6", "it is port {}'s")))
def test_who_claims_an_address_that_is_not_its_own_is_named(
        net: Net, cheat: tuple[Port, Port], forged: Forge, address: str, because: str) -> None:
    villain, victim = cheat
    frame = forged(villain, victim)
    journey = net.send(villain, frame).reaches_nobody()
    (asked,) = answers(net, journey, frame)
    (alarm,) = asked.then(net.place(villain)[1])
    assert alarm.what == "spoof" and alarm.details == {
        "object": f"port {villain.id}", "address": address, "because": because.format(victim.id)}
    assert not list(asked.then(9999)), "a port that is gone meanwhile"


def test_ones_own_addresses_pass(net: Net, cheat: tuple[Port, Port]) -> None:
    villain, victim = cheat
    for v in (4, 6):
        net.send(udp(villain, victim, v=v)).reaches(victim)
    local = frames.udp(villain.mac, victim.mac, frames.link_local(villain.mac), frames.link_local(victim.mac), 1, 2)
    net.send(villain, local).reaches(victim)


# ---- neighbour discovery: CVE-2021-20267 (advertisements for foreign targets), CVE-2021-38598 (ARP and ND at large)

ND_SPOOFS: dict[str, Forge] = {
    "an advertisement for the victim, from its address": lambda villain, victim: frames.na(villain.mac, victim.ip6),
    "an advertisement for the victim, from an address of one's own": lambda villain, victim: frames.na(
        villain.mac, victim.ip6, from_ip=villain.ip6
    ),
    "an advertisement for the victim, from one's link-local address": lambda villain, victim: frames.na(
        villain.mac, victim.ip6, from_ip=frames.link_local(villain.mac)
    ),
    "an advertisement for the victim's link-local address": lambda villain, victim: frames.na(
        villain.mac, frames.link_local(victim.mac), from_ip=villain.ip6
    ),
    "an advertisement for the gateway, as its router": lambda villain, victim: frames.na(
        villain.mac, "2001:db8::1", from_ip=villain.ip6, router=True
    ),
    "an advertisement for nobody's address, to one victim": lambda villain, victim: frames.na(
        villain.mac, OTHER_IP6, victim.mac, victim.ip6, from_ip=villain.ip6, solicited=True
    ),
    "an advertisement from nobody": lambda villain, victim: frames.na(villain.mac, villain.ip6, from_ip="::"),
    "a solicitation that says the asker is the victim": lambda villain, victim: frames.ns(
        villain.mac, victim.ip6, "2001:db8::7"
    ),
    "a solicitation with a foreign MAC inside": lambda villain, victim: frames.ns(
        villain.mac, villain.ip6, OTHER_IP6, sll=victim.mac
    ),
    "a solicitation with a foreign MAC inside, to one victim": lambda villain, victim: frames.ns(
        villain.mac, villain.ip6, victim.ip6, to_mac=victim.mac, to_ip=victim.ip6, sll=OTHER_MAC
    ),
    "duplicate address detection for the victim's address": lambda villain, victim: frames.ns(
        villain.mac, "::", victim.ip6
    ),
    "duplicate address detection for the gateway": lambda villain, victim: frames.ns(villain.mac, "::", "2001:db8::1"),
    "an advertisement for an IPv4-mapped address": lambda villain, victim: frames.na(
        villain.mac, "::ffff:10.0.0.6", from_ip=villain.ip6
    ),
}


@pytest.mark.parametrize("name", ND_SPOOFS)
def test_neighbour_discovery_about_others_reaches_nobody(net: Net, cheat: tuple[Port, Port], name: str) -> None:
    villain, victim = cheat
    net.send(villain, ND_SPOOFS[name](villain, victim)).reaches_nobody()


def test_duplicate_address_detection_for_ones_own_addresses_reaches_the_others(
    net: Net, cheat: tuple[Port, Port]
) -> None:
    villain, victim = cheat
    far = net.things["port", "far"]
    for target in (villain.ip6, frames.link_local(villain.mac)):
        net.send(villain, frames.ns(villain.mac, "::", target)).reaches(victim, far)


def test_advertisements_for_ones_own_addresses_pass(net: Net, cheat: tuple[Port, Port]) -> None:
    villain, victim = cheat
    far = net.things["port", "far"]
    local = frames.link_local(villain.mac)
    for target in (villain.ip6, local):
        net.send(villain, frames.na(villain.mac, target)).reaches(victim, far)
        answer = frames.na(villain.mac, target, victim.mac, victim.ip6, from_ip=local, solicited=True, tll=None)
        net.send(villain, answer).reaches(victim)


# ---- routers and DHCP servers

NEVER: dict[str, Forge] = {
    "a router advertisement": lambda villain, victim: frames.ra(villain.mac),
    "a router advertisement to one victim": lambda villain, victim: frames.icmp6(
        villain.mac, victim.mac, frames.link_local(villain.mac), victim.ip6, 134, body=bytes(12)
    ),
    "a redirect": lambda villain, victim: frames.redirect(
        villain.mac,
        frames.link_local(villain.mac),
        victim.mac,
        victim.ip6,
        frames.link_local(villain.mac),
        "2001:db8:9::1",
    ),
    "a DHCP offer": lambda villain, victim: frames.udp(villain.mac, victim.mac, villain.ip, victim.ip, 67, 68),
    "a DHCP offer to all": lambda villain, victim: frames.udp(
        villain.mac, frames.TO_ALL, villain.ip, "255.255.255.255", 67, 68
    ),
    "a DHCP relay": lambda villain, victim: frames.udp(villain.mac, victim.mac, villain.ip, victim.ip, 67, 67),
    "a DHCPv6 reply": lambda villain, victim: frames.udp(
        villain.mac, victim.mac, frames.link_local(villain.mac), frames.link_local(victim.mac), 547, 546
    ),
}


@pytest.mark.parametrize("name", NEVER)
def test_a_port_is_neither_router_nor_dhcp_server(net: Net, cheat: tuple[Port, Port], name: str) -> None:
    villain, victim = cheat
    net.send(villain, NEVER[name](villain, victim)).reaches_nobody("a port may not")


@pytest.mark.parametrize("name", NEVER)
def test_not_even_where_there_is_no_subnet(net: Net, name: str) -> None:
    bare = net.network("bare", subnets=())
    open = net.group("open")
    for v in (4, 6):
        net.rule(open, "ingress", v=v)
    villain, victim = (net.port(one, network=bare, on="host1", groups=[open]) for one in ("villain", "victim"))
    with_addresses = [Shown(port.mac, f"10.0.0.{n}", f"2001:db8::{n}") for n, port in enumerate((villain, victim), 5)]
    net.send(villain, NEVER[name](*with_addresses)).reaches_nobody("a port may not")  # type: ignore[arg-type]


class Shown:
    """What a frame needs to know of a machine whose addresses the model does not know."""

    def __init__(self, mac: str, ip: str, ip6: str) -> None:
        self.mac, self.ip, self.ip6 = mac, ip, ip6


def test_router_solicitations_pass(net: Net, cheat: tuple[Port, Port]) -> None:
    villain, victim = cheat
    net.send(villain, frames.rs(villain.mac)).reaches(victim, net.things["port", "far"])


# ---- wrappings that hide what is inside (CVE-2021-27853, CVE-2021-27854, CVE-2021-27861, CVE-2021-27862)

INSIDE: dict[str, Forge] = {**ND_SPOOFS, **NEVER, **SPOOFS}
WRAPPED: dict[str, Callable[[bytes], bytes]] = {
    "in VLAN 0": lambda frame: frames.tagged(frame, 0),
    "in VLAN 0, with a priority": lambda frame: frames.tagged(frame, 0, priority=7),
    "in VLAN 5": lambda frame: frames.tagged(frame, 5),
    "in two tags": lambda frame: frames.tagged(frames.tagged(frame, 0), 0),
    "in a service tag and VLAN 0": lambda frame: frames.tagged(frames.tagged(frame, 0), 0, ethertype=frames.QINQ),
    "in three tags": lambda frame: frames.tagged(frames.tagged(frames.tagged(frame, 0), 0), 0),
    "in LLC/SNAP": frames.snapped,
    "in VLAN 0 and LLC/SNAP": lambda frame: frames.tagged(frames.snapped(frame), 0),
    "in LLC/SNAP and VLAN 0": lambda frame: frames.snapped(frames.tagged(frame, 0)),
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_no_wrapping_lets_a_forgery_pass(net: Net, cheat: tuple[Port, Port], wrapping: str) -> None:
    villain, victim = cheat
    for forge in INSIDE.values():
        net.send(villain, WRAPPED[wrapping](forge(villain, victim))).reaches_nobody()


def test_a_secured_port_sends_no_tags_whatever_is_inside(net: Net, cheat: tuple[Port, Port]) -> None:
    villain, victim = cheat
    for name in ("in VLAN 0", "in VLAN 5", "in two tags", "in a service tag and VLAN 0"):
        net.send(villain, WRAPPED[name](udp(villain, victim).frame)).reaches_nobody("a tag that the port may not send")


def test_lldp_and_spanning_tree_stay_where_they_are(net: Net, cheat: tuple[Port, Port]) -> None:
    villain, _ = cheat
    for mac, ethertype in (("01:80:c2:00:00:0e", 0x88CC), ("01:80:c2:00:00:00", 0x0026), ("01:00:0c:cc:cc:cc", 0x2000)):
        net.send(villain, frames.ethernet(villain.mac, mac, ethertype, bytes(46))).reaches_nobody()


# ---- DHCP and address detection before a machine has an address


def test_the_first_dhcp_question_passes_from_no_address(net: Net) -> None:
    asker = net.port("asker", on="host1", ip="10.0.0.5")
    frame = frames.udp(asker.mac, frames.TO_ALL, "0.0.0.0", "255.255.255.255", 68, 67)
    net.send(asker, frame).asks_controller(6)
    net.send(asker, frames.udp(OTHER_MAC, frames.TO_ALL, "0.0.0.0", "255.255.255.255", 68, 67)).reaches_nobody()


# ---- without port security


def test_an_unsecured_port_may_send_anything(net: Net) -> None:
    free, other = net.port("free", on="host1", security=False), net.port("other", on="host2", security=False)
    for frame in (
        frames.udp(OTHER_MAC, other.mac, OTHER_IP, other.ip, 1, 2),
        frames.ra(free.mac),
        frames.udp(free.mac, other.mac, free.ip, other.ip, 67, 68),
        frames.tagged(raw(free, other).frame, 5),
        frames.na(free.mac, OTHER_IP6),
        raw(free, other).frame,
        broadcast(free).frame,
    ):
        net.send(free, frame).reaches(other)


def test_port_security_that_is_switched_on_and_off_takes_effect(net: Net) -> None:
    a, b = net.port("a", on="host1"), net.port("b", on="host2")
    forged = Said(a, frames.udp(a.mac, b.mac, OTHER_IP, b.ip, 1, 2))
    net.send(forged).reaches_nobody()
    net.change(a, port_security_enabled=False, security_groups=[])
    net.change(b, port_security_enabled=False, security_groups=[])
    net.send(forged).reaches(b)
    net.change(a, port_security_enabled=True)
    net.send(forged).reaches_nobody()


def test_a_new_address_is_ones_own_and_the_old_one_is_not(net: Net) -> None:
    a, b = net.port("a", on="host1", ip="10.0.0.5"), net.port("b", on="host2", ip="10.0.0.6")
    before = ping(a, b)
    net.send(before).reaches(b)
    net.change(a, fixed_ips=[{"ip_address": "10.0.0.15"}])
    net.send(before).reaches_nobody("source address is not the port's")
    net.send(ping(a, b)).reaches(b)


def test_a_new_mac_is_ones_own_and_the_old_one_is_not(net: Net) -> None:
    a, b = net.port("a", on="host1"), net.port("b", on="host2")
    before, there = tcp(a, b), tcp(b, a)
    net.change(a, mac_address="fa:16:3e:77:77:77")
    net.send(before).reaches_nobody()
    net.send(there).reaches_nobody("no such receiver in the network")
    net.send(tcp(a, b)).reaches(b)
    net.send(tcp(b, a)).reaches(a)
