"""Statistics: the flows that count are read again and again, and what has come is put into the ledger.

    desk ── told(switch, flows) ────────────────┐ for whom each counts
    switches ── FlowsCounted, FlowRemoved, … ───┴─► queue ─► folding ─► ledger, one commit for what is on the queue
    REST, apps ── sums, history

A thread of its own: the desk does not wait for a disk on account of statistics.
"""
from __future__ import annotations

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from controller.folding import Base, Delta, Folding, Place
from controller.openflow.counters import FIRST_FLOW, METERS, meter_key
from controller.openflow.flow import Flow, FlowKey
from controller.store import StoreError
from controller.store.ledger import HOUR, Ledger, Series
from controller.switch import events

log = logging.getLogger("hadron.stats")

AT_ONCE = 100               # pieces of news in one commit


class Statistics:
    """What flows count, for whom. `whose` gives the project of an object (kind, id); `interval` is in seconds, 0 is never."""

    def __init__(self, ledger: Ledger, switches: Any, whose: Callable[[str, str], str], *, interval: float = 10.0,
                 now: Callable[[], float] = time.time) -> None:
        self.ledger, self.interval = ledger, interval
        self._switches, self._whose, self.now = switches, whose, now
        self.sums, self.history = ledger.sums, ledger.history
        self._owners: defaultdict[str, dict[tuple[FlowKey, int], Series]] = defaultdict(dict)
        self._wanted: defaultdict[str, dict[FlowKey, int]] = defaultdict(dict)
        self._next: dict[str, float] = {}
        self._forgotten = 0.0
        self._folding = Folding(self._series_of, ((place, Base(*base)) for place, base in ledger.bases()), ledger.ages())
        self._news: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="statistics", daemon=True)
        self.handlers: dict[type, Callable[[Any], None]] = dict.fromkeys(
            (events.FlowsCounted, events.FlowRemoved, events.FlowsTakenOut), self._news.put)
        switches.counted_tables.add(FIRST_FLOW[0])

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Put what is on the queue into the ledger, and stop."""
        self._news.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self.ledger.close()

    # ---- the desk's
    def told(self, switch: str, entries: Mapping[Any, Any]) -> None:
        """A switch is told to hold these flows (None: no more): those that count do so for somebody."""
        owners, wanted = self._owners[switch], self._wanted[switch]
        for key, entry in [item for item in entries.items() if item[1].__class__ is not Flow or item[1].counts is not None]:
            if key[0] == "meter":
                self._told_of_meter(switch, meter_key(key[1]), entry)
            elif entry is None:
                wanted.pop(key, None)
            elif entry.__class__ is Flow and entry.counts is not None:
                of = entry.counts
                owners[key, entry.cookie >> 24] = Series(of.kind, of.id, of.what, of.about, of.within, self._whose(of.kind, of.id))
                wanted[key] = entry.cookie >> 24
                self._switches.counted_tables.add(key[0])

    def _told_of_meter(self, switch: str, key: FlowKey, meter: Any) -> None:
        """What one has dropped since it was read last, when it goes or is to count for somebody else, is lost."""
        owners, of = self._owners[switch], None if meter is None else meter.counts
        series = None if of is None else Series(of.kind, of.id, of.what, of.about, of.within, self._whose(of.kind, of.id))
        before = owners.pop((key, 0), None)
        if before not in (None, series):
            self._news.put(events.CountsEnded(switch, [(key, 0)]))
        if series is not None:
            owners[key, 0] = series
            self._switches.counted_tables.add(METERS)

    def gone(self, switch: str) -> None:
        """The connection of a switch has ended."""
        self._next.pop(switch, None)
        self._news.put(events.SwitchGone(switch, ""))

    def begin(self, switch: str, now: float) -> None:
        """A switch has come, and nothing of it has been changed: what it has counted until now tells whether it is anew."""
        if self.interval:
            self._next[switch] = now + self.interval
            self._switches.count(switch)

    def tick(self, now: float, standing: Iterable[str]) -> None:
        """Once a second: ask those whose turn it is."""
        for switch in standing if self.interval else ():
            if now >= self._next.get(switch, 0.0):
                self._next[switch] = now + self.interval
                self._switches.count(switch)

    # ---- the thread's
    def _run(self) -> None:
        while (piece := self._news.get()) is not None:
            pieces = [piece]
            while len(pieces) < AT_ONCE and not self._news.empty():
                pieces.append(self._news.get())
            ending = None in pieces
            self._work([one for one in pieces if one is not None])
            if ending:
                return

    def _work(self, pieces: list[Any]) -> None:
        now, deltas = self.now(), list[Delta]()
        for piece in pieces:
            deltas += self._folded(piece, now)
        try:
            self.ledger.save(now, deltas, self._folding.dirty,
                             {switch: self._folding.ages[switch] for switch in
                              {one.switch_id for one in pieces} & self._folding.ages.keys()})
            self._folding.saved()
            if now - self._forgotten > HOUR:
                self._forgotten = now
                self.ledger.forget(now)
        except StoreError as error:
            self._begin_anew(error)

    def _begin_anew(self, error: StoreError) -> None:
        """The ledger takes nothing: what the switches have counted since its last commit they will tell again."""
        log.error("statistics are not kept: %s", error)
        self._folding = Folding(self._series_of, ((place, Base(*base)) for place, base in self.ledger.bases()),
                                self.ledger.ages())

    def _folded(self, piece: Any, now: float) -> list[Delta]:
        if isinstance(piece, events.FlowsCounted):
            return self._folding.counted(piece.switch_id, piece.counts, now)
        if isinstance(piece, events.FlowsTakenOut):
            self._folding.taken_out(piece.switch_id, piece.places)
        elif isinstance(piece, events.FlowRemoved):
            found = self._folding.removed(piece.switch_id, piece.removed)
            key, whose = piece.removed.key, piece.removed.cookie >> 24
            if self._wanted[piece.switch_id].get(key) != whose:
                self._owners[piece.switch_id].pop((key, whose), None)
            return found
        elif isinstance(piece, events.CountsEnded):
            self._folding.ended(piece.switch_id, piece.places)
        else:
            self._folding.gone(piece.switch_id)
        return []

    def _series_of(self, place: Place) -> int | None:
        switch, key, whose = place
        owner = self._owners[switch].get((key, whose))
        return None if owner is None else self.ledger.number(owner)
