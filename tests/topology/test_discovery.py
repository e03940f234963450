"""Discovery over fake switches: wires come and go, lose frames, lead one way; frames that are not genuine change nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from controller.packet import lldp
from tests.kit.fake_peer import FakeSwitch
from tests.kit.fake_wires import Wires, arrive
from tests.rest.fabric import Fabric, fabric
from tests.topology.plain import dpid, profile
from topology.discovery import EVERY
from topology.graph import graph


class Site:
    """A Hadron that adopts everybody, and its wires."""

    def __init__(self, net: Fabric) -> None:
        self.net, self.wires, self.heard = net, Wires(), list[tuple[str, int, bytes]]()
        self.wires.tap = lambda switch, port, frame: self.heard.append((switch.switch_id, port, frame))

    def switch(self, number: int) -> FakeSwitch:
        made = self.net.fakes.add(dpid(number))
        made.on_packet_out = self.wires._sent
        return made

    def links(self) -> set[tuple[int, int, int, int]]:
        return {(int(one.source_switch_id, 16), one.source_port, int(one.target_switch_id, 16), one.target_port)
                for one in self.net.hadron.model.find("link", "all", True)}

    def see(self, *wires: tuple[int, int, int, int], two_way: bool = True) -> None:
        back = {(b, into, a, port) for a, port, b, into in wires} if two_way else set()
        self.net.until(lambda: self.links() == {*wires} | back)

    def alarms(self) -> list[dict[str, Any]]:
        return [one for one in self.net.as_ops.get("/inspect/alarms")["alarms"] if one["alarm"] == "discovery"]

    def hurry(self) -> None:
        """Time passes faster for discovery: everybody's turn comes now."""
        announcements = self.net.hadron.control.announcements
        self.net.hadron.desk.call(lambda: announcements.tick(max(announcements._last, int(time.time())) + EVERY))

    def last_from(self, number: int, port: int) -> bytes:
        """The next frame that discovery sends from a port."""
        before = len(self.heard)
        self.hurry()
        self.net.until(lambda: any(one[:2] == (dpid(number), port) for one in self.heard[before:]))
        return next(frame for switch, at, frame in reversed(self.heard) if (switch, at) == (dpid(number), port))


@pytest.fixture
def site() -> Iterator[Site]:
    with fabric(adopt=["all"]) as net:
        yield Site(net)


def test_wires_are_found_and_gone_at_once_when_a_port_goes_down(site: Site) -> None:
    a, b, c = (site.switch(number) for number in (1, 2, 3))
    site.wires.join(a, 1, b, 1, speed=10_000)
    site.wires.join(a, 2, b, 2)                                     # parallel
    site.see((1, 1, 2, 1), (1, 2, 2, 2))
    site.wires.join(b, 3, c, 1)                                     # on a live switch
    site.see((1, 1, 2, 1), (1, 2, 2, 2), (2, 3, 3, 1))
    known = site.net.hadron.model.get("link", f"{dpid(1)}:1")
    assert known.speed == 10_000 and 0 <= known.latency < 500_000
    found = site.net.hadron.desk.call(site.net.hadron.compiler.world.ask, graph)
    assert found.number_of_edges() == 6 and found.number_of_edges(dpid(1), dpid(2)) == 2
    site.wires.cut(a, 1)
    site.see((1, 2, 2, 2), (2, 3, 3, 1))
    b.unport(3)
    site.see((1, 2, 2, 2))
    assert not site.alarms()


def test_what_is_proved_while_paths_take_long_is_gathered_and_followed_together(site: Site) -> None:
    a, b = site.switch(1), site.switch(2)
    replies, clock = site.net.hadron.control.replies, [0.0]
    replies._passed = lambda: clock[0]
    site.net.hadron.desk.call(replies.worked, 3.0)
    for port in (1, 2):
        site.wires.join(a, port, b, port)
    site.net.until(lambda: len(replies._gathered) == 4)
    clock[0] = 2.9
    site.net.hadron.desk.call(replies.worked, 3.0)                  # again, and so on: they wait for no longer
    assert not site.links()
    b.unport(2)                                                     # it goes before it is known
    site.net.until(lambda: site.net.hadron.model.get("interface", f"{dpid(2)}:2") is None)
    clock[0] = 3.1
    site.see((1, 1, 2, 1))
    assert not replies.gathering and not site.alarms()


def test_frames_that_come_late_everywhere_are_one_alarm_and_slow_discovery_down(site: Site) -> None:
    a, b = site.switch(1), site.switch(2)
    seals, pace = site.net.hadron.seals, site.net.hadron.control.pace
    now, seals._now = seals._now, lambda: time.time() - 2.0
    for port in range(1, 13):
        site.wires.join(a, port, b, port)
    site.net.until(lambda: site.hurry() or any(one["alarm"] == "slow" for one in site.net.as_ops.get("/inspect/alarms")["alarms"]))
    site.net.until(lambda: site.hurry() or pace.rate < pace.most)
    assert not site.links()
    seals._now = now
    site.net.until(lambda: site.hurry() or len(site.links()) == 24)


def test_a_wire_that_leads_one_way_is_seen_and_on_no_path(site: Site) -> None:
    a, b = site.switch(1), site.switch(2)
    site.wires.join(a, 1, b, 1, one_way=True)
    site.see((1, 1, 2, 1), two_way=False)
    assert not site.net.hadron.desk.call(site.net.hadron.compiler.world.ask, graph).edges


def test_a_wire_moved_to_another_port_is_followed(site: Site) -> None:
    a, b, c = (site.switch(number) for number in (1, 2, 3))
    site.wires.join(a, 1, b, 1)
    site.see((1, 1, 2, 1))
    site.wires.cut(a, 1)
    site.wires.join(a, 1, c, 7)
    site.see((1, 1, 3, 7))


