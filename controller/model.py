"""All rows in memory, with indexes; each change says which facts it touched.

Rows are immutable named tuples. One thread changes the model; any thread may read it without a lock, because a row is
replaced and never altered, and sorted() copies a list in one step.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from controller.resource import Attribute, Resource, Resources
from controller.rows import Row

_first = itemgetter(0)


class Change(NamedTuple):
    """A row as it was and as it is, and the facts that a reader of either may have relied on."""

    kind: str
    id: str
    before: Row | None
    after: Row | None
    facts: tuple[tuple, ...]


def keys_of(resource: Resource) -> dict[str, Callable[[Row], tuple]]:
    """For each index of a resource, the function from a row to its keys in that index. None is no key."""
    positions = {name: number for number, name in enumerate(resource.row.NAMES)}
    made: dict[str, Callable[[Row], tuple]] = {}
    for attribute in resource.attributes.values():
        if attribute.stored:
            for index in attribute.index:
                made[index] = _keys(positions[attribute.name], index.partition(".")[2], attribute.type.name == "list")
    for index, paths in resource.indexes.items():
        parts = [(positions[path.partition(".")[0]], path.partition(".")[2]) for path in paths]
        lists = {number for name, number in positions.items() if resource.attributes[name].type.name == "list"}
        made[index] = _composite([_keys(position, part, position in lists) for position, part in parts])
    return made


def _keys(position: int, part: str, many: bool) -> Callable[[Row], tuple]:
    if part and many:
        return lambda row: tuple({item.get(part) for item in row[position] or ()} - {None})
    if part:
        return lambda row: (row[position][part],) if row[position] and row[position].get(part) is not None else ()
    if many:
        return lambda row: row[position] or ()
    return lambda row: (row[position],) if row[position] is not None else ()


def _composite(parts: list[Callable[[Row], tuple]]) -> Callable[[Row], tuple]:
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        one, other = parts
        return lambda row: tuple((left, right) for left in one(row) for right in other(row))

    def keys(row: Row) -> tuple:
        found: list[tuple] = [()]
        for part in parts:
            found = [(*head, tail) for head in found for tail in part(row)]
        return tuple(found)
    return keys


def _all(_: Row) -> tuple:
    return (True,)


class Model:
    """Rows by kind and id, found by index. The index "all" has the one key True."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self.resources = resources
        self.rows: dict[str, dict[str, Row]] = {kind: {} for kind in resources}
        self.keys = {kind: keys_of(one) for kind, one in resources.items()}
        self.settings: Mapping[str, Any] = resources.configured({}) if isinstance(resources, Resources) else {}
        self.live: dict[str, Callable[[Row], Any]] = {}          # "port.status" -> what the running controller knows
        self._indexes: dict[tuple[str, str], dict[Any, dict[str, Row]]] = {
            (kind, name): {} for kind, keys in self.keys.items() for name in keys}
        self._quiet = {kind: _without_bookkeeping(one) for kind, one in resources.items()}

    def get(self, kind: str, id: str) -> Any:
        return self.rows[kind].get(id)

    def find(self, kind: str, index: str, key: Any) -> list[Row]:
        """The rows with a key in an index, sorted by id. Costs what it returns."""
        if index == "all":
            return sorted(self.rows[kind].values(), key=_first)
        found = self._indexes[kind, index].get(key)
        if not found:
            return []
        return sorted(found.values(), key=_first) if len(found) > 1 else list(found.values())

    def count(self, kind: str, index: str, key: Any) -> int:
        """How many rows `find` would give, at once."""
        return len(self.rows[kind]) if index == "all" else len(self._indexes[kind, index].get(key, ()))

    def put(self, kind: str, row: Row) -> Change:
        """Add or replace a row."""
        return self._change(kind, row[0], row)

    def fill(self, kind: str, row: Row) -> None:
        """Add a row that is not there yet, while nobody reads the model: what `put` does, without saying what changed."""
        for name, keys in self.keys[kind].items():
            index = self._indexes[kind, name]
            for key in keys(row):
                if (bucket := index.get(key)) is None:
                    index[key] = {row[0]: row}
                else:
                    bucket[row[0]] = row
        self.rows[kind][row[0]] = row

    def remove(self, kind: str, id: str) -> Change:
        """Take a row out; one that is not there changes nothing."""
        return self._change(kind, id, None)

    def make(self, kind: str, document: Mapping[str, Any]) -> Row:
        """A row from a document; attributes that it lacks get their defaults, others are left out."""
        resource = self.resources[kind]
        return resource.row._make([document.get(name, default) for name, default in resource.defaults.items()])

    def show(self, kind: str, row: Row, *, admin: bool = False) -> dict[str, Any]:
        """A row as the API shows it: to an administrator, or to everybody else."""
        shown = {}
        for attribute in self.resources[kind].shown(admin):
            shown[attribute.name] = self.value(kind, attribute, row)
            if attribute.alias:
                shown[attribute.alias] = shown[attribute.name]
        return shown

    def value(self, kind: str, attribute: Attribute, row: Row) -> Any:
        """What the API shows of one attribute of a row."""
        if attribute.computed is None:
            return getattr(row, attribute.field)
        return attribute.computed(self, row)

    def _change(self, kind: str, id: str, row: Row | None) -> Change:
        rows = self.rows[kind]
        before = rows.get(id)
        touched = self._keys_of_both(kind, before, row)
        for name, old, new in touched:
            index = self._indexes[kind, name]
            for key in old:
                if key not in new:
                    _drop(index, key, id)
            for key in new:
                if (bucket := index.get(key)) is None:
                    index[key] = {id: row}
                else:
                    bucket[id] = row
        if row is None:
            rows.pop(id, None)
        else:
            rows[id] = row
        return Change(kind, id, before, row, self._facts(kind, id, before, row, touched))

    def changes_since(self, then: Mapping[str, Mapping[str, Row]]) -> list[Change]:
        """What has become of the rows that there were: a change for each that is another, has come, or is no more."""
        found = []
        for kind, rows in self.rows.items():
            were = then.get(kind, {})
            pairs = [(id, were.get(id), row) for id, row in rows.items() if were.get(id) != row]
            for id, before, row in [*pairs, *((id, before, None) for id, before in were.items() if id not in rows)]:
                touched = self._keys_of_both(kind, before, row)
                found.append(Change(kind, id, before, row, self._facts(kind, id, before, row, touched)))
        return found

    def _keys_of_both(self, kind: str, before: Row | None, after: Row | None) -> list[tuple[str, tuple, tuple]]:
        """For each index its name, and the keys of the row as it was and as it is."""
        return [(name, keys(before) if before is not None else (), keys(after) if after is not None else ())
                for name, keys in self.keys[kind].items()]

    def _facts(self, kind: str, id: str, before: Row | None, after: Row | None, touched: list[tuple[str, tuple, tuple]]) -> tuple:
        if before is None and after is None or before is not None and after is not None and self.same(kind, before, after):
            return ()
        facts: list[tuple] = [(kind, id)]
        for name, old, new in touched:
            facts += [(kind, name, key) for key in old]
            facts += [(kind, name, key) for key in new if key not in old]
        if before is not after:
            facts.append((kind, "all", True))
        return tuple(facts)

    def same(self, kind: str, before: Row, after: Row) -> bool:
        """Whether nothing but bookkeeping differs, on which no flow depends."""
        telling = self._quiet[kind]
        return telling(before) == telling(after)


def _drop(index: dict, key: Any, id: str) -> None:
    bucket = index[key]
    bucket.pop(id, None)
    if not bucket:
        del index[key]


def _without_bookkeeping(resource: Resource) -> Callable[[Row], Any]:
    telling = [number for number, name in enumerate(resource.row.NAMES) if not resource.attributes[name].bookkeeping]
    return itemgetter(*telling)
