"""Who is lost: away for long enough while others are there; and trusted again after a while without a break."""
from __future__ import annotations

from typing import Any

import pytest

from controller.vigil import GRACE, Vigil
from tests.kit.worlds import World

A, B, C = (f"{number:016x}" for number in (1, 2, 3))
FAILOVER, SETTLE = 5, 20


class Watched:
    """Three switches that are known; `here` are those that are connected."""

    def __init__(self, *here: str) -> None:
        self.world = World()
        for number, switch in enumerate((A, B, C)):
            self.world.writer.learn([("switch", {"id": switch, "host_id": f"host{number}", "bridge": "br-int"})])
        self.alarms: list[dict[str, Any]] = []
        self.here: set[str] = set()
        self.restart()
        for switch in here:
            self.call(switch)

    def restart(self) -> None:
        """The controller: what it has seen stays, who is connected does not."""
        self.vigil = Vigil(self.world.model, self.world.writer.learn, failover=FAILOVER, settle=SETTLE,
                           alarm=lambda what, **details: self.alarms.append({"alarm": what, **details}))
        self.here.clear()

    def call(self, *switches: str) -> None:
        for switch in switches:
            self.here.add(switch)
            self.vigil.greeted(switch)
            self.vigil.in_step(switch)

    def end(self, *switches: str) -> None:
        for switch in switches:
            self.here.discard(switch)
            self.vigil.gone(switch)

    def lost(self, seconds: int = 0) -> set[str]:
        """Who is lost after so many seconds more."""
        for _ in range(seconds):
            self.vigil.tick(1_700_000_000, self.here)
        return set(self.world.model.rows["loss"])


@pytest.fixture
def all() -> Watched:
    return Watched(A, B, C)


def test_a_switch_is_lost_once_it_has_been_away_for_so_long(all):
    all.end(A)
    assert all.lost(FAILOVER - 1) == set()
    assert all.lost(1) == {A}
    assert all.alarms == [{"alarm": "lost", "switch": A}]
    row = all.world.model.get("loss", A)
    assert row.since == "2023-11-14T22:13:20Z"


def test_one_that_comes_back_in_time_was_never_lost_and_starts_anew(all):
    all.end(A)
    all.lost(FAILOVER - 1)
    all.call(A)
    all.end(A)
    assert all.lost(FAILOVER - 1) == set()


def test_one_that_is_back_is_trusted_after_a_while_without_a_break(all):
    all.end(A)
    all.lost(FAILOVER)
    all.call(A)
    assert all.lost(SETTLE - 1) == {A}
    all.end(A)
    all.call(A)
    assert all.lost(SETTLE - 1) == {A}, "it starts anew with each break"
    assert all.lost(1) == set()


def test_nobody_is_lost_while_nobody_is_connected_and_all_have_time_to_come_back(all):
    all.end(A)
    all.lost(FAILOVER - 2)
    all.end(B, C)
    assert all.lost(1000) == set()
    all.call(C)
    assert all.lost(GRACE - 1) == set()
    all.call(B)
    assert all.lost(1) == {A}


def test_a_restart_makes_nobody_lost_and_forgets_nobody_that_is(all):
    all.end(A)
    all.lost(FAILOVER)
    all.restart()
    assert all.lost(100) == {A}
    all.call(C)
    assert all.lost(GRACE - 1) == {A}
    all.call(B)
    assert all.lost(100) == {A}
    all.call(A)
    assert all.lost(SETTLE) == set()


def test_one_that_does_not_call_after_a_restart_is_lost_after_the_grace(all):
    all.restart()
    all.call(A, B)
    assert all.lost(GRACE - 1) == set()
    assert all.lost(1) == {C}


def test_a_switch_that_is_no_more_is_not_lost(all):
    all.end(A)
    all.lost(FAILOVER)
    all.world.writer.learn([], [("switch", A)])
    assert all.lost(1) == set()


def test_hosts_and_switches_say_whether_they_are_alive(all):
    model = all.world.model
    all.world.writer.learn([("host", {"id": "host0"})])

    def alive() -> tuple[bool, bool]:
        return tuple(model.show(kind, model.get(kind, id), admin=True)["alive"] for kind, id in (("host", "host0"), ("switch", A)))
    assert alive() == (True, True)
    all.end(A)
    all.lost(FAILOVER)
    assert alive() == (False, False)
