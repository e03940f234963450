"""Address groups: a rule lets in, or out, who has one of the addresses of a list."""

from __future__ import annotations

import pytest

from tests.apps.cases import FAMILIES, HOSTS
from tests.apps.test_cost import grown
from tests.kit.net import Net, Thing
from tests.kit.talk import ACK, ping, tcp

NEAR = {4: "10.0.0.16/28", 6: "2001:db8::10/124"}


def at(v: int, last: int) -> str:
    return f"10.0.0.{last}" if v == 4 else f"2001:db8::{last:x}"


@HOSTS
@FAMILIES
def test_a_rule_for_a_list_allows_its_addresses_only(net: Net, server: Thing, there: str, v: int) -> None:
    near = net.addresses("near", NEAR[v], "192.0.2.0/24", "2001:db8:9::/48")
    net.rule(server, protocol="tcp", ports=5432, remote=near, v=v)
    one, other = net.port("one", on="host1", ip=at(v, 20)), net.port("other", on="host1", ip=at(v, 40))
    open = net.port("open", on=there, groups=[server], ip=at(v, 5))
    net.passes(tcp(one, open, 5432, v=v))
    net.send(tcp(other, open, 5432, v=v)).reaches_nobody("no rule of the receiver's groups allows it")
    net.send(tcp(one, open, 80, v=v)).reaches_nobody()


@HOSTS
@pytest.mark.parametrize("stateful", (True, False), ids=("stateful", "stateless"))
def test_a_list_holds_for_those_who_send_and_who_receive(net: Net, there: str, stateful: bool) -> None:
    group = net.group("group", egress=False, stateful=stateful)
    near = net.addresses("near", "10.0.0.16/28")
    for direction in ("egress", "ingress"):
        net.rule(group, direction, "tcp", remote=near)
    inside = net.port("inside", on="host1", groups=[group], ip="10.0.0.5")
    friend, stranger = (net.port(name, on=there, ip=ip, security=False) for name, ip in (
        ("friend", "10.0.0.17"), ("stranger", "10.0.0.40")))
    for one, other in ((inside, friend), (friend, inside)):
        net.passes(tcp(one, other, 80))
    net.send(tcp(inside, stranger, 80)).reaches_nobody("no rule of the sender's groups allows it")
    net.send(tcp(stranger, inside, 80)).reaches_nobody("no rule of the receiver's groups allows it")
    net.send(ping(friend, inside)).reaches_nobody()


def test_addresses_come_and_go_under_traffic(net: Net, server: Thing) -> None:
    near = net.addresses("near")
    net.rule(server, remote=near)
    one, open = net.port("one", on="host1", ip="10.0.0.20"), net.port("open", on="host2", groups=[server], ip="10.0.0.5")
    net.send(tcp(one, open)).reaches_nobody()
    net.act(near, "add_addresses", {"addresses": ["10.0.0.20/32"]})
    net.passes(tcp(one, open))
    net.act(near, "remove_addresses", {"addresses": ["10.0.0.20/32"]})
    net.send(tcp(one, open, flags=ACK)).reaches_nobody()
    net.send(tcp(one, open).answer()).reaches_nobody()
    net.act(near, "add_addresses", {"addresses": ["0.0.0.0/0"]})
    net.passes(tcp(one, open, 81))


def test_lists_and_groups_and_blocks_stand_beside_each_other(net: Net, server: Thing) -> None:
    web = net.group("web")
    near, far = net.addresses("near", "10.0.0.16/28", "10.0.0.40/32"), net.addresses("far", "10.0.0.40/32")
    net.rule(server, protocol="tcp", ports=1, remote=near)
    net.rule(server, protocol="tcp", ports=2, remote=far)
    net.rule(server, protocol="tcp", ports=3, remote=web)
    net.rule(server, protocol="tcp", ports=4, remote="10.0.0.60/32")
    open = net.port("open", on="host2", groups=[server], ip="10.0.0.5")
    ports = {last: net.port(f"p{last}", on="host1", ip=f"10.0.0.{last}", groups=[web] if last == 50 else [net.default_group()])
             for last in (20, 40, 50, 60)}
    reached = {(last, port) for last, port_of in ports.items() for port in (1, 2, 3, 4)
               if net.send(tcp(port_of, open, port)).arrivals}
    assert reached == {(20, 1), (40, 1), (40, 2), (50, 3), (60, 4)}


def test_an_address_is_the_same_in_every_network(net: Net, server: Thing) -> None:
    near = net.addresses("near", "10.0.0.16/28")
    net.rule(server, remote=near)
    for name in ("red", "blue"):
        network = net.network(name)
        one, open = (net.port(f"{name} {who}", network=network, on=host, ip=ip, groups=groups) for who, host, ip, groups in (
            ("one", "host1", "10.0.0.20", None), ("open", "host2", "10.0.0.5", [server])))
        net.passes(tcp(one, open))


def test_it_costs_as_many_flows_as_there_are_addresses_where_a_rule_applies(net: Net, server: Thing) -> None:
    many = net.addresses("many", *(f"192.0.2.{number}/32" for number in range(50)), "2001:db8:9::/48")
    for number in (1, 2):
        net.port(f"p{number}", on=f"host{number}", groups=[server] if number == 1 else [])
    assert grown(net, lambda: net.rule(server, protocol="tcp", ports=80, remote=many)) == {"host1": 50 + 1 + 1, "host2": 0}
    assert grown(net, lambda: net.rule(server, protocol="tcp", ports=81, remote=many)) == {"host1": 1, "host2": 0}
