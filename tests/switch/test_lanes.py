"""A switch that has come up empty is filled by several connections, in order, and whatever becomes of them."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.openflow import Entry, Flow, Key, match, output
from controller.switch.events import SwitchDemoted, SwitchEmpty, SwitchRefused, SwitchTwice
from controller.switch.filling import WORTH
from controller.switch.tls import server_context
from tests.kit.certificates import certificate
from tests.kit.dummy_ovs import DummyOvs, dummy_ovs  # noqa: F401
from tests.kit.fake_switch import FakeLane, FakeSwitch, FakeSwitches, packet_in
from tests.kit.fake_tables import Tables
from tests.kit.raw_peer import RawPeer
from tests.switch.desk import Clock, Desk
from tests.switch.entries import LATER, entries, flood, flows, installed, limit, to_group, to_meter

A, LANES = "00000000000000aa", 3


def later(count: int) -> dict[Key, Entry]:
    return entries(*(Flow(LATER, 50, match(eth_type=0x0800, ipv4_dst=0x0D000000 + number), (output(1),)) for number in range(count)))


def much() -> dict[Key, Entry]:
    """Two tables, meters and groups, and flows that refer to them."""
    meters = [entry for number in range(1, 30) for entry in (limit(number, 100), to_meter(number, number))]
    return {**flows(500), **later(2 * WORTH), **entries(*meters, flood(7, 1, 2), to_group(1, 7))}


class Filled:
    """A desk, a switch that is not there and its lanes, which are there before the switch itself is."""

    def __init__(self, desk: Desk, fakes: FakeSwitches, wanted: dict[Key, Entry]) -> None:
        self.desk = desk
        self.address = desk.switches.listen_for_lanes("127.0.0.1", 0)
        self.switch = FakeSwitch(fakes, A)
        self.lanes: list[FakeLane] = [fakes.add_lane(self.switch, self.address) for _ in range(LANES)]
        self.place = (A, "127.0.0.1", "")
        desk.know(A, wanted)
        desk.until(lambda: len(desk.switches.lanes.of(self.place)) == LANES)

    def come(self) -> None:
        """The switch itself connects."""
        fakes = self.switch.fakes
        with fakes.lock:
            fakes.switches[A] = self.switch

    def held(self, table: int) -> int:
        return sum(key[0] == table for key in self.switch.held())

    def whole(self) -> bool:
        return self.desk.settled(A) and self.switch.held() == installed(self.desk.desired[A])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def filled(clock: Clock) -> Iterator[Filled]:
    with Desk(clock=clock) as desk, FakeSwitches(*desk.address) as fakes:
        yield Filled(desk, fakes, much())


def test_all_lanes_help_to_fill_it_and_are_at_rest_afterwards(filled: Filled) -> None:
    filled.come()
    filled.desk.until(filled.whole)
    assert all(lane.commits for lane in filled.lanes) and filled.switch.commits
    assert filled.desk.row(A)["lanes"] == LANES
    assert filled.desk.row(A)["changes"] == len(much()), "what lanes have carried counts"
    filled.desk.switches.read(A)
    filled.desk.until(lambda: len(filled.desk.differences) == 2)
    assert filled.desk.differences[-1][1] == {}


def test_lanes_serve_again_when_it_comes_up_empty_once_more(filled: Filled) -> None:
    filled.come()
    filled.desk.until(filled.whole)
    before = [lane.commits for lane in filled.lanes]
    with filled.switch.fakes.lock:
        filled.switch.tables = Tables()
        filled.switch.disconnect()
    filled.desk.until(lambda: len(filled.desk.differences) == 2 and filled.whole())
    assert all(lane.commits > was for lane, was in zip(filled.lanes, before, strict=True))


def test_small_changes_and_switches_that_hold_something_take_no_lane(filled: Filled) -> None:
    filled.desk.desired[A] = flows(WORTH - 1)
    filled.come()
    filled.desk.until(filled.whole)
    filled.desk.order(A, later(2 * WORTH))
    filled.desk.until(filled.whole)
    filled.switch.disconnect()
    filled.desk.desired[A].update(flows(2 * WORTH, first=WORTH))
    filled.desk.until(lambda: len(filled.desk.differences) == 2 and filled.whole())
    assert not any(lane.commits for lane in filled.lanes)


def test_nothing_of_the_first_table_is_there_before_all_lanes_are_done(filled: Filled) -> None:
    filled.lanes[1].faults.lose.append("commit")
    filled.come()
    everything = sum(key[0] == LATER.number for key in filled.desk.desired[A])
    filled.desk.until(lambda: filled.held(LATER.number) > everything - 20)        # of which that lane has no more than 20 left
    filled.desk.answer_for(0.2)
    assert filled.held(0) == 0 and not filled.desk.settled(A)
    filled.lanes[1].disconnect()
    filled.desk.until(filled.whole)
    assert filled.desk.row(A)["reads"] == 2, "what the lane has done is read, not guessed"


@pytest.mark.parametrize("after", [0, 1, 20, 1000])
def test_a_lane_that_is_cut_delays_and_harms_nothing(filled: Filled, after: int) -> None:
    filled.lanes[0].faults.cut_after = after
    filled.come()
    filled.desk.until(filled.whole)


def test_a_lane_that_takes_nothing_or_answers_nothing_is_closed(filled: Filled, clock: Clock) -> None:
    filled.lanes[0].faults.mute = filled.lanes[2].faults.deaf = True
    filled.come()
    filled.desk.until(lambda: filled.desk.differences)
    while filled.lanes[0].connections + filled.lanes[2].connections < 3:
        clock.forward(1)
        filled.desk.answer_for(0.05)
    filled.lanes[0].faults.mute = filled.lanes[2].faults.deaf = False
    filled.desk.until(filled.whole)


def test_a_switch_that_goes_while_it_is_filled_is_filled_when_it_is_back(filled: Filled) -> None:
    filled.switch.faults.cut_after = 700
    filled.come()
    filled.desk.until(lambda: filled.switch.connections > 1 and filled.whole())


def test_what_is_asked_while_it_is_filled_holds_in_the_end(filled: Filled) -> None:
    filled.lanes[0].faults.lose.append("commit")
    filled.come()
    filled.desk.until(lambda: filled.held(LATER.number) > WORTH)
    gone, other = later(10), flows(600, first=400, port=2)
    filled.desk.order(A, {**dict.fromkeys(gone), **other})
    filled.desk.answer_for(0.1)
    assert not filled.held(0)
    filled.lanes[0].disconnect()
    filled.desk.until(filled.whole)
    assert gone.keys().isdisjoint(filled.switch.held())


def test_orders_that_come_while_lanes_are_busy_follow_their_work(filled: Filled) -> None:
    filled.come()
    filled.desk.until(lambda: filled.desk.differences)
    filled.desk.order(A, {**dict.fromkeys(later(10)), **flows(600, first=400, port=2)})
    filled.desk.until(filled.whole)


def test_what_is_refused_to_a_lane_is_told_once_and_all_else_is_installed(filled: Filled) -> None:
    bad = set(list(later(2 * WORTH))[100:104])
    for each in (filled.switch, *filled.lanes):
        each.faults.refuse |= bad
    filled.come()
    filled.desk.until(lambda: filled.desk.settled(A))
    assert {event.key for event in filled.desk.seen(SwitchRefused)} == bad and len(filled.desk.seen(SwitchRefused)) == len(bad)
    assert filled.switch.held().keys() == much().keys() - bad
    filled.desk.order(A, {key: much()[key] for key in bad})
    filled.desk.until(lambda: filled.desk.settled(A))
    assert len(filled.desk.seen(SwitchRefused)) == len(bad), "what was refused is not sent again as it was"


def test_a_demoted_controller_lets_go_of_the_lanes(filled: Filled) -> None:
    filled.lanes[0].faults.lose.append("commit")
    filled.come()
    filled.desk.until(lambda: filled.held(LATER.number) > WORTH)
    filled.switch.send(bytes.fromhex("051e001800000000" "0000000300000000" "00000000000000ff"))     # ROLE_STATUS: slave
    filled.desk.until(lambda: filled.desk.seen(SwitchDemoted))
    filled.desk.answer_for(0.2)
    assert not filled.held(0)


def test_a_lane_is_no_second_switch_and_its_packets_are_passed_over(filled: Filled) -> None:
    filled.come()
    filled.desk.until(filled.whole)
    for lane in filled.lanes:
        lane.packet_in(bytes(64))
        lane.port(9)
    filled.switch.send(packet_in(bytes(64)))
    filled.desk.until(lambda: filled.desk.packets)
    filled.desk.answer_for(0.1)
    assert len(filled.desk.packets) == 1 and not filled.desk.seen(SwitchTwice)
    assert [each.connections for each in (filled.switch, *filled.lanes)] == [1] * (LANES + 1)


def test_lanes_from_elsewhere_are_not_used_and_too_many_are_refused(filled: Filled) -> None:
    peers = []
    for _ in range(12):
        peers.append(RawPeer(filled.address))
        peers[-1].greet(A)
    filled.desk.until(lambda: len(filled.desk.switches.lanes.of(filled.place)) == 8)
    assert not filled.desk.switches.lanes.of((A, "192.0.2.1", ""))
    assert not filled.desk.switches.lanes.of((A, "127.0.0.1", "somebody"))
    for peer in peers:
        peer.socket.close()
    filled.desk.until(lambda: len(filled.desk.switches.lanes.of(filled.place)) == LANES)
    filled.come()
    filled.desk.until(filled.whole)


def test_an_unsound_message_ends_its_lane_only(filled: Filled) -> None:
    filled.come()
    filled.desk.until(filled.whole)
    with RawPeer(filled.address) as peer:
        peer.greet(A)
        peer.send(bytes.fromhex("05ff000800000000"))
        with pytest.raises(ConnectionError):
            while True:
                peer.read()
    assert filled.desk.row(A)["state"] == "following"


@pytest.mark.parametrize("sealed", [False, True])
def test_a_real_open_vswitch_is_filled_by_its_lanes_over_tcp_and_tls(
        dummy_ovs: DummyOvs, tmp_path: Path, sealed: bool) -> None:  # noqa: F811
    name, identity = ("br1", "00000000000000b1") if sealed else ("br0", "00000000000000b0")
    context = None
    if sealed:
        own, theirs = certificate(tmp_path, "controller"), certificate(tmp_path, "host1")
        context = server_context(own.certificate, own.key, client_ca=theirs.authority)
        dummy_ovs.vsctl("set-ssl", theirs.key, theirs.certificate, own.authority)
    bridge = dummy_ovs.add_bridge(name, switch_id=identity)
    with Desk() as desk:
        desk.know(identity, much())
        host, port = desk.switches.listen("127.0.0.1", 0, context)
        _, lanes = desk.switches.listen_for_lanes("127.0.0.1", 0, context)
        kind = "ssl" if sealed else "tcp"
        dummy_ovs.vsctl("set-controller", name, *(f"{kind}:{host}:{'0' * place}{lanes}" for place in range(LANES)))
        place = (identity, "127.0.0.1", "host1" if sealed else "")
        desk.until(lambda: len(desk.switches.lanes.of(place)) == LANES)
        used = [lane.link.bytes_out for lane in desk.switches.lanes.of(place)]
        dummy_ovs.vsctl("set-controller", name, f"{kind}:{host}:{port}",
                        *(f"{kind}:{host}:{'0' * place}{lanes}" for place in range(LANES)))
        desk.until(lambda: desk.settled(identity))
        assert bridge.held() == installed(much())
        now = [lane.link.bytes_out for lane in desk.switches.lanes.of(place)]
        assert all(after > before + 100_000 for before, after in zip(used, now, strict=True))


def test_what_was_foreseen_and_is_not_wanted_any_more_goes_in_the_end(filled: Filled) -> None:
    desk = filled.desk
    desk.switches.foresee = lambda id, _: foresee(id, {**much(), **later(3 * WORTH)})      # type: ignore[method-assign]
    foresee = type(desk.switches).foresee.__get__(desk.switches)
    filled.come()
    desk.until(lambda: desk.seen(SwitchEmpty) and filled.whole())
    assert all(lane.commits for lane in filled.lanes)


def test_a_switch_that_only_seems_empty_is_made_right(filled: Filled) -> None:
    filled.switch.tables.apply(flood(7, 3).add())
    filled.switch.tables.apply(limit(1, 5).add())
    filled.switch.tables.apply(limit(99, 5).add())
    filled.come()
    filled.desk.until(lambda: filled.desk.seen(SwitchEmpty) and filled.whole())
