"""Law 3: there and back leaves nothing; when all that tenants asked for is gone, only standing flows are left."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from controller.compile import Compiler
from tests.laws.chance import Chance, furnish
from tests.laws.fabric import Fabric, Held, holds_for, same
from tests.laws.operations import Batch, Operation, operations

SEEDS, LENGTH = 12, 60
SEEN = ("host", "switch")


def there_and_back(history: Sequence[Batch]) -> None:
    """The first batch stays; the rest is undone, the last change first."""
    fabric = Fabric().follow(history[:1])
    before, books = copy(fabric.held), bookkeeping(fabric.compiler)
    undo: list[Batch] = []
    for batch in history[1:]:
        for one in batch:
            row = fabric.model.get(one.kind, one.id)
            document = None if row is None else dict(zip(row.NAMES, row, strict=True))
            undo.insert(0, (Operation(one.kind, one.id, document),))
            fabric.follow([(one,)])
    fabric.follow(undo)
    same(fabric.held, "there and back", before, "before")
    same(fabric.wanted(), "wanted there and back", before, "before")
    assert bookkeeping(fabric.compiler) == books


def copy(held: Held) -> Held:
    return {switch: dict(flows) for switch, flows in held.items()}


def bookkeeping(compiler: Compiler) -> dict[str, int]:
    """How much the compiler remembers of each kind."""
    world = compiler.world
    world.enter()
    return {
        "answers": len(world._answers),
        "readers": len(world._readers),
        "reads": sum(map(len, world._readers.values())),
        "gatherings": len(world._counts),
        "units": len(compiler.units),
        "claims": len(compiler.claims),
        "spread": len(compiler.spread),
        "sets of switches": len(compiler._under),
        "punts": len(compiler.punts),
        "switches": len(compiler.switches()),
        "broken": len(world.broken),
    }


@pytest.mark.parametrize("seed", range(SEEDS))
def test_there_and_back_leaves_nothing(seed: int) -> None:
    holds_for(there_and_back, furnish(seed) + Chance(seed).history(LENGTH))


def deleting_all_leaves_standing_flows(history: Sequence[Batch]) -> None:
    fabric = Fabric().follow(history)
    seen = Fabric().follow([tuple(one for one in operations(history) if one.kind in SEEN)])
    gone = [
        Operation(kind, id, None) for kind, rows in fabric.model.rows.items() if kind not in SEEN for id in list(rows)
    ]
    fabric.follow((one,) for one in sorted(gone, key=lambda one: hash((one.id, len(history)))))
    same(fabric.held, "all deleted", seen.held, "only ever switches")
    assert {rule.per for rule, _ in fabric.compiler.units} <= {"switch"}
    fabric.follow([(Operation(kind, id, None),) for kind in SEEN for id in list(fabric.model.rows[kind])])
    assert not any(fabric.held.values())
    assert not any(bookkeeping(fabric.compiler).values()), bookkeeping(fabric.compiler)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_deleting_all_leaves_only_standing_flows_and_then_nothing(seed: int) -> None:
    holds_for(deleting_all_leaves_standing_flows, furnish(seed) + Chance(seed).history(LENGTH))
