"""Rules bound to a kind of object: what a request's asker and one row answer, and by which index the rows are found.

An expression of rules.py is bound once. For a list the asker's part is settled first (`known`), so that what is left is
asked of rows, and `ways` gives the indexes that lead to those for which it holds.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller import rules, sharing
from controller.context import Context, same_project
from controller.draft import Rows
from controller.resource import Resource
from controller.rows import Row

IDENTITY = "identity"
"""The way to one row by its id, as the name of an index."""

Way = tuple[str, Any]


class Grant:
    """A bound expression: everybody. Others refine it."""

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        """Whether it holds for the asker and a row."""
        return True

    def known(self, context: Context) -> Grant:
        """What is left of it once the asker is known: YES, NO, or what rows must be asked."""
        return self

    def ways(self, context: Context, rows: Rows) -> list[Way] | None:
        """Indexes and keys that lead to every row for which it may hold; None if only a search finds them."""
        return None

    @property
    def exact(self) -> bool:
        """Whether it holds for every row that its ways lead to."""
        return False


class _No(Grant):
    exact = True

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        return False

    def ways(self, context: Context, rows: Rows) -> list[Way] | None:
        return []


YES, NO = Grant(), _No()


@dataclass(frozen=True)
class _Asker(Grant):
    """Depends on the asker alone."""

    holds: Callable[[Context], bool]

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        return self.holds(context)

    def known(self, context: Context) -> Grant:
        return YES if self.holds(context) else NO


@dataclass(frozen=True)
class _Owned(Grant):
    """An attribute of the object says the asker's project, or something else of theirs."""

    what: str
    field: str
    indexed: bool

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        mine, said = getattr(context, self.what), getattr(row, self.field)
        return same_project(mine, said) if self.what == "project_id" else mine is not None and str(mine) == str(said)

    def known(self, context: Context) -> Grant:
        return self if getattr(context, self.what) is not None else NO

    def ways(self, context: Context, rows: Rows) -> list[Way] | None:
        return [(self.field, getattr(context, self.what))] if self.indexed else None

    @property
    def exact(self) -> bool:
        return True


@dataclass(frozen=True)
class _Has(Grant):
    """An attribute has a value."""

    read: Callable[[Rows, Row], Any]
    fits: Callable[[Any], bool]
    way: Way | None = None

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        return self.fits(self.read(rows, row))

    def ways(self, context: Context, rows: Rows) -> list[Way] | None:
        return [self.way] if self.way else None

    @property
    def exact(self) -> bool:
        return True


@dataclass(frozen=True)
class _Shared(Grant):
    """The object is shared with the asker's project, or with all."""

    kind: str
    action: str

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        return sharing.is_shared(rows, self.action, row[0], context.project_id)

    def ways(self, context: Context, rows: Rows) -> list[Way] | None:
        return [(IDENTITY, id) for id in sharing.shared_ids(rows, self.kind, self.action, context.project_id)]

    @property
    def exact(self) -> bool:
        return True


@dataclass(frozen=True)
class _Other(Grant):
    """It holds for the object that an attribute names."""

    field: str
    kind: str
    inner: Grant

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        id = getattr(row, self.field)
        other = rows.get(self.kind, id) if id is not None else None
        return other is not None and self.inner.test(context, other, rows)

    def known(self, context: Context) -> Grant:
        inner = self.inner.known(context)
        return NO if inner is NO else self if inner is self.inner else _Other(self.field, self.kind, inner)

    def ways(self, context: Context, rows: Rows) -> list[Way] | None:
        found = self.inner.ways(context, rows)
        if found is None:
            return None
        return [(self.field, row[0]) for way in found for row in at(self.kind, way, rows)]

    @property
    def exact(self) -> bool:
        return self.inner.exact


@dataclass(frozen=True)
class _Not(Grant):
    inner: Grant

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        return not self.inner.test(context, row, rows)

    def known(self, context: Context) -> Grant:
        inner = self.inner.known(context)
        return NO if inner is YES else YES if inner is NO else _Not(inner)


@dataclass(frozen=True)
class _Both(Grant):
    parts: tuple[Grant, ...]

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        return all(part.test(context, row, rows) for part in self.parts)

    def known(self, context: Context) -> Grant:
        parts = [part.known(context) for part in self.parts]
        if NO in parts:
            return NO
        left = tuple(part for part in parts if part is not YES)
        return YES if not left else left[0] if len(left) == 1 else _Both(left)

    def ways(self, context: Context, rows: Rows) -> list[Way] | None:
        return next((found for part in self.parts if (found := part.ways(context, rows)) is not None), None)


@dataclass(frozen=True)
class _Either(Grant):
    parts: tuple[Grant, ...]

    def test(self, context: Context, row: Row, rows: Rows) -> bool:
        return any(part.test(context, row, rows) for part in self.parts)

    def known(self, context: Context) -> Grant:
        parts = [part.known(context) for part in self.parts]
        if YES in parts:
            return YES
        left = tuple(part for part in parts if part is not NO)
        return NO if not left else left[0] if len(left) == 1 else _Either(left)

    def ways(self, context: Context, rows: Rows) -> list[Way] | None:
        found: list[Way] = []
        for part in self.parts:
            more = part.ways(context, rows)
            if more is None:
                return None
            found += more
        return found

    @property
    def exact(self) -> bool:
        return all(part.exact for part in self.parts)


