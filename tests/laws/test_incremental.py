"""Law 1: a fabric that follows changes one by one ends where one ends that sees the last state only."""

from __future__ import annotations

import types
from collections.abc import Sequence
from pathlib import Path

import pytest

import controller.compile
import controller.world
from apps import guards
from tests.laws.chance import Chance, furnish
from tests.laws.fabric import Fabric, from_scratch, furnished, gathered, held_by, holds_for, load, same
from tests.laws.operations import Batch
from topology import stations

SEEDS, LENGTH = 24, 120  # 2 880 operations
NOTE = "self._reads.add("


def incremental_is_from_scratch(history: Sequence[Batch]) -> None:
    fabric = Fabric()
    for number, batch in enumerate(history):
        fabric.follow([batch])
        if number % 3 == 0 or number == len(history) - 1:
            anew = load(fabric.model)
            assert gathered(fabric.compiler) == gathered(anew), "what rows add to gatherings"
            assert furnished(fabric.compiler) == furnished(anew), "the queues of hosts"
            scratch = held_by(anew)
            counted = dict(fabric.compiler.counted)
            wanted = fabric.wanted()
            assert counted == {switch: len(wanted.get(switch, ())) for switch in counted}, "counted while following"
            same(wanted, "incremental", scratch, "from scratch")
            same(fabric.held, "switch", scratch, "from scratch")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_following_changes_ends_where_compiling_from_scratch_does(seed: int) -> None:
    holds_for(incremental_is_from_scratch, furnish(seed) + Chance(seed).history(LENGTH))


def test_a_fabric_that_grows_from_nothing_does_too() -> None:
    for seed in range(4):
        holds_for(incremental_is_from_scratch, Chance(1000 + seed).history(100))


def test_it_does_where_digests_of_groups_coincide(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = guards.digest_of
    monkeypatch.setattr(guards, "digest_of", lambda groups: digest(groups) & 1)
    for seed in range(6):
        holds_for(incremental_is_from_scratch, furnish(seed) + Chance(seed).history(80))


def noting_lines() -> list[int]:
    lines = Path(controller.world.__file__).read_text().splitlines()
    return [number for number, line in enumerate(lines) if NOTE in line]


def test_there_are_lines_that_note_what_is_read() -> None:
    assert len(noting_lines()) >= 4


@pytest.mark.parametrize("number", noting_lines())
def test_the_law_breaks_without_any_one_of_them(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Path(controller.world.__file__).read_text().splitlines()
    lines[number] = lines[number].replace(lines[number].strip(), "pass")
    careless = types.ModuleType("careless_world")
    exec(compile("\n".join(lines), "careless_world", "exec"), careless.__dict__)
    careless.__dict__["Missing"] = controller.world.Missing  # rules raise that one
    monkeypatch.setattr(controller.compile, "World", careless.__dict__["World"])
    with pytest.raises(Exception) as broken:  # noqa: PT011  wrong flows, a count that fails, or a rule that trips over old answers
        for seed in range(SEEDS):
            incremental_is_from_scratch(furnish(seed) + Chance(seed).history(LENGTH))
    assert isinstance(broken.value, AssertionError | KeyError | TypeError), broken.value


def test_what_concerns_some_rows_only_follows_when_a_row_comes_to_be_one_of_them() -> None:
    fabric, port = next((fabric, row) for fabric in (Fabric().follow(furnish(seed)) for seed in range(20))
                        for row in fabric.model.rows["port"].values()
                        if not row.device_owner and any(unit[1] == (row.id,) for unit in fabric.compiler.units))
    for owner in (stations.EDGE, "", stations.EDGE):
        fabric.take([fabric.model.put("port", port._replace(device_owner=owner))])
        learned = [unit for unit in fabric.compiler.units if unit[0].name == "topology.stations.look" and unit[1] == (port.id,)]
        assert bool(learned) == (owner == stations.EDGE)
        scratch = from_scratch(fabric.model)
        same(fabric.wanted(), "incremental", scratch, "from scratch")
        same(fabric.held, "switch", scratch, "from scratch")
