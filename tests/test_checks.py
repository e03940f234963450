"""Each word for checks says what is wrong, where, and only when it is."""
from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.errors import Conflict, Invalid
from controller.particles import load_all
from tests.kit.worlds import ADMIN, World

MODEL = """
    objects:
      Box:
        api: {name: box, plural_name: boxes}
        attributes:
          room: {type: string}
          label: {type: string}
          serial: {type: string, default: null, nullable: true, unique: true}
          place: {type: string, default: null, nullable: true, unique: room}
          low: {type: integer}
          high: {type: integer}
          block: {type: cidr}
          inner: {type: ip}
          other_serial: {type: string, default: null, nullable: true}
        checks:
          - {%s}
      Lid:
        api: {name: lid}
        attributes:
          box_id: {type: Box, required: true, on_delete: ignore}
"""


@pytest.fixture
def world_with(tmp_path: Path) -> Callable[[str], World]:
    def made(check: str) -> World:
        (tmp_path / "box.yaml").write_text(textwrap.dedent(MODEL) % check)
        return World(resources=load_all([tmp_path]))
    return made


RIGHT_AND_WRONG: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("within: [inner, block]", {"inner": "10.0.0.1", "block": "10.0.0.0/24"},
     {"inner": "10.0.1.1", "block": "10.0.0.0/24"}, "inner: must be within block"),
    ("ordered: [low, high]", {"low": 1, "high": 1}, {"low": 2, "high": 1}, "low: must not be greater than high"),
    ("together: [low, high]", {"low": 1, "high": 1}, {"low": 1}, "high: is needed together with low"),
    ("at_most_one: [low, high]", {"low": 1}, {"low": 1, "high": 1}, "high: cannot be given together with low"),
    ("differs: [room, label]", {"room": "a", "label": "b"}, {"room": "a", "label": "a"},
     "label: must differ from room"),
    ("exists: [other_serial, {kind: box, index: serial}]", {"other_serial": None}, {"other_serial": "x"},
     "other_serial: must be that of a box")]


@pytest.mark.parametrize(("check", "right", "wrong", "says"), RIGHT_AND_WRONG,
                         ids=[one[0] for one in RIGHT_AND_WRONG])
def test_a_check_refuses_at_creation_and_at_change(
        world_with: Any, check: str, right: dict, wrong: dict, says: str) -> None:
    world = world_with(check)
    made = world.make("box", ADMIN, **right)
    world.make("box", ADMIN)
    with pytest.raises(Invalid, match=f"^{says}"):
        world.make("box", ADMIN, **wrong)
    empty = dict.fromkeys(right)
    with pytest.raises(Invalid, match=f"^{says}"):
        world.change(made, ADMIN, **{**empty, **wrong})
    assert world.now(made) == made


def test_a_check_may_have_words_of_its_own(world_with: Any) -> None:
    world = world_with("ordered: [low, high], error: BoxTooHigh, text: is upside down")
    with pytest.raises(Invalid, match="^low: is upside down") as refused:
        world.make("box", ADMIN, low=2, high=1)
    assert refused.value.type == "BoxTooHigh"


def test_what_exists_may_be_named(world_with: Any) -> None:
    world = world_with("exists: [other_serial, {kind: box, index: serial}]")
    world.make("box", ADMIN, serial="x")
    assert world.make("box", ADMIN, other_serial="x")


def test_what_is_unique_is_so_alone_or_beside_another_attribute(world_with: Any) -> None:
    world = world_with("ordered: [low, high]")
    made = world.make("box", ADMIN, serial="x", room="a", place="1")
    for wrong in ({"serial": "x"}, {"room": "a", "place": "1"}):
        with pytest.raises(Conflict, match="is in use by box") as refused:
            world.make("box", ADMIN, **wrong)
        assert refused.value.type == "BoxExists"
    other = world.make("box", ADMIN, room="b", place="1")
    world.change(made, ADMIN, label="c")
    with pytest.raises(Conflict):
        world.change(other, ADMIN, room="a")


def test_blocks_over_the_same_thing_do_not_overlap(world_with: Any) -> None:
    world = world_with("disjoint: [block, {over: room}]")
    world.make("box", ADMIN, room="a", block="10.0.0.0/24")
    with pytest.raises(Invalid, match="^block: must not overlap with 10.0.0.0/24"):
        world.make("box", ADMIN, room="a", block="10.0.0.128/25")
    other = world.make("box", ADMIN, room="b", block="10.0.0.0/24")
    world.make("box", ADMIN, room="a", block="fd00::/64")
    with pytest.raises(Invalid, match="^block: must not overlap"):
        world.change(other, ADMIN, room="a")


def test_what_is_used_keeps_its_value(world_with: Any) -> None:
    world = world_with("unused: [label, {by: lid, index: box_id}]")
    made = world.make("box", ADMIN)
    made = world.change(made, ADMIN, label="a")
    lid = world.make("lid", ADMIN, box_id=made.id)
    with pytest.raises(Conflict, match="label: cannot be changed while a lid uses"):
        world.change(made, ADMIN, label="b")
    world.change(made, ADMIN, low=1)
    world.drop(lid, ADMIN)
    world.change(made, ADMIN, label="b")
