"""UDP datagrams in tenants' frames (RFC 768), over IPv4 and over IPv6 (RFC 8200 §8.1)."""
from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from controller.packet import ethernet, ipv4, ipv6

_HEADER = Struct("!HHHH")
_PSEUDO = Struct("!4s4sHH")


class Datagram(NamedTuple):
    """A datagram with the addresses it travels under, as raw bytes."""
    to_mac: bytes
    from_mac: bytes
    to_ip: bytes
    from_ip: bytes
    to_port: int
    from_port: int
    payload: bytes


def read(frame: bytes) -> Datagram | None:
    """The datagram over IPv4 in an Ethernet frame, or None if it is anything else or its lengths disagree.

    The checksum is not held against: a guest that leaves checksums to its network card sends only the part of
    it that the card would complete, and a switch without a card hands that on to us.
    """
    outer = ethernet.read(frame)
    if outer is None or outer.ethertype != ethernet.IPV4:
        return None
    return _inside(outer, ipv4.read(outer.payload))


def read_over_ipv6(frame: bytes) -> Datagram | None:
    """The same over IPv6."""
    outer = ethernet.read(frame)
    if outer is None or outer.ethertype != ethernet.IPV6:
        return None
    return _inside(outer, ipv6.read(outer.payload))


def _inside(outer: ethernet.Frame, packet: ipv4.Packet | ipv6.Packet | None) -> Datagram | None:
    if packet is None or packet.protocol != ipv4.UDP:
        return None
    raw = packet.payload
    if len(raw) < 8:
        return None
    from_port, to_port, length, _ = _HEADER.unpack_from(raw)
    if not 8 <= length <= len(raw):
        return None
    return Datagram(outer.destination, outer.source, packet.destination, packet.source,
                    to_port, from_port, raw[8:length])


def write(datagram: Datagram) -> bytes:
    """The Ethernet frame that carries the datagram over IPv4 or IPv6, as its addresses say; checksums included."""
    to_mac, from_mac, to_ip, from_ip, to_port, from_port, payload = datagram
    length = 8 + len(payload)
    body = _HEADER.pack(from_port, to_port, length, 0) + payload
    four = len(from_ip) == 4
    # Nought would mean "no checksum"; its other form stands for it.
    check = (ipv4.checksum(_PSEUDO.pack(from_ip, to_ip, ipv4.UDP, length) + body) if four
             else ipv6.checksum(from_ip, to_ip, ipv6.UDP, body)) or 0xFFFF
    body = body[:6] + check.to_bytes(2, "big") + body[8:]
    if four:
        return ethernet.write(to_mac, from_mac, ethernet.IPV4, ipv4.write(from_ip, to_ip, ipv4.UDP, body))
    return ethernet.write(to_mac, from_mac, ethernet.IPV6, ipv6.write(from_ip, to_ip, ipv6.UDP, body))
