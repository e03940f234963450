"""Routing: packets between networks, routed on the sender's own host."""

from __future__ import annotations

import pytest

from tests.apps.cases import FAMILIES, HOSTS
from tests.kit import frames
from tests.kit.net import Net, Thing
from tests.kit.router import Router, address, ping, tcp, udp


@HOSTS
@FAMILIES
def test_a_packet_to_another_network_arrives_one_hop_older_and_the_answer_finds_back(
    net: Net, red: Thing, blue: Thing, v: int, there: str
) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on=there, network=blue)
    router = Router(net).join(red, blue)
    sent = net.send(ping(a, router.on(red, v), b, v=v)).reaches(b)
    assert sent.arrived["nw_ttl"] == 63
    assert sent.arrived["eth_src"] == int(router.on(blue, v).mac.replace(":", ""), 16)
    assert len(sent.hops) == (there != "host1"), "at most one tunnel, and none on one host"
    net.send(ping(b, router.on(blue, v), a, v=v, reply=True)).reaches(a)


def test_without_a_router_nothing_crosses(net: Net, red: Thing, blue: Thing) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    lonely = net.port("gateway", network=red, ip="10.1.0.1", security=False)
    net.send(ping(a, lonely, b)).reaches_nobody()


def test_a_router_of_one_tenant_leads_to_no_network_of_another_with_the_same_addresses(
    net: Net, red: Thing, blue: Thing
) -> None:
    other = net.network("other", subnets=("10.2.0.0/24",), project="rival")
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    spy = net.port("spy", on="host1", network=other, ip="10.2.0.9")
    gateway = Router(net).join(red, blue).on(red)
    net.send(ping(a, gateway, b)).reaches(b)
    assert net.send(ping(a, gateway, spy)).punts, "nobody has that address in the tenant's own network"


def test_leaving_a_network_ends_the_way_there_and_leaves_no_flow_behind(net: Net, red: Thing, blue: Thing) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host2", network=blue)
    before = {host: dict(net.flows(host)) for host in ("host1", "host2")}
    router = Router(net).join(red, blue)
    gateway = router.on(red)
    net.send(ping(a, gateway, b)).reaches(b)
    router.leave(blue)
    assert net.send(ping(a, gateway, b)).punts, "no route: the controller says so"
    router.leave(red)
    assert {host: dict(net.flows(host)) for host in ("host1", "host2")} == before


def test_a_router_that_is_down_routes_nothing(net: Net, red: Thing, blue: Thing) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    router = Router(net).join(red, blue)
    gateway = router.on(red)
    net.change(router.thing, admin_state_up=False)
    net.send(ping(a, gateway, b)).reaches_nobody()
    net.change(router.thing, admin_state_up=True)
    net.send(ping(a, gateway, b)).reaches(b)


def test_a_host_that_shows_an_interface_of_a_router_as_its_own_gets_nothing(net: Net, red: Thing, blue: Thing) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    gateway = Router(net).join(red, blue).on(red)
    net.plug(gateway, "host1")
    net.send(ping(a, gateway, b)).reaches(b)
    net.send(gateway, frames.echo(gateway.mac, a.mac, gateway.ip, a.ip)).reaches_nobody("not a known port")


@HOSTS
def test_security_groups_judge_on_both_sides_of_the_router(net: Net, red: Thing, blue: Thing, there: str) -> None:
    web, db = net.group("web"), net.group("db")
    net.rule(db, "ingress", "tcp", 5432, remote=web)
    a, b = net.port("a", on="host1", network=red, groups=[web]), net.port("b", on=there, network=blue, groups=[db])
    stranger = net.port("stranger", on="host1", network=red)
    router = Router(net).join(red, blue)
    net.send(tcp(a, router.on(red), b, 5432)).reaches(b)
    net.send(tcp(a, router.on(red), b, 22)).reaches_nobody("receiver")
    net.send(tcp(stranger, router.on(red), b, 5432)).reaches_nobody("receiver")
    answer = tcp(b, router.on(blue), a, 40000, source_port=5432, flags=frames.SYN | frames.ACK)
    net.send(answer).reaches(a)
    net.send(tcp(b, router.on(blue), a, 80)).reaches_nobody("receiver")


