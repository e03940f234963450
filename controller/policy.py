"""Who may do what: applies the rules that model files name (rules.py) to who asks and to the object."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.draft import Rows
from controller.resource import Attribute, Resource
from controller.rows import Row, plain
from controller.rules import MARKS, parse

READERS = frozenset({"reader"})


@dataclass(frozen=True)
class Context:
    """On whose behalf: a project (None for none), roles and a user's name."""

    project_id: str | None = None
    roles: frozenset[str] = field(default_factory=frozenset)
    user: str = ""
    is_admin: bool = False
    user_id: str = ""
    system: bool = False                  # for the whole system, and no project in particular

    @property
    def may_write(self) -> bool:
        """Whether any role allows more than reading."""
        return self.is_admin or not self.roles or bool(self.roles - READERS)


SYSTEM = Context(user="hadron", is_admin=True)


def same_project(one: str | None, other: str | None) -> bool:
    """Whether two say the same project; as a UUID it may have dashes or not."""
    return one is not None and other is not None and (one == other or one.replace("-", "") == other.replace("-", ""))


class Policy:
    """Decides by the rules of each resource. `rows` is where referred objects are found."""

    def __init__(self, resources: Mapping[str, Resource], rows: Rows) -> None:
        self.resources, self.rows = resources, rows

    def may(self, context: Context, resource: Resource, verb: str, row: Row, rows: Rows | None = None) -> bool:
        """Whether they may `create`, `get`, `list`, `update` or `delete` this object."""
        if context.is_admin:
            return True
        if verb not in ("get", "list") and not context.may_write:
            return False
        rule = resource.policies.get(verb) or resource.policies.get("get" if verb == "list" else "")
        return self.fits(context, resource, rule or "rule:admin_or_owner", row, rows)

    def fits(self, context: Context, resource: Resource, rule: str, row: Row, rows: Rows | None = None) -> bool:
        """Whether a rule lets them."""
        if context.is_admin:
            return True
        return any(self._is(context, resource, word, row, rows or self.rows) for word in parse(rule))

    def _is(self, context: Context, resource: Resource, word: str, row: Row, rows: Rows) -> bool:
        if word == "any":
            return True
        if word == "owner":
            return resource.owner is None or same_project(getattr(row, resource.owner), context.project_id)
        if word in MARKS:
            return bool(getattr(row, plain(MARKS[word]), False))
        if word == "admin":
            return False
        name, _, claim = word.rpartition("_")
        attribute = resource.attributes.get(f"{name}_id")
        if attribute is None or attribute.refers_to is None:
            return False
        other = rows.get(attribute.refers_to, getattr(row, attribute.field))
        return other is not None and self._is(context, self.resources[attribute.refers_to], claim, other, rows)

    def visible(self, context: Context, resource: Resource) -> list[Row]:
        """Every object of a kind that they may see, found by index where there is one."""
        if context.is_admin:
            return self.rows.find(resource.kind, "all", True)
        rule = resource.policies.get("list") or resource.policies.get("get") or "rule:admin_or_owner"
        found: dict[str, Row] = {}
        for word in parse(rule):
            ways = self._ways(context, resource, word)
            if ways is None:
                return [row for row in self.rows.find(resource.kind, "all", True)
                        if self.may(context, resource, "list", row)]
            for index, key in ways:
                found.update((row[0], row) for row in self.rows.find(resource.kind, index, key))
        return [found[id] for id in sorted(found)]

    def _ways(self, context: Context, resource: Resource, word: str) -> list[tuple[str, Any]] | None:
        """The indexes and keys under which the objects are for which a word holds; None if only a search finds them."""
        if word == "admin":
            return []
        if word == "owner" or word in MARKS:
            name = resource.owner if word == "owner" else MARKS[word]
            attribute = resource.attributes.get(name or "")
            if attribute is None or not attribute.stored:
                return None if word == "owner" else []
            key = context.project_id if word == "owner" else True
            return [(attribute.field, key)] if attribute.field in attribute.index else None
        name, _, claim = word.rpartition("_")
        attribute = resource.attributes.get(f"{name}_id")
        if attribute is None or attribute.refers_to is None:
            return None if word == "any" else []
        return self._ways_through(context, attribute, claim)

    def _ways_through(self, context: Context, attribute: Attribute, claim: str) -> list[tuple[str, Any]] | None:
        kind = str(attribute.refers_to)
        ways = self._ways(context, self.resources[kind], claim)
        if ways is None:
            return None
        return [(attribute.field, row[0]) for index, key in ways for row in self.rows.find(kind, index, key)]
