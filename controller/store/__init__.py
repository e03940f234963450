"""Where documents live: three methods behind which SQLite, memory or etcd may stand.

A document is a JSON-like value under (kind, id). Every commit is atomic, has a revision greater than the last, and is
on disk when `commit` returns.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Key = tuple[str, str]


class Document(NamedTuple):
    """A document as it is stored; `revision` is that of the commit which wrote it."""

    kind: str
    id: str
    revision: int
    body: Any


class Write(NamedTuple):
    """One document to write, or to delete if `body` is None."""

    kind: str
    id: str
    body: Any


class Tiding(NamedTuple):
    """How something of an object does now, and did before; a document of the kind TIDING says what was told last."""

    kind: str
    id: str
    name: str
    now: Any
    before: Any
    project: str | None
    private: bool                       # for administrators only


TIDING = "tiding"


class Logged(NamedTuple):
    """One write of a past commit. `was` is the document that it deleted; `new` says that there was none before."""

    revision: int
    kind: str
    id: str
    body: Any
    was: Any = None
    new: bool = False


class Conflict(Exception):
    """A document is not at the revision that the commit relied on: read again, decide again."""

    def __init__(self, key: Key, expected: int, actual: int) -> None:
        super().__init__(f"{key[0]} {key[1]} is at revision {actual}, not {expected}")
        self.key, self.expected, self.actual = key, expected, actual


class StoreError(Exception):
    """The store cannot be used; says why and what to do."""


class Compacted(StoreError):
    """`watch` was asked for revisions that the log no longer has: load again."""


class Store(Protocol):
    """What Hadron needs of a database. Used by one thread at a time, but for `watch`."""

    def load(self) -> tuple[int, Iterable[Document]]:
        """The revision and every document."""

    def commit(self, writes: Sequence[Write], expecting: Mapping[Key, int] = {}) -> int:
        """Write all or nothing, and return the new revision once it will survive a crash.

        `expecting` names the revision at which documents must be (0: they must not exist); else Conflict.
        """

    def watch(self, since: int | None) -> Iterator[Logged]:
        """Every write after revision `since` (None: all that the log has), then each new one as it comes, until the store is closed."""

    def close(self) -> None:
        """Let go of the files; watchers end."""
