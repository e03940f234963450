"""One bridge of a dummy Open vSwitch and the walk, holding the same entries: do they do the same with real frames?"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.openflow import Flow, ct, delete, match, move, output, text
from controller.openflow.actions import PORT_CONTROLLER
from controller.openflow.walk import Conntrack, Tables, walk
from controller.openflow.walked import Walk
from tests.kit.dummy_ovs import Bridge, DummyOvs
from tests.kit.fields import fields
from tests.wire.corpus import FIRST, PIPELINE, SECOND


def outcome(seen: Walk) -> dict[int, list[dict[str, int]]]:
    """What a walk sent, by port, as fields."""
    out: dict[int, list[dict[str, int]]] = {}
    for sent in seen.sent:
        out.setdefault(sent.port, []).append(sent.packet)
    for punt in seen.punted:
        out.setdefault(PORT_CONTROLLER, []).append(punt.packet)
    return out


class Pair:
    """A bridge and the walk, holding the same."""

    def __init__(self, ovs: DummyOvs, bridge: Bridge, name: str, ports: Mapping[int, str]) -> None:
        self.ovs, self.bridge, self.name, self.ports = ovs, bridge, name, ports
        self.tables, self.conntrack = Tables(), Conntrack()
        self.last: dict[int, list[bytes]] = {}

    def hold(self, entries: list[Any]) -> None:
        """Replace everything that is held and forget all connections. Entries that the switch refuses are left out."""
        held = self.bridge.held()
        wrong = self.bridge.refusals([delete(key) for key in held]) or self.bridge.refusals(
            [entry.add() for entry in entries if not isinstance(entry, Flow)])
        assert not wrong, wrong
        kept = [entry for entry in entries if not isinstance(entry, Flow) or not self.bridge.refusals([entry.add()])]
        self.ovs.appctl("dpctl/flush-conntrack")
        self.tables, self.conntrack = Tables(kept), Conntrack()

    def agree(self, port: int, frame: bytes, packet: Mapping[str, Any] | None = None, **more: Any) -> Walk:
        """Send one frame through both; they do the same with it, or the test fails with the walk and OVS's own words.

        `packet` and `more` say what the fields of a frame do not: what is wrapped in it, what an error quotes.
        """
        seen = walk(self.tables, {**(fields(frame) if packet is None else packet), "in_port": port, **more},
                    conntrack=self.conntrack, pipeline=PIPELINE)
        wanted = outcome(seen)
        frames_out = self.ovs.send(self.ports[port], frame, self.name)
        self.last = frames_out
        out = {number: [fields(each) for each in each_port] for number, each_port in frames_out.items()}
        assert {number: len(each) for number, each in out.items()} == {number: len(each) for number,
            each in wanted.items()}, \
            self.explain(seen, port, frame)
        for number, real in out.items():
            for theirs, ours in zip(real, wanted[number], strict=True):
                assert theirs == {name: ours.get(name, 0) for name in theirs}, self.explain(seen, port, frame)
        return seen

    def explain(self, seen: Walk, port: int, frame: bytes) -> str:
        held = "\n".join(text.lines(self.bridge.held(), PIPELINE))
        return f"{seen}\n\n{held}\n\n{self.ovs.trace(self.name, f'in_port={port}', frame)}"


def tracker(zone: int = 7) -> list[Flow]:
    """Look up, show the state in eth_dst's last byte and the mark before it, commit what is new, send out of port 3."""
    shown = (move(("ct_state", 0, 7), ("eth_dst", 0, 7)), move(("ct_mark", 0, 15), ("eth_dst", 16, 31)))
    made = []
    for family in ({"eth_type": 0x0800}, {"eth_type": 0x86DD}):
        made += [Flow(FIRST, 5, match(family), (ct(zone, SECOND),)),
                 Flow(SECOND, 3, match(family), (*shown, output(3))),
                 Flow(SECOND, 9, match({**family, "ct_state": (0x21, 0x21)}),
                      (*shown, ct(zone, commit=True, mark=5), output(3)))]
    return made
