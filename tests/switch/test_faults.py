"""Law 4: whatever goes wrong on the way, after quiet a switch holds what it should."""
from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controller.openflow import Entry, Key
from controller.switch import session
from controller.switch.events import SwitchRead
from tests.kit.fake_switch import FakeSwitch, FakeSwitches
from tests.kit.fake_tables import Tables
from tests.switch.desk import Clock, Desk
from tests.switch.entries import blocked, flood, flow, installed, limit, to_group, to_meter

NAMES = ("00000000000000aa", "00000000000000bb")
STEPS = 60


class Trouble:
    """Two switches; orders and faults in an order that the seed decides; now and then quiet, and then a comparison.

    `history` says what was done, for whoever reads a failure.
    """

    def __init__(self, seed: int, desk: Desk, fakes: FakeSwitches, clock: Clock, lanes: int = 0) -> None:
        self.desk, self.fakes, self.clock = desk, fakes, clock
        self.random = random.Random(seed)
        self.history: list[str] = []
        for name in NAMES:
            desk.know(name)
            fakes.add(name).faults.shuffle = random.Random(seed + 1)
        to = desk.switches.listen_for_lanes("127.0.0.1", 0)
        self.lanes = {name: [fakes.add_lane(self.switch(name), to) for _ in range(lanes)] for name in NAMES}

    def step(self) -> None:
        """One order or fault; then the desk answers what has come."""
        what = self.random.choice(_WHAT)
        name, number, port = self.random.choice(NAMES), self.random.randrange(6), self.random.randrange(1, 5)
        self.history.append(f"{what.__name__}({name[-2:]}, {number}, {port})")
        what(self, name, number, port)
        self.desk.answer_for(self.random.choice((0.0, 0.0, 0.002, 0.02)))

    def switch(self, name: str) -> FakeSwitch:
        return self.fakes.switches[name]

    # ---- orders

    def put_flows(self, name: str, number: int, port: int) -> None:
        count = self.random.randrange(1, 12)
        self.desk.order(name, {entry.key: entry for entry in (flow(number + n, port) for n in range(count))})

    def remove_flows(self, name: str, number: int, port: int) -> None:
        self.desk.order(name, {flow(number + n).key: None for n in range(port * 3)})

    def put_a_group_a_meter_and_their_flows(self, name: str, number: int, port: int) -> None:
        wanted: list[Entry] = [to_group(number, number + 1), flood(number + 1, port), to_meter(number, number + 1),
                               limit(number + 1, port), blocked(port)]
        self.desk.order(name, {entry.key: entry for entry in wanted})

    def remove_a_group_a_meter_and_their_flows(self, name: str, number: int, port: int) -> None:
        gone: list[Key] = [("group", number + 1), ("meter", number + 1)]
        gone += [to_group(number, 1).key, to_meter(number, 1).key]
        self.desk.order(name, dict.fromkeys(gone))

    # ---- faults

    def disconnect(self, name: str, number: int, port: int) -> None:
        self.switch(name).disconnect()

    def cut_in_the_middle(self, name: str, number: int, port: int) -> None:
        self.switch(name).faults.cut_after = number * port

    def lose_an_answer(self, name: str, number: int, port: int) -> None:
        self.switch(name).faults.lose.append(self.random.choice(("close", "commit")))

    def refuse(self, name: str, number: int, port: int) -> None:
        self.switch(name).faults.refuse = {flow(number).key, ("group", number + 1)}
        self.switch(name).faults.refuse_at = self.random.choice(("add", "commit", "nameless"))

    def stop_listening_or_talking(self, name: str, number: int, port: int) -> None:
        self.switch(name).faults.deaf, self.switch(name).faults.mute = bool(port & 1), bool(port & 2)

    def meddle(self, name: str, number: int, port: int) -> None:
        with self.fakes.lock:
            tables = self.switch(name).tables
            tables.flows.pop(flow(number).key, None)
            tables.flows[flow(number + 1, 9).key] = (7, b"")
            tables.groups.pop(number, None)

    def come_up_empty(self, name: str, number: int, port: int) -> None:
        with self.fakes.lock:
            self.switch(name).tables = Tables()
            self.switch(name).disconnect()

    def trouble_a_lane(self, name: str, number: int, port: int) -> None:
        for lane in self.lanes[name][:1]:
            lane.faults.deaf, lane.faults.mute = port == 1, port == 2
            if port == 3:
                lane.faults.lose.append("commit")
            elif port == 4:
                lane.faults.cut_after = number

    def audit(self, name: str, number: int, port: int) -> None:
        self.desk.switches.read(name, audit=True)

    def let_time_pass(self, name: str, number: int, port: int) -> None:
        self.clock.forward((1, 6, 11, 16)[port - 1])

    # ---- quiet

    def settle(self) -> None:
        """The faults end, refused entries are tried again on a new connection, an audit repairs the rest."""
        for name in NAMES:
            for each in (self.switch(name), *self.lanes[name]):
                faults = each.faults
                faults.refuse, faults.lose, faults.cut_after, faults.deaf, faults.mute = set(), [], None, False, False
            self.switch(name).disconnect()
        self.clock.forward(2)
        for name in NAMES:
            self.desk.until(lambda name=name: self.whole(name))
            reads = self.audits(name)
            self.desk.switches.read(name, audit=True)
            self.desk.until(lambda name=name, reads=reads: self.audits(name) > reads and self.whole(name))
            assert self.switch(name).held() == installed(self.desk.desired[name]), self.history

    def whole(self, name: str) -> bool:
        """The connection that the switch has now is the one that the desk knows, and all is confirmed on it."""
        known = self.desk.row(name).get("address", "")
        return known == self.switch(name).address and name in self.desk.present and self.desk.settled(name)

    def audits(self, name: str) -> int:
        return len(self.desk.seen(SwitchRead, switch_id=name, audit=True))


_WHAT = [Trouble.put_flows] * 4 + [Trouble.remove_flows] * 2 + [
    Trouble.put_a_group_a_meter_and_their_flows, Trouble.put_a_group_a_meter_and_their_flows,
    Trouble.remove_a_group_a_meter_and_their_flows, Trouble.disconnect, Trouble.cut_in_the_middle,
    Trouble.lose_an_answer, Trouble.refuse, Trouble.stop_listening_or_talking,
    Trouble.meddle, Trouble.audit, Trouble.let_time_pass, Trouble.come_up_empty, Trouble.trouble_a_lane]


@contextmanager
def trouble(seed: int, lanes: int = 0) -> Iterator[Trouble]:
    clock = Clock()
    with Desk(clock=clock, bundle=4) as desk, FakeSwitches(*desk.address) as fakes:
        yield Trouble(seed, desk, fakes, clock, lanes)


@pytest.mark.parametrize("seed", range(24))
def test_after_quiet_what_is_installed_is_what_is_desired(seed: int) -> None:
    with trouble(seed) as now:
        for number in range(STEPS):
            now.step()
            if number % 20 == 19:
                now.settle()


@pytest.mark.parametrize("seed", range(100, 112))
def test_so_it_is_of_switches_with_lanes_each_of_which_may_fail(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "WORTH", 1)
    with trouble(seed, lanes=2) as now:
        for number in range(STEPS):
            if number % 4 == 0:
                now.come_up_empty(now.random.choice(NAMES), 0, 0)
            now.step()
            if number % 20 == 19:
                now.settle()
