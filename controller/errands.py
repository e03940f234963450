"""Errands: what others outside are asked, away from the desk; who does not answer holds up nobody but whoever asks.

    desk: run("metadata", request, whose, done) ─► its threads ─► the answer, or None ─► Told ─► desk: done(answer)

Each kind has threads and a queue of its own, and an object may have only so many of a kind at a time: what is beyond
that has no answer at once.
"""
from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from controller.later import Told, Whose

log = logging.getLogger("hadron.errands")

Done = Callable[[Any], None]


class Workers:
    """So many threads that do one kind of work: `work(what)` gives an answer, or None. They start when they are needed."""

    def __init__(self, name: str, work: Callable[[Any], Any], *, threads: int = 8, waiting: int = 64, each: int = 4) -> None:
        self.name, self.work, self.each = name, work, each
        self._most = threads
        self._queue: queue.Queue[tuple[Any, Whose, Done] | None] = queue.Queue(waiting)
        self._threads: list[threading.Thread] = []
        self._of: Counter = Counter()                       # whose errands are on their way
        self._lock = threading.Lock()
        self._closed = False

    def take(self, what: Any, whose: Whose, done: Done) -> bool:
        """Have it done; `done` is called by a thread of ours. False: there is no room for it."""
        with self._lock:
            if self._closed or self._of[whose] >= self.each or self._queue.full():
                return False
            self._of[whose] += 1
            self._queue.put_nowait((what, whose, done))
            if len(self._threads) < self._most:
                thread = threading.Thread(target=self._run, name=f"{self.name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return True

    def _run(self) -> None:
        while (order := self._queue.get()) is not None:
            what, whose, done = order
            try:
                answer = self.work(what)
            except Exception:
                log.exception("%s: an errand failed", self.name)
                answer = None
            with self._lock:
                self._of[whose] -= 1
                if not self._of[whose]:
                    del self._of[whose]
            done(answer)

    def close(self) -> None:
        """What waits is not done any more."""
        with self._lock:
            self._closed = True
            while not self._queue.empty():
                self._queue.get_nowait()
            for _ in self._threads:
                self._queue.put_nowait(None) if not self._queue.full() else None


class Errands:
    """`post` tells the desk of something; `kinds` are those who can be asked, by name."""

    def __init__(self, post: Callable[[Any], None], kinds: Mapping[str, Any]) -> None:
        self._post, self._kinds = post, kinds

    def run(self, of: str, what: Any, whose: Whose, done: Done) -> None:
        """Ask; `done` is called on the desk, later with an answer or None, or at once with None: there is no room."""
        kind = self._kinds.get(of)
        if kind is None or not kind.take(what, whose, lambda answer: self._post(Told(done, answer))):
            done(None)

    def close(self) -> None:
        for kind in self._kinds.values():
            kind.close()
