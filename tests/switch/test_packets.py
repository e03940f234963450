"""Packets on their way to the desk: bounded for each switch, taken in turn, counted when dropped."""
from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import pytest

from controller.openflow import output
from controller.openflow.messages import PacketIn
from controller.switch.events import PacketsWaiting, SwitchConfirmed
from controller.switch.link import Link
from controller.switch.packets import PacketQueue
from tests.kit.fake_switch import FakeSwitches, packet_in
from tests.switch.desk import Desk
from tests.switch.entries import entries, flow

A, B = "00000000000000aa", "00000000000000bb"
PACKET = packet_in(b"a" * 60)


def test_the_desk_is_told_once_and_again_only_while_packets_remain() -> None:
    told: list[object] = []
    waiting = PacketQueue(told.append, each=8)
    for number in range(6):
        waiting.put("a", packet(number), 1.0)
    assert told == [PacketsWaiting()]
    assert [each.packet.cookie for each in waiting.take(4)] == [0, 1, 2, 3] and len(told) == 2
    assert len(waiting.take(4)) == 2 and len(told) == 2
    waiting.put("a", packet(9), 1.0)
    assert len(told) == 3


def test_switches_take_turns_and_a_full_queue_takes_no_more() -> None:
    waiting = PacketQueue(lambda event: None, each=3)
    for number in range(5):
        waiting.put("loud", packet(number), 1.0)
    waiting.put("quiet", packet(100), 1.0)
    assert waiting.full("loud") and not waiting.full("quiet")
    assert [each.switch_id for each in waiting.take(10)] == ["loud", "quiet", "loud", "loud"]
    waiting.put("loud", packet(1), 1.0)
    waiting.forget("loud")
    assert waiting.take(10) == []


def packet(number: int) -> PacketIn:
    return PacketIn(number, 0, 1, 0, {}, 0, 1, 0, b"")


def test_a_packet_comes_with_its_cookie_table_and_port_and_an_answer_goes_back() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A)
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        switch.packet_in(b"question" * 8, cookie=0x0A00000001FFFFFF, table=20, in_port=5)
        desk.until(lambda: desk.packets)
        found = desk.packets[0].packet
        assert (found.cookie, found.table, found.in_port, found.data) == (0x0A00000001FFFFFF, 20, 5, b"question" * 8)
        desk.switches.send_packet(A, output(5), b"answer" * 10)
        desk.until(lambda: switch.packets_out)
        assert switch.packets_out[0].endswith(output(5) + b"answer" * 10)
        with pytest.raises(ValueError, match="does not fit"):
            desk.switches.send_packet(A, output(5), bytes(70_000))


def test_a_flood_from_one_switch_is_bounded_and_starves_nobody() -> None:
    with Desk(packets_each=50) as desk, FakeSwitches(*desk.address) as fakes:
        for name in (A, B):
            desk.know(name)
            fakes.add(name)
        desk.until(lambda: desk.confirmed.keys() >= {A, B})
        flood = fakes.switches[A]
        with fakes.lock:
            for _ in range(100):                                        # the desk fetches nothing meanwhile
                for _ in range(200):
                    flood.out += PACKET
                flood._flush()
        fakes.switches[B].packet_in(b"b" * 60)
        desk.until(lambda: any(each.switch_id == B for each in desk.packets))
        seq = desk.order(B, entries(flow(1)))
        desk.until(lambda: desk.seen(SwitchConfirmed, switch_id=B, seq=seq), within=1.0)
        row = desk.until(lambda: desk.row(A) if desk.row(A)["packets_in"] == 20_000 else None)
        assert row["packets_dropped"] > 0 and row["state"] == "following"
        desk.until(lambda: len(desk.packets) - 1 == 20_000 - desk.row(A)["packets_dropped"])


def test_what_waits_for_the_desk_never_exceeds_its_bound() -> None:
    with Desk(packets_each=50) as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A)
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        switch.send(PACKET * 1000)
        row = row_when(desk, packets=1000)                # nothing has been fetched
        assert row["packets_dropped"] == 950
        assert sum(1 for _ in iter(lambda: desk.switches.packets(7) or None, None)) == 8


def row_when(desk: Desk, *, packets: int) -> dict[str, Any]:
    """The row of A once so many packets have come, without fetching any."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        row = desk.row(A)
        if row["packets_in"] >= packets:
            return row
    raise AssertionError(row)


class Quiet:
    """A loop in which nothing happens by itself."""

    dirty: list[Link] = []

    def clock(self) -> float:
        return 0.0

    def watch(self, link: Link, *, writing: bool) -> None:
        pass


def test_what_is_made_as_it_leaves_is_not_made_while_the_switch_takes_nothing() -> None:
    near, far = socket.socketpair()
    with near, far:
        link, made = Link(Quiet(), near, "switch"), list[int]()         # type: ignore[arg-type]
        far.setblocking(False)
        link.send_now(bytes(1 << 22))
        link.send_fresh(lambda: made.append(link.waiting) or b"made late")      # type: ignore[func-returns-value]
        link.flush()
        assert link.waiting and not made
        heard = bytearray()
        while not heard.endswith(b"made late"):
            with contextlib.suppress(BlockingIOError):
                heard += far.recv(1 << 16)
            link.writable()
        assert made == [0] and len(heard) == (1 << 22) + len(b"made late")


class Heard:
    """A peer that notes when what it hears has come."""

    def __init__(self, link: Link) -> None:
        self.link, self.came = link, list[float]()

    def check(self, *_: int) -> None:
        pass

    def received(self, *_: Any) -> None:
        self.came.append(self.link.came)


def test_a_packet_has_come_when_it_was_here_and_not_when_somebody_had_time_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as far:
        link = Link(Quiet(), server.accept()[0], "switch")              # type: ignore[arg-type]
        link.peer = heard = Heard(link)                                 # type: ignore[assignment]
        for _ in range(2):
            far.sendall(PACKET)
            sent = time.time()
            while time.time() < sent + 0.1:
                pass
            link.readable()
            assert heard.came.pop() <= sent
        link.sock.close()
