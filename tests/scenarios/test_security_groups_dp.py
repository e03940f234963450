"""Security groups with real packets, over every kind of tunnel and IP version, to the same host and to another."""

from __future__ import annotations

import errno
import itertools
import time
from collections.abc import Iterator
from socket import AF_INET, AF_INET6, SO_ERROR, SOCK_DGRAM, SOL_SOCKET
from typing import NamedTuple

import pytest

from scenarios.sockets import socket_in
from tests.scenarios.conftest import KINDS
from tests.scenarios.site import Machine, Site, Wish, wait
from tests.scenarios.talk import PATIENCE, QUIET, REVIVAL, Conversation, ask, icmp, ping, protocol, settles, tcp, udp

pytestmark = pytest.mark.root
_ports = itertools.count(20000)


class Stage(NamedTuple):
    """A client, a server and a third machine on the server's host; nothing may be sent to any of them yet."""

    site: Site
    project: str
    v: int
    client: Machine
    server: Machine
    third: Machine
    group: str                  # the server's
    third_group: str
    client_group: str

    def rule(self, direction: str = "ingress", *, group: str = "", **more: object) -> str:
        return self.site.rule(group or self.group, direction, v=self.v, **more)

    def tcp_rule(self, low: int, high: int | None = None, **more: object) -> str:
        return self.rule(protocol="tcp", port_range_min=low, port_range_max=high or low, **more)

    def whole(self, machine: Machine) -> str:
        """The machine's address as a block."""
        return f"{machine.address(self.v)}/{32 if self.v == 4 else 128}"


@pytest.fixture(scope="module")
def machines(site: Site) -> dict[str, dict[str, Machine]]:
    """For each kind of tunnel a project with a client and a third on host 1, and servers on both."""
    found: dict[str, dict[str, Machine]] = {}
    for kind in KINDS:
        network = site.network(kind, kind=kind)
        made = site.machines(Wish(f"{kind}c", network, 1, 9), Wish(f"{kind}n", network, 1, 12), Wish(f"{kind}m", network, 1, 13),
                             Wish(f"{kind}f", network, 2, 14), Wish(f"{kind}g", network, 2, 15))
        found[kind] = dict(zip(("client", "here", "third here", "there", "third there"), made, strict=True))
    return found


@pytest.fixture(params=[(kind, v, place) for kind in KINDS for v in (4, 6) for place in ("here", "there")],
                ids=lambda param: f"{param[0]}-IPv{param[1]}-{param[2]}")
def stage(request: pytest.FixtureRequest, site: Site, machines: dict[str, dict[str, Machine]]) -> Iterator[Stage]:
    kind, v, place = request.param
    here = machines[kind]
    three = here["client"], here[place], here[f"third {place}"]
    groups = [site.group(kind, name) for name in ("clients", "servers", "thirds")]
    for machine, group in zip(three, groups, strict=True):
        site.update(machine, security_groups=[group])
    client, server, third = three
    yield Stage(site, kind, v, client, server, third, groups[1], groups[2], groups[0])
    for machine in three:
        site.update(machine, security_groups=[])
    for group in groups:
        site.delete("security_group", group)


def test_without_a_rule_nothing_reaches_a_machine_and_with_one_its_answers_do(stage: Stage) -> None:
    client, server, v = stage.client, stage.server, stage.v
    everything = [tcp(client, server, 80, v), udp(client, server, 53, v), ping(client, server, v), protocol(client, server, 253, v)]
    settles(refused=everything)
    stage.rule()
    settles(reached=everything, refused=[tcp(server, client, 80, v), udp(server, client, 53, v), ping(server, client, v)])


def test_a_rule_of_one_ip_version_says_nothing_of_the_other(stage: Stage) -> None:
    client, server, v = stage.client, stage.server, stage.v
    stage.rule()
    settles(reached=[tcp(client, server, 80, v)], refused=[tcp(client, server, 80, 10 - v), ping(client, server, 10 - v)])


def test_members_of_the_default_group_reach_each_other_and_nobody_else_them(stage: Stage) -> None:
    client, server, third, v, site = stage.client, stage.server, stage.third, stage.v, stage.site
    default = site.ask("GET", f"/v2.0/security-groups?name=default&project_id={stage.project}")["security_groups"][0]["id"]
    site.update(client, security_groups=[default])
    site.update(server, security_groups=[default])
    among = [say(*pair, *port, v) for pair in ((client, server), (server, client))
             for say, port in ((tcp, (80,)), (udp, (53,)), (ping, ()))]
    settles(reached=among, refused=[tcp(third, server, 80, v), udp(third, client, 53, v), ping(third, server, v)])
    site.update(client, security_groups=[stage.client_group])
    settles(refused=among)


