"""What a router itself says: who it is, that it is there, and why a packet goes no further."""

from __future__ import annotations

from typing import Any

import apps.routes  # noqa: F401  declares rules
import apps.routing
from apps.pipeline import METERS
from controller.packet import icmp_errors
from tests.apps.cases import FAMILIES
from tests.kit import frames
from tests.kit.journey import answers, put_in
from tests.kit.net import Net, Port, Thing
from tests.kit.router import Router, address, number_of, ping, tcp, udp
from tests.kit.talk import Said, packet_of

ROUTING = apps.routing.APP
ECHO_REPLY = {4: {"icmpv4_type": 0}, 6: {"icmpv6_type": 129}}


def source(v: int) -> str:
    return "ipv6_src" if v == 6 else "ipv4_src"


# ---- on the spot


def test_who_asks_for_the_router_hears_its_mac_be_it_by_broadcast_or_alone(net: Net, red: Thing, blue: Thing) -> None:
    a = net.port("a", on="host1", network=red)
    router = Router(net).join(red, blue)
    four, six = router.on(red), router.on(red, 6)
    for to in (frames.TO_ALL, four.mac):
        asked = frames.arp_request(a.mac, a.ip, four.ip, to_mac=to)
        net.send(a, asked).answered(arp_op=2, arp_spa=four.ip, arp_sha=four.mac, arp_tpa=a.ip, eth_dst=a.mac)
    for target in (six.ip6, frames.link_local(six.mac)):
        wanted = {"icmpv6_type": 136, "nd_target": target, "nd_tll": six.mac, "nd_reserved": 0xE0000000,
                  "ipv6_src": target, "eth_dst": a.mac}  # fmt: skip
        net.send(a, frames.ns(a.mac, a.ip6, target)).answered(**wanted, ipv6_dst=a.ip6)
        probe = frames.ns(a.mac, a.ip6, target, to_mac=six.mac, to_ip=target)
        net.send(a, probe).answered(**wanted, ipv6_dst=a.ip6)


def test_a_machine_finds_out_that_the_routers_address_is_taken(net: Net, red: Thing, blue: Thing) -> None:
    free = net.port("free", on="host1", network=red, security=False)
    gateway = Router(net).join(red, blue).on(red)
    net.send(free, frames.arp_request(free.mac, "0.0.0.0", gateway.ip)).answered(arp_sha=gateway.mac)
    net.send(free, frames.arp_request(free.mac, gateway.ip, gateway.ip)).answered(arp_sha=gateway.mac)


def test_on_other_networks_nobody_answers_for_the_router(net: Net, red: Thing, blue: Thing) -> None:
    b = net.port("b", on="host1", network=blue)
    in_red = Router(net).join(red, blue).on(red)
    net.send(b, frames.arp_request(b.mac, b.ip, in_red.ip)).reaches_nobody()


@FAMILIES
def test_each_of_the_routers_addresses_answers_an_echo_request(net: Net, red: Thing, blue: Thing, v: int) -> None:
    a = net.port("a", on="host1", network=red)
    router = Router(net).join(red, blue)
    gateway = router.on(red, v)
    for asked in (gateway, router.on(blue, v)):
        for left in (1, 64):
            net.send(ping(a, gateway, asked, v=v, left=left)).answered(
                **ECHO_REPLY[v], **{source(v): address(asked, v)}, eth_src=gateway.mac, eth_dst=a.mac, nw_ttl=64
            )


def test_a_link_local_address_answers_a_link_local_one(net: Net, red: Thing, blue: Thing) -> None:
    a = net.port("a", on="host1", network=red)
    gateway = Router(net).join(red, blue).on(red, 6)
    own, theirs = frames.link_local(a.mac), frames.link_local(gateway.mac)
    net.send(a, frames.echo(a.mac, gateway.mac, own, theirs)).answered(icmpv6_type=129, ipv6_src=theirs, ipv6_dst=own)


