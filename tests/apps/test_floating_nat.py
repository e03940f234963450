"""Floating addresses: translated where their machines are, and machines that meet by them."""
import itertools

import pytest

from controller.openflow import Meter
from controller.packet import arp
from tests.kit import frames
from tests.kit.leading import Leading, number, open_group
from tests.kit.net import Net
from tests.kit.talk import SYN_ACK, Said
from tests.kit.told import Told
from tests.kit.wires import unwire, wire
from tests.kit.worlds import ADMIN

HOSTS = ("host1", "host2", "host3")
NET = Told


@pytest.fixture
def cloud(net):
    """Hosts 1 and 2 have the wire, host 3 has not."""
    return Leading(net, hosts=HOSTS, wires=("host1", "host2"))


def test_it_is_translated_where_its_machine_is_and_takes_no_detour(net, cloud):
    for host in ("host1", "host2"):
        a = net.port(f"a {host}", on=host, network=cloud.inside, groups=[open_group(net, host)])
        floating = cloud.floating(a)
        sent = net.send(cloud.out(a)).reaches(cloud.away)
        assert (sent.hops, {name for name, _, _ in sent.wires}) == ([], {host})
        assert (sent.arrived["ipv4_src"], sent.arrived["eth_src"]) == (number(floating.ip), number(floating.mac))
        asked = cloud.ask(floating.ip).reaches(cloud.away)
        assert {name for name, _, _ in asked.wires} == {host}, "nobody else answers"
        assert asked.arrived["arp_sha"] == number(floating.mac)
        come = cloud.come_in(floating.mac, floating.ip).reaches(a)
        assert (come.hops, come.arrived["ipv4_dst"]) == ([], number(a.ip))
        answer = net.send(cloud.out(a, 5000, source_port=22, flags=SYN_ACK)).reaches(cloud.away)
        assert answer.arrived["ipv4_src"] == number(floating.ip)


def test_on_a_host_without_the_wire_it_is_the_gateway_hosts(net, cloud):
    a = net.port("a", on="host3", network=cloud.inside, groups=[open_group(net)])
    floating = cloud.floating(a)
    host = cloud.host()
    sent = net.send(cloud.out(a)).reaches(cloud.away)
    assert [(there, here) for there, here, *_ in sent.hops] == [("host3", host)]
    assert sent.arrived["ipv4_src"] == number(floating.ip)
    assert {name for name, _, _ in cloud.ask(floating.ip).wires} == {host}
    cloud.come_in(floating.mac, floating.ip).reaches(a)


@pytest.mark.parametrize("who", ["router", "floating"])
def test_the_router_or_the_address_may_say_that_it_stays_with_the_gateway_host(net, cloud, who):
    host = cloud.host()
    other = "host1" if host == "host2" else "host2"
    a = net.port("a", on=other, network=cloud.inside)
    floating = cloud.floating(a)
    assert {name for name, _, _ in cloud.ask(floating.ip).wires} == {other}
    net.change(cloud.router.thing if who == "router" else floating, distributed=False)
    assert {name for name, _, _ in cloud.ask(floating.ip).wires} == {host}
    assert len(net.send(cloud.out(a)).reaches(cloud.away).hops) == 1
    if who == "router":
        net.change(floating, distributed=True)
        assert {name for name, _, _ in cloud.ask(floating.ip).wires} == {other}


def test_a_machine_without_one_goes_by_the_gateway_host_as_before(net, cloud):
    host = cloud.host()
    other = "host1" if host == "host2" else "host2"
    a, b = (net.port(name, on=other, network=cloud.inside) for name in "ab")
    cloud.floating(a)
    sent = net.send(cloud.out(b)).reaches(cloud.away)
    assert (len(sent.hops), sent.arrived["ipv4_src"]) == (1, number(cloud.gateway.ip))


def said_by(net: Told) -> set[tuple[str, str, str]]:
    """(host, MAC, address) of each announcement on a wire."""
    found = set()
    for switch, port, frame in net.heard():
        uplinks = [row for row in net.model.find("uplink", "switch_id", switch) if row.ofport == port]
        told = arp.read(frame)
        if uplinks and told and told.sender_ip == told.target_ip:
            found.add((uplinks[0].host_id, told.sender_mac, told.sender_ip))
    return found


