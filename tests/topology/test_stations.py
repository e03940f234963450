"""Machines on the default network: found by what they send, heard where they are, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from controller.app import Alarm, Fact, Resume
from tests.kit import frames
from tests.kit.journey import Journey, put_in
from tests.kit.net import Port
from tests.kit.router import Router
from tests.kit.talk import packet_of
from tests.topology.plain import Plain, dpid
from topology.stations import ADDRESSES, APP, EDGE, STATIONS

MAC = {name: f"00:00:00:00:00:0{number}" for number, name in enumerate("abcx", 1)}
IP = {name: f"10.0.0.{number}" for number, name in enumerate("abcx", 1)}
IP6 = {name: f"fe80::{number}" for number, name in enumerate("abcx", 1)}


class Flat(Plain):
    """A switch with three ports that take whatever is plugged in, and one of a tenant in the same network."""

    def __init__(self) -> None:
        super().__init__()
        self.switch(1, 1, 2, 3, 4)
        self.net = self.network("flat", subnets=["10.0.0.0/24"])
        self.edges = {name: self.edge(name, number) for number, name in enumerate("abc", 1)}
        self.alarms: list[Alarm] = []

    def edge(self, name: str, number: int) -> Port:
        return self.port(name, network=self.net, at=(1, number), security=False, device_owner=EDGE, ip=())

    def say(self, name: str, frame: bytes) -> list[Any]:
        """What comes of a frame that has to go to the controller: facts are learned, and the frame goes on."""
        switch, port = self.place(self.edges[name])
        journey = self.send(self.edges[name], frame).asks_controller(APP)
        rule, (id,) = self.compiler.punts[journey.punts[0].cookie]
        answers = list(rule.answers(self.compiler.world, self.model.get(rule.per, id), frame))
        self.learn([(one.kind, one.document) for one in answers if isinstance(one, Fact)])
        self.alarms += [one for one in answers if isinstance(one, Alarm)]
        resumed = [one for one in answers if isinstance(one, Resume)]
        self.resumed = put_in(self, switch, resumed[0].actions, packet_of(frame), port) if resumed else Journey("nobody")
        return answers

    def known(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        return {one.mac_address: (f"{one.ofport}", one.ip_addresses) for one in self.model.find("station", "all", True)}


@pytest.fixture
def net() -> Any:
    made = Flat()
    yield made
    made.check()


def ask(name: str, for_: str = "b") -> bytes:
    return frames.arp_request(MAC[name], IP[name], IP[for_])


def other(name: str, to: str) -> bytes:
    return frames.ethernet(MAC[name], MAC[to], 0x88B5, b"anything")


def test_the_first_frame_goes_on_and_the_next_ones_pass_in_flows(net: Flat) -> None:
    net.say("a", ask("a"))
    assert net.known() == {MAC["a"]: ("1", (IP["a"],))}
    net.resumed.reaches(net.edges["b"], net.edges["c"])
    net.send(net.edges["a"], ask("a")).reaches(net.edges["b"], net.edges["c"])
    net.send(net.edges["a"], other("a", "b")).reaches(net.edges["b"], net.edges["c"])       # nobody knows where b is
    assert not net.alarms


def test_a_frame_of_any_kind_says_where_its_sender_is(net: Flat) -> None:
    net.say("b", other("b", "a"))
    assert net.known() == {MAC["b"]: ("2", ())}
    net.say("b", ask("b", "a"))
    assert net.known() == {MAC["b"]: ("2", (IP["b"],))}
    net.send(net.edges["b"], frames.tagged(other("b", "a"), 7)).reaches(net.edges["a"], net.edges["c"])


def test_neighbour_discovery_says_which_ipv6_addresses_are_where(net: Flat) -> None:
    net.say("a", frames.ns(MAC["a"], IP6["a"], IP6["b"]))
    net.say("b", frames.na(MAC["b"], IP6["b"]))
    net.send(net.edges["b"], frames.na(MAC["b"], IP6["b"])).reaches(net.edges["a"], net.edges["c"])
    assert net.known() == {MAC["a"]: ("1", (IP6["a"],)), MAC["b"]: ("2", (IP6["b"],))}
    net.send(net.edges["a"], frames.ns(MAC["a"], IP6["a"], IP6["b"])).reaches(net.edges["b"], net.edges["c"])
    assert net.say("b", frames.na(MAC["b"], IP6["a"])) == net.alarms
    assert net.say("b", frames.na(MAC["b"], IP6["b"], tll=MAC["a"])) == []
    assert net.say("b", frames.ns(MAC["b"], IP6["b"], IP6["a"], sll=MAC["a"])) == []
    assert net.alarms[0].details["address"] == IP6["a"]


def test_a_probe_for_an_address_says_nothing_of_it(net: Flat) -> None:
    probe = frames.arp_request(MAC["a"], "0.0.0.0", IP["b"])
    net.say("a", probe)
    net.send(net.edges["a"], probe).reaches(net.edges["b"], net.edges["c"])
    assert net.known() == {MAC["a"]: ("1", ())}


def test_a_mac_address_of_another_machine_is_not_heard(net: Flat) -> None:
    net.say("a", ask("a"))
    for stolen in (ask("a"), other("a", "c"), frames.tagged(other("a", "c"), 7)):
        answers = net.say("b", stolen)
        assert [type(one) for one in answers] == [Alarm]
    assert net.alarms[0].what == "hijack" and net.alarms[0].details["address"] == MAC["a"]
    assert net.alarms[0].details["because"] == f"it is at switch {dpid(1)} port 1"
    assert net.known() == {MAC["a"]: ("1", (IP["a"],))}
    net.send(net.edges["a"], ask("a")).reaches(net.edges["b"], net.edges["c"])


def test_an_ip_address_of_another_machine_is_not_heard(net: Flat) -> None:
    net.say("a", ask("a"))
    net.say("b", ask("b", "c"))
    poison = frames.arp_reply(MAC["b"], IP["a"], MAC["c"], IP["c"])
    assert [type(one) for one in net.say("b", poison)] == [Alarm]
    assert net.alarms[0].details["address"] == IP["a"] and net.known()[MAC["b"]] == ("2", (IP["b"],))
    lying = frames.arp_reply(MAC["b"], IP["b"], MAC["c"], IP["c"], sha=MAC["a"])
    assert net.say("b", lying) == []


def test_the_addresses_of_a_tenants_port_and_of_a_gateway_are_nobody_elses(net: Flat) -> None:
    tenant = net.port("t", network=net.net, at=(1, 4), ip="10.0.0.9")
    net.say("a", frames.arp_request(tenant.mac, "10.0.0.50", IP["b"]))
    net.say("a", frames.arp_request(MAC["a"], "10.0.0.9", IP["b"]))
    assert [one.details["address"] for one in net.alarms] == [tenant.mac, "10.0.0.9"] and not net.known()
    assert all(tenant.id in one.details["because"] for one in net.alarms)


def test_a_machine_moves_once_it_has_left_its_first_place(net: Flat) -> None:
    net.say("a", ask("a"))
    net.learn([], [("station", f"{net.net.id}/{MAC['a']}")])        # its port went down: see test_fading.py
    net.edges["a"].net.interface(1, 1, "down")
    net.say("b", ask("a"))
    assert net.known() == {MAC["a"]: ("2", (IP["a"],))} and not net.alarms


def test_a_port_is_the_place_of_so_many_machines_and_no_more(net: Flat) -> None:
    for number in range(STATIONS + 3):
        net.say("a", frames.ethernet(f"02:00:00:00:01:{number:02x}", MAC["b"], 0x88B5, b"x"))
    assert len(net.known()) == STATIONS and not net.alarms
    for number in range(ADDRESSES + 3):
        net.say("b", frames.arp_request(MAC["b"], f"10.0.0.{100 + number}", IP["a"]))
    assert len(net.known()[MAC["b"]][1]) == ADDRESSES


def test_frames_from_nobody_are_dropped(net: Flat) -> None:
    for mac in ("ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00"):
        assert net.say("a", frames.ethernet(mac, MAC["b"], 0x88B5, b"x")) == []


def test_the_address_of_a_routers_interface_is_nobody_elses(net: Flat) -> None:
    router = Router(net).join(net.net)
    gateway = router.on(net.net)
    net.say("a", frames.arp_reply(MAC["a"], gateway.ip, MAC["b"], IP["b"]))
    net.say("b", frames.arp_request(gateway.mac, "10.0.0.77", IP["a"]))
    assert [one.details["address"] for one in net.alarms] == [gateway.ip, gateway.mac] and not net.known()
