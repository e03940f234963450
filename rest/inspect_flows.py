"""`hadron flows`: what switches should hold, what they do hold, what went through it, and whose it is.

Wanted entries come from the compiler (on the desk); counters and what is really there from the switches, now.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from typing import Any, NamedTuple

from apps.pipeline import GROUPS
from controller.claims import Several
from controller.openflow import decode
from controller.openflow.pipeline import Pipeline
from controller.openflow.stats import Held
from rest.errors import bad_request
from rest.inspect_objects import Known, called
from rest.inspect_text import names_in, shortened, whole

MOST_READ = 16
"""Switches that are read for one request."""
PATIENCE = 5.0
"""Seconds that all of them together may take."""
FRESH = 1.0
"""Seconds for which counters serve the next who asks."""

Key = tuple
Counters = Mapping[Key, Held]


class Wanted(NamedTuple):
    """An entry that switches should hold; `merged` where a switch's differs, because others add to it."""

    key: Key
    entry: Any
    switches: tuple[str, ...]
    merged: Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """Which flows: of a switch, of objects, of a table (its number), only those that drop.

    `shared`: objects whose flows are for several of their kind, of which those are meant that the objects' own lead to.
    """

    switch: str | None = None
    objects: tuple[tuple[str, str], ...] | None = None
    shared: tuple[tuple[str, str], ...] = ()
    table: int | None = None
    drops: bool = False

    def fits(self, key: Key, drops: bool) -> bool:
        """Whether a flow is meant, as far as its key and its being a drop say."""
        return (self.table is None or key[0] == self.table) and (not self.drops or drops)


def wanted(compiler: Any, question: Question) -> list[Wanted]:
    """On the desk: the entries that are meant."""
    if question.objects is None:
        assert question.switch is not None
        return [Wanted(key, entry, (question.switch,), {}) for key, entry in compiler.desired(question.switch).items()
                if question.fits(key, _drops(entry))]
    found = [(entry, here) for entry, here in _of(compiler, question.objects)]
    for register, value, there in list(_led_to(found)) if question.shared else ():
        found += [(entry, here & there) for entry, here in _of(compiler, question.shared)
                  if not isinstance(entry.key[0], str) and decode.read_match(entry.key[2]).get(register, (None,))[0] == value]
    return [Wanted(entry.key, entry, tuple(sorted(here)), _merged(compiler, entry.key, here))
            for entry, everywhere in found if question.fits(entry.key, _drops(entry))
            if (here := everywhere if question.switch is None else {question.switch} & everywhere)]


def _of(compiler: Any, objects: Iterable[tuple[str, str]]) -> Iterator[tuple[Any, frozenset[str]]]:
    """The entries of some objects, and the switches that should hold each."""
    for kind, id in objects:
        for unit in compiler.units_of(kind, id):
            entries, spread = compiler.units[unit]
            yield from ((entry, spread.switches()) for entry in entries.values())


def _led_to(found: Iterable[tuple[Any, frozenset[str]]]) -> Iterator[tuple[str, int, frozenset[str]]]:
    """(register, value, switches): what these entries say of whose flows, shared by several, are to be asked."""
    said: dict[tuple[str, int], frozenset[str]] = {}
    for entry, here in found:
        for action in decode.read_body(entry.body).actions if not isinstance(entry.key[0], str) else ():
            if isinstance(action, decode.SetField) and action.field.name == GROUPS:
                asked = action.field.name, action.value
                said[asked] = said.get(asked, frozenset()) | here
    yield from ((register, value, there) for (register, value), there in said.items())


def _drops(entry: Any) -> bool:
    return bool(entry.why is not None and entry.why.reason)


def _merged(compiler: Any, key: Key, switches: Iterable[str]) -> dict[str, Any]:
    if not isinstance(compiler.claims.get(key), Several):
        return {}
    return {switch: compiler.holder(switch, key) for switch in switches}


