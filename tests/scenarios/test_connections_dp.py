"""Established connections end with the rule that allowed them, with real packets, although only the side that answers speaks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.faults.traffic import Counted, Stream
from tests.scenarios.routed import Router
from tests.scenarios.site import Machine, Site, Wish, wait
from tests.scenarios.streams import Talk, heard_back, soon, streams
from tests.scenarios.talk import QUIET, settles, udp

pytestmark = pytest.mark.root
PACKETS, RATE = 200, 100         # in each direction of a stream; a second: a busy machine must not lose them by itself
_ports = itertools.count(30000, 10)


class Stage(NamedTuple):
    """A client, a server on its host and one on another; each side's group allows everything by one rule for each IP version."""

    site: Site
    client: Machine
    servers: tuple[Machine, Machine]
    callers: str
    called: str
    egress: list[str]
    ingress: list[str]


@pytest.fixture(scope="module")
def machines(site: Site) -> list[Machine]:
    site.network("talk", name="before", subnets=("10.1.0.0/24", "2001:db8:1::/64"))
    network = site.network("talk")
    return site.machines(Wish("client", network, 1, 11), Wish("near", network, 1, 12), Wish("far", network, 2, 13))


@pytest.fixture
def stage(site: Site, machines: list[Machine]) -> Iterator[Stage]:
    client, near, far = machines
    callers, called = site.group("talk", "callers"), site.group("talk", "called")
    for rule in site.rules(callers):
        site.delete("security_group_rule", rule["id"])
    egress = [site.rule(callers, "egress", v=v) for v in (4, 6)]
    ingress = [site.rule(called, "ingress", v=v, remote_group_id=callers) for v in (4, 6)]
    for machine, group in ((client, callers), (near, called), (far, called)):
        site.update(machine, security_groups=[group])
    yield Stage(site, client, (near, far), callers, called, egress, ingress)
    for machine in machines:
        site.update(machine, security_groups=[])
    for group in (callers, called):
        site.delete("security_group", group)


def no_egress(stage: Stage) -> Callable[[], object]:
    for rule in stage.egress:
        stage.site.delete("security_group_rule", rule)
    return lambda: [stage.site.rule(stage.callers, "egress", v=v) for v in (4, 6)]


def no_ingress(stage: Stage) -> Callable[[], object]:
    for rule in stage.ingress:
        stage.site.delete("security_group_rule", rule)
    return lambda: [stage.site.rule(stage.called, "ingress", v=v) for v in (4, 6)]


def no_member(stage: Stage) -> Callable[[], object]:
    """The client leaves the remote group, and may still send what it likes."""
    free = stage.site.group("talk", "free")
    stage.site.update(stage.client, security_groups=[free])

    def back() -> None:
        stage.site.update(stage.client, security_groups=[stage.callers])
        stage.site.delete("security_group", free)
    return back


def is_cut(talks: list[Talk]) -> None:
    """Soon nothing that only the servers say is heard; and nothing that the clients say, who have been silent so far."""
    assert soon(lambda: not heard_back(talks)), [str(each.said) for each in heard_back(talks)]
    assert not [str(talk.said) for talk in talks if talk.forward()]
    assert not heard_back(talks)


@pytest.mark.parametrize("take", (no_egress, no_ingress, no_member), ids=("the sender's rule goes", "the receiver's rule goes",
                                                                        "the client leaves the remote group"))
def test_what_only_the_servers_say_ends_too(stage: Stage, take: Callable[[Stage], Callable[[], object]]) -> None:
    with streams(stage.client, stage.servers, next(_ports)) as talks:
        assert heard_back(talks) == set(talks)
        give_back = take(stage)
        is_cut(talks)
        give_back()
        assert not [str(talk.said) for talk in talks if not talk.both_ways(15)]        # TCP waits longer each time


def test_it_ends_if_hadron_is_killed_as_soon_as_the_change_is_confirmed(stage: Stage) -> None:
    with streams(stage.client, stage.servers, next(_ports)) as talks:
        no_ingress(stage)
        stage.site.hadron.kill()
        is_cut(talks)
        stage.site.hadron.start()
    wait(lambda: all(switch["state"] == "in step" for switch in stage.site.ask("GET", "/inspect/switches")["switches"]),
         "the switches are not back", 30)


def nothing_is_lost(stage: Stage, change: Callable[[int], object]) -> None:
    """Of what is said to each server and back, many times a second, while something is changed again and again."""
    running = [Stream(stage.client.vm, server.address(v), PACKETS, RATE) for server in stage.servers for v in (4, 6)]
    turn = 0
    while turn < 6 or any(stream.running for stream in running):
        change(turn)
        turn += 1
    assert {stream.name: stream.ended() for stream in running} == {stream.name: Counted(PACKETS, 0) for stream in running}


def test_rules_replaced_by_others_that_still_allow_it_cost_no_packet(stage: Stage) -> None:
    site, old = stage.site, [*stage.egress, *stage.ingress]
    blocks = {4: ("10.0.0.8/29", "10.0.0.0/24", "0.0.0.0/0"), 6: ("2001:db8::10/124", "2001:db8::/64", "::/0")}

    def replace(turn: int) -> None:
        protocol = ("icmp", None)[turn % 2]
        new = [site.rule(stage.called, "ingress", v=v, protocol="icmp", remote_ip_prefix=blocks[v][turn % 3]) for v in (4, 6)]
        new += [site.rule(stage.callers, "egress", v=v, protocol=protocol, remote_group_id=stage.called) for v in (4, 6)]
        for rule in old:
            site.delete("security_group_rule", rule)
        old[:] = new

    nothing_is_lost(stage, replace)


def test_networks_that_are_joined_and_parted_cost_no_packet_within_them(stage: Stage) -> None:
    """Their addresses are known by the key of the first of them."""
    site = stage.site
    router = Router(site, site.create("router", name="between", project_id="talk"))
    networks = site.ask("GET", "/v2.0/networks?project_id=talk")["networks"]
    subnets = [subnet for network in networks for subnet in network["subnets"]]

    def join_and_part(_: int) -> None:
        for action in ("add_router_interface", "remove_router_interface"):
            for subnet in subnets:
                router.act(action, {"subnet_id": subnet})

    nothing_is_lost(stage, join_and_part)
    site.delete("router", router.id)


def test_of_a_packet_in_pieces_none_passes_that_lacks_the_first(stage: Stage) -> None:
    """The first piece, which has the port, is refused: nobody's card sees the others."""
    site, client = stage.site, stage.client
    for rule in stage.ingress:
        site.delete("security_group_rule", rule)
    for v in (4, 6):
        site.rule(stage.called, v=v, protocol="udp", port_range_min=53, port_range_max=53)
    allowed = [udp(client, server, 53, v, size=4000) for server in stage.servers for v in (4, 6)]
    refused = [udp(client, server, 54, v, size=4000) for server in stage.servers for v in (4, 6)]
    settles(reached=allowed, refused=refused)
    for server in stage.servers:
        server.nic.frames()
    settles(reached=allowed, refused=refused)
    for server in stage.servers:
        words = [frame for frame in server.nic.frames() if len(frame) > 1000]
        assert words and not len(words) % 3, "pieces came by themselves"
    for rule in site.rules(stage.callers):
        site.delete("security_group_rule", rule["id"])
    site.rule(stage.callers, "egress", protocol="udp", port_range_min=54, port_range_max=54)
    settles(refused=[*allowed, *refused])
    for server in stage.servers:
        server.nic.frames()
    settles(refused=[*allowed, *refused], seconds=QUIET)
    assert not [frame for server in stage.servers for frame in server.nic.frames() if len(frame) > 1000]
