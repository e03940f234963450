"""Gateways and floating addresses: tenants reach outside, and outside reaches what is opened."""
import pytest

import apps.floating_nat
import apps.gateways
from controller.packet import arp
from tests.apps.test_routing import Router
from tests.kit import frames
from tests.kit.net import Net, Port, Thing
from tests.kit.talk import Said
from tests.kit.wires import Outsider, attach, flat, wire

APPS = {apps.gateways.APP, apps.floating_nat.APP}
WORLD = "203.0.113.0/24"


class Cloud:
    """Two hosts of which the second has the wire; a tenant's network behind a router; a machine outside."""

    def __init__(self, net: Net, name: str = "router", *, cidr: str = "10.1.0.0/24") -> None:
        self.net = net
        wire(net, "host2")
        net.host("host1")
        if ("network", "world") not in net.things:
            flat(net, "world", subnets=(WORLD,), project="admin", **{"router:external": True})
        self.world = net.things["network", "world"]
        self.inside = net.network(f"inside {name}", subnets=(cidr,))
        self.router = Router(net, name, external_gateway_info={"network_id": self.world.id}).join(self.inside)
        self.away = Outsider("away", ip="203.0.113.99")
        if self.away not in net.outsiders:
            attach(net, self.away)
        self.learn(self.away)

    def learn(self, outsider: Outsider) -> None:
        """As if it had answered the router's ARP."""
        self.net.learn([("neighbour", {"id": f"{self.world.id}/{outsider.ip}", "network_id": self.world.id,
                                       "ip_address": outsider.ip, "mac_address": outsider.mac})])

    @property
    def gateway(self) -> Port:
        """The router's port outside."""
        (row,) = [row for row in self.net.model.find("port", "network_id", self.world.id)
                  if row.device_id == self.router.thing.id]
        return Port(self.net, "port", row.id, "outside")

    def within(self) -> Port:
        return self.router.on(self.inside)

    def out(self, sender: Port, port: int = 80, *, source_port: int = 40000, **more) -> Said:
        return Said(sender, frames.tcp(sender.mac, self.within().mac, sender.ip, self.away.ip, source_port, port, **more))

    def floating(self, port: Port | None = None) -> Thing:
        wish = {"floating_network_id": self.world.id, "port_id": port and port.id, "project_id": "acme"}
        (row,) = self.net.writer.create(self.net._asker("acme"), "floatingip", [wish])
        self.net.settle()
        return Thing(self.net, "floatingip", row.id, row.floating_ip_address)


@pytest.fixture
def cloud(net):
    return Cloud(net)


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_a_machine_reaches_outside_by_the_routers_address_from_any_host(net, cloud, host):
    a = net.port("a", on=host, network=cloud.inside)
    sent = net.send(cloud.out(a)).reaches(cloud.away)
    assert sent.arrived["ipv4_src"] == number(cloud.gateway.ip)
    assert sent.arrived["eth_src"] == int(cloud.gateway.mac.replace(":", ""), 16)
    assert sent.arrived["nw_ttl"] == 63


def from_outside(net: Net, cloud: Cloud, frame: bytes, host: str = "host2"):
    """A frame of the machine outside, on the wire of a host."""
    return net.send(cloud.away, frame, on=host)


