"""Wires between switches that are not there: what a controller has one send out of a port, another hears.

    wires = Wires()
    wires.join(a, 1, b, 2)                  both ports are up from now on; also lose=0.3, one_way=True
    wires.cut(a, 1)                         both ports are down
"""
from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.kit.fake_peer import FakeSwitch
from tests.kit.fake_tables import u16, u32

_IN_PORT, _ETH_TYPE = bytes.fromhex("80000004"), bytes.fromhex("80000a02")
End = tuple[FakeSwitch, int]


@dataclass(eq=False)
class Wire:
    """Two ends; `lose` is the part of frames that get lost, `one_way` loses all those that go back."""

    one: End
    other: End
    lose: float = 0.0
    one_way: bool = False

    def across(self, sender: End) -> End | None:
        """Where a frame comes out, if it does."""
        if random.random() < self.lose or (self.one_way and sender == self.other):
            return None
        return self.other if sender == self.one else self.one


class Wires:
    """All wires of a fabric. `heard` has every frame that went through one: (sender, its port, frame)."""

    def __init__(self) -> None:
        self.at: dict[tuple[str, int], Wire] = {}
        self.tap: Callable[[FakeSwitch, int, bytes], None] | None = None

    def join(self, a: FakeSwitch, port: int, b: FakeSwitch, into: int, *, lose: float = 0.0, one_way: bool = False,
             speed: int = 1000) -> Wire:
        """A wire from port to port; the ports come into being."""
        wire = Wire((a, port), (b, into), lose, one_way)
        for switch, number in (wire.one, wire.other):
            self.at[switch.switch_id, number] = wire
            switch.on_packet_out = self._sent
            switch.port(number, speed=speed)
        return wire

    def cut(self, switch: FakeSwitch, port: int) -> None:
        """Take the wire at a port away: both its ports are down."""
        wire = self.at[switch.switch_id, port]
        for end, number in (wire.one, wire.other):
            del self.at[end.switch_id, number]
            end.port(number, up=False)

    def _sent(self, switch: FakeSwitch, message: bytes) -> None:
        size = u16(message, 16)
        at, data = 24, message[24 + size:]
        while at < 24 + size:
            if u16(message, at) == 0:
                self.send(switch, u32(message, at + 4), data)
            at += max(8, u16(message, at + 2))

    def send(self, switch: FakeSwitch, port: int, frame: bytes) -> None:
        """A frame leaves a switch by a port."""
        if self.tap is not None:
            self.tap(switch, port, frame)
        wire = self.at.get((switch.switch_id, port))
        end = wire.across((switch, port)) if wire is not None else None
        if end is not None:
            arrive(*end, frame)


def arrive(switch: FakeSwitch, port: int, frame: bytes) -> None:
    """A frame comes in at a port: to the controller, if a flow of the first table that names its type says so."""
    best = None
    for (table, priority, match), (cookie, _) in switch.tables.flows.items():
        fits = _ETH_TYPE + frame[12:14] in match and (_IN_PORT not in match or _IN_PORT + port.to_bytes(4, "big") in match)
        if table == 0 and fits and (best is None or priority > best[0]):
            best = priority, cookie
    if best is not None:
        switch.packet_in(frame, cookie=best[1], in_port=port)
