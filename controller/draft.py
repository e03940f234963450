"""A model with changes that are not yet made: what a write sees of itself and of others in its group."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Protocol

from controller.rows import Row

_first = itemgetter(0)


class Rows(Protocol):
    """What can be read like a model: the model itself, or a draft of it."""

    @property
    def keys(self) -> Mapping[str, Mapping[str, Callable[[Row], tuple]]]: ...

    def get(self, kind: str, id: str) -> Row | None: ...

    def find(self, kind: str, index: str, key: Any) -> list[Row]: ...

    def count(self, kind: str, index: str, key: Any) -> int: ...


class Draft:
    """Reads like the model below it with its own rows in place; nobody else sees them. A draft may lie on a draft."""

    def __init__(self, below: Rows) -> None:
        self.below = below
        self.keys = below.keys
        self.rows: dict[tuple[str, str], Row | None] = {}                 # in the order of change; None is removed
        self._ids: dict[str, set[str]] = {}
        self._added: dict[tuple[str, str, Any], dict[str, Row]] = {}
        self._delta: dict[tuple[str, str, Any], int] = {}

    def get(self, kind: str, id: str) -> Row | None:
        if (kind, id) in self.rows:
            return self.rows[kind, id]
        return self.below.get(kind, id)

    def find(self, kind: str, index: str, key: Any) -> list[Row]:
        found = self.below.find(kind, index, key)
        changed = self._ids.get(kind)
        if not changed:
            return found
        mine = self._added.get((kind, index, key), {})
        return sorted([row for row in found if row[0] not in changed] + list(mine.values()), key=_first)

    def count(self, kind: str, index: str, key: Any) -> int:
        return self.below.count(kind, index, key) + self._delta.get((kind, index, key), 0)

    def put(self, kind: str, row: Row) -> None:
        """Add or replace a row."""
        self._change(kind, row[0], row)

    def remove(self, kind: str, id: str) -> None:
        self._change(kind, id, None)

    def _change(self, kind: str, id: str, row: Row | None) -> None:
        before = self.get(kind, id)
        mine = (kind, id) in self.rows
        for index, keys in self.keys[kind].items():
            for key in keys(before) if before is not None else ():
                self._count(kind, index, key, -1)
                if mine:
                    self._added[kind, index, key].pop(id, None)
            for key in keys(row) if row is not None else ():
                self._count(kind, index, key, 1)
                self._added.setdefault((kind, index, key), {})[id] = row
        self._count_all(kind, id, before, row, mine)
        self.rows.pop((kind, id), None)
        self.rows[kind, id] = row
        self._ids.setdefault(kind, set()).add(id)

    def _count(self, kind: str, index: str, key: Any, by: int) -> None:
        self._delta[kind, index, key] = self._delta.get((kind, index, key), 0) + by

    def _count_all(self, kind: str, id: str, before: Row | None, row: Row | None, mine: bool) -> None:
        if before is not None:
            self._count(kind, "all", True, -1)
            if mine:
                self._added[kind, "all", True].pop(id, None)
        if row is not None:
            self._count(kind, "all", True, 1)
            self._added.setdefault((kind, "all", True), {})[id] = row

    def changes(self) -> Iterator[tuple[str, str, Row | None]]:
        """What differs from below, in the order of the last change of each."""
        for (kind, id), row in self.rows.items():
            yield kind, id, row

    def merge_into(self, target: Draft) -> None:
        """Make the changes in the draft below."""
        for kind, id, row in self.changes():
            target._change(kind, id, row)