def test_a_switch_that_loses_its_controller_keeps_its_links(site: Site) -> None:
    a, b = site.switch(1), site.switch(2)
    site.wires.join(a, 1, b, 1)
    site.see((1, 1, 2, 1))
    for _ in range(5):
        connections = a.connections
        a.disconnect()
        site.net.until(lambda seen=connections: a.connections > seen and a.greeted)
        assert len(site.links()) == 2
    site.net.until(site.net.settled)
    assert len(site.links()) == 2


def test_a_forged_frame_changes_nothing_and_names_the_port(site: Site) -> None:
    a, b = site.switch(1), site.switch(2)
    a.port(1), b.port(2)
    frame = site.last_from(1, 1)
    forged = frame.replace(dpid(1).encode(), dpid(2).encode())
    site.net.until(site.net.settled)
    for wrong in (forged, frame[:-3] + b"\0" + frame[-2:], forged[:-34] + bytes(34)):
        arrive(b, 2, wrong)
    site.net.until(site.alarms)
    (alarm,) = site.alarms()
    assert (alarm["switch"], alarm["port"], alarm["because"]) == (dpid(2), 2, "forged") and not site.links()


def test_a_replayed_frame_changes_nothing_and_names_the_port(site: Site) -> None:
    a, b, c = (site.switch(number) for number in (1, 2, 3))
    site.wires.join(a, 1, b, 1)
    c.port(5)
    site.see((1, 1, 2, 1))
    arrive(c, 5, site.last_from(1, 1))
    site.net.until(site.alarms)
    (alarm,) = site.alarms()
    assert (alarm["switch"], alarm["port"]) == (dpid(3), 5) and "been here before" in alarm["because"]
    site.see((1, 1, 2, 1))


def test_a_relayed_frame_does_not_move_a_link(site: Site) -> None:
    """The relay is faster than the wire: its copy is here first."""
    a, b, c = (site.switch(number) for number in (1, 2, 3))
    wire = site.wires.join(a, 1, b, 1)
    c.port(5)
    site.see((1, 1, 2, 1))
    wire.lose = 1.0
    site.wires.tap = lambda switch, port, frame: arrive(c, 5, frame) if switch is a else None
    site.hurry()
    site.net.until(site.alarms)
    (alarm,) = site.alarms()
    assert (alarm["switch"], alarm["port"]) == (dpid(3), 5) and "relayed" in alarm["because"]
    site.see((1, 1, 2, 1))


def test_a_frame_of_ours_from_a_tenants_port_is_an_alarm_and_no_link(site: Site) -> None:
    a, b = site.switch(1), site.switch(2)
    a.port(1), b.port(2)
    network = site.net.as_ops.create("network", name="red")
    site.net.as_ops.create("port", network_id=network["id"], binding__profile=profile(2, 2))
    site.net.until(site.net.settled)
    frame = site.last_from(1, 1)
    arrive(b, 2, frame)
    site.net.until(site.alarms)
    assert not site.links() and "tenant" in site.alarms()[0]["because"]
    assert all(one[:2] != (dpid(2), 2) for one in site.heard[-3:]), "nothing is sent to a tenant's port"


def test_a_frame_that_comes_back_to_its_own_port_is_no_link(site: Site) -> None:
    a = site.switch(1)
    a.port(1)
    site.net.until(site.net.settled)
    frame = site.last_from(1, 1)
    arrive(a, 1, frame)
    site.net.until(site.alarms)
    assert not site.links() and "come back" in site.alarms()[0]["because"]


def test_a_port_where_a_machine_has_been_seen_is_no_end_of_a_link(site: Site) -> None:
    a, b = site.switch(1), site.switch(2)
    a.port(1), b.port(2)
    site.net.until(site.net.settled)
    site.net.hadron.desk.call(site.net.hadron.writer.learn, [("station", {
        "id": "n/02:00:00:00:00:09", "network_id": "n", "mac_address": "02:00:00:00:00:09", "port_id": "p",
        "switch_id": dpid(2), "ofport": 2})])
    arrive(b, 2, site.last_from(1, 1))
    site.net.until(site.alarms)
    assert not site.links() and "a machine is at" in site.alarms()[0]["because"]
    arrive(a, 1, site.last_from(2, 2))
    site.net.until(lambda: {one["port"] for one in site.alarms()} == {1, 2})
    assert not site.links()


def test_a_wire_that_loses_a_third_of_all_frames_is_found(site: Site) -> None:
    a, b = site.switch(1), site.switch(2)
    for port in range(1, 9):
        site.wires.join(a, port, b, port, lose=0.3)
    wanted = {(1, port, 2, port) for port in range(1, 9)}
    site.net.until(lambda: site.hurry() or site.links() >= wanted)
    site.see(*wanted)


def test_somebody_elses_frames_mean_nothing(site: Site) -> None:
    a = site.switch(1)
    a.port(1)
    frame = site.last_from(1, 1)
    site.net.until(site.net.settled)
    before = site.net.hadron.control.replies.packets.total()
    for other in (frame[:14], frame[:40], frame[:30] + b"\x00\x00", b"\xff" * 12 + b"\x88\xcc" + bytes(40)):
        arrive(a, 1, other)
    site.net.until(lambda: site.net.hadron.control.replies.packets.total() >= before + 4)
    assert not site.alarms() and not site.links()


def test_frames_say_who_sent_them_and_are_read_strictly() -> None:
    head, tail = lldp.parts("02:00:00:00:00:01", dpid(1), "7", 60)
    assert lldp.read(head + bytes(32) + tail) == lldp.Told(dpid(1), "7", bytes(32))
    assert lldp.read(head + bytes(20) + tail) is None
    for cut in range(len(head)):
        lldp.read(head[:cut])
