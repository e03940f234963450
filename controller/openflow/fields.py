"""Every packet field that a flow may match or set: its name, its header on the wire, its width, what it needs.

The order of the table is the order in which Open vSwitch writes a match back (its nx_put_raw), so what we
encode is byte for byte what the switch returns, and desired and actual flows can be compared as bytes.
"""
from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

BASIC, NXM0, NXM1 = 0x8000, 0x0000, 0x0001
ERICSSON = 0x1000       # the class that Open vSwitch uses for two fields of neighbour discovery
EXPERIMENTER = 0xFFFF
ONF = 0x4F4E4600        # experimenter id of fields that became standard only with OpenFlow 1.5

ETH_IPV4, ETH_ARP, ETH_RARP, ETH_IPV6, ETH_MPLS, ETH_MPLS_MULTICAST = 0x0800, 0x0806, 0x8035, 0x86DD, 0x8847, 0x8848
VLAN_PRESENT = 0x1000   # the bit of vlan_vid that says "there is a tag" (OpenFlow 1.4, 7.2.3.7)

Needs = tuple[tuple[str, frozenset[int]], ...]


def _needs(**wanted: int | tuple[int, ...]) -> Needs:
    return tuple((name, frozenset(v if isinstance(v, tuple) else (v,))) for name, v in wanted.items())


_IP4, _IP6, _IP = _needs(eth_type=ETH_IPV4), _needs(eth_type=ETH_IPV6), _needs(eth_type=(ETH_IPV4, ETH_IPV6))
_ARP = _needs(eth_type=(ETH_ARP, ETH_RARP))
_MPLS = _needs(eth_type=(ETH_MPLS, ETH_MPLS_MULTICAST))
_TCP, _UDP, _SCTP = (_IP + _needs(ip_proto=number) for number in (6, 17, 132))
_ICMP4, _ICMP6 = _IP4 + _needs(ip_proto=1), _IP6 + _needs(ip_proto=58)
_CT4, _CT6, _CT = (each + (("ct_state", frozenset[int]()),) for each in (_IP4, _IP6, _IP))
_CT_PORTS = _CT + _needs(ct_nw_proto=(1, 6, 17, 58, 132))
_ND, _NS, _NA = (_ICMP6 + _needs(icmpv6_type=types) for types in ((135, 136), 135, 136))


_FULL = [(1 << bits) - 1 for bits in range(129)]


class Field(NamedTuple):
    """One field: where it stands in a match, its header, its width in bytes (`size`) and in bits that may be set.

    `kind` says how people write it: "number", "mac", "ipv4" or "ipv6". `needs` names the other fields that a match
    must hold, and the values they must have (none named: `match` knows which bits). `experimenter` is 0 or the id
    that follows the header.
    `move_header` is the header that Open vSwitch writes inside a move or load (NXM where NXM has the field).
    """

    name: str
    order: int
    cls: int
    number: int
    size: int
    bits: int
    kind: str
    maskable: bool
    needs: Needs
    experimenter: int
    move_header: bytes

    @property
    def full(self) -> int:
        """The mask that stands for all bits of the field."""
        return _FULL[self.bits]

    def header(self, masked: bool = False) -> bytes:
        """The OXM header (OpenFlow 1.4, 7.2.3.2), with the experimenter id where the field has one."""
        extra = 4 if self.experimenter else 0
        length = extra + (self.size << masked)
        head = (self.cls << 16 | self.number << 9 | masked << 8 | length).to_bytes(4, "big")
        return head + self.experimenter.to_bytes(4, "big") if extra else head


