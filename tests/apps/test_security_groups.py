"""Security groups: which connections a port may open or accept, both sides judging."""
from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from apps.pipeline import IN_RULES
from tests.kit import frames
from tests.kit.net import Net, Port, Thing
from tests.kit.talk import ACK, Said, icmp, multicast, ping, protocol, tcp, udp, unreachable

HOSTS = pytest.mark.parametrize("there", ("host1", "host2"), ids=("same host", "other host"))
FAMILIES = pytest.mark.parametrize("v", (4, 6), ids=("IPv4", "IPv6"))
TYPES = pytest.mark.parametrize("type", ("vxlan", "geneve", "gre"))


def pair(net: Net, there: str, *, groups: list[Thing] | None = None, **more: object) -> tuple[Port, Port]:
    """A client, which may open any connection, and a server in these groups."""
    return net.port("client", on="host1"), net.port("server", on=there, groups=groups, **more)


def passes(net: Net, said: Said) -> None:
    """The question arrives and so does the answer to it."""
    answer = said.answer()
    net.send(said).reaches(answer.sender)
    net.send(answer).reaches(said.sender)


@pytest.fixture
def server(net: Net) -> Thing:
    """A group that lets everything out and nothing in."""
    return net.group("server")


# ---- the default group

@TYPES
@HOSTS
@FAMILIES
def test_members_of_the_default_group_reach_each_other(net: Net, type: str, there: str, v: int) -> None:
    net.network("red", type=type)
    client, server = pair(net, there)
    for said in (tcp(client, server, v=v), udp(client, server, v=v), ping(client, server, v=v), protocol(client, server, 47, v=v)):
        passes(net, said)
    for said in (tcp(server, client, v=v), udp(server, client, v=v), ping(server, client, v=v)):
        passes(net, said)


@HOSTS
@FAMILIES
def test_nobody_else_reaches_a_member_of_the_default_group(net: Net, server: Thing, there: str, v: int) -> None:
    outsider, member = net.port("outsider", on="host1", groups=[server]), net.port("member", on=there)
    for said in (tcp(outsider, member, v=v), udp(outsider, member, v=v), ping(outsider, member, v=v)):
        net.send(said).reaches_nobody("no rule of the receiver's groups allows it")


def test_a_member_of_the_default_group_reaches_anybody_who_accepts(net: Net, server: Thing) -> None:
    client, there = pair(net, "host2", groups=[server])
    net.rule(server, protocol="tcp", ports=80)
    passes(net, tcp(client, there, 80))


def test_a_port_in_no_group_neither_opens_nor_accepts_connections(net: Net) -> None:
    client, alone = pair(net, "host2", groups=[])
    net.send(tcp(client, alone)).reaches_nobody("no rule of the receiver's groups allows it")
    net.send(tcp(alone, client)).reaches_nobody("no rule of the sender's groups allows it")


def test_each_project_has_a_default_group_of_its_own(net: Net) -> None:
    shared = net.network("shared", shared=True)
    ours = net.port("ours", network=shared, on="host1")
    theirs = net.port("theirs", network=shared, on="host1", project_id="other")
    net.send(tcp(ours, theirs)).reaches_nobody("no rule of the receiver's groups allows it")
    net.send(tcp(theirs, ours)).reaches_nobody("no rule of the receiver's groups allows it")


# ---- rules: protocols, ports, types, blocks

@HOSTS
@FAMILIES
def test_a_rule_opens_one_port(net: Net, server: Thing, there: str, v: int) -> None:
    client, open = pair(net, there, groups=[server])
    net.rule(server, protocol="tcp", ports=80, v=v)
    passes(net, tcp(client, open, 80, v=v))
    for said in (tcp(client, open, 81, v=v), udp(client, open, 80, v=v), ping(client, open, v=v), tcp(client, open, 80, v=10 - v)):
        net.send(said).reaches_nobody("no rule of the receiver's groups allows it")