def test_a_remote_group_means_its_members_who_join_and_leave(stage: Stage) -> None:
    client, server, third, v, site = stage.client, stage.server, stage.third, stage.v, stage.site
    stage.tcp_rule(80, 81, remote_group_id=stage.client_group)
    settles(reached=[tcp(client, server, 80, v)], refused=[tcp(third, server, 80, v), tcp(client, server, 82, v), ping(client, server, v)])
    site.update(third, security_groups=[stage.third_group, stage.client_group])
    assert settles(reached=[tcp(third, server, 80, v), tcp(client, server, 80, v)]) < 1
    with Conversation(tcp(client, server, 81, v)) as talk:
        site.update(client, security_groups=[])
        assert talk.is_cut()
        settles(reached=[tcp(third, server, 80, v)], refused=[tcp(client, server, 80, v)])
        site.update(client, security_groups=[stage.client_group])
        assert talk.both_ways()


def test_a_rule_for_a_block_of_addresses_means_those(stage: Stage) -> None:
    client, server, third, v = stage.client, stage.server, stage.third, stage.v
    stage.rule(protocol="udp", remote_ip_prefix=stage.whole(client))
    settles(reached=[udp(client, server, 53, v)], refused=[udp(third, server, 53, v), tcp(client, server, 53, v)])
    stage.rule(remote_ip_prefix="10.0.0.12/30" if v == 4 else "2001:db8::10/125")       # third, not client
    settles(reached=[tcp(third, server, 53, v), udp(client, server, 53, v)], refused=[tcp(client, server, 53, v)])


@pytest.mark.parametrize("stage", [("vxlan", 4, "there"), ("geneve", 6, "here")], indirect=True, ids=str)
def test_a_rule_for_a_list_of_addresses_means_those_that_are_on_it_now(stage: Stage) -> None:
    path = "/v2.0/address-groups/{}".format(stage.site.create("address_group", project_id=stage.project)["id"])
    stage.tcp_rule(80, remote_address_group_id=path.rpartition("/")[2])
    to_it = [tcp(who, stage.server, 80, stage.v) for who in (stage.client, stage.third)]
    settles(refused=to_it)
    stage.site.ask("PUT", f"{path}/add_addresses", {"addresses": [stage.whole(stage.client)]})
    settles(reached=to_it[:1], refused=[*to_it[1:], tcp(stage.client, stage.server, 81, stage.v)])
    with Conversation(to_it[0]) as talk:
        stage.site.ask("PUT", f"{path}/add_addresses", {"addresses": [stage.whole(stage.third)]})
        assert talk.both_ways()
        stage.site.ask("PUT", f"{path}/remove_addresses", {"addresses": [stage.whole(stage.client)]})
        assert talk.is_cut()
    settles(reached=to_it[1:], refused=to_it[:1])


def test_a_range_of_ports_is_open_from_edge_to_edge(stage: Stage) -> None:
    client, server, v = stage.client, stage.server, stage.v
    stage.tcp_rule(1001, 2006)
    stage.rule(protocol="udp", port_range_min=65535, port_range_max=65535)
    settles(reached=[*(tcp(client, server, port, v) for port in (1001, 1002, 1023, 1024, 1536, 2005, 2006)),
                     udp(client, server, 65535, v)],
            refused=[*(tcp(client, server, port, v) for port in (1000, 2007, 1)), udp(client, server, 65534, v), udp(client, server, 1001, v)])


def test_a_rule_for_a_type_and_code_of_icmp_means_those(stage: Stage) -> None:
    client, server, v = stage.client, stage.server, stage.v
    echo, timestamp = 8 if v == 4 else 128, 13
    other_code = stage.rule(protocol="icmp", port_range_min=echo, port_range_max=1)
    settles(refused=[ping(client, server, v)])
    stage.site.delete("security_group_rule", other_code)
    stage.rule(protocol="icmp", port_range_min=echo, port_range_max=0)
    settles(reached=[ping(client, server, v)], refused=[ping(server, client, v), tcp(client, server, 80, v), udp(client, server, 53, v)])
    if v == 4:                                  # of ICMPv6 connection tracking knows no other question
        settles(refused=[icmp(client, server, timestamp)])
        stage.rule(protocol="icmp", port_range_min=timestamp)
        settles(reached=[icmp(client, server, timestamp)])


def test_a_rule_for_what_is_sent_holds_the_sender(stage: Stage) -> None:
    client, server, v, site = stage.client, stage.server, stage.v, stage.site
    stage.rule()
    for rule in site.rules(stage.client_group):
        site.delete("security_group_rule", rule["id"])
    everything = [tcp(client, server, 80, v), udp(client, server, 53, v), ping(client, server, v)]
    settles(refused=everything)
    stage.rule("egress", group=stage.client_group, protocol="tcp", port_range_min=80, port_range_max=80,
               remote_group_id=stage.group)
    settles(reached=everything[:1], refused=[*everything[1:], tcp(client, server, 81, v), tcp(client, stage.third, 80, v)])


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_rule_that_goes_cuts_a_connection_both_ways_and_coming_again_revives_it(stage: Stage, kind: str) -> None:
    client, server, v, site = stage.client, stage.server, stage.v, stage.site
    port = next(_ports)
    wanted = {"protocol": kind, "port_range_min": port, "port_range_max": port}
    rule = stage.rule(**wanted)
    stage.rule(protocol="icmp")
    with Conversation((tcp if kind == "tcp" else udp)(client, server, port, v)) as talk:
        assert talk.both_ways() and talk.back(PATIENCE)
        site.delete("security_group_rule", rule)
        assert talk.is_cut()
        settles(reached=[ping(client, server, v)], refused=[talk.said._replace(number=port + 1)])
        stage.rule(**wanted)
        assert talk.both_ways(REVIVAL) and talk.back(REVIVAL)


