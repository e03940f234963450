"""Alarms: what happened that should not, for `hadron alarms`, `hadron audit` and the log."""
from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

log = logging.getLogger("hadron.control")

AGAIN = 60.0               # seconds within which the same alarm is not another one
ALIKE = ("switch", "port", "object", "rule")        # what makes two alarms the same
KEPT = 200                 # the latest


class Alarms:
    """The latest of them, oldest first; `now` is the time that people read. For the desk thread, but for `len`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def note(self, what: str, **details: Any) -> None:
        """Raise one. What goes on and on is one alarm, counted: it must not push the others out, nor fill the log."""
        now, about = self._now(), {"alarm": what, **{name: details[name] for name in ALIKE if name in details}}
        for place, known in enumerate(self._kept):
            if about.items() <= known.items() and now - known["at"] < AGAIN:
                self._kept[place] = {**known, **details, "at": now, "times": known.get("times", 1) + 1}
                return
        self._kept.append({"alarm": what, "at": now, **details})
        log.warning("%s: %s", what, ", ".join(f"{name} {value}" for name, value in details.items()))
