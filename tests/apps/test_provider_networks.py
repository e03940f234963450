"""Provider networks: frames between ports, through the physical network that carries them, and from machines on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.uplinks import wire_mac
from tests.kit import frames
from tests.kit.net import Net, Port, Thing
from tests.kit.router import Router
from tests.kit.router import ping as routed_ping
from tests.kit.talk import Said, broadcast, multicast, ping, raw, tcp, to_unknown, udp
from tests.kit.wires import Outsider, attach, flat, unwire, vlan, wire

OUT = Outsider("out", ip="10.0.0.99", ip6="2001:db8::99", vlan=101)
ELSEWHERE = Outsider("elsewhere", ip="10.0.0.98", ip6="2001:db8::98", mac="02:00:00:00:00:98", vlan=102)
PLAIN = Outsider("plain", ip="10.0.0.97", ip6="2001:db8::97", mac="02:00:00:00:00:97")


@pytest.fixture
def wired(net: Net) -> Net:
    """Three hosts on one physical network, with machines in two VLANs of it and one without a tag."""
    wire(net, "host1", "host2", "host3")
    attach(net, OUT, ELSEWHERE, PLAIN)
    return net


@pytest.fixture(params=("vlan", "flat"))
def kind(request: pytest.FixtureRequest) -> tuple[Callable[..., Thing], Outsider]:
    """How a network is made, and the machine on the wire that is in it."""
    if request.param == "vlan":
        return lambda net, name, **more: vlan(net, name, 101, **more), OUT
    return flat, PLAIN


def open_group(net: Net) -> Thing:
    group = net.group("open")
    for v in (4, 6):
        net.rule(group, v=v)
    return group


# ---- between ports


def test_ports_of_two_hosts_reach_each_other_through_the_physical_network(wired: Net, kind: Any) -> None:
    make, out = kind
    red = make(wired, "red")
    a, b = wired.port("a", network=red, on="host1"), wired.port("b", network=red, on="host2")
    for v in (4, 6):
        for said in (tcp(a, b, 80, v=v), ping(b, a, v=v), udp(a, b, 53, v=v)):
            wired.passes(said)
    journey = wired.send(tcp(a, b, 443))
    assert journey.wires == [("host1", "physnet1", out.vlan)] and journey.hops == []


def test_ports_of_one_host_need_no_wire(wired: Net, kind: Any) -> None:
    red = kind[0](wired, "red", subnets=())
    a, b = wired.port("a", network=red, on="host1"), wired.port("b", network=red, on="host1")
    assert wired.send(raw(a, b)).reaches(b).wires == []
    unwire(wired, "host1")
    wired.send(raw(a, b)).reaches(b)


def test_a_broadcast_reaches_everybody_on_the_wire_once_and_nobody_else(wired: Net, kind: Any) -> None:
    make, out = kind
    red = make(wired, "red", subnets=())
    members = [
        wired.port(name, network=red, on=host)
        for name, host in (("a", "host1"), ("b", "host1"), ("c", "host2"), ("d", "host3"))
    ]
    strangers = [vlan(wired, "blue", 102, subnets=()), wired.network("green", subnets=())]
    for number, network in enumerate(strangers):
        for host in ("host1", "host2"):
            wired.port(f"{host}-{number}", network=network, on=host)
    for sender in members:
        journey = wired.send(broadcast(sender)).reaches(*(one for one in [*members, out] if one is not sender))
        assert len(journey.wires) == 1 and journey.hops == []
    wired.send(broadcast(out)).reaches(*members)


def test_multicast_reaches_everybody_too(wired: Net, kind: Any) -> None:
    make, out = kind
    red, group = make(wired, "red"), open_group(wired)
    a, b, c = (
        wired.port(name, network=red, on=host, groups=[group])
        for name, host in (("a", "host1"), ("b", "host1"), ("c", "host2"))
    )
    for v in (4, 6):
        wired.send(multicast(a, v=v)).reaches(b, c, out)


def test_what_comes_from_the_wire_never_goes_back_to_it(wired: Net, kind: Any) -> None:
    make, out = kind
    red = make(wired, "red", subnets=())
    a, _ = wired.port("a", network=red, on="host1"), wired.port("b", network=red, on="host2")
    for said in (broadcast(out), to_unknown(out), raw(out, a)):
        assert wired.send(said).wires == []
    wired.send(raw(out, a)).reaches(a)
    wired.send(to_unknown(out)).reaches_nobody("no port here may have that address")


def test_ports_that_may_have_any_address_hear_of_unknown_ones_wherever_they_are(wired: Net, kind: Any) -> None:
    make, out = kind
    red = make(wired, "red", subnets=())
    a, near, far = (
        wired.port("a", network=red, on="host1"),
        wired.port("near", network=red, on="host1", security=False),
        wired.port("far", network=red, on="host2", security=False),
    )
    wired.send(to_unknown(a)).reaches(near, far)
    wired.send(to_unknown(out)).reaches(near, far)
    wired.send(to_unknown(far)).reaches(near)


def test_tenant_networks_never_appear_on_the_wire(wired: Net) -> None:
    green = wired.network("green", subnets=())
    a, b = wired.port("a", network=green, on="host1"), wired.port("b", network=green, on="host2", security=False)
    for said in (raw(a, b), broadcast(a), to_unknown(a)):
        journey = wired.send(said).reaches(b)
        assert journey.wires == [] and [there for _, there, *_ in journey.hops] == ["host2"]


def test_vlans_and_physical_networks_are_kept_apart(wired: Net) -> None:
    wire(wired, "host1", "host2", to="physnet2")
    made = {
        "red": vlan(wired, "red", 101, subnets=()),
        "blue": vlan(wired, "blue", 102, subnets=()),
        "plain": flat(wired, "plain", subnets=()),
        "other": vlan(wired, "other", 101, wire="physnet2", subnets=()),
    }
    ports = {
        name: [
            wired.port(f"{name}{number}", network=network, on=f"host{number}", mac_address=f"fa:16:3e:aa:00:0{number}")
            for number in (1, 2)
        ]
        for name, network in made.items()
    }
    outside = {"red": [OUT], "blue": [ELSEWHERE], "plain": [PLAIN], "other": []}
    for name, (a, b) in ports.items():
        wired.send(raw(a, b)).reaches(b)
        journey = wired.send(broadcast(a)).reaches(b, *outside[name])
        assert [where for _, where, _ in journey.wires] == ["physnet2" if name == "other" else "physnet1"]


# ---- machines on the wire


def test_a_machine_on_the_wire_is_reached_and_answers(wired: Net, kind: Any) -> None:
    make, out = kind
    a = wired.port("a", network=make(wired, "red"), on="host1")
    for v in (4, 6):
        wired.passes(tcp(a, out, 80, v=v))
        wired.passes(ping(a, out, v=v))


def test_a_machine_on_the_wire_gets_in_where_the_group_allows(wired: Net, kind: Any) -> None:
    make, out = kind
    group = wired.group("web")
    wired.rule(group, protocol="tcp", ports=80, remote="10.0.0.0/24")
    a = wired.port("a", network=make(wired, "red"), on="host1", groups=[group])
    wired.passes(tcp(out, a, 80))
    for said in (tcp(out, a, 22), udp(out, a, 80), ping(out, a)):
        wired.send(said).reaches_nobody("no rule of the receiver's groups allows it")


def test_stateless_groups_hold_for_the_wire_too(wired: Net) -> None:
    group = wired.group("dns", stateful=False)
    wired.rule(group, protocol="udp", ports=53)
    a = wired.port("a", network=vlan(wired, "red", 101), on="host1", groups=[group])
    wired.passes(udp(OUT, a, 53))
    wired.send(udp(OUT, a, 54)).reaches_nobody("no rule of the receiver's groups allows it in")


def test_a_machine_asks_for_a_port_and_the_port_itself_answers(wired: Net, kind: Any) -> None:
    make, out = kind
    red = make(wired, "red")
    a, b = wired.port("a", network=red, on="host1"), wired.port("b", network=red, on="host2")
    wired.send(out, frames.arp_request(out.mac, out.ip, a.ip)).reaches(a, b)
    wired.send(a, frames.arp_reply(a.mac, a.ip, out.mac, out.ip)).reaches(out)
    wired.send(a, frames.arp_request(a.mac, a.ip, out.ip)).reaches(b, out)
    wired.send(a, frames.arp_request(a.mac, a.ip, b.ip)).answered(arp_spa=b.ip)


def test_a_machine_in_another_vlan_reaches_nobody(wired: Net) -> None:
    a = wired.port("a", network=vlan(wired, "red", 101, subnets=()), on="host1")
    for other in (ELSEWHERE, PLAIN):
        wired.send(raw(other, a)).reaches_nobody("not a known port")
        wired.send(broadcast(other)).reaches_nobody("not a known port")


def test_a_tag_inside_a_tag_is_refused(wired: Net) -> None:
    """Who sees a tag instead of addresses cannot hold them against rules; the receiver's kernel would look inside."""
    a = wired.port("a", network=vlan(wired, "red", 101), on="host1", groups=[open_group(wired)])
    inner = tcp(OUT, a, 22).frame
    for ethertype in (frames.VLAN, frames.QINQ):
        twice = frames.tagged(frames.tagged(inner, ethertype=ethertype), OUT.vlan or 0)
        wired.send(Said(OUT, twice)).reaches_nobody("a tag inside a tag")
    plain = wired.port("p", network=flat(wired, "plain", subnets=()), on="host1")
    wired.send(Said(PLAIN, frames.tagged(raw(PLAIN, plain).frame))).reaches_nobody("not a known port")


