"""Packets that a switch hands to the controller."""
from __future__ import annotations

import struct
from typing import NamedTuple

from controller.openflow.fields import FIELDS
from controller.openflow.frame import PACKET_IN, Malformed, expect

TABLE_MISS, APPLY_ACTION, INVALID_TTL, ACTION_SET, GROUP, FROM_PACKET_OUT = range(6)
_HEAD = struct.Struct("!IHBBQHH")
_IN_PORT = FIELDS["in_port"].header()
_TUNNEL = FIELDS["tunnel_id"].header()
_METADATA = FIELDS["metadata"].header()
_REGISTERS = {FIELDS[f"reg{n}"].header(): f"reg{n}" for n in range(16)}


class PacketIn(NamedTuple):
    """A packet that a flow sent to the controller, with what the pipeline knew of it.

    `cookie` is the flow's; `registers` holds those that are not zero by field name, so a Register finds its own;
    `length` is the packet's, of which `data` may be only the beginning.
    """

    cookie: int
    table: int
    in_port: int
    tunnel_id: int
    registers: dict[str, int]
    metadata: int
    reason: int
    length: int
    data: bytes


def read_packet_in(whole: bytes) -> PacketIn:
    """What a PACKET_IN says. Raises Malformed if a length is wrong or the match names no port."""
    expect(whole, PACKET_IN, 34)
    _, length, reason, table, cookie, kind, size = _HEAD.unpack_from(whole, 8)
    end = 24 + size
    data = 24 + (size + 7 & -8) + 2
    if kind != 1 or size < 4 or data > len(whole):
        raise Malformed(f"a packet-in with a match of type {kind} and {size} bytes")
    registers: dict[str, int] = {}
    seen: dict[bytes, int] = {}
    at = 28
    while at < end:
        if end - at < 4:
            raise Malformed("a field cut short")
        head = whole[at:at + 4]
        after = at + 4 + head[3]
        if after > end:
            raise Malformed(f"a field of {head[3]} bytes where {end - at - 4} are left")
        value = int.from_bytes(whole[at + 4:after], "big")
        name = _REGISTERS.get(head)
        if name is not None:
            registers[name] = value
        else:
            seen[head] = value
        at = after
    if _IN_PORT not in seen:
        raise Malformed("a packet-in from no port")
    return PacketIn(cookie, table, seen[_IN_PORT], seen.get(_TUNNEL, 0), registers, seen.get(_METADATA, 0), reason,
                    length,
                    whole[data:])
