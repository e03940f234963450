"""Relays: networks on hosts that tunnels join and on switches that nothing but links join."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.kit import frames
from tests.kit import router as routed
from tests.kit.leading import Leading, number, open_group
from tests.kit.links import member
from tests.kit.net import Port, Thing
from tests.kit.router import Router
from tests.kit.talk import broadcast, raw, to_unknown
from tests.topology.plain import Plain, dpid
from topology.what_if import Failure, cut

HOSTS, PLAIN = ("far1", "far2", "near3", "near4", "beyond5"), range(11, 16)


class Mixed(Plain):
    """far1 and far2 have tunnels alone; near3 and near4 are joined with the switches 11 - 12 - 13 too; beyond5 with 14 - 15.

        far1   far2   near3══11──12──13══near4     beyond5══14──15
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name in HOSTS:
            self.host(name)
        for each in PLAIN:
            self.switch(each)
        for one, other in (("near3", 11), (11, 12), (12, 13), (13, "near4"), ("beyond5", 14), (14, 15)):
            self.join(one, other)

    def number(self, place: Any) -> int:
        return int(self.switch_on(place), 16) if isinstance(place, str) else place

    def join(self, one: Any, other: Any) -> None:
        ends = [self.number(place) for place in (one, other)]
        ports = [900 + len(self.model.find("link", "source_switch_id", dpid(end))) for end in ends]
        self.wire((ends[0], ports[0]), (ends[1], ports[1]))

    def everywhere(self, network: Thing) -> list[Port]:
        """A port of the network on each host and each switch."""
        return [self.port(f"{network.name} {name}", network=network, on=name) for name in HOSTS] + [
            member(self, network, f"{network.name} {number}", number) for number in PLAIN]


@pytest.fixture
def net() -> Mixed:
    return Mixed()


def test_machines_reach_each_other_whatever_joins_them_and_nobody_else(net: Mixed) -> None:
    red, blue = (net.network(name, subnets=(), project=name) for name in ("red", "blue"))
    for members in (net.everywhere(red), net.everywhere(blue)):
        for one, other in itertools.permutations(members, 2):
            net.send(raw(one, other)).reaches(other)
    net.check()


def test_a_broadcast_reaches_each_member_once_wherever_it_comes_from(net: Mixed) -> None:
    members = net.everywhere(net.network("red", subnets=()))
    for one in members:
        net.send(broadcast(one)).reaches(*(other for other in members if other is not one))


@pytest.mark.parametrize("places", (("far1", 12), (12, 15), ("far1", "far2", 13), ("near3", 11, 15), ("near4", 12), (11, 13), ("far1", "near3", 15)))
def test_so_do_those_of_networks_that_live_in_few_places(net: Mixed, places: tuple[Any, ...]) -> None:
    """Relays need no machines of a network that they pass on."""
    red = net.network("red", subnets=())
    members = [net.port(f"{name}", network=red, on=name) if isinstance(name, str) else member(net, red, f"s{name}", name)
               for name in places]
    for one in members:
        others = [other for other in members if other is not one]
        net.send(broadcast(one)).reaches(*others)
        for other in others:
            net.send(raw(one, other)).reaches(other)
    net.check()


def test_unknown_addresses_are_looked_for_on_either_side(net: Mixed) -> None:
    red = net.network("red", subnets=())
    far, two, five = (net.port("far", network=red, on="far1", port_security_enabled=False),
                      member(net, red, "two", 12, port_security_enabled=False), member(net, red, "five", 15, port_security_enabled=False))
    quiet = net.port("quiet", network=red, on="far2")
    for one in (far, two, five, quiet):
        net.send(to_unknown(one)).reaches(*(other for other in (far, two, five) if other is not one))


def test_security_groups_and_routers_hold_between_the_two(net: Mixed) -> None:
    red, green = net.network("red"), net.network("green", subnets=["10.7.0.0/24"])
    web, db = net.port("web", network=red, on="far1"), member(net, green, "db", 12, groups=[net.group("closed")])
    gateway = Router(net, "r").join(red, green).on(red)
    net.send(routed.tcp(web, gateway, db, 80)).reaches_nobody()
    net.rule(net.things["security_group", "closed"], "ingress", protocol="tcp", ports=80)
    net.send(routed.tcp(web, gateway, db, 80)).reaches(db)
    net.send(routed.tcp(web, gateway, db, 81)).reaches_nobody()
    net.check()


def test_another_relay_takes_over_from_one_that_is_gone_or_lost(net: Mixed) -> None:
    red = net.network("red", subnets=())
    far, two = net.port("far", network=red, on="far1"), member(net, red, "two", 12)
    relay = min(net.switch_on("near3"), net.switch_on("near4"))
    net.learn([("loss", {"id": relay})])
    for one, other in ((far, two), (two, far)):
        journey = net.send(raw(one, other)).reaches(other)
        assert relay not in {switch for link in journey.links for switch in link}
    net.learn([], [("loss", relay)])
    for link in net.model.find("link", "source_switch_id", relay):
        net.learn([], [("link", link.id), ("link", f"{link.target_switch_id}:{link.target_port}")])
    for one, other in ((far, two), (two, far)):
        net.send(raw(one, other)).reaches(other)
    net.send(broadcast(far)).reaches(two)
    net.check()


def test_where_no_host_has_both_the_two_sides_keep_to_themselves() -> None:
    net = Plain()
    for each in (11, 12):
        net.switch(each)
    net.wire((11, 1), (12, 1))
    red = net.network("red", subnets=())
    far, one, two = net.port("far", network=red, on="far1"), member(net, red, "one", 11), member(net, red, "two", 12)
    net.send(raw(one, far)).reaches_nobody()
    net.send(raw(far, one)).reaches_nobody()
    net.send(broadcast(one)).reaches(two)


@pytest.mark.parametrize("wires", (("host6",), ("host7",)))
def test_routers_lead_outside_for_machines_that_only_links_reach(wires: tuple[str, ...]) -> None:
    """The gateway host has links itself, or it is reached by way of a relay; answers come back, and floating addresses."""
    net = Mixed()
    cloud = Leading(net, hosts=("host6", "host7"), wires=wires)
    net.join("host6", 12)
    a = member(net, cloud.inside, "a", 11, groups=[open_group(net)])
    sent = net.send(cloud.out(a)).reaches(cloud.away)
    assert sent.arrived["ipv4_src"] == number(cloud.gateway.ip)
    back = frames.tcp(cloud.away.mac, cloud.gateway.mac, cloud.away.ip, cloud.gateway.ip, 80, 40000, flags=0x12)
    net.send(cloud.away, back).reaches(a)
    floating = cloud.floating(a)
    cloud.come_in(floating.mac, floating.ip).reaches(a)
    assert net.send(cloud.out(a, source_port=40001)).reaches(cloud.away).arrived["ipv4_src"] == number(floating.ip)
    net.check()


def test_what_if_counts_on_relays(net: Mixed) -> None:
    red = net.network("red", subnets=())
    net.port("far", network=red, on="far1"), member(net, red, "two", 12)

    def lost(*hosts: str) -> tuple[int, int]:
        answer = cut(net.compiler.world, net.model, Failure(switches=frozenset(net.switch_on(host) for host in hosts)))
        return answer["pairs_lost"], answer["pairs_moved"]
    assert lost("beyond5") == (0, 0) and lost("near3") == (0, 1) and lost("near4") == (0, 0)
    assert lost("near3", "near4") == (1, 0) and lost("far1") == (1, 0)
