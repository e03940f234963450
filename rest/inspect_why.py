"""`hadron why`: which app, which rule (file and line), which objects, and who wrote them when.

A flow is asked for by its cookie, by its text (as `hadron flows` or `ovs-ofctl dump-flows` print it), or by the id of
the object that it serves. Which objects it is *because of* is found by trying: the rule is run again as if one of the
rows that it read were not there; if the flow is then gone or another, that row is a reason.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from controller.openflow.pipeline import Pipeline
from controller.openflow.text import Names, match_parts
from controller.world import Missing
from rest.errors import bad_request

Key = tuple

MOST_ROWS = 400
"""Rows that are tried out for one flow."""
_COOKIE = re.compile(r"0x[0-9a-fA-F]{1,16}|[0-9]{10,20}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOISE = frozenset({"cookie", "duration", "n_packets", "n_bytes", "idle_age", "hard_age", "idle_timeout", "hard_timeout",
                    "importance", "flags"})
_DEFAULT_PRIORITY = 32768                    # what ovs-ofctl means where none is said


class Asked(NamedTuple):
    """What a question is about: a cookie, an object's id, or a table, priority and match."""

    cookie: int | None = None
    id: str | None = None
    table: int = 0
    priority: int = _DEFAULT_PRIORITY
    parts: frozenset[str] = frozenset()


def asked_for(text: str, pipeline: Pipeline) -> Asked:
    """What a person means. Refused (400) if that is nothing."""
    text = text.strip()
    if _UUID.fullmatch(text):
        return Asked(id=text.lower())
    if _COOKIE.fullmatch(text):
        return Asked(cookie=_cookie(text))
    said = re.search(r"\bcookie=(0x[0-9a-fA-F]{1,16}|[0-9]+)", text)
    if said and _cookie(said[1]):
        return Asked(cookie=_cookie(said[1]))
    if "=" not in text:
        raise bad_request("flow: must be a cookie (0x...), an object's id, or a flow as `hadron flows` or ovs-ofctl print it")
    return _flow(text, pipeline)


def _cookie(text: str) -> int:
    number = int(text, 0)
    if number >= 1 << 64:
        raise bad_request("flow: a cookie has 64 bits")
    return number


def _flow(text: str, pipeline: Pipeline) -> Asked:
    table, priority, parts = 0, _DEFAULT_PRIORITY, set()
    for word in re.split(r"[,\s]+", re.split(r"\bactions=", text)[0]):
        name, _, value = word.partition("=")
        if name == "table":
            table = _number("table", value, {one.name: one.number for one in pipeline})
        elif name == "priority":
            priority = _number("priority", value, {})
        elif word and name not in _NOISE and word != "reset_counts":
            parts.add(word)
    return Asked(table=table, priority=priority, parts=frozenset(parts))


def _number(what: str, text: str, known: Mapping[str, int]) -> int:
    if text in known:
        return known[text]
    if not re.fullmatch("[0-9]{1,5}", text):
        raise bad_request(f"flow: {what}={text} is not a number" + (f" or one of {', '.join(known)}" if known else ""))
    return int(text)


def is_meant(key: Key, asked: Asked, pipeline: Pipeline) -> bool:
    """Whether a key is the one that a text says, with names or with numbers."""
    if key[:2] != (asked.table, asked.priority):
        return False
    return any(frozenset(",".join(match_parts(key[2], names)).split(",")) - {""} == asked.parts
               for names in (Names(pipeline), Names()))


# ---- reasons

class Without:
    """The world as it would be without some rows: nothing remembered, nothing noted."""

    def __init__(self, world: Any, model: Any, hidden: frozenset[tuple[str, str]]) -> None:
        self._world, self._model, self._hidden = world, model, hidden
        self._answers: dict[tuple, Any] = {}

    def get(self, kind: str, id: str) -> Any:
        """The row, unless it is hidden."""
        return None if (kind, id) in self._hidden else self._model.get(kind, id)

    def need(self, kind: str, id: str | None) -> Any:
        """The row; Missing if there is none or it is hidden."""
        row = self.get(kind, id) if id else None
        if row is None:
            raise Missing(kind, id)
        return row

    def find(self, kind: str, index: str, key: Any) -> list:
        """The rows of an index that are not hidden."""
        return [row for row in self._model.find(kind, index, key) if (kind, row[0]) not in self._hidden]

    def gathered(self, tally: Any, key: Any) -> frozenset:
        """What all rows tallied: gatherings stay as they are."""
        return self._world.gathered(tally, key)

    def ask(self, question: Any, *args: Any) -> Any:
        """A question's answer, worked out afresh."""
        if (question, args) not in self._answers:
            try:
                self._answers[question, args] = question(self, *args)
            except Missing:
                self._answers[question, args] = question.nothing
        return self._answers[question, args]


def reasons(compiler: Any, unit: tuple, key: Key) -> list[tuple[str, str, bool]]:
    """On the desk: (kind, id, alone) of the rows without which a unit would not have this very flow.

    `alone` is false for rows any one of which would do, as two rules that allow the same.
    """
    rule, args = unit
    entry = compiler.units[unit][0].get(key)
    rows = sorted(compiler.world.rests_on(rule, *args))
    if len(rows) > MOST_ROWS:
        rows = [(rule.per, args[0])]

    def stands_without(hidden: Iterable[tuple[str, str]]) -> bool:
        try:
            made = rule(Without(compiler.world, compiler.model, frozenset(hidden)), *args)
        except Exception:                       # a rule may rely on what the model never lacks
            return False
        return any(one.key == key and one == entry for one in made)

    found = [(kind, id, True) for kind, id in rows if not stands_without([(kind, id)])]
    known = {kind for kind, _, _ in found}
    for kind in sorted({kind for kind, _ in rows} - known):
        of_kind = [row for row in rows if row[0] == kind]
        if len(of_kind) > 1 and not stands_without(of_kind):
            found += [(kind, id, False) for _, id in of_kind if stands_without([row for row in of_kind if row[1] != id])]
    return found


def units_behind(compiler: Any, asked: Asked, objects: Iterable[tuple[str, str]]) -> tuple[list[tuple[tuple, Key]], bool]:
    """On the desk: (unit, key) of the flows of these objects with a cookie, and whether the whole cookie fits.

    If none has this checksum, those that agree in app and object.
    """
    assert asked.cookie is not None
    exact, near = [], []
    for kind, id in objects:
        for unit in compiler.units_of(kind, id):
            if unit[0].app != asked.cookie >> 56:
                continue
            for key, entry in compiler.units[unit][0].items():
                near.append((unit, key))
                if entry.cookie == asked.cookie:
                    exact.append((unit, key))
    return (exact, True) if exact else (near, False)


def claims_of(compiler: Any, keys: Iterable[Key], switch: str | None) -> Iterator[tuple[tuple, Key]]:
    """On the desk: (unit, key) of every unit that wants one of these keys, on one switch or anywhere."""
    for key in keys:
        if switch is not None:
            yield from ((unit, key) for unit in compiler.why(switch, key))
        else:
            held = compiler.claims.get(key, ())
            yield from ((unit, key) for unit in (held if isinstance(held, dict) else (held,)) if unit in compiler.units)
