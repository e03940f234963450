"""What a flow may do, each as the bytes of OpenFlow 1.4 actions, in the form in which Open vSwitch returns them."""
from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from controller.openflow.fields import FIELDS, VLAN_PRESENT, Field, exact, value_and_mask
from controller.openflow.match import Encoded
from controller.openflow.pipeline import Register, Table

NICIRA = 0x2320
PORT_IN_PORT, PORT_CONTROLLER, PORT_LOCAL, PORT_ANY = 0xFFFFFFF8, 0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF
NO_BUFFER = 0xFFFFFFFF  # send the whole packet
_CACHE = 65536


class Metered(NamedTuple):
    """Marker among a flow's actions: pass through this meter before anything else (an instruction in 1.4)."""

    id: int


class Drop(NamedTuple):
    """Marker in place of a flow's actions, or behind those that tell the controller: do nothing with the packet, for this
    reason."""

    reason: str


class Counted(NamedTuple):
    """Marker among a flow's actions: what passes it is what an object has `what` ("sent", "received", ...). It is read again
    and again, and once more when the flow goes. `within` is what it adds up in; `about` tells counts of one kind apart.
    """

    what: str
    kind: str
    id: str
    within: str = ""
    about: str = ""


def _nicira(subtype: int, body: bytes) -> bytes:
    """A Nicira extension action: experimenter header, body, padding to eight bytes."""
    length = 10 + len(body)
    return struct.pack("!HHIH", 0xFFFF, length + -length % 8, NICIRA, subtype) + body + bytes(-length % 8)


@lru_cache(_CACHE)
def output(port: int) -> bytes:
    """Send the packet out of a port. A packet is never sent to the port it came from: use IN_PORT for that."""
    if not 0 < port <= 0xFFFFFFFF:
        raise ValueError(f"output: {port} is not a port")
    return struct.pack("!HHIH6x", 0, 16, port, 0xFFFF if port == PORT_CONTROLLER else 0)


IN_PORT = output(PORT_IN_PORT)
# The port that a packet came from becomes none, so that it may be sent back there. Open vSwitch takes this one write to
# in_port only as a load of its older, 16 bit form.
FORGET_IN_PORT = struct.pack("!HHIHHIQ", 0xFFFF, 24, NICIRA, 7, 15, 2, 0)


@lru_cache(1024)
def controller(max_len: int = 0xFFFF) -> bytes:
    """Send the packet, or its first `max_len` bytes, to the controller; 0xffff means the whole packet."""
    if not 0 <= max_len <= 0xFFFF:
        raise ValueError(f"controller: max_len is 0..65535, not {max_len}")
    return struct.pack("!HHIH6x", 0, 16, PORT_CONTROLLER, max_len)


@lru_cache(_CACHE)
def tell(meter_id: int, max_len: int = 0xFFFF) -> bytes:
    """Send a copy of the packet, or its first `max_len` bytes, to the controller through a meter: what exceeds it is not told
    of, and all else that is done with the packet is done all the same (Nicira's controller action with a meter).
    """
    if not (0 < meter_id <= 0xFFFF0000 and 0 < max_len <= 0xFFFF):
        raise ValueError(f"tell: meter {meter_id}, {max_len} bytes")
    length = struct.pack("!HHH2x", 0, 8, max_len) if max_len != 0xFFFF else b""
    return _nicira(37, bytes(6) + length + struct.pack("!HHI", 5, 8, meter_id))


@lru_cache(_CACHE)
def group(id: int) -> bytes:
    """Hand the packet to a group."""
    if not 0 <= id <= 0xFFFFFF00:
        raise ValueError(f"group: {id} is not a group's number")
    return struct.pack("!HHI", 22, 8, id)


@lru_cache(_CACHE)
def meter(id: int) -> Metered:
    """Pass through a meter first; the flow's later actions see only what the meter lets by."""
    if not 0 < id <= 0xFFFF0000:
        raise ValueError(f"meter: {id} is not a meter's number")
    return Metered(id)


