"""The journal: what flows have told of that people want to read, such as what security groups have refused.

    desk ── note(document, at) ─► queue ─► a thread: packets alike within a minute are one entry ─► store/entries.py
    REST ── entries(projects, ports)

A thread of its own, which starts when something is noted: the desk does not wait for a disk. What comes faster than can be
written is left out and counted; how many packets there were is the statistics' to say.
"""
from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from controller.store import StoreError
from controller.store.entries import Entries
from controller.times import utc

log = logging.getLogger("hadron.journal")

ALIKE = 60.0                # seconds within which packets alike are one entry
PAUSE = 0.2                 # seconds between two commits
WAITING = 10_000            # notes that wait to be written, at most
REMEMBERED = 20_000         # entries that others may be like
_SAME = ("port_id", "event", "direction", "reason", "protocol", "source_ip", "destination_ip", "destination_port", "icmp_type",
         "icmp_code")


class Written(NamedTuple):
    """An entry that others may be like: its number, when it began, and what it says."""

    number: int
    began: float
    document: dict[str, Any]


class Journal:
    """For the desk: `note`; for any thread: `entries`."""

    def __init__(self, kept: Entries) -> None:
        self._kept, self.lost = kept, 0
        self._queue: queue.Queue[tuple[dict[str, Any], float] | None] = queue.Queue(WAITING)
        self._recent: dict[tuple, Written] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, document: dict[str, Any], at: float) -> None:
        """Write it down; it was seen at that moment, in seconds since 1970."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait((document, at))
        except queue.Full:
            self.lost += 1

    def entries(self, projects: Collection[str] | None = None, ports: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
        """What was written down of some projects and ports, or of all; the oldest first."""
        return ({"id": f"{number:016d}", **document} for number, document in self._kept.find(projects, ports))

    def close(self) -> None:
        """Write what waits, and stop."""
        self._closing.set()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=10)
        self._kept.close()

    # ---- the thread's
    def _run(self) -> None:
        while (piece := self._queue.get()) is not None:
            pieces = [piece]
            while not self._queue.empty() and (more := self._queue.get()) is not None:
                pieces.append(more)
            self._write(pieces)
            if self._closing.wait(PAUSE) and self._queue.empty():
                return

    def _write(self, pieces: list[tuple[dict[str, Any], float]]) -> None:
        fresh: dict[tuple, Written] = {}
        changed: dict[tuple, Written] = {}
        for document, at in pieces:
            key = _likeness(document)
            before = fresh.get(key) or changed.get(key) or self._recent.get(key)
            if before is None or at - before.began > ALIKE:
                fresh[key] = Written(0, at, {**document, "created_at": utc(at), "updated_at": utc(at), "times": 1})
                changed.pop(key, None)
            else:
                more = before._replace(document={**document, "created_at": before.document["created_at"],
                                                 "updated_at": utc(at), "times": before.document["times"] + 1})
                (fresh if key in fresh else changed)[key] = more
        try:
            numbers = self._kept.save(pieces[-1][1], [one.document for one in fresh.values()],
                                      {one.number: one.document for one in changed.values()})
        except StoreError as error:
            log.error("what was noted is not kept: %s", error)
            return
        if len(self._recent) > REMEMBERED:
            self._recent.clear()
        self._recent.update(changed)
        self._recent.update((key, one._replace(number=number)) for (key, one), number in zip(fresh.items(), numbers, strict=True))


def _likeness(document: dict[str, Any]) -> tuple:
    """What packets have in common that are one entry: refused ones may come from any port, allowed ones begin a connection each."""
    return (*(document[name] for name in _SAME), document["source_port"] if document["event"] == "ACCEPT" else None)
