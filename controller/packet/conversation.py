"""Who speaks with whom, read from the beginning of a frame that may be cut short, in pieces, or with IPv6 options."""
from __future__ import annotations

from typing import NamedTuple

from controller.packet import ethernet, ipv4, ipv6

TAGS = (0x8100, 0x88A8)
ICMP, ICMPV6 = 1, 58
_WITH_PORTS = (6, 17, 33, 132, 136)             # TCP, UDP, DCCP, SCTP, UDP-Lite
_OPTIONS = (0, 43, 60)                          # hop by hop, routing, destination (RFC 8200)
_FRAGMENT, _AUTHENTICATION = 44, 51
_MOST_OPTIONS = 8


class Conversation(NamedTuple):
    """`first` and `second` are the ports of source and destination, or ICMP's type and code; None if there are none to see."""

    family: int
    protocol: int
    source: str
    destination: str
    first: int | None
    second: int | None


def read(frame: bytes) -> Conversation | None:
    """What a frame says of it, behind one tag at most; None if it is not IP, or cut short before the addresses."""
    outer = ethernet.read(frame)
    if outer is not None and outer.ethertype in TAGS:
        outer = ethernet.read(frame[:12] + frame[16:])
    if outer is None:
        return None
    raw = outer.payload
    if outer.ethertype == ethernet.IPV4 and len(raw) >= 20:
        later = (raw[6] << 8 | raw[7]) & 0x1FFF
        return _said(ethernet.IPV4, raw[9], ipv4.text(raw[12:16]), ipv4.text(raw[16:20]),
                     b"" if later else raw[(raw[0] & 15) * 4:])
    if outer.ethertype == ethernet.IPV6 and len(raw) >= 40:
        protocol, rest = _behind_options(raw[6], raw[40:])
        return _said(ethernet.IPV6, protocol, ipv6.text(raw[8:24]), ipv6.text(raw[24:40]), rest)
    return None


def _said(family: int, protocol: int, source: str, destination: str, rest: bytes) -> Conversation:
    if protocol in _WITH_PORTS and len(rest) >= 4:
        return Conversation(family, protocol, source, destination, rest[0] << 8 | rest[1], rest[2] << 8 | rest[3])
    if protocol in (ICMP, ICMPV6) and len(rest) >= 2:
        return Conversation(family, protocol, source, destination, rest[0], rest[1])
    return Conversation(family, protocol, source, destination, None, None)


def _behind_options(protocol: int, rest: bytes) -> tuple[int, bytes]:
    """The protocol behind IPv6's extension headers, and what is left of it; nothing of a later piece."""
    for _ in range(_MOST_OPTIONS):
        if len(rest) < 8 or protocol not in (*_OPTIONS, _FRAGMENT, _AUTHENTICATION):
            break
        if protocol == _FRAGMENT and (rest[2] << 8 | rest[3]) >> 3:
            return rest[0], b""
        size = 8 if protocol == _FRAGMENT else (rest[1] + 2) * 4 if protocol == _AUTHENTICATION else (rest[1] + 1) * 8
        protocol, rest = rest[0], rest[size:]
    return protocol, rest