@FAMILIES
@pytest.mark.parametrize("word", ("tcp", "udp"))
@pytest.mark.parametrize("ports", ((8000, 8099), (1, 65535), (1024, 1024), (79, 80), (0, 65535), (443, 1000), (65535, 65535)))
def test_a_range_of_ports_is_open_from_the_first_to_the_last_and_no_further(
        net: Net, server: Thing, word: str, ports: tuple[int, int], v: int) -> None:
    client, open = pair(net, "host1", groups=[server])
    net.rule(server, protocol=word, ports=(max(ports[0], 1), ports[1]), v=v)
    say: Callable[..., Said] = tcp if word == "tcp" else udp
    first, last = max(ports[0], 1), ports[1]
    for port in (first, (first + last) // 2, last):
        net.send(say(client, open, port, v=v)).reaches(open)
    for port in (first - 1, last + 1):
        if 0 < port < 65536:
            net.send(say(client, open, port, v=v)).reaches_nobody()


def test_sctp_ports(net: Net, server: Thing) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol="sctp", ports=(5000, 5001))
    for port, reaches in ((5000, True), (5001, True), (5002, False)):
        body = (40000).to_bytes(2, "big") + port.to_bytes(2, "big") + bytes(12)
        journey = net.send(client, frames.packet(client.mac, open.mac, client.ip, open.ip, 132, body))
        journey.reaches(open) if reaches else journey.reaches_nobody()


@FAMILIES
def test_icmp_by_type_and_code(net: Net, server: Thing, v: int) -> None:
    client, open = pair(net, "host2", groups=[server])
    request = 8 if v == 4 else 128
    rule = net.rule(server, protocol="icmp", type=request, code=0, v=v)
    passes(net, ping(client, open, v=v))
    net.send(icmp(client, open, request, 1, v=v)).reaches_nobody()
    net.send(icmp(client, open, 13 if v == 4 else 139, v=v)).reaches_nobody()
    net.remove(rule)
    net.send(ping(client, open, v=v)).reaches_nobody()
    net.rule(server, protocol="icmp", type=request, v=v)
    passes(net, ping(client, open, v=v))


@FAMILIES
def test_icmp_of_any_type(net: Net, server: Thing, v: int) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol="icmp", v=v)
    passes(net, ping(client, open, v=v))
    net.send(tcp(client, open, v=v)).reaches_nobody()


def test_icmp_of_ipv6_goes_by_several_names(net: Net, server: Thing) -> None:
    client, open = pair(net, "host2", groups=[server])
    for word in ("icmp", "icmpv6", "ipv6-icmp", 58):
        rule = net.rule(server, protocol=word, v=6)
        passes(net, ping(client, open, v=6))
        net.remove(rule)
        net.send(ping(client, open, v=6)).reaches_nobody()


@FAMILIES
@pytest.mark.parametrize(("word", "number"), (("gre", 47), ("esp", 50), ("ah", 51), ("vrrp", 112), ("ospf", 89), ("igmp", 2),
                                              (200, 200), ("255", 255), ("dccp", 33), ("udplite", 136)))
def test_any_protocol_by_name_or_number(net: Net, server: Thing, word: str | int, number: int, v: int) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol=word, v=v)
    if not (v == 6 and number == 51):                        # in IPv6 authentication is a header to look behind
        passes(net, protocol(client, open, number, v=v))
    net.send(protocol(client, open, 99, v=v)).reaches_nobody()
    net.send(tcp(client, open, v=v)).reaches_nobody()


def test_a_rule_without_a_protocol_allows_all_of_its_ip_version(net: Net, server: Thing) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server)
    for said in (tcp(client, open), udp(client, open), ping(client, open), protocol(client, open, 99)):
        passes(net, said)
    net.send(tcp(client, open, v=6)).reaches_nobody()


