"""Lines of the log that anybody who connects can cause: a few are written, the others are counted."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

LINES, SECONDS = 20, 10.0


class Sparing:
    """At most LINES warnings in SECONDS; the next one that is written says how many were not. For one thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._written: deque[float] = deque()
        self._left_out = 0

    def warning(self, log: logging.Logger, text: str, *args: Any, always: bool = False) -> None:
        """As log.warning, if there were not too many of late. `always`: this one is about no stranger."""
        now = self._clock()
        while self._written and now - self._written[0] > SECONDS:
            self._written.popleft()
        if len(self._written) >= LINES and not always:
            self._left_out += 1
            return
        self._written.append(now)
        if self._left_out:
            text, args, self._left_out = text + " (and %d lines about others)", (*args, self._left_out), 0
        log.warning(text, *args)