@lru_cache(_CACHE)
def set_queue(number: int) -> bytes:
    """Let what is sent from here on wait in a queue of its port, if there is one; the userspace datapath takes no notice."""
    return struct.pack("!HHI", 21, 8, number)


def count(what: str, kind: str, id: str, *, within: str = "", about: str = "") -> Counted:
    """Keep account of what passes the flow: see Counted."""
    return Counted(what, kind, id, within, about)


@lru_cache(1024)
def drop(reason: str) -> Drop:
    """Do nothing with the packet. The reason is for people: it is kept in the flow's `why`."""
    if not reason:
        raise ValueError("drop: say why")
    return Drop(reason)


def set_field(fields: Mapping[str, Any] | None = None, /, **more: Any) -> bytes:
    """Write values into packet fields or registers, in the order given: set_field({RECEIVER: 7}, eth_src="fa:...").

    (value, mask) writes only the mask's bits. Raises ValueError for an unknown or read-only field or a value that
    does not fit.
    """
    wanted = {**fields, **more} if fields and more else fields or more
    if not wanted:
        raise ValueError("set_field: name a field")
    try:
        if len(wanted) == 1:
            for name, value in wanted.items():
                return _sets[name][value]
        return b"".join([_sets[name][value] for name, value in wanted.items()])
    except KeyError as unknown:
        raise ValueError(f"{unknown.args[0]} is not a field") from None


_READ_ONLY = frozenset({"packet_type", "conj_id", "in_port", "actset_output", "ip_frag", "tcp_flags", "ip_proto",
                        "mpls_bos",
                        "ct_state", "ct_zone", "ct_nw_src", "ct_nw_dst", "ct_ipv6_src", "ct_ipv6_dst", "ct_nw_proto",
                        "ct_tp_src", "ct_tp_dst"})


def _set(field: Field, value: object, *, tracked: bool = False) -> bytes:
    if field.name in _READ_ONLY or (field.name in ("ct_mark", "ct_label") and not tracked):
        raise ValueError(f"{field.name} cannot be set")
    whole = exact(field, value) if field.name != "vlan_vid" else None
    if whole is None:
        wanted, mask = value_and_mask(field, value)
        if mask != field.full:
            return _load(field, wanted, mask)
        if field.name == "vlan_vid" and not wanted & VLAN_PRESENT:
            raise ValueError("vlan_vid: add VLAN_PRESENT (0x1000) to the number; pop_vlan() takes a tag away")
        whole = wanted.to_bytes(field.size, "big")
    head, padding = _SET_FRAMES[field.name]
    return head + whole + padding


def _set_frame(field: Field) -> tuple[bytes, bytes]:
    """What stands before and after the value in a set_field action."""
    head = field.header()
    length = 4 + len(head) + field.size
    return struct.pack("!HH", 25, length + 7 & -8) + head, bytes(-length % 8)


_SET_FRAMES = {name: _set_frame(field) for name, field in FIELDS.items()}
_sets = {name: Encoded(field, _set) for name, field in FIELDS.items()}


def _load(field: Field, value: int, mask: int) -> bytes:
    """A masked write: Open vSwitch turns it into one load for each run of bits, lowest first, 64 bits at most."""
    if not mask:
        raise ValueError(f"{field.name}: a mask of zero writes nothing")
    made, at = [], 0
    while mask >> at:
        if not mask >> at & 1:
            at += 1
            continue
        width = 1
        while width < 64 and mask >> (at + width) & 1:
            width += 1
        bits = value >> at & ((1 << width) - 1)
        made.append(_nicira(7, struct.pack("!H4sQ", at << 6 | width - 1, field.move_header, bits)))
        at += width
    return b"".join(made)