def test_what_a_port_has_tagged_itself_stays_off_the_wire(wired: Net, kind: Any) -> None:
    """In a flat network it would be another network's frame."""
    red = kind[0](wired, "red", subnets=())
    a, b, c = (
        wired.port(name, network=red, on=host, security=False)
        for name, host in (("a", "host1"), ("b", "host1"), ("c", "host2"))
    )
    assert wired.send(a, frames.tagged(raw(a, b).frame, 102)).reaches(b).wires == []
    for frame in (raw(a, c).frame, broadcast(a).frame, to_unknown(a).frame, raw(a, ELSEWHERE).frame):
        journey = wired.send(a, frames.tagged(frame, 102))
        assert journey.wires == [] and "it has a tag of its own" in journey.refused


# ---- uplinks come and go


def test_without_an_uplink_a_host_keeps_to_itself(net: Net, kind: Any) -> None:
    red = kind[0](net, "red", subnets=())
    a, b, c = (net.port(name, network=red, on=host) for name, host in (("a", "host1"), ("b", "host1"), ("c", "host2")))
    net.send(raw(a, b)).reaches(b)
    net.send(raw(a, c)).reaches_nobody("its physical network is not here")
    net.send(broadcast(a)).reaches(b)
    wire(net, "host1")
    assert net.send(broadcast(a)).reaches(b).wires == [("host1", "physnet1", 101 if kind[1] is OUT else None)]
    wire(net, "host2", ofport=65111)
    net.send(raw(a, c)).reaches(c)
    wire(net, "host2", ofport=65120)
    net.send(raw(c, a)).reaches(a)
    unwire(net, "host2")
    net.send(raw(c, a)).reaches_nobody("its physical network is not here")
    net.send(broadcast(a)).reaches(b)


