"""Routers as gateways of machines on a physical network, and hosts without a gateway on one."""
import pytest

from apps.uplinks import wire_mac
from controller.packet import arp, icmp6
from tests.kit import frames
from tests.kit.leading import Leading, number
from tests.kit.net import Net
from tests.kit.office import DESK, HOSTS, Office
from tests.kit.talk import SYN_ACK, Said
from tests.kit.told import Told
from tests.kit.wires import attach, unwire, vlan, wire

NET = Told


@pytest.fixture
def office(net: Net) -> Office:
    return Office(net)


@pytest.mark.parametrize("v", [4, 6])
def test_one_host_answers_on_the_wire_for_the_router_with_a_mac_of_its_own(net, office, v):
    ip = "2001:db8:5::1" if v == 6 else "10.5.0.1"
    told = office.asked(ip)
    assert told["nd_target" if v == 6 else "arp_spa"] == number(ip)
    assert told["eth_src"] in {int(wire_mac(net.switch_on(host), office.interface(v)).replace(":", ""), 16) for host in HOSTS}
    assert told["eth_src"] != int(office.interface(v).mac.replace(":", ""), 16)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("v", [4, 6])
def test_machines_on_the_wire_and_tenants_reach_each_other_by_the_router_once_they_are_known(net, office, host, v):
    a = net.port("a", on=host, network=office.cloud.inside, groups=[office.group])
    come = net.send(DESK, office.into(a, v)).reaches(a)
    assert come.arrived["nw_ttl"] == 63
    inside = office.cloud.within(v)
    source, to = (a.ip6, DESK.ip6) if v == 6 else (a.ip, DESK.ip)
    answer = Said(a, frames.tcp(a.mac, inside.mac, source, to, 22, 5000, flags=SYN_ACK))
    journey = net.send(answer).asks_controller(24)
    rule, (id, *_) = net.compiler.punts[journey.punts[0].cookie]
    port = net.model.get("port", id)
    ((actions, question),) = rule.answers(net.compiler.world, port, frames.tcp(inside.mac, port.mac_address, source, to, 22, 5000))
    told = arp.read(question) or icmp6.read_neighbour(question)
    assert told.target_ip == to if v == 4 else to
    reply = frames.arp_reply(DESK.mac, DESK.ip, told.sender_mac, "10.5.0.1") if v == 4 else \
        frames.na(DESK.mac, DESK.ip6, to_ip="2001:db8:5::1")
    net.learn(rule.answers(net.compiler.world, port, reply))
    sent = net.send(answer).reaches(DESK)
    assert sent.arrived["eth_src"] == int(wire_mac(net.switch_on(host), port).replace(":", ""), 16)
    assert {one for one, _, _ in sent.wires} == {host} and sent.hops == []


def test_the_question_goes_out_by_the_wire_only_and_its_answer_to_the_door(net, office):
    a = net.port("a", on="host1", network=office.cloud.inside, groups=[office.group])
    b = net.port("b", on="host1", network=office.office, groups=[office.group])
    journey = net.send(Said(a, frames.tcp(a.mac, office.cloud.within().mac, a.ip, DESK.ip, 40000, 80)))
    rule, (id, *_) = net.compiler.punts[journey.punts[0].cookie]
    port = net.model.get("port", id)
    lost = frames.tcp(a.mac, port.mac_address, a.ip, DESK.ip, 40000, 80)
    ((actions, question),) = rule.answers(net.compiler.world, port, lost)
    assert arp.read(question).sender_mac == wire_mac(net.switch_on(office.door()), port)
    from tests.kit.journey import put_in
    from tests.kit.talk import packet_of
    went = put_in(net, net.switch_on("host1"), actions, packet_of(question)).reaches(DESK)
    assert went.arrived["eth_src"] == int(wire_mac(net.switch_on("host1"), port).replace(":", ""), 16)
    assert b


def test_the_router_answers_echo_and_says_why_not(net, office):
    mac = ":".join(office.mac()[place:place + 2] for place in range(0, 12, 2))
    told = net.send(DESK, frames.echo(DESK.mac, mac, DESK.ip, "10.5.0.1")).reaches(DESK).arrived
    assert (told["icmpv4_type"], told["ipv4_src"]) == (0, number("10.5.0.1"))
    net.send(DESK, frames.tcp(DESK.mac, mac, DESK.ip, "10.1.0.200", 5000, 22)).asks_controller(9)


