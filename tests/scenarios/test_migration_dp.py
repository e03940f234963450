"""Live migration with real packets: a machine goes to another host and back under a thousand packets a second each way.

The machine is two namespaces with one MAC address and one port, as a hypervisor has it while it copies: the one that runs
speaks, and whatever comes in at either is counted with the time at which it was sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.kit import frames
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
RATE, BEFORE, AFTER = 1000, 0.5, 1.0       # packets a second of each stream; seconds of it around the move
MOST = 0.1                                 # seconds of a stream that may be lost
UDP, MARK = 17, b"hadron-migration"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(hosts=3) as made:
        yield made


class Moving:
    """The machine: its port, and a namespace on each of two hosts, of which one runs."""

    def __init__(self, site: Site) -> None:
        self.site, network = site, site.network("moving")
        group = site.open_group("moving")
        peers = [Wish(f"peer{host}", network, host, 20 + host, {"security_groups": [group]}) for host in (1, 2, 3)]
        first, *self.peers = site.machines(
            Wish("first", network, 1, 10, {"security_groups": [group], "binding:host_id": self.host(1)}), *peers)
        self.port, self.mtu = first.port, network["mtu"]
        self.running, self.waiting = first, first

    def host(self, number: int) -> str:
        return self.site.cloud.host(number).name

    def appear_on_second(self) -> None:
        """The interface on the next host, where the machine does not run yet."""
        vm = self.site.cloud.plug(2, "second", port_id=self.port["id"], mac=self.port["mac_address"], mtu=self.mtu)
        self.waiting = Machine(vm, self.port)
        self.site.machines_by_name["second"] = self.waiting

    def swap(self) -> None:
        """The hypervisor stops it here and lets it run there."""
        self.running, self.waiting = self.waiting, self.running

    def bindings(self) -> dict[str, str]:
        found = self.site.ask("GET", f"/v2.0/ports/{self.port['id']}/bindings")["bindings"]
        return {one["host"]: one["status"] for one in found}


class Stream(threading.Thread):
    """Sends numbered packets at a steady rate, from whatever `sender` is at the time, until stopped."""

    def __init__(self, number: int, sender: Callable[[], Machine], source: Machine, target: Machine) -> None:
        super().__init__(daemon=True)
        self.number, self.sender, self.sent, self._over = number, sender, 0, threading.Event()
        summed = frames.udp(source.mac, target.mac, source.ip, target.ip, 5000 + number, 6000 + number, self._word(0))
        self._frame = summed[:40] + b"\0\0" + summed[42:]                 # without a checksum (RFC 768)

    def _word(self, count: int) -> bytes:
        return MARK + self.number.to_bytes(1, "big") + count.to_bytes(4, "big")

    def run(self) -> None:
        begun = time.monotonic()
        while not self._over.is_set():
            while self.sent < (time.monotonic() - begun) * RATE:
                self.sender().nic.send(self._frame[:-4] + self.sent.to_bytes(4, "big"))
                self.sent += 1
            time.sleep(0.0005)

    def stop(self) -> None:
        self._over.set()
        self.join()


def counted(machine: Machine) -> list[tuple[int, int]]:
    """(stream, number) of each packet that has come in; kernels complain of them by ICMP, which is not counted."""
    return [(frame[at + len(MARK)], int.from_bytes(frame[at + len(MARK) + 1:][:4], "big"))
            for frame in machine.nic.frames() if frame[23] == UDP and (at := frame.find(MARK)) >= 0]


def moved_under_load(moving: Moving, move: Callable[[], Any]) -> dict[int, list[int]]:
    """What of each stream arrived: every peer speaks to the machine, and it to every peer, while it moves."""
    ends = (*moving.peers, moving.running, moving.waiting)
    for end in ends:
        end.nic.frames()
    there = [Stream(number, lambda peer=peer: peer, peer, moving.running) for number, peer in enumerate(moving.peers)]  # type: ignore[misc]
    back = [Stream(10 + number, lambda: moving.running, moving.running, peer) for number, peer in enumerate(moving.peers)]
    for stream in (*there, *back):
        stream.start()
    time.sleep(BEFORE)
    move()
    time.sleep(AFTER)
    arrived: dict[int, list[int]] = {stream.number: [] for stream in (*there, *back)}
    for stream in (*there, *back):
        stream.stop()
        assert stream.sent > RATE * (BEFORE + AFTER) / 2
    last = {stream.number: stream.sent - 1 for stream in (*there, *back)}

    def all_in() -> bool:
        for end in ends:
            for number, count in counted(end):
                arrived[number].append(count)
        return all(last[number] in found for number, found in arrived.items())
    wait(all_in, "the last packet of each stream")
    return arrived


def check(arrived: dict[int, list[int]]) -> None:
    for number, found in arrived.items():
        assert len(found) == len(set(found)), f"stream {number}: some came twice"
        lost = found and max(later - earlier - 1 for earlier, later in pairwise(sorted({-1, *found})))
        print(f"stream {number}: {len(found)} arrived, {max(found) + 1 - len(found)} lost, {lost} in a row")
        assert max(found) + 1 - len(found) < MOST * RATE, f"stream {number}"


@pytest.fixture(scope="module")
def moving(site: Site) -> Moving:
    return Moving(site)


def test_a_machine_moves_by_its_bindings_under_load_and_less_than_100_ms_are_lost(site: Site, moving: Moving) -> None:
    path = f"/v2.0/ports/{moving.port['id']}/bindings"
    site.ask("POST", path, {"binding": {"host": moving.host(2)}})
    moving.appear_on_second()
    assert moving.bindings() == {moving.host(1): "ACTIVE", moving.host(2): "INACTIVE"}
    wait(lambda: any(moving.port["mac_address"] in flow and "table=40" in flow and "NXM_NX_TUN" not in flow
                     for flow in site.cloud.host(2).dump_flows()), "the second host is not ready")
    check(moved_under_load(moving, lambda: (moving.swap(), site.ask("PUT", f"{path}/{moving.host(2)}/activate"))))
    assert moving.bindings() == {moving.host(1): "INACTIVE", moving.host(2): "ACTIVE"}
    check(moved_under_load(moving, lambda: site.ask("DELETE", f"{path}/{moving.host(1)}")))


def test_a_machine_moves_back_as_older_compute_managers_tell_and_less_than_100_ms_are_lost(site: Site, moving: Moving) -> None:
    there, back = moving.host(2), moving.host(1)
    assert moving.bindings() == {there: "ACTIVE"}
    site.change("port", moving.port["id"], **{"binding:profile": {"migrating_to": back}})
    assert moving.bindings() == {there: "ACTIVE", back: "INACTIVE"}
    check(moved_under_load(moving, lambda: (moving.swap(), site.change("port", moving.port["id"], **{
        "binding:profile": {}, "binding:host_id": back}))))
    assert moving.bindings() == {back: "ACTIVE"}
