"""The rows of one small network, for tests of what apps answer: a model and a world on the real declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from controller.model import Model
from controller.particles import load_all
from controller.types import freeze
from controller.world import World

ROOT = Path(__file__).parents[2]
RESOURCES = load_all([ROOT / "apps", ROOT / "topology"])

OFF = {"dns": {"enabled": False}, "metadata": {"enabled": False}}


class Tenant:
    """A model to which rows are put as documents; `world` reads it. Metadata and names are off unless it is said how."""

    def __init__(self, **settings: Any) -> None:
        self.model = Model(RESOURCES)
        self.model.settings = RESOURCES.configured({**OFF, **settings})
        self.world = World(self.model, strict=True)

    def put(self, kind: str, id: str, **said: Any) -> Any:
        """Add a row or change one: names as in Python, `:` and `-` as `_`."""
        before = self.model.get(kind, id)
        row = before or self.model.make(kind, {"id": id})
        row = row._replace(**{name: freeze(value) for name, value in said.items()})
        change = self.model.put(kind, row)
        for _ in self.world.refresh(change.facts):
            pass
        return row