class Reader:
    """Asks switches for their counters; what was asked a moment ago is not asked again."""

    def __init__(self, counters: Callable[[str], Future] | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._counters, self._clock = counters, clock
        self._kept: dict[str, tuple[float, Future]] = {}

    def read(self, switches: Iterable[str]) -> dict[str, Counters]:
        """What these switches hold, as far as they answer in time; at most MOST_READ of them are asked."""
        if self._counters is None:
            return {}
        asked = {switch: self._ask(switch) for switch in list(switches)[:MOST_READ]}
        ends = self._clock() + PATIENCE
        found: dict[str, Counters] = {}
        for switch, answer in asked.items():
            try:
                found[switch] = answer.result(max(0.0, ends - self._clock()))
            except (Late, LookupError):
                self._kept.pop(switch, None)
        return found

    def _ask(self, switch: str) -> Future:
        assert self._counters is not None
        at, answer = self._kept.get(switch, (0.0, None))
        now = self._clock()
        if answer is None or now - at > FRESH:
            answer = self._counters(switch)
            self._kept = {one: kept for one, kept in list(self._kept.items()) if now - kept[0] <= FRESH}
            self._kept[switch] = now, answer
        return answer


class Teller:
    """Says flows to one asker."""

    def __init__(self, known: Known, pipeline: Pipeline, rules: Mapping[str, Any], hosts: Callable[[str], str]) -> None:
        self.known, self.pipeline, self.rules, self._host = known, pipeline, rules, hosts
        self._admin = known.context.is_admin

    def all(self, found: Iterable[Wanted], held: Mapping[str, Counters]) -> list[dict[str, Any]]:
        """The wanted entries in the order in which a packet meets them, each with what the switches say of it."""
        said = [self._said(one, held) for one in sorted(found, key=lambda one: (_place(one.key), one.switches))]
        return said if self._admin else [{name: one[name] for name in _FOR_TENANTS} for one in said]

    def aliens(self, switch: str, desired: Mapping[Key, Any], held: Counters, question: Question) -> Iterator[dict[str, Any]]:
        """What a switch holds that nobody asked for; administrators only."""
        for key in sorted(held.keys() - desired.keys(), key=_place):
            one = held[key]
            if question.fits(key, not one.body):
                place = {"switch": switch, "host": self._host(switch), "state": "alien", **_counted(one)}
                yield {**self._flow(key, one.cookie, one.body), "owner": None, "rule": None, "drop": None,
                       "places": [place], **_counted(one)}

    def _said(self, one: Wanted, held: Mapping[str, Counters]) -> dict[str, Any]:
        why = one.entry.why
        rule = self.rules.get(why.rule) if why is not None else None
        owner = self.known.said(rule.per, why.resource) if rule is not None else None
        places = [self._at(switch, one, held.get(switch)) for switch in one.switches]
        return {**self._flow(one.key, one.entry.cookie, one.entry.body), "owner": owner, "owned_by": called(owner),
                "rule": why.rule if why is not None else None, "drop": (why.reason or None) if why is not None else None,
                "places": places, **_total(places)}

    def _flow(self, key: Key, cookie: int, body: bytes) -> dict[str, Any]:
        flow = not isinstance(key[0], str)
        if not self._admin:
            cookie &= ~0xFFFFFF                      # the checksum of a body would tell what is hidden in it
        text = whole(key, cookie, body, self.pipeline) if self._admin else \
            shortened(key, body, self.pipeline, self.known.keyed)
        return {"text": text, "table": self.pipeline.table_name(key[0]) if flow else key[0],
                "priority": key[1] if flow else None, "cookie": f"{cookie:#018x}" if flow else None,
                "names": self.names(key, body)}

    def names(self, key: Key, body: bytes) -> dict[str, str]:
        """Whose keys the numbers in a flow are."""
        found = {f"{name}={value:#x}": self.known.keyed(name, value) for name, value in names_in(key, body, self.pipeline)}
        return {text: called(said) for text, said in found.items() if said is not None}

    def _at(self, switch: str, one: Wanted, held: Counters | None) -> dict[str, Any]:
        should = one.merged.get(switch) or one.entry
        state, counted = None, None
        if held is not None and not isinstance(one.key[0], str):
            counted = held.get(one.key)
            same = counted is not None and (counted.cookie, counted.body) == (should.cookie, should.body)
            state = "held" if same else "missing" if counted is None else "altered"
        return {"switch": switch, "host": self._host(switch), "state": state, **_counted(counted)}


_FOR_TENANTS = ("text", "table", "priority", "cookie", "names", "owner", "owned_by", "rule", "drop", "packets", "bytes")


def _counted(held: Held | None) -> dict[str, int | None]:
    if held is None:
        return {"packets": None, "bytes": None, "seconds": None}
    return {"packets": held.packets, "bytes": held.octets, "seconds": held.seconds}


def _total(places: list[dict[str, Any]]) -> dict[str, int | None]:
    counted = [place for place in places if place["packets"] is not None]
    return {name: sum(place[name] for place in counted) if counted else None for name in ("packets", "bytes")}


def _place(key: Key) -> tuple:
    if isinstance(key[0], str):
        return 256, key[1], 0 if key[0] == "group" else 1, b""
    return key[0], -key[1], 0, key[2]


def table_number(pipeline: Pipeline, text: str) -> int:
    """A table's number from its number or its name; Refused (400) if there is none."""
    for table in pipeline:
        if text in (table.name, str(table.number)):
            return table.number
    raise bad_request(f"table: {text} is none; there are {', '.join(table.name for table in pipeline)}")
