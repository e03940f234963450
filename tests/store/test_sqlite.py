"""What SQLite adds: files that outlive the process, and files that are not what they should be."""
from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from controller.store import Compacted, StoreError, Write
from controller.store import sqlite as module
from controller.store.sqlite import MIGRATIONS, SqliteStore

ROOT = Path(__file__).resolve().parents[2]


def test_a_second_process_is_told_that_the_file_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "hadron.db"
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="in use by another process"):
        SqliteStore(path)
    store.close()
    SqliteStore(path).close()


def test_a_file_of_a_newer_hadron_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hadron.db"
    SqliteStore(path, migrations=(*MIGRATIONS, lambda db: None)).close()
    with pytest.raises(StoreError, match="newer Hadron .schema 3, this one knows 2"):
        SqliteStore(path)


def test_an_older_file_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "hadron.db"
    store = SqliteStore(path)
    store.commit([Write("port", "p1", {"a": 1})])
    store.close()

    def add_column(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE state ADD COLUMN note TEXT")

    store = SqliteStore(path, migrations=(*MIGRATIONS, add_column))
    assert [(one.kind, one.id, one.body) for one in store.load()[1]] == [("port", "p1", {"a": 1})]
    assert store.commit([Write("port", "p2", {})]) == 2
    store.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "hadron.db"
    SqliteStore(path).close()

    def breaks(db: sqlite3.Connection) -> None:
        db.execute("DROP TABLE log")
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        SqliteStore(path, migrations=(*MIGRATIONS, breaks))
    store = SqliteStore(path)
    assert store.commit([Write("port", "p1", {})]) == 1
    store.close()


@pytest.mark.parametrize("content", [b"this is no database at all, but it is long enough to look like one" * 20, b"x"])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hadron.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="hadron.db: is damaged or not a Hadron store"):
        SqliteStore(path)


def test_a_damaged_page_is_found_when_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "hadron.db"
    store = SqliteStore(path)
    store.commit([Write("port", f"p{number}", {"text": "x" * 500}) for number in range(200)])
    store.close()
    whole = bytearray(path.read_bytes())
    whole[5 * 4096:9 * 4096] = bytes(4 * 4096)
    path.write_bytes(whole)
    with pytest.raises(StoreError, match="is damaged"):
        SqliteStore(path).load()


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE books (title TEXT)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="file of another program"):
        SqliteStore(path)


def test_a_document_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hadron.db"
    store = SqliteStore(path)
    store.commit([Write("port", "p1", {})])
    store.close()
    other = sqlite3.connect(path)
    other.execute("UPDATE documents SET body = x'c1'")
    other.commit()
    other.close()
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="port p1 cannot be read"):
        store.load()
    store.close()


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore(tmp_path / "nowhere" / "hadron.db")


def test_the_log_forgets_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 10)
    monkeypatch.setattr(module, "_TRIM", 5)
    store = SqliteStore(tmp_path / "hadron.db")
    for number in range(20):
        store.commit([Write("port", "p1", {"n": number})])
    watch = store.watch(10)
    assert next(watch).body == {"n": 10}
    with pytest.raises(Compacted):
        next(store.watch(3))
    store.close()


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "hadron.db")
    asked = {name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert asked == {"journal_mode": "wal", "synchronous": 2}
    store.close()


WRITER = """
import sys
from controller.store import Write
from controller.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
number = store.revision
while True:
    number += 1
    store.commit([Write("port", f"{number}/{part}", {"n": number, "text": "x" * 300}) for part in range(3)])
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_being_killed(tmp_path: Path) -> None:
    path = tmp_path / "hadron.db"
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        acknowledged = process.stdout.read().split()
        process.wait()
        store = SqliteStore(path)
        found = {one.id for one in store.load()[1]}
        last = int(acknowledged[-1]) if acknowledged else 0
        assert all(f"{number}/{part}" in found for number in range(1, last + 1) for part in range(3))
        assert len(found) % 3 == 0, "half a commit"
        store.close()
