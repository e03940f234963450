"""Connections as the walk tracks them, each beside Open vSwitch: what is new, a reply, related; translation."""
from __future__ import annotations

from typing import Any

import pytest

from controller.openflow import (
    Flow,
    Nat,
    controller,
    ct,
    match,
    move,
    output,
    set_field,
)
from controller.openflow.text import CT_STATES
from controller.openflow.walk import Conntrack, Tables, walk
from tests.kit import frames
from tests.kit.dummy_ovs import DummyOvs
from tests.kit.fields import fields
from tests.wire.agreement import Pair, tracker
from tests.wire.corpus import FIRST, LAST, NETWORK, SECOND
from tests.wire.ends import ACK, FIN, HELLO, IP, IP6, RST, SYN, X6, Y6, A, B, X, Y, pair_of


@pytest.fixture(scope="module")
def pair(dummy_ovs: DummyOvs) -> Pair:
    return pair_of(dummy_ovs, "c")


def state(pair: Pair, port: int, frame: bytes, **more: Any) -> str:
    sent, = pair.agree(port, frame, **more).sent
    return "+".join(word for bit, word in enumerate(CT_STATES) if sent.packet["eth_dst"] >> bit & 1)


NEW, EST, REPLY, INVALID = "new+trk", "est+trk", "est+rpl+trk", "inv+trk"


def tcp(port: int, flags: int, number: int = 2000, payload: bytes = b"") -> bytes:
    if port == 1:
        return frames.tcp(A, B, X, Y, number, 80, flags=flags, payload=payload)
    return frames.tcp(B, A, Y, X, 80, number, flags=flags, payload=payload)


@pytest.mark.parametrize("story", [
    [(1, SYN, NEW), (1, SYN, NEW), (2, SYN | ACK, REPLY), (1, ACK, EST), (2, ACK, REPLY), (1, FIN | ACK, EST),
     (2, FIN | ACK, REPLY),
     (1, ACK, EST), (1, SYN, NEW), (2, SYN | ACK, REPLY)],
    [(1, SYN, NEW), (2, RST | ACK, REPLY), (1, SYN, NEW), (1, SYN, NEW), (2, SYN | ACK, REPLY)],
    [(1, ACK, NEW), (1, ACK, EST), (2, ACK, REPLY)], [(1, SYN, NEW), (1, ACK, EST), (2, SYN | ACK, REPLY)],
    [(1, SYN | ACK, INVALID)], [(1, 0, INVALID)], [(1, FIN, INVALID)], [(1, SYN | RST, INVALID)], [(1, RST, NEW)],
], ids=["a whole life", "refused, then tried again", "picked up in the middle", "loss on the way",
        "an answer to nothing", "no flags",
        "a lone FIN", "SYN and RST", "a lone RST"])
def test_a_tcp_connection(pair: Pair, story: list[tuple[int, int, str]]) -> None:
    pair.hold(tracker())
    assert [state(pair, port, tcp(port, flags)) for port, flags, _ in story] == [wanted for _, _, wanted in story]


@pytest.mark.parametrize(("there", "back"), [
    (HELLO, frames.udp(B, A, Y, X, 53, 1000)), (frames.echo(A, B, X, Y), frames.echo(B, A, Y, X, reply=True)),
    (frames.echo(A, B, X6, Y6), frames.echo(B, A, Y6, X6, reply=True)),
    (frames.udp(A, B, X6, Y6, 1, 2), frames.udp(B, A, Y6, X6, 2, 1)),
    (frames.icmp(A, B, X, Y, 13, 0, bytes(16)), frames.icmp(B, A, Y, X, 14, 0, bytes(16))),
    *((frames.packet(A, B, X, Y, protocol, bytes(32)), frames.packet(B, A, Y, X, protocol,
                                                                     bytes(32))) for protocol in (2, 47, 50, 112)),
], ids=["udp", "ping", "ping6", "udp6", "timestamp", "igmp", "gre", "esp", "vrrp"])
def test_a_connection_is_new_until_it_is_answered(pair: Pair, there: bytes, back: bytes) -> None:
    pair.hold(tracker())
    assert [state(pair, port, frame) for port, frame in ((1, there), (1, there), (2, back), (1, there), (2, back))] == [
        NEW, NEW, REPLY, EST, REPLY]


def test_what_cannot_begin_a_connection_is_invalid(pair: Pair) -> None:
    pair.hold(tracker())
    for frame in (frames.echo(B, A, Y, X, reply=True), frames.ns(A, X6, Y6), frames.na(A, X6, B, Y6), frames.rs(A, X6),
                  frames.icmp(A, B, X, Y, 9), frames.icmp(A, B, X, Y, 3, 1, bytes(4) + HELLO[14:42]), HELLO[:30]):
        assert state(pair, 1, frame) == INVALID


