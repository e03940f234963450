"""What the laws are about: a model, its compiler, and what the switches hold if they only ever hear of differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tests.kit.rules  # noqa: F401  declares all rules
from apps.pipeline import PIPELINE
from apps.queues import queues
from controller.app import RULES, TALLIES
from controller.compile import Compiler
from controller.model import Change, Model
from controller.openflow.text import held_text
from tests.kit.worlds import core
from tests.laws.operations import Batch, apply, operations, shrink

Held = dict[str, dict[tuple, tuple[int, bytes]]]  # switch -> key -> (cookie, body)


class Fabric:
    """Follows a history. `held` is what each switch holds after what it was told."""

    def __init__(self) -> None:
        self.model = Model(core())
        self.compiler = Compiler(self.model, RULES, TALLIES, strict=True)
        self.held: Held = {}
        self.told: dict[str, dict] = {}  # what the last batch told each switch

    def follow(self, history: Iterable[Batch]) -> Fabric:
        for batch in history:
            self.take([apply(self.model, one) for one in batch])
        return self

    def take(self, changes: Sequence[Change]) -> dict[str, dict]:
        """Compile changes and tell the switches; what each was told."""
        told = self.told = self.compiler.update(changes).changes
        for switch, news in told.items():
            held = self.held.setdefault(switch, {})
            for key, entry in news.items():
                if entry is None:
                    held.pop(key, None)
                else:
                    held[key] = entry.cookie, entry.body
        return told

    def wanted(self) -> Held:
        """What the compiler says that each switch should hold."""
        return held_by(self.compiler)


def load(model: Model) -> Compiler:
    """A compiler that sees a model for the first time, as at a restart."""
    compiler = Compiler(model, RULES, TALLIES, strict=True)
    compiler.update([Change(kind, id, None, None, ()) for kind, rows in model.rows.items() for id in rows], tell=False)
    return compiler


def gathered(compiler: Compiler) -> dict[tuple, dict]:
    """All gatherings that somebody is in: who adds to which, and how often."""
    return {fact: dict(counts) for fact, counts in compiler.world._counts.items() if counts}


def from_scratch(model: Model) -> Held:
    """What each switch should hold by a model alone."""
    return held_by(load(model))


def furnished(compiler: Compiler) -> dict[str, tuple]:
    """The queues of each host by a compiler."""
    return {host: compiler.world.ask(queues, host) for host in sorted(compiler.model.rows["host"])}


def held_by(compiler: Compiler) -> Held:
    """What a compiler has each switch hold."""
    return {
        switch: {key: (entry.cookie, entry.body) for key, entry in compiler.desired(switch).items()}
        for switch in sorted(compiler.switches())
    }


def same(one: Held, name: str, other: Held, other_name: str) -> None:
    """Asserts that switches hold the same; else says which flows differ, with the names of tables and registers."""
    for switch in one.keys() | other.keys():
        left, right = one.get(switch, {}), other.get(switch, {})
        if left != right:
            lines = []
            for key in sorted(left.keys() | right.keys(), key=repr):
                if left.get(key) != right.get(key):
                    lines += [
                        f"  {who}: {_line(key, held.get(key))}" for who, held in ((name, left), (other_name, right))
                    ]
            raise AssertionError(f"switch {switch}:\n" + "\n".join(lines[:12]))


def _line(key: tuple, held: tuple[int, bytes] | None) -> str:
    return "nothing" if held is None else held_text(key, *held, PIPELINE, cookie=True)


def holds_for(law: Callable[[Sequence[Batch]], Any], history: Sequence[Batch]) -> None:
    """Asserts a law for a history; if it is broken, shows the least part of the history that breaks it."""
    try:
        law(history)
    except Exception:
        least = shrink(history, lambda part: _breaks(law, part))
        try:
            law(least)
        except Exception as broken:
            told = "\n".join(f"  {one}" for one in operations(least))
            raise AssertionError(f"{broken}\nafter\n{told}") from broken
        raise


def _breaks(law: Callable[[Sequence[Batch]], Any], history: Sequence[Batch]) -> bool:
    try:
        law(history)
    except Exception:
        return True
    return False
