"""ARP for IPv4 over Ethernet (RFC 826)."""
from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from controller.packet import ethernet, ipv4

_LAYOUT = Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4, REQUEST = 1, 0x0800, 1
_FRAME = b"\x08\x06"


class Told(NamedTuple):
    """What an ARP packet says of its sender, and of whom it asks."""
    op: int
    sender_mac: str
    sender_ip: str
    target_ip: str


def read(frame: bytes) -> Told | None:
    """What an untagged or singly tagged frame says; None if it is no ARP, is cut short, or its sender has a group address."""
    start = 18 if frame[12:14] == b"\x81\x00" else 14
    if frame[start - 2:start] != _FRAME or len(frame) < start + _LAYOUT.size:
        return None
    kind, protocol, mac_size, ip_size, op, mac, ip, _, target = _LAYOUT.unpack_from(frame, start)
    if (kind, protocol, mac_size, ip_size) != (_ETHERNET, _IPV4, 6, 4) or mac[0] & 1 or not any(mac):
        return None
    return Told(op, ":".join(f"{octet:02x}" for octet in mac), ipv4.text(ip), ipv4.text(target))


def request(mac: str, ip: str, target: str) -> bytes:
    """The frame with which a station asks everybody for an address."""
    own = ethernet.address(mac)
    return b"\xff" * 6 + own + _FRAME + _LAYOUT.pack(
        _ETHERNET, _IPV4, 6, 4, REQUEST, own, ipv4.address(ip), bytes(6), ipv4.address(target))
