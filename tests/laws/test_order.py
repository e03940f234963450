"""Laws 2 and 6: neither the order in which rows arrive nor how often matters; two compilers end with the same bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from controller.compile import Compiler
from controller.model import Change
from tests.laws.chance import Chance, furnish
from tests.laws.fabric import Fabric, from_scratch, holds_for, load, same
from tests.laws.operations import Batch, Operation, apply, operations

SEEDS, LENGTH = 10, 80


def last_words(history: Sequence[Batch]) -> list[Operation]:
    """For each object the last that was said of it."""
    return list({(one.kind, one.id): one for one in operations(history)}.values())


def batches(given: Sequence[Operation], chance: random.Random) -> Iterator[Batch]:
    """The operations in the order given, in batches of any size."""
    at = 0
    while at < len(given):
        size = chance.choice((1, 1, 2, 5, 20))
        yield tuple(given[at : at + size])
        at += size


def order_does_not_matter(history: Sequence[Batch]) -> None:
    chance = random.Random(len(history))
    final = last_words(history)
    expected = Fabric().follow(history).held
    for _ in range(3):
        chance.shuffle(final)
        again = Fabric().follow(batches(final, chance))
        same(expected, "as it happened", again.held, "in another order")
        same(expected, "as it happened", again.wanted(), "wanted in another order")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_order_of_arrival_does_not_matter(seed: int) -> None:
    holds_for(order_does_not_matter, furnish(seed) + Chance(seed).history(LENGTH))


def duplicates_change_nothing(history: Sequence[Batch]) -> None:
    fabric = Fabric().follow(history)
    everything = [
        Change(kind, id, row, row, ((kind, id), (kind, "all", True)))
        for kind, rows in fabric.model.rows.items()
        for id, row in rows.items()
    ]
    for told in (
        fabric.take(everything),
        fabric.take([*everything[::-1], *everything]),
        fabric.take([apply(fabric.model, one) for one in last_words(history)]),
    ):
        assert not any(told.values()), f"the same rows again changed {told}"
    same(fabric.held, "after duplicates", from_scratch(fabric.model), "from scratch")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_same_rows_again_change_nothing(seed: int) -> None:
    holds_for(duplicates_change_nothing, furnish(seed) + Chance(seed).history(LENGTH))


def in_one_batch_is_as_one_by_one(history: Sequence[Batch]) -> None:
    one_by_one = Fabric().follow((one,) for one in operations(history))
    together = Fabric().follow([tuple(operations(history))])
    same(one_by_one.held, "one by one", together.held, "in one batch")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_batch_does_what_its_changes_do_one_by_one(seed: int) -> None:
    holds_for(in_one_batch_is_as_one_by_one, furnish(seed) + Chance(seed).history(LENGTH))


def wire(compiler: Compiler) -> dict[str, bytes]:
    """Every message that sets a switch up, in order of their keys."""
    return {
        switch: b"".join(entry.add() for _, entry in sorted(compiler.desired(switch).items(), key=repr))
        for switch in sorted(compiler.switches())
    }


def two_controllers_write_the_same_bytes(history: Sequence[Batch]) -> None:
    follower = Fabric().follow(history)
    late = Fabric().follow([tuple(last_words(history))])
    restarted = load(follower.model)
    assert wire(follower.compiler) == wire(restarted) == wire(late.compiler)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_two_controllers_fed_differently_write_the_same_bytes(seed: int) -> None:
    holds_for(two_controllers_write_the_same_bytes, furnish(seed) + Chance(seed).history(LENGTH))
