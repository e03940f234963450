"""Ask a switch what it holds, and read the answers into {key: (cookie, body)}: the form in which flows are compared."""
from __future__ import annotations

import struct
from typing import NamedTuple

from controller.openflow.actions import PORT_ANY
from controller.openflow.flow import FlowKey
from controller.openflow.frame import (
    HEADER_SIZE,
    MULTIPART_REPLY,
    MULTIPART_REQUEST,
    Malformed,
    expect,
    message,
)
from controller.openflow.group import GroupKey, MeterKey
from controller.openflow.match import match
from controller.openflow.ports import Port, read_port

FLOWS, TABLES, GROUP_DESC, METER_STATS, METER_CONFIG, METER_FEATURES, PORT_DESC = 1, 3, 7, 9, 10, 11, 13
_MORE = 1
BODY = HEADER_SIZE + 8         # where a multipart message's body begins
_FLOW = struct.Struct("!HB9xHHH6xQ16xHH")
_ALL_TABLES, _ALL_METERS = 0xFF, 0xFFFFFFFF
_ANY = match()

FlowsHeld = dict[FlowKey, tuple[int, bytes]]
GroupsHeld = dict[GroupKey, tuple[int, bytes]]
MetersHeld = dict[MeterKey, tuple[int, bytes]]


def _request(kind: int, body: bytes, xid: int) -> bytes:
    return message(MULTIPART_REQUEST, struct.pack("!HH4x", kind, 0) + body, xid)


def flow_stats_request(xid: int = 0, *, table: int = _ALL_TABLES, cookie: int = 0, cookie_mask: int = 0) -> bytes:
    """Ask for all flows; or those of a table, or those whose cookie agrees in the mask's bits."""
    body = struct.pack("!B3xII4xQQ", table, PORT_ANY, PORT_ANY, cookie, cookie_mask) + _ANY
    return _request(FLOWS, body, xid)


def table_stats_request(xid: int = 0) -> bytes:
    """Ask how many flows each table has: answered at once, however many there are."""
    return _request(TABLES, b"", xid)


def group_desc_request(xid: int = 0) -> bytes:
    """Ask for all groups."""
    return _request(GROUP_DESC, b"", xid)


def meter_stats_request(xid: int = 0) -> bytes:
    """Ask what all meters have dropped."""
    return _request(METER_STATS, struct.pack("!I4x", _ALL_METERS), xid)


def meter_config_request(xid: int = 0) -> bytes:
    """Ask for all meters."""
    return _request(METER_CONFIG, struct.pack("!I4x", _ALL_METERS), xid)


def meter_features_request(xid: int = 0) -> bytes:
    """Ask how many meters the switch can hold."""
    return _request(METER_FEATURES, b"", xid)


def port_desc_request(xid: int = 0) -> bytes:
    """Ask for all ports."""
    return _request(PORT_DESC, b"", xid)


def read_flow_count(whole: bytes) -> int:
    """How many flows the tables have of which a reply tells. Raises Malformed."""
    end = expect_part(whole, TABLES)
    if (end - BODY) % 24:
        raise Malformed(f"tables in {end - BODY} bytes")
    return sum(count for count, in struct.iter_unpack("!4xI16x", whole[BODY:end]))


def multipart_kind(whole: bytes) -> tuple[int, bool]:
    """What a multipart reply is about (FLOWS, GROUP_DESC, ...) and whether more of it follows."""
    expect(whole, MULTIPART_REPLY, BODY)
    kind, flags = struct.unpack_from("!HH", whole, HEADER_SIZE)
    return kind, bool(flags & _MORE)


def expect_part(whole: bytes, kind: int) -> int:
    """Where a multipart reply ends. Malformed if it is of another kind."""
    found, _ = multipart_kind(whole)
    if found != kind:
        raise Malformed(f"a multipart reply of type {found} where {kind} was expected")
    return len(whole)


