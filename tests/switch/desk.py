"""A desk small enough for tests: it knows what each switch should hold, and answers events as the real one does."""
from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Mapping
from typing import Any

from controller.openflow import Entry, Key
from controller.switch.events import (
    PacketReceived,
    PacketsWaiting,
    SwitchConfirmed,
    SwitchEmpty,
    SwitchGone,
    SwitchGreeted,
    SwitchRead,
)
from controller.switch.switches import Switches
from controller.switch.sync import Difference, difference, held

PATIENCE = 15.0     # seconds that a test waits for something that should take far less


class Mistakes(logging.Handler):
    """Collects what the switches' side logs as an error: exceptions of ours."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(logging.Formatter().format(record))


class Desk:
    """Owns a Switches; every event goes through `events` and is answered in handle(), in the test's own thread."""

    def __init__(self, **options: Any) -> None:
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.switches = Switches(self.queue.put, **options)
        self.address = self.switches.listen("127.0.0.1", 0)
        self.desired: dict[str, dict[Key, Entry]] = {}
        self.events: list[Any] = []
        self.differences: list[tuple[str, Difference]] = []
        self.confirmed: dict[str, int] = {}
        self.packets: list[PacketReceived] = []
        self.present: set[str] = set()
        self.seq = 0
        self.asked: dict[str, int] = {}
        self.mistakes = Mistakes()
        logging.getLogger("controller.switch").addHandler(self.mistakes)
        self.switches.start()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.switches.close()
        logging.getLogger("controller.switch").removeHandler(self.mistakes)
        assert not self.mistakes.found, "nothing that a peer does may surprise us"

    def know(self, switch_id: str, entries: Mapping[Key, Entry] | None = None) -> None:
        """This switch is ours and should hold these entries."""
        self.desired[switch_id] = dict(entries or {})

    def order(self, switch_id: str, changes: Mapping[Key, Entry | None]) -> int:
        """Change what a switch should hold, and tell it. Returns the change's number."""
        self.seq += 1
        wanted = self.desired.setdefault(switch_id, {})
        for key, entry in changes.items():
            if entry is None:
                wanted.pop(key, None)
            else:
                wanted[key] = entry
        self.asked[switch_id] = self.seq
        self.switches.change(switch_id, changes, self.seq)
        return self.seq

    def handle(self, event: Any) -> None:
        """Answer one event."""
        self.events.append(event)
        if isinstance(event, SwitchGreeted):
            self.present.add(event.switch_id)
            if event.switch_id in self.desired:
                self.switches.read(event.switch_id)
        elif isinstance(event, SwitchEmpty):
            self.switches.foresee(event.switch_id, dict(self.desired.get(event.switch_id, {})))
        elif isinstance(event, SwitchGone):
            self.present.discard(event.switch_id)
            self.confirmed.pop(event.switch_id, None)
        elif isinstance(event, SwitchRead):
            have = {**event.have, **held(event.coming)}
            found = difference(self.desired[event.switch_id], have, changed=event.changed if event.audit else ())
            self.differences.append((event.switch_id, found))
            self.seq += 1
            self.asked[event.switch_id] = self.seq
            self.switches.change(event.switch_id, found, self.seq)
        elif isinstance(event, SwitchConfirmed):
            self.confirmed[event.switch_id] = event.seq
        elif isinstance(event, PacketsWaiting):
            self.packets += self.switches.packets()

    def until(self, condition: Callable[[], Any], *, within: float = PATIENCE) -> Any:
        """Handle events until a condition holds; AssertionError if that takes too long."""
        deadline = time.monotonic() + within
        while True:
            found = condition()
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not within {within} s; last events: {self.last(9)}; {self.switches.report()}")
            try:
                self.handle(self.queue.get(timeout=min(left, 0.02)))
            except queue.Empty:
                continue

    def answer_for(self, seconds: float) -> None:
        """Answer what has come and what comes within this time."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.handle(self.queue.get(timeout=max(deadline - time.monotonic(), 0.0)))
            except queue.Empty:
                return

    def last(self, count: int) -> list[Any]:
        """The last events, short enough to be printed."""
        return [event._replace(have={}) if isinstance(event, SwitchRead) else event for event in self.events[-count:]]

    def seen(self, kind: type, **wanted: Any) -> list[Any]:
        """Events of a kind so far, with these values."""
        return [event for event in self.events if isinstance(event, kind)
                and all(getattr(event, name) == value for name, value in wanted.items())]

    def settled(self, switch_id: str) -> bool:
        """True if the switch has confirmed everything asked of it, and no event waits."""
        return self.confirmed.get(switch_id, -1) >= self.asked.get(switch_id, 0) and self.queue.empty()

    def row(self, switch_id: str) -> dict[str, Any]:
        """The switch's counters; empty if it is not there."""
        return next((row for row in self.switches.report() if row["switch_id"] == switch_id), {})


class Clock:
    """A clock that a test puts forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead

    def forward(self, seconds: float) -> None:
        self._ahead += seconds
