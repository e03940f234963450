"""The classes of rows: immutable named tuples, one class for each kind."""
from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from keyword import iskeyword
from operator import itemgetter
from typing import Any

Row = Any


def plain(name: str) -> str:
    """An attribute's name as Python says it: `binding:host_id` -> `binding_host_id`."""
    said = name.replace(":", "_").replace("-", "_").replace(".", "_").lstrip("_")
    return said + "_" if iskeyword(said) else said


def row_class(kind: str, names: Iterable[str]) -> Any:
    """The class of a kind's rows. The first attribute identifies the row and is `id` too."""
    names = tuple(names)
    made = namedtuple(f"{plain(kind)}_row", [plain(name) for name in names])  # type: ignore[misc]
    body: dict[str, Any] = {"__slots__": (), "KIND": kind, "NAMES": names}
    if "id" not in made._fields:
        body["id"] = property(itemgetter(0))
    return type(made.__name__, (made,), body)


def as_dict(row: Row) -> dict[str, Any]:
    """A row as a document: attributes by the names of the model file."""
    return dict(zip(row.NAMES, row, strict=True))
