"""Garbage: no reader of messages, matches or actions hangs on it, or fails in any way but Malformed."""
from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.openflow import (
    Flow,
    buckets,
    decode,
    frame,
    match,
    output,
    stats,
    text,
)
from controller.openflow import messages as m
from controller.openflow.counters import read_meter_drops
from controller.openflow.frame import Malformed
from tests.wire.corpus import FIRST, flows

FLOW = Flow(FIRST, 5, match(in_port=1), (output(2),))

READERS: list[tuple[int, Callable[[bytes], Any]]] = [
    (m.HELLO, m.read_hello), (m.ERROR, m.read_error), (m.ECHO_REQUEST, m.echo_reply),
    (m.FEATURES_REPLY, m.read_features),
    (m.PACKET_IN, m.read_packet_in), (m.PORT_STATUS, m.read_port_status), (m.ROLE_REPLY, m.read_role),
    (m.ROLE_STATUS, m.read_role),
    (m.BUNDLE_CONTROL, m.read_bundle_reply), (m.MULTIPART_REPLY, m.multipart_kind),
]
MULTIPART: list[tuple[int, Callable[[bytes], Any]]] = [
    (stats.FLOWS, m.read_flow_stats), (stats.FLOWS, m.read_flows_held), (stats.GROUP_DESC, m.read_groups),
    (stats.METER_CONFIG, m.read_meters), (stats.METER_FEATURES, m.read_meter_features), (stats.METER_STATS, read_meter_drops), (stats.PORT_DESC, m.read_ports),
    (stats.TABLES, m.read_flow_count),
]
LENGTHS = st.sampled_from([0, 1, 4, 7, 8, 16, 48, 56, 64, 72, 0xFFFF])
PIECES = st.one_of(st.binary(max_size=80), LENGTHS.map(lambda n: n.to_bytes(2, "big")), st.just(bytes(8)),
                   st.sampled_from([flow.body for flow in flows()]), st.sampled_from([flow.match for flow in flows()]))
GARBAGE = st.lists(PIECES, max_size=12).map(b"".join)


def within_a_second(read: Callable[[bytes], Any], whole: bytes) -> Any:
    begun = time.monotonic()
    try:
        return read(whole)
    except Malformed:
        return None
    finally:
        assert time.monotonic() - begun < 1


@settings(max_examples=300)
@given(GARBAGE)
@example(b"")
@example(bytes(64))
@example(b"\xff" * 200)
def test_no_reader_hangs_or_fails_otherwise_than_malformed(body: bytes) -> None:
    for kind, read in READERS:
        within_a_second(read, m.message(kind, body))
    for part, read in MULTIPART:
        within_a_second(read, m.message(m.MULTIPART_REPLY, struct.pack("!HH4x", part, 0) + body))


@settings(max_examples=300)
@given(GARBAGE)
@example(b"")
def test_no_decoder_hangs_or_fails_otherwise_than_malformed(body: bytes) -> None:
    for read in (decode.read_match, decode.read_body, buckets.read_group, buckets.read_meter):
        within_a_second(read, body)
    within_a_second(lambda whole: text.held_text((0, 1, whole), 0, whole), body)
    within_a_second(lambda whole: text.held_text(("group", 1), 0, whole), body)
    within_a_second(lambda whole: text.held_text(("meter", 1), 0, whole), body)


@settings(max_examples=300)
@given(st.sampled_from(flows()), st.integers(0, 300), st.integers(0, 255))
def test_one_wrong_byte_is_malformed_or_read(flow: Flow, place: int, value: int) -> None:
    whole = bytearray(flow.match + flow.body)
    whole[place % len(whole)] = value
    fields, body = bytes(whole[:len(flow.match)]), bytes(whole[len(flow.match):])
    within_a_second(lambda _: text.held_text((0, 1, fields), 0, body), b"")


@settings(max_examples=300)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([m.hello(), m.echo_request(b"x"), FLOW.add()])),
                max_size=8),
       st.integers(1, 50))
def test_a_stream_splits_the_same_however_it_arrives(pieces: list[bytes], step: int) -> None:
    stream = b"".join(pieces)

    def read(size: int) -> tuple[list[bytes], bool]:
        buffer, found = bytearray(), []
        for at in range(0, len(stream), size):
            buffer += stream[at:at + size]
            try:
                found += m.split(buffer)
            except Malformed:
                return found, False
        return found, True
    whole, good = read(len(stream) or 1)
    assert read(step)[0][:len(whole)] == whole or not good
    assert read(step)[1] == good


def test_lengths_below_the_header_and_foreign_versions_are_malformed() -> None:
    for raw in (bytes((5, 2, 0, 7, 0, 0, 0, 0)), bytes((5, 2, 0, 0, 0, 0, 0, 0)), bytes((4, 2, 0, 8, 0, 0, 0, 0))):
        with pytest.raises(Malformed):
            m.split(bytearray(raw))
    assert m.split(bytearray(bytes((6, 0, 0, 8, 0, 0, 0, 0)))) == [bytes((6, 0, 0, 8, 0, 0, 0, 0))]


def test_elements_do_not_pass_their_end() -> None:
    with pytest.raises(Malformed):
        list(frame.elements(bytes((0, 1, 0, 0)), 0, 4))
    with pytest.raises(Malformed):
        list(frame.elements(bytes((0, 1, 0, 9)), 0, 4))
