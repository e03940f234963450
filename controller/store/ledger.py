"""The ledger: what was counted, for ever or by minutes and hours, in a file beside the store.

What has come since the last reading and that reading itself are in one commit: whoever starts again goes on from there, and
no byte is lost or counted twice. Nothing of it is in the model, or read at the start, but the last readings.
"""
from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from controller.store import StoreError
from controller.store.files import opened

APPLICATION = 0x4841444C                        # "HADL"
MINUTE, HOUR = 60, 3600
MINUTES_KEPT, HOURS_KEPT = 2 * 86400, 400 * 86400        # seconds
_SCHEMA = """
CREATE TABLE series (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, what TEXT NOT NULL, about TEXT NOT NULL,
    within TEXT NOT NULL, project TEXT NOT NULL, packets INTEGER NOT NULL DEFAULT 0, octets INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, id, what, about));
CREATE INDEX series_within ON series (within);
CREATE INDEX series_project ON series (project);
CREATE TABLE minutes (series INTEGER NOT NULL, at INTEGER NOT NULL, packets INTEGER NOT NULL, octets INTEGER NOT NULL,
    PRIMARY KEY (series, at)) WITHOUT ROWID;
CREATE INDEX minutes_at ON minutes (at);
CREATE TABLE hours (series INTEGER NOT NULL, at INTEGER NOT NULL, packets INTEGER NOT NULL, octets INTEGER NOT NULL,
    PRIMARY KEY (series, at)) WITHOUT ROWID;
CREATE INDEX hours_at ON hours (at);
CREATE TABLE bases (switch TEXT NOT NULL, flow_table INTEGER NOT NULL, priority INTEGER NOT NULL, fields BLOB NOT NULL,
    whose INTEGER NOT NULL, series INTEGER NOT NULL, packets INTEGER NOT NULL, octets INTEGER NOT NULL,
    PRIMARY KEY (switch, flow_table, priority, fields, whose)) WITHOUT ROWID;
CREATE TABLE ages (switch TEXT PRIMARY KEY, age REAL NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
"""


class Series(NamedTuple):
    """What is counted: `what` of an object, told apart by `about`; it adds to what is `within` another, and is a project's."""

    kind: str
    id: str
    what: str
    about: str = ""
    within: str = ""
    project: str = ""


class Sum(NamedTuple):
    """What was counted of a series: in all, or from a moment on (`at`, seconds since 1970)."""

    series: Series
    packets: int
    octets: int
    at: int = 0