@HOSTS
@FAMILIES
def test_subnets_of_one_network_are_routed_to_each_other_and_guarded(
    net: Net, there: str, v: int, server: Thing
) -> None:
    both = net.network("both", subnets=("10.1.0.0/24", "10.2.0.0/24", "2001:db8:1::/64", "2001:db8:2::/64"))
    a = net.port("a", on="host1", ip=["10.1.0.10", "2001:db8:1::10"], groups=[server])
    b = net.port("b", on=there, ip=["10.2.0.10", "2001:db8:2::10"], groups=[server])
    net.rule(server, protocol="tcp", ports=80, v=v)
    gateway = Router(net).join(both).on(both, v)
    net.send(tcp(a, gateway, b, 22, v=v)).reaches_nobody()
    net.send(tcp(a, gateway, b, 80, v=v)).reaches(b)
    back = tcp(b, gateway, a, 40000, source_port=80, flags=frames.SYN | frames.ACK, v=v)
    net.send(back).reaches(a)
    net.send(tcp(b, gateway, a, 22, v=v)).reaches_nobody()


# ---- next hops


def test_an_extra_route_leads_to_its_next_hop_and_the_longest_prefix_wins(net: Net, red: Thing, blue: Thing) -> None:
    a = net.port("a", on="host1", network=red)
    hop = net.port("hop", on="host2", network=blue, security=False)
    closer = net.port("closer", on="host2", network=blue, security=False)
    router = Router(net).join(red, blue)
    router.route(("192.0.2.0/24", hop.ip), ("192.0.2.128/25", closer.ip))
    far, near = (ping(a, router.on(red), to) for to in ("192.0.2.5", "192.0.2.200"))
    net.send(far).reaches(hop)
    net.send(near).reaches(closer)
    router.unroute(("192.0.2.128/25", closer.ip))
    net.send(near).reaches(hop)


def test_a_route_to_everywhere_takes_what_no_other_does(net: Net, red: Thing, blue: Thing) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    hop = net.port("hop", on="host1", network=blue, security=False)
    router = Router(net).join(red, blue)
    router.route(("0.0.0.0/0", hop.ip), ("::/0", hop.ip6))
    for v, far in ((4, "192.0.2.1"), (6, "2001:db8:99::1")):
        net.send(ping(a, router.on(red, v), far, v=v)).reaches(hop)
        net.send(ping(a, router.on(red, v), b, v=v)).reaches(b)


def test_a_packet_may_leave_through_the_port_that_it_came_from(net: Net, red: Thing, blue: Thing) -> None:
    """An appliance sends to one of its own, by way of the router."""
    appliance = net.port("appliance", on="host1", network=red, security=False)
    router = Router(net).join(red, blue)
    router.route(("192.0.2.0/24", appliance.ip))
    net.send(ping(appliance, router.on(red), "192.0.2.1")).answered(eth_dst=appliance.mac, nw_ttl=63)


def test_an_address_that_several_may_have_is_a_next_hop_if_they_agree_on_its_mac(
    net: Net, red: Thing, blue: Thing
) -> None:
    """A pair of one port; a virtual MAC that two share (VRRP); but none where two would answer each for itself."""
    shared, virtual = "10.2.0.200", "00:00:5e:00:01:07"
    a = net.port("a", on="host1", network=red, security=False)
    first = net.port("first", on="host1", network=blue, pairs=["10.2.0.100/32", (shared, virtual)])
    gateway = Router(net).join(red, blue).on(red)
    net.rule(net.default_group())
    net.send(ping(a, gateway, "10.2.0.100")).reaches(first)
    second = net.port("second", on="host2", network=blue, pairs=[(shared, virtual)])
    net.send(ping(a, gateway, shared)).reaches(first, second)
    net.change(second, allowed_address_pairs=[{"ip_address": "10.2.0.100"}, {"ip_address": "10.2.0.0/25"}])
    assert net.send(ping(a, gateway, "10.2.0.100")).punts
    net.unplug(second, "host2")
    net.send(ping(a, gateway, "10.2.0.100")).reaches(first)
    assert net.send(ping(a, gateway, "10.2.0.101")).punts, "a block is nobody's address"
    owner = net.port("owner", on="host1", network=blue, ip="10.2.0.100")
    net.send(ping(a, gateway, "10.2.0.100")).reaches(owner)


# ---- several routers


