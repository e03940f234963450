"""Switching: frames between the ports of one network, wherever they are, and to nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit import frames
from tests.kit.net import Net, Port, Thing
from tests.kit.talk import broadcast, multicast, ping, raw, tcp, to_unknown, udp

TYPES = ("vxlan", "geneve", "gre")


def bare(net: Net, name: str, *, type: str = "vxlan", project: str = "acme") -> Thing:
    """A network without a subnet: any ethertype passes."""
    return net.network(name, type=type, subnets=(), project=project)


def ports(net: Net, network: Thing, **where: str) -> list[Port]:
    return [net.port(name, network=network, on=host) for name, host in where.items()]


# ---- unicast


def test_a_frame_reaches_the_port_with_its_address_on_the_same_host(net: Net) -> None:
    web, db, _ = ports(net, bare(net, "red"), web="host1", db="host1", other="host1")
    net.send(raw(web, db)).reaches(db)


@pytest.mark.parametrize("type", TYPES)
def test_a_frame_reaches_the_port_with_its_address_on_another_host(net: Net, type: str) -> None:
    web, db, *_ = ports(net, bare(net, "red", type=type), web="host1", db="host2", other="host2", third="host3")
    journey = net.send(raw(web, db)).reaches(db)
    assert [(here, there, how) for here, there, how, _ in journey.hops] == [("host1", "host2", type)]


@pytest.mark.parametrize("v", (4, 6))
def test_hosts_may_have_underlay_addresses_of_either_version(net: Net, v: int) -> None:
    for number in (1, 2):
        net.host(f"host{number}", v=v)
    web, db = ports(net, bare(net, "red"), web="host1", db="host2")
    net.send(raw(web, db)).reaches(db)
    net.send(broadcast(db)).reaches(web)


def test_hosts_of_either_underlay_version_reach_each_other_in_one_network(net: Net) -> None:
    for number, v in ((1, 6), (2, 4), (3, 6), (4, 4)):
        net.host(f"host{number}", v=v)
    everybody = ports(net, bare(net, "red"), a="host1", b="host2", c="host3", d="host4")
    for sender in everybody:
        net.send(broadcast(sender)).reaches(*[port for port in everybody if port is not sender])


def test_any_ethertype_passes_where_there_is_no_subnet(net: Net) -> None:
    web, db = ports(net, bare(net, "red"), web="host1", db="host2")
    for ethertype in (0x88B5, 0x8137, 0x22F0, 0x8906, 0x8035):
        net.send(raw(web, db, ethertype)).reaches(db)


def test_only_ip_and_arp_pass_where_there_are_subnets(net: Net) -> None:
    web, db = net.port("web", on="host1"), net.port("db", on="host2")
    net.send(raw(web, db)).reaches_nobody("source address is not the port's")


def test_a_frame_to_ones_own_address_goes_nowhere(net: Net) -> None:
    web, _ = ports(net, bare(net, "red"), web="host1", db="host1")
    net.send(raw(web, web)).reaches_nobody()


# ---- to many


def test_a_broadcast_reaches_every_member_once_and_never_comes_back(net: Net) -> None:
    red, blue = bare(net, "red"), bare(net, "blue")
    members = ports(net, red, a1="host1", b1="host1", a2="host2", b2="host2", a3="host3")
    ports(net, blue, x1="host1", x2="host2", x3="host3", x4="host4")
    for sender in members:
        journey = net.send(broadcast(sender)).reaches(*[port for port in members if port is not sender])
        assert sorted(there for _, there, *_ in journey.hops) == sorted(
            {"host1", "host2", "host3"} - {here_of(net, sender)}
        )


def here_of(net: Net, port: Port) -> str:
    return str(net.model.find("interface", "port_id", port.id)[0].host_id)


def test_a_network_on_one_host_sends_nothing_into_tunnels(net: Net) -> None:
    web, db = ports(net, bare(net, "red"), web="host1", db="host1")
    ports(net, bare(net, "blue"), other="host2")
    assert net.send(broadcast(web)).reaches(db).hops == []


def test_a_host_without_an_underlay_address_keeps_to_itself(net: Net) -> None:
    net.host("host3", tunnel_ip=None)
    a, b, c, d = ports(net, bare(net, "red"), a="host1", b="host2", c="host3", d="host3")
    net.send(broadcast(a)).reaches(b)
    net.send(raw(a, c)).reaches_nobody()
    net.send(raw(c, d)).reaches(d)


@pytest.mark.parametrize("v", (4, 6))
def test_multicast_reaches_every_member(net: Net, v: int) -> None:
    open = net.group("open")
    net.rule(open, "ingress", v=v)
    web, *others = [
        net.port(name, on=host, groups=[open]) for name, host in (("web", "host1"), ("b", "host1"), ("c", "host2"))
    ]
    net.send(multicast(web, v=v)).reaches(*others)


def test_a_frame_from_a_tunnel_is_never_sent_into_a_tunnel(net: Net) -> None:
    """Even if a host is wrong about where a port is, as while it moves."""
    web, db, third = ports(net, bare(net, "red"), web="host1", db="host2", third="host3")
    stale = dict(net.flows("host1"))
    net.unplug(db, "host2")
    net.plug(db, "host3")
    net.bridges[net.switch_on("host1")].take(stale)  # host1 still sends to host2
    journey = net.send(raw(web, db)).reaches_nobody()
    assert len(journey.hops) == 1
    net.bridges[net.switch_on("host1")].take(
        {key: net.compiler.desired(net.switch_on("host1")).get(key) for key in stale}
    )
    net.send(raw(web, db)).reaches(db)
    net.send(broadcast(third)).reaches(web, db)


# ---- unknown addresses


def test_a_frame_to_an_unknown_address_reaches_nobody(net: Net) -> None:
    web, *_ = ports(net, bare(net, "red"), web="host1", db="host1", far="host2")
    net.send(to_unknown(web)).reaches_nobody("no such receiver in the network")


def test_a_frame_to_an_unknown_address_reaches_only_ports_that_may_have_it(net: Net) -> None:
    red = bare(net, "red")
    web, _, _ = ports(net, red, web="host1", db="host1", far="host2")
    bridge, vrrp = (
        net.port("bridge", network=red, on="host2", security=False),
        net.port("vrrp", network=red, on="host1", pairs=[("10.0.0.9", "00:00:5e:00:01:07")]),
    )
    net.port("same", network=red, on="host1", pairs=["10.0.0.9"])  # further addresses with its own MAC: not foreign
    blue = bare(net, "blue", project="other")
    net.port("elsewhere", network=blue, on="host1", security=False)
    journey = net.send(to_unknown(web)).reaches(bridge, vrrp)
    assert [there for _, there, *_ in journey.hops] == ["host2"]
    net.send(to_unknown(bridge)).reaches(vrrp)
    net.send(to_unknown(vrrp)).reaches(bridge)


def test_a_known_address_is_not_flooded_to_ports_that_may_have_any(net: Net) -> None:
    red = bare(net, "red")
    web, db = ports(net, red, web="host1", db="host2")
    net.port("bridge", network=red, on="host2", security=False)
    net.send(raw(web, db)).reaches(db)


# ---- isolation


@pytest.mark.parametrize("there", ("host1", "host2"))
@pytest.mark.parametrize("type", TYPES)
def test_two_tenants_with_the_same_addresses_never_hear_of_each_other(net: Net, type: str, there: str) -> None:
    pairs = {}
    for tenant in ("red", "blue"):
        network = net.network(tenant, type=type, project=tenant)
        mine = [
            net.port(
                f"{tenant} {name}",
                network=network,
                on=host,
                ip=[f"10.0.0.{n}", f"2001:db8::{n}"],
                mac_address=f"fa:16:3e:00:07:0{n}",
            )
            for n, (name, host) in enumerate((("web", "host1"), ("db", there)), 5)
        ]
        pairs[tenant] = mine
    assert pairs["red"][0].ip == pairs["blue"][0].ip and pairs["red"][0].mac == pairs["blue"][0].mac
    for web, db in pairs.values():
        for v in (4, 6):
            for said in (tcp(web, db, v=v), udp(web, db, v=v), ping(web, db, v=v)):
                net.send(said).reaches(db)
                net.send(said.answer()).reaches(web)
            net.send(multicast(db, v=v)).reaches(web)
        net.send(web, frames.arp_request(web.mac, web.ip, "10.0.0.99")).reaches(db)


def test_an_answer_of_one_tenant_is_not_taken_for_that_of_another(net: Net) -> None:
    """Both connections have the same addresses and ports, so only the zone tells them apart."""
    ends = {}
    for tenant in ("red", "blue"):
        network = net.network(tenant, project=tenant)
        ends[tenant] = [
            net.port(
                f"{tenant} {name}", network=network, on="host1", ip=f"10.0.0.{n}", groups=[] if name == "db" else None
            )
            for n, name in ((5, "web"), (6, "db"))
        ]
    (red_web, red_db), (blue_web, blue_db) = ends["red"], ends["blue"]
    red_open = net.group("red open", project="red")
    net.rule(red_open, "ingress")
    net.change(red_db, security_groups=[red_open.id])
    net.send(tcp(red_web, red_db)).reaches(red_db)
    net.send(tcp(red_web, red_db).answer()).reaches(red_web)
    net.send(tcp(blue_web, blue_db).answer()).reaches_nobody()


def test_networks_with_equal_tunnel_keys_of_different_types_stay_apart(net: Net) -> None:
    red, blue = bare(net, "red", type="vxlan"), bare(net, "blue", type="gre")
    assert red.provider_segmentation_id == blue.provider_segmentation_id
    a, b = ports(net, red, a="host1", b="host2")
    ports(net, blue, x="host1", y="host2")
    net.send(broadcast(a)).reaches(b)


def test_a_frame_with_the_key_of_a_network_that_is_not_here_is_dropped(net: Net) -> None:
    web, db = ports(net, bare(net, "red"), web="host1", db="host2")
    net.unplug(db, "host2")
    net.send(broadcast(web)).reaches_nobody()
    assert not [key for key, entry in net.flows("host2").items() if entry.why.rule.endswith("admit_from_tunnel")]


# ---- up, down, here, there


def changed(change: Callable[[Net, Port], object]) -> Callable[[Net, Port], object]:
    return change


@pytest.mark.parametrize(
    "down",
    [
        pytest.param(lambda net, db: net.change(db, admin_state_up=False), id="admin down"),
        pytest.param(lambda net, db: net.unplug(db, "host2"), id="unplugged"),
        pytest.param(lambda net, db: net.change(db, binding_host_id="host9"), id="bound to another host"),
        pytest.param(lambda net, db: net.plug(db, "host2", ofport=0), id="without an OpenFlow port"),
        pytest.param(lambda net, db: net.remove(db), id="deleted"),
    ],
)
def test_a_port_that_is_down_neither_receives_nor_sends(net: Net, down: Callable[[Net, Port], object]) -> None:
    red = bare(net, "red")
    web, db, other = ports(net, red, web="host1", db="host2", other="host2")
    to_db, from_db, place = raw(web, db), raw(db, web), net.place(db)
    down(net, db)
    net.send(to_db).reaches_nobody()
    net.send(broadcast(web)).reaches(other)
    net.learn(
        [
            (
                "interface",
                {"id": "host2/left", "host_id": "host2", "switch_id": place[0], "name": "left", "ofport": place[1]},
            )
        ]
    )
    net.send(db, from_db.frame, at=place).reaches_nobody("not a known port")  # its machine does not know


def test_a_network_that_is_admin_down_carries_nothing_until_it_is_up_again(net: Net) -> None:
    red = bare(net, "red")
    web, db = ports(net, red, web="host1", db="host2")
    net.change(red, admin_state_up=False)
    net.send(raw(web, db)).reaches_nobody()
    net.change(red, admin_state_up=True)
    net.send(raw(web, db)).reaches(db)


def test_a_port_is_taken_where_it_is_bound_if_two_hosts_show_it(net: Net) -> None:
    web, db = ports(net, bare(net, "red"), web="host1", db="host2")
    net.plug(db, "host3")
    net.change(db, binding_host_id="host3")
    assert net.send(raw(web, db)).reaches(db).hops[-1][:2] == ("host1", "host3")
    net.send(db, raw(db, web).frame, on="host2").reaches_nobody("not a known port")
    net.change(db, binding_host_id="host2.example")  # a host's name will do
    assert net.send(raw(web, db)).reaches(db).hops[-1][:2] == ("host1", "host2")


def test_a_port_that_moves_is_reached_where_it_is_now(net: Net) -> None:
    web, db = ports(net, bare(net, "red"), web="host1", db="host2")
    net.unplug(db, "host2")
    net.plug(db, "host3")
    assert [hop[:2] for hop in net.send(raw(web, db)).reaches(db).hops] == [("host1", "host3")]
    net.send(raw(db, web)).reaches(web)
    net.unplug(db, "host3")
    net.plug(db, "host1")
    assert net.send(raw(web, db)).reaches(db).hops == []


def test_a_host_that_gets_another_underlay_address_is_reached_there(net: Net) -> None:
    web, db = ports(net, bare(net, "red"), web="host1", db="host2")
    net.host("host2", tunnel_ip="198.51.100.2")
    net.send(raw(web, db)).reaches(db)
    net.send(broadcast(web)).reaches(db)