class Ledger:
    """One file, or with "" memory. Any thread may ask; one writes. Raises StoreError if the file cannot be used."""

    def __init__(self, path: str | Path = "") -> None:
        self._path, self._lock = str(path) or ":memory:", threading.RLock()
        try:
            self._db = opened(self._path, APPLICATION, _SCHEMA, synchronous="FULL")
            self._numbers = {row[1:]: row[0] for row in
                             self._db.execute("SELECT number, kind, id, what, about FROM series")}
        except sqlite3.Error as wrong:
            raise StoreError(f"{self._path}: cannot hold statistics: {wrong}; move it away to begin anew") from None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    # ---- what was read last
    def bases(self) -> Iterator[tuple[tuple[Any, ...], tuple[int, int, int]]]:
        """((switch, key, whose), (series, packets, octets)) of each flow that counted."""
        for switch, table, priority, fields, whose, *base in self._all("SELECT * FROM bases"):
            yield (switch, (table, priority, fields), whose), (base[0], base[1], base[2])

    def ages(self) -> dict[str, tuple[float, float]]:
        """How long each switch's tables had been there, and when that was so."""
        return {switch: (age, at) for switch, age, at in self._all("SELECT * FROM ages")}

    # ---- writing
    def number(self, series: Series) -> int:
        """The number of a series; a new one if it was not known."""
        known = self._numbers.get(series[:4])
        if known is None:
            with self._lock:
                done = self._db.execute("INSERT INTO series (kind, id, what, about, within, project) VALUES (?,?,?,?,?,?)", series)
            known = self._numbers[series[:4]] = int(done.lastrowid or 0)
        return known

    def save(self, now: float, deltas: Iterable[tuple[int, int, int]], bases: Mapping[tuple[Any, ...], Any],
             ages: Mapping[str, tuple[float, float]] = {}) -> None:
        """Add what has come, with the readings that it was worked out from: all or nothing."""
        summed = _summed(deltas)
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._add(summed, int(now))
                self._db.executemany(
                    "DELETE FROM bases WHERE switch=? AND flow_table=? AND priority=? AND fields=? AND whose=?",
                    [(switch, *key, whose) for (switch, key, whose), base in bases.items() if base is None])
                self._db.executemany("INSERT OR REPLACE INTO bases VALUES (?,?,?,?,?,?,?,?)", [
                    (switch, *key, whose, *base) for (switch, key, whose), base in bases.items() if base is not None])
                self._db.executemany("INSERT OR REPLACE INTO ages VALUES (?,?,?)", [(switch, *one) for switch, one in ages.items()])
                self._db.execute("COMMIT")
            except sqlite3.Error as wrong:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise StoreError(f"{self._path}: cannot write: {wrong}") from wrong

    def _add(self, summed: list[tuple[int, int, int]], now: int) -> None:
        self._db.executemany("UPDATE series SET packets=packets+?, octets=octets+? WHERE number=?",
                             [(packets, octets, series) for series, packets, octets in summed])
        for table, length in (("minutes", MINUTE), ("hours", HOUR)):
            self._db.executemany(
                f"INSERT INTO {table} VALUES (?,?,?,?) ON CONFLICT (series, at) DO UPDATE SET "
                "packets=packets+excluded.packets, octets=octets+excluded.octets",
                [(series, now - now % length, packets, octets) for series, packets, octets in summed])

    def forget(self, now: float) -> None:
        """Let go of what is too old: minutes after two days, hours after 400; sums stay."""
        with self._lock:
            self._db.execute("DELETE FROM minutes WHERE at<?", (int(now) - MINUTES_KEPT,))
            self._db.execute("DELETE FROM hours WHERE at<?", (int(now) - HOURS_KEPT,))

    # ---- asking
    def sums(self, **of: str) -> list[Sum]:
        """What was counted in all of the series of which these are true: id, within, project, kind, about."""
        where, values = _where(of)
        return [Sum(Series(*row[:6]), row[6], row[7]) for row in self._all(
            f"SELECT kind, id, what, about, within, project, packets, octets FROM series{where} ORDER BY kind, id, about, what",
            values)]

    def history(self, since: int, until: int, step: int, **of: str) -> list[Sum]:
        """What was counted from `since` on and before `until`, by steps: `at` is when each begins. All are whole minutes;
        what is older than these are kept is found only by whole hours of the clock."""
        table = "minutes" if since % HOUR or until % HOUR or step % HOUR else "hours"
        where, values = _where(of)
        return [Sum(Series(*row[:6]), row[6], row[7], since + row[8] * step) for row in self._all(
            f"SELECT kind, id, what, about, within, project, SUM(t.packets), SUM(t.octets), (t.at-?)/? AS step "
            f"FROM series JOIN {table} t ON t.series=number{where or ' WHERE 1'} AND t.at>=? AND t.at<? "
            "GROUP BY number, step ORDER BY step, kind, id, about, what", (since, step, *values, since, until))]

    def _all(self, text: str, values: Iterable[Any] = ()) -> list[tuple]:
        with self._lock:
            return self._db.execute(text, tuple(values)).fetchall()


def _where(of: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The condition that names have these values."""
    return (" WHERE " + " AND ".join(f"{name}=?" for name in of), tuple(of.values())) if of else ("", ())


def _summed(deltas: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for series, packets, octets in deltas:
        before = found.get(series, (0, 0))
        found[series] = before[0] + packets, before[1] + octets
    return [(series, *both) for series, both in found.items()]
