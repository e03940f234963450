"""What routing costs: flows on the port's own host, on others that the router joins with it, and on the rest."""

from __future__ import annotations

from tests.apps.test_cost import grown
from tests.kit.net import Net, Thing
from tests.kit.router import Router

DUAL = ("10.{}.0.0/24", "2001:db8:{}::/64")


def networks(net: Net, number: int) -> list[Thing]:
    """Dual-stack networks, each with a port on a host of its own."""
    made = [net.network(f"n{n}", subnets=[block.format(n) for block in DUAL]) for n in range(1, number + 1)]
    for n, network in enumerate(made, 1):
        net.port(f"first{n}", network=network, on=f"host{n}", groups=[])
    return made


def test_a_routed_dual_stack_port_costs_one_flow_more_for_each_address_wherever_it_is_routed_to(net: Net) -> None:
    one, other = networks(net, 2)
    net.host("host3")
    net.port("second", network=one, on="host4", groups=[])
    plain = grown(net, lambda: net.port("plain", network=one, on="host1", groups=[]))
    Router(net).join(one, other)
    routed = grown(net, lambda: net.port("routed", network=one, on="host1", groups=[]))
    print(f"a dual-stack port: {plain}, routed: {routed}")
    assert routed["host1"] == plain["host1"] + 2
    assert routed["host4"] == plain["host4"] + 2  # the port's own network, elsewhere
    assert (plain["host2"], routed["host2"]) == (0, 1 + 2)  # the network that it is routed to
    assert routed["host3"] == 0


def test_an_interface_costs_as_many_flows_however_many_the_router_has(net: Net) -> None:
    made = networks(net, 4)
    router = Router(net)
    grown(net, lambda: router.join(made[0]))
    costs = []
    for network in made[1:3]:
        costs.append(grown(net, lambda network=network: router.join(network))["host4"])
    first = grown(net, lambda: router.join(made[3]))
    print(f"a dual-stack interface: {first}")
    assert costs == [0, 0], "nothing of the router is where none of its networks is"
    fewer = grown(net, lambda: router.leave(made[2]))
    again = grown(net, lambda: router.join(made[2]))
    assert again == {host: -cost for host, cost in fewer.items()}
    assert again["host1"] == again["host2"] == again["host4"]


def test_a_router_costs_8_flows_an_ipv4_interface_8_and_an_ipv6_one_13(net: Net) -> None:
    one = networks(net, 3)[0]
    router = Router(net)
    subnets = {n.ip_version: n for n in net.model.find("subnet", "network_id", one.id)}
    first = grown(net, lambda: router.act("add_router_interface", {"subnet_id": subnets[4].id}))
    hops, arp = 2, 1  # the addresses of the one port there; until now the DHCP server has answered ARP for the gateway
    assert first == {"host1": 8 + 8 + hops - arp, "host2": 0, "host3": 0}
    second = grown(net, lambda: router.act("add_router_interface", {"subnet_id": subnets[6].id}))
    assert second == {"host1": 13, "host2": 0, "host3": 0}
    print(f"a router and its first interface: {first['host1']}, an IPv6 one: {second['host1']}")


def test_a_routed_machine_is_one_more_change_and_not_one_for_each_network(net: Net) -> None:
    """What a switch is told when a port comes is about that port alone."""
    one, other = networks(net, 2)
    Router(net).join(one, other)
    net.port("new", network=one, on="host1", groups=[])
    assert len(net.last[net.switch_on("host2")]) == 1 + 2
