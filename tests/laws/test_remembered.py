"""Law 1 across a restart: who takes back what was known, and learns what has changed since, knows what one does who begins
with the last state; and goes on from there like one who was never away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from apps.pipeline import PIPELINE
from controller.app import RULES, TALLIES, declared
from controller.compile import Compiler
from controller.model import Model
from controller.remembered import Remembered
from tests.laws.chance import Chance, furnish
from tests.laws.fabric import Fabric, gathered, held_by, holds_for, load, same
from tests.laws.operations import Batch

SEEDS, LENGTH = 10, 90


def remembered(path: Path, compiler: Compiler) -> Remembered:
    return Remembered(path, compiler, [*declared(), *PIPELINE], b"f" * 32)


def restarted(path: Path, model: Model) -> Compiler:
    """A compiler that takes back what was written, and learns what has become of the rows."""
    compiler = Compiler(model, RULES, TALLIES, strict=True)
    then = remembered(path, compiler).take_back()
    assert then is not None
    compiler.update(model.changes_since(then), tell=False)
    return compiler


def agrees(compiler: Compiler, model: Model) -> None:
    anew = load(model)
    assert gathered(compiler) == gathered(anew), "what rows add to gatherings"
    same(held_by(compiler), "restarted", held_by(anew), "from scratch")


def _read(compiler: Compiler) -> dict[tuple, tuple]:
    """What every answer was made of."""
    return {asked: reads for asked, (_, reads, _) in compiler.world._answers.items()}


def a_restart_is_from_scratch(path: Path, history: Sequence[Batch]) -> None:
    """Written after a third, taken back after two, and followed to the end."""
    third = max(1, len(history) // 3)
    fabric = Fabric().follow(history[:third])
    remembered(path, fabric.compiler).write()
    again = Compiler(fabric.model, RULES, TALLIES, strict=True)
    assert remembered(path, again).take_back() == fabric.model.rows
    assert _read(again) == _read(fabric.compiler)
    assert again.units == fabric.compiler.units
    fabric.follow(history[third:2 * third])
    fabric.compiler = restarted(path, fabric.model)
    agrees(fabric.compiler, fabric.model)
    for number, batch in enumerate(history[2 * third:]):
        fabric.follow([batch])
        if number % 5 == 0:
            agrees(fabric.compiler, fabric.model)
    agrees(fabric.compiler, fabric.model)
    same(fabric.held, "switch", fabric.wanted(), "from scratch")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_is_taken_back_and_brought_up_to_date_is_what_compiling_from_scratch_gives(seed: int, tmp_path: Path) -> None:
    holds_for(lambda history: a_restart_is_from_scratch(tmp_path / "answers", history), furnish(seed) + Chance(seed).history(LENGTH))


def test_it_is_so_after_many_restarts(tmp_path: Path) -> None:
    fabric, path = Fabric().follow(furnish(3)), tmp_path / "answers"
    for batch in Chance(3).history(40):
        remembered(path, fabric.compiler).write()
        fabric.follow([batch])
        fabric.compiler = restarted(path, fabric.model)
    agrees(fabric.compiler, fabric.model)
