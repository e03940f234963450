"""Packets too big for the network that a router sends them to: who sent them is told how big they may be."""
import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import Ether

import apps.routing
from tests.kit import frames
from tests.kit.journey import put_in
from tests.kit.leading import Leading, open_group
from tests.kit.net import Net
from tests.kit.router import Router
from tests.kit.talk import Said, packet_of
from tests.kit.told import Told

SMALL, BIG = 1300, 1450


@pytest.fixture
def routed(net):
    red = net.network("red", subnets=("10.1.0.0/24", "2001:db8:1::/64"), mtu=BIG)
    blue = net.network("blue", subnets=("10.2.0.0/24", "2001:db8:2::/64"), mtu=SMALL)
    router = Router(net).join(red, blue)
    group = net.group("open")
    for v in (4, 6):
        net.rule(group, v=v)
    return red, blue, router, [net.port(name, on=host, network=network, groups=[group])
                               for name, host, network in (("a", "host1", red), ("b", "host2", blue))]


def udp(sender, gateway, ip: str, size: int, v: int = 4) -> Said:
    """A packet of so many bytes."""
    own = sender.ip6 if v == 6 else sender.ip
    return Said(sender, frames.udp(sender.mac, gateway.mac, own, ip, 40000, 9, bytes(size - (48 if v == 6 else 28))))


def complaint(net: Net, said: Said) -> tuple:
    """The punt's answer: (switch, actions, frame). The controller gets the frame as it is then: on its way out."""
    journey = net.send(said)
    (punt,) = journey.punts
    rule, (id, *_) = net.compiler.punts[punt.cookie]
    assert rule is apps.routing.refuse and not journey.arrivals
    now = punt.packet
    sent = b"".join(now[name].to_bytes(6, "big") for name in ("eth_dst", "eth_src")) + said.frame[12:]
    ((actions, error),) = rule.answers(net.compiler.world, net.model.get(rule.per, id), sent)
    return actions, error


@pytest.mark.parametrize("v", [4, 6])
def test_who_sends_too_big_packets_is_told_the_next_networks_mtu(net, routed, v):
    red, blue, router, (a, b) = routed
    to = b.ip6 if v == 6 else b.ip
    net.send(udp(a, router.on(red, v), to, SMALL, v)).reaches(b)
    actions, error = complaint(net, udp(a, router.on(red, v), to, SMALL + 1, v))
    read = Ether(error)
    if v == 4:
        assert (read[ICMP].type, read[ICMP].code, read[ICMP].nexthopmtu) == (3, 4, SMALL)
        assert (read[IP].src, read[IP].dst) == (router.on(red).ip, a.ip)
    else:
        assert (read[ICMPv6PacketTooBig].mtu, read[IPv6].src, read[IPv6].dst) == (SMALL, router.on(red, 6).ip6, a.ip6)
    put_in(net, net.switch_on("host1"), actions, packet_of(error)).reaches(a)


def test_into_a_network_that_takes_bigger_ones_nothing_is_measured(net, routed):
    red, blue, router, (a, b) = routed
    net.send(udp(b, router.on(blue), a.ip, BIG)).reaches(a)
    for name in ("red", "blue"):
        net.change(net.things["network", name], mtu=SMALL)
    assert not [entry for host in ("host1", "host2") for entry in net.flows(host).values() if "large" in str(entry)]
    net.send(udp(a, router.on(red), b.ip, SMALL + 1)).reaches(b)         # hosts themselves know what their network takes


@pytest.mark.parametrize("host", ["host1", "host2", "host3"])
def test_who_is_outside_is_told_by_the_floating_address_it_knows(host):
    net = Told()
    cloud = Leading(net, hosts=("host1", "host2", "host3"), wires=("host1", "host2"))
    net.change(cloud.inside, mtu=SMALL)
    group = open_group(net)
    net.rule(group, "ingress", "udp", 9)
    a = net.port("a", on=host, network=cloud.inside, groups=[group])
    floating = cloud.floating(a)

    def come(size: int) -> Said:
        return Said(cloud.away, frames.udp(cloud.away.mac, floating.mac, cloud.away.ip, floating.ip, 5000, 9, bytes(size - 28)))
    net.send(come(SMALL)).reaches(a)
    said = come(SMALL + 1)
    journey = net.send(said)
    (punt,) = journey.punts
    rule, (id, *_) = net.compiler.punts[punt.cookie]
    way = cloud.within()
    sent = frames.udp(way.mac, floating.mac, cloud.away.ip, a.ip, 5000, 9, bytes(SMALL + 1 - 28))
    ((actions, error),) = rule.answers(net.compiler.world, net.model.get(rule.per, id), sent)
    switch = net.switch_on(host if host != "host3" else cloud.host())
    arrived = put_in(net, switch, actions, packet_of(error)).reaches(cloud.away).arrived
    assert (arrived["icmpv4_type"], arrived["icmpv4_code"]) == (3, 4)
    assert arrived["ipv4_src"] == int.from_bytes(frames.raw_ip(floating.ip), "big")
    net.check()
