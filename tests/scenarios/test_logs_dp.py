"""Logs with real packets: who knocks at a closed port is told of within a second, of a flood a few, and counted is each packet.

What is allowed is told of once for each connection, and passes as ever.
"""
from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.kit import frames
from tests.scenarios.site import Machine, Site, Wish, wait
from tests.scenarios.talk import settles, tcp, udp

pytestmark = pytest.mark.root
ENTRIES = "/v2.0/log/entries"
FLOOD, RATE = 20_000, 10_000            # packets, and how many in a second
AT_ONCE, EACH_SECOND = 20, 5            # what of them is told (apps/logs.py)


class Stage(NamedTuple):
    """A server whose group `web` lets http in, and a client on the other host."""

    site: Site
    client: Machine
    server: Machine
    network: dict[str, Any]
    group: str

    def log(self, **said: Any) -> str:
        return str(self.site.ask("POST", "/v2.0/log/logs", {"log": {"resource_type": "security_group", "project_id": "red", **said}})["log"]["id"])

    def entries(self, **asked: Any) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        return list(self.site.ask("GET", f"{ENTRIES}?port_id={self.server.id}&{query}")["log_entries"])

    def dropped(self) -> int:
        """Packets that were dropped at the server's port, as the counters of flows say."""
        return int(self.site.ask("GET", f"/v2.0/ports/{self.server.id}/statistics")["statistics"]["dropped_packets"])

    def said(self, machine: Machine) -> int:
        """Packets that a machine that is watched has sent from its IPv4 address, and the switch has taken from it."""
        told = self.site.ask("GET", f"/v2.0/ports/{machine.id}/statistics")["statistics"]["addresses"]
        return sum(one["tx_packets"] for one in told if one["address"] == machine.ip)

    def punts(self) -> int:
        """Packets of the server's port that came to the controller."""
        (port,) = [one for one in self.site.ask("GET", "/inspect/ports")["ports"] if one["id"] == self.server.id]
        return int(port["packets"])


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Site(hosts=2, statistics_interval=1) as site:
        network, group = site.network("red"), site.group("red", "web")
        for v in (4, 6):
            site.rule(group, v=v, protocol="tcp", port_range_min=80, port_range_max=80)
        client, server = site.machines(Wish("client", network, 1, 11), Wish("server", network, 2, 12, {"security_groups": [group]}))
        yield Stage(site, client, server, network, group)


@pytest.fixture
def own(stage: Stage) -> Iterator[str]:
    """A log of what the server's group refuses."""
    id = stage.log(resource_id=stage.group, event="DROP")
    yield id
    stage.site.ask("DELETE", f"/v2.0/log/logs/{id}")


def test_a_connection_attempt_to_a_closed_port_is_told_within_a_second(stage: Stage, own: str) -> None:
    took = []
    for port in (23, 24, 25, 26):
        sent = time.monotonic()
        stage.client.nic.send(frames.tcp(stage.client.mac, stage.server.mac, stage.client.ip, stage.server.ip, 40000, port))
        (entry,) = wait(lambda port=port: stage.entries(destination_port=port), f"tcp/{port} is not told of", 20)
        took.append(time.monotonic() - sent)
        assert entry["reason"] == f"no rule in group web allows tcp/{port} from {stage.client.ip}"
        assert (entry["event"], entry["direction"], entry["log_ids"]) == ("DROP", "ingress", [own])
        assert (entry["protocol"], entry["source_ip"], entry["source_port"], entry["destination_ip"]) == (
            "tcp", stage.client.ip, 40000, stage.server.ip)
    assert min(took) < 1, took


def test_a_flood_is_counted_by_the_packet_and_told_of_as_far_as_its_meter_lets_it(stage: Stage, own: str) -> None:
    (loud,) = stage.site.machines(Wish("loud", stage.network, 2, 13), addresses=False)
    stage.site.ask("POST", "/v2.0/watches", {"watch": {"port_id": loud.id, "project_id": "red"}})
    before, told, began = stage.dropped(), stage.punts(), time.monotonic()
    frame = frames.udp(loud.mac, stage.server.mac, loud.ip, stage.server.ip, 40000, 9, b"flood")
    for sent in range(0, FLOOD, 50):
        while time.monotonic() < began + sent / RATE:
            pass
        loud.nic.send(*[frame] * 50)
    took = time.monotonic() - began

    def counted() -> bool:
        """All that the switch has taken from the flooder, whose card's ring may lose some."""
        return stage.said(loud) > RATE / 10 and stage.dropped() - before == stage.said(loud)

    wait(counted, "not all that was said is counted as dropped", 60)
    seconds = time.monotonic() - began
    assert FLOOD / took > RATE / 10, f"{FLOOD / took} packets a second are no flood"
    assert 0 < stage.punts() - told <= AT_ONCE + EACH_SECOND * (seconds + 1)
    (entry,) = stage.entries(destination_port=9)
    assert 0 < entry["times"] <= AT_ONCE + EACH_SECOND * (seconds + 1) and "allows udp/9" in entry["reason"]


def test_entries_and_logs_are_there_after_hadron_was_killed(stage: Stage, own: str) -> None:
    knock = frames.tcp(stage.client.mac, stage.server.mac, stage.client.ip, stage.server.ip, 40000, 111)
    stage.client.nic.send(knock)
    before = wait(lambda: stage.entries(destination_port=111), "not told", 20)
    stage.site.hadron.kill()
    stage.site.hadron.start()
    assert stage.entries(destination_port=111) == before
    wait(lambda: stage.site.ask("GET", "/v2.0/agents?alive=true")["agents"], "no switch is back", 20)

    def told_again() -> bool:
        stage.client.nic.send(knock)
        return len(stage.entries(destination_port=111)) > len(before)

    wait(told_again, "not told after the restart", 20)


def test_what_is_allowed_passes_and_is_told_once_for_each_connection(stage: Stage) -> None:
    id = stage.log(target_id=stage.server.id, event="ACCEPT")
    known = {one["id"] for one in stage.entries(event="ACCEPT")}
    settles(reached=[tcp(stage.client, stage.server, 80), tcp(stage.client, stage.server, 80, v=6)],
            refused=[udp(stage.client, stage.server, 53)])
    found = wait(lambda: [one for one in stage.entries(event="ACCEPT") if one["id"] not in known and one["ethertype"] == "IPv6"], "not told", 20)
    (rule,) = [one["id"] for one in stage.site.rules(stage.group) if one["direction"] == "ingress" and one["ethertype"] == "IPv6"]
    assert {(one["security_group_rule_id"], one["destination_port"], one["times"]) for one in found} == {(rule, 80, 1)}
    stage.site.ask("DELETE", f"/v2.0/log/logs/{id}")
    settles(reached=[tcp(stage.client, stage.server, 80)])
