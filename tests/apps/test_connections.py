"""Connections: answers pass because their questions did, and end with the rule that allowed those."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.apps.cases import FAMILIES, HOSTS, pair
from tests.kit import frames
from tests.kit.net import Net, Thing
from tests.kit.router import Router
from tests.kit.router import ping as routed_ping
from tests.kit.talk import ACK, Said, icmp, ping, protocol, tcp, udp, unreachable


@HOSTS
@FAMILIES
def test_answers_pass_without_a_rule_and_nothing_else_does(net: Net, there: str, v: int) -> None:
    only_out, only_in = net.group("only out", egress=False), net.group("only in", egress=False)
    net.rule(only_out, "egress", v=v)
    net.rule(only_in, "ingress", v=v)
    client, open = net.port("client", on="host1", groups=[only_out]), net.port("open", on=there, groups=[only_in])
    for said in (
        tcp(client, open, v=v),
        udp(client, open, v=v),
        ping(client, open, v=v),
        protocol(client, open, 47, v=v),
    ):
        net.send(said.answer()).reaches_nobody()
        net.passes(said)
        net.passes(said)
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
    for said in (
        tcp(client, open, flags=frames.SYN | frames.FIN),
        tcp(client, open, flags=0),
        ping(client, open, reply=True),
    ):
        net.send(said).reaches_nobody("not part of any connection")


@pytest.fixture(
    params=(("host1", 4), ("host2", 4), ("host1", 6), ("host2", 6)), ids=lambda each: f"{each[0]} IPv{each[1]}"
)
def talk(net: Net, request: pytest.FixtureRequest) -> Iterator[Talk]:
    """An established connection, with one rule for each side."""
    there, v = request.param
    yield Talk(net, there, v)


class Talk:
    def __init__(self, net: Net, there: str, v: int) -> None:
        self.net, self.v = net, v
        self.out, self.into = net.group("out", egress=False), net.group("into", egress=False)
        self.rules = {
            "sender's": net.rule(self.out, "egress", "tcp", 80, v=v),
            "receiver's": net.rule(self.into, "ingress", "tcp", 80, v=v),
        }
        self.client, self.open = (
            net.port("client", on="host1", groups=[self.out]),
            net.port("open", on=there, groups=[self.into]),
        )
        net.passes(tcp(self.client, self.open, v=v))
        net.passes(self.more)

    @property
    def more(self) -> Said:
        """Another packet of the connection, from the one who opened it."""
        return tcp(self.client, self.open, flags=ACK, v=self.v)

    def is_cut(self) -> None:
        """It has ended in both directions, whoever speaks next."""
        self.net.send(self.more.answer()).reaches_nobody()
        self.net.send(self.more).reaches_nobody()
        self.net.send(self.more.answer()).reaches_nobody()

    def lives(self) -> None:
        self.net.passes(self.more)
        self.net.passes(self.more)


@pytest.mark.parametrize("whose", ("sender's", "receiver's"))
def test_a_connection_ends_in_both_directions_with_the_rule_that_allowed_it(net: Net, talk: Talk, whose: str) -> None:
    net.remove(talk.rules[whose])
    talk.is_cut()
    assert "a rule that allowed the connection went" in net.send(talk.more.answer()).refused


@pytest.mark.parametrize("whose", ("sender's", "receiver's"))
@pytest.mark.parametrize("say", (tcp, udp, ping), ids=("TCP", "UDP", "ping"))
@HOSTS
@FAMILIES
def test_it_ends_although_only_the_side_that_answers_speaks(
    net: Net, whose: str, say: Callable[..., Said], there: str, v: int
) -> None:
    out, into = net.group("out", egress=False), net.group("into")
    rules = {"sender's": net.rule(out, "egress", v=v), "receiver's": net.rule(into, "ingress", v=v)}
    client, open = net.port("client", on="host1", groups=[out]), net.port("open", on=there, groups=[into])
    said = say(client, open, v=v)
    net.passes(said)
    net.send(said.answer()).reaches(client)
    net.remove(rules[whose])
    net.send(said.answer()).reaches_nobody("a rule that allowed the connection went")
    net.rule(out if whose == "sender's" else into, "egress" if whose == "sender's" else "ingress", v=v)
    net.send(said.answer()).reaches(client)


@HOSTS
@FAMILIES
def test_a_rule_replaced_by_one_that_still_allows_it_loses_no_packet(net: Net, there: str, v: int) -> None:
    into = net.group("into")
    wide = net.rule(into, "ingress", "udp", 53, v=v)
    client, open = net.port("client", on="host1"), net.port("open", on=there, groups=[into])
    said = udp(client, open, v=v)
    net.passes(said)
    net.rule(into, "ingress", "udp", (50, 60), remote="10.0.0.0/24" if v == 4 else "2001:db8::/64", v=v)
    net.remove(wide)
    net.send(said.answer()).reaches(client)
    net.passes(said)


@HOSTS
@FAMILIES
def test_who_leaves_a_remote_group_hears_no_answers_any_more(net: Net, server: Thing, there: str, v: int) -> None:
    friends = net.group("friends")
    net.rule(server, remote=friends, v=v)
    client, open = net.port("client", on="host1", groups=[friends]), net.port("open", on=there, groups=[server])
    said = udp(client, open, v=v)
    net.passes(said)
    net.change(client, security_groups=[net.default_group().id])
    net.send(said.answer()).reaches_nobody()


def test_a_rule_that_comes_back_revives_the_connection(net: Net, talk: Talk) -> None:
    net.remove(talk.rules["receiver's"])
    talk.is_cut()
    net.rule(talk.into, "ingress", "tcp", 80, v=talk.v)
    talk.lives()
    net.remove(talk.rules["sender's"])
    talk.is_cut()
    net.rule(talk.out, "egress", v=talk.v)
    talk.lives()


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda net, talk: net.change(talk.open, security_groups=[]), id="the receiver leaves the group"),
        pytest.param(lambda net, talk: net.change(talk.client, security_groups=[]), id="the sender leaves the group"),
        pytest.param(
            lambda net, talk: [
                net.remove(talk.rules["receiver's"]),
                net.rule(talk.into, "ingress", "tcp", 81, v=talk.v),
            ],
            id="the rule is replaced by another",
        ),
    ],
)
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
    net.passes(tcp(talk.client, talk.open, 22, v=talk.v))
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
    net.passes(said)


def test_icmp_errors_about_a_connection_that_was_cut_do_not_pass(net: Net, talk: Talk) -> None:
    net.remove(talk.rules["receiver's"])
    net.send(unreachable(talk.open, talk.more, v=talk.v)).reaches_nobody()


@pytest.mark.parametrize("whose", ("sender's", "receiver's"))
@HOSTS
@FAMILIES
def test_it_ends_across_a_router_too_although_only_the_side_that_answers_speaks(net: Net, whose: str, there: str, v: int) -> None:
    red, blue = net.network("red"), net.network("blue", subnets=("10.1.0.0/24", "2001:db8:1::/64"))
    out, into = net.group("out", egress=False), net.group("into")
    rules = {"sender's": net.rule(out, "egress", v=v), "receiver's": net.rule(into, "ingress", remote=out, v=v)}
    client = net.port("client", network=red, on="host1", groups=[out])
    open = net.port("open", network=blue, on=there, groups=[into])
    router = Router(net).join(red, blue)
    asked = routed_ping(client, router.on(red, v), open, v=v)
    answer = routed_ping(open, router.on(blue, v), client, v=v, reply=True)
    net.send(asked).reaches(open)
    for _ in range(2):
        net.send(answer).reaches(client)
    net.remove(rules[whose])
    net.send(answer).reaches_nobody("a rule that allowed the connection went")
    net.send(asked).reaches_nobody()
