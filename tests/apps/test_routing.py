"""Routing: packets between networks, routed on the sender's own host."""
from collections.abc import Iterable

import pytest

import apps.routing  # declares rules
from controller.packet import icmp_errors
from tests.kit import frames
from tests.kit.fields import fields
from tests.kit.net import Net, Port, Thing
from tests.kit.talk import Said

ROUTING = apps.routing.APP


class Router:
    """A router of the cloud and its interfaces, by network."""

    def __init__(self, net: Net, name: str = "router", **wishes) -> None:
        self.net, self.thing, self.ports = net, net._create("router", name, "acme", wishes), {}

    def join(self, *networks: Thing) -> "Router":
        for network in networks:
            for subnet in self.net.model.find("subnet", "network_id", network.id):
                answer = self.act("add_router_interface", {"subnet_id": subnet.id})
                self.ports[network.name] = Port(self.net, "port", answer["port_id"], f"router in {network.name}")
        return self

    def leave(self, network: Thing) -> None:
        for subnet in self.net.model.find("subnet", "network_id", network.id):
            self.act("remove_router_interface", {"subnet_id": subnet.id})

    def act(self, name: str, body: dict):
        _, answer = self.net.writer.act(self.net._asker("acme"), "router", self.thing.id, name, body)
        self.net.settle()
        return answer

    def on(self, network: Thing, v: int = 4) -> Port:
        """The interface on a network."""
        found = [Port(self.net, "port", row.id, "router") for row in self.net.model.find("port", "network_id", network.id)
                 if row.device_id == self.thing.id]
        return next(port for port in found if (port.ip6 if v == 6 else port.ip))


def ping(sender: Port, gateway: Port, receiver: Port, *, v: int = 4, **more) -> Said:
    mine, theirs = (sender.ip6, receiver.ip6) if v == 6 else (sender.ip, receiver.ip)
    return Said(sender, frames.echo(sender.mac, gateway.mac, mine, theirs, **more))


def tcp(sender: Port, gateway: Port, receiver: Port, port: int, **more) -> Said:
    return Said(sender, frames.tcp(sender.mac, gateway.mac, sender.ip, receiver.ip, 40000, port, **more))


@pytest.fixture
def red(net):
    return net.network("red", subnets=("10.1.0.0/24", "2001:db8:1::/64"))


@pytest.fixture
def blue(net):
    return net.network("blue", subnets=("10.2.0.0/24", "2001:db8:2::/64"))


@pytest.mark.parametrize("v", [4, 6])
@pytest.mark.parametrize("there", ["host1", "host2"])
def test_a_packet_to_another_network_arrives_one_hop_older_and_the_answer_finds_back(net, red, blue, v, there):
    a, b = net.port("a", on="host1", network=red), net.port("b", on=there, network=blue)
    router = Router(net).join(red, blue)
    sent = net.send(ping(a, router.on(red, v), b, v=v)).reaches(b)
    assert sent.arrived["nw_ttl"] == 63
    assert sent.arrived["eth_src"] == int(router.on(blue, v).mac.replace(":", ""), 16)
    assert len(sent.hops) == (there != "host1"), "at most one tunnel, and none on one host"
    net.send(ping(b, router.on(blue, v), a, v=v, reply=True)).reaches(a)


def test_without_a_router_nothing_crosses(net, red, blue):
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    lonely = net.port("gateway", network=red, ip="10.1.0.1", security=False)
    net.send(ping(a, lonely, b)).reaches_nobody()


def test_a_router_of_one_tenant_leads_to_no_network_of_another_with_the_same_addresses(net, red, blue):
    other = net.network("other", subnets=("10.2.0.0/24",), project="rival")
    a, b, spy = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue), \
        net.port("spy", on="host1", network=other, ip="10.2.0.9")
    gateway = Router(net).join(red, blue).on(red)
    net.send(ping(a, gateway, b)).reaches(b)
    net.send(ping(a, gateway, spy)).reaches_nobody()