@FAMILIES
def test_an_echo_request_in_fragments_is_answered_in_fragments(net: Net, red: Thing, blue: Thing, v: int) -> None:
    a = net.port("a", on="host1", network=red, security=False)
    gateway = Router(net).join(red, blue).on(red, v)
    whole = frames.echo(a.mac, gateway.mac, address(a, v), address(gateway, v))[54 if v == 6 else 34 :] + bytes(10)
    ends = (a.mac, gateway.mac, frames.IPV6 if v == 6 else frames.IPV4)
    for offset, part, more in ((0, whole[:16], True), (2, whole[16:], False)):
        if v == 6:
            head = bytes((58, 0)) + (offset << 3 | more).to_bytes(2, "big") + b"\0\0\0\7"
            raw = frames.ip6(a.ip6, gateway.ip6, 44, head + part)
        else:
            raw = frames.ip(a.ip, gateway.ip, 1, part, offset=offset, more=more)
        expected = ECHO_REPLY[v] if more else {}
        net.send(a, frames.ethernet(*ends, raw)).answered(**expected, **{source(v): address(gateway, v)})


@FAMILIES
def test_a_router_behind_another_is_heard_too(net: Net, red: Thing, blue: Thing, v: int) -> None:
    middle = net.network("middle", subnets=("10.9.0.0/24", "2001:db8:9::/64"))
    a = net.port("a", on="host1", network=red)
    first, second = Router(net, "first").join(red, middle), Router(net, "second").join(blue)
    hop = second.join_as(middle, "2001:db8:9::2" if v == 6 else "10.9.0.2")
    first.route(("2001:db8:2::/64", hop.ip6) if v == 6 else ("10.2.0.0/24", hop.ip))
    second.route(("2001:db8:1::/64", "2001:db8:9::1") if v == 6 else ("10.1.0.0/24", "10.9.0.1"))
    gateway = first.on(red, v)
    for asked in (hop, second.on(blue, v)):
        net.send(ping(a, gateway, asked, v=v)).answered(
            **ECHO_REPLY[v], **{source(v): address(asked, v)}, eth_src=gateway.mac, eth_dst=a.mac
        )
    far = "2001:db8:2::9" if v == 6 else "10.2.0.9"
    for left, named in ((1, gateway), (2, hop)):
        heard = told(net, udp(a, gateway, far, v=v, left=left))
        assert heard[source(v)] == number_of(address(named, v))
        assert heard["eth_dst"] == int(a.mac.replace(":", ""), 16)
    assert says(told(net, udp(a, gateway, far, v=v)), unreachable(v, 1, 3, hop))


# ---- by the controller


def told(net: Net, said: Said) -> dict[str, Any]:
    """What the sender hears from the controller about a packet that the flows gave up."""
    journey = net.send(said).asks_controller(ROUTING)
    ((actions, error),) = answers(net, journey, said.frame)
    return put_in(net, net.place(said.sender)[0], actions, packet_of(error)).reaches(said.sender).arrived


def unreachable(v: int, code4: int, code6: int, gateway: Port) -> dict[str, int]:
    """The fields of an error from a router's address."""
    kind = {"icmpv6_type": 1, "icmpv6_code": code6} if v == 6 else {"icmpv4_type": 3, "icmpv4_code": code4}
    return {**kind, source(v): number_of(address(gateway, v))}


def says(heard: dict[str, Any], wanted: dict[str, int]) -> bool:
    return {name: heard.get(name, 0) for name in wanted} == wanted


@FAMILIES
def test_traceroute_sees_the_router_by_its_address_on_the_senders_network(
    net: Net, red: Thing, blue: Thing, v: int
) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    gateway = Router(net).join(red, blue).on(red, v)
    heard = told(net, udp(a, gateway, b, v=v, left=1))
    assert heard["icmpv6_type" if v == 6 else "icmpv4_type"] == (3 if v == 6 else 11)
    assert heard[source(v)] == number_of(address(gateway, v))
    assert heard["eth_src"] == int(gateway.mac.replace(":", ""), 16)


@FAMILIES
def test_no_route_and_nobody_there_and_a_closed_port_are_said_so(net: Net, red: Thing, blue: Thing, v: int) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    router = Router(net).join(red, blue)
    gateway = router.on(red, v)
    nowhere, nobody = ("2001:db8:9::9", "2001:db8:2::99") if v == 6 else ("192.0.2.9", "10.2.0.99")
    assert says(told(net, ping(a, gateway, nowhere, v=v)), unreachable(v, 0, 0, gateway))
    for left in (2, 64):
        assert says(told(net, udp(a, gateway, nobody, v=v, left=left)), unreachable(v, 1, 3, gateway))
    for own in (gateway, router.on(blue, v)):  # whatever its time to live: traceroute ends with this
        for left in (1, 64):
            assert says(told(net, udp(a, gateway, own, v=v, left=left)), unreachable(v, 3, 4, gateway))
    net.unplug(b, "host1")
    assert says(told(net, udp(a, gateway, b, v=v)), unreachable(v, 1, 3, gateway))