def test_what_is_said_of_the_routers_addresses_on_the_wire_reaches_no_machine(net, office):
    a = net.port("a", on="host1", network=office.office, groups=[office.group])
    for frame in (frames.arp_request(DESK.mac, "10.5.0.1", "10.5.0.1"), frames.arp_request(DESK.mac, "10.5.0.1", a.ip),
                  frames.na(DESK.mac, "2001:db8:5::1")):
        assert a.name not in {name for name, _ in net.send(DESK, frame).arrivals}
    net.send(DESK, frames.tcp(DESK.mac, office.interface().mac, DESK.ip, "10.1.0.9", 5000, 22)).reaches_nobody("own MAC")


def test_another_host_is_the_door_when_that_is_lost_and_says_so_at_once(net, office):
    first = office.door()
    net.heard()
    net.learn([("loss", {"id": net.switch_on(first)})])
    second = office.door()
    assert second != first
    said = {(switch, told.sender_ip, told.sender_mac) for switch, _, frame in net.heard()
            if (told := arp.read(frame[:12] + frame[16:] if frame[12:14] == b"\x81\x00" else frame))}
    assert (net.switch_on(second), "10.5.0.1", wire_mac(net.switch_on(second), office.interface())) in said
    unwire(net, second)
    assert office.door() not in (first, second)
    net.learn([], [("loss", net.switch_on(first))])
    assert office.door() == first


def test_routers_of_one_network_have_macs_of_their_own(net, office):
    other = office.cloud.router.__class__(net, "other")
    second = other.join_as(office.office, "10.5.0.2")
    assert office.asked("10.5.0.2")["eth_src"] != office.asked("10.5.0.1")["eth_src"]
    assert second


def test_leaving_the_wire_leaves_no_flow_of_it(net):
    wire(net, *HOSTS)
    cloud = Leading(net, hosts=HOSTS, wires=())
    attach(net, DESK)
    plain = vlan(net, "office", 105, subnets=("10.5.0.0/24", "2001:db8:5::/64"))
    before = {host: set(net.flows(host)) for host in HOSTS}
    cloud.router.join(plain)
    assert {host: set(net.flows(host)) for host in HOSTS} != before
    cloud.router.leave(plain)
    assert {host: set(net.flows(host)) for host in HOSTS} == before


# ---- outside, from hosts that are not the gateway host

@pytest.mark.parametrize("host", HOSTS)
def test_a_machine_in_a_vlan_reaches_outside_from_any_host_by_the_gateway_host(net, office, host):
    b = net.port("b", on=host, network=office.office, groups=[office.group])
    away, gate = office.cloud.away, office.cloud.gateway
    said = Said(b, frames.tcp(b.mac, office.interface().mac, b.ip, away.ip, 40000, 80))
    sent = net.send(said).reaches(away)
    assert sent.arrived["ipv4_src"] == number(gate.ip) and sent.hops == []
    back = frames.tcp(away.mac, gate.mac, away.ip, gate.ip, 80, 40000, flags=SYN_ACK)
    net.send(away, back).reaches(b)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("distributed", [True, False])
def test_a_machine_in_a_vlan_has_a_floating_address_wherever_that_is_translated(net, office, host, distributed):
    b = net.port("b", on=host, network=office.office, groups=[office.group])
    away, floating = office.cloud.away, office.cloud.floating(b, distributed=distributed)
    said = Said(b, frames.tcp(b.mac, office.interface().mac, b.ip, away.ip, 40000, 80))
    assert net.send(said).reaches(away).arrived["ipv4_src"] == number(floating.ip)
    office.cloud.come_in(floating.mac, floating.ip).reaches(b)
    answer = Said(b, frames.tcp(b.mac, office.interface().mac, b.ip, away.ip, 22, 5000, flags=SYN_ACK))
    assert net.send(answer).reaches(away).arrived["ipv4_src"] == number(floating.ip)


def test_a_machine_on_the_wire_reaches_outside_by_the_router(net, office):
    mac = ":".join(office.mac()[place:place + 2] for place in range(0, 12, 2))
    away = office.cloud.away
    sent = net.send(DESK, frames.tcp(DESK.mac, mac, DESK.ip, away.ip, 40000, 80)).reaches(away)
    assert sent.arrived["ipv4_src"] == number(office.cloud.gateway.ip)


def test_a_host_that_has_the_tenants_wire_too_is_rather_the_gateway_host(net):
    cloud = Leading(net, hosts=HOSTS, wires=HOSTS)
    first = cloud.host()
    others = [host for host in HOSTS if host != first]
    wire(net, *others, to="physnet2")
    cloud.router.join(vlan(net, "office", 105, wire="physnet2", subnets=("10.5.0.0/24",)))
    assert cloud.host() in others
