"""A host's Open vSwitch database as it is followed here: the columns that are watched, and how their changes are applied.

What a host sends is checked value by value against the types below; anything else raises Malformed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from controller.switch.jsonrpc import Malformed

DATABASE = "Open_vSwitch"
# Rows that one host may have; ten times what Open vSwitch itself can carry.
MAX_ROWS = 200_000
QUEUES = "hadron-queues"        # external_ids of interfaces where what Open vSwitch puts into queues waits in them
OWN_PREFIX = "hv-"      # how the names of Hadron's ports begin

Row = dict[str, Any]
Kind = type         # of a value


class Shape(Enum):
    """How many values a column holds, which also decides how a change of it is written (ovsdb-server(7), 4.1.14)."""

    ONE = 1
    OPTIONAL = 2
    SET = 3
    MAP = 4


class Column(NamedTuple):
    """How many values, of which type; of a map also what its keys are."""

    shape: Shape
    type: Kind
    key: Kind = str


TEXT, TRUTH = Column(Shape.ONE, str), Column(Shape.ONE, bool)
MAYBE_TEXT, MAYBE_NUMBER = Column(Shape.OPTIONAL, str), Column(Shape.OPTIONAL, int)
TEXTS, MAP = Column(Shape.SET, str), Column(Shape.MAP, str)
NUMBERED = Column(Shape.MAP, str, int)
REFERENCES = TEXTS      # a reference is kept as the row's UUID

TABLES: Mapping[str, Mapping[str, Column]] = {
    "Open_vSwitch": {"bridges": REFERENCES, "external_ids": MAP, "datapath_types": TEXTS, "iface_types": TEXTS,
                     "ovs_version": MAYBE_TEXT, "manager_options": REFERENCES},
    "Bridge": {"name": TEXT, "ports": REFERENCES, "controller": REFERENCES, "fail_mode": MAYBE_TEXT, "protocols": TEXTS,
               "datapath_type": TEXT, "datapath_id": MAYBE_TEXT, "other_config": MAP},
    "Port": {"name": TEXT, "interfaces": REFERENCES, "external_ids": MAP, "qos": MAYBE_TEXT},
    "Interface": {"name": TEXT, "type": TEXT, "options": MAP, "external_ids": MAP, "ofport": MAYBE_NUMBER,
                  "ofport_request": MAYBE_NUMBER, "mtu": MAYBE_NUMBER, "link_state": MAYBE_TEXT, "error": MAYBE_TEXT,
                  "link_speed": MAYBE_NUMBER},
    "QoS": {"type": TEXT, "other_config": MAP, "external_ids": MAP, "queues": NUMBERED},
    "Queue": {"other_config": MAP, "external_ids": MAP},
    "Controller": {"target": TEXT, "max_backoff": MAYBE_NUMBER, "inactivity_probe": MAYBE_NUMBER,
                   "connection_mode": MAYBE_TEXT},
    "Manager": {"target": TEXT, "max_backoff": MAYBE_NUMBER},
}
# Without these nothing can be done; the others are missing in old versions and then have their default.
NEEDED = {"Open_vSwitch": {"bridges", "external_ids"}, "Bridge": {"name", "ports", "controller", "fail_mode", "datapath_id"},
          "Port": {"name", "interfaces"}, "Interface": {"name", "type", "external_ids", "ofport"}, "Controller": {"target"},
          "Manager": {"target"}, "QoS": set(), "Queue": set()}
_EMPTY: Mapping[Shape, Any] = {Shape.OPTIONAL: None, Shape.SET: frozenset(), Shape.MAP: {}}
_ZERO: Mapping[type, Any] = {str: "", bool: False, int: 0}


def watched(schema: Any) -> dict[str, list[str]]:
    """The columns to ask for, table by table: those that this host's schema has. Raises Malformed if it lacks a needed one."""
    found = {}
    for table, columns in TABLES.items():
        there = _mapping(_mapping(_mapping(schema).get("tables")).get(table, {})).get("columns", {})
        found[table] = [column for column in columns if column in _mapping(there)]
        if missing := NEEDED[table] - set(found[table]):
            raise Malformed(f"schema: {table} has no {', '.join(sorted(missing))}")
    return found


