"""From the model to flows: the rules applied to every object, kept up as rows change.

    rule × object  =  unit        its flows (kept once, however many switches hold them) and where they belong
    unit wants a flow under a key =  claim      nearly always one; of several, `holder` says which stands

Read `controller/world.py` first: it says how a changed row finds the rules that read it.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from controller.claims import Several, Unit
from controller.derived import differing
from controller.openflow.flow import Flow, merge
from controller.spread import NOWHERE, Spread, alone, spread
from controller.world import World

__all__ = ["NOWHERE", "Compiler", "Delta", "Spread", "alone", "differences", "spread"]

Key = tuple


NO_ENTRIES: Mapping[Key, Any] = {}
NOTHING: tuple[Mapping[Key, Any], Spread] = NO_ENTRIES, NOWHERE


class Lingering(NamedTuple):
    """Entries (switch, key) that are no more, but may stay for a while, as nothing leads to them; and whether those that
    stayed before must go now: what they were made of has changed, and something might lead to them again."""
    keys: set[tuple[str, Key]]
    ends: bool


class Delta(NamedTuple):
    """What an update means: per switch the keys with the entry now wanted (None: gone), and per object its switches.

    `news`: what objects say unasked, wish for or are furnished with, and now do differently. `late`: keys of entries of staged rules that
    are no more, somewhere.
    """
    changes: dict[str, dict[Key, Any]]
    concerned: dict[tuple[str, str], set[str]]
    news: dict[Unit, None]
    late: set[Key]
    lingering: Lingering


class Compiler:
    """Keeps, for each rule and object, its flows and the switches they belong on."""

    def __init__(self, model: Any, rules: Iterable[Any], tallies: Iterable[Any] = (), *, strict: bool = False) -> None:
        self.model, self.world = model, World(model, strict=strict)
        self.rules_of: defaultdict[str, list] = defaultdict(list)
        self.tallies_of: defaultdict[str, list] = defaultdict(list)
        self._wheres_of: defaultdict[str, dict[Any, dict[Any, None]]] = defaultdict(dict)   # by which rows they concern
        self._rules_at: defaultdict[Any, list] = defaultdict(list)     # question where -> the rules that ask it
        self._choosy: defaultdict[str, list] = defaultdict(list)       # rules for some objects of a kind only
        self._ends_lingering: set[str] = set()
        for rule in rules:
            self.rules_of[rule.per].append(rule)
            if rule.lingers is not None:
                self._ends_lingering.update(rule.lingers.made_of)
            if rule.only is not None:
                self._choosy[rule.per].append(rule)
            self._wheres_of[rule.per].setdefault(rule.where.concerns, {})[rule.where] = None
            self._rules_at[rule.where].append(rule)
        for tally in tallies:
            self.tallies_of[tally.per].append(tally)
        self.units: dict[Unit, tuple[Mapping[Key, Any], Spread]] = {}
        self.claims: dict[Key, Unit | Several] = {}
        self.spread: dict[Unit, Spread] = {}               # rules with one unit per switch: where they are now
        self._under: defaultdict[frozenset, dict[Unit, tuple[Mapping[Key, Any], Spread]]] = defaultdict(dict)
        self._sets_of: defaultdict[str, dict[frozenset, None]] = defaultdict(dict)
        self.punts: dict[int, Unit] = {}                   # cookie -> the unit whose flow sends packets to us
        self.counted: dict[str, int] = {}                  # how many entries a switch should hold, once `desired` was asked

    # ---- keeping up
    def update(self, changes: Iterable[Any], tell: bool = True) -> Delta:
        """Take in changed rows (model.Change); says what each switch must change."""
        moved: dict[tuple, None] = {}            # questions where with a new answer, or of objects that came or went
        altered: dict[Unit, None] = {}
        news: dict[Unit, None] = {}
        facts: dict[Any, None] = {}
        for kind, id, before, _, touched in changes:
            if touched:
                facts.update(dict.fromkeys(touched))
            self._appear_or_go(kind, id, before is None, moved, facts)
        answered = {"where": moved, "flows": altered, "said": news, "kept": news, "furnished": news, "told": news}
        for asked in self.world.refresh(facts):
            if asked[0].role in answered:
                answered[asked[0].role][asked] = None
        if not tell:
            self.counted.clear()
        ends = any(touched and kind in self._ends_lingering for kind, *_, touched in changes)
        delta = Delta(defaultdict(dict), defaultdict(set), news, set(), Lingering(set(), ends))
        for asked in moved:
            self._move(asked, delta if tell else None)
        for unit in altered:
            if unit in self.units and (unit[0].where, unit[1]) not in moved:
                self._settle(unit, self.units[unit][1], delta if tell else None)
        return delta

    def _appear_or_go(self, kind: str, id: str, new: bool, moved: dict, facts: dict) -> None:
        """Of what is new nothing has been asked yet."""
        row, args = self.model.rows[kind].get(id), (id,)
        for tally in self.tallies_of.get(kind, ()):
            change = self.world.count if row is not None and tally.concerns(row) else self.world.drop
            if changed := change(tally, id):
                facts.update(dict.fromkeys(changed))
        for concerns, wheres in self._wheres_of[kind].items():
            wanted = row is not None and bool(concerns(row))
            for where in wheres if wanted or not new else ():
                if self.world.has_asked(where, id) != wanted:
                    moved[where, args] = None
        if row is None or new:
            return
        for rule in self._choosy.get(kind, ()):
            if bool(rule.only(row)) != ((rule, args) in self.units):
                moved[rule.where, args] = None

    def _move(self, asked: tuple, delta: Delta | None) -> None:
        """An object belongs elsewhere, or has come or gone: so do the flows of all rules that ask this question."""
        where, args = asked
        row = self.model.rows[where.per].get(args[0])
        place = NOWHERE
        if row is not None and where.concerns(row):
            place = self.world.answer(asked)
        else:
            self.world.forget(asked)
        for rule in self._rules_at[where]:
            if rule.each:
                self._place_each(rule, args[0], place, delta)
            elif place.sets and (rule.only is None or rule.only(row)):
                self._settle((rule, args), place, delta)
            elif (rule, args) in self.units:
                self._settle((rule, args), NOWHERE, delta)

    def _place_each(self, rule: Any, id: str, place: Spread, delta: Delta | None) -> None:
        """A rule with flows of its own on every switch: one unit for each switch of the object."""
        was = self.spread.pop((rule, (id,)), NOWHERE).switches()
        now = place.switches()
        if now:
            self.spread[rule, (id,)] = place
        for switch in sorted(was - now):
            self._settle((rule, (id, switch)), NOWHERE, delta)
        for switch in sorted(now - was):
            self._settle((rule, (id, switch)), alone(switch), delta)

    def _settle(self, unit: Unit, now: Spread, delta: Delta | None) -> None:
        """The unit belongs there now: keep the claims, and tell the switches.

        What belongs nowhere is not asked for its flows: most ports are made long before they are plugged in.
        """
        rule, args = unit
        old, was = self.units.pop(unit, NOTHING)
        new: Mapping[Key, Any] = {}
        if now.sets:
            new = self.world.answer(unit)
            self.units[unit] = new, now
        else:
            self.world.forget(unit)
        self._register(unit, was, now)
        if was.sets != now.sets and old:
            self._move_claims(unit, old.keys() & new.keys())
        if not old:
            changed: Iterable[Key] = new
        elif not new:
            changed = old
        else:
            changed = _changed(old, new)
        claims = self.claims
        for key in changed:
            if key not in new:
                self._unclaim(key, unit)
            elif claims.setdefault(key, unit) is not unit:
                self._claim(key, unit)
        if rule.answers:
            self._remember_punts(unit, old, new)
        if delta is not None:
            self._tell(unit, old, was, new, now, list(changed), delta)

    def _register(self, unit: Unit, was: Spread, now: Spread) -> None:
        """Keep the two indexes: set of switches -> units, switch -> sets of switches."""
        if was.sets != now.sets:
            for switches in was.sets:
                under = self._under.get(switches)
                if under is not None and under.pop(unit, None) is not None and not under:
                    del self._under[switches]
                    for switch in switches:
                        self._sets_of[switch].pop(switches, None)
        for switches in now.sets:
            if switches not in self._under:
                for switch in switches:
                    self._sets_of[switch][switches] = None
            self._under[switches][unit] = self.units[unit]

    def _tell(self, unit: Unit, old: Mapping, was: Spread, new: Mapping, now: Spread, changed: list, delta: Delta) -> None:
        """Note, per switch, the keys on which this unit has something new to say."""
        rule, args = unit
        before, after = was.switches(), now.switches()
        if rule.staged:
            delta.late.update(old if before - after else [key for key in changed if key not in new])
        if rule.lingers is not None:
            delta.lingering.keys.update((switch, key) for switch in before for key in rule.lingers.which(
                self.world, args[0], switch, old if switch not in after else [key for key in changed if key not in new]))
        concerned: set[str] = set()
        for keys, switches, had, has in ((changed, before & after, old, new), (new, after - before, NO_ENTRIES, new),
                                         (old, before - after, old, NO_ENTRIES)):
            if not keys or not switches:
                continue
            concerned |= switches
            sole = {key: has.get(key) for key in keys if self.claims.get(key, unit) == unit}
            shared = {key: (key in has) - (key in had) for key in keys if key not in sole}
            more = sum([(key in has) - (key in had) for key in sole])
            for switch in switches:
                told = delta.changes[switch]
                told.update(sole)
                for key in shared:
                    told[key] = self.holder(switch, key)
                if switch in self.counted:
                    self.counted[switch] += more + sum([one for key, one in shared.items()
                                                        if one and not self._others_want(switch, key, unit)])
        if concerned:
            delta.concerned[rule.per, args[0]] |= concerned

    def _others_want(self, switch: str, key: Key, unit: Unit) -> bool:
        return any(other != unit for other in self.claimants(switch, key))

    def _remember_punts(self, unit: Unit, old: Mapping, new: Mapping) -> None:
        """Meters and groups have no cookie, so no packet comes from them."""
        for entry in old.values():
            if self.punts.get(entry.cookie) == unit:
                del self.punts[entry.cookie]
        self.punts.update({entry.cookie: unit for entry in new.values() if isinstance(entry, Flow)})

    # ---- claims
    def _claim(self, key: Key, unit: Unit) -> None:
        held = self.claims.get(key)
        if held is None:
            self.claims[key] = unit
        elif isinstance(held, Several):
            held.add(unit, self.units[unit][1].only)
        elif held != unit:
            several = self.claims[key] = Several()
            for each in (held, unit):
                several.add(each, self.units[each][1].only)

    def _move_claims(self, unit: Unit, keys: Iterable[Key]) -> None:
        """A unit belongs elsewhere: so do the claims that it keeps."""
        for key in keys:
            if isinstance(held := self.claims.get(key), Several):
                held.add(unit, self.units[unit][1].only)

    def _unclaim(self, key: Key, unit: Unit) -> None:
        held = self.claims.get(key)
        if isinstance(held, Several):
            held.discard(unit)
            if (left := held.only()) is not None:
                self.claims[key] = left
        elif held == unit:
            del self.claims[key]

    def claimants(self, switch: str, key: Key) -> list[Unit]:
        """The units that want a flow under this key on this switch, the one that holds it first."""
        held = self.claims.get(key)
        if held is None:
            return []
        known = self.units
        some = held.at(switch) if isinstance(held, Several) else (held,)
        here = [unit for unit in some if unit in known and switch in known[unit][1]]
        return here if len(here) < 2 else sorted(here, key=_rank)

    def holder(self, switch: str, key: Key) -> Any:
        """The entry a switch should hold under a key.

        Clauses of conjunctions under one key are the union of all claims (an address may be a member of groups
        of several tenants); otherwise the first unit by name holds, and `conflicts` reports the others.
        """
        held = self.claims.get(key)
        if held is None:
            return None
        known = self.units
        if not isinstance(held, Several):
            entries, place = known[held]
            return entries[key] if switch in place else None
        here = [(unit, entries[key]) for unit in held.at(switch) for entries, place in (known[unit],) if switch in place]
        if len(here) < 2:
            return here[0][1] if here else None
        found = [entry for _, entry in here]
        if all(isinstance(entry, Flow) and entry.conjunctions for entry in found):
            return merge(found)
        return min(here, key=lambda one: _rank(one[0]))[1]

    def conflicts(self) -> Iterator[tuple[str, Key, list[Unit]]]:
        """Keys for which two units want different things on one switch: there should be none."""
        for key, held in self.claims.items():
            if not isinstance(held, Several):
                continue
            for switch in {switch for unit in held if unit in self.units for switch in self.units[unit][1].switches()}:
                here = self.claimants(switch, key)
                entries = [self.units[unit][0][key] for unit in here]
                if len({entry.body for entry in entries}) > 1 and not all(entry.conjunctions for entry in entries):
                    yield switch, key, here

    # ---- across restarts
    def keep(self) -> tuple:
        """All that is known, of the rows that the model has now; see controller/remembered.py."""
        return self.world.keep(), self.units, self.claims, self.spread, dict(self._under), dict(self._sets_of), self.punts

    def take_back(self, kept: tuple) -> None:
        """What `keep` gave: as if the rows of then had been taken in. Nothing has been yet."""
        answers, self.units, self.claims, self.spread, under, sets_of, self.punts = kept
        self.world.take_back(answers)
        self._under, self._sets_of = defaultdict(dict, under), defaultdict(dict, sets_of)

    # ---- what a switch should hold
    def desired(self, switch: str) -> dict[Key, Any]:
        """All that a switch should hold: {key: entry}."""
        wanted: dict[Key, Any] = {}
        contested: set[Key] = set()
        for switches in self._sets_of.get(switch, ()):
            for entries, place in self._under[switches].values():
                if switch not in place.but:
                    more = len(wanted) + len(entries)
                    wanted.update(entries)
                    if len(wanted) < more:                 # some are said by another unit, too
                        contested.update(entries)
        for key in contested:
            wanted[key] = self.holder(switch, key)
        self.counted[switch] = len(wanted)
        return wanted

    def switches(self) -> set[str]:
        """Every switch that should hold something."""
        return {switch for switch, sets in self._sets_of.items() if sets}

    def units_of(self, kind: str, id: str) -> Iterator[Unit]:
        """The units of one object."""
        for rule in self.rules_of.get(kind, ()):
            if rule.each:
                yield from ((rule, (id, switch)) for switch in sorted(self.spread.get((rule, (id,)), NOWHERE).switches()))
            elif (rule, (id,)) in self.units:
                yield rule, (id,)

    def why(self, switch: str, key: Key) -> list[Unit]:
        """The units (rule, object) behind a flow, the holder first."""
        return self.claimants(switch, key)


def _changed(old: Mapping[Key, Any], new: Mapping[Key, Any]) -> list[Key]:
    """The keys of entries that are others now, or are no more."""
    if (keys := differing(new, old)) is not None:
        return [key for key in keys if old.get(key) != new.get(key)]
    changed = [key for key, entry in new.items() if (had := old.get(key)) is not entry and had != entry]
    if len(old) + sum([key not in old for key in changed]) > len(new):
        changed += [key for key in old if key not in new]
    return changed


def _rank(unit: Unit) -> tuple:
    rule, args = unit
    return rule.name, args


def differences(wanted: Mapping[Key, Any], other: Mapping[Key, Any]) -> dict[Key, tuple]:
    """Where two sets of flows differ; for tests and for `hadron audit --recompute`."""
    return {key: (wanted.get(key), other.get(key)) for key in wanted.keys() | other.keys()
            if wanted.get(key) != other.get(key)}