@HOSTS
@pytest.mark.parametrize(("block", "v"), (("10.0.0.64/26", 4), ("10.0.0.70", 4), ("2001:db8::40/122", 6), ("2001:db8::46", 6)))
def test_a_rule_for_a_block_of_addresses(net: Net, server: Thing, there: str, block: str, v: int) -> None:
    inside = net.port("inside", on="host1", ip=["10.0.0.70", "2001:db8::46"])
    outside = net.port("outside", on="host1", ip=["10.0.0.5", "2001:db8::5"])
    open = net.port("open", on=there, groups=[server])
    net.rule(server, protocol="tcp", remote=block, v=v)
    passes(net, tcp(inside, open, v=v))
    net.send(tcp(outside, open, v=v)).reaches_nobody()


@pytest.mark.parametrize("all", ("0.0.0.0/0", "10.0.0.7/0"))
def test_a_rule_for_all_addresses(net: Net, server: Thing, all: str) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol="tcp", remote=all)
    passes(net, tcp(client, open))


def test_a_block_whose_address_has_bits_beyond_its_length_means_the_whole_block(net: Net, server: Thing) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol="tcp", remote="10.0.0.99/24")
    passes(net, tcp(client, open))


def test_groups_add_up(net: Net, server: Thing) -> None:
    web, shell = net.group("web"), net.group("shell")
    net.rule(web, protocol="tcp", ports=80)
    net.rule(shell, protocol="tcp", ports=22)
    net.rule(shell, protocol="tcp", ports=80)                # the same in two groups
    client, open = pair(net, "host2", groups=[web, shell])
    for port in (80, 22):
        passes(net, tcp(client, open, port))
    net.change(open, security_groups=[shell.id])
    passes(net, tcp(client, open, 80))
    net.change(open, security_groups=[web.id])
    net.send(tcp(client, open, 22)).reaches_nobody()


# ---- both sides judge

@HOSTS
@FAMILIES
def test_both_sides_must_allow_a_connection(net: Net, there: str, v: int) -> None:
    sender, receiver = net.group("sender", egress=False), net.group("receiver", egress=False)
    client, open = net.port("client", on="host1", groups=[sender]), net.port("open", on=there, groups=[receiver])
    said = tcp(client, open, 80, v=v)
    net.send(said).reaches_nobody("no rule of the sender's groups allows it")
    out = net.rule(sender, "egress", "tcp", 80, v=v)
    net.send(said).reaches_nobody("no rule of the receiver's groups allows it")
    net.rule(receiver, "ingress", "tcp", 80, v=v)
    passes(net, said)
    net.remove(out)
    net.send(tcp(client, open, 80, source_port=40001, v=v)).reaches_nobody("no rule of the sender's groups allows it")


@HOSTS
def test_egress_may_be_limited_to_a_block_and_to_a_group(net: Net, server: Thing, there: str) -> None:
    limited, friends = net.group("limited", egress=False), net.group("friends")
    for group in (server, friends):
        net.rule(group)
    client = net.port("client", on="host1", groups=[limited])
    friend, other = net.port("friend", on=there, groups=[friends]), net.port("other", on=there, ip="10.0.0.200", groups=[server])
    for port in (friend, other):
        net.send(tcp(client, port)).reaches_nobody("no rule of the sender's groups allows it")
    net.rule(limited, "egress", remote=friends)
    passes(net, tcp(client, friend))
    net.send(tcp(client, other)).reaches_nobody("no rule of the sender's groups allows it")
    net.rule(limited, "egress", remote="10.0.0.192/26")
    passes(net, tcp(client, other))


# ---- connections

@HOSTS
@FAMILIES
def test_answers_pass_without_a_rule_and_nothing_else_does(net: Net, there: str, v: int) -> None:
    only_out, only_in = net.group("only out", egress=False), net.group("only in", egress=False)
    net.rule(only_out, "egress", v=v)
    net.rule(only_in, "ingress", v=v)
    client, open = net.port("client", on="host1", groups=[only_out]), net.port("open", on=there, groups=[only_in])
    for said in (tcp(client, open, v=v), udp(client, open, v=v), ping(client, open, v=v), protocol(client, open, 47, v=v)):
        net.send(said.answer()).reaches_nobody()
        passes(net, said)
        passes(net, said)
    net.send(tcp(open, client, 40000, source_port=81, v=v)).reaches_nobody()
    net.send(udp(open, client, 40000, source_port=54, v=v)).reaches_nobody()
    net.send(ping(open, client, v=v)).reaches_nobody()


