"""UDP datagrams in tenants' frames (RFC 768)."""
from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from controller.packet import ethernet, ipv4

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
    """The datagram in an Ethernet frame, or None if it is anything else or its lengths disagree.

    The checksum is not held against: a guest that leaves checksums to its network card sends only the part of
    it that the card would complete, and a switch without a card hands that on to us.
    """
    outer = ethernet.read(frame)
    if outer is None or outer.ethertype != ethernet.IPV4:
        return None
    packet = ipv4.read(outer.payload)
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
    """The Ethernet frame that carries the datagram, checksums included."""
    to_mac, from_mac, to_ip, from_ip, to_port, from_port, payload = datagram
    length = 8 + len(payload)
    header = _HEADER.pack(from_port, to_port, length, 0)
    # Nought would mean "no checksum"; its other form stands for it.
    check = ipv4.checksum(_PSEUDO.pack(from_ip, to_ip, ipv4.UDP, length) + header + payload) or 0xFFFF
    body = header[:6] + check.to_bytes(2, "big") + payload
    return ethernet.write(to_mac, from_mac, ethernet.IPV4, ipv4.write(from_ip, to_ip, ipv4.UDP, body))
