"""Switches that are not there: OpenFlow 1.4 peers over real TCP, with tables in memory and faults at will.

    with FakeSwitches(address, port) as fakes:
        switch = fakes.add("00000000000000a1")
        switch.faults.refuse.add(key)                  # ... and so on, see Faults
        switch.held()                                  # {key: (cookie, body)}, as a controller would read it

Hundreds of them live in one thread. Nothing of the controller's own code is used: what a message means is written here
a second time, from the standard's text, so that a mistake in one place shows.
"""
from __future__ import annotations

import selectors
import threading
import time

from tests.kit.fake_peer import FakeLane, FakeSwitch, Faults, packet_in

__all__ = ["FakeLane", "FakeSwitch", "FakeSwitches", "Faults", "packet_in"]


class FakeSwitches:
    """The thread of any number of switches, all of which connect to one address (and again when they are cut)."""

    def __init__(self, address: str, port: int, *, again_after: float = 0.02) -> None:
        self.address, self.again_after = (address, port), again_after
        self.lock = threading.RLock()
        self.selector = selectors.DefaultSelector()
        self.switches: dict[str, FakeSwitch] = {}
        self.unsent: set[FakeSwitch] = set()
        self.resting: list[FakeSwitch] = []         # deaf ones, which the selector must not look at
        self._again = 0.0
        self._running = True
        self._thread = threading.Thread(target=self._run, name="fake switches", daemon=True)

    def __enter__(self) -> FakeSwitches:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running = False
        self._thread.join()
        for switch in self.switches.values():
            switch._close()
        self.selector.close()

    def add(self, switch_id: str) -> FakeSwitch:
        """One more switch; it connects soon."""
        with self.lock:
            switch = self.switches[switch_id] = FakeSwitch(self, switch_id)
        return switch

    def add_lane(self, switch: FakeSwitch, address: tuple[str, int]) -> FakeLane:
        """One more connection of a switch, to another address."""
        with self.lock:
            lane = FakeLane(switch, address)
            self.switches[f"{switch.switch_id} lane {len(self.switches)}"] = lane
        return lane

    def _run(self) -> None:
        while self._running:
            ready = self.selector.select(0.01)
            with self.lock:
                for key, _ in ready:
                    if key.data.socket is key.fileobj:
                        key.data.readable()
                unsent, self.unsent = self.unsent, set()
                for switch in unsent:
                    switch._flush()
                self._care()

    def _care(self) -> None:
        """Connect those that are not; wake those that hear again."""
        now = time.monotonic()
        if now < self._again:
            return
        self._again = now + self.again_after
        for switch in self.switches.values():
            if switch.socket is None and switch.wanted and self._running:
                switch.connect(switch.to or self.address)
        for switch in [each for each in self.resting if not each.faults.deaf]:
            self.resting.remove(switch)
            if switch.socket is not None:
                self.selector.register(switch.socket, selectors.EVENT_READ, switch)