def _span(place: str | tuple[str, int, int]) -> tuple[Field, int, int]:
    """A field, or (field, first bit, last bit), as field, offset and width."""
    name, first, last = place if isinstance(place, tuple) else (place, 0, -1)
    if name not in FIELDS:
        raise ValueError(f"{name} is not a field")
    field = FIELDS[name]
    last = field.bits - 1 if last < 0 else last
    if not 0 <= first <= last < field.bits:
        raise ValueError(f"{name} has no bits {first}..{last}")
    return field, first, last - first + 1


@lru_cache(4096)
def move(src: str | tuple[str, int, int], dst: str | tuple[str, int, int]) -> bytes:
    """Copy a field into another; (field, first, last) names bits. Where one side is a whole wider field, its low
    bits take part. Raises ValueError if two spans of bits differ in width or the destination cannot be written.
    """
    source, from_bit, n = _span(src)
    target, to_bit, m = _span(dst)
    if n != m:
        if (n < m and isinstance(dst, tuple)) or (n > m and isinstance(src, tuple)):
            raise ValueError(f"move: {n} bits do not fit {m} bits")
        n = min(n, m)
    if target.name in _READ_ONLY:
        raise ValueError(f"{target.name} cannot be set")
    return _nicira(6, struct.pack("!HHH", n, from_bit, to_bit) + source.move_header + target.move_header)


class Nat(NamedTuple):
    """Address translation inside ct(): "src" or "dst", one address or a range, optionally a range of ports.

    An empty kind ("") means "as the connection was committed". There is no kind without an address: Open vSwitch 3.1
    drops connections committed so once a port is used again.
    """

    kind: str = ""
    address: str = ""
    last_address: str = ""
    ports: tuple[int, int] | None = None


def _nat(nat: Nat) -> bytes:
    if nat.kind not in ("", "src", "dst") or (nat.kind != "") != (nat.address != ""):
        raise ValueError("nat: (src or dst) with an address, or neither")
    if not nat.kind:
        return _nicira(36, struct.pack("!2xHH", 0, 0))
    family = socket.AF_INET6 if ":" in nat.address else socket.AF_INET
    present, body = 0, b""
    for place, address in enumerate((nat.address, nat.last_address)):
        if address:
            present |= (4 if family == socket.AF_INET6 else 1) << place
            body += socket.inet_pton(family, address)
    if nat.ports:
        first, last = nat.ports
        if not 0 < first <= last <= 0xFFFF:
            raise ValueError(f"nat: ports {first}-{last}")
        present |= 16 | (32 if last != first else 0)
        body += struct.pack("!H", first) + (struct.pack("!H", last) if last != first else b"")
    return _nicira(36, struct.pack("!2xHH", 1 if nat.kind == "src" else 2, present) + body)


@lru_cache(4096)
def ct(zone: int | Register = 0, table: Table | int | None = None, *, commit: bool = False, force: bool = False,
       mark: int | tuple[int, int] | None = None, label: int | tuple[int, int] | None = None,
       nat: Nat | None = None) -> bytes:
    """Pass the packet through connection tracking in a zone: a number, or the low 16 bits of a register.

    With `table` the tracked packet (ct_state and so on set) continues there; without it the packet goes on untracked.
    `commit` remembers the connection, `mark` and `label` are written on it, `force` starts it anew if the packet
    travels in the direction opposite to the one it was committed in.
    """
    if (mark is not None or label is not None or force) and not commit:
        raise ValueError("ct: mark, label and force need commit")
    if isinstance(zone, str):
        source, bits = FIELDS[zone].move_header, 15     # offset 0, sixteen bits
    else:
        if not 0 <= zone <= 0xFFFF:
            raise ValueError(f"ct: zones are 0..65535, not {zone}")
        source, bits = bytes(4), zone
    inner = _nat(nat) if nat is not None else b""
    for name, value in (("ct_mark", mark), ("ct_label", label)):
        if value is not None:
            inner += _set(FIELDS[name], value, tracked=True)
    back = 255 if table is None else table if isinstance(table, int) else table.number
    return _nicira(35, struct.pack("!H4sHB3xH", commit | force << 1, source, bits, back, 0) + inner)


