"""Numbers have one owner, and are reused last; addresses likewise."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.numbers import Full, Numbers, Pool, Spans, Taken


def test_numbers_come_in_order_and_are_reused_last() -> None:
    pool = Pool("keys", 1, 4)
    assert [pool.take(owner) for owner in "abc"] == [1, 2, 3]
    pool.give(2)
    pool.give(1)
    assert [pool.take(owner) for owner in "def"] == [4, 2, 1]
    with pytest.raises(Full):
        pool.take("g")


def test_a_number_asked_for_is_given_unless_it_has_an_owner() -> None:
    pool = Pool("keys", 1, 10)
    pool.claim(2, "a")
    pool.claim(2, "a")
    with pytest.raises(Taken) as refused:
        pool.claim(2, "b")
    assert (refused.value.number, refused.value.owner) == (2, "a")
    assert [pool.take(owner) for owner in "cd"] == [1, 3]
    pool.claim(99, "e")
    assert pool.owners[99] == "e"


def test_a_number_taken_for_nothing_is_the_next_one() -> None:
    pool = Pool("keys", 1, 10)
    pool.take("a")
    pool.undo(pool.take("b"))
    assert pool.take("c") == 2


@given(st.lists(st.sampled_from(["take", "give", "undo"]) | st.integers(1, 8), max_size=40))
def test_no_number_ever_has_two_owners_and_none_is_lost(steps: list) -> None:
    pool, held = Pool("keys", 1, 8), []
    for number, step in enumerate(steps):
        if step == "take":
            try:
                held.append(pool.take(str(number)))
            except Full:
                assert len(held) == 8
        elif isinstance(step, int):
            try:
                pool.claim(step, str(number))
                held.append(step)
            except Taken:
                assert step in held
        elif held:
            pool.give(held.pop(0)) if step == "give" else pool.undo(held.pop())
        assert sorted(held) == sorted(pool.owners)
    while len(held) < 8:
        held.append(pool.take("rest"))
    assert sorted(held) == list(range(1, 9))


def test_a_restart_remembers_owners_and_who_was_free_first() -> None:
    numbers = Numbers()
    numbers.restore([(7, "keys/2", None), (5, "keys/1", None), (3, "keys/3", "c")])
    pool = numbers.pool("keys", 1, 4)
    assert [pool.take(owner) for owner in "xyz"] == [4, 1, 2]


def test_free_values_of_ranges_are_reused_last_and_none_is_overlooked() -> None:
    spans, used = Spans([(1, 2), (5, 6)]), set()

    def take() -> int | None:
        value = spans.take(lambda value: value in used)
        if value is not None:
            used.add(value)
        return value

    assert [take() for _ in range(3)] == [1, 2, 5]
    used.remove(1)
    spans.give(1)
    assert [take() for _ in range(3)] == [6, 1, None]
    used.remove(2)                                   # nobody says so, but something else does
    assert take() is None
    used.remove(5)
    spans.give(5)
    assert [take(), take(), take()] == [5, 2, None]
