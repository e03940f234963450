"""The desk: the one thread that owns the model and the compiler.

HTTP threads and switch threads put work on its queue; a batch of work ends in one `compile.update`, and each
switch concerned gets its difference. There are no other locks: rows are immutable, so readers need none.

    HTTP threads ── call(writer.create, …) ──┐
    switch thread ── post(SwitchRead …) ─────┼─► queue ─► work, work, work ─► commit ─► answer the callers
    OVSDB thread ─── post(HostFacts …) ──────┘              └─► compile.update ─► switches.change(…)
"""
from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from controller.store import StoreError

log = logging.getLogger("hadron.desk")

BATCH = 512                 # pieces of work taken in before the switches hear of them

Answer = tuple[Future, Any, Exception | None]


class Desk:
    """Runs work one piece after another. A batch runs within `group()`; after it `after_batch` is called."""

    def __init__(self, *, on_event: Callable[[Any], None], after_batch: Callable[[], None],
                 group: Callable[[], AbstractContextManager] = nullcontext) -> None:
        self._queue: queue.SimpleQueue = queue.SimpleQueue()
        self._on_event, self._after_batch, self._group = on_event, after_batch, group
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self._closing = False
        self.worked = 0                    # pieces of work done
        self.busy = 0.0                    # seconds spent on them

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Finish what is on the queue and stop."""
        self._closing = True
        self._queue.put(None)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout=10)

    # ---- from any thread
    def call(self, work: Callable, *args: Any, **options: Any) -> Any:
        """Have the desk do something and wait for its result; raises what the work raises."""
        if threading.current_thread() is self._thread:
            return work(*args, **options)
        future: Future = Future()
        self._queue.put(_Call(work, args, options, future))
        return future.result()

    def post(self, event: Any) -> None:
        """Tell the desk of something; nobody waits."""
        self._queue.put(event)

    # ---- the thread
    def _run(self) -> None:
        while True:
            piece = self._queue.get()
            if piece is None and self._closing:
                return
            began = time.monotonic()
            self._batch(piece)
            self.busy += time.monotonic() - began

    def _batch(self, piece: Any) -> None:
        """Work until the queue is empty, commit it all at once, tell the switches, then answer the callers."""
        answers: list[Answer] = []
        try:
            with self._group():
                self._work_off(piece, answers)
        except Exception as error:               # the common commit failed: nothing of it was done
            if not isinstance(error, StoreError):                # which whoever is answered tells
                log.exception("a batch of %d calls could not be committed", len(answers))
            answers = [(future, None, failed or error) for future, _, failed in answers]
        try:
            self._after_batch()
        except Exception:
            log.exception("the batch's changes could not be sent")
        for future, result, failed in answers:
            if failed is None:
                future.set_result(result)
            else:
                future.set_exception(failed)

    def _work_off(self, piece: Any, answers: list[Answer]) -> None:
        for _ in range(BATCH):
            if piece is None and self._closing:
                self._queue.put(None)
                return
            if piece is not None:
                self._work(piece, answers)
            if self._queue.empty():
                return
            piece = self._queue.get()
        self._queue.put(piece)

    def _work(self, piece: Any, answers: list[Answer]) -> None:
        self.worked += 1
        if type(piece) is not _Call:
            try:
                self._on_event(piece)
            except Exception:
                log.exception("could not take in %s", type(piece).__name__)
            return
        try:
            answers.append((piece.future, piece.work(*piece.args, **piece.options), None))
        except Exception as error:
            answers.append((piece.future, None, error))


class _Call(NamedTuple):
    work: Callable
    args: tuple
    options: dict[str, Any]
    future: Future
