"""What objects are called, and who wrote them, as far as one asker may know them.

Flows are shown to a project only where the object behind them is its own; an object that it may merely see (a shared
network) gives names, and nothing of what the fabric makes of it.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.errors import Missing
from controller.openflow.flow import resource_number
from controller.policy import Context, Policy, same_project
from rest.errors import bad_request

SHORTEST = 4
"""Characters of an id that may stand for the whole."""
KEYS = {"SENDER": "port", "RECEIVER": "port", "NETWORK": "network", "REALM": "network", "ROUTER": "router", "conj_id": "security_group"}
"""Registers and fields that hold the `key` of an object of a kind."""


class Known:
    """The objects of a model as one asker knows them. Reads rows only, so any thread may ask."""

    def __init__(self, model: Any, context: Context, policy: Policy) -> None:
        self.model, self.context = model, context
        self._policy = policy

    def owns(self, kind: str, row: Any) -> bool:
        """Whether the object is the asker's own; all are an administrator's."""
        owner = self.model.resources[kind].owner
        return self.context.is_admin or bool(owner and same_project(getattr(row, owner), self.context.project_id))

    def sees(self, kind: str, row: Any) -> bool:
        """Whether the asker may read the object over the API."""
        return self._policy.may(self.context, self.model.resources[kind], "get", row)

    def all(self, kind: str) -> list[Any]:
        """Every object of a kind that the asker may see."""
        return self._policy.visible(self.context, self.model.resources[kind])

    def own(self, kind: str) -> Iterator[Any]:
        """Every object of a kind that is the asker's own."""
        return (row for row in self.all(kind) if self.owns(kind, row))

    def said(self, kind: str, id: str) -> dict[str, Any] | None:
        """An object by name: kind, id, name, project_id. None if the asker may not know it; facts have no name."""
        row = self.model.get(kind, id)
        if row is None:
            return {"kind": kind, "id": id, "name": "", "project_id": None} if self.context.is_admin else None
        if not self.sees(kind, row):
            return None
        return {"kind": kind, "id": id, "name": getattr(row, "name", ""), "project_id": getattr(row, "project_id", None)}

    def written(self, kind: str, id: str) -> dict[str, Any] | None:
        """An object by name, and when it was written and by whom; "user" is None where that is not known."""
        said, row = self.said(kind, id), self.model.get(kind, id)
        if said is None or row is None:
            return said
        times = {name: getattr(row, name, None) for name in ("created_at", "updated_at", "revision_number")}
        return {**said, **times, "user": getattr(row, "written_by", None) or None, "summary": self._summary(kind, row)}

    def _summary(self, kind: str, row: Any) -> str:
        """What an object says in its columns, as `ingress IPv4 tcp 80 80`; for those that have no name."""
        resource = self.model.resources[kind]
        shown = [resource.attributes[name] for name in resource.columns]
        found = [getattr(row, one.field) for one in shown if one.name not in ("id", "name", resource.owner) and one.stored
                 and (one.visible == "everyone" or self.context.is_admin)]
        return " ".join(str(value) for value in found if isinstance(value, (str, int)) and value not in ("", None))

    def find(self, kind: str, text: str) -> Any:
        """The one object that a person means: by id, the beginning of one, or name. Refused if there is none or several."""
        row = self.model.get(kind, text)
        if row is not None and self.sees(kind, row):
            return row
        rows = self.all(kind)
        found = [row for row in rows if getattr(row, "name", None) == text] or (
            [row for row in rows if row.id.startswith(text.lower())] if len(text) >= SHORTEST else [])
        if not found:
            raise Missing(kind, text)
        if len(found) > 1:
            ids = ", ".join(row.id for row in found[:5])
            raise bad_request(f"{kind}: {len(found)} are called {text}; say which: {ids}{', ...' if len(found) > 5 else ''}")
        return found[0]

    def numbered(self, number: int) -> Iterator[tuple[str, str]]:
        """(kind, id) of the asker's objects whose number in cookies this is."""
        for kind, rows in self.model.rows.items():
            for id, row in list(rows.items()):
                if resource_number(id) == number and self.owns(kind, row):
                    yield kind, id

    def keyed(self, name: str, value: int) -> dict[str, Any] | None:
        """The object whose key a register of this name holds, if the asker may know it."""
        kind = KEYS.get(name)
        if kind is None or kind not in self.model.resources:
            return None
        rows = self.model.find(kind, "key", value)
        return self.said(kind, rows[0].id) if rows else None


def called(said: dict[str, Any] | None) -> str:
    """An object in a few words: `port web`, or without a name `port 3fa2c1d0`."""
    if said is None:
        return ""
    if said["kind"] in ("switch", "host", "interface") or not said["id"]:
        return f"{said['kind']} {said['id']}"
    return f"{said['kind']} {said['name'] or said['id'][:8]}"