_MAC, _V4, _V6 = (48, "mac"), (32, "ipv4"), (128, "ipv6")
_MASK, _EXACT = True, False
_Row = tuple[str, int, int, int, str, bool, Needs, tuple[int, int] | None]
#  name, class, number, bits, kind, maskable, needs, (class, number) in a move if it differs
_LAYOUT: list[_Row] = [
    ("packet_type", BASIC, 44, 32, "number", _EXACT, (), None),
    ("conj_id", NXM1, 37, 32, "number", _EXACT, (), None),
    ("in_port", BASIC, 0, 32, "number", _EXACT, (), None),
    ("actset_output", EXPERIMENTER, 43, 32, "number", _EXACT, (), None),
    ("eth_src", BASIC, 4, *_MAC, _MASK, (), (NXM0, 2)),
    ("eth_dst", BASIC, 3, *_MAC, _MASK, (), (NXM0, 1)),
    ("eth_type", BASIC, 5, 16, "number", _EXACT, (), (NXM0, 3)),
    ("vlan_vid", BASIC, 6, 13, "number", _MASK, (), None),
    ("vlan_pcp", BASIC, 7, 3, "number", _EXACT, (("vlan_vid", frozenset[int]()),), None),
    ("mpls_tc", BASIC, 35, 3, "number", _EXACT, _MPLS, None),
    ("mpls_bos", BASIC, 36, 1, "number", _EXACT, _MPLS, None),
    ("mpls_label", BASIC, 34, 20, "number", _EXACT, _MPLS, None),
    ("ipv4_src", BASIC, 11, *_V4, _MASK, _IP4, (NXM0, 7)),
    ("ipv4_dst", BASIC, 12, *_V4, _MASK, _IP4, (NXM0, 8)),
    ("ipv6_src", BASIC, 26, *_V6, _MASK, _IP6, (NXM1, 19)),
    ("ipv6_dst", BASIC, 27, *_V6, _MASK, _IP6, (NXM1, 20)),
    ("ip_frag", NXM1, 26, 2, "number", _MASK, _IP, None),
    ("ip_dscp", BASIC, 8, 6, "number", _EXACT, _IP, None),
    ("ip_ecn", BASIC, 9, 2, "number", _EXACT, _IP, (NXM1, 28)),
    ("nw_ttl", NXM1, 29, 8, "number", _EXACT, _IP, None),
    ("ipv6_flabel", BASIC, 28, 20, "number", _MASK, _IP6, (NXM1, 27)),
    ("ip_proto", BASIC, 10, 8, "number", _EXACT, _IP, (NXM0, 6)),
    ("tcp_src", BASIC, 13, 16, "number", _MASK, _TCP, (NXM0, 9)),
    ("tcp_dst", BASIC, 14, 16, "number", _MASK, _TCP, (NXM0, 10)),
    ("tcp_flags", EXPERIMENTER, 42, 12, "number", _MASK, _TCP, (NXM1, 34)),
    ("udp_src", BASIC, 15, 16, "number", _MASK, _UDP, (NXM0, 11)),
    ("udp_dst", BASIC, 16, 16, "number", _MASK, _UDP, (NXM0, 12)),
    ("sctp_src", BASIC, 17, 16, "number", _MASK, _SCTP, None),
    ("sctp_dst", BASIC, 18, 16, "number", _MASK, _SCTP, None),
    ("icmpv4_type", BASIC, 19, 8, "number", _EXACT, _ICMP4, (NXM0, 13)),
    ("icmpv4_code", BASIC, 20, 8, "number", _EXACT, _ICMP4, (NXM0, 14)),
    ("icmpv6_type", BASIC, 29, 8, "number", _EXACT, _ICMP6, (NXM1, 21)),
    ("icmpv6_code", BASIC, 30, 8, "number", _EXACT, _ICMP6, (NXM1, 22)),
    ("nd_reserved", ERICSSON, 1, 32, "number", _EXACT, _ND, None),
    ("nd_target", BASIC, 31, *_V6, _MASK, _ND, (NXM1, 23)),
    ("nd_options_type", ERICSSON, 2, 8, "number", _EXACT, _ND, None),
    ("nd_sll", BASIC, 32, *_MAC, _MASK, _NS, (NXM1, 24)),
    ("nd_tll", BASIC, 33, *_MAC, _MASK, _NA, (NXM1, 25)),
    ("arp_op", BASIC, 21, 16, "number", _EXACT, _ARP, (NXM0, 15)),
    ("arp_spa", BASIC, 22, *_V4, _MASK, _ARP, (NXM0, 16)),
    ("arp_tpa", BASIC, 23, *_V4, _MASK, _ARP, (NXM0, 17)),
    ("arp_sha", BASIC, 24, *_MAC, _MASK, _ARP, (NXM1, 17)),
    ("arp_tha", BASIC, 25, *_MAC, _MASK, _ARP, (NXM1, 18)),
    ("tunnel_id", BASIC, 38, 64, "number", _MASK, (), (NXM1, 16)),
    ("tun_src", NXM1, 31, *_V4, _MASK, (), None),
    ("tun_dst", NXM1, 32, *_V4, _MASK, (), None),
    ("tun_ipv6_src", NXM1, 109, *_V6, _MASK, (), None),
    ("tun_ipv6_dst", NXM1, 110, *_V6, _MASK, (), None),
    *((f"reg{n}", NXM1, n, 32, "number", _MASK, (), None) for n in range(16)),
    *((f"xxreg{n}", NXM1, 111 + n, 128, "number", _MASK, (), None) for n in range(4)),
    ("pkt_mark", NXM1, 33, 32, "number", _MASK, (), None),
    ("ct_state", NXM1, 105, 8, "number", _MASK, (), None),
    ("ct_zone", NXM1, 106, 16, "number", _EXACT, (), None),
    ("ct_mark", NXM1, 107, 32, "number", _MASK, (), None),
    ("ct_label", NXM1, 108, 128, "number", _MASK, (), None),
    ("ct_nw_src", NXM1, 120, *_V4, _MASK, _CT4, None),
    ("ct_ipv6_src", NXM1, 122, *_V6, _MASK, _CT6, None),
    ("ct_nw_dst", NXM1, 121, *_V4, _MASK, _CT4, None),
    ("ct_ipv6_dst", NXM1, 123, *_V6, _MASK, _CT6, None),
    ("ct_nw_proto", NXM1, 119, 8, "number", _EXACT, _CT, None),
    ("ct_tp_src", NXM1, 124, 16, "number", _MASK, _CT_PORTS, None),
    ("ct_tp_dst", NXM1, 125, 16, "number", _MASK, _CT_PORTS, None),
    ("metadata", BASIC, 2, 64, "number", _MASK, (), None),
]


