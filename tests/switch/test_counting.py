"""What went through the flows of a switch, asked for when somebody looks."""
from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from controller.openflow import stats
from controller.openflow.frame import Malformed
from controller.switch.counting import Counting
from tests.kit.dummy_ovs import DummyOvs, dummy_ovs  # noqa: F401
from tests.kit.fake_switch import FakeSwitches
from tests.kit.fake_tables import pack
from tests.switch.desk import PATIENCE, Desk
from tests.switch.entries import blocked, entries, flow, flows

A, STRANGER = "00000000000000a1", "00000000000000ee"


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk() as desk:
        yield desk


def test_every_flow_is_told_with_what_went_through_it(desk: Desk, dummy_ovs: DummyOvs) -> None:  # noqa: F811
    dummy_ovs.add_bridge("br0", switch_id=A)
    dummy_ovs.add_ports("br0", {"p1": 1, "p2": 2})
    dummy_ovs.vsctl("set-controller", "br0", "tcp:{}:{}".format(*desk.address), "--", "set", "controller", "br0",
                    "max_backoff=1000")
    desk.know(A, {**flows(3000), **entries(blocked(9))})
    desk.until(lambda: desk.settled(A))
    wanted = flow(7)
    packet = "in_port(1),eth(src=fa:16:3e:00:00:01,dst=fa:16:3e:00:00:02),eth_type(0x0800)," \
             "ipv4(src=10.9.9.9,dst=10.0.0.7,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)"
    for _ in range(3):
        dummy_ovs.appctl("netdev-dummy/receive", "p1", packet)

    def counted() -> stats.Held | None:
        found = desk.switches.counters(A).result(PATIENCE)
        assert found.keys() == desk.desired[A].keys()
        held = found[wanted.key]
        return held if held.packets >= 3 else None

    held = desk.until(counted)
    assert (held.cookie, held.body, held.packets) == (wanted.cookie, wanted.body, 3)
    assert held.octets >= 3 * 42 and held.seconds < PATIENCE


def test_switches_that_are_away_or_unknown_are_not_asked(desk: Desk) -> None:
    with pytest.raises(LookupError, match="not followed"):
        desk.switches.counters(A).result(PATIENCE)
    with FakeSwitches(*desk.address) as fakes:
        fakes.add(STRANGER)
        desk.until(lambda: STRANGER in desk.present)
        with pytest.raises(LookupError, match="not followed"):
            desk.switches.counters(STRANGER).result(PATIENCE)


def test_who_waits_is_told_when_the_switch_goes(desk: Desk) -> None:
    with FakeSwitches(*desk.address) as fakes:
        switch = fakes.add(A)
        desk.know(A, flows(3))
        desk.until(lambda: desk.settled(A))
        switch.faults.mute = True
        answers = [desk.switches.counters(A) for _ in range(2)]
        switch.wanted = False
        switch.disconnect()
        for answer in answers:
            with pytest.raises(LookupError):
                answer.result(PATIENCE)


def reply(body: bytes, *, more: bool = False) -> bytes:
    return pack("BBHI", 5, 19, 16 + len(body), 7) + pack("HHI", 1, int(more), 0) + body


def entry(number: int) -> bytes:
    one = flow(number)
    return pack("HBBIIHHHHIQQQ", 48 + len(one.match) + len(one.body), 0, 0, 5, 0, 100, 0, 0, 0, 0, one.cookie, 2, 84) + \
        one.match + one.body


def test_all_who_ask_at_once_share_one_question_and_an_answer_in_parts() -> None:
    counting = Counting()
    first: Future = Future()
    second: Future = Future()
    assert counting.ask(first, 7, 0.0) == stats.flow_stats_request(7) and counting.ask(second, 8, 1.0) == b""
    assert counting.concerns(7) and not counting.concerns(8)
    counting.part(reply(entry(1), more=True))
    counting.part(reply(entry(2)))
    assert first.result(0) == second.result(0)
    assert {key: held.packets for key, held in first.result(0).items()} == {flow(1).key: 2, flow(2).key: 2}
    assert not counting.concerns(7)


@pytest.mark.parametrize("body", [
    bytes(8), entry(1)[:-8], entry(1)[:40], b"\0\0" + entry(1)[2:], b"\xff\xff" + entry(1)[2:],
    entry(1)[:50] + b"\xff\xff" + entry(1)[52:]])
def test_an_unsound_answer_is_refused(body: bytes) -> None:
    counting = Counting()
    counting.ask(Future(), 7, 0.0)
    with pytest.raises(Malformed):
        counting.part(reply(body))
