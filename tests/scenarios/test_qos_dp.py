"""Quality of service with real packets: limits measured by iperf3, and marks seen on the wire and on the tunnel."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.measure import measured, speed
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
MARK = 46


@pytest.fixture(scope="module")
def pair(site: Site) -> list[Machine]:
    """Two machines on two hosts that may say anything to each other."""
    network = site.network("qos")
    group = site.open_group("qos")
    return site.machines(*(Wish(f"q{host}", network, host, 10 + host, {"security_groups": [group]}) for host in (1, 2)))


class Policy:
    """A policy that a port has for a while."""

    def __init__(self, site: Site, **rules: dict[str, Any]) -> None:
        self.site = site
        self.id = site.ask("POST", "/v2.0/qos/policies", {"policy": {"name": "gold"}})["policy"]["id"]
        for kind, said in rules.items():
            site.ask("POST", f"/v2.0/qos/policies/{self.id}/{kind}s", {kind: said})

    def on(self, machine: Machine) -> Policy:
        self.machine = machine
        self.site.update(machine, qos_policy_id=self.id)
        return self

    def __enter__(self) -> Policy:
        return self

    def __exit__(self, *_: object) -> None:
        self.site.update(self.machine, qos_policy_id=None)
        self.site.ask("DELETE", f"/v2.0/qos/policies/{self.id}")


@pytest.fixture
def server(pair: list[Machine]) -> Iterator[Machine]:
    """The second machine, where iperf3 listens."""
    listening = pair[1].vm.start(["iperf3", "-s", "-1", "-J"])
    wait(lambda: ":5201" in pair[1].vm.run(["ss", "-ltn"]).stdout, "iperf3 does not listen")
    yield pair[1]
    listening.kill()
    listening.wait()


@pytest.mark.parametrize("direction", ["egress", "ingress"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_what_a_port_sends_or_receives_is_held_to_ten_percent_of_its_limit(
        site: Site, pair: list[Machine], server: Machine, direction: str, transport: str) -> None:
    limited = pair[0] if direction == "egress" else pair[1]
    udp = ["-u", "-b", "30M", "-l", "1200"] if transport == "udp" else []
    with Policy(site, bandwidth_limit_rule={"max_kbps": 10_000, "direction": direction}).on(limited):
        end = measured(pair[0], server.ip, *udp)
    payload, frame = (1200, 1242) if udp else (1398, 1464)        # the meter counts headers, too; iperf3 does not
    assert 0.9 <= speed(end) * frame / payload / 10_000_000 <= 1.1, f"{speed(end) / 1e6:.2f} Mbit/s"


def test_packets_are_held_to_ten_percent_of_their_limit(site: Site, pair: list[Machine], server: Machine) -> None:
    with Policy(site, packet_rate_limit_rule={"max_kpps": 1, "direction": "ingress"}).on(server):
        end = measured(pair[0], server.ip, "-u", "-b", "3M", "-l", "100")
    assert 900 <= speed(end) / 8 / 100 <= 1100


@pytest.mark.parametrize("v", [4, 6])
def test_a_mark_is_seen_on_the_wire_and_on_the_tunnel(site: Site, pair: list[Machine], v: int) -> None:
    a, b = pair
    with Policy(site, dscp_marking_rule={"dscp_mark": MARK}).on(a), site.cloud.host(1).capture("udp port 4789") as tunnel, \
            b.vm.capture("icmp[0] == 8 or ip6[40] == 128") as wire:
        assert a.vm.ping(b.address(v), 3, interval=0.05)
        inner = wait(lambda: [mark(frame) for frame in wire.frames() if frame[6:12] == mac(a)])
        assert set(inner) == {MARK}
        outer = wait(lambda: [(mark(frame), mark(frame[50:])) for frame in tunnel.frames() if frame[56:62] == mac(a)])
        assert set(outer) == {(MARK, MARK)}


def mac(machine: Machine) -> bytes:
    return bytes.fromhex(machine.mac.replace(":", ""))


def mark(frame: bytes) -> int:
    """The differentiated services code point of an Ethernet frame's packet."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    return frame[15] >> 2 if kind == 0x800 else struct.unpack_from("!H", frame, 14)[0] >> 6 & 63