def test_it_moves_with_its_machine_and_to_another_and_tells_so_at_once(net, cloud):
    host = cloud.host()                             # which has it too while its machine is on its way
    other = "host1" if host == "host2" else "host2"
    a, b = (net.port(name, on=at, network=cloud.inside) for name, at in (("a", host), ("b", other)))
    net.heard()
    floating = cloud.floating(a)
    assert said_by(net) == {(host, floating.mac, floating.ip)}
    net.change(floating, port_id=b.id)
    assert said_by(net) == {(other, floating.mac, floating.ip)}
    assert {name for name, _, _ in cloud.ask(floating.ip).wires} == {other}
    net.change(floating, port_id=None)
    assert said_by(net) == set()
    assert not cloud.ask(floating.ip).arrivals
    net.change(floating, port_id=a.id)
    net.heard()
    net.unplug(a, host)
    net.heard()
    net.plug(a, other)                              # its machine is moved, live
    assert said_by(net) == {(other, floating.mac, floating.ip)}
    assert net.send(cloud.out(a)).reaches(cloud.away).hops == []


def test_when_its_host_loses_the_wire_the_gateway_host_takes_it_over(net, cloud):
    a = net.port("a", on="host3", network=cloud.inside)
    wire(net, "host3")
    floating = cloud.floating(a)
    assert {name for name, _, _ in cloud.ask(floating.ip).wires} == {"host3"}
    net.heard()
    unwire(net, "host3")
    told = {one for one in said_by(net) if one[2] == floating.ip}              # and its router may have moved, too
    assert told == {(cloud.host(), floating.mac, floating.ip)}
    net.send(cloud.out(a)).reaches(cloud.away)


def meets(net: Net, one: Leading, a, to: str, b, seen_as: str) -> None:
    """`a` opens a connection to an address, which reaches `b` as from `seen_as`; the answer comes back as from there."""
    arrived = net.send(one.out(a, 22, to=to)).reaches(b).arrived
    assert (arrived["ipv4_src"], arrived["ipv4_dst"]) == (number(seen_as), number(b.ip))
    router = ":".join(f"{arrived['eth_src']:012x}"[at:at + 2] for at in range(0, 12, 2))
    back = frames.tcp(b.mac, router, b.ip, seen_as, 22, 40000, SYN_ACK)
    arrived = net.send(Said(b, back)).reaches(a).arrived
    assert (arrived["ipv4_src"], arrived["ipv4_dst"]) == (number(to), number(a.ip))


@pytest.mark.parametrize(("here", "there"), list(itertools.product(HOSTS, HOSTS)))
@pytest.mark.parametrize("routers", [1, 2])
@pytest.mark.parametrize("floats", [True, False])
def test_machines_meet_by_floating_addresses_whatever_hosts_and_routers_they_are_behind(net, here, there, routers, floats):
    one = Leading(net, hosts=HOSTS, wires=("host1", "host2"))
    two = Leading(net, "second", cidrs=("10.2.0.0/24",), hosts=HOSTS, wires=("host1", "host2")) if routers == 2 else one
    a = net.port("a", on=here, network=one.inside)
    b = net.port("b", on=there, network=two.inside, groups=[open_group(net)])
    seen_as = one.floating(a).ip if floats else one.gateway.ip
    meets(net, one, a, two.floating(b).ip, b, seen_as)


def test_a_machine_meets_itself_by_its_own_floating_address(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside, groups=[open_group(net)])
    floating = cloud.floating(a)
    said = cloud.out(a, 22, to=floating.ip)
    net.send(said).answered(ipv4_src=floating.ip, ipv4_dst=a.ip)
    net.send(cloud.out(a, 40000, source_port=22, to=floating.ip, flags=SYN_ACK)).answered(ipv4_src=floating.ip, ipv4_dst=a.ip)


