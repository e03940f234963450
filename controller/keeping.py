"""Documents that follow from facts (`@keeps` in controller/app.py): made, changed and deleted as what was seen changes.

They are ordinary documents, with numbers from the store and the checks of the write path; only who wishes for them is
not a tenant but a rule. One that is refused is an alarm, and tried again when its wish changes.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from controller.errors import Refused
from controller.policy import SYSTEM

Unit = tuple


class Keeping:
    """`rules` say what is wished for; `alarm(what, **details)` tells of what is refused. For the desk thread."""

    def __init__(self, model: Any, world: Any, writer: Any, rules: Iterable[Any], alarm: Callable[..., None]) -> None:
        self.model, self.world, self.writer, self.alarm = model, world, writer, alarm
        self._rules: defaultdict[str, list] = defaultdict(list)
        for rule in rules:
            self._rules[rule.per].append(rule)
        self._waiting: dict[Unit, None] = {}

    def take(self, changes: Iterable[Any], news: Iterable[Unit]) -> None:
        """Rows changed, and what these units wish for, as the compiler took and gave them."""
        self._waiting.update(dict.fromkeys(unit for unit in news if unit[0].role == "kept"))
        for kind, id, *_ in changes:
            self._waiting.update(dict.fromkeys((rule, (id,)) for rule in self._rules.get(kind, ())))

    def work(self) -> None:
        """Bring the documents to what is wished for. What is not wished for any more goes first: it may be in the way."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        wishes = [(rule, id, self._wish(rule, id)) for rule, (id,) in waiting]
        with self.writer.group():
            for rule, id, wish in sorted(wishes, key=lambda one: (one[2] is not None, one[0].name, one[1])):
                try:
                    self._bring(rule, id, wish)
                except Refused as refused:
                    self.alarm("unkept", object=f"{rule.per} {id}", rule=rule.name, because=str(refused))

    def _wish(self, rule: Any, id: str) -> Any:
        if self.model.get(rule.per, id) is not None:
            return self.world.ask(rule, id)
        self.world.forget((rule, (id,)))
        return None

    def _bring(self, rule: Any, id: str, wish: dict[str, Any] | None) -> None:
        there = rule.found(self.model, id)
        if wish is None:
            if there is not None:
                self.writer.delete(SYSTEM, rule.kind, there.id)
        elif there is None:
            self.writer.create(SYSTEM, rule.kind, [wish])
        else:
            resource = self.writer.resources[rule.kind]
            changed = {name: value for name, value in wish.items()
                       if resource.attributes[name].settable == "always"
                       and self.model.value(rule.kind, resource.attributes[name], there) != value}
            if changed:
                self.writer.update(SYSTEM, rule.kind, there.id, changed)