def test_a_change_elsewhere_leaves_connections_alone(stage: Stage) -> None:
    client, server, v, site = stage.client, stage.server, stage.v, stage.site
    stage.rule(protocol="udp", port_range_min=53, port_range_max=53)
    stage.tcp_rule(80)
    with Conversation(tcp(client, server, 80, v)) as talk, Conversation(udp(client, server, 53, v)) as other:
        extra = stage.rule(protocol="tcp", port_range_min=79, port_range_max=79)
        site.delete("security_group_rule", extra)
        site.change("security_group", stage.group, name="renamed")
        assert talk.both_ways() and other.once()


def test_a_rule_takes_effect_soon_after_it_is_confirmed(stage: Stage) -> None:
    client, server, v = stage.client, stage.server, stage.v
    for port in (8001, 8002, 8003):
        settles(refused=[tcp(client, server, port, v)])
        stage.tcp_rule(port)
        assert settles(reached=[tcp(client, server, port, v)]) < 0.5


def stateless(stage: Stage, machine: Machine) -> str:
    """The machine's only group from now on: one that follows no connections."""
    group = stage.site.group(stage.project, "stateless", stateful=False)
    stage.site.update(machine, security_groups=[group])
    return group


def test_a_stateless_server_needs_no_memory_to_answer(stage: Stage) -> None:
    client, server, v, site = stage.client, stage.server, stage.v, stage.site
    group = stateless(stage, server)
    stage.tcp_rule(80, group=group)
    settles(reached=[tcp(client, server, 80, v)], refused=[tcp(client, server, 81, v), udp(client, server, 80, v), ping(client, server, v)])
    for rule in site.rules(group):
        if rule["direction"] == "egress":
            site.delete("security_group_rule", rule["id"])
    settles(refused=[tcp(client, server, 80, v)])           # its answers are held against its rules as well
    site.update(server, security_groups=[])
    site.delete("security_group", group)


def test_a_stateless_client_hears_answers_only_by_a_rule(stage: Stage) -> None:
    client, server, v, site = stage.client, stage.server, stage.v, stage.site
    stage.rule()
    group = stateless(stage, client)
    asked = udp(client, server, next(_ports), v)
    wait(lambda: not ask([asked, tcp(client, server, 80, v)], []).answered, "answers are heard", PATIENCE)
    assert ask([asked], []).heard, "the server does not hear it"
    stage.rule(group=group, protocol="tcp", remote_group_id=stage.group)
    settles(reached=[tcp(client, server, 80, v)])
    site.update(client, security_groups=[])
    site.delete("security_group", group)


def test_an_error_about_a_datagram_comes_back_with_it(stage: Stage) -> None:
    client, server, v = stage.client, stage.server, stage.v
    stage.rule(protocol="udp")
    port = next(_ports)
    settles(reached=[udp(client, server, port, v)])

    def refused() -> bool:
        """Nobody listens there: the server's kernel says so by ICMP, for which there is no rule."""
        with socket_in(client.vm.namespace.name, AF_INET6 if v == 6 else AF_INET, SOCK_DGRAM) as asking:
            asking.connect((server.address(v), port))
            asking.send(b"anybody?")
            until = time.monotonic() + QUIET
            while time.monotonic() < until:
                if asking.getsockopt(SOL_SOCKET, SO_ERROR) == errno.ECONNREFUSED:
                    return True
                time.sleep(0.001)
        return False

    wait(refused, "the error did not come")


def test_packets_larger_than_the_network_says_pass_in_pieces_by_a_rule_for_a_port_and_answers_too(stage: Stage) -> None:
    client, server, third, v = stage.client, stage.server, stage.third, stage.v
    stage.rule(protocol="udp", port_range_min=53, port_range_max=53, remote_ip_prefix=stage.whole(client))
    headers = 28 if v == 4 else 48
    mtu = stage.site.ask("GET", f"/v2.0/networks/{client.port['network_id']}")["network"]["mtu"]
    settles(reached=[udp(client, server, 53, v, size=mtu - headers), udp(client, server, 53, v, size=mtu - headers + 1),
                     udp(client, server, 53, v, size=9000)],
            refused=[udp(client, server, 54, v, size=9000), udp(third, server, 53, v, size=9000),
                     udp(server, client, 53, v, size=9000)])
