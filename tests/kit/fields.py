"""The OpenFlow fields of a frame, as Open vSwitch extracts them (its lib/flow.c, vlan-limit 1)."""

from __future__ import annotations

import struct

from tests.kit.frames import ARP, ICMP, ICMPV6, IPV4, IPV6, QINQ, SCTP, TCP, UDP, VLAN

PRESENT = 0x1000  # in vlan_vid: there is a tag
NO_TYPE = 0x05FF  # eth_type of an 802.3 frame that is not SNAP
FIRST, LATER = 1, 3  # ip_frag
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_LINK_LAYER = {1: "nd_sll", 2: "nd_tll"}


def fields(frame: bytes) -> dict[str, int]:
    """Field names as in controller/openflow/fields.py with numbers; what the frame lacks or gets wrong is left out.

    But for the fields of neighbour discovery: in a solicitation or advertisement that lacks them they match as 0.
    """
    found = {"eth_dst": _number(frame[0:6]), "eth_src": _number(frame[6:12])}
    rest = frame[12:]
    if rest[:2] in (VLAN.to_bytes(2, "big"), QINQ.to_bytes(2, "big")) and len(rest) >= 6:
        tag = _number(rest[2:4])
        found.update(vlan_vid=PRESENT | tag & 0xFFF, vlan_pcp=tag >> 13)
        rest = rest[4:]
    else:
        found["vlan_vid"] = 0
    found["eth_type"], rest = _ethertype(rest)
    reader = {ARP: _arp, IPV4: _ipv4, IPV6: _ipv6}.get(found["eth_type"])
    if reader:
        reader(rest, found)
    return found


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _ethertype(rest: bytes) -> tuple[int, bytes]:
    kind = _number(rest[:2])
    if kind >= 0x600:
        return kind, rest[2:]
    if rest[2:8] == b"\xaa\xaa\x03\0\0\0" and len(rest) >= 10 and _number(rest[8:10]) >= 0x600:
        return _number(rest[8:10]), rest[10:]
    return NO_TYPE, rest[2:]


def _arp(raw: bytes, found: dict[str, int]) -> None:
    if len(raw) < 28 or raw[:6] != b"\0\1\x08\0\6\4":
        return
    op, sha, spa, tha, tpa = struct.unpack("!H6s4s6s4s", raw[6:28])
    found.update(
        arp_op=op if op < 256 else 0,
        arp_spa=_number(spa),
        arp_tpa=_number(tpa),
        arp_sha=_number(sha),
        arp_tha=_number(tha),
    )


def _ipv4(raw: bytes, found: dict[str, int]) -> None:
    if len(raw) < 20:
        return
    start, length, fragment = (raw[0] & 15) * 4, _number(raw[2:4]), _number(raw[6:8])
    if start < 20 or length > len(raw) or start > length:
        return
    found.update(
        ipv4_src=_number(raw[12:16]),
        ipv4_dst=_number(raw[16:20]),
        ip_proto=raw[9],
        nw_ttl=raw[8],
        ip_dscp=raw[1] >> 2,
        ip_ecn=raw[1] & 3,
        ip_frag=_fragmented(fragment & 0x1FFF, fragment & 0x2000),
    )
    if found["ip_frag"] != LATER:
        _transport(raw[9], raw[start:length], found)


def _fragmented(offset: int, more: int) -> int:
    return LATER if offset else FIRST if more else 0


def _ipv6(raw: bytes, found: dict[str, int]) -> None:
    if len(raw) < 40:
        return
    word, length, following, hops = struct.unpack("!IHBB", raw[:8])
    if 40 + length > len(raw):
        return
    found.update(
        ipv6_src=_number(raw[8:24]),
        ipv6_dst=_number(raw[24:40]),
        ipv6_flabel=word & 0xFFFFF,
        ip_dscp=0,
        ip_ecn=0,
        nw_ttl=0,
        ip_frag=0,
        ip_proto=0,
    )
    past = _past_extensions(following, raw[40 : 40 + length])
    if past is None:
        return
    protocol, fragment, rest = past
    found.update(ip_dscp=word >> 22 & 0x3F, ip_ecn=word >> 20 & 3, nw_ttl=hops, ip_frag=fragment, ip_proto=protocol)
    if fragment != LATER:
        _transport(protocol, rest, found)


def _past_extensions(following: int, rest: bytes) -> tuple[int, int, bytes] | None:
    """Protocol, ip_frag and what follows the extension headers; None if they do not fit."""
    fragment = 0
    while following in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION):
        if len(rest) < 8:
            return None
        if following == _FRAGMENT:
            size, word = 8, _number(rest[2:4])
            fragment = _fragmented(word & 0xFFF8, word & 1)
            if fragment == LATER:
                return _FRAGMENT, fragment, rest
        else:
            size = (rest[1] + 2) * 4 if following == _AUTHENTICATION else (rest[1] + 1) * 8
        if size > len(rest):
            return None
        following, rest = rest[0], rest[size:]
    return following, fragment, rest


def _transport(protocol: int, raw: bytes, found: dict[str, int]) -> None:
    name, least = {
        TCP: ("tcp", 20),
        UDP: ("udp", 8),
        SCTP: ("sctp", 12),
        ICMP: ("icmpv4", 8),
        ICMPV6: ("icmpv6", 8),
    }.get(protocol, ("", 0))
    if not name or len(raw) < least or (protocol == ICMP) != (protocol == ICMP and "ipv4_src" in found):
        return
    if protocol in (ICMP, ICMPV6):
        found.update({f"{name}_type": raw[0], f"{name}_code": raw[1]})
        if protocol == ICMPV6 and raw[0] in (135, 136):
            found.update(
                {"nd_target": 0, "nd_reserved": 0, "nd_options_type": 0, "nd_sll" if raw[0] == 135 else "nd_tll": 0}
            )
            if raw[1] == 0 and len(raw) >= 24:
                _discovery(raw, found)
        return
    found.update({f"{name}_src": _number(raw[:2]), f"{name}_dst": _number(raw[2:4])})
    if protocol == TCP:
        found["tcp_flags"] = _number(raw[12:14]) & 0xFFF


def _discovery(raw: bytes, found: dict[str, int]) -> None:
    """A neighbour solicitation or advertisement: its target, and the link-layer address that belongs to its kind.

    An option of no or too great a length ends the reading; a second one of a kind makes nothing of all of them.
    """
    seen = {"nd_sll": 0, "nd_tll": 0}
    target, last, at = _number(raw[8:24]), 0, 24
    while len(raw) - at >= 8:
        kind, size = raw[at], raw[at + 1] * 8
        if not size or at + size > len(raw):
            break
        if kind in _LINK_LAYER and size == 8:
            if seen[_LINK_LAYER[kind]]:
                target, seen = 0, {"nd_sll": 0, "nd_tll": 0}
                break
            seen[_LINK_LAYER[kind]], last = _number(raw[at + 2 : at + 8]), kind
        at += size
    name = "nd_sll" if raw[0] == 135 else "nd_tll"
    found.update({"nd_target": target, "nd_reserved": _number(raw[4:8]), "nd_options_type": last, name: seen[name]})
