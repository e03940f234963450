"""Tidings: how objects do, told in events when it changes: attributes that a model file marks (`told`), and what apps say
of objects beyond these (`@tells` in controller/app.py).

    rows change, switches confirm ─► who may do otherwise? ─► a beat later: asked ─► differs from what was told: written down

What was told last is in the store, in the commit whose place the event has: after a restart nothing is told twice, and
nothing is left out. Of what is on a switch that is away, or not yet in step, nothing new is known, and nothing is told
until it is in step again, or lost. What lasts for less than a beat may be left out.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from controller.resource import NOTHING
from controller.store import Tiding

AT_ONCE = 1000              # objects asked in one beat
Thing = tuple[str, str]     # kind, id


class Tidings:
    """`tellers` are what apps tell; `known(kind, id)` says whether it is known how an object does. For the desk thread."""

    def __init__(self, model: Any, world: Any, writer: Any, tellers: Iterable[Any], known: Callable[[str, str], bool]) -> None:
        self._model, self._world, self._facts, self._known = model, world, writer.facts, known
        resources = model.resources
        self._marked = {kind: marked for kind, one in resources.items()
                        if (marked := [each for each in one.attributes.values() if each.told is not NOTHING])}
        self._tellers: defaultdict[str, list[Any]] = defaultdict(list)
        for teller in tellers:
            self._tellers[teller.per].append(teller)
        self._users: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)      # kind -> (who names it, by which index)
        for kind in self._marked:
            for attribute in resources[kind].attributes.values():
                for index, other in attribute.references:
                    self._users[other].append((kind, index))
        self._waiting: dict[Thing, None] = {}

    def load(self) -> None:
        """After a start: what was under way when it ended, or has gone since."""
        told = {(kind, id) for kind, id, _ in self._facts.told}
        self.may_differ([*told, *((kind, id) for kind in self._tellers for id in self._model.rows[kind])])

    def take(self, changes: Iterable[Any], news: Iterable[Any]) -> None:
        """Rows changed, and what apps tell of these: `changes` and `news` as the compiler took and gave them."""
        for kind, id, _, after, _ in changes:
            if kind in self._marked or kind in self._tellers:
                self._waiting[kind, id] = None
                if after is None:
                    self._forget(kind, id)
        self.may_differ((unit[0].per, unit[1][0]) for unit in news if unit[0].role == "told")

    def may_differ(self, things: Iterable[Thing]) -> None:
        """These may do otherwise than before."""
        self._waiting.update(dict.fromkeys(thing for thing in things if thing[0] in self._marked or thing[0] in self._tellers))

    def work(self) -> None:
        """A beat: tell what differs, as far as it is known."""
        for _ in range(min(AT_ONCE, len(self._waiting))):
            kind, id = thing = next(iter(self._waiting))
            del self._waiting[thing]
            row = self._model.get(kind, id)
            if row is not None and self._known(kind, id):
                self._tell(kind, id, row)

    def _tell(self, kind: str, id: str, row: Any) -> None:
        owner = self._model.resources[kind].owner
        for name, now, first, private in self._now(kind, id, row):
            before = self._facts.told.get((kind, id, name), first)
            if now != before:
                self._facts.tell(Tiding(kind, id, name, now, before, getattr(row, owner) if owner else None, private))
                self.may_differ((other, user.id) for other, index in self._users.get(kind, ())
                                for user in self._model.find(other, index, id))

    def _now(self, kind: str, id: str, row: Any) -> Iterator[tuple[str, Any, Any, bool]]:
        """(what, how it is now, how it is at first, whether it is for administrators only)."""
        for attribute in self._marked.get(kind, ()):
            yield attribute.name, self._model.value(kind, attribute, row), attribute.told, attribute.visible != "everyone"
        for teller in self._tellers.get(kind, ()):
            yield teller.name, self._world.ask(teller, id), teller.first, teller.private

    def _forget(self, kind: str, id: str) -> None:
        names = [*(one.name for one in self._marked.get(kind, ())), *(one.name for one in self._tellers.get(kind, ()))]
        for name in names:
            self._facts.untell((kind, id, name))
        for teller in self._tellers.get(kind, ()):
            if self._world.has_asked(teller, id):
                self._world.forget((teller, (id,)))
