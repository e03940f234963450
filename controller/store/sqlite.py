"""The default store: one SQLite file, safe against crashes and power cuts.

Write-ahead log with `synchronous=FULL`: a commit has reached the disk when it returns. The file belongs to one process,
so that two controllers cannot write it in turn. Bodies are msgpack.
"""
from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack

from controller.store import Compacted, Conflict, Document, Key, Logged, StoreError, Write
from controller.types import Record

APPLICATION = 0x48414452          # "HADR": whose file it is
KEPT = 10_000                     # revisions that the log keeps
_TRIM = 1_000                     # how often it is trimmed, in revisions
# What the disk, and not the file's content, is to blame for.
_DISK = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}

Migration = Callable[[sqlite3.Connection], None]


def _version_1(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE documents (kind TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, "
               "body BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID")
    db.execute("CREATE TABLE log (revision INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL, "
               "id TEXT NOT NULL, body BLOB, PRIMARY KEY (revision, position)) WITHOUT ROWID")
    db.execute("CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
    db.execute("INSERT INTO state VALUES ('revision', 0), ('log_from', 0)")


def _version_2(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE log ADD COLUMN was BLOB")
    db.execute("ALTER TABLE log ADD COLUMN new INTEGER NOT NULL DEFAULT 0")


# Each step makes the next schema version of the one before; a new file takes them all. Never change one: add another.
MIGRATIONS: tuple[Migration, ...] = (_version_1, _version_2)


class SqliteStore:
    """Documents and the log of their changes in one file. Raises StoreError if the file cannot be used."""

    def __init__(self, path: str | Path, *, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._closed = False
        self._db = self._open()
        try:
            self._migrate(migrations)
            self.revision: int = self._state("revision")
        except BaseException as wrong:
            self._db.close()
            if isinstance(wrong, sqlite3.DatabaseError):
                raise self._trouble(wrong) from None
            raise

    def _open(self) -> sqlite3.Connection:
        db = None
        try:
            self._check_file()
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=0)
            # The lock is taken by the first read after the mode is set, and kept until the file is closed.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("BEGIN IMMEDIATE")
            db.execute("COMMIT")
            trouble = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if trouble != "ok":
                raise sqlite3.DatabaseError(trouble)
        except (sqlite3.Error, OSError) as wrong:
            if db is not None:
                db.close()
            raise self._trouble(wrong) from None
        return db

    def _check_file(self) -> None:
        """SQLite takes a very short file for an empty one, and writes over it."""
        if self.path.exists():
            with self.path.open("rb") as file:
                if file.read(16) not in (b"", b"SQLite format 3\0"):
                    raise sqlite3.DatabaseError("no SQLite file")

    def _trouble(self, wrong: sqlite3.Error | OSError) -> StoreError:
        text = str(wrong)
        if isinstance(wrong, OSError):
            return StoreError(f"{self.path}: cannot be read: {wrong.strerror}")
        if "locked" in text:
            return StoreError(f"{self.path}: in use by another process; stop it, or give this one a store of its own")
        if getattr(wrong, "sqlite_errorcode", 0) & 0xff in _DISK:
            return StoreError(f"{self.path}: cannot be opened ({text}); is the directory there, may this user write in it, "
                              "and does the disk take anything?")
        return StoreError(f"{self.path}: is damaged or not a Hadron store ({text}); restore it from a copy, or move it "
                          "away to start empty")

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        version = self._pragma("user_version")
        owner = self._pragma("application_id")
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if owner != APPLICATION and (owner or tables):
            raise StoreError(f"{self.path}: is the file of another program; choose another path")
        if version > len(migrations):
            raise StoreError(f"{self.path}: was written by a newer Hadron (schema {version}, this one knows "
                             f"{len(migrations)}); run that version")
        for number, step in enumerate(migrations[version:], version + 1):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                step(self._db)
                self._db.execute(f"PRAGMA user_version={number}")
                self._db.execute(f"PRAGMA application_id={APPLICATION}")
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def _pragma(self, name: str) -> int:
        return self._db.execute(f"PRAGMA {name}").fetchone()[0]

    def _state(self, name: str) -> int:
        return self._db.execute("SELECT value FROM state WHERE name=?", (name,)).fetchone()[0]

    def load(self) -> tuple[int, Iterable[Document]]:
        with self._lock:
            try:
                rows = self._db.execute("SELECT kind, id, revision, body FROM documents").fetchall()
            except sqlite3.DatabaseError as wrong:
                raise self._trouble(wrong) from None
            return self.revision, [Document(kind, id, revision, self._unpack(kind, id, body))
                                   for kind, id, revision, body in rows]

    def _unpack(self, kind: str, id: str, body: bytes) -> Any:
        try:
            return msgpack.unpackb(body, object_hook=Record, use_list=False)
        except Exception as wrong:
            raise StoreError(f"{self.path}: {kind} {id} cannot be read ({wrong}); restore the file from a copy") \
                from None

    def commit(self, writes: Sequence[Write], expecting: Mapping[Key, int] = {}) -> int:
        packed = [(kind, id, None if body is None else msgpack.packb(body)) for kind, id, body in writes]
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed")
            revision = self.revision + 1
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._check(expecting)
                self._write(revision, packed, expecting)
                self._db.execute("COMMIT")
            except BaseException as wrong:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(wrong, sqlite3.Error):
                    raise StoreError(f"{self.path}: cannot write: {wrong}") from wrong
                raise
            self.revision = revision
            self._changed.notify_all()
            return revision

    def _check(self, expecting: Mapping[Key, int]) -> None:
        for key, wanted in expecting.items():
            row = self._db.execute("SELECT revision FROM documents WHERE kind=? AND id=?", key).fetchone()
            actual = row[0] if row else 0
            if actual != wanted:
                raise Conflict(key, wanted, actual)

    def _write(self, revision: int, packed: list[tuple[str, str, bytes | None]], expecting: Mapping[Key, int]) -> None:
        was = {(kind, id): row[0] for kind, id, body in packed if body is None
               for row in self._db.execute("SELECT body FROM documents WHERE kind=? AND id=?", (kind, id))}
        self._db.executemany("DELETE FROM documents WHERE kind=? AND id=?",
                             [(kind, id) for kind, id, body in packed if body is None])
        self._db.executemany("INSERT OR REPLACE INTO documents VALUES (?,?,?,?)",
                             [(kind, id, revision, body) for kind, id, body in packed if body is not None])
        self._db.executemany("INSERT INTO log VALUES (?,?,?,?,?,?,?)", [
            (revision, position, kind, id, body, was.get((kind, id)), body is not None and expecting.get((kind, id)) == 0)
            for position, (kind, id, body) in enumerate(packed)])
        self._db.execute("UPDATE state SET value=? WHERE name='revision'", (revision,))
        if revision % _TRIM == 0 and revision > KEPT:
            self._db.execute("DELETE FROM log WHERE revision<=?", (revision - KEPT,))
            self._db.execute("UPDATE state SET value=? WHERE name='log_from'", (revision - KEPT,))

    def watch(self, since: int | None) -> Iterator[Logged]:
        while True:
            with self._changed:
                if since is None:
                    since = self._state("log_from")
                self._wait(since)
                if self._closed:
                    return
                if since < self._state("log_from"):
                    raise Compacted(f"{self.path}: the log begins after revision {self._state('log_from')}")
                rows = self._db.execute("SELECT revision, kind, id, body, was, new FROM log WHERE revision>? "
                                        "ORDER BY revision, position", (since,)).fetchall()
                since = self.revision
            for revision, kind, id, body, was, new in rows:
                body, was = (None if raw is None else self._unpack(kind, id, raw) for raw in (body, was))
                yield Logged(revision, kind, id, body, was, bool(new))

    def _wait(self, since: int) -> None:
        self._changed.wait_for(lambda: self._closed or self.revision > since)

    def close(self) -> None:
        with self._changed:
            if not self._closed:
                self._closed = True
                self._changed.notify_all()
                self._db.close()
