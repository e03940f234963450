"""One bridge of a dummy Open vSwitch and the walk, holding the same entries: do they do the same with real frames?"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.openflow import Flow, delete, text
from controller.openflow.actions import PORT_CONTROLLER
from controller.openflow.walk import Conntrack, Tables, Walk, walk
from tests.kit.dummy_ovs import Bridge, DummyOvs
from tests.kit.fields import fields
from tests.wire.corpus import PIPELINE


def outcome(seen: Walk) -> dict[int, list[dict[str, int]]]:
    """What a walk sent, by port, as fields."""
    out: dict[int, list[dict[str, int]]] = {}
    for sent in seen.sent:
        out.setdefault(sent.port, []).append(sent.packet)
    for punt in seen.punted:
        out.setdefault(PORT_CONTROLLER, []).append(punt.packet)
    return out


# Of a frame with two tags, Open vSwitch reads the first and nothing behind the second.
TAGGED = ("eth_src", "eth_dst", "vlan_vid", "vlan_pcp")


class Pair:
    """A bridge and the walk, holding the same."""

    def __init__(self, ovs: DummyOvs, bridge: Bridge, name: str, ports: Mapping[int, str]) -> None:
        self.ovs, self.bridge, self.name, self.ports = ovs, bridge, name, ports
        self.tables, self.conntrack = Tables(), Conntrack()

    def hold(self, entries: list[Any]) -> None:
        """Replace everything that is held and forget all connections. Entries that the switch refuses are left out."""
        held = self.bridge.held()
        wrong = self.bridge.refusals([delete(key) for key in held]) or self.bridge.refusals(
            [entry.add() for entry in entries if not isinstance(entry, Flow)])
        assert not wrong, wrong
        kept = [entry for entry in entries if not isinstance(entry, Flow) or not self.bridge.refusals([entry.add()])]
        self.ovs.appctl("revalidator/purge")
        self.ovs.appctl("dpctl/flush-conntrack")
        self.tables, self.conntrack = Tables(kept), Conntrack()

    def agree(self, port: int, frame: bytes, **more: Any) -> Walk:
        """Send one frame through both; they do the same with it, or the test fails with the walk and OVS's own words."""
        seen = walk(self.tables, {**fields(frame), "in_port": port, **more}, conntrack=self.conntrack, pipeline=PIPELINE)
        wanted = outcome(seen)
        out = {number: [fields(each) for each in each_port] for number, each_port in self.ovs.send(self.ports[port], frame, self.name).items()}
        assert {number: len(each) for number, each in out.items()} == {number: len(each) for number, each in wanted.items()}, \
            self.explain(seen, port, frame)
        for number, real in out.items():
            for theirs, ours in zip(real, wanted[number], strict=True):
                names = TAGGED if ours.get("tags") else theirs.keys()
                assert {name: theirs[name] for name in names} == {name: ours.get(name, 0) for name in names}, \
                    self.explain(seen, port, frame)
        return seen

    def explain(self, seen: Walk, port: int, frame: bytes) -> str:
        held = "\n".join(text.lines(self.bridge.held(), PIPELINE))
        return f"{seen}\n\n{held}\n\n{self.ovs.trace(self.name, f'in_port={port}', frame)}"
