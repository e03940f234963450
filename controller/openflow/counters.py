"""What flows have counted: read by table while they are there, and said by the switch once more when one goes.

Open vSwitch carries counters over to the flow that replaces another under the same key, and says what a flow has counted
only after all that its datapath still had of it has been added (OpenFlow 1.4, 7.4.2).
"""
from __future__ import annotations

import struct
from typing import NamedTuple

from controller.openflow.flow import TELL_REMOVAL, FlowKey
from controller.openflow.frame import FLOW_REMOVED, Malformed, expect
from controller.openflow.match import match
from controller.openflow.stats import BODY, FLOWS, METER_STATS, expect_part

_FLOW = struct.Struct("!HBxIIH4xH4xQQQHH")
FIRST_FLOW: FlowKey = (0, 0, match())           # what becomes of a packet that nothing in the first table knows
METERS = 256                                    # stands for a table in the keys of what meters have dropped
_METER, _BAND = struct.Struct("!IH10x16xII"), struct.Struct("!QQ")
_REMOVED = struct.Struct("!QHBBII4xQQHH")


class Count(NamedTuple):
    """What a flow has counted since it, or the first of those that it replaced, was put there; `age` in seconds."""

    cookie: int
    packets: int
    octets: int
    age: float


class Removed(NamedTuple):
    """A flow that went, and the last that it counted."""

    key: FlowKey
    cookie: int
    packets: int
    octets: int


def read_counters(whole: bytes) -> dict[FlowKey, Count]:
    """The counters of the flows in one multipart reply that tell of their end, and of `FIRST_FLOW`; what they do is not
    looked at. Raises Malformed if it is unsound.
    """
    end, at = expect_part(whole, FLOWS), BODY
    found: dict[FlowKey, Count] = {}
    while at < end:
        if end - at < 56:
            raise Malformed(f"{end - at} bytes after the last flow")
        (length, table, seconds, nanoseconds, priority, flags, cookie, packets, octets, kind,
         fields) = _FLOW.unpack_from(whole, at)
        begin = at + 48
        last = begin + (fields + 7 & -8)
        at += length
        if length < 56 or fields < 4 or kind != 1 or last > at or at > end:
            raise Malformed(f"a flow of {length} bytes with a match of type {kind} and {fields} bytes")
        key = table, priority, whole[begin:last]
        if flags & TELL_REMOVAL or key == FIRST_FLOW:
            found[key] = Count(cookie, packets, octets, seconds + nanoseconds / 1e9)
    return found


def meter_key(number: int) -> FlowKey:
    """Under which a meter's count is known among those of flows."""
    return METERS, number, b""


def read_meter_drops(whole: bytes) -> dict[FlowKey, Count]:
    """What the meters in one multipart reply have dropped (cookie 0). Raises Malformed if it is unsound."""
    end, at = expect_part(whole, METER_STATS), BODY
    found: dict[FlowKey, Count] = {}
    while at < end:
        if end - at < _METER.size:
            raise Malformed(f"{end - at} bytes after the last meter")
        number, length, seconds, nanoseconds = _METER.unpack_from(whole, at)
        if length < _METER.size or (length - _METER.size) % _BAND.size or at + length > end:
            raise Malformed(f"a meter of {length} bytes where {end - at} are left")
        bands = list(_BAND.iter_unpack(whole[at + _METER.size:at + length]))
        found[meter_key(number)] = Count(0, sum(packets for packets, _ in bands), sum(octets for _, octets in bands),
                                         seconds + nanoseconds / 1e9)
        at += length
    return found


def read_flow_removed(whole: bytes) -> Removed:
    """A switch's FLOW_REMOVED. Malformed if its lengths contradict each other."""
    expect(whole, FLOW_REMOVED, 56)
    cookie, priority, _, table, _, _, packets, octets, kind, fields = _REMOVED.unpack_from(whole, 8)
    last = 48 + (fields + 7 & -8)
    if fields < 4 or kind != 1 or last != len(whole):
        raise Malformed(f"a removed flow with a match of type {kind} and {fields} bytes")
    return Removed((table, priority, whole[48:last]), cookie, packets, octets)
