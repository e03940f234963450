"""Rows as JSON. What a row says is rendered once: a row never changes, and what moves is part of the key.

Most rows of a list have been asked for before, so a list is a join of bytes.
"""
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

import orjson

from controller.resource import Attribute, Resource
from controller.sharing import shared_ids

_WASTE = 1024
"""Renderings of rows that are gone, kept before somebody sweeps."""


class Shown:
    """How one kind is shown to one audience: to those from whom the same attributes are hidden."""

    def __init__(self, resource: Resource, model: Any, hidden: frozenset[str] = frozenset()) -> None:
        self._rows = model.rows[resource.kind]
        self._model = model
        self._place = {name: number for number, name in enumerate(resource.row.NAMES)}
        self._marks = {share.mark for share in resource.shares.values()}
        shown = [one for one in resource.attributes.values()
                 if one.visible in ("everyone", "admin") and one.name not in hidden]
        self._readers = {one.name: self._reader(one) for one in resource.attributes.values()}
        self._by_name = {name: self._readers[one.name] for one in shown for name in _names(one)}
        self._stored = [(name, self._place[one.name]) for one in shown if self._as_stored(one) for name in _names(one)]
        self._moving = [(self._readers[one.name], _names(one)) for one in shown if not self._as_stored(one)]
        self._moves = [reader for reader, _ in self._moving]
        self._by_asker = {name: number for number, (_, names) in enumerate(self._moving) for name in names
                          if name in self._marks}
        self._kept: dict[str, tuple[Any, list, bytes]] = {}

    def _as_stored(self, attribute: Attribute) -> bool:
        """Whether an attribute is shown as it is stored. What shares an object is, though others may ask how it is shared."""
        return attribute.stored and (attribute.computed is None or attribute.name in self._marks)

    def _reader(self, attribute: Attribute) -> Callable[[Any], Any]:
        """The function from a row to what the API shows of one attribute."""
        default = attribute.default if attribute.has_default else None
        if self._as_stored(attribute):
            return itemgetter(self._place[attribute.name])
        if attribute.computed is None:
            return lambda row: default
        return partial(attribute.computed, self._model)

    def value(self, attribute: Attribute, row: Any) -> Any:
        """What the API shows of one attribute of a row."""
        return self._readers[attribute.name](row)

    def document(self, row: Any, fields: Iterable[str] = ()) -> dict[str, Any]:
        """A row as the API shows it; only `fields` of it, if there are any."""
        if fields:
            return {name: self._by_name[name](row) for name in fields if name in self._by_name}
        return {name: reader(row) for name, reader in self._by_name.items()}

    def render(self, row: Any, own: Mapping[str, bool] = {}) -> bytes:  # noqa: B006
        """A row as JSON, from memory where nothing has moved. `own` are values that depend on who asks."""
        moving = [read(row) for read in self._moves]
        for name, value in own.items():
            if name in self._by_asker:
                moving[self._by_asker[name]] = value
        kept = self._kept.get(row[0])
        if kept is not None and kept[0] is row and kept[1] == moving:
            return kept[2]
        whole = {name: row[place] for name, place in self._stored}
        for (_, names), value in zip(self._moving, moving, strict=True):
            for name in names:
                whole[name] = value
        rendered = dumps(whole)
        self._kept[row[0]] = (row, moving, rendered)
        if len(self._kept) > len(self._rows) + _WASTE:
            self._sweep()
        return rendered

    def _sweep(self) -> None:
        for id in [id for id in list(self._kept) if id not in self._rows]:
            self._kept.pop(id, None)


class Display:
    """How one kind is shown to one asker; what is hidden may depend on the row."""

    def __init__(self, gallery: Gallery, context: Any, resource: Resource) -> None:
        self._gallery, self._context, self._resource = gallery, context, resource
        self.hidden, self._conditional = gallery.policy.audience(context, resource)
        self._usual = gallery.shown(resource, self.hidden)
        self._shared = {share.mark: shared_ids(gallery.model, resource.kind, share.action, context.project_id)
                        for share in resource.shares.values() if not resource.attributes[share.mark].stored}

    def value(self, attribute: Attribute, row: Any) -> Any:
        """What this asker is shown of one attribute of a row."""
        if attribute.name in self._shared:
            return row[0] in self._shared[attribute.name]
        return self._usual.value(attribute, row)

    def _own(self, row: Any) -> dict[str, bool]:
        return {mark: row[0] in ids for mark, ids in self._shared.items()}

    def _of(self, row: Any) -> Shown:
        if not self._conditional:
            return self._usual
        allowed = {name for name, grant in self._conditional if grant.test(self._context, row, self._gallery.model)}
        return self._gallery.shown(self._resource, self.hidden - allowed)

    def document(self, row: Any, fields: Iterable[str] = ()) -> dict[str, Any]:
        """A row as this asker sees it; only `fields` of it, if there are any."""
        shown = self._of(row).document(row, fields)
        return {**shown, **{mark: value for mark, value in self._own(row).items() if mark in shown}}

    def render(self, row: Any) -> bytes:
        """A row as JSON, as this asker sees it."""
        return self._of(row).render(row, self._own(row) if self._shared else {})


class Gallery:
    """How all kinds are shown to everybody."""

    def __init__(self, model: Any, policy: Any) -> None:
        self.model, self.policy = model, policy
        self._shown: dict[tuple[str, frozenset[str]], Shown] = {}

    def shown(self, resource: Resource, hidden: frozenset[str]) -> Shown:
        """How a kind is shown without some attributes."""
        found = self._shown.get((resource.kind, hidden))
        if found is None:
            found = self._shown[resource.kind, hidden] = Shown(resource, self.model, hidden)
        return found

    def to(self, context: Any, resource: Resource) -> Display:
        """How a kind is shown to whoever asks."""
        return Display(self, context, resource)


def _names(attribute: Attribute) -> tuple[str, ...]:
    return (attribute.name, attribute.alias) if attribute.alias else (attribute.name,)


def dumps(value: Any) -> bytes:
    """JSON of a value made of rows' values: Records are objects, tuples and sets are lists."""
    try:
        return orjson.dumps(value, default=list)
    except orjson.JSONEncodeError:              # a number of more than 64 bits: an IPv6 subnet has so many addresses
        return json.dumps(value, default=list, ensure_ascii=False, separators=(",", ":")).encode()