@HOSTS
@FAMILIES
def test_icmp_errors_about_a_connection_pass_and_others_do_not(net: Net, there: str, v: int) -> None:
    only_out, only_in = net.group("only out", egress=False), net.group("only in", egress=False)
    net.rule(only_out, "egress", "udp", v=v)
    net.rule(only_in, "ingress", "udp", v=v)
    client, open = net.port("client", on="host1", groups=[only_out]), net.port("open", on=there, groups=[only_in])
    said, never_said = udp(client, open, 53, v=v), udp(client, open, 54, v=v)
    net.send(said).reaches(open)
    net.send(unreachable(open, said, v=v)).reaches(client)
    net.send(unreachable(open, never_said, v=v)).reaches_nobody("not part of any connection")
    net.send(icmp(open, client, 8 if v == 4 else 128, v=v)).reaches_nobody()


def test_a_packet_that_belongs_to_no_connection_is_dropped(net: Net, server: Thing) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server)
    for said in (tcp(client, open, flags=frames.SYN | frames.FIN), tcp(client, open, flags=0), ping(client, open, reply=True)):
        net.send(said).reaches_nobody("not part of any connection")


@pytest.fixture(params=(("host1", 4), ("host2", 4), ("host1", 6), ("host2", 6)), ids=lambda each: f"{each[0]} IPv{each[1]}")
def talk(net: Net, request: pytest.FixtureRequest) -> Iterator[Talk]:
    """An established connection, with one rule for each side."""
    there, v = request.param
    yield Talk(net, there, v)


class Talk:
    def __init__(self, net: Net, there: str, v: int) -> None:
        self.net, self.v = net, v
        self.out, self.into = net.group("out", egress=False), net.group("into", egress=False)
        self.rules = {"sender's": net.rule(self.out, "egress", "tcp", 80, v=v), "receiver's": net.rule(self.into, "ingress", "tcp", 80, v=v)}
        self.client, self.open = net.port("client", on="host1", groups=[self.out]), net.port("open", on=there, groups=[self.into])
        passes(net, tcp(self.client, self.open, v=v))
        passes(net, self.more)

    @property
    def more(self) -> Said:
        """Another packet of the connection, from the one who opened it."""
        return tcp(self.client, self.open, flags=ACK, v=self.v)

    def is_cut(self) -> None:
        """It ends in both directions with the next packet of the one who opened it."""
        self.net.send(self.more).reaches_nobody()
        self.net.send(self.more.answer()).reaches_nobody()
        self.net.send(self.more).reaches_nobody()

    def lives(self) -> None:
        passes(self.net, self.more)
        passes(self.net, self.more)


@pytest.mark.parametrize("whose", ("sender's", "receiver's"))
def test_a_connection_ends_in_both_directions_with_the_rule_that_allowed_it(net: Net, talk: Talk, whose: str) -> None:
    net.remove(talk.rules[whose])
    talk.is_cut()
    assert "a rule that allowed the connection went" in net.send(talk.more.answer()).refused


def test_a_rule_that_comes_back_revives_the_connection(net: Net, talk: Talk) -> None:
    net.remove(talk.rules["receiver's"])
    talk.is_cut()
    net.rule(talk.into, "ingress", "tcp", 80, v=talk.v)
    talk.lives()
    net.remove(talk.rules["sender's"])
    talk.is_cut()
    net.rule(talk.out, "egress", v=talk.v)
    talk.lives()


