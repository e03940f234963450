"""SQLite files beside the store: opened as ours, or made."""
from __future__ import annotations

import sqlite3


def opened(path: str, application: int, schema: str, *, synchronous: str) -> sqlite3.Connection:
    """The file, with its tables. sqlite3.Error if it is another program's or cannot be used."""
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA synchronous={synchronous}")
    owner = database.execute("PRAGMA application_id").fetchone()[0]
    if owner not in (0, application):
        raise sqlite3.DatabaseError("the file of another program")
    if not owner:
        database.executescript(f"BEGIN; {schema} PRAGMA application_id={application}; COMMIT;")
    return database
