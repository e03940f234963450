"""Rollouts: what hangs together across switches is told in order, and the rest at once."""

from __future__ import annotations

from typing import Any, NamedTuple

from controller.compile import Lingering
from controller.rollout import LAST, LINGER, SECONDS, Rollout


class Entry(NamedTuple):
    name: str
    stage: int = 0


class Told:
    """A rollout, and what it has sent: [(switch, key, name or None)] for each time."""

    def __init__(self) -> None:
        self.sent: list[list[tuple]] = []
        self.rollout = Rollout(self._send)

    def _send(self, changes: Any) -> dict[str, int]:
        self.sent.append(sorted((switch, key, entry.name if entry else None)
                                for switch, told in changes.items() for key, entry in told.items()))
        return dict.fromkeys(changes, len(self.sent))

    def confirm(self, *switches: str, now: float = 0) -> None:
        for switch in switches:
            self.rollout.confirmed(switch, len(self.sent), now)


def test_what_is_not_staged_is_sent_at_once() -> None:
    told = Told()
    told.rollout.take({"a": {1: Entry("x"), 2: None}}, set(), 0)
    told.rollout.take({"b": {1: Entry("y")}}, set(), 0)
    assert told.sent == [[("a", 1, "x"), ("a", 2, None)], [("b", 1, "y")]] and not told.rollout.waiting


def test_a_wave_is_sent_when_all_switches_have_confirmed_the_one_before_and_what_goes_comes_last() -> None:
    told = Told()
    told.rollout.take({"a": {1: Entry("near", 2), 2: Entry("port")}, "b": {1: Entry("end", 1), 3: None}, "c": {4: None}}, {3}, 0)
    assert told.sent == [[("a", 2, "port"), ("c", 4, None)]]
    told.confirm("a")
    assert len(told.sent) == 1
    told.confirm("c")
    assert told.sent[1:] == [[("b", 1, "end")]]
    told.confirm("b")
    assert told.sent[2:] == [[("a", 1, "near")]] and told.rollout.waiting
    told.confirm("a")
    assert told.sent[3:] == [[("b", 3, None)]] and not told.rollout.waiting


def test_the_latest_word_on_an_entry_counts() -> None:
    told = Told()
    told.rollout.take({"a": {1: Entry("old", 1), 2: None}}, {2}, 0)
    told.rollout.take({"a": {1: Entry("new", 3), 2: Entry("again")}}, set(), 0)
    told.confirm("a")
    told.confirm("a")
    assert [one for sent in told.sent for one in sent] == [("a", 1, "old"), ("a", 2, "again"), ("a", 1, "new")]
    assert not told.rollout.waiting


def test_nobody_waits_for_a_switch_that_is_gone_or_does_not_answer() -> None:
    told = Told()
    told.rollout.take({"a": {1: Entry("x", 1), 9: None}, "b": {1: Entry("y", 2)}}, {9}, 0)
    assert told.sent == [[("a", 1, "x")]]
    told.rollout.gone("a", 0)
    assert told.sent[1:] == [[("b", 1, "y")]] and not told.rollout.waiting
    told.confirm("b")
    told.rollout.take({"a": {1: Entry("x", 1)}, "b": {1: Entry("y", 2)}}, set(), 1)
    told.rollout.advance(1 + SECONDS / 2)
    assert told.sent[2:] == [[("a", 1, "x")]]
    told.rollout.advance(1 + SECONDS)
    assert told.sent[3:] == [[("b", 1, "y")]]


def test_what_is_held_back_is_known_so_that_nobody_takes_it_for_missing() -> None:
    told = Told()
    told.rollout.take({"a": {1: Entry("x", 1), 2: Entry("y", 2), 3: None}}, {3}, 0)
    assert sorted(told.rollout.held_back("a")) == [2, 3] and LAST > 1 << 20


def test_what_nothing_leads_to_stays_for_a_while_and_nobody_waits_for_it() -> None:
    told = Told()
    told.rollout.take({"a": {1: Entry("x"), 2: None, 3: None}}, set(), 0, Lingering({("a", 2)}, False))
    assert told.sent == [[("a", 1, "x"), ("a", 3, None)]] and not told.rollout.waiting
    assert list(told.rollout.held_back("a")) == [2], "an audit does not take it for a stranger's"
    told.rollout.advance(LINGER / 2)
    assert len(told.sent) == 1
    told.rollout.advance(LINGER)
    assert told.sent[1:] == [[("a", 2, None)]] and list(told.rollout.held_back("a")) == []
    told.rollout.advance(2 * LINGER)
    assert len(told.sent) == 2


def test_what_lingers_is_kept_if_it_is_wanted_again_and_forgotten_with_its_switch() -> None:
    told = Told()
    told.rollout.take({"a": {1: None, 2: None}, "b": {1: None}}, set(), 0, Lingering({("a", 1), ("a", 2), ("b", 1)}, False))
    told.rollout.take({"a": {1: Entry("again")}}, set(), 1)
    told.rollout.gone("b", 1)
    told.rollout.advance(LINGER)
    assert told.sent == [[("a", 1, "again")], [("a", 2, None)]]


def test_what_lingers_goes_at_once_when_what_it_was_made_of_changes() -> None:
    told = Told()
    told.rollout.take({"a": {1: None}}, set(), 0, Lingering({("a", 1)}, False))
    told.rollout.take({}, set(), 1, Lingering(set(), True))
    assert told.sent == [[("a", 1, None)]]
