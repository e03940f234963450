"""The words for checks between attributes and between resources. The vocabulary is closed; the rest is `call`."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controller import values
from controller.errors import Conflict, Invalid, camel
from controller.hooks import hook
from controller.resource import Attribute, Check

# A check is run as check(write, kind, document, before): `write` finds other rows, `before` is None at creation.


def check_of(file: Any, name: str, given: Any, attributes: Mapping[str, Attribute]) -> Check:
    """The Check that a model file declares as `{word: what}`, optionally with `error:` (Neutron's name) and `text:`."""
    where = f"{name}.checks"
    if not isinstance(given, dict):
        raise file.bad(where, "a check is a mapping such as {within: [gateway_ip, cidr]}")
    words = [word for word in given if word not in ("error", "text")]
    if len(words) != 1:
        raise file.bad(where, "a check has one word")
    word, what = words[0], given[words[0]]
    if word == "call":
        return Check(word, what, hook(file, where, what))
    if word not in _WORDS:
        raise file.bad(where, f"{word} is no check; there are call, {', '.join(_WORDS)}")
    for one in what if isinstance(what, list) else [what]:
        if isinstance(one, str) and one not in attributes:
            raise file.bad(where, f"{word}: {one} is not an attribute")
    return Check(word, what, _WORDS[word](what, given.get("error"), given.get("text")))


Run = Callable[[Any, str, Mapping[str, Any], Any], None]


def _within(what: Any, error: str | None, text: str | None) -> Run:
    inner, outer = what

    def run(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
        given = document[inner] is not None and document[outer] is not None
        if given and document[inner] not in values.prefix(document[outer]):
            raise Invalid(inner, text or f"must be within {outer}", type=error)
    return run


def _ordered(what: Any, error: str | None, text: str | None) -> Run:
    low, high = what

    def run(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
        if document[low] is not None and document[high] is not None and document[low] > document[high]:
            raise Invalid(low, text or f"must not be greater than {high}", type=error)
    return run


def _together(what: Any, error: str | None, text: str | None) -> Run:
    def run(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
        given = [name for name in what if document[name] is not None]
        if given and len(given) < len(what):
            lacking = next(name for name in what if name not in given)
            raise Invalid(lacking, text or f"is needed together with {given[0]}", type=error)
    return run


def _at_most_one(what: Any, error: str | None, text: str | None) -> Run:
    def run(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
        given = [name for name in what if document[name] is not None]
        if len(given) > 1:
            raise Invalid(given[1], text or f"cannot be given together with {given[0]}", type=error)
    return run


def _differs(what: Any, error: str | None, text: str | None) -> Run:
    one, other = what

    def run(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
        if document[one] is not None and document[one] == document[other]:
            raise Invalid(other, text or f"must differ from {one}", type=error)
    return run


def _unique(what: Any, error: str | None, text: str | None) -> Run:
    """No other row has the same values. The loader makes the index, named by joining the attributes with `+`."""
    def run(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
        key = tuple(document[name] for name in what)
        for row in write.find(kind, "+".join(what), key[0] if len(key) == 1 else key):
            if before is None or row[0] != before[0]:
                raise Conflict(error or f"{camel(kind)}Exists",
                               text or f"{what[-1]}: {key[-1]} is in use by {kind} {row[0]}; choose another")
    return run


def _disjoint(what: Any, error: str | None, text: str | None) -> Run:
    name, over = what[0], what[1]["over"]

    def run(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
        mine = values.prefix(document[name])
        for row in write.find(kind, over, document[over]):
            if (before is None or row[0] != before[0]) and mine.overlaps(values.prefix(getattr(row, name))):
                raise Invalid(name, text or f"must not overlap with {getattr(row, name)} of {kind} {row[0]}",
                              type=error)
    return run


def _exists(what: Any, error: str | None, text: str | None) -> Run:
    name, kind_wanted, index = what[0], what[1]["kind"], what[1].get("index")

    def run(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
        value = document[name]
        there = value is None or (write.count(kind_wanted, index, value) if index else write.get(kind_wanted, value))
        if not there:
            raise Invalid(name, text or f"must be that of a {kind_wanted}", type=error)
    return run


def _unused(what: Any, error: str | None, text: str | None) -> Run:
    """On a change of the attribute: no row of another kind may refer to this one meanwhile."""
    name, by, index = what[0], what[1]["by"], what[1]["index"]

    def run(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
        if before is not None and document[name] != getattr(before, name) and write.count(by, index, before[0]):
            raise Conflict(error or f"{camel(kind)}InUse",
                           text or f"{name}: cannot be changed while a {by} uses {kind} {before[0]}")
    return run


_WORDS: dict[str, Callable[[Any, str | None, str | None], Run]] = {
    "within": _within, "ordered": _ordered, "together": _together, "at_most_one": _at_most_one, "differs": _differs,
    "unique": _unique, "disjoint": _disjoint, "exists": _exists, "unused": _unused}
