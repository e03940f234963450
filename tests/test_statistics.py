"""What is counted is the truth: each packet once, whatever becomes of flows, of Hadron and of switches meanwhile."""
from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.folding import Base, Delta, Folding
from controller.openflow.counters import FIRST_FLOW, Count, Removed, meter_key
from controller.openflow.match import match
from controller.store.ledger import Ledger, Series

SWITCH, SIZE = "00000000000000a1", 100
KEYS = [(0, 100, match(in_port=port)) for port in (1, 2)]
OWNERS = (0x02AAAAAAAA, 0x02BBBBBBBB)


class Switch:
    """Flows that count, as Open vSwitch does; what it says of flows that went comes when it is fetched."""

    def __init__(self) -> None:
        self.flows: dict[tuple, list] = {}              # key -> [owner, packets]
        self.says: list[Removed] = []
        self.born = 0.0

    def put(self, key: tuple, owner: int) -> None:
        held = self.flows.get(key)
        if held is None:
            self.flows[key] = [owner, 0]
        assert self.flows[key][0] == owner, "another's flow is taken out first"

    def take_out(self, key: tuple) -> int:
        owner, packets = self.flows.pop(key)
        self.says.append(Removed(key, owner << 24 | 7, packets, packets * SIZE))
        return owner

    def counts(self, now: float) -> dict[tuple, Count]:
        return {FIRST_FLOW: Count(0, 0, 0, now - self.born),
                **{key: Count(owner << 24 | 7, packets, packets * SIZE, 1.0) for key, (owner, packets) in self.flows.items()}}


class World:
    """A switch, Hadron's account of it, and the truth."""

    def __init__(self, path: Path | str = "") -> None:
        self.ledger, self.switch, self.now = Ledger(path), Switch(), 1_000_000.0
        self.truth: Counter[int] = Counter()
        self.unread: Counter[int] = Counter()           # what only the switch knows of
        self.begin()

    def series(self, place: tuple) -> int:
        return self.ledger.number(Series("port", f"{place[2]:x}", "sent"))

    def begin(self) -> None:
        """Hadron starts, with what the ledger has."""
        self.folding = Folding(self.series, ((place, Base(*base)) for place, base in self.ledger.bases()), self.ledger.ages())
        self.met = False

    def save(self, deltas: Any) -> None:
        self.ledger.save(self.now, deltas, self.folding.dirty, self.folding.ages)
        self.folding.saved()

    def read(self) -> None:
        """All that the switch has said of flows that went, and then a reading."""
        self.hear()
        self.save(self.folding.counted(SWITCH, self.switch.counts(self.now), self.now))
        self.unread.clear()
        self.met = True

    def hear(self) -> None:
        for one in self.switch.says:
            self.save(self.folding.removed(SWITCH, one))
        self.switch.says.clear()

    def told(self) -> dict[int, int]:
        return {owner: sum(one.packets for one in self.ledger.sums(id=f"{owner:x}")) for owner in OWNERS}

    # ---- what may happen
    def traffic(self, key: tuple, packets: int) -> None:
        if key in self.switch.flows:
            self.switch.flows[key][1] += packets
            self.truth[self.switch.flows[key][0]] += packets
            self.unread[self.switch.flows[key][0]] += packets

    def wish(self, key: tuple, owner: int | None) -> None:
        """Hadron changes a flow, after it has read the switch: another's counters are not carried over."""
        if not self.met:
            self.read()
        held = self.switch.flows.get(key)
        if held is not None and held[0] != owner:
            self.folding.taken_out(SWITCH, [(key, self.switch.take_out(key))])
        if owner is not None:
            self.switch.put(key, owner)

    def restart_hadron(self) -> None:
        self.hear()
        self.begin()

    def break_connection(self) -> None:
        self.hear()
        self.go()

    def go(self) -> None:
        self.folding.gone(SWITCH)
        self.met = False

    def restart_switch(self) -> None:
        """All flows are gone, and what only it knew; Hadron puts them there again."""
        self.hear()
        self.read()
        self.go()
        self.switch.flows = {key: [owner, 0] for key, (owner, _) in self.switch.flows.items()}
        self.now += 5
        self.switch.born = self.now


