"""One transaction to a host's database as it is put together: operations, and what they are in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.switch.ovsdb_rows import Database, Row

OWNER = {"owner": "hadron"}
"""external_ids of the rows that are ours."""


@dataclass
class Plan:
    """Operations of one transaction; nothing to do if there are none."""

    operations: list[dict[str, Any]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    """What the operations change, in words for the log."""
    problems: list[str] = field(default_factory=list)
    """What cannot be made right from here."""

    def insert(self, table: str, row: dict[str, Any], name: str) -> list[str]:
        """Add a row; returns a reference to it."""
        self.operations.append({"op": "insert", "table": table, "row": row, "uuid-name": name})
        return ["named-uuid", name]

    def update(self, table: str, uuid: str, row: dict[str, Any]) -> None:
        self.operations.append({"op": "update", "table": table, "where": _is(uuid), "row": row})

    def delete(self, table: str, uuid: str) -> None:
        self.operations.append({"op": "delete", "table": table, "where": _is(uuid)})

    def mutate(self, table: str, uuid: str, *mutations: list[Any]) -> None:
        self.operations.append({"op": "mutate", "table": table, "where": _is(uuid), "mutations": list(mutations)})


def port_of(database: Database, name: str) -> str | None:
    """The UUID of the port of this name."""
    found = database.named("Port", name)
    return found[0] if found else None


def is_ours(database: Database, name: str) -> bool:
    """Whether there is a port of this name, and it is marked as ours."""
    found = database.named("Port", name)
    return bool(found and owns(found[1]))


def owns(row: Row) -> bool:
    """Whether a row is marked as ours."""
    return OWNER.items() <= row["external_ids"].items()


def set_of(values: Iterable[Any]) -> list[Any]:
    return ["set", list(values)]


def map_of(values: Mapping[Any, Any]) -> list[Any]:
    return ["map", [[key, value] for key, value in values.items()]]


def _is(uuid: str) -> list[Any]:
    return [["_uuid", "==", ["uuid", uuid]]]
