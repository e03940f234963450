"""From bytes back to meaning: what a match asks for and what instructions do, whoever encoded them.

What we never encode ourselves is kept as it came (Unknown), so that any flow of a switch can be read and shown.
Raises Malformed where lengths contradict each other.
"""
from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from controller.openflow.actions import FORGET_IN_PORT, NICIRA, Nat
from controller.openflow.fields import EXPERIMENTER, FIELDS, Field
from controller.openflow.frame import Malformed


class Output(NamedTuple):
    """Send out of a port; `max_len` bytes if the port is the controller."""

    port: int
    max_len: int


class Tell(NamedTuple):
    """Send a copy to the controller, `max_len` bytes, as far as a meter lets it by."""

    meter: int
    max_len: int


class ToGroup(NamedTuple):
    """Hand to a group."""

    id: int


class SetQueue(NamedTuple):
    """What is sent from here on waits in this queue of the port that it leaves by."""

    number: int


class SetField(NamedTuple):
    """Write the bits of `mask` of a field."""

    field: Field
    value: int
    mask: int


class Move(NamedTuple):
    """Copy bits of a field into another."""

    source: Field
    source_bit: int
    target: Field
    target_bit: int
    bits: int


class Track(NamedTuple):
    """ct(): the zone is a number, or bits of a field; `then` is done to the connection when it is committed."""

    zone: int
    zone_field: Field | None
    zone_bit: int
    table: int | None
    commit: bool
    force: bool
    nat: Nat | None
    then: tuple[Action, ...]


class Untrack(NamedTuple):
    """ct_clear()."""


class Conjunction(NamedTuple):
    """One clause (from 1) of a conjunction is satisfied."""

    id: int
    clause: int
    of: int


class Clone(NamedTuple):
    """Do this with a copy of the packet."""

    then: tuple[Action, ...]


class Resubmit(NamedTuple):
    """Look up in another table, then go on."""

    table: int


class Plain(NamedTuple):
    """An action that is its name and at most one number: dec_ttl, dec_mpls_ttl, push_vlan, pop_vlan, push_mpls, pop_mpls."""

    name: str
    number: int | None


class Encap(NamedTuple):
    """Wrap in a header of this packet type."""

    packet_type: int


class Decap(NamedTuple):
    """Take the outermost header away; None: the switch sees for itself what follows."""

    packet_type: int | None


class Larger(NamedTuple):
    """Write into a bit whether the frame is longer than so many bytes."""

    size: int
    field: Field
    bit: int


class Unknown(NamedTuple):
    """An action or instruction that we do not encode."""

    raw: bytes


Action = (Output | Tell | ToGroup | SetQueue | SetField | Move | Track | Untrack | Conjunction | Clone | Resubmit | Plain | Encap | Decap
          | Larger | Unknown)


class Body(NamedTuple):
    """Instructions: a meter first, then actions, then the table to go on in; `other` is what we do not encode."""

    meter: int | None
    actions: tuple[Action, ...]
    goto: int | None
    other: tuple[Unknown, ...]


_BY_HEADER: dict[bytes, tuple[Field, bool]] = {}
for _field in FIELDS.values():
    _BY_HEADER[_field.header()] = _field, False
    _BY_HEADER[_field.header(True)] = _field, True
    _BY_HEADER.setdefault(_field.move_header, (_field, False))
_RESUBMIT_IN_PORT = 0xFFF8
_NEXT_PROTOCOL = 0xFFFE


def read_match(fields: bytes) -> dict[str, tuple[int, int]]:
    """{field: (value, mask)} of ofp_match bytes, in the order they came; unknown fields are named by their header."""
    if len(fields) < 8 or fields[:2] != b"\0\1":
        raise Malformed(f"not an OXM match: {fields[:8].hex()}")
    end = int.from_bytes(fields[2:4], "big")
    if end < 4 or len(fields) != (end + 7 & -8):
        raise Malformed(f"a match of {end} bytes in {len(fields)}")
    found: dict[str, tuple[int, int]] = {}
    at = 4
    while at < end:
        name, value, mask, at = _oxm(fields, at, end)
        found[name] = value, mask
    return found