def read_flow_stats(whole: bytes) -> FlowsHeld:
    """The flows in one multipart reply.

    A flow that will expire by itself is given cookie 0: none of ours does, so it counts as different from ours.
    """
    end, at, held = expect_part(whole, FLOWS), BODY, {}
    unpack = _FLOW.unpack_from
    last = end - 56                 # the smallest entry: its fixed part, then an empty match
    while at <= last:
        length, table, priority, idle, hard, cookie, kind, fields = unpack(whole, at)
        begin = at + 48
        body = begin + (fields + 7 & -8)
        at += length
        if fields < 4 or kind != 1 or body > at or at > end:
            raise Malformed(f"a flow of {length} bytes with a match of type {kind} and {fields} bytes")
        held[table, priority, whole[begin:body]] = (0 if idle or hard else cookie, whole[body:at])
    if at != end:
        raise Malformed(f"{end - at} bytes after the last flow")
    return held


class Held(NamedTuple):
    """A flow as a switch holds it, and what went through it since it was put there."""

    cookie: int
    body: bytes
    packets: int
    octets: int
    seconds: int


_HELD = struct.Struct("!HBxI4xHHH6xQQQHH")


def read_flows_held(whole: bytes) -> dict[FlowKey, Held]:
    """The flows in one multipart reply with their counters. `read_flow_stats` is the quick way without."""
    end, at = expect_part(whole, FLOWS), BODY
    held: dict[FlowKey, Held] = {}
    while at < end:
        if end - at < 56:
            raise Malformed(f"{end - at} bytes after the last flow")
        length, table, seconds, priority, _, _, cookie, packets, octets, kind, fields = _HELD.unpack_from(whole, at)
        begin = at + 48
        body = begin + (fields + 7 & -8)
        at += length
        if length < 56 or fields < 4 or kind != 1 or body > at or at > end:
            raise Malformed(f"a flow of {length} bytes with a match of type {kind} and {fields} bytes")
        held[table, priority, whole[begin:body]] = Held(cookie, whole[body:at], packets, octets, seconds)
    return held


def read_groups(whole: bytes) -> GroupsHeld:
    """The groups in one multipart reply (cookie 0)."""
    end, at = expect_part(whole, GROUP_DESC), BODY
    held: GroupsHeld = {}
    while at < end:
        if end - at < 8:
            raise Malformed(f"{end - at} bytes after the last group")
        length, kind, number = struct.unpack_from("!HBxI", whole, at)
        if length < 8 or at + length > end:
            raise Malformed(f"a group of {length} bytes where {end - at} are left")
        held["group", number] = 0, bytes((kind, 0)) + whole[at + 8:at + length]
        at += length
    return held


def read_meters(whole: bytes) -> MetersHeld:
    """The meters in one multipart reply (cookie 0)."""
    end, at = expect_part(whole, METER_CONFIG), BODY
    held: MetersHeld = {}
    while at < end:
        if end - at < 8:
            raise Malformed(f"{end - at} bytes after the last meter")
        length, flags, number = struct.unpack_from("!HHI", whole, at)
        if length < 8 or at + length > end:
            raise Malformed(f"a meter of {length} bytes where {end - at} are left")
        held["meter", number] = 0, flags.to_bytes(2, "big") + whole[at + 8:at + length]
        at += length
    return held


class MeterFeatures(NamedTuple):
    """How many meters a switch can hold, and how many bands each."""

    meters: int
    bands: int


def read_meter_features(whole: bytes) -> MeterFeatures:
    """The switch's answer to meter_features_request."""
    if expect_part(whole, METER_FEATURES) < BODY + 16:
        raise Malformed("meter features cut short")
    meters, bands = struct.unpack_from("!I8xB", whole, BODY)
    return MeterFeatures(meters, bands)


def read_ports(whole: bytes) -> list[Port]:
    """The ports in one multipart reply."""
    end, at, found = expect_part(whole, PORT_DESC), BODY, []
    while at < end:
        port, at = read_port(whole, at, end)
        found.append(port)
    return found
