"""Switches and ports of which OpenFlow alone tells: those of hosts without OVSDB, as plain switches in Mininet are.

    SwitchGreeted ─► adopted? a row for the switch          PortChanged ─► a row for the port, on a switch without host
                     (deny by default: config `adopt`)      PortsTold ───► rows of ports that are no more go
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from controller.openflow.actions import PORT_LOCAL
from controller.openflow.ports import LAST_PORT
from controller.rows import as_dict

Learn = Callable[..., Any]
EVERY = "all"
SETTLED = 8                 # beats of the clock after which a switch at the other end of a wire would have been heard


class SwitchPorts:
    """`adopted` names the switches to take as ours although no OVSDB tells of them, or is ("all",)."""

    def __init__(self, model: Any, learn: Learn, adopted: Collection[str] = ()) -> None:
        self.model, self.learn, self.adopted = model, learn, frozenset(adopted)
        self._unsettled: dict[str, int] = {}        # interfaces that are up, and for how long
        self.there: dict[str, dict[int, tuple[str, str]]] = {}      # name and MAC of the ports of who is connected

    def load(self) -> None:
        """Who was adopted once and is no more is a stranger again."""
        for switch in self.model.find("switch", "all", True):
            if switch.host_id is None and not self._adopts(switch.id):
                self.learn([], self._of(switch.id))
        self._unsettled = {seen.id: 0 for seen in self.model.find("interface", "all", True) if _unsettled(seen)}

    def greeted(self, switch_id: str) -> None:
        """A switch is there: if it is unknown and adopted, it is ours."""
        if self.model.get("switch", switch_id) is None and self._adopts(switch_id):
            self.learn([("switch", {"id": switch_id})])

    def gone(self, switch_id: str) -> None:
        """A switch is not connected any more."""
        self.there.pop(switch_id, None)

    def ports(self, switch_id: str) -> list[tuple[int, str, str]]:
        """Number, name and MAC address of each port of a switch that is connected. Any thread may ask."""
        return [(number, *port) for number, port in self.there.get(switch_id, {}).copy().items()]

    def changed(self, event: Any) -> None:
        """A port was seen or changed."""
        switch = self.model.get("switch", event.switch_id)
        if event.ofport == PORT_LOCAL and switch is not None and switch.host_id is None:
            self.learn([("switch", {**as_dict(switch), "bridge": "".join(_printable(event.name))})])
        if switch is None or not 0 < event.ofport <= LAST_PORT:
            return
        there = self.there.setdefault(event.switch_id, {})
        if event.state == "gone":
            there.pop(event.ofport, None)
        else:
            there[event.ofport] = "".join(_printable(event.name)), event.mac
        if switch.host_id is not None:
            self._number(switch, event)
        elif event.state == "gone":
            self.learn([], [("interface", f"{event.switch_id}:{event.ofport}")])
        else:
            before = self.model.get("interface", f"{event.switch_id}:{event.ofport}")
            still = before is not None and before.settled and event.state == "up"
            self.learn([("interface", {**plain(event), "settled": still})])
            if event.state == "up" and not still:
                self._unsettled.setdefault(f"{event.switch_id}:{event.ofport}", 0)

    def told(self, event: Any) -> None:
        """All ports of a switch have been told of."""
        switch = self.model.get("switch", event.switch_id)
        if switch is not None and switch.host_id is None:
            self.learn([], [("interface", seen.id) for seen in self.model.find("interface", "switch_id", switch.id)
                            if seen.ofport not in event.numbers])

    def beat(self, hears: Callable[[str], bool]) -> None:
        """A part of a second has passed; `hears`: whether what comes to a switch's ports comes to us."""
        for id in list(self._unsettled):
            seen = self.model.get("interface", id)
            if seen is None or not _unsettled(seen):
                del self._unsettled[id]
            elif hears(seen.switch_id):
                self._unsettled[id] += 1
                if self._unsettled[id] >= SETTLED:
                    self.learn([("interface", {**as_dict(seen), "settled": True})])

    def _number(self, switch: Any, event: Any) -> None:
        """A new port's number is in OpenFlow long before it is in the database, which Open vSwitch writes when it is done
        with everything else: flows that wait for it then are carried out first. What the database says stands.
        """
        seen = self.model.get("interface", f"{switch.host_id}/{event.name}")
        if seen is not None and seen.switch_id == event.switch_id and seen.ofport is None and not seen.error \
                and event.state != "gone":
            self.learn([("interface", {**as_dict(seen), "ofport": event.ofport})])

    def _adopts(self, switch_id: str) -> bool:
        return EVERY in self.adopted or switch_id in self.adopted

    def _of(self, switch_id: str) -> list[tuple[str, str]]:
        return [("switch", switch_id), *((kind, row.id) for kind, index in _PARTS
                                         for row in self.model.find(kind, index, switch_id))]


_PARTS = (("interface", "switch_id"), ("link", "source_switch_id"), ("link", "target_switch_id"))


def _unsettled(seen: Any) -> bool:
    return seen.host_id is None and seen.link_state == "up" and not seen.settled


def plain(event: Any) -> Mapping[str, Any]:
    """The row of a port of a switch without host."""
    return {"id": f"{event.switch_id}:{event.ofport}", "switch_id": event.switch_id, "ofport": event.ofport,
            "name": "".join(_printable(event.name)), "hw_address": event.mac, "link_state": event.state,
            "speed": event.speed}


def _printable(name: str) -> Iterator[str]:
    """A switch may call its ports what it likes; what it says ends up in terminals."""
    return (char if "!" <= char <= "~" else "?" for char in name)
