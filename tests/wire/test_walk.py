"""The walk, one thing at a time, each beside Open vSwitch: wrappings, groups, limits, conjunctions."""
from __future__ import annotations

import struct
import time

import pytest

from controller.openflow import (
    IN_PORT,
    VLAN_PRESENT,
    Entry,
    Flow,
    Group,
    Meter,
    Pipeline,
    clone,
    conjunction,
    ct,
    dec_mpls_ttl,
    dec_ttl,
    decap,
    drop,
    encap,
    group,
    match,
    meter,
    move,
    output,
    pop_mpls,
    pop_vlan,
    push_mpls,
    push_vlan,
    resubmit,
    set_field,
)
from controller.openflow.fields import ETH_MPLS
from controller.openflow.packet_in import INVALID_TTL
from controller.openflow.walk import walk
from tests.kit import frames
from tests.kit.dummy_ovs import DummyOvs
from tests.kit.fields import fields
from tests.wire.agreement import Pair
from tests.wire.corpus import FIRST, LAST, NETWORK, RECEIVER, SECOND, THIRD
from tests.wire.ends import HELLO, IP, IP6, X6, Y6, A, B, X, Y, pair_of

LONG = Pipeline()
CHAIN = [LONG.table(n, f"t{n}", "?") for n in range(80)]


@pytest.fixture(scope="module")
def pair(dummy_ovs: DummyOvs) -> Pair:
    return pair_of(dummy_ovs, "o")


# ---- wrappings

def test_a_frame_is_wrapped_in_two_labels_and_unwrapped_elsewhere(pair: Pair) -> None:
    """Outer label: the switch to go to; inner label: the network."""
    pair.hold([
        Flow(FIRST, 5, match(in_port=1), (encap(0x18847), set_field(mpls_label=77), encap(0x18847),
                                          set_field(mpls_label=5), encap(0),
                                          set_field(eth_dst=B, eth_src=A), output(2))),
        Flow(FIRST, 5, match(in_port=2, eth_type=ETH_MPLS, mpls_label=6), (output(3),)),        # transit
        Flow(FIRST, 5, match(in_port=2, eth_type=ETH_MPLS, mpls_label=5),
             (move("mpls_label", RECEIVER), decap(), decap(0x18847), SECOND)),
        Flow(SECOND, 5, match(packet_type=0x18847), (move("mpls_label", NETWORK), decap(0), THIRD)),
        Flow(THIRD, 5, match({RECEIVER: 5, NETWORK: 77, "ip_proto": 17, **IP, "eth_dst": B}), (output(3),)),
    ])
    wrapped, = pair.agree(1, HELLO).sent
    assert (wrapped.port, wrapped.packet["mpls_label"], wrapped.packet["mpls_bos"]) == (2, 5, 0)
    frame = pair.last[2][0]
    assert frame[12:14] == ETH_MPLS.to_bytes(2, "big")
    assert struct.unpack("!II", frame[14:22]) == (5 << 12 | struct.unpack("!I", frame[14:18])[0] & 0xFFF & ~0xE00,
                                                  77 << 12 | struct.unpack("!I", frame[18:22])[0] & 0xFFF | 0x100)
    assert frame[22:] == HELLO
    seen = pair.agree(2, frame, wrapped.packet)
    assert seen.ports == [3]
    assert pair.last[3] == [HELLO]


def test_copies_are_wrapped_one_by_one_and_the_frame_itself_stays_as_it_was(pair: Pair) -> None:
    copies = [action for label in (5, 6) for action in
              (set_field({RECEIVER: label}), clone(encap(0x18847), resubmit(SECOND)))]
    pair.hold([Flow(FIRST, 5, match(in_port=1), (*copies, output(3))),
               Flow(SECOND, 5, match(packet_type=0x18847), (move(RECEIVER, ("mpls_label", 0, 19)), encap(0), set_field(
                   eth_dst=B, eth_src=A), THIRD)),
               Flow(THIRD, 5, match(eth_type=ETH_MPLS), (dec_mpls_ttl(), output(2)))])
    assert pair.agree(1, HELLO).ports == [2, 2, 3]
    assert [struct.unpack("!I", frame[14:18])[0] for frame in pair.last[2]] == [label << 12 | 0x100 | 63 for label in (5, 6)]
    assert [frame[18:] for frame in pair.last[2]] == [HELLO, HELLO]
    assert pair.last[3] == [HELLO]


