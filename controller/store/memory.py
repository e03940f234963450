"""A store in memory, for tests and for trying things out. Forgets all when the process ends."""
from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from controller.store import Compacted, Conflict, Document, Key, Logged, StoreError, Write

KEPT = 10_000          # writes that the log keeps


class MemoryStore:
    """Documents in a dict, changes in a list."""

    def __init__(self) -> None:
        self.revision = 0
        self._documents: dict[Key, tuple[int, Any]] = {}
        self._log: list[Logged] = []
        self._from = 0                                   # revision before the first that the log has
        self._changed = threading.Condition()
        self._closed = False

    def load(self) -> tuple[int, Iterable[Document]]:
        return self.revision, [Document(kind, id, revision, body)
                               for (kind, id), (revision, body) in self._documents.items()]

    def commit(self, writes: Sequence[Write], expecting: Mapping[Key, int] = {}) -> int:
        with self._changed:
            if self._closed:
                raise StoreError("the store is closed")
            for key, wanted in expecting.items():
                actual = self._documents.get(key, (0, None))[0]
                if actual != wanted:
                    raise Conflict(key, wanted, actual)
            self.revision += 1
            for kind, id, body in writes:
                was = self._documents.pop((kind, id), (0, None))[1]
                if body is not None:
                    self._documents[kind, id] = self.revision, body
                gone = was if body is None else None
                self._log.append(Logged(self.revision, kind, id, body, gone, body is not None and expecting.get((kind, id)) == 0))
            self._forget()
            self._changed.notify_all()
            return self.revision

    def _forget(self) -> None:
        if len(self._log) > 2 * KEPT:
            self._from = self._log[-KEPT - 1].revision
            self._log = [one for one in self._log if one.revision > self._from]

    def watch(self, since: int | None) -> Iterator[Logged]:
        while True:
            with self._changed:
                if since is None:
                    since = self._from
                if since < self._from:
                    raise Compacted(f"the log begins after revision {self._from}")
                self._wait(since)
                news = [one for one in self._log if one.revision > since]
                since = self.revision
                if self._closed and not news:
                    return
            yield from news

    def _wait(self, since: int) -> None:
        self._changed.wait_for(lambda: self._closed or self.revision > since)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
