"""Security groups: which connections a port may open or accept, both sides judging."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps import guards
from apps.pipeline import IN_RULES
from tests.apps.cases import FAMILIES, HOSTS, TYPES, pair
from tests.kit import frames
from tests.kit.net import Net, Thing
from tests.kit.talk import ACK, Said, icmp, multicast, ping, protocol, tcp, udp

# ---- the default group


@TYPES
@HOSTS
@FAMILIES
def test_members_of_the_default_group_reach_each_other(net: Net, type: str, there: str, v: int) -> None:
    net.network("red", type=type)
    client, server = pair(net, there)
    for said in (
        tcp(client, server, v=v),
        udp(client, server, v=v),
        ping(client, server, v=v),
        protocol(client, server, 47, v=v),
    ):
        net.passes(said)
    for said in (tcp(server, client, v=v), udp(server, client, v=v), ping(server, client, v=v)):
        net.passes(said)


@HOSTS
@FAMILIES
def test_nobody_else_reaches_a_member_of_the_default_group(net: Net, server: Thing, there: str, v: int) -> None:
    outsider, member = net.port("outsider", on="host1", groups=[server]), net.port("member", on=there)
    for said in (tcp(outsider, member, v=v), udp(outsider, member, v=v), ping(outsider, member, v=v)):
        net.send(said).reaches_nobody("no rule of the receiver's groups allows it")


def test_a_member_of_the_default_group_reaches_anybody_who_accepts(net: Net, server: Thing) -> None:
    client, there = pair(net, "host2", groups=[server])
    net.rule(server, protocol="tcp", ports=80)
    net.passes(tcp(client, there, 80))


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
    net.passes(tcp(client, open, 80, v=v))
    for said in (
        tcp(client, open, 81, v=v),
        udp(client, open, 80, v=v),
        ping(client, open, v=v),
        tcp(client, open, 80, v=10 - v),
    ):
        net.send(said).reaches_nobody("no rule of the receiver's groups allows it")


@FAMILIES
@pytest.mark.parametrize("word", ("tcp", "udp"))
@pytest.mark.parametrize(
    "ports", ((8000, 8099), (1, 65535), (1024, 1024), (79, 80), (0, 65535), (443, 1000), (65535, 65535))
)
def test_a_range_of_ports_is_open_from_the_first_to_the_last_and_no_further(
    net: Net, server: Thing, word: str, ports: tuple[int, int], v: int
) -> None:
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
    net.passes(ping(client, open, v=v))
    net.send(icmp(client, open, request, 1, v=v)).reaches_nobody()
    net.send(icmp(client, open, 13 if v == 4 else 139, v=v)).reaches_nobody()
    net.remove(rule)
    net.send(ping(client, open, v=v)).reaches_nobody()
    net.rule(server, protocol="icmp", type=request, v=v)
    net.passes(ping(client, open, v=v))


@FAMILIES
def test_icmp_of_any_type(net: Net, server: Thing, v: int) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol="icmp", v=v)
    net.passes(ping(client, open, v=v))
    net.send(tcp(client, open, v=v)).reaches_nobody()


def test_icmp_of_ipv6_goes_by_several_names(net: Net, server: Thing) -> None:
    client, open = pair(net, "host2", groups=[server])
    for word in ("icmp", "icmpv6", "ipv6-icmp", 58):
        rule = net.rule(server, protocol=word, v=6)
        net.passes(ping(client, open, v=6))
        net.remove(rule)
        net.send(ping(client, open, v=6)).reaches_nobody()


@FAMILIES
@pytest.mark.parametrize(
    ("word", "number"),
    (
        ("gre", 47),
        ("esp", 50),
        ("ah", 51),
        ("vrrp", 112),
        ("ospf", 89),
        ("igmp", 2),
        (200, 200),
        ("255", 255),
        ("dccp", 33),
        ("udplite", 136),
    ),
)
def test_any_protocol_by_name_or_number(net: Net, server: Thing, word: str | int, number: int, v: int) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol=word, v=v)
    if not (v == 6 and number == 51):  # in IPv6 authentication is a header to look behind
        net.passes(protocol(client, open, number, v=v))
    net.send(protocol(client, open, 99, v=v)).reaches_nobody()
    net.send(tcp(client, open, v=v)).reaches_nobody()


@pytest.mark.parametrize("any", (None, "any", 0, "0", "ip"))
def test_a_rule_for_any_protocol_allows_all_of_its_ip_version(net: Net, server: Thing, any: str | int | None) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol=any)
    for said in (tcp(client, open), udp(client, open), ping(client, open), protocol(client, open, 99)):
        net.passes(said)
    net.send(tcp(client, open, v=6)).reaches_nobody()


@HOSTS
@pytest.mark.parametrize(
    ("block", "v"), (("10.0.0.64/26", 4), ("10.0.0.70", 4), ("2001:db8::40/122", 6), ("2001:db8::46", 6))
)
def test_a_rule_for_a_block_of_addresses(net: Net, server: Thing, there: str, block: str, v: int) -> None:
    inside = net.port("inside", on="host1", ip=["10.0.0.70", "2001:db8::46"])
    outside = net.port("outside", on="host1", ip=["10.0.0.5", "2001:db8::5"])
    open = net.port("open", on=there, groups=[server])
    net.rule(server, protocol="tcp", remote=block, v=v)
    net.passes(tcp(inside, open, v=v))
    net.send(tcp(outside, open, v=v)).reaches_nobody()


@pytest.mark.parametrize("all", ("0.0.0.0/0", "10.0.0.7/0"))
def test_a_rule_for_all_addresses(net: Net, server: Thing, all: str) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol="tcp", remote=all)
    net.passes(tcp(client, open))


def test_a_block_whose_address_has_bits_beyond_its_length_means_the_whole_block(net: Net, server: Thing) -> None:
    client, open = pair(net, "host2", groups=[server])
    net.rule(server, protocol="tcp", remote="10.0.0.99/24")
    net.passes(tcp(client, open))


def test_groups_add_up(net: Net, server: Thing) -> None:
    web, shell = net.group("web"), net.group("shell")
    net.rule(web, protocol="tcp", ports=80)
    net.rule(shell, protocol="tcp", ports=22)
    net.rule(shell, protocol="tcp", ports=80)  # the same in two groups
    client, open = pair(net, "host2", groups=[web, shell])
    for port in (80, 22):
        net.passes(tcp(client, open, port))
    net.change(open, security_groups=[shell.id])
    net.passes(tcp(client, open, 80))
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
    net.passes(said)
    net.remove(out)
    net.send(tcp(client, open, 80, source_port=40001, v=v)).reaches_nobody("no rule of the sender's groups allows it")


@HOSTS
def test_egress_may_be_limited_to_a_block_and_to_a_group(net: Net, server: Thing, there: str) -> None:
    limited, friends = net.group("limited", egress=False), net.group("friends")
    for group in (server, friends):
        net.rule(group)
    client = net.port("client", on="host1", groups=[limited])
    friend, other = (
        net.port("friend", on=there, groups=[friends]),
        net.port("other", on=there, ip="10.0.0.200", groups=[server]),
    )
    for port in (friend, other):
        net.send(tcp(client, port)).reaches_nobody("no rule of the sender's groups allows it")
    net.rule(limited, "egress", remote=friends)
    net.passes(tcp(client, friend))
    net.send(tcp(client, other)).reaches_nobody("no rule of the sender's groups allows it")
    net.rule(limited, "egress", remote="10.0.0.192/26")
    net.passes(tcp(client, other))


# ---- unsecured ports


@HOSTS
@FAMILIES
def test_an_unsecured_port_talks_to_a_secured_one_by_its_rules(net: Net, server: Thing, there: str, v: int) -> None:
    net.rule(server, protocol="tcp", ports=80, v=v)
    free, open = net.port("free", on="host1", security=False), net.port("open", on=there, groups=[server])
    net.passes(tcp(free, open, 80, v=v))
    net.send(tcp(free, open, 81, v=v)).reaches_nobody("no rule of the receiver's groups allows it")
    net.passes(tcp(open, free, 12345, v=v))
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


@pytest.mark.parametrize("stateful", [True, False])
def test_a_tag_inside_a_tag_never_reaches_a_guarded_port(net, stateful):
    """Open vSwitch looks behind one tag, so no rule would see what is in the second; an unguarded port may send it."""
    group = net.group("open", stateful=stateful)
    net.rule(group, "ingress")
    sender = net.port("sender", on="host1", security=False)
    receiver = net.port("receiver", on="host1", groups=[group])
    inner = tcp(sender, receiver, 80).frame
    net.send(sender, frames.tagged(frames.tagged(inner, 0), 0)).reaches_nobody("a tag inside a tag")


def test_ports_in_the_same_groups_share_their_rules_whatever_order_the_groups_are_said_in(net: Net, server: Thing) -> None:
    web = net.group("web")
    net.rule(server, protocol="tcp", ports=80)
    net.rule(web, protocol="tcp", ports=443)
    client = net.port("client", on="host2")
    one, other = (net.port(name, on="host1", groups=groups) for name, groups in (("one", [server, web]), ("two", [web, server])))
    for open in (one, other):
        for port in (80, 443):
            net.passes(tcp(client, open, port))
        net.send(tcp(client, open, 22)).reaches_nobody("no rule of the receiver's groups allows it")
    rules = [entry for entry in net.flows("host1").values() if entry.why.rule.endswith("security_groups.allow")]
    assert sum(entry.key[0] == IN_RULES.number and entry.key[1] == IN_RULES.levels["rule"] for entry in rules) == 2


def test_groups_with_one_digest_do_not_get_each_others_rules(monkeypatch: pytest.MonkeyPatch, net: Net, server: Thing) -> None:
    monkeypatch.setattr(guards, "digest_of", lambda groups: 7)
    web = net.group("web")
    net.rule(server, protocol="tcp", ports=80)
    net.rule(web, protocol="tcp", ports=443)
    client = net.port("client", on="host1")
    first, second = net.port("first", on="host1", groups=[server]), net.port("second", on="host1", groups=[web])
    both = net.port("both", on="host1", groups=[server, web])
    for open, ports in ((first, {80}), (second, {443}), (both, {80, 443})):
        for port in (80, 443):
            journey = net.send(tcp(client, open, port))
            journey.reaches(open) if port in ports else journey.reaches_nobody()
    net.remove(first)                                   # another may get its number now
    net.passes(tcp(client, second, 443))
    net.send(tcp(client, second, 80)).reaches_nobody()


# ---- rules that stay for a while, so that what they let pass is counted

def lingering(net: Net, change: Callable[[], object]) -> tuple[set, bool]:
    """What stays for a while after a change, and whether what stayed before goes at once."""
    found: list = []
    update = net.compiler.update

    def noted(*given: object, **more: object) -> object:
        delta = update(*given, **more)
        found.append(delta.lingering)
        return delta
    net.compiler.update = noted                 # type: ignore[method-assign, assignment]
    change()
    net.settle()
    net.compiler.update = update                # type: ignore[method-assign]
    return {key for one in found for key in one.keys}, any(one.ends for one in found)


def test_rules_of_groups_that_no_port_is_in_any_more_linger_and_no_others(net: Net) -> None:
    one, other = net.group("one"), net.group("other")
    rule = net.rule(one, "ingress", "tcp", 80)
    net.rule(other, "ingress", "tcp", 80)
    first, second = net.port("first", on="host1", groups=[one]), net.port("second", on="host1", groups=[one])
    assert lingering(net, lambda: net.change(first, security_groups=[other.id])) == (set(), False), "second is still in it"
    stays, ends = lingering(net, lambda: net.change(second, security_groups=[other.id]))
    assert {switch for switch, _ in stays} == {net.switch_on("host1")} and not ends
    assert any(key[0] == IN_RULES.number for _, key in stays)
    net.change(first, security_groups=[one.id])
    assert lingering(net, lambda: net.remove(rule)) == (set(), True), "a rule that goes has no effect from then on"