def test_a_labelled_frame_goes_round_until_its_ttl_has_run_out(pair: Pair) -> None:
    pair.hold([Flow(FIRST, 5, match(in_port=2, eth_type=ETH_MPLS), (dec_mpls_ttl(), output(3)))])
    for left in (64, 2, 1):
        frame = HELLO[:12] + struct.pack("!HI", ETH_MPLS, 5 << 12 | 0x100 | left) + HELLO
        wrapped = {"eth_src": A, "eth_dst": B, "eth_type": ETH_MPLS, "mpls_label": 5, "mpls_bos": 1, "mpls_ttl": left}
        seen = walk(pair.tables, {**wrapped, "in_port": 2})
        out = pair.ovs.send("o2", frame, pair.name)
        assert seen.ports == [port for port in out if port == 3] == ([3] if left > 1 else [])
        assert [frame[17] for frame in out.get(3, ())] == ([left - 1] if left > 1 else [])


def test_labels_below_the_ethernet_header_come_and_go(pair: Pair) -> None:
    pair.hold([Flow(FIRST, 5, match(in_port=1, **IP), (push_mpls(), set_field(mpls_label=9), push_mpls(),
                                                       set_field(mpls_label=8), output(2))),
               Flow(FIRST, 5, match(in_port=2, eth_type=ETH_MPLS, mpls_bos=0, mpls_label=8),
                    (pop_mpls(ETH_MPLS), SECOND)),
               Flow(SECOND, 5, match(eth_type=ETH_MPLS, mpls_bos=1, mpls_label=9), (pop_mpls(0x0800), THIRD)),
               Flow(THIRD, 5, match(ipv4_dst=Y, ip_proto=17, udp_dst=53, **IP), (output(3),))])
    wrapped, = pair.agree(1, HELLO).sent
    assert pair.agree(2, pair.last[2][0], wrapped.packet).ports == [3]
    assert pair.last[3] == [HELLO]


def test_tags_come_and_go(pair: Pair) -> None:
    tag = set_field(vlan_vid=VLAN_PRESENT | 9, vlan_pcp=5)
    pair.hold([Flow(FIRST, 5, match(in_port=1, vlan_vid=0), (push_vlan(), tag, output(2))),
               Flow(FIRST, 5, match(in_port=2, vlan_vid=VLAN_PRESENT | 9), (pop_vlan(), SECOND)),
               Flow(SECOND, 5, match(vlan_vid=0, **IP), (output(3),))])
    assert pair.agree(1, HELLO).ports == [2]
    assert fields(pair.last[2][0]) == {**fields(HELLO), "vlan_vid": VLAN_PRESENT | 9, "vlan_pcp": 5}
    assert pair.agree(2, pair.last[2][0]).ports == [3]
    assert pair.last[3] == [HELLO]


def test_arp_and_neighbour_discovery_are_answered_in_flows(pair: Pair) -> None:
    pair.hold([
        Flow(FIRST, 5, match(eth_type=0x0806, arp_op=1, arp_tpa=Y), (
            move("eth_src", "eth_dst"), set_field(eth_src=B, arp_op=2), move("arp_sha", "arp_tha"),
            set_field(arp_sha=B),
            move("arp_spa", "arp_tpa"), set_field(arp_spa=Y), IN_PORT)),
        Flow(FIRST, 5, match(ip_proto=58, icmpv6_type=135, nd_target=Y6, **IP6), (
            move("eth_src", "eth_dst"), set_field(eth_src=B), move("ipv6_src", "ipv6_dst"), set_field(ipv6_src=Y6),
            set_field(icmpv6_type=136, nd_reserved=0x60000000, nd_options_type=2), SECOND)),
        Flow(SECOND, 5, match(ip_proto=58, icmpv6_type=136, **IP6), (move("eth_src", "nd_tll"), IN_PORT))])
    assert pair.agree(1, frames.arp_request(A, X, Y)).ports == [1]
    assert pair.last[1] == [frames.arp_reply(B, Y, A, X)]
    seen = walk(pair.tables, {**fields(frames.ns(A, X6, Y6)), "in_port": 1})
    out, = pair.ovs.send("o1", frames.ns(A, X6, Y6), pair.name)[1]
    answer = fields(out)
    assert (answer["icmpv6_type"], answer["nd_target"], answer["nd_tll"]) == (136,
        fields(frames.na(B, Y6, A, X6))["nd_target"], 0xFA163E000002)
    assert {name: seen.sent[0].packet[name] for name in answer} == answer


# ---- groups, meters, limits

def test_a_group_carries_out_each_bucket_on_a_packet_of_its_own(pair: Pair) -> None:
    pair.hold([Group(1, "all", [(None, None, (set_field({RECEIVER: 1}, eth_dst=B), resubmit(LAST))),
                                (None, None, (dec_ttl(), output(2))), (None, None, (output(1),))]),
               Flow(FIRST, 5, match(), (set_field(eth_dst=A), group(1), output(3))),
               Flow(LAST, 5, match({RECEIVER: 1}), (output(2),))])
    assert pair.agree(1, HELLO).ports == [2, 2, 3]