def at(kind: str, way: Way, rows: Rows) -> list[Row]:
    """The rows at the end of a way."""
    index, key = way
    if index == IDENTITY:
        row = rows.get(kind, key)
        return [row] if row is not None else []
    return rows.find(kind, index, key)


class Binder:
    """Binds expressions to kinds. `texts` are the rules by name; `resources` the kinds."""

    def __init__(self, resources: Mapping[str, Resource], texts: Mapping[str, str]) -> None:
        self._resources, self._texts = resources, texts
        self._bound: dict[tuple[str, str], Grant] = {}

    def bind(self, resource: Resource, text: str) -> Grant:
        """What a rule's text means for objects of a kind. BadRule if it means nothing."""
        found = self._bound.get((resource.kind, text))
        if found is None:
            found = self._bound[resource.kind, text] = self._of(resource, rules.parse(text), ())
        return found

    def _of(self, resource: Resource, one: rules.Expression, within: tuple[str, ...]) -> Grant:
        if isinstance(one, rules.Constant):
            return YES if one.holds else NO
        if isinstance(one, rules.Both | rules.Either):
            parts = tuple(self._of(resource, part, within) for part in one.parts)
            return _Both(parts) if isinstance(one, rules.Both) else _Either(parts)
        if isinstance(one, rules.Not):
            return _Not(self._of(resource, one.part, within))
        if isinstance(one, rules.Named):
            return self._named(resource, one.name, within)
        if isinstance(one, rules.Role):
            return _Asker(lambda context: one.name in context.roles)
        if isinstance(one, rules.Claim):
            return _Asker(_claim(one))
        if isinstance(one, rules.Same):
            return self._same(resource, one)
        return self._field(resource, one)

    def _named(self, resource: Resource, name: str, within: tuple[str, ...]) -> Grant:
        if name in within:
            raise rules.BadRule(f"rule:{name} is made of itself: {' -> '.join((*within, name))}")
        if name not in self._texts:
            raise rules.BadRule(f"rule:{name} is not there; there are {', '.join(rules.BASE)}")
        return self._of(resource, rules.parse(self._texts[name]), (*within, name))

    def _same(self, resource: Resource, one: rules.Same) -> Grant:
        other, colon, name = one.path.rpartition(":")
        if colon:
            return self._through(resource, other, lambda kind: self._same(kind, rules.Same(one.what, name)))
        name = (resource.owner or "") if name in ("project_id", "tenant_id") else resource.aliases.get(name, name)
        attribute = resource.attributes.get(name)
        if attribute is None or not attribute.stored:
            # What belongs to nobody is everybody's whose role lets them.
            return YES if one.what == "project_id" and resource.owner is None else NO
        return _Owned(one.what, attribute.field, attribute.field in attribute.index)

    def _through(self, resource: Resource, other: str, inner: Callable[[Resource], Grant]) -> Grant:
        """What is said of the object that `other_id` names; of the one that it is part of for `ext_parent`."""
        name = resource.parent_key if other == "ext_parent" else f"{other}_id"
        attribute = resource.attributes.get(name or "")
        if attribute is None or attribute.refers_to is None:
            return NO
        return _Other(attribute.field, attribute.refers_to, inner(self._resources[attribute.refers_to]))

    def _field(self, resource: Resource, one: rules.Field) -> Grant:
        name = resource.aliases.get(one.attribute, one.attribute)
        if one.resource not in (resource.name, resource.plural, resource.kind, f"{resource.kind}s"):
            return self._through(resource, one.resource.removesuffix("s"),
                                 lambda kind: self._field(kind, rules.Field(kind.kind, one.attribute, one.value)))
        attribute = resource.attributes.get(name)
        if attribute is None:
            return NO
        action = sharing.mark_of(resource, name) if sharing.KIND in self._resources else None
        if action is not None:
            shared = _Shared(resource.kind, action)
            return shared if one.value.lower() == "true" else _Not(shared)
        fits, way = _fitting(attribute, one.value), None
        if attribute.field in attribute.index and attribute.type.name == "boolean":
            way = (attribute.field, one.value.lower() == "true")
        if attribute.stored:
            return _Has(lambda rows, row: getattr(row, attribute.field), fits, way)
        computed = attribute.computed or (lambda rows, row: attribute.default)
        return _Has(computed, fits)


def _claim(one: rules.Claim) -> Callable[[Context], bool]:
    if one.what == "service_roles":
        return lambda context: one.value.lower() in context.service_roles
    return lambda context: str(getattr(context, one.what)).lower() == one.value.lower()


def _fitting(attribute: Any, value: str) -> Callable[[Any], bool]:
    if value.startswith("~"):
        pattern = re.compile(value[1:])
        return lambda said: said is not None and bool(pattern.match(str(said)))
    if attribute.type.name == "boolean":
        wanted = value.lower() == "true"
        return lambda said: said is not None and bool(said) is wanted
    return lambda said: str(said) == value
