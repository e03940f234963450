"""What things cost: flows on the port's own host and on others."""

from __future__ import annotations

from collections.abc import Callable

from apps.pipeline import FORWARD
from tests.kit.net import Net, Thing


def grown(net: Net, grow: Callable[[], object]) -> dict[str, int]:
    """By host how many flows something adds; meters are none."""

    def count() -> dict[str, int]:
        return {
            host.id: sum(key[0] not in ("meter", "group") for key in net.flows(host.id))
            for host in net.model.find("host", "all", True)
        }

    before = count()
    grow()
    return {host: after - before[host] for host, after in count().items()}


def test_a_dual_stack_port_with_five_rules_costs_its_host_22_flows_and_another_3_and_its_addresses(net: Net) -> None:
    web = net.group("web")
    net.rule(web, protocol="icmp")
    net.rule(web, protocol="tcp", ports=80)
    net.rule(web, protocol="tcp", ports=22, remote=web)
    for n in (1, 2, 3):
        net.port(f"web{n}", on=f"host{n}", groups=[web])
    cost = grown(net, lambda: net.port("new", on="host1", groups=[web]))
    print(f"a dual-stack port with five rules: {cost}")
    assert cost["host1"] == 22
    assert cost["host2"] == cost["host3"] == 3 + 1  # its IPv4 address is a member


def test_a_port_in_the_default_group_and_one_rule_more_costs_as_much(net: Net) -> None:
    net.port("first", on="host1")
    net.port("second", on="host2")
    net.rule(net.default_group(), protocol="tcp", ports=22)
    cost = grown(net, lambda: net.port("new", on="host1"))
    print(f"a dual-stack port in the default group, with one rule more: {cost}")
    assert cost == {"host1": 23, "host2": 3 + 2}


def test_a_group_that_is_nobodys_remote_group_costs_other_hosts_nothing(net: Net, server: Thing) -> None:
    for port in range(20):
        net.rule(server, protocol="tcp", ports=8000 + port)
    for n in (1, 2):
        net.port(f"p{n}", on=f"host{n}", groups=[server])
    assert grown(net, lambda: net.port("new", on="host1", groups=[server]))["host2"] == 3


def test_members_are_known_once_for_each_host_and_not_for_each_port_or_network(net: Net) -> None:
    friends, serving = net.group("friends"), net.group("serving")
    net.rule(serving, protocol="tcp", ports=80, remote=friends)
    net.host("host2")
    networks = [net.network(f"n{n}") for n in range(3)]
    for n, network in enumerate(networks):
        for m in range(3):
            net.port(f"s{n}{m}", network=network, on="host1", groups=[serving])
    cost = grown(net, lambda: net.port("friend", network=networks[0], on="host2", groups=[friends], ip="10.0.0.100"))
    assert cost["host1"] == 2 + 1  # where it is, its ARP answer, and that it is a friend


def test_a_rule_costs_one_flow_on_each_host_however_many_ports_use_it(net: Net, server: Thing) -> None:
    for n in range(5):
        net.port(f"p{n}", on="host1", groups=[server])
    net.port("there", on="host2", groups=[server])
    assert grown(net, lambda: net.rule(server, protocol="tcp", ports=80)) == {"host1": 1, "host2": 1}
    assert grown(net, lambda: net.rule(server, protocol="tcp", ports=(1, 65535)))["host1"] <= 16


def test_a_rule_costs_one_flow_for_each_combination_of_groups_that_ports_of_the_host_are_in(net: Net, server: Thing) -> None:
    others = [net.group(f"other{n}") for n in range(3)]
    net.port("alone", on="host1", groups=[server])
    for n, other in enumerate(others):
        for m in range(2):
            net.port(f"p{n}{m}", on="host1", groups=[other, server] if m else [server, other])
    net.port("there", on="host2", groups=[server, *others])
    assert grown(net, lambda: net.rule(server, protocol="tcp", ports=80)) == {"host1": 4, "host2": 1}


def test_a_port_costs_other_hosts_one_flow_for_its_address(net: Net) -> None:
    red = net.network("red", subnets=())
    for name, host in (("web", "host1"), ("db", "host2")):
        net.port(name, network=red, on=host, groups=[])
    assert grown(net, lambda: net.port("new", network=red, on="host2", groups=[]))["host1"] == 1
    (told,) = net.last[net.switch_on("host1")]
    assert told[0] == FORWARD.number


def test_the_list_of_peers_is_one_flow_and_the_same_on_every_host(net: Net) -> None:
    for n in range(1, 6):
        net.port(f"p{n}", on=f"host{n}")
    floods = [
        [entry for entry in net.flows(f"host{n}").values() if entry.why.rule.endswith("flood")] for n in range(1, 6)
    ]
    assert all(len(each) == 1 for each in floods)
    assert len({each[0].add() for each in floods}) == 1