_happenings = st.lists(st.one_of(
    st.tuples(st.just("traffic"), st.sampled_from(KEYS), st.integers(1, 1000)),
    st.tuples(st.just("wish"), st.sampled_from(KEYS), st.sampled_from([*OWNERS, None])),
    st.sampled_from([("read",), ("hear",), ("restart_hadron",), ("break_connection",), ("restart_switch",)])), max_size=40)


@settings(max_examples=300, deadline=None)
@given(_happenings)
def test_whatever_happens_each_packet_is_counted_once_and_nothing_is_ever_less(happenings):
    world = World()
    before = dict.fromkeys(OWNERS, 0)
    for what, *how in happenings:
        world.now += 1.5
        getattr(world, what)(*how)
        now = world.told()
        assert all(now[owner] >= before[owner] for owner in OWNERS), "statistics never decrease"
        before = now
    world.read()
    assert world.told() == {owner: world.truth[owner] for owner in OWNERS}


def test_what_a_switch_has_not_said_when_it_dies_is_lost_and_nothing_is_doubled():
    world = World()
    world.wish(KEYS[0], OWNERS[0])
    world.traffic(KEYS[0], 100)
    world.read()
    world.traffic(KEYS[0], 7)                               # nobody reads that
    world.now += 60
    world.folding.gone(SWITCH)
    world.switch.flows[KEYS[0]][1], world.switch.born = 500, world.now      # more than before: only its age tells
    world.now += 30
    world.read()
    assert world.told()[OWNERS[0]] == 100 + 500


def test_a_clock_that_was_put_back_or_forward_while_hadron_was_away_counts_nothing_twice():
    for step in (-1000.0, 1000.0):
        world = World()
        world.wish(KEYS[0], OWNERS[0])
        world.traffic(KEYS[0], 100)
        world.now += 86400
        world.read()
        world.begin()
        world.switch.born += step                           # the switch's own clock goes on as before
        world.now += step + 10
        world.read()
        assert world.told()[OWNERS[0]] == 100


def test_a_ledger_that_is_opened_again_goes_on_where_it_was(tmp_path):
    world = World(tmp_path / "counts")
    world.wish(KEYS[0], OWNERS[0])
    world.traffic(KEYS[0], 100)
    world.read()
    world.ledger.close()
    world.ledger = Ledger(tmp_path / "counts")
    world.begin()
    world.traffic(KEYS[0], 1)
    world.read()
    world.read()
    assert world.told()[OWNERS[0]] == 101
    found = world.ledger.sums(kind="port")
    assert [(one.packets, one.octets) for one in found] == [(101, 101 * SIZE)]


def test_history_is_by_steps_and_adds_up_to_the_sum():
    ledger = Ledger()
    number = ledger.number(Series("port", "p", "sent", within="n", project="one"))
    begin = 1_000_000 - 1_000_000 % 3600
    for minute in range(180):
        ledger.save(begin + 60 * minute + 59, [(number, minute, 10 * minute)], {})
    steps = ledger.history(begin, begin + 180 * 60, 600, within="n")
    assert [one.at for one in steps] == [begin + 600 * place for place in range(18)]
    assert sum(one.packets for one in steps) == ledger.sums(id="p")[0].packets == sum(range(180))
    assert [one.packets for one in ledger.history(begin, begin + 3 * 3600, 3600, id="p")] == [
        sum(range(60 * hour, 60 * hour + 60)) for hour in range(3)]
    ledger.forget(begin + 3 * 86400)
    assert not ledger.history(begin, begin + 180 * 60, 600, within="n")
    assert sum(one.packets for one in ledger.history(begin, begin + 3 * 3600, 3600, id="p")) == sum(range(180))


def test_what_a_meter_has_dropped_is_nothing_to_the_next_of_its_number():
    owner = {"p": 1}
    folding = Folding(lambda place: owner.get("p"))
    place = meter_key(7), 0
    read = [FIRST_FLOW, meter_key(7)]
    assert folding.counted("s", dict(zip(read, (Count(0, 0, 0, 1.0), Count(0, 10, 1000, 1.0)), strict=True)), 100.0) == [Delta(1, 10, 1000)]
    folding.ended("s", [place])
    owner["p"] = 2
    assert folding.counted("s", dict(zip(read, (Count(0, 0, 0, 2.0), Count(0, 12, 1200, 1.0)), strict=True)), 101.0) == [Delta(2, 12, 1200)]