@pytest.mark.parametrize("cut", [
    pytest.param(lambda net, talk: net.change(talk.open, security_groups=[]), id="the receiver leaves the group"),
    pytest.param(lambda net, talk: net.change(talk.client, security_groups=[]), id="the sender leaves the group"),
    pytest.param(lambda net, talk: [net.remove(talk.rules["receiver's"]), net.rule(talk.into, "ingress", "tcp", 81, v=talk.v)],
                 id="the rule is replaced by another"),
])
def test_a_connection_ends_however_its_rule_goes(net: Net, talk: Talk, cut: Callable[[Net, Talk], object]) -> None:
    cut(net, talk)
    talk.is_cut()


def test_a_connection_outlives_changes_that_still_allow_it(net: Net, talk: Talk) -> None:
    net.rule(talk.into, "ingress", v=talk.v)
    net.remove(talk.rules["receiver's"])
    talk.lives()
    net.change(talk.open, name="renamed")
    talk.lives()


def test_other_connections_outlive_the_end_of_one(net: Net, talk: Talk) -> None:
    rule = net.rule(talk.into, "ingress", "tcp", 22, v=talk.v)
    net.rule(talk.out, "egress", "tcp", 22, v=talk.v)
    passes(net, tcp(talk.client, talk.open, 22, v=talk.v))
    net.remove(rule)
    net.send(tcp(talk.client, talk.open, 22, flags=ACK, v=talk.v)).reaches_nobody()
    talk.lives()


@HOSTS
@FAMILIES
def test_a_connection_that_nobody_has_answered_yet_is_cut_too(net: Net, server: Thing, there: str, v: int) -> None:
    client, open = pair(net, there, groups=[server])
    rule = net.rule(server, protocol="udp", v=v)
    said = udp(client, open, v=v)
    net.send(said).reaches(open)
    net.remove(rule)
    net.send(said).reaches_nobody()
    net.send(said.answer()).reaches_nobody()
    net.rule(server, protocol="udp", v=v)
    passes(net, said)


def test_icmp_errors_about_a_connection_that_was_cut_do_not_pass(net: Net, talk: Talk) -> None:
    net.remove(talk.rules["receiver's"])
    talk.is_cut()
    net.send(unreachable(talk.open, talk.more, v=talk.v)).reaches_nobody()


# ---- remote groups

@HOSTS
@FAMILIES
def test_a_rule_for_a_group_allows_its_members_only(net: Net, server: Thing, there: str, v: int) -> None:
    web = net.group("web")
    net.rule(server, protocol="tcp", ports=5432, remote=web, v=v)
    member, other = net.port("member", on="host1", groups=[web]), net.port("other", on="host1")
    open = net.port("open", on=there, groups=[server])
    passes(net, tcp(member, open, 5432, v=v))
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
    passes(net, tcp(comer, open))
    net.change(comer, security_groups=[net.default_group().id])
    net.send(tcp(comer, open, flags=ACK)).reaches_nobody()
    net.send(tcp(comer, open).answer()).reaches_nobody()


@pytest.mark.parametrize("go", [
    pytest.param(lambda net, port: net.remove(port), id="deleted"),
    pytest.param(lambda net, port: net.unplug(port, "host1"), id="unplugged"),
    pytest.param(lambda net, port: net.change(port, admin_state_up=False), id="admin down"),
    pytest.param(lambda net, port: net.change(port, fixed_ips=[{"ip_address": "10.0.0.99"}]), id="with another address"),
    pytest.param(lambda net, port: net.change(port, port_security_enabled=False, security_groups=[]), id="unsecured"),
])
def test_an_address_that_is_no_member_any_more_is_not_let_in(net: Net, server: Thing, go: Callable[[Net, Port], object]) -> None:
    web = net.group("web")
    net.rule(server, remote=web)
    member, open = net.port("member", on="host1", ip="10.0.0.50", groups=[web]), net.port("open", on="host2", groups=[server])
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
    a, b, ab = (net.port(name, on="host1", groups=groups) for name, groups in (("a", [red]), ("b", [blue]), ("ab", [red, blue])))
    open = net.port("open", on="host2", groups=[to_red, to_both])
    for member, port, reaches in ((a, 80, True), (a, 22, True), (b, 80, False), (b, 22, True), (ab, 80, True), (ab, 22, True)):
        journey = net.send(tcp(member, open, port))
        journey.reaches(open) if reaches else journey.reaches_nobody()


