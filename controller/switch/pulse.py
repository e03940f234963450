"""Is the switch at the other end alive? Asked when it is silent, and when a second connection says it is the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from controller.openflow import messages as wire
from controller.switch.link import Link

if TYPE_CHECKING:
    from controller.switch.greeting import Greeting

PROBE_SECONDS = 5.0         # silence after which an echo is asked for
SILENCE_SECONDS = 15.0      # silence after which the connection is closed
MEASURE_SECONDS = 10.0      # between two echoes that measure how far away it is
DUEL_SECONDS = 1.0          # within which the older of two connections of one switch must answer an echo


class Pulse:
    """Watches one connection; `rival` is a newer one of the same switch that waits for the older one's answer."""

    def __init__(self, link: Link, xids: Callable[[int], int]) -> None:
        self.rival: Greeting | None = None
        self._link, self._xids = link, xids
        self._probed = self._asked = self._duel_ends = 0.0
        self._duel_xid = self._echo_xid = -1
        self._measured = self._link.loop.clock() - MEASURE_SECONDS
        self._trips: deque[float] = deque(maxlen=8)

    @property
    def round_trip(self) -> float | None:
        """Seconds there and back: the least of the last measurements, as it is for a peer with nothing else to do."""
        return min(self._trips.copy(), default=None)

    def ticked(self, now: float) -> None:
        """Time has passed: ask who is silent, close who has been for too long, or has lost the duel."""
        silent = now - self._link.heard
        if silent > SILENCE_SECONDS:
            self._link.close(f"silent for {silent:.0f} s")
        elif self.rival is not None and now > self._duel_ends:
            self._link.close("it does not answer, and a newer connection of this switch has come")
        elif (silent > PROBE_SECONDS and now - self._probed > PROBE_SECONDS) or now - self._measured > MEASURE_SECONDS:
            self._probed = self._measured = self._asked = now
            self._echo_xid = self._xids(1)
            self._link.send(wire.echo_request(b"", self._echo_xid))

    def contend(self, rival: Greeting, now: float) -> None:
        """A newer connection claims the identity: it gets it if this one does not answer promptly."""
        self.rival, rival.waiting = rival, True
        self._duel_ends = now + DUEL_SECONDS
        self._duel_xid = self._xids(1)
        self._link.send(wire.echo_request(b"another connection says it is you", self._duel_xid))

    def answered(self, xid: int) -> Greeting | None:
        """An echo has come back. Returns the rival that has thereby lost, if there is one."""
        if xid == self._echo_xid:
            self._trips.append(self._link.loop.clock() - self._asked)
        if xid != self._duel_xid or self.rival is None:
            return None
        loser, self.rival = self.rival, None
        return loser