def _oxm(data: bytes, at: int, end: int) -> tuple[str, int, int, int]:
    """Name, value, mask of the field at `at`, and where the next begins."""
    if end - at < 4:
        raise Malformed("a field cut short")
    cls, masked, length = int.from_bytes(data[at:at + 2], "big"), data[at + 2] & 1, data[at + 3]
    after = at + 4 + length
    body = at + (8 if cls == EXPERIMENTER else 4)
    if after > end or body > after or masked and (after - body) % 2:
        raise Malformed(f"a field of {length} bytes where {end - at - 4} are left")
    size = after - body >> masked
    value = int.from_bytes(data[body:body + size], "big")
    known = _BY_HEADER.get(data[at:body])
    if known is None:
        full = (1 << 8 * size) - 1
        mask = int.from_bytes(data[body + size:after], "big") if masked else full
        return f"oxm_{data[at:body].hex()}", value, mask, after
    mask = int.from_bytes(data[body + size:after], "big") if masked else known[0].full
    return known[0].name, value, mask, after


def read_actions(data: bytes, at: int, end: int) -> tuple[Action, ...]:
    """The actions between two places."""
    found = []
    while at < end:
        if end - at < 8:
            raise Malformed(f"{end - at} bytes left over after the last action")
        kind, length = struct.unpack_from("!HH", data, at)
        if length < 8 or length % 8 or at + length > end:
            raise Malformed(f"an action of {length} bytes where {end - at} are left")
        raw = data[at:at + length]
        if kind == 0xFFFF:
            vendor, = struct.unpack_from("!I", raw, 4)
            sort = struct.unpack_from("!H", raw, 8)[0] if vendor == NICIRA and length >= 16 else -1
            read = _NICIRA.get(sort, Unknown)
        else:
            read = _STANDARD.get(kind, Unknown)
        found.append(read(raw))
        at += length
    return tuple(found)


def _need(raw: bytes, size: int) -> None:
    if len(raw) < size:
        raise Malformed(f"an action of {len(raw)} bytes where {size} are needed")


def _output(raw: bytes) -> Action:
    _need(raw, 16)
    return Output(*struct.unpack_from("!IH", raw, 4))


def _tell(raw: bytes) -> Action:
    """Nicira's controller action, of which we know the properties max_len (0) and meter_id (5)."""
    at, said = 16, {0: 0xFFFF}
    while len(raw) - at >= 8:
        kind, size = struct.unpack_from("!HH", raw, at)
        if kind not in (0, 5) or size != 8:
            return Unknown(raw)
        said[kind] = int.from_bytes(raw[at + 4:at + (6 if kind == 0 else 8)], "big")
        at += 8
    return Tell(said[5], said[0]) if 5 in said else Unknown(raw)


def _set_field(raw: bytes) -> Action:
    name, value, mask, _ = _oxm(raw, 4, len(raw))
    return SetField(FIELDS[name], value, mask) if name in FIELDS else Unknown(raw)


def _load(raw: bytes) -> Action:
    _need(raw, 24)
    if raw == FORGET_IN_PORT:
        return SetField(FIELDS["in_port"], 0, FIELDS["in_port"].full)
    span, header, value = struct.unpack_from("!H4sQ", raw, 10)
    known = _BY_HEADER.get(header)
    if known is None:
        return Unknown(raw)
    first, bits = span >> 6, (span & 63) + 1
    if first + bits > 8 * known[0].size or value >> bits:
        raise Malformed(f"a load of {bits} bits at {first} into {known[0].name}")
    return SetField(known[0], value << first, (1 << bits) - 1 << first)


def _move(raw: bytes) -> Action:
    _need(raw, 24)
    bits, from_bit, to_bit, source, target = struct.unpack_from("!HHH4s4s", raw, 10)
    a, b = _BY_HEADER.get(source), _BY_HEADER.get(target)
    if a is None or b is None:
        return Unknown(raw)
    if not bits or from_bit + bits > 8 * a[0].size or to_bit + bits > 8 * b[0].size:
        raise Malformed(f"a move of {bits} bits from {a[0].name} to {b[0].name}")
    return Move(a[0], from_bit, b[0], to_bit, bits)