def test_where_routes_decide_who_gets_there_errors_come_back_all_the_same(net: Net, red: Thing, blue: Thing) -> None:
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    ends = [net.model.find("subnet", "network_id", network.id)[0] for network in (red, blue)]
    one = net._create("route", "one", "acme", {"subnet_a_id": ends[0].id, "subnet_b_id": ends[1].id})
    (row,) = net.model.find("port", "network_id+ip_address", (red.id, ends[0].gateway_ip))
    gateway = Port(net, "port", row.id, "gateway")
    net.send(ping(a, gateway, b)).reaches(b)
    assert told(net, udp(a, gateway, b, left=1))["ipv4_src"] == number_of(gateway.ip)
    assert says(told(net, udp(a, gateway, "10.2.0.99")), unreachable(4, 1, 3, gateway))
    net.remove(one)


def test_an_error_comes_back_to_a_machine_whose_groups_let_nothing_in(
    net: Net, red: Thing, blue: Thing, server: Thing
) -> None:
    a = net.port("a", on="host1", network=red, groups=[server])
    gateway = Router(net).join(red, blue).on(red)
    assert says(told(net, tcp(a, gateway, "192.0.2.9", 80)), unreachable(4, 0, 0, gateway))


def test_of_two_interfaces_on_a_network_the_one_that_was_asked_speaks(net: Net) -> None:
    both = net.network("both", subnets=("10.1.0.0/24", "10.2.0.0/24", "2001:db8:1::/64"))
    a = net.port("a", on="host1", ip=["10.2.0.10", "2001:db8:1::10"])
    router = Router(net).join(both)
    ports = [Port(net, "port", row.id, "interface") for row in net.model.find("port", "device_id", router.thing.id)]
    second = next(port for port in ports if port.ip == "10.2.0.1")
    assert says(told(net, ping(a, second, "192.0.2.9")), unreachable(4, 0, 0, second))
    six = router.on(both, 6)  # asked by the MAC of an interface that has no address of this kind
    assert says(told(net, ping(a, second, "2001:db8:9::9", v=6)), unreachable(6, 0, 0, six))


def test_neighbour_advertisements_and_strange_icmp_for_the_router_are_not_answered(
    net: Net, red: Thing, blue: Thing
) -> None:
    a = net.port("a", on="host1", network=red, security=False)
    router = Router(net).join(red, blue)
    four, six = router.on(red), router.on(red, 6)
    for frame in (
        frames.na(a.mac, a.ip6, six.mac, six.ip6),
        frames.icmp(a.mac, four.mac, a.ip, four.ip, 13),
        frames.icmp(a.mac, four.mac, a.ip, "192.0.2.1", 3, 1, bytes(32)),
        frames.udp(a.mac, six.mac, frames.link_local(a.mac), frames.link_local(six.mac), 1, 2),
    ):
        assert answers(net, net.send(a, frame), frame) == ()


def test_an_icmp_error_is_never_answered_with_another() -> None:
    error = frames.icmp("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "10.0.0.1", "10.0.0.2", 3, 1, b"\0" * 28)
    assert icmp_errors.error(error, ["10.0.0.9"], icmp_errors.TIME_EXCEEDED) is None
    request = frames.echo("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "10.0.0.1", "10.0.0.2")
    assert icmp_errors.error(request, ["10.0.0.9"], icmp_errors.TIME_EXCEEDED)
    for end in range(len(request)):  # truncated anywhere: an answer or none, never an exception
        icmp_errors.error(request[:end], ["10.0.0.9"], icmp_errors.TIME_EXCEEDED)
        icmp_errors.read(request[:end])


def test_errors_are_so_many_a_second_for_each_router_on_each_host(net: Net, red: Thing, blue: Thing) -> None:
    net.port("a", on="host1", network=red)
    router = Router(net).join(red, blue)
    meter = "meter", METERS["errors"] + router.thing.key
    assert meter in net.flows("host1")
    for network in (red, blue):
        router.leave(network)
    assert meter not in net.flows("host1")
