"""A port's OpenFlow number: the switch says it at once, the database later; the database's word stands."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from apps.pipeline import ADMIT
from controller.openflow import match
from tests.rest.fabric import SWITCHES, Fabric, fabric

_ADD, _DELETE, _LOCAL = 0, 1, 0xFFFFFFFE


class Waiting(Fabric):
    """A Hadron with two hosts and a port plugged in on host1 of which the database says no number yet."""

    port: dict[str, Any]

    def number(self) -> int | None:
        """What the model has for it."""
        return next(iter(self.hadron.model.find("interface", "port_id", self.port["id"]))).ofport

    def say(self, number: int, *, switch: str = "host1", name: str = "tap1", reason: int = _ADD) -> None:
        """A switch reports a change of its port."""
        body = struct.pack("!B7xIH2x6s2x16sII", reason, number, 40, bytes(6), name.encode(), 0, 4)
        with self.fakes.lock:
            self.fakes.switches[SWITCHES[switch]].send(struct.pack("!BBHI", 5, 12, 8 + len(body), 0) + body)

    def heard(self, switch: str = "host1") -> None:
        """Wait until all that a switch has said so far has been heard: what it says of one port more has been."""
        self.plug({"id": str(uuid4()), "mac_address": "fa:16:3e:00:00:99"}, switch, ofport=None)
        self.say(99, switch=switch, name=f"tap{self.ofport}")
        self.until(lambda: self.hadron.model.get("interface", f"{switch}-id/tap{self.ofport}").ofport == 99)

    def admitted(self, number: int) -> bool:
        """Whether the switch holds the flow that lets this port's packets in."""
        return any(key[0] == ADMIT.number and key[2].startswith(match(in_port=number)[4:12], 4)
                   for key in self.fakes.switches[SWITCHES["host1"]].held())


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    with fabric() as running:
        found = Waiting(running.hadron, running.fakes)
        for host in SWITCHES:
            found.host(host)
        network = found.as_acme.create("network", name="blue")
        found.as_acme.create("subnet", network_id=network["id"], cidr="10.0.0.0/24", ip_version=4)
        found.port = found.as_acme.create("port", network_id=network["id"], name="web")
        found.plug(found.port, "host1", ofport=None)
        found.until(lambda: found.settled() and len(found.hadron.control.standing) == 2)
        yield found


def status(waiting: Waiting) -> str:
    return waiting.as_acme.get(f"/v2.0/ports/{waiting.port['id']}")["port"]["status"]


def test_flows_come_as_soon_as_the_switch_says_the_number(waiting: Waiting) -> None:
    assert status(waiting) == "DOWN"
    waiting.say(7)
    waiting.until(lambda: waiting.admitted(7))
    waiting.until(lambda: status(waiting) == "ACTIVE")


def test_what_the_database_says_stands(waiting: Waiting) -> None:
    waiting.say(7)
    waiting.until(lambda: waiting.number() == 7)
    waiting.plug(waiting.port, "host1", id="host1-id/tap1", name="tap1", ofport=8)
    waiting.until(lambda: waiting.admitted(8) and not waiting.admitted(7))
    waiting.say(9)
    waiting.heard()
    assert waiting.number() == 8


@pytest.mark.parametrize("wrong", [
    {"number": 7, "switch": "host2"}, {"number": 7, "name": "tap9"}, {"number": 7, "reason": _DELETE},
    {"number": _LOCAL}, {"number": 0}], ids=["another switch", "another port", "a port that goes", "no port", "zero"])
def test_nothing_else_names_a_port(waiting: Waiting, wrong: dict[str, Any]) -> None:
    waiting.say(**wrong)
    waiting.heard(wrong.get("switch", "host1"))
    assert waiting.number() is None and status(waiting) == "DOWN"


def test_an_interface_that_the_database_calls_broken_gets_no_number(waiting: Waiting) -> None:
    waiting.plug(waiting.port, "host1", id="host1-id/tap1", name="tap1", ofport=None, error="no such device")
    waiting.say(7)
    waiting.heard()
    assert waiting.number() is None
