"""`hadron pipeline`: a packet's path, taken from the flows that the rules make of a small example cloud.

Which table leads where, what it reads and sets, who writes into it and what it drops are read back from encoded
flows; only the tables' names and questions are declared. So the drawing cannot say what the flows do not.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.example import documents
from apps.pipeline import PIPELINE
from controller.app import RULES, TALLIES
from controller.compile import Compiler
from controller.model import Model
from controller.openflow import decode
from controller.openflow.flow import Flow
from controller.openflow.pipeline import Pipeline, Table
from controller.types import freeze
from rest.inspect_rules import rule_said

_BACK, _CONTROLLER = 0xFFFFFFF8, 0xFFFFFFFD
_ENDS = {_BACK: "back out of the port it came from", _CONTROLLER: "to the controller"}
_OUT = "out of a port"
_WIDE = {f"xxreg{wide}": [f"reg{4 * wide + part}" for part in range(4)] for wide in range(4)}


def drawn(resources: Mapping[str, Any]) -> dict[str, Any]:
    """The pipeline as the apps that are loaded make it."""
    return described(PIPELINE, compiled(resources, RULES, TALLIES, documents()))


def compiled(resources: Mapping[str, Any], rules: Iterable[Any], tallies: Iterable[Any],
             documents: Iterable[tuple[str, Mapping[str, Any]]]) -> Compiler:
    """The rules applied to an example."""
    model = Model(resources)
    changes = [model.put(kind, model.make(kind, freeze(document))) for kind, document in documents]
    compiler = Compiler(model, rules, tallies)
    compiler.update(changes, tell=False)
    return compiler


def described(pipeline: Pipeline, compiler: Compiler) -> dict[str, Any]:
    """The pipeline as plain data: tables in packet order, registers, and rules of which the example shows nothing."""
    steps = {table.number: _Step(table, pipeline) for table in pipeline}
    shown = set()
    for (rule, _), (entries, _) in compiler.units.items():
        for entry in entries.values():
            if isinstance(entry, Flow):
                shown.add(rule.name)
                steps[entry.table.number].take(rule, entry)
    silent = [rule_said(rule) for rules in compiler.rules_of.values() for rule in rules if rule.name not in shown]
    return {"tables": [step.said() for step in steps.values()],
            "registers": [{"field": str(one), "name": one.name or str(one), "purpose": one.purpose}
                          for one in sorted(pipeline.registers.values(), key=lambda one: int(one[3:]))],
            "silent": sorted(silent, key=lambda one: one["rule"])}


class _Step:
    """One table and what its flows do."""

    def __init__(self, table: Table, pipeline: Pipeline) -> None:
        self.table, self.pipeline = table, pipeline
        self.rules: dict[str, dict[str, Any]] = {}
        self.drops: dict[tuple[str, str], None] = {}
        self.reads: set[str] = set()
        self.sets: set[str] = set()
        self.to: set[int] = set()
        self._levels = sorted((priority, name) for name, priority in table.levels.items())

    def take(self, rule: Any, flow: Flow) -> None:
        """Take a flow of this table in."""
        said = self.rules.setdefault(rule.name, {**rule_said(rule), "levels": {}, "ends": set()})
        said["levels"][self._level(flow.priority)] = flow.priority
        self.reads.update(self._registers(decode.read_match(flow.match)))
        if flow.why is not None and flow.why.reason:
            self.drops[flow.why.reason, rule.name] = None
        found = decode.read_body(flow.body)
        if found.goto is not None:
            self.to.add(found.goto)
        for action in found.actions:
            self._act(action, said)

    def _level(self, priority: int) -> str:
        """The level of a priority: of that name, or the one it is above (a prefix's length above "route")."""
        return next((name for at, name in reversed(self._levels) if at <= priority), "rest")

    def _act(self, action: decode.Action, said: dict[str, Any]) -> None:
        match action:
            case decode.Output(port, _):
                said["ends"].add(_ENDS.get(port, _OUT))
            case decode.Tell():
                said["ends"].add(_ENDS[_CONTROLLER])
            case decode.SetField(field, _, _):
                self.sets.update(self._registers((field.name,)))
            case decode.Move(_, _, target, _, _):
                self.sets.update(self._registers((target.name,)))
            case decode.Track():
                self.reads.update(self._registers((action.zone_field.name,) if action.zone_field else ()))
                self.to.update(() if action.table is None else (action.table,))
            case decode.Clone(then):
                for each in then:
                    self._act(each, said)
            case decode.Resubmit(table):
                self.to.add(table)

    def _registers(self, fields: Iterable[str]) -> list[str]:
        known = self.pipeline.registers
        parts = [part for name in fields for part in _WIDE.get(name, (name,))]
        return [known[name].name or name for name in parts if name in known]

    def said(self) -> dict[str, Any]:
        """The table as plain data."""
        rules = [{**rule, "levels": sorted(rule["levels"], key=lambda name: -rule["levels"][name]),
                  "ends": sorted(rule["ends"])} for rule in self.rules.values()]
        return {"number": self.table.number, "name": self.table.name, "purpose": self.table.purpose,
                "levels": dict(self.table.levels), "reads": sorted(self.reads), "sets": sorted(self.sets),
                "rules": sorted(rules, key=lambda one: one["rule"]),
                "drops": [{"reason": reason, "rule": rule} for reason, rule in sorted(self.drops)],
                "ends": sorted(({"end": end, "rule": rule["rule"]} for rule in rules for end in rule["ends"]),
                               key=lambda one: (one["end"], one["rule"])),
                "to": [self.pipeline.table_name(number) for number in sorted(self.to) if number > self.table.number],
                "back": [self.pipeline.table_name(number) for number in sorted(self.to) if number <= self.table.number]}
