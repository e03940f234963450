"""The walk and Open vSwitch agree: random tables, real frames, the same frames out of the same ports."""
from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.openflow import (
    FORGET_IN_PORT,
    IN_PORT,
    VLAN_PRESENT,
    Flow,
    Group,
    Meter,
    Table,
    conjunction,
    controller,
    ct,
    ct_clear,
    dec_ttl,
    drop,
    group,
    match,
    meter,
    move,
    output,
    pop_vlan,
    push_vlan,
    resubmit,
    set_field,
)
from tests.kit import frames
from tests.kit.dummy_ovs import DummyOvs
from tests.wire.agreement import Pair
from tests.wire.corpus import FIRST, LAST, NETWORK, RECEIVER, SECOND, SENDER, THIRD

A, B, C = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "fa:16:3e:00:00:03"
X, Y, Z = "10.0.0.1", "10.0.0.2", "10.0.1.3"
X6, Y6 = "fd00::1", "fd00::2"
IP, IP6, ARP = {"eth_type": 0x0800}, {"eth_type": 0x86DD}, {"eth_type": 0x0806}
TABLES = (FIRST, SECOND, THIRD, LAST)

FRAMES = [
    frames.udp(A, B, X, Y, 1000, 53), frames.udp(B, A, Y, X, 53, 1000), frames.udp(A, C, X, Z, 1001, 80),
    frames.tcp(A, B, X, Y, 2000, 80, flags=frames.SYN), frames.tcp(B, A, Y, X, 80, 2000, flags=frames.SYN | frames.ACK),
    frames.tcp(A, B, X6, Y6, 2000, 80), frames.udp(B, A, Y6, X6, 53, 1000),
    frames.echo(A, B, X, Y), frames.echo(B, A, Y, X, reply=True), frames.arp_request(A, X, Y),
    frames.arp_reply(B, Y, A, X),
    frames.ns(A, X6, Y6), frames.na(B, Y6, A, X6),
    frames.ethernet(A, B, 0x88CC, bytes(46)),
]


@pytest.fixture(scope="module")
def pair(dummy_ovs: DummyOvs) -> Pair:
    bridge = dummy_ovs.add_bridge("br-walk")
    dummy_ovs.add_ports("br-walk", {"f1": 1, "f2": 2, "f3": 3, "f4": 4})
    return Pair(dummy_ovs, bridge, "br-walk", {1: "f1", 2: "f2", 3: "f3", 4: "f4"})


GROUPS = [
    Group(1, "all", [(None, None, (output(1),)), (None, None, (set_field(eth_dst=C), output(2))),
                     (None, None, (output(3),))]),
    Group(2, "indirect", [(None, None, (set_field({RECEIVER: 5}), resubmit(LAST)))]),
    Group(3, "ff", [(None, 2, (output(2),)), (None, 3, (output(3),))]), Group(4, "select", [(1, None, (output(4),))]),
    Group(5, "all", []), Group(6, "all", [(None, None, (dec_ttl(), output(2))), (None, None, (group(1),))]),
]
METERS = [Meter(1, pps=1_000_000, burst=1_000_000)]