def _field(order: int, row: _Row) -> Field:
    name, cls, number_, bits, kind, maskable, needs, moved = row
    size = 4 if bits == 20 or name == "ct_state" else (bits + 7) // 8
    experimenter = ONF if cls == EXPERIMENTER else 0
    field = Field(name, order, cls, number_, size, bits, kind, maskable, needs, experimenter, b"")
    move = field._replace(cls=moved[0], number=moved[1], experimenter=0).header() if moved else field.header()
    return field._replace(move_header=move)


FIELDS: Mapping[str, Field] = MappingProxyType({row[0]: _field(order, row) for order, row in enumerate(_LAYOUT)})


def _mac(text: str) -> int:
    digits = text.replace(":", "")
    if len(text) != 17 or text[2::3] != ":::::" or len(digits) != 12 or not (digits.isascii() and digits.isalnum()):
        raise ValueError(f"{text!r} is not a MAC address")
    return int(digits, 16)


def _address(family: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            return int.from_bytes(socket.inet_pton(family, text), "big")
        except OSError:
            raise ValueError(f"{text!r} is not an IP address of the field's version") from None
    return read


_READ: Mapping[str, Callable[[str], int]] = {
    "mac": _mac, "ipv4": _address(socket.AF_INET), "ipv6": _address(socket.AF_INET6),
    "number": lambda text: int(text, 0),
}


def number(field: Field, value: int | str) -> int:
    """The integer that a field holds: "10.0.0.1", "fa:16:3e:00:00:01" and 7 all become integers.

    Raises ValueError if the value cannot be read or does not fit into the field.
    """
    found = value if isinstance(value, int) else _READ[field.kind](value)
    if not 0 <= found <= field.full:
        raise ValueError(f"{field.name}: {value!r} does not fit into {field.bits} bits")
    return int(found)


def value_and_mask(field: Field, value: object) -> tuple[int, int]:
    """Value and mask of what a match asks of a field: 7, "10.0.0.0/24", "fe80::/64" or (value, mask).

    Raises ValueError if it cannot be read, does not fit, or is masked where the switch takes no mask.
    """
    mask = field.full
    if value.__class__ is int or value.__class__ is str and "/" not in value:
        return number(field, value), mask
    if isinstance(value, tuple):
        value, given = value
        mask = number(field, given)
    elif isinstance(value, str) and "/" in value:
        value, given = value.split("/", 1)
        if field.kind in ("ipv4", "ipv6") and given.isdigit():
            if int(given) > field.bits:
                raise ValueError(f"{field.name}: /{given} is longer than the address")
            mask = field.full ^ (field.full >> int(given))
        else:
            mask = number(field, given)
    if not isinstance(value, int | str):
        raise ValueError(f"{field.name}: {value!r} is neither a number nor a text")
    if mask not in (0, field.full) and not field.maskable:
        raise ValueError(f"{field.name} takes no mask")
    return number(field, value) & mask, mask


_BYTES: Mapping[str, Callable[[str], bytes]] = {
    "mac": lambda text: bytes.fromhex(text.replace(":", "")) if text[2::3] == ":::::" else b"",
    "ipv4": lambda text: socket.inet_pton(socket.AF_INET, text),
    "ipv6": lambda text: socket.inet_pton(socket.AF_INET6, text),
}


def exact(field: Field, value: object) -> bytes | None:
    """The bytes of one value as it is mostly given, quicker than `value_and_mask`; None if it has to look."""
    if value.__class__ is int:
        return value.to_bytes(field.size, "big") if 0 <= value <= field.full else None
    try:
        found = _BYTES[field.kind](value)                                                  # type: ignore[arg-type]
    except (LookupError, OSError, TypeError, ValueError, AttributeError):
        return None
    return found if len(found) == field.size else None


def text_of(field: Field, value: int) -> str:
    """A field's value as people write it: an address, a MAC address or a decimal number."""
    if field.kind == "mac":
        return value.to_bytes(6, "big").hex(":")
    if field.kind == "ipv4":
        return socket.inet_ntop(socket.AF_INET, value.to_bytes(4, "big"))
    if field.kind == "ipv6":
        return socket.inet_ntop(socket.AF_INET6, value.to_bytes(16, "big"))
    return str(value)