@HOSTS
@FAMILIES
def test_one_address_in_groups_of_two_tenants_is_a_member_of_each_and_no_more(net: Net, there: str, v: int) -> None:
    """On one host an address is in a group of the red tenant and in one of the blue: neither opens what the other has."""
    ends: dict[str, tuple[Port, Port, Port]] = {}
    for tenant, port in (("red", 80), ("blue", 22)):
        network = net.network(tenant, project=tenant)
        friends, servers = net.group(f"{tenant} friends", project=tenant), net.group(f"{tenant} servers", project=tenant)
        net.rule(servers, protocol="tcp", ports=port, remote=friends, v=v)
        ends[tenant] = tuple(net.port(f"{tenant} {name}", network=network, on=host, groups=[group],      # type: ignore[assignment]
                                      ip=[f"10.0.0.{n}", f"2001:db8::{n}"])
                             for n, (name, host, group) in enumerate((("friend", "host1", friends), ("server", there, servers),
                                                                      ("stranger", "host1", servers)), 5))
    for tenant, port, closed in (("red", 80, 22), ("blue", 22, 80)):
        friend, open, stranger = ends[tenant]
        passes(net, tcp(friend, open, port, v=v))
        net.send(tcp(friend, open, closed, v=v)).reaches_nobody()
        net.send(tcp(stranger, open, port, v=v)).reaches_nobody()


def test_one_address_in_groups_of_one_tenants_two_networks_is_one_flow_with_both_clauses(net: Net) -> None:
    groups = {}
    for n, name in enumerate(("one", "two")):
        network = net.network(name)
        friends, servers = net.group(f"{name} friends"), net.group(f"{name} servers")
        net.rule(servers, protocol="tcp", ports=80 + n, remote=friends)
        groups[name] = [net.port(f"{name} {who}", network=network, on="host1", groups=[group], ip=f"10.0.0.{n}")
                        for n, (who, group) in enumerate((("friend", friends), ("server", servers)), 5)]
    merged = [entry for key, entry in net.flows("host1").items() if key[0] == IN_RULES.number and len(entry.conjunctions) > 1]
    assert [len(entry.conjunctions) for entry in merged] == [2]
    for n, (friend, open) in enumerate(groups.values()):
        passes(net, tcp(friend, open, 80 + n))
        net.send(tcp(friend, open, 81 - n)).reaches_nobody()
    friend, open = groups["one"]
    net.remove(friend)
    other_friend, other_open = groups["two"]
    passes(net, tcp(other_friend, other_open, 81))


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


# ---- stateless groups

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
    passes(net, udp(client, open))
    passes(net, udp(client, open))


@HOSTS
@FAMILIES
def test_a_remote_group_in_a_stateless_group(net: Net, there: str, v: int) -> None:
    friends, serving = net.group("friends"), net.group("serving", stateful=False)
    net.rule(serving, protocol="udp", remote=friends, v=v)
    friend, other = net.port("friend", on="host1", groups=[friends]), net.port("other", on="host1")
    open = net.port("open", on=there, groups=[serving])
    passes(net, udp(friend, open, v=v))
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


# ---- unsecured ports

@HOSTS
@FAMILIES
def test_an_unsecured_port_talks_to_a_secured_one_by_its_rules(net: Net, server: Thing, there: str, v: int) -> None:
    net.rule(server, protocol="tcp", ports=80, v=v)
    free, open = net.port("free", on="host1", security=False), net.port("open", on=there, groups=[server])
    passes(net, tcp(free, open, 80, v=v))
    net.send(tcp(free, open, 81, v=v)).reaches_nobody("no rule of the receiver's groups allows it")
    passes(net, tcp(open, free, 12345, v=v))
    net.send(tcp(free, open, 12345, v=v)).reaches_nobody()