def test_a_fast_failover_group_takes_the_first_port_that_is_up(pair: Pair) -> None:
    held: list[Entry] = [Group(1, "ff", [(None, 2, (output(2),)), (None, 3, (output(3),))]),
                         Flow(FIRST, 5, match(), (group(1),))]
    pair.hold(held)
    assert pair.agree(1, HELLO).ports == [2]
    pair.ovs.appctl("netdev-dummy/set-admin-state", "o2", "down")
    packet = {**fields(HELLO), "in_port": 1}
    assert [walk(held, packet, down=down).ports for down in ({2}, {3}, {2, 3})] == [[3], [2], []]
    try:        # the switch takes a moment to believe it
        deadline = time.monotonic() + 10
        while list(pair.ovs.send("o1", HELLO, pair.name)) != [3]:
            assert time.monotonic() < deadline
    finally:
        pair.ovs.appctl("netdev-dummy/set-admin-state", "o2", "up")


def test_a_select_group_takes_one_bucket_never_one_of_no_weight(pair: Pair) -> None:
    held: list[Entry] = [Group(1, "select", [(0, None, (output(2),)), (5, None, (output(3),)),
                                             (9, None, (output(4),))]), Flow(FIRST, 5, match(), (group(1),))]
    packet = {**fields(HELLO), "in_port": 1}
    assert [walk(held, packet).ports, walk(held, packet, choose=lambda number, buckets: 0).ports] == [[4], [3]]


def test_a_meter_that_is_exceeded_ends_the_packet_but_not_its_copies(pair: Pair) -> None:
    held: list[Entry] = [Meter(1, pps=1, burst=1), Flow(FIRST, 5, match(IP), (ct(7, SECOND), output(2))),
            Flow(SECOND, 5, match(), (meter(1), output(3)))]
    packet = {**fields(HELLO), "in_port": 1}
    assert [walk(held, packet).ports, walk(held, packet, exceeded={1}).ports] == [[2, 3], [2]]
    inline: list[Entry] = [Meter(1, pps=1, burst=1), Flow(FIRST, 5, match(), (resubmit(SECOND), output(2))),
                           Flow(SECOND, 5, match(), (meter(1), output(3)))]
    assert walk(inline, packet, exceeded={1}).ports == []
    pair.hold(inline)
    assert [sorted(pair.ovs.send("o1", HELLO, pair.name)) for _ in range(2)] == [[2, 3], []]


def test_a_ttl_that_runs_out_goes_to_the_controller_and_nowhere_else(pair: Pair) -> None:
    pair.hold([Flow(FIRST, 5, match(IP), (dec_ttl(), output(2), SECOND)), Flow(SECOND, 5, match(), (output(3),))])
    assert pair.agree(1, HELLO).ports == [2, 3]
    old = bytearray(HELLO)
    old[22] = 1
    seen = pair.agree(1, bytes(old))
    assert (seen.ports, [punt.reason for punt in seen.punted]) == ([], [INVALID_TTL])


def test_a_packet_comes_back_from_tracking_six_times_at_most(pair: Pair) -> None:
    for rounds, ports in ((6, [2]), (7, [])):
        pair.hold([*(Flow(CHAIN[n], 5, match(IP), (ct(n, CHAIN[n + 1]),)) for n in range(rounds)),
                   Flow(CHAIN[rounds], 1, match(), (output(2),))])
        assert pair.agree(1, HELLO).ports == ports


def test_too_many_resubmits_undo_everything(pair: Pair) -> None:
    for doublings, sent in ((11, 2048), (12, 0)):
        pair.hold([*(Flow(CHAIN[n], 5, match(), (resubmit(CHAIN[n + 1]),
                                                 resubmit(CHAIN[n + 1]))) for n in range(doublings)),
                   Flow(CHAIN[doublings], 1, match(), (output(2),))])
        assert len(pair.agree(1, HELLO).ports) == sent


def test_only_resubmits_backwards_are_limited_to_sixty_four(pair: Pair) -> None:
    pair.hold([*(Flow(CHAIN[n], 5, match(), (resubmit(CHAIN[n + 1]), output(2))) for n in range(70)),
               Flow(CHAIN[70], 1, match(), (output(3),))])
    assert len(pair.agree(1, HELLO).ports) == 71
    pair.hold([Flow(FIRST, 9, match(nw_ttl=1, **IP), (output(3),)),
               Flow(FIRST, 5, match(IP), (dec_ttl(), resubmit(FIRST)))])
    for hops, ports in ((65, [3]), (66, [])):
        frame = bytearray(HELLO)
        frame[22] = hops
        assert pair.agree(1, bytes(frame)).ports == ports


