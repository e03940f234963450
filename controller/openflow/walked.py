"""What became of a packet that was carried through a switch (walk.py)."""
from __future__ import annotations

from typing import NamedTuple

from controller.openflow.flow import FlowKey
from controller.openflow.packets import Packet


class Sent(NamedTuple):
    """A packet that left through a port."""

    port: int
    packet: Packet
    queue: int = 0


class Punt(NamedTuple):
    """A packet that went to the controller, with registers and all; `reason` as in packet_in. `refused`: it is only told
    of, and dropped."""

    cookie: int
    table: int
    reason: int
    max_len: int
    packet: Packet
    refused: bool = False


class Walk:
    """What became of a packet: `sent`, `punted`, why it was dropped where a flow says so, and the way it took.

    `ambiguous` names pairs of flows of one priority that both match: a switch may take either.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.punted: list[Punt] = []
        self.drops: list[str] = []
        self.lines: list[str] = []
        self.ambiguous: list[tuple[FlowKey, FlowKey]] = []

    @property
    def ports(self) -> list[int]:
        """The ports it left through, sorted."""
        return sorted(each.port for each in self.sent)

    def __str__(self) -> str:
        return "\n".join(self.lines)
