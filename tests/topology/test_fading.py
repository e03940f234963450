"""Facts that must be heard again, and the seals of what is heard."""

from __future__ import annotations

import random
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.app import FADING
from controller.fading import AWAY, Fading
from controller.seals import LATEST, Doubtful, Seals
from tests.kit.worlds import World
from tests.topology.plain import dpid
from topology.discovery import EVERY, LASTS, steady

LINK, BOTH = f"{dpid(1)}:1", (dpid(1), dpid(2))


class Heard:
    """One link, and what becomes of it."""

    def __init__(self) -> None:
        self.world = World()
        self.fading = Fading(self.world.model, self.world.writer.learn, FADING)
        self.hear()

    def hear(self, into: int = 1) -> None:
        self.world.writer.learn([("link", {"id": LINK, "source_switch_id": dpid(1), "source_port": 1,
                                           "target_switch_id": dpid(2), "target_port": into})])
        self.fading.heard("link", LINK)

    def pass_by(self, seconds: int, there: Any = BOTH, stretch: float = 1.0) -> bool:
        """Whether the link is still there after so many seconds."""
        for _ in range(seconds):
            self.fading.tick(there, stretch)
        return self.world.model.get("link", LINK) is not None


def test_a_link_that_is_not_heard_any_more_goes() -> None:
    heard = Heard()
    assert heard.pass_by(LASTS) and heard.fading.age("link", LINK) == LASTS
    assert not heard.pass_by(1) and heard.fading.age("link", LINK) is None


def test_a_link_that_is_asked_for_half_as_often_holds_for_twice_as_long() -> None:
    heard = Heard()
    assert heard.pass_by(2 * LASTS, stretch=2.0) and not heard.pass_by(1, stretch=2.0)


def test_a_link_that_loses_a_third_of_its_frames_stays() -> None:
    chance = random.Random(4)
    heard = Heard()
    for _ in range(5000):
        assert heard.pass_by(EVERY)
        if chance.random() > 0.3:
            heard.hear()


def test_a_link_of_a_switch_that_is_away_stays_for_a_while() -> None:
    heard = Heard()
    assert heard.pass_by(AWAY - 1, there=[dpid(1)])
    assert heard.pass_by(1) and heard.pass_by(AWAY, there=[dpid(2)]) and not heard.pass_by(1, there=[dpid(2)])


def test_a_link_goes_with_either_port_and_with_no_other() -> None:
    for place in ((dpid(1), 1), (dpid(2), 1)):
        heard = Heard()
        heard.fading.lost((dpid(1), 2))
        assert heard.pass_by(1)
        heard.fading.lost(place)
        assert not heard.pass_by(1)


def test_a_link_that_leads_elsewhere_goes_with_its_new_port() -> None:
    heard = Heard()
    heard.hear(into=9)
    heard.fading.lost((dpid(2), 1))
    assert heard.pass_by(1)
    heard.fading.lost((dpid(2), 9))
    assert not heard.pass_by(1)


def test_links_remembered_from_before_have_their_time() -> None:
    heard = Heard()
    again = Fading(heard.world.model, heard.world.writer.learn, FADING)
    again.load()
    heard.fading = again
    assert heard.pass_by(LASTS) and not heard.pass_by(1)


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seals() -> Seals:
    numbers = count()
    return Seals(Clock(), lambda size: next(numbers).to_bytes(size, "big"))


def test_a_seal_opens_once_and_only_for_what_it_is_about(seals: Seals) -> None:
    seal = seals.make(b"1:1")
    with pytest.raises(Doubtful, match="forged"):
        seals.open(b"1:2", seal)
    assert seals.open(b"1:1", seal) == 0.0
    with pytest.raises(Doubtful, match="been here before"):
        seals.open(b"1:1", seal)


@given(st.binary(max_size=64), st.integers(0, 255), st.integers(1, 255))
def test_a_seal_with_any_byte_changed_is_forged(about: bytes, place: int, change: int) -> None:
    seals = Seals(Clock(), lambda size: bytes(size))
    seal = bytearray(seals.make(about))
    seal[place % len(seal)] ^= change
    with pytest.raises(Doubtful):
        seals.open(about, bytes(seal))
    with pytest.raises(Doubtful):
        seals.open(about, bytes(seal)[:-1])


def test_a_seal_is_good_for_a_moment_and_not_again_however_late(seals: Seals) -> None:
    clock = seals._now
    seal, late = seals.make(b"x"), seals.make(b"x")
    clock.now += LATEST / 2                                                     # type: ignore[attr-defined]
    assert seals.open(b"x", seal) == pytest.approx(LATEST / 2)
    for _ in range(20):
        clock.now += LATEST / 2                                                 # type: ignore[attr-defined]
        seals.open(b"y", seals.make(b"y"))
        for old in (seal, late) if clock.now > 1_700_000_001.0 else (seal,):    # type: ignore[attr-defined]
            with pytest.raises(Doubtful):
                seals.open(b"x", old)


def test_latency_is_another_only_if_it_is_another_by_far() -> None:
    assert steady(None, 1200) == 1200
    assert steady(1200, 1400) == steady(1200, 900) == 1200                      # less than half a millisecond
    assert steady(10_000, 14_000) == 10_000 and steady(10_000, 21_000) == 21_000 and steady(10_000, 2_000) == 2_000
