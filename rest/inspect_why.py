"""`hadron why`: which app, which rule (file and line), which objects, and who wrote them when.

A flow is asked for by its cookie, by its text (as `hadron flows` or `ovs-ofctl dump-flows` print it), or by the id of
the object that it serves. Which objects it is *because of* is found by trying: the rule is run again as if one of the
rows that it read were not there; if the flow is then gone or another, that row is a reason.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from controller.claims import units
from controller.openflow.pipeline import Pipeline
from controller.openflow.text import Names, match_parts
from controller.world import Missing, Reading
from rest.errors import bad_request
from rest.inspect_flows import Teller, Wanted
from rest.inspect_objects import Known
from rest.inspect_rules import rule_said

Key = tuple

MOST_ROWS = 64
"""Rows of one kind that are tried out one by one, where no single one is needed."""
MOST_SWITCHES = 16
"""Switches that are named for one flow."""
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

class Without(Reading):
    """The world as it would be without some rows: nothing remembered, nothing noted."""

    def __init__(self, world: Any, model: Any, hidden: frozenset[tuple[str, str]]) -> None:
        self._world, self._model, self._hidden = world, model, hidden
        self._answers: dict[tuple, Any] = {}

    def get(self, kind: str, id: str) -> Any:
        """The row, unless it is hidden."""
        return None if (kind, id) in self._hidden else self._model.get(kind, id)

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
    trial = Trial(compiler, unit, key)
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(compiler.world.rests_on(*_flat(unit))):
        by_kind.setdefault(row[0], []).append(row)
    found: list[tuple[str, str, bool]] = []
    for rows in by_kind.values():
        if trial.stands_without(rows):
            continue
        needed = list(trial.needed(rows))
        found += [(kind, id, True) for kind, id in needed]
        if not needed and len(rows) <= MOST_ROWS:
            found += [(*row, False) for row in rows if trial.stands_without([one for one in rows if one != row])]
    return found


def _flat(unit: tuple) -> tuple:
    rule, args = unit
    return rule, *args


class Trial:
    """Runs a rule again with rows hidden, and looks whether one flow is still the same."""

    def __init__(self, compiler: Any, unit: tuple, key: Key) -> None:
        self._compiler, self._rule, self._args, self._key = compiler, *unit, key
        self._entry = compiler.units[unit][0].get(key)

    def stands_without(self, hidden: Iterable[tuple[str, str]]) -> bool:
        """Whether the flow would be the same without these rows."""
        try:
            made = self._rule(Without(self._compiler.world, self._compiler.model, frozenset(hidden)), *self._args)
        except Exception:                       # a rule may rely on what the model never lacks
            return False
        return made.get(self._key) == self._entry

    def needed(self, rows: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Those of the rows that are needed each, by halves: what stands without many stands without each of them."""
        if self.stands_without(rows):
            return
        if len(rows) == 1:
            yield rows[0]
        else:
            yield from self.needed(rows[:len(rows) // 2])
            yield from self.needed(rows[len(rows) // 2:])


# ---- finding

Found = list[tuple[tuple, Key]]


class Search:
    """Finds the units behind what is asked, on the desk where the compiler is read."""

    def __init__(self, compiler: Any, call: Callable[..., Any], known: Known, pipeline: Pipeline) -> None:
        self._compiler, self._call, self._known, self._pipeline = compiler, call, known, pipeline

    def find(self, asked: Asked, switch: str | None) -> tuple[Found, bool]:
        """(unit, key) of every flow that is meant and the asker's own, and whether they are just what was asked for."""
        exact = True
        if asked.cookie is not None:
            objects = list(self._known.numbered(asked.cookie >> 24 & 0xFFFFFFFF))
            found, exact = self._call(self._by_cookie, asked.cookie, objects)
        elif asked.id is not None:
            found = self._call(self._by_object, asked.id)
        else:
            keys = self._call(lambda: [key for key in self._compiler.claims if key[:2] == (asked.table, asked.priority)])
            found = self._call(self._by_key, [key for key in keys if is_meant(key, asked, self._pipeline)])
        return _each_once(self._compiler, [(unit, key) for unit, key in found if self._may(unit, switch)]), exact

    def _may(self, unit: tuple, switch: str | None) -> bool:
        rule, args = unit
        row = self._known.model.get(rule.per, args[0])
        held = self._compiler.units.get(unit)
        return row is not None and self._known.owns(rule.per, row) and held is not None and (
            switch is None or switch in held[1])

    def _by_cookie(self, cookie: int, objects: list[tuple[str, str]]) -> tuple[Found, bool]:
        """If none has this checksum, those that agree in app and object. 0 may be that of a drop, but tenants are told no other."""
        near = [(unit, key) for kind, id in objects for unit in self._compiler.units_of(kind, id)
                if unit[0].app == cookie >> 56 for key in self._compiler.units[unit][0]]
        exact = [(unit, key) for unit, key in near if self._compiler.units[unit][0][key].cookie == cookie and cookie & 0xFFFFFF]
        return (exact, True) if exact else (near, False)

    def _by_object(self, id: str) -> Found:
        return [(unit, key) for kind in self._compiler.rules_of for unit in self._compiler.units_of(kind, id)
                for key in self._compiler.units[unit][0]]

    def _by_key(self, keys: list[Key]) -> Found:
        """Every unit that wants one of these keys; of several on a switch, the holder first."""
        found: Found = []
        for key in keys:
            wanting = sorted(units(self._compiler.claims.get(key)), key=lambda unit: (unit[0].name, unit[1]))
            found += [(unit, key) for unit in wanting if unit in self._compiler.units]
        return found


def _each_once(compiler: Any, found: Found) -> Found:
    """Of a rule with flows of its own on every switch, the same flow on several switches is one."""
    first = {(rule, args[0], key, compiler.units[rule, args][0][key].cookie): ((rule, args), key)
             for (rule, args), key in reversed(found)}
    return [one for one in found if one in first.values()] if len(first) < len(found) else found


def _switches(compiler: Any, unit: tuple, key: Key) -> list[str]:
    """Where the object's rule wants this very flow."""
    rule, args = unit
    others = compiler.units_of(rule.per, args[0]) if rule.each else ()
    alike = [one for one in others if one[0] is rule and compiler.units[one][0].get(key) == compiler.units[unit][0][key]]
    return sorted(frozenset().union(*(compiler.units[one][1].switches() for one in alike or (unit,))))


def explained(compiler: Any, unit: tuple, key: Key, teller: Teller, pipeline: Pipeline) -> dict[str, Any] | None:
    """On the desk: one flow of one unit with its rule, its object and its reasons. None if it is gone."""
    entries, _ = compiler.units.get(unit, ({}, ()))
    if key not in entries:
        return None
    rule, args = unit
    table = pipeline.tables.get(key[0]) if not isinstance(key[0], str) else None
    switches = tuple(_switches(compiler, unit, key))
    said = teller.all([Wanted(key, entries[key], switches[:MOST_SWITCHES], {})], {})[0]
    because = [{**written, "alone": alone} for kind, id, alone in reasons(compiler, unit, key)
               if (written := teller.known.written(kind, id)) is not None]
    answers = f"{rule.answers.__module__}.{rule.answers.__name__}" if rule.answers is not None else None
    return {**said, "level": next((name for name, priority in table.levels.items() if priority == key[1]), None)
            if table else None, "purpose": table.purpose if table else None, "rule": {**rule_said(rule), "answers": answers},
            "object": teller.known.written(rule.per, args[0]), "because": because,
            **({"on": len(switches)} if teller.known.context.is_admin else {})}
