"""Vigil: which switches are lost. That is a fact, so that rules may have another switch do what a lost one did.

    its connection ends ──► `failover` seconds later it is lost: a row of kind `loss`
    it is in step again ──► `settle` seconds later, without a break, the row goes

Only seconds count in which some switch is connected: if none is, it is the controller that is cut off. After that, and
after a start, everybody has GRACE seconds to call again: so neither a restart nor a fault of the controller's own
network makes anybody lost. Seconds are ticks of the clock that reach the desk: none pass while the controller sleeps.
"""
from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from controller.times import utc

GRACE = 30          # seconds; Open vSwitch waits 8 at most between two attempts to connect


class Vigil:
    """`learn` is Writer.learn; `failover` and `settle` are seconds; `alarm(what, **details)` tells people."""

    def __init__(self, model: Any, learn: Callable[..., Any], *, failover: float, settle: float,
                 alarm: Callable[..., None]) -> None:
        self._rows, self._learn, self._alarm = model.rows, learn, alarm
        self._failover, self._settle = failover, settle
        self._away: dict[str, float] = {}            # seconds until it is lost
        self._back: dict[str, float] = {}            # seconds until a lost one is trusted again

    def greeted(self, switch: str) -> None:
        """It has called."""
        self._away.pop(switch, None)

    def in_step(self, switch: str) -> None:
        """It holds what it should."""
        if switch in self._rows["loss"]:
            self._back.setdefault(switch, self._settle)

    def gone(self, switch: str) -> None:
        """Its connection has ended."""
        self._away[switch] = self._failover
        self._back.pop(switch, None)

    def tick(self, now: float, connected: Collection[str]) -> None:
        """A second has passed. `now`: seconds since 1970."""
        known, lost = self._rows["switch"], self._rows["loss"]
        away = [switch for switch in known if switch not in connected and switch not in lost]
        if not connected:
            self._away = dict.fromkeys(away, GRACE)
            return
        for switch in away:
            left = self._away[switch] = self._away.get(switch, GRACE) - 1
            if left <= 0:
                del self._away[switch]
                since = utc(now)
                self._learn([("loss", {"id": switch, "since": since})])
                self._alarm("lost", switch=switch)
        for switch in [switch for switch in lost if switch not in known]:
            self._learn([], [("loss", switch)])
        for switch in list(self._back):
            self._back[switch] -= 1
            if self._back[switch] <= 0:
                del self._back[switch]
                self._learn([], [("loss", switch)])
