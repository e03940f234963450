"""Access lists: what may not cross a network, whatever security groups say; and ports that do not reach each other."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Invalid, Unsupported
from tests.apps.cases import HOSTS
from tests.kit import router as router_kit
from tests.kit.net import Net, Port, Thing
from tests.kit.router import Router
from tests.kit.talk import ping, tcp, udp
from tests.kit.worlds import ADMIN, World

DENIED = "an access rule denies it"


def make(net: Net, kind: str, **attributes: Any) -> Any:
    (row,) = net.writer.create(ADMIN, kind, [attributes])
    net.settle()
    return row


def pair(net: Net, there: str) -> tuple[Thing, Port, Port]:
    """A network and two of its ports, whose groups allow everything between them."""
    network = net.network("red")
    return network, net.port("a", on="host1", network=network), net.port("b", on=there, network=network)


@HOSTS
@pytest.mark.parametrize("v", [4, 6])
def test_a_protocol_is_denied_in_a_whole_network_and_others_pass(net: Net, there: str, v: int) -> None:
    network, a, b = pair(net, there)
    net.send(udp(a, b, 53, v=v)).reaches(b)
    rule = make(net, "access_rule", network_id=network.id, priority=100, protocol="udp")
    net.send(udp(a, b, 53, v=v)).reaches_nobody(DENIED)
    net.send(udp(b, a, 53, v=v)).reaches_nobody(DENIED)
    net.passes(tcp(a, b, 80, v=v))
    net.passes(ping(a, b, v=v))
    net.writer.delete(ADMIN, "access_rule", rule.id)
    net.settle()
    net.send(udp(a, b, 53, v=v)).reaches(b)


def test_a_connection_that_is_there_already_ends_both_ways(net: Net) -> None:
    network, a, b = pair(net, "host2")
    said = udp(a, b, 53)
    net.passes(said)
    make(net, "access_rule", network_id=network.id, priority=1, protocol="udp")
    net.send(said).reaches_nobody(DENIED)
    net.send(said.answer()).reaches_nobody(DENIED)


def test_the_rule_of_the_highest_priority_counts(net: Net) -> None:
    network, a, b = pair(net, "host2")
    make(net, "access_rule", network_id=network.id, priority=10, protocol="tcp")
    make(net, "access_rule", network_id=network.id, priority=20, protocol="tcp", port_range_min=80, port_range_max=81,
         action="allow")
    for port in (80, 81):
        net.send(tcp(a, b, port)).reaches(b)
    net.send(tcp(a, b, 82)).reaches_nobody(DENIED)


def test_a_direction_is_that_of_the_network_s_ports(net: Net) -> None:
    network, a, b = pair(net, "host1")
    make(net, "access_rule", network_id=network.id, priority=10, protocol="tcp", direction="ingress",
         remote_ip_prefix=f"{a.ip}/32")
    net.send(tcp(a, b, 80)).reaches_nobody(DENIED)
    net.send(tcp(b, a, 80)).reaches(a)


def test_a_rule_of_a_subnet_is_about_its_addresses_only(net: Net) -> None:
    network, a, b = pair(net, "host2")
    (four,) = [one for one in net.model.find("subnet", "network_id", network.id) if one.ip_version == 4]
    make(net, "access_rule", network_id=network.id, subnet_id=four.id, priority=10, protocol="tcp", port_range_min=23,
         port_range_max=23)
    later = net.port("later", on="host2", network=network)
    for other in (b, later):
        net.send(tcp(a, other, 23)).reaches_nobody(DENIED)
        net.send(tcp(other, a, 23)).reaches_nobody(DENIED)
        net.send(tcp(a, other, 23, v=6)).reaches(other)


def test_a_port_without_security_is_held_too(net: Net) -> None:
    network = net.network("red")
    free, other = (net.port(name, on="host1", network=network, security=False) for name in ("free", "other"))
    net.send(udp(free, other, 53)).reaches(other)
    make(net, "access_rule", network_id=network.id, priority=10, protocol="udp")
    net.send(udp(free, other, 53)).reaches_nobody(DENIED)
    net.send(tcp(free, other, 53)).reaches(other)


@HOSTS
def test_isolated_ports_reach_routers_and_not_each_other(net: Net, there: str, red: Thing, blue: Thing) -> None:
    a, b, far = net.port("a", on="host1", network=red), net.port("b", on=there, network=red), net.port("far", on=there, network=blue)
    router = Router(net).join(red, blue)
    make(net, "port_isolation", network_id=red.id)
    for said in (tcp(a, b, 80), ping(b, a, v=6)):
        net.send(said).reaches_nobody("ports of its network do not reach each other")
    for v in (4, 6):
        net.send(router_kit.ping(a, router.on(red, v), far, v=v)).reaches(far)
        net.send(router_kit.ping(far, router.on(blue, v), a, v=v, reply=True)).reaches(a)


# ---- documents

@pytest.mark.parametrize(("said", "field"), [
    ({"protocol": "tcp", "port_range_min": 80}, "port_range_max"),
    ({"protocol": "tcp", "port_range_min": 81, "port_range_max": 80}, "port_range_min"),
    ({"port_range_min": 1, "port_range_max": 2}, "port_range_min"),
    ({"protocol": "icmp", "port_range_max": 2}, "port_range_min"),
    ({"protocol": "icmp", "port_range_min": 256}, "port_range_min"),
    ({"ethertype": "IPv6", "remote_ip_prefix": "10.0.0.0/8"}, "remote_ip_prefix"),
    ({"ethertype": "IPv4", "protocol": "ipv6-icmp"}, "protocol"),
])
def test_a_rule_that_makes_no_sense_is_refused(said: dict[str, Any], field: str) -> None:
    world = World()
    network = world.make("network", ADMIN)
    with pytest.raises(Invalid, match=f"^{field}: "):
        world.make("access_rule", ADMIN, network_id=network.id, priority=1, **said)


def test_ports_that_openflow_cannot_tell_are_not_served() -> None:
    world = World()
    with pytest.raises(Unsupported, match="^port_range_min: "):
        world.make("access_rule", ADMIN, network_id=world.make("network", ADMIN).id, priority=1, protocol="dccp",
                   port_range_min=1, port_range_max=1)


def test_two_rules_of_a_network_never_have_one_priority() -> None:
    world = World()
    one, other = world.make("network", ADMIN), world.make("network", ADMIN)
    world.make("access_rule", ADMIN, network_id=one.id, priority=1)
    world.make("access_rule", ADMIN, network_id=other.id, priority=1)
    with pytest.raises(Conflict) as refused:
        world.make("access_rule", ADMIN, network_id=one.id, priority=1)
    assert refused.value.type == "AccessRulePriorityInUse"


def test_rules_go_with_their_network() -> None:
    world = World()
    network = world.make("network", ADMIN)
    world.make("access_rule", ADMIN, network_id=network.id, priority=1)
    world.make("port_isolation", ADMIN, network_id=network.id)
    world.drop(network, ADMIN)
    assert not world.model.rows["access_rule"] and not world.model.rows["port_isolation"]