class Database:
    """The rows of one host: `tables[table][uuid][column]`."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Row]] = {table: {} for table in TABLES}
        # Names never change and are unique within a table.
        self._names: dict[tuple[str, str], str] = {}
        self._own: dict[str, set[str]] = {table: set() for table in TABLES}
        self.queueing: set[str] = set()     # interfaces that are marked as having queues

    def apply(self, updates: Any) -> dict[str, dict[str, Row | None]]:
        """Apply <table-updates2>. Returns the rows as they were, None if new, for every row that it names."""
        before: dict[str, dict[str, Row | None]] = {}
        for table, changes in _mapping(updates).items():
            if table not in self.tables:
                raise Malformed(f"table {table!r} was not asked for")
            rows, columns = self.tables[table], TABLES[table]
            old = before.setdefault(table, {})
            for uuid, change in _mapping(changes).items():
                old[uuid] = rows.get(uuid)
                _apply_one(rows, columns, uuid, _mapping(change))
            self._note_names(table, old)
            if table == "Interface":
                self._note_queues(old)
        if sum(map(len, self.tables.values())) > MAX_ROWS:
            raise Malformed(f"more than {MAX_ROWS} rows")
        return before

    def row(self, table: str, uuid: str) -> Row | None:
        return self.tables[table].get(uuid)

    def named(self, table: str, name: str) -> tuple[str, Row] | None:
        """The row of this name, with its UUID; the schema allows only one."""
        uuid = self._names.get((table, name))
        return (uuid, self.tables[table][uuid]) if uuid else None

    def own(self, table: str) -> list[str]:
        """The names in a table that begin like those of Hadron's ports, in order."""
        return sorted(self._own[table])

    def _note_names(self, table: str, before: Mapping[str, Row | None]) -> None:
        if "name" not in TABLES[table]:
            return
        rows = self.tables[table]
        for uuid, old in before.items():
            if old and uuid not in rows and self._names.get((table, old["name"])) == uuid:
                del self._names[table, old["name"]]
                self._own[table].discard(old["name"])
        for uuid in before:
            if row := rows.get(uuid):
                self._names[table, row["name"]] = uuid
                if row["name"].startswith(OWN_PREFIX):
                    self._own[table].add(row["name"])

    def _note_queues(self, changed: Iterable[str]) -> None:
        for uuid in changed:
            row = self.row("Interface", uuid)
            if row and QUEUES in row["external_ids"]:
                self.queueing.add(uuid)
            else:
                self.queueing.discard(uuid)

    def root(self) -> tuple[str, Row] | None:
        """The one row of the table Open_vSwitch."""
        return next(iter(self.tables["Open_vSwitch"].items()), None)


def _apply_one(rows: dict[str, Row], columns: Mapping[str, Column], uuid: str, change: Mapping[str, Any]) -> None:
    kind, value = next(iter(change.items()), ("", None))
    if kind == "delete":
        rows.pop(uuid, None)
    elif kind in ("insert", "initial"):
        given = _mapping(value)
        rows[uuid] = {name: read(column, given[name]) if name in given else default(column)
                      for name, column in columns.items()}
    elif kind == "modify" and uuid in rows:
        # A new dict: what `apply` returned of earlier batches must stay as it was.
        row = rows[uuid] = dict(rows[uuid])
        for name, difference in _mapping(value).items():
            if name not in columns:
                raise Malformed(f"column {name!r} was not asked for")
            row[name] = changed(columns[name], row[name], difference)
    else:
        raise Malformed(f"change {kind!r} of row {uuid!r}")


def default(column: Column) -> Any:
    """What a column holds that is not mentioned in a new row."""
    return _ZERO[column.type] if column.shape is Shape.ONE else _EMPTY[column.shape]


def changed(column: Column, value: Any, difference: Any) -> Any:
    """A column's new value, from what it was and what the database says has changed."""
    given = read(column, difference)
    if column.shape is Shape.SET:
        return value ^ given
    if column.shape is Shape.MAP:
        new = {key: item for key, item in value.items() if given.get(key) != item}
        return new | {key: item for key, item in given.items() if value.get(key) != item}
    return given


def read(column: Column, value: Any) -> Any:
    """A value in OVSDB's notation (RFC 7047 §5.1) as Python's: str, int, bool, None, frozenset or dict."""
    if column.shape is Shape.ONE:
        return _atom(column.type, value)
    if column.shape is Shape.MAP:
        if not _tagged(value, "map"):
            raise Malformed(f"{value!r:.80} instead of a map")
        return {_atom(column.key, key): _atom(column.type, item) for key, item in map(_pair, value[1])}
    atoms = [_atom(column.type, each) for each in value[1]] if _tagged(value, "set") else [_atom(column.type, value)]
    if column.shape is Shape.SET:
        return frozenset(atoms)
    if len(atoms) > 1:
        raise Malformed(f"{value!r:.80} instead of at most one value")
    return atoms[0] if atoms else None


def _atom(wanted: Kind, value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2 and value[0] == "uuid":
        value = value[1]
    if type(value) is not wanted:
        raise Malformed(f"{value!r:.80} instead of {wanted.__name__}")
    return value


def _tagged(value: Any, tag: str) -> bool:
    return isinstance(value, list) and len(value) == 2 and value[0] == tag and isinstance(value[1], list)


def _pair(value: Any) -> tuple[Any, Any]:
    if not isinstance(value, list) or len(value) != 2:
        raise Malformed(f"{value!r:.80} instead of a key and a value")
    return value[0], value[1]


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{value!r:.80} instead of an object")
    return value
