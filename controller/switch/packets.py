"""Packets on their way from the switches to the desk: bounded for each switch, taken in turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from controller.openflow.messages import PacketIn
from controller.switch.events import PacketReceived, PacketsWaiting

EACH = 256      # packets that wait for one switch; those that come beyond are dropped and counted by their session


class PacketQueue:
    """Between the switches' thread, which puts, and the desk's, which takes.

    A switch that floods fills its own queue and no other; taking goes round the switches, one packet each.
    """

    def __init__(self, post: Callable[[Any], None], *, each: int = EACH) -> None:
        self._post, self._each = post, each
        self._lock = threading.Lock()
        self._queues: dict[str, deque[tuple[PacketIn, float]]] = {}
        self._turns: deque[str] = deque()       # switches with packets, each once
        self._told = False                      # the desk has been told and has not come yet

    def full(self, switch_id: str) -> bool:
        """True if a packet of this switch would be dropped now: then its bytes need not even be read."""
        queue = self._queues.get(switch_id)
        return queue is not None and len(queue) >= self._each

    def put(self, switch_id: str, packet: PacketIn, came: float) -> None:
        """Add a packet that came then (seconds since 1970), unless the switch's queue is full."""
        with self._lock:
            queue = self._queues.setdefault(switch_id, deque())
            if len(queue) >= self._each:
                return
            if not queue:
                self._turns.append(switch_id)
            queue.append((packet, came))
            tell, self._told = not self._told, True
        if tell:
            self._post(PacketsWaiting())

    def take(self, limit: int) -> list[PacketReceived]:
        """At most `limit` packets, in turn over the switches. If some remain, PacketsWaiting is posted again."""
        taken: list[PacketReceived] = []
        with self._lock:
            while self._turns and len(taken) < limit:
                switch_id = self._turns.popleft()
                queue = self._queues[switch_id]
                taken.append(PacketReceived(switch_id, *queue.popleft()))
                if queue:
                    self._turns.append(switch_id)
            self._told = more = bool(self._turns)
        if more:
            self._post(PacketsWaiting())
        return taken

    def forget(self, switch_id: str) -> None:
        """A switch is gone, and its packets with it."""
        with self._lock:
            if self._queues.pop(switch_id, None):
                self._turns.remove(switch_id)
