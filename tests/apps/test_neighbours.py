"""Neighbours: ARP and neighbour discovery are answered on the asking switch, and only what is surely known."""

from __future__ import annotations

import pytest

import apps.claims
from tests.kit import frames
from tests.kit.net import Net, Port
from tests.kit.talk import ping

OVERRIDE_SOLICITED = 0x60000000  # RFC 4861 section 4.4
UNKNOWN, UNKNOWN6 = "10.0.0.99", "2001:db8::99"


@pytest.fixture(params=("host1", "host2"))
def ends(net: Net, request: pytest.FixtureRequest) -> tuple[Port, Port]:
    """Who asks, and who is asked for: on one host and on two. A third hears what is carried."""
    asker = net.port("asker", on="host1", ip=["10.0.0.5", "2001:db8::5"])
    target = net.port("target", on=request.param, ip=["10.0.0.6", "2001:db8::6"])
    net.port("third", on="host2", ip=["10.0.0.7", "2001:db8::7"])
    return asker, target


# ---- ARP


def test_who_asks_all_for_a_port_is_told_its_mac_at_once(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    net.send(asker, frames.arp_request(asker.mac, asker.ip, target.ip)).answered(
        eth_src=target.mac,
        eth_dst=asker.mac,
        eth_type=0x806,
        arp_op=2,
        arp_sha=target.mac,
        arp_spa=target.ip,
        arp_tha=asker.mac,
        arp_tpa=asker.ip,
    )


def test_a_question_to_one_neighbour_is_carried(net: Net, ends: tuple[Port, Port]) -> None:
    """Is it still there? Only the machine itself can say."""
    asker, target = ends
    net.send(asker, frames.arp_request(asker.mac, asker.ip, target.ip, to_mac=target.mac)).reaches(target)
    net.send(target, frames.arp_reply(target.mac, target.ip, asker.mac, asker.ip)).reaches(asker)


def test_a_question_for_an_unknown_address_is_carried_to_all(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    net.send(asker, frames.arp_request(asker.mac, asker.ip, UNKNOWN)).reaches(target, net.things["port", "third"])


def test_is_my_address_free_is_not_answered_with_the_askers_own_mac(net: Net, ends: tuple[Port, Port]) -> None:
    """RFC 5227: any answer from the address probed for means that somebody else has it."""
    asker, target = ends
    third = net.things["port", "third"]
    for probed in (asker.ip, UNKNOWN):
        net.send(asker, frames.arp_request(asker.mac, "0.0.0.0", probed)).reaches(target, third)


def test_whose_address_is_not_free_is_told_who_has_it(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    net.send(asker, frames.arp_request(asker.mac, "0.0.0.0", target.ip)).answered(
        eth_dst=asker.mac, arp_sha=target.mac, arp_spa=target.ip, arp_tha=asker.mac, arp_tpa="0.0.0.0"
    )


def test_an_announcement_is_not_answered(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    net.send(asker, frames.arp_request(asker.mac, asker.ip, asker.ip)).reaches(target, net.things["port", "third"])
    net.send(asker, frames.arp(2, asker.mac, frames.TO_ALL, asker.mac, asker.ip, frames.TO_ALL, asker.ip)).reaches(
        target, net.things["port", "third"]
    )


def test_an_address_that_was_taken_away_is_not_answered_for(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    question = frames.arp_request(asker.mac, asker.ip, target.ip)
    net.change(target, fixed_ips=[{"ip_address": "10.0.0.66"}])
    net.send(asker, question).reaches(target, net.things["port", "third"])
    net.send(asker, frames.arp_request(asker.mac, asker.ip, "10.0.0.66")).answered(arp_sha=target.mac)


def test_a_port_that_is_away_is_not_answered_for(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    net.unplug(target, net.model.find("interface", "port_id", target.id)[0].host_id)
    net.send(asker, frames.arp_request(asker.mac, asker.ip, target.ip)).reaches(net.things["port", "third"])
    net.send(asker, frames.ns(asker.mac, asker.ip6, target.ip6)).reaches(net.things["port", "third"])


def test_an_address_of_another_network_is_not_answered_for(net: Net) -> None:
    red, blue = net.network("red"), net.network("blue", project="other")
    asker = net.port("asker", network=red, on="host1", ip="10.0.0.5")
    net.port("same", network=blue, on="host1", ip="10.0.0.6")
    net.send(asker, frames.arp_request(asker.mac, asker.ip, "10.0.0.6")).reaches_nobody()


def test_two_networks_are_each_told_their_own_neighbour(net: Net) -> None:
    for tenant in ("red", "blue"):
        network = net.network(tenant, project=tenant)
        asker = net.port(f"{tenant} asker", network=network, on="host1", ip=["10.0.0.5", "2001:db8::5"])
        target = net.port(f"{tenant} target", network=network, on="host2", ip=["10.0.0.6", "2001:db8::6"])
        net.send(asker, frames.arp_request(asker.mac, asker.ip, target.ip)).answered(arp_sha=target.mac)
        net.send(asker, frames.ns(asker.mac, asker.ip6, target.ip6)).answered(nd_tll=target.mac)


# ---- addresses that may move: allowed address pairs


def test_an_address_that_several_ports_may_take_is_left_to_them(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    third = net.things["port", "third"]
    for port in (target, third):
        net.change(port, allowed_address_pairs=[{"ip_address": "10.0.0.50"}, {"ip_address": "2001:db8::50"}])
    net.send(asker, frames.arp_request(asker.mac, asker.ip, "10.0.0.50")).reaches(target, third)
    reply = frames.arp_reply(third.mac, "10.0.0.50", asker.mac, asker.ip)
    net.send(third, reply).reaches_and_tells(apps.claims.APP, asker)
    net.send(asker, frames.ns(asker.mac, asker.ip6, "2001:db8::50")).reaches(target, third)
    reply = frames.na(third.mac, "2001:db8::50", asker.mac, asker.ip6, from_ip=third.ip6)
    net.send(third, reply).reaches_and_tells(apps.claims.APP, asker)


def test_a_gratuitous_arp_for_a_pair_reaches_everybody(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    net.change(target, allowed_address_pairs=[{"ip_address": "10.0.0.50"}])
    net.send(target, frames.arp_request(target.mac, "10.0.0.50", "10.0.0.50")).reaches(
        asker, net.things["port", "third"]
    )


# ---- IPv6 neighbour discovery


def test_a_solicitation_for_a_port_is_answered_at_once(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    for source in (asker.ip6, frames.link_local(asker.mac)):
        net.send(asker, frames.ns(asker.mac, source, target.ip6)).answered(
            eth_src=target.mac,
            eth_dst=asker.mac,
            ipv6_src=target.ip6,
            ipv6_dst=source,
            icmpv6_type=136,
            icmpv6_code=0,
            nw_ttl=255,
            nd_target=target.ip6,
            nd_tll=target.mac,
            nd_reserved=OVERRIDE_SOLICITED,
        )


def test_a_solicitation_for_an_unknown_or_link_local_address_is_carried(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    third = net.things["port", "third"]
    for wanted in (UNKNOWN6, frames.link_local(target.mac)):
        net.send(asker, frames.ns(asker.mac, asker.ip6, wanted)).reaches(target, third)


def test_a_solicitation_to_one_neighbour_is_carried(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    question = frames.ns(asker.mac, asker.ip6, target.ip6, to_mac=target.mac, to_ip=target.ip6)
    net.send(asker, question).reaches(target)
    net.send(target, frames.na(target.mac, target.ip6, asker.mac, asker.ip6, solicited=True)).reaches(asker)


def test_duplicate_address_detection_is_not_answered_for_the_asker_itself(net: Net, ends: tuple[Port, Port]) -> None:
    asker, target = ends
    net.send(asker, frames.ns(asker.mac, "::", asker.ip6)).reaches(target, net.things["port", "third"])


def test_discovery_passes_whatever_the_security_groups_say(net: Net) -> None:
    none = net.group("none", egress=False)
    a, b = (net.port(name, on=host, groups=[none]) for name, host in (("a", "host1"), ("b", "host2")))
    local = frames.link_local(a.mac)
    net.send(a, frames.arp_request(a.mac, a.ip, b.ip, to_mac=b.mac)).reaches(b)
    net.send(a, frames.ns(a.mac, a.ip6, frames.link_local(b.mac))).reaches(b)
    net.send(a, frames.na(a.mac, a.ip6, b.mac, b.ip6, solicited=True)).reaches(b)
    net.send(a, frames.rs(a.mac)).reaches(b)
    for listener in (131, 132, 143):
        net.send(a, frames.icmp6(a.mac, "33:33:00:00:00:16", local, "ff02::16", listener, body=bytes(4))).reaches(b)
    net.send(ping(a, b)).reaches_nobody()


# ---- tags


def test_a_tagged_question_of_an_unsecured_port_is_carried_with_its_tag(net: Net) -> None:
    """What tenants do inside VLANs of their own is none of our business: other machines have these addresses there."""
    asker, other = net.port("asker", on="host1", security=False), net.port("other", on="host2", security=False)
    for question in (frames.arp_request(asker.mac, asker.ip, other.ip), frames.ns(asker.mac, asker.ip6, other.ip6)):
        net.send(asker, question).answered()
        assert net.send(asker, frames.tagged(question, 5)).reaches(other).arrived["vlan_vid"] == 0x1005
