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
from typing import Any

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


class Written:
    """An entry that others may be like: when it began, what it says, and its number once it has one."""

    __slots__ = ("began", "document", "number")

    def __init__(self, began: float, document: dict[str, Any]) -> None:
        self.began, self.document, self.number = began, document, 0


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
        fresh, changed = list[Written](), dict[int, dict[str, Any]]()
        for document, at in pieces:
            one = self._recent.get(key := _likeness(document))
            if one is None or at - one.began > ALIKE:
                one = self._recent[key] = Written(at, {**document, "created_at": utc(at), "updated_at": utc(at), "times": 1})
                fresh.append(one)
                continue
            before = one.document
            one.document = {**document, "created_at": before["created_at"], "updated_at": utc(at), "times": before["times"] + 1}
            if one.number:
                changed[one.number] = one.document
        try:
            numbers = self._kept.save(pieces[-1][1], [one.document for one in fresh], changed)
        except StoreError as error:
            log.error("what was noted is not kept: %s", error)
            self._recent.clear()
            return
        for one, number in zip(fresh, numbers, strict=True):
            one.number = number
        if len(self._recent) > REMEMBERED:
            self._recent.clear()


def _likeness(document: dict[str, Any]) -> tuple:
    """What packets have in common that are one entry: refused ones may come from any port, allowed ones begin a connection each."""
    return (*(document[name] for name in _SAME), document["source_port"] if document["event"] == "ACCEPT" else None)