def test_leaving_a_network_ends_the_way_there_and_leaves_no_flow_behind(net, red, blue):
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host2", network=blue)
    before = {host: dict(net.flows(host)) for host in ("host1", "host2")}
    router = Router(net).join(red, blue)
    gateway = router.on(red)
    net.send(ping(a, gateway, b)).reaches(b)
    router.leave(blue)
    assert net.send(ping(a, gateway, b)).punts, "no route: the controller says so"
    router.leave(red)
    assert {host: dict(net.flows(host)) for host in ("host1", "host2")} == before


def test_a_router_that_is_down_routes_nothing(net, red, blue):
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    router = Router(net).join(red, blue)
    gateway = router.on(red)
    net.change(router.thing, admin_state_up=False)
    net.send(ping(a, gateway, b)).reaches_nobody()
    net.change(router.thing, admin_state_up=True)
    net.send(ping(a, gateway, b)).reaches(b)


def test_the_router_answers_arp_and_echo_for_all_its_addresses(net, red, blue):
    a = net.port("a", on="host1", network=red)
    router = Router(net).join(red, blue)
    in_red, in_blue = router.on(red), router.on(blue)
    for to_mac in (frames.TO_ALL, in_red.mac):
        net.send(a, frames.arp_request(a.mac, a.ip, in_red.ip, to_mac=to_mac)).answered(arp_spa=in_red.ip, arp_sha=in_red.mac)
    for asked in (in_red, in_blue):
        net.send(ping(a, in_red, asked)).answered(ipv4_src=asked.ip, ipv4_dst=a.ip, icmpv4_type=0, eth_src=in_red.mac, eth_dst=a.mac)
    six = router.on(red, 6), router.on(blue, 6)
    for asked in six:
        net.send(ping(a, six[0], asked, v=6)).answered(ipv6_src=asked.ip6, icmpv6_type=129, eth_src=six[0].mac)


def test_security_groups_judge_on_both_sides_of_the_router(net, red, blue):
    web, db = net.group("web"), net.group("db")
    net.rule(db, "ingress", "tcp", 5432, remote=web)
    a = net.port("a", on="host1", network=red, groups=[web])
    b = net.port("b", on="host2", network=blue, groups=[db])
    stranger = net.port("stranger", on="host1", network=red)
    router = Router(net).join(red, blue)
    net.send(tcp(a, router.on(red), b, 5432)).reaches(b)
    net.send(tcp(a, router.on(red), b, 22)).reaches_nobody("receiver")
    net.send(tcp(stranger, router.on(red), b, 5432)).reaches_nobody("receiver")
    net.send(Said(b, frames.tcp(b.mac, router.on(blue).mac, b.ip, a.ip, 5432, 40000, flags=0x12))).reaches(a)
    net.send(tcp(b, router.on(blue), a, 80)).reaches_nobody("receiver")


def test_an_extra_route_leads_to_its_next_hop_and_the_longest_prefix_wins(net, red, blue):
    a = net.port("a", on="host1", network=red)
    hop = net.port("hop", on="host2", network=blue, security=False)
    closer = net.port("closer", on="host2", network=blue, security=False)
    router = Router(net).join(red, blue)
    gateway = router.on(red)
    router.act("add_extraroutes", {"routes": [{"destination": "192.0.2.0/24", "nexthop": hop.ip},
                                                         {"destination": "192.0.2.128/25", "nexthop": closer.ip}]})
    far = Said(a, frames.echo(a.mac, gateway.mac, a.ip, "192.0.2.5"))
    near = Said(a, frames.echo(a.mac, gateway.mac, a.ip, "192.0.2.200"))
    net.send(far).reaches(hop)
    net.send(near).reaches(closer)
    router.act("remove_extraroutes", {"routes": [{"destination": "192.0.2.128/25", "nexthop": closer.ip}]})
    net.send(near).reaches(hop)