def test_an_icmp_error_belongs_to_the_connection_that_it_quotes(pair: Pair) -> None:
    pair.hold(tracker())
    state(pair, 1, HELLO)
    error = frames.icmp(B, A, Y, X, 3, 1, bytes(4) + HELLO[14:42])
    assert state(pair, 2, error, quoted=fields(HELLO)) == "rel+rpl+trk"
    same_way = frames.icmp(A, B, X, Y, 11, 0, bytes(4) + frames.udp(B, A, Y, X, 53, 1000)[14:42])
    assert state(pair, 1, same_way, quoted=fields(frames.udp(B, A, Y, X, 53, 1000))) == "rel+trk"


PROTOCOLS = (1, 6, 17, 58, 132)          # those of which conntrack shows ports


@pytest.mark.parametrize(("there", "back"), [
    (HELLO, frames.udp(B, A, Y, X, 53, 1000)),
    (frames.tcp(A, B, X, Y, 2000, 80, flags=SYN), frames.tcp(B, A, Y, X, 80, 2000, flags=SYN | ACK)),
    (frames.echo(A, B, X, Y), frames.echo(B, A, Y, X, reply=True)),
    (frames.echo(A, B, X6, Y6), frames.echo(B, A, Y6, X6, reply=True)),
    (frames.udp(A, B, X6, Y6, 1, 2), frames.udp(B, A, Y6, X6, 2, 1)),
    (frames.icmp(A, B, X, Y, 13, 0, bytes(16)), frames.icmp(B, A, Y, X, 14, 0, bytes(16))),
], ids=["udp", "tcp", "ping", "ping6", "udp6", "timestamp"])
def test_both_directions_show_the_packet_that_opened_the_connection(pair: Pair, there: bytes, back: bytes) -> None:
    """Its protocol and ports are written into the MACs; of ICMP they are type and code. Its addresses are matched."""
    flows = []
    for family, source, target in ((IP, ("ct_nw_src", X), ("ct_nw_dst", Y)), (IP6, ("ct_ipv6_src", X6), ("ct_ipv6_dst", Y6))):
        flows.append(Flow(FIRST, 5, match(family), (ct(7, SECOND),)))
        for protocol in PROTOCOLS:
            asked = {**family, "ct_state": (0x20, 0x30), "ct_nw_proto": protocol, source[0]: source[1], target[0]: target[1]}
            shown = (move("ct_nw_proto", ("eth_src", 0, 7)), move("ct_tp_src", ("eth_dst", 0, 15)),
                     move("ct_tp_dst", ("eth_dst", 16, 31)), ct(7, commit=True), output(3))
            flows.append(Flow(SECOND, 5, match(asked), shown))
    pair.hold(flows)
    seen = [pair.agree(port, frame).sent[0].packet for port, frame in ((1, there), (2, back), (1, there))]
    assert len({(packet["eth_src"] & 0xFF, packet["eth_dst"] & 0xFFFFFFFF) for packet in seen}) == 1


def test_an_error_shows_the_packet_that_opened_the_connection_which_it_is_about(pair: Pair) -> None:
    asked = {**IP, "ct_state": (0x20, 0x30), "ct_nw_proto": 17, "ct_nw_src": X, "ct_nw_dst": Y, "ct_tp_src": 1000, "ct_tp_dst": 53}
    pair.hold([Flow(FIRST, 5, match(IP), (ct(7, SECOND),)), Flow(SECOND, 5, match(asked), (ct(7, commit=True), output(3)))])
    assert pair.agree(1, HELLO).ports == [3]
    error = frames.icmp(B, A, Y, X, 3, 1, bytes(4) + HELLO[14:42])
    assert pair.agree(2, error, quoted=fields(HELLO)).ports == [3]
    stranger = frames.udp(A, B, X, Y, 1000, 54)
    assert pair.agree(2, frames.icmp(B, A, Y, X, 3, 1, bytes(4) + stranger[14:42]), quoted=fields(stranger)).ports == []


def test_of_icmp_only_code_0_can_be_tracked(pair: Pair) -> None:
    pair.hold(tracker())
    assert state(pair, 1, frames.icmp(A, B, X, Y, 8, 1, bytes(16))) == INVALID


def test_zones_know_nothing_of_each_other_and_a_register_names_one(pair: Pair) -> None:
    look_up = [Flow(FIRST, 5, match({**IP, "in_port": port}), (set_field({NETWORK: 100 + port}),
                                                               ct(NETWORK, SECOND))) for port in (1, 2)]
    pair.hold([*look_up, Flow(SECOND, 5, match({**IP, "ct_state": (0x21, 0x21)}),
                              (ct(NETWORK, commit=True), output(3)))])
    assert pair.agree(1, HELLO).ports == [3]
    assert pair.agree(2, frames.udp(B, A, Y, X, 53, 1000)).ports == [3], "an answer in another zone is new there"
    assert pair.agree(1, frames.udp(B, A, Y, X, 53, 1000)).ports == []