def test_the_answer_from_outside_finds_back_and_nothing_else_does(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    net.send(cloud.out(a)).reaches(cloud.away)
    gateway = cloud.gateway
    back = frames.tcp(cloud.away.mac, gateway.mac, cloud.away.ip, gateway.ip, 80, 40000, flags=0x12)
    from_outside(net, cloud, back).reaches(a)
    other = frames.tcp(cloud.away.mac, gateway.mac, cloud.away.ip, gateway.ip, 80, 40001, flags=0x12)
    from_outside(net, cloud, other).reaches_nobody()
    direct = frames.tcp(cloud.away.mac, gateway.mac, cloud.away.ip, a.ip, 5000, 22)
    from_outside(net, cloud, direct).reaches_nobody("no NAT entry")


def test_two_tenants_with_the_same_addresses_and_ports_do_not_meet(net):
    one, two = Cloud(net, "one"), Cloud(net, "two")
    a, b = net.port("a", on="host1", network=one.inside), net.port("b", on="host1", network=two.inside)
    assert a.ip == b.ip
    first = net.send(one.out(a)).reaches(one.away).arrived["ipv4_src"]
    second = net.send(two.out(b)).reaches(two.away).arrived["ipv4_src"]
    assert {first, second} == {number(one.gateway.ip), number(two.gateway.ip)} and first != second
    answer = frames.tcp(one.away.mac, two.gateway.mac, one.away.ip, two.gateway.ip, 80, 40000, flags=0x12)
    from_outside(net, two, answer).reaches(b)


def test_without_snat_addresses_go_out_as_they_are_and_are_reached_by_them(net):
    cloud = Cloud(net)
    a = net.port("a", on="host1", network=cloud.inside, groups=[open_group(net)])
    net.change(cloud.router.thing, external_gateway_info={"network_id": cloud.world.id, "enable_snat": False})
    assert net.send(cloud.out(a)).reaches(cloud.away).arrived["ipv4_src"] == number(a.ip)
    direct = frames.tcp(cloud.away.mac, cloud.gateway.mac, cloud.away.ip, a.ip, 5000, 22)
    from_outside(net, cloud, direct).reaches(a)


def open_group(net: Net, name: str = "open") -> Thing:
    made = net.group(name)
    net.rule(made, "ingress", "tcp", 22)
    return made


def test_the_router_answers_arp_and_echo_from_outside(net, cloud):
    net.port("a", on="host1", network=cloud.inside)
    gateway = cloud.gateway
    asked = frames.arp_request(cloud.away.mac, cloud.away.ip, gateway.ip)
    told = from_outside(net, cloud, asked).reaches(cloud.away).arrived
    assert (told["arp_op"], told["arp_spa"]) == (2, number(gateway.ip))
    echo = frames.echo(cloud.away.mac, gateway.mac, cloud.away.ip, gateway.ip)
    told = from_outside(net, cloud, echo).reaches(cloud.away).arrived
    assert (told["icmpv4_type"], told["ipv4_src"]) == (0, number(gateway.ip))


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_a_floating_address_is_the_ports_in_both_directions_if_its_groups_allow(net, cloud, host):
    a = net.port("a", on=host, network=cloud.inside, groups=[open_group(net)])
    floating = cloud.floating(a)
    assert net.send(cloud.out(a)).reaches(cloud.away).arrived["ipv4_src"] == number(floating.floating_ip_address)
    gateway = cloud.gateway
    asked = frames.arp_request(cloud.away.mac, cloud.away.ip, floating.floating_ip_address)
    told = from_outside(net, cloud, asked).reaches(cloud.away).arrived
    assert (told["arp_op"], told["arp_spa"]) == (2, number(floating.floating_ip_address))

    def syn(port: int) -> bytes:
        return frames.tcp(cloud.away.mac, gateway.mac, cloud.away.ip, floating.floating_ip_address, 5000, port)
    from_outside(net, cloud, syn(22)).reaches(a)
    reply = cloud.out(a, 5000, source_port=22, flags=0x12)
    assert net.send(reply).reaches(cloud.away).arrived["ipv4_src"] == number(floating.floating_ip_address)
    from_outside(net, cloud, syn(23)).reaches_nobody("receiver")
    net.change(floating, port_id=None)
    from_outside(net, cloud, syn(22)).reaches_nobody()


def test_ports_of_one_address_lead_to_machines_on_both_hosts(net, cloud):
    web, ssh = (net.port(name, on=host, network=cloud.inside, groups=[open_group(net, name)])
                for name, host in (("web", "host1"), ("ssh", "host2")))
    address = cloud.floating()
    for port, outside, inside in ((web, "8000:8003", "22:22"), (ssh, "2000:2002", "21:23")):
        wish = {"floatingip_id": address.id, "protocol": "tcp", "internal_port_id": port.id,
                "external_port_range": outside, "internal_port_range": inside}
        net.writer.create(net._asker("acme"), "port_forwarding", [wish])
        net.settle()

    def syn(port: int) -> bytes:
        return frames.tcp(cloud.away.mac, cloud.gateway.mac, cloud.away.ip, address.floating_ip_address, 5000, port)
    for number_outside in (8000, 8003):
        assert from_outside(net, cloud, syn(number_outside)).reaches(web).arrived["tcp_dst"] == 22
    assert from_outside(net, cloud, syn(2001)).reaches(ssh).arrived["tcp_dst"] == 22
    from_outside(net, cloud, syn(2000)).reaches_nobody("receiver")            # leads to 21, which no group allows
    from_outside(net, cloud, syn(8004)).reaches_nobody("no NAT entry")
    answer = cloud.out(ssh, 5000, source_port=22, flags=0x12)
    arrived = net.send(answer).reaches(cloud.away).arrived
    assert (arrived["ipv4_src"], arrived["tcp_src"]) == (number(address.floating_ip_address), 2001)


def test_two_machines_meet_by_their_floating_addresses(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    b = net.port("b", on="host1", network=cloud.inside, groups=[open_group(net)])
    mine, theirs = cloud.floating(a), cloud.floating(b)
    syn = frames.tcp(a.mac, cloud.within().mac, a.ip, theirs.floating_ip_address, 40000, 22)
    assert net.send(Said(a, syn)).reaches(b).arrived["ipv4_src"] == number(mine.floating_ip_address)


def test_an_unknown_machine_outside_is_asked_for_and_its_answer_is_remembered(net, cloud):
    a = net.port("a", on="host2", network=cloud.inside)
    stranger = Outsider("stranger", ip="203.0.113.77", mac="02:00:00:00:00:77")
    attach(net, stranger)
    frame = frames.tcp(a.mac, cloud.within().mac, a.ip, stranger.ip, 40000, 80)
    journey = net.send(Said(a, frame))
    rule, (id, *_) = net.compiler.punts[journey.punts[0].cookie]
    port = net.model.get(rule.per, id)
    (uplink,) = net.model.find("uplink", "host_id", "host2")
    sent = frames.tcp(a.mac, cloud.within().mac, cloud.gateway.ip, stranger.ip, 40000, 80)
    ((ofport, question),) = rule.answers(net.compiler.world, port, sent)
    assert ofport == uplink.ofport and arp.read(question).target_ip == stranger.ip
    answer = frames.arp_reply(stranger.mac, stranger.ip, cloud.gateway.mac, cloud.gateway.ip)
    heard = from_outside(net, cloud, answer)
    assert [punt.cookie >> 56 for punt in heard.punts] == [apps.gateways.APP]
    net.learn(rule.answers(net.compiler.world, port, answer))
    net.send(Said(a, frame)).reaches(stranger)


def test_taking_the_gateway_away_leaves_no_flow_of_it(net, cloud):
    net.port("a", on="host1", network=cloud.inside)
    net.change(cloud.router.thing, external_gateway_info=None)
    left = {entry.why.rule for host in ("host1", "host2") for entry in net.flows(host).values()
            if entry.why and entry.why.app in APPS}
    assert left == set()


def number(address: str) -> int:
    return int.from_bytes(frames.raw_ip(address), "big")
