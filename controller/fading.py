"""Facts that hold only as long as they are heard again (`@fades` in controller/app.py).

    heard ─► its age is 0         a second, and every switch that it is about is there ─► it is a second older
    too old, or a port that it is about goes down ─► it is removed

While a switch is not connected nothing can be heard of it, which says little about its wires: those seconds are counted
apart, and anew each time.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

AWAY = 60               # seconds for which a switch may be away, at least, before what is about it goes
Place = tuple[str, int]
FactId = tuple[str, str]


class Fading:
    """`kinds`: what fades, as declared. `learn(puts, removes)` changes rows."""

    def __init__(self, model: Any, learn: Callable[..., Any], kinds: Mapping[str, Any]) -> None:
        self.model, self.learn, self.kinds = model, learn, dict(kinds)
        self._of = {fades.of[0]: (kind, fades.of[1]) for kind, fades in kinds.items() if fades.of}
        self.ages: dict[FactId, int] = {}                       # seconds since it was heard of
        self._away: dict[FactId, int] = {}                      # seconds that it could not be
        self._at: defaultdict[Place, set[FactId]] = defaultdict(set)
        self._places: dict[FactId, tuple[Place, ...]] = {}

    def load(self) -> None:
        """Rows remembered from before: they have their time to be heard again."""
        for kind in self.kinds:
            for row in self.model.find(kind, "all", True):
                self._follow((kind, row.id), row)

    def heard(self, kind: str, id: str) -> None:
        """It has been heard of just now; its row is there, perhaps a new one."""
        row = self.model.get(kind, id) if kind in self.kinds else None
        if row is not None:
            self._follow((kind, id), row)

    def changed(self, changes: Iterable[Any]) -> None:
        """Rows came or went, whoever did it."""
        for change in changes:
            if change.after is None and change.kind in self.kinds:
                self._forget((change.kind, change.id))
            if change.after is None and (belonging := self._of.get(change.kind)):
                kind, attribute = belonging
                self._remove([(kind, row.id) for row in self.model.find(kind, attribute, change.id)])

    def lost(self, place: Place) -> None:
        """A port is down or gone: what was heard through it is void."""
        if found := self._at.get(place):
            self._remove(sorted(found))

    def age(self, kind: str, id: str) -> int | None:
        """Seconds since it was heard of; None if nothing is known of it."""
        return self.ages.get((kind, id))

    def tick(self, there: Container[str], stretch: float = 1.0) -> None:
        """A second has passed; `there` are the switches that are connected. What is asked for so many times as seldom as it
        should be holds for so many times as long.
        """
        old = []
        for fact, places in self._places.items():
            limit = self.kinds[fact[0]].seconds
            if limit is None:
                continue
            if all(switch in there for switch, _ in places):
                self.ages[fact] += 1
                self._away.pop(fact, None)
            else:
                self._away[fact] = self._away.get(fact, 0) + 1
            if self.ages[fact] > limit * stretch or self._away.get(fact, 0) > max(limit, AWAY):
                old.append(fact)
        if old:
            self._remove(old)

    def _follow(self, fact: FactId, row: Any) -> None:
        places = self.kinds[fact[0]].places(row)
        if self._places.get(fact) != places:
            self._forget(fact)
            self._places[fact] = places
            for place in places:
                self._at[place].add(fact)
        self.ages[fact] = 0
        self._away.pop(fact, None)

    def _forget(self, fact: FactId) -> None:
        for place in self._places.pop(fact, ()):
            self._at[place].discard(fact)
            if not self._at[place]:
                del self._at[place]
        self.ages.pop(fact, None)
        self._away.pop(fact, None)

    def _remove(self, facts: Iterable[FactId]) -> None:
        if not (facts := list(facts)):
            return
        for fact in facts:
            self._forget(fact)
        self.learn([], facts)