def test_two_routers_that_share_a_network_lead_through_each_other(net, red, blue):
    middle = net.network("middle", subnets=("10.9.0.0/24",))
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host2", network=blue)
    first, second = Router(net, "first").join(red, middle), Router(net, "second").join(blue)
    port = net._create("port", "second in middle", "acme", {"network_id": middle.id, "fixed_ips": [{"ip_address": "10.9.0.2"}]})
    second.act("add_router_interface", {"port_id": port.id})
    first.act("add_extraroutes", {"routes": [{"destination": "10.2.0.0/24", "nexthop": "10.9.0.2"}]})
    second.act("add_extraroutes", {"routes": [{"destination": "10.1.0.0/24", "nexthop": "10.9.0.1"}]})
    sent = net.send(ping(a, first.on(red), b)).reaches(b)
    assert sent.arrived["nw_ttl"] == 62
    net.send(ping(b, second.on(blue), a, reply=True)).reaches(a)


# ---- what the controller answers

def error_to(net: Net, sender: Port, frame: bytes) -> dict:
    """The one frame with which the controller answers what the flows sent it, as fields."""
    journey = net.send(Said(sender, frame)).asks_controller(ROUTING)
    rule, (id, *_) = net.compiler.punts[journey.punts[0].cookie]
    (answer,) = rule.answers(net.compiler.world, net.model.get(rule.per, id), frame)
    return fields(answer)


@pytest.mark.parametrize("v", [4, 6])
def test_traceroute_sees_the_router_by_its_address_on_the_senders_network(net, red, blue, v):
    a, b = net.port("a", on="host1", network=red), net.port("b", on="host1", network=blue)
    gateway = Router(net).join(red, blue).on(red, v)
    make: Iterable = (a.mac, gateway.mac, a.ip6 if v == 6 else a.ip, b.ip6 if v == 6 else b.ip)
    answer = error_to(net, a, aged(frames.udp(*make, 40000, 33434), 1))
    source, kind = ("ipv6_src", answer["icmpv6_type"]) if v == 6 else ("ipv4_src", answer["icmpv4_type"])
    assert kind == (3 if v == 6 else 11)
    assert answer[source] == number_of(gateway.ip6 if v == 6 else gateway.ip)


def test_no_route_and_a_closed_port_of_the_router_are_said_so(net, red, blue):
    a = net.port("a", on="host1", network=red)
    gateway = Router(net).join(red, blue).on(red)
    answer = error_to(net, a, frames.echo(a.mac, gateway.mac, a.ip, "192.0.2.9"))
    assert (answer["icmpv4_type"], answer.get("icmpv4_code", 0)) == (3, 0)
    answer = error_to(net, a, frames.udp(a.mac, gateway.mac, a.ip, gateway.ip, 40000, 33434))
    assert (answer["icmpv4_type"], answer["icmpv4_code"]) == (3, 3)


def test_an_icmp_error_is_never_answered_with_another():
    error = frames.icmp("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "10.0.0.1", "10.0.0.2", 3, 1, b"\0" * 28)
    assert icmp_errors.time_exceeded(error, ["10.0.0.9"]) == ()
    request = frames.echo("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "10.0.0.1", "10.0.0.2")
    assert len(icmp_errors.time_exceeded(request, ["10.0.0.9"])) == 1
    for end in range(len(request)):                 # truncated anywhere: an answer or none, never an exception
        icmp_errors.time_exceeded(request[:end], ["10.0.0.9"])


def aged(frame: bytes, left: int) -> bytes:
    """The frame with this time to live; the IPv4 header checksum is made right."""
    if frame[12:14] == b"\x86\xdd":
        return frame[:21] + bytes((left,)) + frame[22:]
    header = frame[14:22] + bytes((left,)) + frame[23:24] + b"\0\0" + frame[26:34]
    return frame[:14] + header[:10] + frames.checksum(header).to_bytes(2, "big") + header[12:] + frame[34:]


def number_of(address: str) -> int:
    return int.from_bytes(frames.raw_ip(address), "big")
