"""Remote groups: a rule lets in whoever is a member, wherever and in whichever tenant's network."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.pipeline import IN_RULES
from tests.apps.cases import FAMILIES, HOSTS
from tests.kit import frames
from tests.kit.net import Net, Port, Thing
from tests.kit.talk import ACK, tcp


@HOSTS
@FAMILIES
def test_a_rule_for_a_group_allows_its_members_only(net: Net, server: Thing, there: str, v: int) -> None:
    web = net.group("web")
    net.rule(server, protocol="tcp", ports=5432, remote=web, v=v)
    member, other = net.port("member", on="host1", groups=[web]), net.port("other", on="host1")
    open = net.port("open", on=there, groups=[server])
    net.passes(tcp(member, open, 5432, v=v))
    net.send(tcp(other, open, 5432, v=v)).reaches_nobody("no rule of the receiver's groups allows it")
    net.send(tcp(member, open, 80, v=v)).reaches_nobody()
    net.send(tcp(open, open, 5432, v=v)).reaches_nobody()


@HOSTS
def test_who_joins_is_let_in_and_who_leaves_is_not(net: Net, server: Thing, there: str) -> None:
    web = net.group("web")
    net.rule(server, remote=web)
    comer, open = net.port("comer", on="host1"), net.port("open", on=there, groups=[server])
    net.send(tcp(comer, open)).reaches_nobody()
    net.change(comer, security_groups=[web.id])
    net.passes(tcp(comer, open))
    net.change(comer, security_groups=[net.default_group().id])
    net.send(tcp(comer, open, flags=ACK)).reaches_nobody()
    net.send(tcp(comer, open).answer()).reaches_nobody()


@pytest.mark.parametrize(
    "go",
    [
        pytest.param(lambda net, port: net.remove(port), id="deleted"),
        pytest.param(lambda net, port: net.unplug(port, "host1"), id="unplugged"),
        pytest.param(lambda net, port: net.change(port, admin_state_up=False), id="admin down"),
        pytest.param(
            lambda net, port: net.change(port, fixed_ips=[{"ip_address": "10.0.0.99"}]), id="with another address"
        ),
        pytest.param(
            lambda net, port: net.change(port, port_security_enabled=False, security_groups=[]), id="unsecured"
        ),
    ],
)
def test_an_address_that_is_no_member_any_more_is_not_let_in(
    net: Net, server: Thing, go: Callable[[Net, Port], object]
) -> None:
    web = net.group("web")
    net.rule(server, remote=web)
    member, open = (
        net.port("member", on="host1", ip="10.0.0.50", groups=[web]),
        net.port("open", on="host2", groups=[server]),
    )
    net.send(tcp(member, open)).reaches(open)
    go(net, member)
    heir = net.port("heir", on="host1", security=False, ip="10.0.0.51")
    forged = frames.tcp(heir.mac, open.mac, "10.0.0.50", open.ip, 40001, 80)
    net.send(heir, forged).reaches_nobody("no rule of the receiver's groups allows it")


def test_a_member_whose_pair_is_its_address_is_let_in_from_there(net: Net, server: Thing) -> None:
    web = net.group("web")
    net.rule(server, remote=web)
    member = net.port("member", on="host1", groups=[web], pairs=["10.0.0.77", "10.8.0.0/28"])
    open = net.port("open", on="host2", groups=[server])
    for ip, reaches in (("10.0.0.77", True), ("10.8.0.9", True)):
        journey = net.send(member, frames.tcp(member.mac, open.mac, ip, open.ip, 40000, 80))
        journey.reaches(open) if reaches else journey.reaches_nobody()


def test_a_pair_for_everything_makes_nobody_else_a_member(net: Net, server: Thing) -> None:
    web = net.group("web")
    net.rule(server, remote=web)
    net.port("router", on="host1", groups=[web], pairs=["0.0.0.0/0"])
    stranger, open = net.port("stranger", on="host1"), net.port("open", on="host2", groups=[server])
    net.send(tcp(stranger, open)).reaches_nobody()


def test_a_rule_in_several_groups_for_several_groups(net: Net) -> None:
    """A port in two groups with rules for two remote groups: each of their members is let in where it should be."""
    red, blue = net.group("red"), net.group("blue")
    to_red, to_both = net.group("to red"), net.group("to both")
    net.rule(to_red, protocol="tcp", ports=80, remote=red)
    for remote in (red, blue):
        net.rule(to_both, protocol="tcp", ports=22, remote=remote)
    a, b, ab = (
        net.port(name, on="host1", groups=groups) for name, groups in (("a", [red]), ("b", [blue]), ("ab", [red, blue]))
    )
    open = net.port("open", on="host2", groups=[to_red, to_both])
    for member, port, reaches in (
        (a, 80, True),
        (a, 22, True),
        (b, 80, False),
        (b, 22, True),
        (ab, 80, True),
        (ab, 22, True),
    ):
        journey = net.send(tcp(member, open, port))
        journey.reaches(open) if reaches else journey.reaches_nobody()


@HOSTS
@FAMILIES
def test_one_address_in_groups_of_two_tenants_is_a_member_of_each_and_no_more(net: Net, there: str, v: int) -> None:
    """On one host an address is in a group of either tenant: neither opens what the other has."""
    ends: dict[str, tuple[Port, Port, Port]] = {}
    for tenant, port in (("red", 80), ("blue", 22)):
        network = net.network(tenant, project=tenant)
        friends, servers = (
            net.group(f"{tenant} friends", project=tenant),
            net.group(f"{tenant} servers", project=tenant),
        )
        net.rule(servers, protocol="tcp", ports=port, remote=friends, v=v)
        ends[tenant] = tuple(
            net.port(
                f"{tenant} {name}",
                network=network,
                on=host,
                groups=[group],  # type: ignore[assignment]
                ip=[f"10.0.0.{n}", f"2001:db8::{n}"],
            )
            for n, (name, host, group) in enumerate(
                (("friend", "host1", friends), ("server", there, servers), ("stranger", "host1", servers)), 5
            )
        )
    for tenant, port, closed in (("red", 80, 22), ("blue", 22, 80)):
        friend, open, stranger = ends[tenant]
        net.passes(tcp(friend, open, port, v=v))
        net.send(tcp(friend, open, closed, v=v)).reaches_nobody()
        net.send(tcp(stranger, open, port, v=v)).reaches_nobody()


def test_one_address_in_two_groups_that_are_consulted_is_one_flow_with_both_clauses(net: Net) -> None:
    red, blue = net.group("red"), net.group("blue")
    servers = net.group("servers")
    for port, remote in ((80, red), (81, blue)):
        net.rule(servers, protocol="tcp", ports=port, remote=remote)
    friend, open = net.port("friend", on="host1", groups=[red, blue]), net.port("open", on="host1", groups=[servers])
    merged = [
        entry for key, entry in net.flows("host1").items() if key[0] == IN_RULES.number and len(entry.conjunctions) > 1
    ]
    assert [len(entry.conjunctions) for entry in merged] == [2]
    for port in (80, 81):
        net.passes(tcp(friend, open, port))


def test_a_remote_group_that_is_deleted_lets_nobody_in(net: Net, server: Thing) -> None:
    web = net.group("web")
    net.rule(server, remote=web)
    member, open = net.port("member", on="host1", groups=[web]), net.port("open", on="host2", groups=[server])
    net.send(tcp(member, open)).reaches(open)
    net.change(member, security_groups=[net.default_group().id])
    net.remove(web)
    net.send(tcp(member, open, source_port=40001)).reaches_nobody()


def test_where_there_is_no_subnet_members_are_known_by_their_link_local_address(net: Net) -> None:
    bare = net.network("bare", subnets=())
    a, b = net.port("a", network=bare, on="host1"), net.port("b", network=bare, on="host2")
    outsider = net.port("outsider", network=bare, on="host1", groups=[net.group("others")])
    for sender, reaches in ((a, True), (outsider, False)):
        local = frames.link_local(sender.mac)
        journey = net.send(sender, frames.udp(sender.mac, b.mac, local, frames.link_local(b.mac), 1, 2))
        journey.reaches(b) if reaches else journey.reaches_nobody()
