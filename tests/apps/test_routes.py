"""Routes: two subnets of a project reach each other by one request, and nobody else does."""
from __future__ import annotations

from typing import Any

import apps.routes  # noqa: F401  declares rules
from apps.routing import APP as ROUTING
from tests.apps.cases import FAMILIES, HOSTS
from tests.apps.test_routing import ping
from tests.kit.net import Net, Port, Thing


def subnet_of(net: Net, network: Thing, v: int = 4, which: int = 0) -> Any:
    return [one for one in net.model.find("subnet", "network_id", network.id) if one.ip_version == v][which]


def route(net: Net, one: Any, other: Any) -> Thing:
    return net._create("route", f"{one.cidr} to {other.cidr}", "acme", {"subnet_a_id": one.id, "subnet_b_id": other.id})


def gateway(net: Net, subnet: Any) -> Port:
    row = net.model.find("port", "network_id+ip_address", (subnet.network_id, subnet.gateway_ip))[0]
    return Port(net, "port", row.id, f"gateway of {subnet.cidr}")


@HOSTS
@FAMILIES
def test_one_request_joins_two_subnets_both_ways_and_one_parts_them(net: Net, there: str, v: int) -> None:
    red, blue = net.network("red", subnets=("10.1.0.0/24", "2001:db8:1::/64")), \
        net.network("blue", subnets=("10.2.0.0/24", "2001:db8:2::/64"))
    a, b = net.port("a", on="host1", network=red), net.port("b", on=there, network=blue)
    ends = [subnet_of(net, each, v) for each in (red, blue)]
    one = route(net, *ends)
    gates = [gateway(net, end) for end in ends]
    net.send(ping(a, gates[0], b, v=v)).reaches(b)
    net.send(ping(b, gates[1], a, v=v, reply=True)).reaches(a)
    net.send(ping(b, gates[1], a, v=v)).reaches(a)
    sent = ping(a, gates[0], b, v=v)
    net.remove(one)
    net.send(sent).reaches_nobody()
    assert not net.model.rows["router"] and not net.model.rows["route"]
    assert not net.model.find("port", "device_owner", "network:router_interface")


def test_two_subnets_of_one_network_are_joined_too(net: Net) -> None:
    red = net.network("red", subnets=("10.1.0.0/24", "10.2.0.0/24"))
    one, other = subnet_of(net, red), subnet_of(net, red, which=1)
    a = net.port("a", on="host1", network=red, fixed_ips=[{"subnet_id": one.id}])
    b = net.port("b", on="host2", network=red, fixed_ips=[{"subnet_id": other.id}])
    route(net, one, other)
    net.send(ping(a, gateway(net, one), b)).reaches(b)
    net.send(ping(b, gateway(net, other), a, reply=True)).reaches(a)


def test_who_is_routed_to_a_third_is_not_thereby_routed_to_each_other(net: Net) -> None:
    networks = [net.network(name, subnets=(f"10.{number}.0.0/24",)) for number, name in enumerate(("a", "hub", "c"), 1)]
    a, hub, c = (net.port(f"at {one.name}", on="host1", network=one) for one in networks)
    ends = [subnet_of(net, one) for one in networks]
    route(net, ends[0], ends[1])
    last = route(net, ends[1], ends[2])
    of_a, of_hub, of_c = (gateway(net, end) for end in ends)
    for one, gate, other in ((a, of_a, hub), (hub, of_hub, a), (hub, of_hub, c), (c, of_c, hub)):
        net.send(ping(one, gate, other)).reaches(other)
    for one, gate, other in ((a, of_a, c), (c, of_c, a)):
        net.send(ping(one, gate, other)).asks_controller(ROUTING)
    sent = ping(hub, of_hub, c)
    net.remove(last)
    net.send(ping(a, of_a, hub)).reaches(hub)
    net.send(sent).asks_controller(ROUTING)


def test_a_route_of_a_router_that_is_off_leads_nowhere(net: Net) -> None:
    networks = [net.network(name, subnets=(f"10.{number}.0.0/24",)) for number, name in enumerate(("a", "b"), 1)]
    a, b = (net.port(f"at {one.name}", on="host1", network=one) for one in networks)
    made = route(net, *(subnet_of(net, one) for one in networks))
    gate, router = gateway(net, subnet_of(net, networks[0])), Thing(net, "router", made.row.router_id, "router")
    net.change(router, admin_state_up=False)
    net.send(ping(a, gate, b)).reaches_nobody()
    net.change(router, admin_state_up=True)
    net.send(ping(a, gate, b)).reaches(b)