@lru_cache(1)
def ct_clear() -> bytes:
    """Forget what connection tracking said about the packet."""
    return _nicira(43, b"")


@lru_cache(_CACHE)
def conjunction(id: int, clause: int, of: int) -> bytes:
    """This match satisfies one clause (1..of) of conjunction `id`; when all are satisfied, conj_id=id matches."""
    if not (2 <= of <= 64 and 1 <= clause <= of and 0 < id <= 0xFFFFFFFF):
        raise ValueError(f"conjunction: clause {clause} of {of}, id {id}")
    return struct.pack("!HHIHBBI", 0xFFFF, 16, NICIRA, 34, clause - 1, of, id)


@lru_cache(1024)
def resubmit(table: Table | int) -> bytes:
    """Look the packet up in another table now, then go on with the next action."""
    target = table if isinstance(table, int) else table.number
    return _nicira(14, struct.pack("!HB3x", 0xFFF8, target))


@lru_cache(1024)
def check_pkt_larger(size: int, dst: tuple[str, int]) -> bytes:
    """Write into a bit of a register whether the frame, with its Ethernet header, is longer than so many bytes."""
    if not 0 <= size <= 0xFFFF:
        raise ValueError(f"check_pkt_larger: {size} is not a size")
    target, bit, _ = _span((dst[0], dst[1], dst[1]))
    return _nicira(49, struct.pack("!HH4s6x", size, bit, target.move_header))


@lru_cache(4096)
def clone(*do: bytes) -> bytes:
    """Do this with a copy of the packet: what comes after finds the packet as it was.

    Open vSwitch makes a real copy only if it sees that the actions named here cannot be taken back, as `encap` cannot;
    behind a resubmit it does not look.
    """
    if not do:
        raise ValueError("clone: say what is done with the copy")
    return _nicira(42, bytes(6) + b"".join(do))


_DEC_TTL = struct.pack("!HHI", 24, 8, 0)
_DEC_MPLS_TTL = struct.pack("!HHI", 16, 8, 0)
_POP_VLAN = struct.pack("!HHI", 18, 8, 0)


def dec_ttl() -> bytes:
    """Count the IP hop; a packet whose TTL runs out goes to the controller with reason INVALID_TTL."""
    return _DEC_TTL


def dec_mpls_ttl() -> bytes:
    """Count the hop of the outermost label; a packet whose TTL runs out goes to the controller, as with dec_ttl."""
    return _DEC_MPLS_TTL


@lru_cache(16)
def push_vlan(ethertype: int = 0x8100) -> bytes:
    """Add a VLAN tag; set its number with set_field(vlan_vid=VLAN_PRESENT | number)."""
    return struct.pack("!HHH2x", 17, 8, ethertype)


def pop_vlan() -> bytes:
    """Take the outermost VLAN tag away."""
    return _POP_VLAN


@lru_cache(16)
def push_mpls(ethertype: int = 0x8847) -> bytes:
    """Add an MPLS label below the packet's own Ethernet header."""
    return struct.pack("!HHH2x", 19, 8, ethertype)


@lru_cache(64)
def pop_mpls(ethertype: int) -> bytes:
    """Take the outermost MPLS label away; `ethertype` is what then follows the Ethernet header."""
    return struct.pack("!HHH2x", 20, 8, ethertype)


@lru_cache(64)
def encap(packet_type: int) -> bytes:
    """Wrap the whole packet: 0 = in Ethernet, 0x18847 = in one MPLS label (namespace 1, ethertype 0x8847)."""
    return _nicira(46, struct.pack("!HI", 0, packet_type))


@lru_cache(64)
def decap(packet_type: int | None = None) -> bytes:
    """Unwrap the outermost header. What comes out is of `packet_type`; None lets the switch see for itself."""
    return _nicira(47, struct.pack("!HI", 0, 0xFFFE if packet_type is None else packet_type))