def test_an_uplink_to_another_physical_network_is_of_no_use(net: Net) -> None:
    wire(net, "host1", "host2", to="physnet2")
    red = vlan(net, "red", 101, subnets=())
    a, b = net.port("a", network=red, on="host1"), net.port("b", network=red, on="host2")
    net.send(raw(a, b)).reaches_nobody("its physical network is not here")


def test_a_port_that_moves_is_found_at_once(wired: Net, kind: Any) -> None:
    make, out = kind
    red = make(wired, "red", subnets=())
    a, b = wired.port("a", network=red, on="host1"), wired.port("b", network=red, on="host2")
    wired.send(raw(a, b)).reaches(b)
    wired.unplug(b, "host2")
    wired.plug(b, "host1")
    assert wired.send(raw(a, b)).reaches(b).wires == []
    wired.send(raw(out, b)).reaches(b)


def test_a_moving_port_touches_only_the_hosts_it_leaves_and_comes_to(wired: Net) -> None:
    red = vlan(wired, "red", 101)
    for host in ("host1", "host2", "host3"):
        wired.port(f"at-{host}", network=red, on=host, groups=[])
    b = wired.port("b", network=red, on="host2", groups=[], ip=())
    wired.unplug(b, "host2")
    wired.plug(b, "host3")
    assert {switch for switch, told in wired.last.items() if told} == {wired.switch_on("host3")}


def test_hosts_without_ports_of_the_network_take_nothing_from_the_wire(wired: Net) -> None:
    red = vlan(wired, "red", 101, subnets=())
    a = wired.port("a", network=red, on="host1")
    assert not [key for key, entry in wired.flows("host3").items() if entry.why.resource == red.id]
    wired.remove(a)
    assert not [key for key, entry in wired.flows("host1").items() if entry.why.resource == red.id]


# ---- beside routers


@pytest.fixture
def joined(wired: Net) -> tuple[Net, Port, Port, Router]:
    """A tenant's network and a VLAN, joined by a router; a machine of each, on two hosts."""
    group = open_group(wired)
    green, red = wired.network("green", subnets=("10.1.0.0/24",)), vlan(wired, "red", 101, subnets=("10.0.0.0/24",))
    router = Router(wired).join(green, red)
    return (
        wired,
        wired.port("a", network=green, on="host1", groups=[group]),
        wired.port("b", network=red, on="host2", groups=[group]),
        router,
    )


def test_routed_frames_come_from_a_mac_of_the_host(joined: tuple[Net, Port, Port, Router]) -> None:
    net, a, b, router = joined
    there = routed_ping(a, router.on(net.things["network", "green"]), b)
    journey = net.send(there).reaches(b)
    assert journey.wires == [("host1", "physnet1", 101)] and journey.hops == []
    interface = router.on(net.things["network", "red"])
    assert journey.arrived["eth_src"] == int(wire_mac(net.switch_on("host1"), interface).replace(":", ""), 16)
    back = routed_ping(b, router.on(net.things["network", "red"]), a, reply=True)
    journey = net.send(back).reaches(a)
    assert journey.wires == [] and [hop[:2] for hop in journey.hops] == [("host2", "host1")]


def test_a_routers_own_mac_is_on_no_wire(joined: tuple[Net, Port, Port, Router]) -> None:
    net, a, _, router = joined
    gateway = router.on(net.things["network", "red"])
    net.send(Said(OUT, frames.echo(OUT.mac, gateway.mac, OUT.ip, a.ip))).reaches_nobody(
        "a router's own MAC"
    )