def _ct(raw: bytes) -> Action:
    _need(raw, 24)
    flags, source, bits, table, alg = struct.unpack_from("!H4sHB3xH", raw, 10)
    zone_field = None
    if source != bytes(4):
        known = _BY_HEADER.get(source)
        if known is None or bits & 63 != 15 or (bits >> 6) + 16 > 8 * known[0].size:
            return Unknown(raw)
        zone_field = known[0]
    nat, then = None, []
    for each in read_actions(raw, 24, len(raw)):
        if isinstance(each, Unknown) and each.raw[:2] == b"\xff\xff" and each.raw[8:10] == b"\0\x24":
            nat = _nat(each.raw)
        else:
            then.append(each)
    if alg or flags & ~3:
        return Unknown(raw)
    return Track(0 if zone_field else bits, zone_field, bits >> 6 if zone_field else 0, None if table == 255 else table,
                 bool(flags & 1), bool(flags & 2), nat, tuple(then))


def _nat(raw: bytes) -> Nat:
    flags, present = struct.unpack_from("!HH", raw, 12)
    at = 16

    def take(size: int) -> bytes:
        nonlocal at
        if at + size > len(raw):
            raise Malformed("an address translation cut short")
        at += size
        return raw[at - size:at]

    texts = ["", ""]
    for bit, (family, size) in enumerate(((socket.AF_INET, 4), (socket.AF_INET, 4),
                                          (socket.AF_INET6, 16), (socket.AF_INET6, 16))):
        if present >> bit & 1:
            texts[bit % 2] = socket.inet_ntop(family, take(size))
    ports = None
    if present & 16:
        first = int.from_bytes(take(2), "big")
        ports = first, int.from_bytes(take(2), "big") if present & 32 else first
    return Nat("src" if flags & 1 else "dst" if flags & 2 else "", texts[0], texts[1], ports)


def _resubmit(raw: bytes) -> Action:
    port, table = struct.unpack_from("!HB", raw, 10)
    return Resubmit(table) if port == _RESUBMIT_IN_PORT else Unknown(raw)


def _decap(raw: bytes) -> Action:
    packet_type, = struct.unpack_from("!I", raw, 12)
    return Decap(None if packet_type == _NEXT_PROTOCOL else packet_type)


def _larger(raw: bytes) -> Action:
    _need(raw, 24)
    size, bit, target = struct.unpack_from("!HH4s", raw, 10)
    known = _BY_HEADER.get(target)
    if known is None or bit >= 8 * known[0].size:
        return Unknown(raw)
    return Larger(size, known[0], bit)


def _plain(name: str, *, number: bool) -> Callable[[bytes], Action]:
    return lambda raw: Plain(name, struct.unpack_from("!H", raw, 4)[0] if number else None)


_STANDARD: Mapping[int, Callable[[bytes], Action]] = {
    0: _output, 25: _set_field, 22: lambda raw: ToGroup(*struct.unpack_from("!I", raw, 4)),
    21: lambda raw: SetQueue(*struct.unpack_from("!I", raw, 4)),
    16: _plain("dec_mpls_ttl", number=False), 17: _plain("push_vlan", number=True), 18: _plain("pop_vlan", number=False),
    19: _plain("push_mpls", number=True), 20: _plain("pop_mpls", number=True), 24: _plain("dec_ttl", number=False),
}
_NICIRA: Mapping[int, Callable[[bytes], Action]] = {
    6: _move, 7: _load, 14: _resubmit, 35: _ct, 42: lambda raw: Clone(read_actions(raw, 16, len(raw))),
    37: _tell, 43: lambda raw: Untrack(), 47: _decap, 49: _larger,
    34: lambda raw: Conjunction(int.from_bytes(raw[12:16], "big"), raw[10] + 1, raw[11]),
    46: lambda raw: Encap(int.from_bytes(raw[12:16], "big")) if raw[10:12] == b"\0\0" else Unknown(raw),
}


def read_body(body: bytes) -> Body:
    """What a flow's instructions do."""
    meter = goto = None
    actions: tuple[Action, ...] = ()
    other = []
    at, end = 0, len(body)
    while at < end:
        if end - at < 8:
            raise Malformed(f"{end - at} bytes left over after the last instruction")
        kind, length = struct.unpack_from("!HH", body, at)
        if length < 8 or length % 8 or at + length > end:
            raise Malformed(f"an instruction of {length} bytes where {end - at} are left")
        if kind == 1:
            goto = body[at + 4]
        elif kind == 4:
            actions = read_actions(body, at + 8, at + length)
        elif kind == 6:
            meter = int.from_bytes(body[at + 4:at + 8], "big")
        else:
            other.append(Unknown(body[at:at + length]))
        at += length
    return Body(meter, actions, goto, tuple(other))
