"""What was written down for people to read, the newest of each port and project, in a file beside the store."""
from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from controller.store import StoreError
from controller.store.files import opened

APPLICATION = 0x4841454E                        # "HAEN"
OF_PORT, OF_PROJECT, OF_ALL = 500, 5000, 50_000     # entries that are kept; that are read at once
KEPT = 30 * 86400                               # seconds
_SCHEMA = """
CREATE TABLE entries (number INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, port TEXT NOT NULL, at INTEGER NOT NULL,
    document TEXT NOT NULL);
CREATE INDEX entries_project ON entries (project, number);
CREATE INDEX entries_port ON entries (port, number);
CREATE INDEX entries_at ON entries (at);
"""
Document = Mapping[str, Any]


class Entries:
    """One file, or with "" memory. Any thread may ask; one writes. Raises StoreError if the file cannot be used."""

    def __init__(self, path: str | Path = "") -> None:
        self._path, self._lock = str(path) or ":memory:", threading.RLock()
        try:
            self._db = opened(self._path, APPLICATION, _SCHEMA, synchronous="NORMAL")
        except sqlite3.Error as wrong:
            raise StoreError(f"{self._path}: cannot hold entries: {wrong}; move it away to begin anew") from None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def save(self, now: float, new: Iterable[Document], changed: Mapping[int, Document]) -> list[int]:
        """Add some, and change others by their numbers: all or nothing. The numbers of the new ones; of what is too much or
        too old, the oldest go."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                numbers = [self._add(now, document) for document in new]
                self._db.executemany("UPDATE entries SET at=?, document=? WHERE number=?",
                                     [(int(now), json.dumps(document), number) for number, document in changed.items()])
                self._forget(now, list(new))
                self._db.execute("COMMIT")
            except sqlite3.Error as wrong:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise StoreError(f"{self._path}: cannot write: {wrong}") from wrong
        return numbers

    def _add(self, now: float, document: Document) -> int:
        done = self._db.execute("INSERT INTO entries (project, port, at, document) VALUES (?,?,?,?)",
                                (document["project_id"], document["port_id"], int(now), json.dumps(document)))
        return int(done.lastrowid or 0)

    def _forget(self, now: float, new: Collection[Document]) -> None:
        self._db.execute("DELETE FROM entries WHERE at<?", (int(now) - KEPT,))
        for column, name, most in (("port", "port_id", OF_PORT), ("project", "project_id", OF_PROJECT)):
            self._db.executemany(
                f"DELETE FROM entries WHERE {column}=?1 AND number<=("
                f"SELECT number FROM entries WHERE {column}=?1 ORDER BY number DESC LIMIT 1 OFFSET {most})",
                [(whose,) for whose in {document[name] for document in new}])

    def find(self, projects: Collection[str] | None, ports: Collection[str] | None) -> list[tuple[int, dict[str, Any]]]:
        """(number, document) of the newest, the oldest first; None for those of all projects, or of all ports."""
        asked = [(column, list(values)) for column, values in (("project", projects), ("port", ports)) if values is not None]
        where = " AND ".join(f"{column} IN ({','.join('?' * len(values))})" for column, values in asked) or "1"
        with self._lock:
            found = self._db.execute(f"SELECT number, document FROM entries WHERE {where} ORDER BY number DESC LIMIT {OF_ALL}",
                                     [value for _, values in asked for value in values]).fetchall()
        return [(number, json.loads(document)) for number, document in reversed(found)]