def test_answers_of_forwarded_ports_are_translated_without_snat_too(net, cloud):
    a = net.port("a", on="host3", network=cloud.inside, groups=[open_group(net)])
    net.change(cloud.router.thing, external_gateway_info={"network_id": cloud.world.id, "enable_snat": False})
    address = cloud.floating()
    net.writer.create(net._asker("acme"), "port_forwarding", [{
        "floatingip_id": address.id, "protocol": "tcp", "internal_port_id": a.id, "external_port": 2200,
        "internal_port": 22}])
    net.settle()
    cloud.come_in(address.mac, address.ip, 2200).reaches(a)
    arrived = net.send(cloud.out(a, 5000, source_port=22, flags=SYN_ACK)).reaches(cloud.away).arrived
    assert (arrived["ipv4_src"], arrived["tcp_src"]) == (number(address.ip), 2200)
    assert net.send(cloud.out(a)).reaches(cloud.away).arrived["ipv4_src"] == number(a.ip)


def test_its_mac_leads_to_its_address_only(net, cloud):
    """Nobody gets by it to the router, to the tenant's addresses or to other machines."""
    a, b = (net.port(name, on="host1", network=cloud.inside, groups=[open_group(net, name)]) for name in "ab")
    floating = cloud.floating(a)
    for address in (cloud.gateway.ip, cloud.within().ip, a.ip, b.ip, "203.0.113.200"):
        cloud.come_in(floating.mac, address).reaches_nobody("from outside")
    cloud.come_in(floating.mac, floating.ip, 23).reaches_nobody("receiver")


def test_what_somebody_outside_says_of_a_floating_address_is_not_believed(net, cloud):
    a, b = (net.port(name, on=host, network=cloud.inside, groups=[open_group(net, name)])
            for name, host in (("a", "host1"), ("b", "host2")))
    cloud.floating(a)
    theirs = cloud.floating(b)
    net.learn([("neighbour", {"id": f"{cloud.world.id}/{theirs.ip}", "network_id": cloud.world.id,
                              "ip_address": theirs.ip, "mac_address": cloud.away.mac})])
    net.send(cloud.out(a, 22, to=theirs.ip)).reaches(b)


def test_where_it_is_translated_its_next_hop_is_asked_for_in_its_own_name(net, cloud):
    host = cloud.host()
    other = "host1" if host == "host2" else "host2"
    a = net.port("a", on=other, network=cloud.inside)
    floating = cloud.floating(a)
    journey = net.send(cloud.out(a, to="203.0.113.77"))
    rule, (id, *_) = net.compiler.punts[journey.punts[0].cookie]
    sent = frames.tcp(a.mac, cloud.within().mac, floating.ip, "203.0.113.77", 40000, 80)
    ((_, question),) = rule.answers(net.compiler.world, net.model.get(rule.per, id), sent)
    told = arp.read(question)
    assert (told.sender_ip, told.sender_mac, told.target_ip) == (floating.ip, floating.mac, "203.0.113.77")
    answer = frames.arp_reply("02:00:00:00:00:77", "203.0.113.77", floating.mac, floating.ip)
    heard = net.send(cloud.away, answer)
    assert [net.compiler.punts[punt.cookie][1] for punt in heard.punts] == [(floating.id,)]


def test_disassociating_leaves_no_flow_of_it(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    before = {host: set(net.flows(host)) for host in HOSTS}
    floating = cloud.floating(a)
    net.change(floating, port_id=None)
    assert {host: set(net.flows(host)) for host in HOSTS} == before


def test_what_passes_it_is_counted_by_its_policy(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside, groups=[open_group(net)])
    floating = cloud.floating(a)
    (gold,) = net.writer.create(ADMIN, "qos_policy", [{"name": "gold"}])
    for direction in ("egress", "ingress"):
        net.writer.create(ADMIN, "bandwidth_limit_rule", [{"qos_policy_id": gold.id, "direction": direction, "max_kbps": 1000}])
    net.writer.update(ADMIN, "floatingip", floating.id, {"qos_policy_id": gold.id})
    net.settle()
    sent = str(net.send(cloud.out(a)).reaches(cloud.away))
    come = str(cloud.come_in(floating.mac, floating.ip).reaches(a))
    meters = {entry.id: entry for entry in net.flows("host1").values() if isinstance(entry, Meter) and entry.kbps}
    out, into = sorted(meters)
    assert f"meter:{out}" in sent and f"meter:{into}" not in sent
    assert f"meter:{into}" in come and f"meter:{out}" not in come
    assert {entry.kbps for entry in meters.values()} == {1000}