def test_two_unsecured_ports_say_anything_to_each_other_and_nothing_is_tracked(net: Net) -> None:
    a, b = net.port("a", on="host1", security=False), net.port("b", on="host2", security=False)
    for said in (tcp(a, b, flags=ACK), udp(a, b), ping(a, b, reply=True)):
        net.send(said).reaches(b)
    assert not any(bridge.conntrack.connections for bridge in net.bridges.values())


# ---- to many

@FAMILIES
def test_a_multicast_is_judged_by_each_receiver(net: Net, server: Thing, v: int) -> None:
    net.rule(server, protocol="udp", ports=5000, v=v)
    sender = net.port("sender", on="host1", groups=[server])
    near, far = net.port("near", on="host1", groups=[server]), net.port("far", on="host2", groups=[server])
    closed = net.group("closed")
    net.port("deaf", on="host1", groups=[closed])
    net.port("far and deaf", on="host2", groups=[closed])
    free = net.port("free", on="host2", security=False)
    for _ in range(3):
        net.send(multicast(sender, 5000, v=v)).reaches(near, far, free)
    net.send(multicast(sender, 5001, v=v)).reaches(free)


def test_a_multicast_that_the_sender_may_not_send_reaches_nobody(net: Net) -> None:
    quiet = net.group("quiet", egress=False)
    sender = net.port("sender", on="host1", groups=[quiet])
    net.port("free", on="host1", security=False)
    net.send(multicast(sender)).reaches_nobody("no rule of the sender's groups allows it")


def test_an_answer_to_a_multicast_question_needs_a_rule(net: Net, server: Thing) -> None:
    net.rule(server, protocol="udp", ports=5353)
    asker, answerer = net.port("asker", on="host1", groups=[server]), net.port("answerer", on="host2", groups=[server])
    net.send(multicast(asker, 5353)).reaches(answerer)
    net.send(udp(answerer, asker, 40000, source_port=5353)).reaches_nobody()
    net.send(udp(answerer, asker, 5353, source_port=5353)).reaches(asker)


# ---- cost

def grown(net: Net, grow: Callable[[], object]) -> dict[str, int]:
    """By host how many flows something adds; meters are none."""
    def count() -> dict[str, int]:
        return {host.id: sum(key[0] not in ("meter", "group") for key in net.flows(host.id)) for host in net.model.find("host", "all", True)}
    before = count()
    grow()
    return {host: after - before[host] for host, after in count().items()}


def test_a_dual_stack_port_with_five_rules_costs_its_host_25_flows_and_another_3_and_its_addresses(net: Net) -> None:
    web = net.group("web")
    net.rule(web, protocol="icmp")
    net.rule(web, protocol="tcp", ports=80)
    net.rule(web, protocol="tcp", ports=22, remote=web)
    for n in (1, 2, 3):
        net.port(f"web{n}", on=f"host{n}", groups=[web])
    cost = grown(net, lambda: net.port("new", on="host1", groups=[web]))
    print(f"a dual-stack port with five rules: {cost}")
    assert cost["host1"] <= 25
    assert cost["host2"] == cost["host3"] == 3 + 1                    # its IPv4 address is a member


def test_a_port_in_the_default_group_and_one_rule_more_costs_as_much(net: Net) -> None:
    net.port("first", on="host1")
    net.port("second", on="host2")
    net.rule(net.default_group(), protocol="tcp", ports=22)
    cost = grown(net, lambda: net.port("new", on="host1"))
    print(f"a dual-stack port in the default group, with one rule more: {cost}")
    assert cost == {"host1": 25, "host2": 3 + 2}


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
    assert cost["host1"] == 2 + 1                                     # where it is, its ARP answer, and that it is a friend


def test_a_rule_costs_one_flow_for_each_port_that_uses_it(net: Net, server: Thing) -> None:
    for n in range(5):
        net.port(f"p{n}", on="host1", groups=[server])
    assert grown(net, lambda: net.rule(server, protocol="tcp", ports=80))["host1"] == 5
    assert grown(net, lambda: net.rule(server, protocol="tcp", ports=(1, 65535)))["host1"] <= 5 * 16
