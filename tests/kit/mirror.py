"""A cloud of one host whose switch is also a real Open vSwitch: each frame goes through both, and they must agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from apps.pipeline import TUNNEL_PORT
from controller.openflow import Group, Meter
from controller.openflow.actions import PORT_CONTROLLER
from controller.openflow.group import Entry, Key, delete
from tests.kit.dummy_ovs import Bridge, DummyOvs
from tests.kit.fields import fields
from tests.kit.journey import Journey
from tests.kit.net import Net, Thing
from tests.kit.talk import Said

PORTS = 12  # that a mirrored host may have


def tell(bridge: Bridge, changes: Mapping[Key, Entry | None], held: Mapping[Key, object]) -> None:
    """Flows go as a bundle; meters, which cannot, and groups before the flows that use them, and away after those."""
    used = {key: entry for key, entry in changes.items() if key[0] in ("meter", "group")}
    flows = [(key, entry) for key, entry in changes.items() if key not in used]
    puts = [entry.modify() if key in held else entry.add() for key, entry in used.items()
            if isinstance(entry, Meter | Group)]
    assert bridge.refusals(puts) == []
    assert bridge.commit([delete(key) if entry is None else entry.add() for key, entry in flows]) == []
    assert bridge.refusals([delete(key) for key, entry in used.items() if entry is None]) == []


class RealSwitch:
    """One bridge with ports 1 to PORTS and those of the tunnels."""

    def __init__(self, ovs: DummyOvs) -> None:
        self.ovs, self.bridge = ovs, ovs.add_bridge("br-int")
        self.agreed = 0  # frames that switch and walk treated alike
        self.ports = {f"p{number}": number for number in (*range(1, PORTS + 1), *TUNNEL_PORT.values())}
        ovs.add_ports("br-int", self.ports)

    def forget(self) -> None:
        """Hold nothing, and know of no connection."""
        tell(self.bridge, dict.fromkeys(self.bridge.held()), {})
        self.ovs.appctl("dpctl/flush-conntrack")


class MirroredNet(Net):
    """As long as there is one host, a real switch stands beside its own."""

    def __init__(self, real: RealSwitch) -> None:
        self.real = real
        real.forget()
        super().__init__()

    @property
    def alone(self) -> bool:
        return self.model.count("host", "all", True) == 1

    def settle(self) -> None:
        super().settle()
        for told in self.last.values() if self.alone else ():
            tell(self.real.bridge, told, self.real.bridge.held() if any(key[0] in ("meter", "group") for key in told) else {})

    def send(self, said: Said | Thing, frame: bytes | None = None, **where: Any) -> Journey:
        journey = super().send(said, frame, **where)
        if self.alone and not where:
            sender, sent = (said.sender, said.frame) if isinstance(said, Said) else (said, frame)
            assert sent is not None
            self._compare(journey, self.place(sender)[1], sent)
        return journey

    def _compare(self, journey: Journey, ofport: int, frame: bytes) -> None:
        found = self.real.ovs.send(f"p{ofport}", frame, "br-int")
        ofports = {seen.name: seen.ofport for seen in self.model.find("interface", "all", True)}
        walked = [(ofports[name], packet) for name, packet in journey.arrivals]
        walked += [(ofport, packet) for packet in journey.answers]
        walked += [(PORT_CONTROLLER, punt.packet) for punt in journey.punts]
        counted = {number: len(frames) for number, frames in found.items()}
        assert counted == Counter(number for number, _ in walked), f"Open vSwitch sent it to {counted}\n{journey}"
        for number, packet in walked:
            seen = fields(found[number][0])
            differ = {name: value for name, value in seen.items() if value != packet.get(name, 0)}
            assert not differ, f"Open vSwitch made of it {differ}\n{journey}"
        self.real.agreed += 1
