"""What a switch says of its ports, told to the desk: all of them when it is taken on, then whatever changes."""

from __future__ import annotations

from collections.abc import Callable

from controller.openflow import messages as wire
from controller.switch import events
from controller.switch.link import Refused

PORT_EVENTS = 20_000        # changes of ports between two ticks beyond which a switch is taken for mad


class PortNews:
    """The ports of one switch. `xid` is that of the question which ports there are."""

    def __init__(self, switch_id: str, post: Callable[[events.Event], None]) -> None:
        self.xid = -1
        self._switch_id, self._post = switch_id, post
        self._told: set[int] = set()
        self._left = PORT_EVENTS

    def ticked(self) -> None:
        """Time has passed: it may tell of as many changes again."""
        self._left = PORT_EVENTS

    def part(self, whole: bytes) -> None:
        """A part of the answer to which ports there are."""
        for port in wire.read_ports(whole):
            self._told.add(port.number)
            self._tell(port, "")
        if not wire.multipart_kind(whole)[1]:
            self._post(events.PortsTold(self._switch_id, frozenset(self._told)))

    def changed(self, whole: bytes, *, tell: bool) -> None:
        """A port has changed. Refused if there is no end to it."""
        status = wire.read_port_status(whole)
        self._left -= 1
        if self._left < 0:
            raise Refused("it floods us with changes of its ports")
        if tell:
            self._tell(status.port, status.reason)

    def _tell(self, port: wire.Port, reason: str) -> None:
        state = "gone" if reason == "delete" else "up" if port.up else "down"
        self._post(events.PortChanged(self._switch_id, port.number, port.name, state, port.mac, port.speed))
