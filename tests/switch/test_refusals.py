"""What a switch does not take is found, set aside and told; all else is installed. What it leaves open is read."""
from __future__ import annotations

import pytest

from controller.openflow import Flow, Group, match, output
from controller.switch.events import SwitchAccepted, SwitchConfirmed, SwitchGone, SwitchRead, SwitchRefused
from tests.kit.fake_switch import FakeSwitches
from tests.switch.desk import Clock, Desk
from tests.switch.entries import FIRST, entries, flood, flow, flows, installed, limit, to_group, to_meter

A = "00000000000000aa"


@pytest.mark.parametrize("moment", ["add", "commit", "nameless"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_culprits_are_isolated_however_the_switch_tells(moment: str, count: int) -> None:
    with Desk(bundle=200) as desk, FakeSwitches(*desk.address) as fakes:
        wanted = flows(500)
        desk.know(A, wanted)
        switch = fakes.add(A)
        culprits = {flow(number * 61).key for number in range(count)}
        switch.faults.refuse, switch.faults.refuse_at = culprits, moment
        desk.until(lambda: desk.settled(A))
        assert {event.key for event in desk.seen(SwitchRefused)} == culprits
        assert all(event.text for event in desk.seen(SwitchRefused)) and len(desk.seen(SwitchRefused)) == count
        assert switch.held() == installed({key: entry for key, entry in wanted.items() if key not in culprits})


def test_a_refused_entry_is_left_alone_until_its_key_changes() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, flows(10))
        switch = fakes.add(A)
        switch.faults.refuse = {flow(3).key}
        desk.until(lambda: desk.settled(A))
        discarded = desk.row(A)["bundles_discarded"]
        desk.order(A, entries(flow(3), flow(11)))               # the same again: not sent
        desk.until(lambda: desk.settled(A))
        assert (desk.row(A)["bundles_discarded"], len(desk.seen(SwitchRefused))) == (discarded, 1)
        switch.faults.refuse = set()
        desk.order(A, entries(flow(3, port=9)))
        desk.until(lambda: desk.settled(A))
        assert switch.held() == installed(desk.desired[A])


def test_a_refused_entry_that_is_no_longer_wanted_is_forgotten() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, flows(3))
        switch = fakes.add(A)
        switch.faults.refuse = {flow(1).key}
        desk.until(lambda: desk.settled(A))
        switch.faults.refuse = set()
        desk.order(A, {flow(1).key: None})
        desk.order(A, entries(flow(1)))
        desk.until(lambda: desk.settled(A))
        assert switch.held() == installed(flows(3))


def test_refused_meters_and_groups_take_their_flows_with_them_and_nothing_else() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        lost = entries(limit(1, 5), to_meter(1, 1), flood(7, 1), to_group(1, 7))
        desk.know(A, {**flows(50), **lost, **entries(limit(2, 5), to_meter(2, 2))})
        switch = fakes.add(A)
        switch.faults.refuse = {("meter", 1), ("group", 7)}
        desk.until(lambda: desk.settled(A))
        assert {event.key for event in desk.seen(SwitchRefused)} == lost.keys()
        assert switch.held() == installed({**flows(50), **entries(limit(2, 5), to_meter(2, 2))})


def test_flows_that_were_refused_for_want_of_a_group_are_taken_when_it_comes() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, entries(flood(7, 1), to_group(1, 7), to_group(2, 7), flow(1)))
        switch = fakes.add(A)
        switch.faults.refuse = {("group", 7)}
        desk.until(lambda: desk.settled(A))
        assert switch.held() == installed(entries(flow(1)))
        switch.faults.refuse = set()
        desk.order(A, entries(flood(7, 2)))                     # the flows have not changed
        desk.until(lambda: desk.settled(A) and len(desk.seen(SwitchAccepted)) == 2)
        assert switch.held() == installed(desk.desired[A])


def test_groups_and_meters_that_others_made_or_removed_are_no_reason_to_refuse() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, entries(flood(7, 1), limit(1, 5)))
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        with fakes.lock:
            switch.tables.groups = {8: b"\0\0"}
            switch.tables.meters = {2: limit(2, 1).body}
        desk.order(A, entries(flood(7, 2), flood(8, 3), limit(1, 6), limit(2, 7)))
        desk.until(lambda: desk.settled(A))
        assert not desk.seen(SwitchRefused) and switch.held() == installed(desk.desired[A])


def test_an_entry_that_no_message_can_hold_is_refused_here() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        giant = Flow(FIRST, 1, match(in_port=1), tuple(output(port) for port in range(1, 4092)))
        too_big = Group(9, "all", [(None, None, (output(1),)) for _ in range(2500)])
        desk.know(A, {**flows(5), **entries(giant, too_big)})
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        assert {event.key for event in desk.seen(SwitchRefused)} == {giant.key, too_big.key}
        assert switch.held() == installed(flows(5))


def test_large_entries_make_smaller_bundles() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        large = entries(*(Flow(FIRST, number, match(in_port=1), tuple(output(port) for port in range(1, 3000)))
                          for number in range(1, 200)))
        desk.know(A, large)
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        assert switch.commits > 1 and switch.held() == installed(large)


def test_an_answer_that_is_lost_leads_to_reading_not_to_guessing() -> None:
    clock = Clock()
    with Desk(clock=clock) as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, flows(10))
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        switch.faults.lose.append("commit")
        desk.order(A, entries(flow(1, port=5), flow(20)))
        desk.until(lambda: not switch.faults.lose)
        clock.forward(11)
        desk.until(lambda: len(desk.seen(SwitchRead)) == 2 and desk.settled(A))
        assert desk.differences[-1][1] == {}
        assert switch.held() == installed(desk.desired[A]) and switch.connections == 1 and not switch.bundles


def test_what_was_committed_is_confirmed_even_if_the_answer_before_is_lost() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A)
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        switch.faults.lose.append("close")
        seq = desk.order(A, flows(3))
        desk.until(lambda: desk.seen(SwitchConfirmed, switch_id=A, seq=seq))
        assert switch.held() == installed(flows(3)) and len(desk.seen(SwitchRead)) == 1


def test_a_switch_whose_answers_are_always_lost_is_given_up() -> None:
    clock = Clock()
    with Desk(clock=clock) as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A)
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        switch.faults.lose += ["commit"] * 10
        desk.order(A, flows(3))
        for count in range(1, 5):
            desk.until(lambda count=count: len(switch.faults.lose) <= 10 - count)
            clock.forward(11)
        gone = desk.until(lambda: desk.seen(SwitchGone))
        assert "in a row" in gone[0].reason


def test_a_switch_without_bundles_is_told_goodbye_not_written_to_piece_by_piece() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, flows(3))
        switch = fakes.add(A)
        switch.faults.no_bundles, switch.wanted = True, False
        with fakes.lock:
            switch.connect(desk.address)
        gone = desk.until(lambda: desk.seen(SwitchGone))
        assert "bundle" in gone[0].reason and switch.mods == 0
