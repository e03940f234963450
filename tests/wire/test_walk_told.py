"""What a walk tells: the way that a packet went, and what cannot be walked; in the words of Open vSwitch's own trace."""
from __future__ import annotations

import re

import pytest

from controller.openflow import (
    Flow,
    Group,
    Meter,
    Why,
    controller,
    drop,
    encap,
    match,
    output,
    set_field,
)
from controller.openflow.packet_in import APPLY_ACTION
from controller.openflow.walk import Conntrack, Tables, walk
from tests.kit import frames
from tests.kit.dummy_ovs import DummyOvs
from tests.kit.fields import fields
from tests.wire.agreement import Pair, tracker
from tests.wire.corpus import FIRST, NETWORK, PIPELINE, SECOND, SENDER
from tests.wire.ends import HELLO, IP, X6, Y6, A, B, X, Y, pair_of


@pytest.fixture(scope="module")
def pair(dummy_ovs: DummyOvs) -> Pair:
    return pair_of(dummy_ovs, "w")


def test_a_walk_tells_the_way_table_by_table_and_why_a_packet_was_dropped() -> None:
    held = [Flow(FIRST, 5, match(in_port=1), (set_field({NETWORK: 7, SENDER: 9}), SECOND),
                 Why(1, "9f0e1d2c-3b4a-5968-7786-95a4b3c2d1e0", "admit")),
            Flow(SECOND, 9, match({SENDER: 9, "eth_src": A}), (drop("not its own address"),), Why(2, "port", "guard"))]
    seen = walk(held, {"in_port": 1, "eth_src": A, **IP, "ipv4_src": X}, pipeline=PIPELINE)
    assert str(seen).splitlines() == [
        "in_port=1, eth_src=fa:16:3e:00:00:01, eth_type=0x0800, ipv4_src=10.0.0.1",
        f"first(0): priority 5, in_port=1, cookie {held[0].cookie:#x}",
        "  set_field:0x7->NETWORK", "  set_field:0x9->SENDER",
        f"second(10): priority 9, dl_src=fa:16:3e:00:00:01, SENDER=0x9, cookie {held[1].cookie:#x}",
        "  drop: not its own address", "=> dropped: not its own address"]
    assert seen.drops == ["not its own address"]


def test_a_walk_takes_bytes_from_a_switch_as_well_as_entries() -> None:
    held = [Flow(FIRST, 5, match(), (output(2),))]
    for form in (held, {flow.key: flow for flow in held}, {flow.key: flow.body for flow in held},
                 {flow.key: (flow.cookie, flow.body) for flow in held}, Tables(held)):
        assert walk(form, {"in_port": 1}).ports == [2]


def test_a_walk_names_flows_between_which_a_switch_may_choose() -> None:
    one, other = Flow(FIRST, 5, match(in_port=1), (output(2),)), Flow(FIRST, 5, match(eth_src=A), (output(3),))
    seen = walk([one, other], {"in_port": 1, "eth_src": A})
    assert {key for pair_ in seen.ambiguous for key in pair_} == {one.key, other.key}
    assert walk([one, other], {"in_port": 1}).ambiguous == []


def test_what_goes_to_the_controller_keeps_its_registers() -> None:
    flow = Flow(FIRST, 5, match(), (set_field({NETWORK: 7}), controller(128)), Why(3, "x", ""))
    punt, = walk([flow], {"in_port": 1, **IP}).punted
    assert (punt.cookie, punt.table, punt.reason, punt.max_len, punt.packet[NETWORK]) == (flow.cookie, 0,
        APPLY_ACTION, 128, 7)


def test_replaced_and_removed_entries_are_gone() -> None:
    tables, flow = Tables([Group(1, "all", []), Meter(1, pps=5)]), Flow(FIRST, 5, match(), (output(2),))
    for each in (flow, Flow(FIRST, 5, match(), (output(3),))):
        tables.put(each.key, each.cookie, each.body)
    assert walk(tables, {"in_port": 1}).ports == [3]
    for key in (flow.key, ("group", 1), ("meter", 1), ("group", 1), (1, 1, match())):
        tables.remove(key)
    assert walk(tables, {"in_port": 1}).ports == []
    assert not tables.groups
    assert not tables.meters


@pytest.mark.parametrize("do", [output(0xFFFFFFFB), bytes.fromhex("ffff001000002320000801020000000000")[:16],
                                encap(0x10800)])
def test_what_cannot_be_walked_says_so(do: bytes) -> None:
    with pytest.raises(ValueError, match="walked|encap"):
        walk([Flow(FIRST, 5, match(), (do,))], {"in_port": 1})


def test_an_unknown_field_of_a_packet_is_refused() -> None:
    with pytest.raises(ValueError, match="not a field"):
        walk([], {"in_prot": 1})


# ---- ofproto/trace

def test_ofproto_trace_says_the_same(pair: Pair) -> None:
    """Ports from the datapath actions that Open vSwitch reports; what is tracked counts as new."""
    pair.hold([*tracker(), Flow(FIRST, 3, match(eth_type=0x0806), (output(2), output(3))),
               Flow(FIRST, 2, match(eth_type=0x88CC), (drop("x"),))])
    shown = pair.ovs.appctl("dpif/show")
    datapath = {int(number): int(port) for port, number in re.findall(r"w\d (\d+)/(\d+):", shown)}
    for frame in (HELLO, frames.tcp(A, B, X6, Y6, 1, 2), frames.arp_request(A, X, Y),
                  frames.ethernet(A, B, 0x88CC, bytes(46))):
        seen = walk(pair.tables, {**fields(frame), "in_port": 1}, conntrack=Conntrack())
        said = pair.ovs.trace(pair.name, "in_port=1", frame, ct_next=["trk,new"] if "zone" in str(seen) else [])
        actions = ",".join(re.findall(r"Datapath actions: (.*)", said))
        assert sorted(datapath[int(each)] for each in re.findall(r"(?<![\w(=:.])\d+(?![\w):./x])",
                                                                 actions)) == seen.ports, said
