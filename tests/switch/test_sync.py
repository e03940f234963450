"""A switch comes to hold what it should, and nothing is sent that need not be."""
from __future__ import annotations

from controller.switch.events import PortChanged, SwitchConfirmed, SwitchGreeted, SwitchRead
from controller.switch.sync import agrees, difference
from tests.kit.fake_switch import FakeSwitches
from tests.switch.desk import Desk
from tests.switch.entries import blocked, entries, flood, flow, flows, installed, limit, to_group, to_meter

A = "00000000000000aa"


def mixture() -> dict:
    wanted = flows(300)
    wanted.update(entries(limit(1, 100), limit(2, 200), flood(7, 1, 2), to_group(1, 7), to_meter(1, 2), blocked(9)))
    return wanted


def test_a_difference_of_equal_sets_is_empty_and_unequal_ones_are_named() -> None:
    wanted = entries(flow(1), flow(2), flow(3), limit(4, 50))
    assert difference(wanted, installed(wanted)) == {}
    have = installed(entries(flow(1), flow(2, port=9), flow(4), limit(4, 51)))
    found = difference(wanted, have)
    assert found == {flow(2).key: flow(2), flow(3).key: flow(3), flow(4).key: None, ("meter", 4): limit(4, 50)}
    assert found.missing == [flow(3).key]
    assert found.altered == [flow(2).key, ("meter", 4)]
    assert found.alien == [flow(4).key]


def test_a_difference_spares_what_is_not_ours_and_what_has_changed_since() -> None:
    wanted = entries(flow(1), flow(2))
    have = {**installed(entries(flow(5))), (0, 7, b"theirs"): (99, b"")}
    found = difference(wanted, have, owned=lambda key, cookie: cookie != 99, changed={flow(2).key})
    assert found == {flow(1).key: flow(1), flow(5).key: None}


def test_the_first_sync_makes_a_switch_right_and_the_second_sends_nothing() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, mixture())
        switch = fakes.add(A)
        switch.tables.flows[flow(999).key] = (1, b"")
        desk.until(lambda: desk.settled(A))
        assert switch.held() == installed(desk.desired[A])
        mods, (_, first) = switch.mods, desk.differences[-1]
        assert len(first.missing) == 306 and first.alien == [flow(999).key]
        switch.disconnect()
        desk.until(lambda: len(desk.differences) == 2 and desk.settled(A))
        assert desk.differences[1][1] == {} and switch.mods == mods


def test_an_unknown_switch_is_watched_and_never_written() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        switch = fakes.add(A)
        desk.until(lambda: desk.seen(SwitchGreeted))
        desk.switches.change(A, entries(flow(1)), 1)
        desk.switches.send_packet(A, b"", b"x" * 60)
        fakes.add("00000000000000bb")
        desk.until(lambda: len(desk.seen(SwitchGreeted)) == 2)
        assert desk.row(A)["state"] == "strange"
        assert (switch.mods, switch.role_requests, switch.packets_out_count) == (0, 0, 0)


def test_changes_become_one_bundle_and_are_confirmed_by_number() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, flows(10))
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        commits = switch.commits
        seq = desk.order(A, {**flows(5, port=7), flow(8).key: None, **entries(flood(3, 1), to_group(1, 3))})
        desk.until(lambda: desk.seen(SwitchConfirmed, seq=seq))
        assert switch.commits == commits + 1
        assert switch.held() == installed(desk.desired[A])


def test_groups_and_meters_are_replaced_and_removed_in_an_order_that_the_switch_takes() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, mixture())
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        desk.order(A, entries(flood(7, 3), limit(2, 999)))
        desk.until(lambda: desk.settled(A))
        assert switch.held() == installed(desk.desired[A])
        desk.order(A, {("group", 7): None, ("meter", 2): None, to_group(1, 7).key: None, to_meter(1, 2).key: None})
        desk.until(lambda: desk.settled(A))
        assert switch.held() == installed(desk.desired[A]) and not desk.row(A)["errors"]


def test_a_large_change_is_cut_into_bundles_later_tables_first() -> None:
    with Desk(bundle=100) as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, {**flows(950), **entries(*(blocked(number) for number in range(50)))})
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        assert switch.commits == 10 and switch.held() == installed(desk.desired[A])
        assert [key[0] for key in switch.held()][:50] == [10] * 50


def test_of_many_changes_while_a_bundle_is_on_its_way_only_the_latest_is_sent() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A)
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        with fakes.lock:                                    # the switch takes nothing meanwhile
            for port in range(1, 200):
                desk.order(A, entries(flow(1, port)))
            pending = desk.row(A)["pending"]
        desk.until(lambda: desk.settled(A))
        assert pending <= 1 and switch.mods <= 3
        assert switch.held() == installed(entries(flow(1, 199)))


def test_an_audit_finds_what_others_did_and_nothing_of_what_was_ordered_meanwhile() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, flows(100))
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        with fakes.lock:
            del switch.tables.flows[flow(1).key]
            switch.tables.flows[flow(2).key] = (0, flow(2, port=66).body)
            switch.tables.flows[flow(200).key] = (5, b"")
            desk.switches.read(A, audit=True)
            desk.order(A, {flow(3).key: None, **entries(flow(50, port=9), flow(300))})
        desk.until(lambda: desk.seen(SwitchRead, audit=True) and desk.settled(A))
        _, found = desk.differences[-1]
        assert (found.missing, found.altered, found.alien) == ([flow(1).key], [flow(2).key], [flow(200).key])
        assert switch.held() == installed(desk.desired[A])


def test_ports_are_told_as_they_come_go_and_change() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A)
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        for reason, state in ((0, 0), (2, 1), (1, 0)):
            switch.send(port_status(reason, 5, "tap5", state))
        desk.until(lambda: len(desk.seen(PortChanged)) == 3)
        assert [event[1:3] for event in desk.seen(PortChanged)] == [(5, "tap5")] * 3
        assert [event.state for event in desk.seen(PortChanged)] == ["up", "down", "gone"]


def port_status(reason: int, number: int, name: str, state: int) -> bytes:
    from tests.kit.fake_tables import pack
    port = pack("IHH", number, 40, 0) + bytes(8) + name.encode().ljust(16, b"\0") + pack("II", 0, state)
    return pack("BBHI", 5, 12, 56, 0) + bytes((reason,)) + bytes(7) + port


def test_the_switch_says_what_it_is_through_the_framework() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A)
        fakes.add(A)
        desk.until(lambda: desk.row(A).get("description") == "Hadron fake 1")


def test_a_switch_that_holds_a_part_of_what_is_coming_agrees_with_it_and_any_other_does_not() -> None:
    coming = {**flows(5), **entries(limit(1, 5))}
    assert agrees({}, coming) and agrees(installed(entries(limit(1, 5))), coming) and agrees(installed(coming), coming)
    assert not agrees(installed(entries(limit(1, 6))), coming) and not agrees(installed(flows(6)), coming)
    assert not agrees(installed(flows(1)), dict.fromkeys(flows(1)))
