"""Python's collector under a controller: seldom, little at a time, and yet nothing is kept for ever."""
from __future__ import annotations

import gc
from collections.abc import Iterator
from uuid import UUID

import pytest

from controller import garbage
from controller.ids import random_ids


class Circle:
    """Refers to itself."""

    alive = 0

    def __init__(self) -> None:
        self.me = self
        Circle.alive += 1

    def __del__(self) -> None:
        Circle.alive -= 1


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    was = gc.get_threshold()
    gc.collect()
    yield
    gc.set_threshold(*was)
    gc.unfreeze()
    gc.collect()


def full_collections() -> int:
    return sum(each["collections"] for each in gc.get_stats()[1:])


def test_what_grows_is_never_walked_over_as_a_whole() -> None:
    garbage.look_seldom()
    before = full_collections()
    grown = [[] for _ in range(500_000)]
    assert full_collections() == before and len(grown) == 500_000


def test_circles_go_at_the_next_sweep() -> None:
    garbage.look_seldom()
    sweeper = garbage.Sweeper()
    Circle()
    for _ in range(garbage.EVERY):
        sweeper.sweep()
    assert Circle.alive == 0


def test_what_was_loaded_or_grew_is_set_apart_and_goes_when_nobody_refers_to_it() -> None:
    garbage.look_seldom()
    with garbage.loading():
        loaded = {number: [number] for number in range(1000)}
        assert not gc.isenabled()
    assert gc.isenabled() and gc.get_freeze_count() > 1000
    sweeper = garbage.Sweeper()
    grown = [[] for _ in range((garbage.MUCH + 2) * garbage.NEW)]
    sweeper.sweep()
    apart = gc.get_freeze_count()
    assert apart >= garbage.MUCH * garbage.NEW
    loaded.clear()
    grown.clear()
    assert gc.get_freeze_count() < apart - garbage.MUCH * garbage.NEW


def test_names_are_uuids_of_version_four_and_none_comes_twice() -> None:
    names = random_ids()
    some = [next(names) for _ in range(2000)]
    assert len(set(some)) == 2000
    assert {UUID(one).version for one in some} == {4} and all(str(UUID(one)) == one for one in some)