@pytest.fixture
def line(net: Net, red: Thing, blue: Thing) -> tuple[Router, Router]:
    """Two routers between red and blue, with a network of their own in the middle."""
    middle = net.network("middle", subnets=("10.9.0.0/24", "2001:db8:9::/64"))
    first, second = Router(net, "first").join(red, middle), Router(net, "second").join(blue)
    second.join_as(middle, "10.9.0.2")
    second.join_as(middle, "2001:db8:9::2")
    first.route(("10.2.0.0/24", "10.9.0.2"), ("2001:db8:2::/64", "2001:db8:9::2"))
    second.route(("10.1.0.0/24", "10.9.0.1"), ("2001:db8:1::/64", "2001:db8:9::1"))
    return first, second


@HOSTS
@FAMILIES
def test_two_routers_that_share_a_network_lead_through_each_other(
    net: Net, red: Thing, blue: Thing, line: tuple[Router, Router], there: str, v: int
) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on=there, network=blue)
    first, second = line
    sent = net.send(ping(a, first.on(red, v), b, v=v)).reaches(b)
    assert sent.arrived["nw_ttl"] == 62
    assert len(sent.hops) == (there != "host1")
    net.send(ping(b, second.on(blue, v), a, v=v, reply=True)).reaches(a)


def test_routers_that_send_a_packet_round_in_circles_stop_when_its_time_is_over(
    net: Net, red: Thing, blue: Thing, line: tuple[Router, Router]
) -> None:
    a = net.port("a", on="host1", network=red)
    first, second = line
    first.route(("192.0.2.0/24", "10.9.0.2"))
    second.route(("192.0.2.0/24", "10.9.0.1"))
    net.send(ping(a, first.on(red), "192.0.2.1", left=64)).reaches_nobody()  # the switch has had enough of it
    for left in (2, 3, 63):
        assert [punt.packet["nw_ttl"] for punt in net.send(ping(a, first.on(red), "192.0.2.1", left=left)).punts] == [1]


# ---- what is not for routers


def test_what_is_in_a_vlan_of_the_tenants_own_is_not_routed(net: Net, red: Thing, blue: Thing) -> None:
    free, b = net.port("free", on="host1", network=red, security=False), net.port("b", on="host1", network=blue)
    net.rule(net.default_group())
    gateway = Router(net).join(red, blue).on(red)
    said = udp(free, gateway, b)
    net.send(said).reaches(b)
    net.send(free, frames.tagged(said.frame, 7)).reaches_nobody()


@pytest.mark.parametrize("to", ["224.0.0.5", "239.1.2.3", "255.255.255.255", "127.0.0.1", "0.0.0.0", "169.254.9.9",
                                "ff05::1", "fe80::99"])  # fmt: skip
def test_what_no_router_forwards_is_dropped_even_with_a_route_to_everywhere(
    net: Net, red: Thing, blue: Thing, to: str
) -> None:
    a = net.port("a", on="host1", network=red)
    hop = net.port("hop", on="host1", network=blue, security=False)
    router = Router(net).join(red, blue)
    router.route(("0.0.0.0/0", hop.ip), ("::/0", hop.ip6))
    v = 6 if ":" in to else 4
    net.send(udp(a, router.on(red, v), to, v=v)).reaches_nobody("rout")


def test_a_link_local_sender_is_not_heard_elsewhere(net: Net, red: Thing, blue: Thing) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue, security=False)
    gateway = Router(net).join(red, blue).on(red, 6)
    own = frames.link_local(a.mac)
    net.send(a, frames.udp(a.mac, gateway.mac, own, b.ip6, 1, 2)).reaches_nobody("link-local")


def test_only_ip_is_routed(net: Net, red: Thing, blue: Thing) -> None:
    a = net.port("a", on="host1", network=red)
    gateway = Router(net).join(red, blue).on(red)
    net.send(a, frames.arp_reply(a.mac, a.ip, gateway.mac, gateway.ip)).reaches_nobody("only IP")


def test_without_conntrack_the_sender_of_a_routed_packet_may_be_anybody(net: Net, red: Thing, blue: Thing) -> None:
    """Of ports that nobody guards nothing is remembered."""
    a, b = (
        net.port(name, on="host1", network=network, security=False) for name, network in (("a", red), ("b", blue))
    )
    router = Router(net).join(red, blue)
    net.send(tcp(a, router.on(red), b, 80)).reaches(b)
    net.send(tcp(b, router.on(blue), a, 40000, source_port=80, flags=frames.ACK)).reaches(a)
    assert not net.bridges[net.switch_on("host1")].conntrack.connections
    assert address(a, 6)
