"""Stateless groups: each packet is judged alone, in either direction."""

from __future__ import annotations

import pytest

from tests.apps.cases import FAMILIES, HOSTS, pair
from tests.kit.net import Net
from tests.kit.talk import udp


@HOSTS
@FAMILIES
def test_stateless_groups_need_a_rule_for_each_direction(net: Net, there: str, v: int) -> None:
    asking, serving = (net.group(name, stateful=False, egress=False) for name in ("asking", "serving"))
    client, open = net.port("client", on="host1", groups=[asking]), net.port("open", on=there, groups=[serving])
    said = udp(client, open, v=v)
    net.rule(asking, "egress", "udp", 53, v=v)
    net.send(said).reaches_nobody()
    net.rule(serving, "ingress", "udp", 53, v=v)
    net.send(said).reaches(open)
    net.send(said.answer()).reaches_nobody()
    net.rule(serving, "egress", "udp", v=v)
    net.send(said.answer()).reaches_nobody()
    net.rule(asking, "ingress", "udp", (40000, 40000), v=v)
    net.send(said.answer()).reaches(client)
    assert not any(bridge.conntrack.connections for bridge in net.bridges.values())


@HOSTS
@pytest.mark.parametrize("stateless", ("client", "server"))
def test_a_stateless_port_talks_to_a_stateful_one(net: Net, there: str, stateless: str) -> None:
    free, kept = net.group("free", stateful=False), net.group("kept")
    net.rule(free)
    net.rule(kept, protocol="udp", ports=53)
    client = net.port("client", on="host1", groups=[free if stateless == "client" else kept])
    open = net.port("open", on=there, groups=[free if stateless == "server" else kept])
    net.passes(udp(client, open))
    net.passes(udp(client, open))


@HOSTS
@FAMILIES
def test_a_remote_group_in_a_stateless_group(net: Net, there: str, v: int) -> None:
    friends, serving = net.group("friends"), net.group("serving", stateful=False)
    net.rule(serving, protocol="udp", remote=friends, v=v)
    friend, other = net.port("friend", on="host1", groups=[friends]), net.port("other", on="host1")
    open = net.port("open", on=there, groups=[serving])
    net.passes(udp(friend, open, v=v))
    net.send(udp(other, open, v=v)).reaches_nobody()


def test_a_group_that_becomes_stateless_judges_each_packet_alone(net: Net) -> None:
    group = net.group("group")
    client, open = pair(net, "host2", groups=[group])
    net.rule(group, protocol="udp", ports=53)
    net.change(open, security_groups=[])
    net.change(group, stateful=False)
    net.change(open, security_groups=[group.id])
    net.send(udp(client, open)).reaches(open)
    net.send(udp(client, open, 54)).reaches_nobody()