def test_marks_and_labels_are_written_in_part_and_found_again(pair: Pair) -> None:
    again = (move("ct_label", "xxreg0"), move("reg3", ("eth_dst", 0, 31)),
             move(("ct_mark", 0, 7), ("eth_dst", 40, 47)), output(3))
    pair.hold([Flow(FIRST, 5, match(IP), (ct(7, SECOND),)), Flow(SECOND, 3, match(IP), again),
               Flow(SECOND, 9, match({**IP, "ct_state": (0x21, 0x21), "ct_mark": 0}),
                    (ct(7, LAST, commit=True, mark=6, label=(9, 15)),)),
               Flow(SECOND, 8, match({**IP, "ct_state": (0x21, 0x21), "ct_mark": 6}),
                    (ct(7, LAST, commit=True, mark=(0xFF, 1), label=16),)),
               Flow(LAST, 1, match(), again)])
    assert [pair.agree(1, HELLO).sent[0].packet["eth_dst"] >> 40 for _ in range(3)] == [6, 7, 7]


def test_after_ct_the_packet_itself_goes_on_untracked(pair: Pair) -> None:
    pair.hold([Flow(FIRST, 5, match(IP), (ct(7, SECOND),)), Flow(SECOND, 5, match({**IP, "ct_state": (0x20, 0x20)}),
                                                              (ct(7, commit=True), LAST)),
               Flow(LAST, 5, match(ct_state=(0x20, 0x20)), (output(2),)), Flow(LAST, 3, match(), (output(3),))])
    assert pair.agree(1, HELLO).ports == [3]


def test_force_begins_a_connection_anew_in_the_other_direction(pair: Pair) -> None:
    shown = move(("ct_state", 0, 7), ("eth_dst", 0, 7))
    pair.hold([Flow(FIRST, 5, match({**IP, "in_port": 1}), (ct(7, SECOND, commit=True),)),
               Flow(FIRST, 5, match({**IP, "in_port": 2}), (ct(7, SECOND, commit=True, force=True),)),
               Flow(SECOND, 5, match(), (shown, output(3)))])
    assert [state(pair, 1, HELLO), state(pair, 2, frames.udp(B, A, Y, X, 53, 1000)), state(pair, 1, HELLO)] == [NEW,
        NEW, REPLY]


def test_forgetting_connections() -> None:
    tables, known = Tables(tracker()), Conntrack()
    packet = {**fields(HELLO), "in_port": 1}
    walk(tables, packet, conntrack=known)
    known.forget(8)
    assert known.connections
    known.forget(7)
    assert not known.connections


# ---- translation

@pytest.mark.parametrize(("nat", "seen"), [
    (Nat("src", "10.9.9.9"), ("10.9.9.9", 1000, Y, 53)), (Nat("src", "10.9.9.9", ports=(4000, 4000)),
                                                          ("10.9.9.9", 4000, Y, 53)),
    (Nat("dst", "10.9.9.9"), (X, 1000, "10.9.9.9", 53)), (Nat("dst", "10.9.9.9", ports=(8053, 8053)),
                                                          (X, 1000, "10.9.9.9", 8053)),
], ids=["source", "source and port", "target", "target and port"])
@pytest.mark.parametrize("make", [frames.udp, frames.tcp])
def test_what_is_translated_on_the_way_there_is_translated_back(pair: Pair, nat: Nat, seen: tuple[str, int, str, int],
                                                                make: Any) -> None:
    out = (move(("ct_state", 0, 7), ("eth_dst", 0, 7)), output(3))
    pair.hold([Flow(FIRST, 5, match({**IP, "in_port": 1}), (ct(7, SECOND, commit=True, nat=nat),)),
               Flow(FIRST, 5, match({**IP, "in_port": 2}), (ct(7, SECOND, nat=Nat()),)), Flow(SECOND, 5, match(), out)])
    reply = {"flags": SYN | ACK} if make is frames.tcp else {}
    source, source_port, target, target_port = seen
    there = state(pair, 1, make(A, B, X, Y, 1000, 53))
    arrived = fields(pair.last[3][0])
    assert there == ("new+trk+snat" if nat.kind == "src" else "new+trk+dnat")
    assert arrived == {**arrived, **fields(make(A, B, *(source, target, source_port, target_port))),
                       "eth_dst": arrived["eth_dst"]}
    back = state(pair, 2, make(B, A, target, source, target_port, source_port, **reply))
    assert back == ("est+rpl+trk+dnat" if nat.kind == "src" else "est+rpl+trk+snat")
    returned = fields(pair.last[3][0])
    assert returned == {**returned, **fields(make(B, A, Y, X, 53, 1000, **reply)), "eth_dst": returned["eth_dst"]}
    assert state(pair, 1, make(A, B, X, Y, 1000, 53, **({"flags": ACK} if reply else {}))).startswith("est+trk+")


def test_translation_shows_on_the_wire_but_not_to_the_flows_that_follow_in_the_same_round(pair: Pair) -> None:
    pair.hold([Flow(FIRST, 5, match(IP), (ct(7, commit=True, nat=Nat("src", "10.9.9.9")), SECOND)),
               Flow(SECOND, 5, match({**IP, "ipv4_src": X}), (output(3), controller()))])
    seen = pair.agree(1, HELLO)
    assert seen.ports == [3]
    assert len(seen.punted) == 1
