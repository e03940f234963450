"""`hadron audit`: are the switches as they should be, and is what they should be what the model means?

The switches are read now; what others added, took or altered is repaired by the desk as always, and told here.
`recompute` compiles the model once more from nothing, beside the running compiler, and compares.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controller.compile import Compiler
from controller.model import Model
from controller.openflow.pipeline import Pipeline
from rest.inspect_objects import Known, called
from rest.inspect_text import whole

PATIENCE = 20.0
"""Seconds to wait until all switches have been read, and again until the repairs are confirmed."""
MOST = 100
"""Lines of each kind that are told."""


def audited(control: Any, call: Callable[..., Any], switch: str | None, say: Say) -> dict[str, Any]:
    """Read one switch or all, wait for the repairs, and tell what was found. Blocks; not for the desk's own thread."""
    before = call(_begin, control, switch)
    read = control.confirmations.wait_read(before, PATIENCE)
    confirmed = control.confirmations.wait_realized(PATIENCE) if read else False
    answer = call(_found, control, before, switch, say)
    fine = read and confirmed and not any(answer[name] for name in ("conflicts", "broken", "refused")) and all(
        one["state"] == "read" and not (one["alien"] or one["missing"] or one["altered"]) for one in answer["switches"])
    return {**answer, "fine": fine}


def _begin(control: Any, switch: str | None) -> dict[str, Any]:
    chosen = [id for id, standing in control.standing.items() if standing.in_step and switch in (None, id)]
    before = {id: control.standing[id].audit for id in chosen}
    if chosen:
        control.audit(chosen)
    return before


class Say:
    """Names for what an audit finds."""

    def __init__(self, known: Known, pipeline: Pipeline, hosts: Callable[[str], str]) -> None:
        self.known, self.pipeline, self.host = known, pipeline, hosts

    def flow(self, key: tuple, cookie: int, body: bytes) -> str:
        """An entry as text, even if a stranger wrote it."""
        return whole(key, cookie, body, self.pipeline)

    def unit(self, unit: tuple) -> dict[str, Any]:
        """A rule and its object."""
        rule, args = unit
        said = self.known.said(rule.per, args[0])
        return {"rule": rule.name, "object": said, "called": called(said)}


def _found(control: Any, before: Mapping[str, Any], switch: str | None, say: Say) -> dict[str, Any]:
    """On the desk: what the readings and the compiler say."""
    ids = sorted(set(control.model.rows["switch"]) | set(control.standing)) if switch is None else [switch]
    compiler = control.compiler
    conflicts = [{"switch": at, "host": say.host(at), "text": say.flow(key, 0, compiler.units[units[0]][0][key].body),
                  "units": [say.unit(unit) for unit in units]}
                 for (at, key, units), _ in zip(compiler.conflicts(), range(MOST), strict=False)]
    broken = [{"question": getattr(question, "name", str(question)), "of": list(map(str, args)), "error": text}
              for (question, args), text in list(compiler.world.broken.items())[:MOST]]
    return {"switches": [_switch(control, id, before, say) for id in ids], "conflicts": conflicts, "broken": broken,
            "refused": refused(control, say), "alarms": list(control.alarms), "recompute": None}


def _switch(control: Any, id: str, before: Mapping[str, Any], say: Say) -> dict[str, Any]:
    standing = control.standing.get(id)
    said: dict[str, Any] = {"switch": id, "host": say.host(id), "alien": 0, "missing": 0, "altered": 0, "held": None,
                            "repaired": None, "examples": []}
    if standing is None:
        return {**said, "state": "away"}
    if id not in control.model.rows["switch"]:
        return {**said, "state": "unknown"}
    if id not in before or standing.audit is before[id] or not standing.audit:
        return {**said, "state": "not read"}
    counts = {name: standing.audit[name] for name in ("held", "alien", "missing", "altered")}
    wrong = counts["alien"] + counts["missing"] + counts["altered"]
    return {**said, **counts, "state": "read", "repaired": standing.confirmed >= standing.sent if wrong else None,
            "examples": [_example(control.compiler, id, say, *one) for one in standing.audit["examples"]]}


def _example(compiler: Any, switch: str, say: Say, what: str, key: tuple, cookie: int, body: bytes) -> dict[str, Any]:
    should = compiler.holder(switch, key)
    units = compiler.why(switch, key)
    shown = say.flow(key, cookie, body) if what != "missing" else say.flow(key, should.cookie, should.body) if should else ""
    return {"what": what, "text": shown, "should": say.flow(key, should.cookie, should.body) if should else None,
            **(say.unit(units[0]) if units else {"rule": None, "object": None, "called": ""})}


def refused(control: Any, say: Say) -> list[dict[str, Any]]:
    """On the desk: entries that switches do not take, in their words."""
    found = []
    for (switch, key), text in list(control.refusals.entries.items())[:MOST]:
        entry, units = control.compiler.holder(switch, key), control.compiler.why(switch, key)
        found.append({"switch": switch, "host": say.host(switch), "said": text,
                      "text": say.flow(key, entry.cookie, entry.body) if entry else None,
                      **(say.unit(units[0]) if units else {"rule": None, "object": None, "called": ""})})
    return found


# ---- recompute

def recomputed(compiler: Compiler, call: Callable[..., Any], say: Say) -> dict[str, Any]:
    """Compile everything from nothing and compare unit by unit. Takes as long as a start; the desk goes on meanwhile."""
    rows, units = call(_snapshot, compiler)
    model = Model(compiler.model.resources)
    changes = [model.put(kind, row) for kind, held in rows.items() for row in held]
    fresh = Compiler(model, [rule for rules in compiler.rules_of.values() for rule in rules],
                     [tally for tallies in compiler.tallies_of.values() for tally in tallies])
    fresh.update(changes, tell=False)
    differ = [unit for unit in units.keys() | fresh.units.keys() if _means(units.get(unit)) != _means(fresh.units.get(unit))]
    return {"units": len(fresh.units), "differ": len(differ), "differences": [
        {**say.unit(unit), **_difference(_means(units.get(unit)), _means(fresh.units.get(unit)), say)}
        for unit in sorted(differ, key=lambda unit: (unit[0].name, unit[1]))[:MOST]]}


def _snapshot(compiler: Compiler) -> tuple[dict[str, list], dict]:
    return {kind: list(rows.values()) for kind, rows in compiler.model.rows.items()}, dict(compiler.units)


def _means(held: tuple | None) -> tuple[dict, frozenset]:
    """What a unit comes to: entries and switches; nothing if it has either not."""
    if held is None or not held[0]:
        return {}, frozenset()
    switches = held[1].switches()
    return (held[0], switches) if switches else ({}, frozenset())


def _difference(running: tuple[dict, frozenset], fresh: tuple[dict, frozenset], say: Say) -> dict[str, Any]:
    def texts(one: tuple[dict, frozenset], other: tuple[dict, frozenset]) -> list[str]:
        return [say.flow(key, entry.cookie, entry.body) for key, entry in one[0].items() if other[0].get(key) != entry][:5]

    return {"only_running": texts(running, fresh), "only_fresh": texts(fresh, running),
            "switches_running": len(running[1]), "switches_fresh": len(fresh[1])}
