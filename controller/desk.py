"""The desk: the one thread that owns the model and the compiler.

HTTP threads and switch threads put work on its queue; a batch of work ends in one `compile.update`, and each
switch concerned gets its difference. There are no other locks: rows are immutable, so readers need none.

    HTTP threads ── call(writer.create, …) ──┐
    switch thread ── post(SwitchRead …) ─────┼─► queue ─► work, work, work ─► commit ─► answer the callers
    OVSDB thread ─── post(HostFacts …) ──────┘              └─► compile.update ─► switches.change(…)
"""
from __future__ import annotations

import gc
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

log = logging.getLogger("hadron.desk")

BATCH = 512                 # pieces of work taken in before the switches hear of them
SETTLE = 60.0               # seconds between looks at the clock's duties when nothing else happens


class Desk:
    """Runs work one piece after another. `after_batch` is called when a batch is done."""

    def __init__(self, *, on_event: Callable[[Any], None], after_batch: Callable[[], None],
                 group: Callable[[], Any] | None = None) -> None:
        self._queue: queue.SimpleQueue = queue.SimpleQueue()
        self._on_event, self._after_batch, self._group = on_event, after_batch, group
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self._closing = False
        self.worked = 0                    # pieces of work done
        self.busy = 0.0                    # seconds spent on them

    def start(self) -> None:
        gc.collect()
        gc.freeze()                        # what was loaded stays: spare each later collection the walk over it
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
        self._queue.put((work, args, options, future))
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
        answers: list[tuple[Future, Any, BaseException | None]] = []
        while True:
            if piece is not None:
                self._work(piece, answers)
            if len(answers) >= BATCH or self._queue.empty():
                break
            piece = self._queue.get()
            if piece is None and self._closing:
                self._queue.put(None)
                break
        try:
            self._after_batch()
        except Exception:
            log.exception("the batch's changes could not be sent")
        for future, result, error in answers:
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _work(self, piece: Any, answers: list) -> None:
        self.worked += 1
        if not isinstance(piece, tuple) or len(piece) != 4 or not isinstance(piece[3], Future):
            try:
                self._on_event(piece)
            except Exception:
                log.exception("could not take in %s", type(piece).__name__)
            return
        work, args, options, future = piece
        try:
            answers.append((future, work(*args, **options), None))
        except BaseException as error:
            answers.append((future, None, error))
