"""Gateways and floating addresses: tenants reach outside, and outside reaches what is opened."""
import pytest
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether

import apps.floating_nat
import apps.gateways
from controller.openflow import Meter
from controller.packet import arp
from tests.kit import frames
from tests.kit.leading import WORLD, WORLD6, Leading, number, open_group
from tests.kit.talk import SYN_ACK, Said
from tests.kit.wires import Outsider, attach
from tests.kit.worlds import ADMIN

APPS = {apps.gateways.APP, apps.floating_nat.APP}


@pytest.fixture
def cloud(net):
    return Leading(net)


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_a_machine_reaches_outside_by_the_routers_address_from_any_host(net, cloud, host):
    a = net.port("a", on=host, network=cloud.inside)
    sent = net.send(cloud.out(a)).reaches(cloud.away)
    assert sent.arrived["ipv4_src"] == number(cloud.gateway.ip)
    assert sent.arrived["eth_src"] == int(cloud.gateway.mac.replace(":", ""), 16)
    assert sent.arrived["nw_ttl"] == 63


def test_the_answer_from_outside_finds_back_and_nothing_else_does(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    net.send(cloud.out(a)).reaches(cloud.away)
    gateway = cloud.gateway
    back = frames.tcp(cloud.away.mac, gateway.mac, cloud.away.ip, gateway.ip, 80, 40000, flags=0x12)
    net.send(cloud.away, back).reaches(a)
    other = frames.tcp(cloud.away.mac, gateway.mac, cloud.away.ip, gateway.ip, 80, 40001, flags=0x12)
    net.send(cloud.away, other).reaches_nobody()
    direct = frames.tcp(cloud.away.mac, gateway.mac, cloud.away.ip, a.ip, 5000, 22)
    net.send(cloud.away, direct).reaches_nobody("no NAT entry")


def test_two_tenants_with_the_same_addresses_and_ports_do_not_meet(net):
    one, two = Leading(net, "one"), Leading(net, "two")
    a, b = net.port("a", on="host1", network=one.inside), net.port("b", on="host1", network=two.inside)
    assert a.ip == b.ip
    first = net.send(one.out(a)).reaches(one.away).arrived["ipv4_src"]
    second = net.send(two.out(b)).reaches(two.away).arrived["ipv4_src"]
    assert {first, second} == {number(one.gateway.ip), number(two.gateway.ip)} and first != second
    answer = frames.tcp(one.away.mac, two.gateway.mac, one.away.ip, two.gateway.ip, 80, 40000, flags=0x12)
    net.send(two.away, answer).reaches(b)


def test_without_snat_addresses_go_out_as_they_are_and_are_reached_by_them(net):
    cloud = Leading(net)
    a = net.port("a", on="host1", network=cloud.inside, groups=[open_group(net)])
    net.change(cloud.router.thing, external_gateway_info={"network_id": cloud.world.id, "enable_snat": False})
    assert net.send(cloud.out(a)).reaches(cloud.away).arrived["ipv4_src"] == number(a.ip)
    direct = frames.tcp(cloud.away.mac, cloud.gateway.mac, cloud.away.ip, a.ip, 5000, 22)
    net.send(cloud.away, direct).reaches(a)


def test_the_router_answers_arp_and_echo_from_outside(net, cloud):
    net.port("a", on="host1", network=cloud.inside)
    gateway = cloud.gateway
    asked = frames.arp_request(cloud.away.mac, cloud.away.ip, gateway.ip)
    told = net.send(cloud.away, asked).reaches(cloud.away).arrived
    assert (told["arp_op"], told["arp_spa"]) == (2, number(gateway.ip))
    echo = frames.echo(cloud.away.mac, gateway.mac, cloud.away.ip, gateway.ip)
    told = net.send(cloud.away, echo).reaches(cloud.away).arrived
    assert (told["icmpv4_type"], told["ipv4_src"]) == (0, number(gateway.ip))


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_a_floating_address_is_the_ports_in_both_directions_if_its_groups_allow(net, cloud, host):
    a = net.port("a", on=host, network=cloud.inside, groups=[open_group(net)])
    floating = cloud.floating(a)
    assert net.send(cloud.out(a)).reaches(cloud.away).arrived["ipv4_src"] == number(floating.floating_ip_address)
    gateway = cloud.gateway
    asked = frames.arp_request(cloud.away.mac, cloud.away.ip, floating.floating_ip_address)
    told = net.send(cloud.away, asked).reaches(cloud.away).arrived
    assert (told["arp_op"], told["arp_spa"]) == (2, number(floating.floating_ip_address))

    def syn(port: int) -> bytes:
        return frames.tcp(cloud.away.mac, gateway.mac, cloud.away.ip, floating.floating_ip_address, 5000, port)
    net.send(cloud.away, syn(22)).reaches(a)
    reply = cloud.out(a, 5000, source_port=22, flags=0x12)
    assert net.send(reply).reaches(cloud.away).arrived["ipv4_src"] == number(floating.floating_ip_address)
    net.send(cloud.away, syn(23)).reaches_nobody("receiver")
    net.change(floating, port_id=None)
    net.send(cloud.away, syn(22)).reaches_nobody()


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
        assert net.send(cloud.away, syn(number_outside)).reaches(web).arrived["tcp_dst"] == 22
    assert net.send(cloud.away, syn(2001)).reaches(ssh).arrived["tcp_dst"] == 22
    net.send(cloud.away, syn(2000)).reaches_nobody("receiver")            # leads to 21, which no group allows
    net.send(cloud.away, syn(8004)).reaches_nobody("no NAT entry")
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
    heard = net.send(cloud.away, answer)
    assert [punt.cookie >> 56 for punt in heard.punts] == [apps.gateways.APP]
    net.learn(rule.answers(net.compiler.world, port, answer))
    net.send(Said(a, frame)).reaches(stranger)


@pytest.mark.parametrize("by", ["the gateway", "the network"])
def test_what_passes_the_gateway_is_counted_by_its_policy_and_what_has_a_floating_address_is_not(net, cloud, by):
    a, b = (net.port(name, on="host1", network=cloud.inside, groups=[open_group(net, name)]) for name in "ab")
    floating = cloud.floating(b)
    (gold,) = net.writer.create(ADMIN, "qos_policy", [{"name": "gold"}])
    for direction in ("egress", "ingress"):
        net.writer.create(ADMIN, "bandwidth_limit_rule", [{"qos_policy_id": gold.id, "direction": direction, "max_kbps": 1000}])
    if by == "the gateway":
        info = {"network_id": cloud.world.id, "qos_policy_id": gold.id}
        net.writer.update(ADMIN, "router", cloud.router.thing.id, {"external_gateway_info": info})
    else:
        net.writer.update(ADMIN, "network", cloud.world.id, {"qos_policy_id": gold.id})
        net.writer.update(ADMIN, "floatingip", floating.id, {"qos_policy_id": net.writer.create(
            ADMIN, "qos_policy", [{"name": "free"}])[0].id})
    net.settle()
    meters = sorted(entry.id for entry in net.flows("host2").values() if isinstance(entry, Meter) and entry.kbps == 1000)
    out, into = (f"meter:{number}" for number in meters)
    sent = str(net.send(cloud.out(a)).reaches(cloud.away))
    back = frames.tcp(cloud.away.mac, cloud.gateway.mac, cloud.away.ip, cloud.gateway.ip, 80, 40000, flags=0x12)
    come = str(net.send(cloud.away, back).reaches(a))
    assert out in sent and into not in sent and into in come and out not in come
    for free in (net.send(cloud.out(b)).reaches(cloud.away), cloud.come_in(floating.mac, floating.ip).reaches(b)):
        assert out not in str(free) and into not in str(free)


def test_taking_the_gateway_away_leaves_no_flow_of_it(net, cloud):
    net.port("a", on="host1", network=cloud.inside)
    net.change(cloud.router.thing, external_gateway_info=None)
    left = {entry.why.rule for host in ("host1", "host2") for entry in net.flows(host).values()
            if entry.why and entry.why.app in APPS}
    assert left == set()


# ---- inside

def test_nobody_within_takes_the_routers_outside_address_for_a_machine(net, cloud):
    """It answers echo requests from within too, and has no other service."""
    for host in ("host1", "host2"):
        a = net.port(f"a {host}", on=host, network=cloud.inside)
        ping = frames.echo(a.mac, cloud.within().mac, a.ip, cloud.gateway.ip)
        net.send(a, ping).answered(icmpv4_type=0, ipv4_src=cloud.gateway.ip)
        net.send(cloud.out(a, 22, to=cloud.gateway.ip)).reaches_nobody("router's own address")


def test_a_machine_on_the_external_network_itself_reaches_the_router_and_what_is_forwarded(net, cloud):
    b = net.port("b", on="host1", network=cloud.inside, groups=[open_group(net)])
    floating = cloud.floating(b)
    for host in ("host1", "host2"):
        a = net.port(f"a {host}", on=host, network=cloud.world)
        for address, mac in ((cloud.gateway.ip, cloud.gateway.mac), (floating.ip, floating.mac)):
            if host == "host2":                    # the gateway host
                net.send(a, frames.arp_request(a.mac, a.ip, address)).answered(arp_op=2, arp_sha=mac, arp_spa=address)
        if host == "host2":
            net.send(Said(a, frames.tcp(a.mac, floating.mac, a.ip, floating.ip, 5000, 22))).reaches(b)
            answer = frames.tcp(b.mac, cloud.within().mac, b.ip, a.ip, 22, 5000, SYN_ACK)
            assert net.send(Said(b, answer)).reaches(a).arrived["ipv4_src"] == number(floating.ip)


# ---- IPv6

@pytest.fixture
def six(net):
    return Leading(net, cidrs=("10.1.0.0/24", "2001:db8:1::/64"), world=(WORLD, WORLD6))


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_ipv6_goes_out_as_it_is_and_is_reached_if_the_groups_allow(net, six, host):
    a = net.port("a", on=host, network=six.inside, groups=[open_group(net, v=6)])
    assert net.send(six.out(a, v=6)).reaches(six.away).arrived["ipv6_src"] == number(a.ip6)
    six.come_in(six.gateway.mac, a.ip6, 22).reaches(a)
    six.come_in(six.gateway.mac, a.ip6, 23).reaches_nobody("receiver")


@pytest.mark.parametrize("tag", [None, 7])
def test_who_asks_outside_for_the_routers_ipv6_addresses_is_answered(net, tag):
    six = Leading(net, cidrs=("2001:db8:1::/64",), world=(WORLD6,), tag=tag)
    for address in (six.gateway.ip6, frames.link_local(six.gateway.mac)):
        told = six.ask(address).reaches(six.away).arrived
        assert (told["icmpv6_type"], told["nd_target"], told["nd_tll"]) == (136, number(address), number(six.gateway.mac))
    echo = frames.echo(six.away.mac, six.gateway.mac, six.away.ip6, six.gateway.ip6)
    assert net.send(six.away, echo).reaches(six.away).arrived["icmpv6_type"] == 129


def test_an_unknown_machine_outside_is_asked_for_by_neighbour_discovery(net, six):
    a = net.port("a", on="host2", network=six.inside)
    stranger = Outsider("stranger", ip6="2001:db8:f00d::77", mac="02:00:00:00:00:77")
    attach(net, stranger)
    said = six.out(a, v=6, to=stranger.ip6)
    rule, (id, *_) = net.compiler.punts[net.send(said).punts[0].cookie]
    port = net.model.get(rule.per, id)
    ((_, question),) = rule.answers(net.compiler.world, port, said.frame)
    read = Ether(question)
    assert (read[ICMPv6ND_NS].tgt, read[IPv6].src, read[IPv6].dst, read[IPv6].hlim) == (
        stranger.ip6, six.gateway.ip6, "ff02::1:ff00:77", 255)
    assert read[ICMPv6NDOptSrcLLAddr].lladdr == six.gateway.mac == read.src
    answer = frames.na(stranger.mac, stranger.ip6, from_ip=stranger.ip6, to_mac=six.gateway.mac, to_ip=six.gateway.ip6)
    assert [punt.cookie >> 56 for punt in net.send(six.away, answer).punts] == [apps.gateways.APP]
    net.learn(rule.answers(net.compiler.world, port, answer))
    net.send(said).reaches(stranger)
    for wrong in (answer[:-1], answer[:60] + b"\xff" + answer[61:], answer[:21] + b"\x40" + answer[22:]):
        assert rule.answers(net.compiler.world, port, wrong) == ()


# ---- routes of the tenant's own by machines outside

@pytest.mark.parametrize("host", ["host1", "host2"])
def test_a_route_leads_by_a_machine_outside_from_any_host(net, cloud, host):
    a = net.port("a", on=host, network=cloud.inside)
    other = Outsider("other", ip="203.0.113.98", mac="02:00:00:00:00:98")
    attach(net, other)
    cloud.learn(other)
    cloud.router.route(("198.51.100.0/24", other.ip))
    sent = net.send(cloud.out(a, to="198.51.100.7")).reaches(other).arrived
    assert (sent["ipv4_src"], sent["ipv4_dst"]) == (number(cloud.gateway.ip), number("198.51.100.7"))
    floating = cloud.floating(a)
    sent = net.send(cloud.out(a, to="198.51.100.7", source_port=40001)).reaches(other).arrived
    assert sent["ipv4_src"] == number(floating.ip)
    net.send(cloud.out(a)).reaches(cloud.away)
    cloud.router.unroute(("198.51.100.0/24", other.ip))
    assert net.send(cloud.out(a, to="198.51.100.7")).punts, "it goes to the subnet's own gateway, which nobody knows yet"