MATCHES: list[dict[Any, Any]] = [
    {}, {"in_port": 1}, {"in_port": 2}, {"eth_src": A}, {"eth_dst": B},
    {"eth_dst": ("01:00:00:00:00:00", "01:00:00:00:00:00")},
    IP, IP6, ARP, {**IP, "ipv4_src": X}, {**IP, "ipv4_dst": "10.0.0.0/24"}, {**IP, "ip_proto": 17},
    {**IP, "ip_proto": 6},
    {**IP, "ip_proto": 17, "udp_dst": 53}, {**IP, "ip_proto": 6, "tcp_dst": (80, 0xFFF0)},
    {**IP, "ip_proto": 6, "tcp_flags": (2, 0x12)},
    {**IP6, "ip_proto": 6}, {**IP6, "ipv6_src": "fd00::/16"}, {**IP6, "ip_proto": 58, "icmpv6_type": 135,
                                                               "nd_target": Y6},
    {**IP, "ip_proto": 1, "icmpv4_type": 8}, {**ARP, "arp_op": 1, "arp_tpa": Y},
    {**ARP, "arp_spa": "10.0.0.0/30", "arp_sha": A},
    {"vlan_vid": VLAN_PRESENT | 7}, {"vlan_vid": 0}, {"vlan_vid": (VLAN_PRESENT, VLAN_PRESENT)}, {RECEIVER: 5},
    {NETWORK: (1, 1)},
    {NETWORK: 7, **IP}, {SENDER: 0}, {"metadata": 3}, {"ct_state": (0x21, 0x21)}, {"ct_state": (0x22, 0x2A), **IP},
    {"ct_state": (0, 0x20)},
    {"ct_mark": 9}, {"ct_state": (0x30, 0x30)}, {"ct_zone": 7}, {**IP, "ct_state": (0x22, 0x22), "ct_nw_dst": Y},
    {"tunnel_id": 77},
    {"reg0": 0x0A000001}, {**IP, "nw_ttl": 64}, {**IP, "ip_frag": (0, 1)}, {"conj_id": 11}, {"conj_id": 12},
    {**IP, "conj_id": 11},
]
_CHANGES: list[Callable[[random.Random], Any]] = [
    lambda dice: set_field({dice.choice((RECEIVER, NETWORK, SENDER)): dice.choice((0, 1, 5, 7))}),
    lambda dice: set_field({NETWORK: (dice.choice((0, 5)), 5)}), lambda dice: set_field(metadata=3, tunnel_id=77),
    lambda dice: set_field(eth_src=dice.choice((A, B, C))), lambda dice: set_field(eth_dst=dice.choice((A, B, C))),
    lambda dice: set_field(ipv4_dst=dice.choice((X, Y, Z))), lambda dice: set_field(ipv4_src=dice.choice((X, Y, Z))),
    lambda dice: set_field(udp_dst=dice.choice((53, 80))), lambda dice: set_field(tcp_dst=(0, 0xF)),
    lambda dice: dec_ttl(),
    lambda dice: set_field(nw_ttl=dice.choice((1, 2, 64))), lambda dice: set_field(ip_dscp=9),
    lambda dice: set_field(arp_op=2, arp_sha=C),
    lambda dice: move("eth_src", "eth_dst"), lambda dice: move("ipv4_src", "ipv4_dst"),
    lambda dice: move("ipv4_dst", "reg0"),
    lambda dice: move("arp_sha", "arp_tha"), lambda dice: move("reg5", "reg6"),
    lambda dice: move(("reg6", 0, 7), ("eth_dst", 8, 15)),
    lambda dice: move("tcp_src", "tcp_dst"), lambda dice: move("xxreg1", "xxreg0"),
    lambda dice: move("ct_mark", "reg5"),
    lambda dice: pop_vlan(),
    lambda dice: set_field(icmpv6_type=136), lambda dice: move("nd_target", "ipv6_src"),
    lambda dice: set_field(vlan_pcp=5),
    lambda dice: ct_clear(), lambda dice: meter(1), lambda dice: FORGET_IN_PORT,
]
# What sends a packet on, given the tables after its own: no packet goes in circles.
_SENDS: list[Callable[[random.Random, list[Table]], Any]] = [
    lambda dice, _: output(dice.choice((1, 2, 3, 4))), lambda dice, _: output(dice.choice((1, 2, 3, 4))), lambda dice,
    _: IN_PORT,
    lambda dice, _: controller(), lambda dice, later: group(dice.choice((1, 2, 3, 4, 5, 6) if later else (1, 3, 4, 5,
        6))),
    lambda dice, later: resubmit(dice.choice(later)), lambda dice,
    later: ct(dice.choice((7, 8, NETWORK)), dice.choice(later)),
    lambda dice, _: ct(dice.choice((7, 8, NETWORK)), commit=True, mark=dice.choice((None, 9, (1, 3)))),
    lambda dice, later: ct(7, dice.choice(later), commit=True, force=dice.random() < 0.3),
]


def random_flow(dice: random.Random, priority: int, joined: float) -> Flow:
    """A flow of a priority that no other has: which of several of one priority is met is the switch's own affair."""
    table = dice.choice(TABLES)
    later = [each for each in TABLES if each.number > table.number]
    wanted: dict[Any, Any] = {}
    for each in dice.sample(MATCHES, dice.choice((1, 1, 2))):
        if all(wanted.get(name, value) == value for name, value in each.items()):
            wanted = {**wanted, **each}
    try:
        fields_ = match(wanted)
    except ValueError:
        fields_ = match(MATCHES[0])
    if dice.random() < joined and "conj_id" not in wanted:
        number = dice.choice((11, 12))
        parts = {conjunction(number, dice.choice((1, 2)), 2) for _ in range(dice.choice((1, 2)))}
        return Flow(table, 10 * number, fields_, tuple(sorted(parts)))
    do: list[Any] = [dice.choice(_CHANGES)(dice) for _ in range(dice.choice((0, 1, 1, 2, 3)))]
    sends = _SENDS if later else _SENDS[:5]
    do += [dice.choice(sends)(dice, later) for _ in range(dice.choice((0, 1, 1, 1, 2)))]
    dice.shuffle(do)
    if wanted.get("vlan_vid") == 0 and dice.random() < 0.7:
        # Never a second tag: Open vSwitch 3.1 sees nothing behind it once a packet comes back from tracking.
        do.insert(0, push_vlan() + set_field(vlan_vid=VLAN_PRESENT | dice.choice((7, 8))))
    do = [each for place, each in enumerate(do) if isinstance(each, bytes) or each not in do[:place]]
    if dice.random() < 0.5 and later:
        do.append(dice.choice(later))
    return Flow(table, priority, fields_, tuple(do) or (drop("random"),))


def random_tables(dice: random.Random) -> list[Any]:
    """Random flows, and mostly one in each table that takes what no other does."""
    joined = dice.choice((0.1, 0.3, 0.8))       # how many flows are parts of conjunctions
    made = [random_flow(dice, priority, joined) for priority in dice.sample(range(1, 200), dice.choice((3, 8, 20, 40)))]
    for number in (11, 12):
        if dice.random() < joined:
            made.append(Flow(dice.choice(TABLES), 200 + number, match(conj_id=number), (output(number - 8),)))
    for table, after in zip(TABLES, (*TABLES[1:], None), strict=True):
        if dice.random() < 0.85:
            made.append(Flow(table, 0, match(), (after,) if after else (output(dice.choice((3, 4))),)))
    return [*METERS, *GROUPS, *{flow.key: flow for flow in made}.values()]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32))
def test_random_tables_do_the_same_with_real_frames(pair: Pair, seed: int) -> None:
    dice = random.Random(seed)
    pair.hold(random_tables(dice))
    for _ in range(12):
        pair.agree(dice.choice((1, 2, 3)), dice.choice(FRAMES))