def test_a_packet_is_not_sent_back_to_where_it_came_from_unless_told_so(pair: Pair) -> None:
    pair.hold([Flow(FIRST, 5, match(), (output(1), output(2), IN_PORT))])
    assert pair.agree(1, HELLO).ports == [1, 2]


@pytest.mark.parametrize("broken", [HELLO[:-2], frames.ethernet(A, B, 0x0800, frames.ip(X, Y, 0, bytes(20)))],
                         ids=["cut short", "protocol 0"])
def test_a_packet_without_a_protocol_spoils_no_others_where_a_flow_looks_for_it(pair: Pair, broken: bytes) -> None:
    """Open vSwitch 3.1.0 writes nothing into the IP header of such a packet, nor then, from its cache, into any other
    (CVE-2023-1668), unless a flow on the way has looked at the protocol.
    """
    pair.hold([Flow(FIRST, 9, match(ip_proto=0, **IP), (drop("no protocol"),)), Flow(FIRST, 5, match(), (SECOND,)),
               Flow(SECOND, 5, match(IP), (set_field(ip_dscp=9), output(2)))])
    pair.ovs.cache(True)
    try:
        assert pair.agree(1, broken).drops == ["no protocol"]
        assert pair.agree(1, HELLO).ports == [2]
        assert fields(pair.last[2][0])["ip_dscp"] == 9
    finally:
        pair.ovs.cache(False)


# ---- conjunctions

def test_a_conjunction_is_met_when_each_clause_is_by_a_flow(pair: Pair) -> None:
    pair.hold([
        Flow(FIRST, 10, match(ipv4_src=X, **IP), (conjunction(5, 1, 2),)),
        Flow(FIRST, 10, match(ipv4_src="10.0.0.9", **IP), (conjunction(5, 1, 2),)),
        Flow(FIRST, 10, match(ip_proto=17, udp_dst=53, **IP), (conjunction(5, 2, 2), conjunction(6, 2, 2))),
        Flow(FIRST, 10, match(in_port=2), (conjunction(6, 1, 2),)),
        Flow(FIRST, 9, match(conj_id=5), (output(2),)), Flow(FIRST, 9, match(conj_id=6), (output(3),)),
        Flow(FIRST, 1, match(), (drop("rest"),)),
    ])
    assert pair.agree(1, HELLO).ports == [2]
    assert pair.agree(1, frames.udp(A, B, X, Y, 1000, 54)).drops == ["rest"]
    assert pair.agree(2, frames.udp(A, B, "10.0.0.8", Y, 1000, 53)).ports == [3]


def test_one_flow_that_holds_all_clauses_does_not_meet_a_conjunction(pair: Pair) -> None:
    """Open vSwitch 3.1 wants as many flows as clauses: no match must ever be in two clauses of one conjunction."""
    pair.hold([Flow(FIRST, 10, match(in_port=1), (conjunction(5, 1, 2), conjunction(5, 2, 2))),
               Flow(FIRST, 9, match(conj_id=5), (output(2),))])
    assert pair.agree(1, HELLO).ports == []
    pair.hold([Flow(FIRST, 10, match(in_port=1), (conjunction(5, 1, 2), conjunction(5, 2, 2))),
               Flow(FIRST, 9, match(conj_id=5), (output(2),)),
               Flow(FIRST, 10, match(IP), (conjunction(5, 2, 2),))])
    assert pair.agree(1, HELLO).ports == [2]


def test_a_plain_flow_of_the_same_priority_goes_before_a_conjunction(pair: Pair) -> None:
    parts = [Flow(FIRST, 10, match(in_port=1), (conjunction(5, 1, 2),)),
             Flow(FIRST, 10, match(IP), (conjunction(5, 2, 2),)),
             Flow(FIRST, 20, match(conj_id=5), (output(2),))]
    for priority, ports in ((10, [3]), (9, [2])):
        pair.hold([*parts, Flow(FIRST, priority, match(eth_src=A), (output(3),))])
        assert pair.agree(1, HELLO).ports == ports


def test_once_a_conjunction_is_met_its_flow_still_stands_among_the_plain_ones_by_priority(pair: Pair) -> None:
    pair.hold([Flow(FIRST, 10, match(in_port=1), (conjunction(5, 1, 2),)),
               Flow(FIRST, 10, match(IP), (conjunction(5, 2, 2),)),
               Flow(FIRST, 3, match(conj_id=5), (output(2),)), Flow(FIRST, 9, match(eth_src=A), (output(3),))])
    assert pair.agree(1, HELLO).ports == [3]
