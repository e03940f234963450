"""Neighbour and router discovery (RFC 4861): what a router reads and advertises, where it is, and whom it asks for."""
from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

from controller.packet import ethernet, ipv6

SOLICITATION, ADVERTISEMENT, QUESTION, NEIGHBOUR = 133, 134, 135, 136
MANAGED, OTHER = 0x80, 0x40                 # flags: addresses by DHCPv6; other configuration by DHCPv6
ON_LINK, AUTONOMOUS = 0x80, 0x40            # of a prefix: on this link; hosts may make addresses of it
INFINITE = 0xFFFFFFFF                       # as the lifetime of what an option says

_HOP_LIMIT = 64                             # that hosts should use in what they send
_NEAR = 255                                 # hop limit that no router has touched: it came from this link
_LINK_LAYER, _TARGET_LINK_LAYER = 1, 2
_ADVERTISEMENT = Struct("!BBHBBHII")
HEAD = _ADVERTISEMENT.size                  # bytes of an advertisement before its options
_PREFIX = Struct("!BBBBIII16s")
_ROUTE = Struct("!BBBBI")
_NEIGHBOUR = Struct("!BBHI16s2s6s")
_ROUTER_OVERRIDE = 0xA0000000               # flags of a neighbour advertisement (§4.4)


class Neighbour(NamedTuple):
    """A station on the link, as it says of itself."""
    sender_mac: str
    sender_ip: str


class Solicitation(NamedTuple):
    """Who asks for a router. The address is `::` if it has none yet."""
    mac: bytes
    address: bytes


def read_solicitation(frame: bytes) -> Solicitation | None:
    """The solicitation in a frame, or None if it is not one that RFC 4861 §6.1.1 lets a router answer."""
    outer = ethernet.read(frame)
    if outer is None or outer.ethertype != ethernet.IPV6:
        return None
    packet = ipv6.read(outer.payload)
    if packet is None or packet.protocol != ipv6.ICMPV6 or packet.hops != _NEAR or packet.source[0] == 0xFF:
        return None
    raw = packet.payload
    if len(raw) < 8 or raw[0] != SOLICITATION or raw[1]:
        return None
    if ipv6.checksum(packet.source, packet.destination, ipv6.ICMPV6, raw):
        return None
    options = _options(raw[8:])
    if options is None or (packet.source == ipv6.ANY and _LINK_LAYER in options):
        return None
    return Solicitation(outer.source, packet.source)


def read_neighbour(frame: bytes) -> Neighbour | None:
    """Whom a neighbour advertisement speaks for, or None if it is not one that RFC 4861 §7.1.2 lets us believe."""
    outer = ethernet.read(frame)
    packet = ipv6.read(outer.payload) if outer is not None and outer.ethertype == ethernet.IPV6 else None
    if packet is None or packet.protocol != ipv6.ICMPV6 or packet.hops != _NEAR:
        return None
    raw = packet.payload
    if len(raw) < 24 or raw[0] != NEIGHBOUR or raw[1] or raw[8] == 0xFF:
        return None
    if ipv6.checksum(packet.source, packet.destination, ipv6.ICMPV6, raw):
        return None
    mac = (_options(raw[24:]) or {}).get(_TARGET_LINK_LAYER, b"")
    if len(mac) != 6 or mac[0] & 1 or not any(mac):
        return None
    return Neighbour(mac.hex(":"), ipv6.text(raw[8:24]))


class Claim(NamedTuple):
    """What a machine says is its own by asking for a neighbour or by telling of one: the MAC only if it says one."""
    address: bytes
    mac: bytes | None


def read_claim(frame: bytes) -> Claim | None:
    """What is claimed in a frame; None if it is no neighbour discovery, or a malformed one."""
    outer = ethernet.read(frame)
    packet = ipv6.read(outer.payload) if outer is not None and outer.ethertype == ethernet.IPV6 else None
    if packet is None or packet.protocol != ipv6.ICMPV6 or len(packet.payload) < 24 \
            or packet.payload[0] not in (QUESTION, NEIGHBOUR):
        return None
    asks, options = packet.payload[0] == QUESTION, _options(packet.payload[24:])
    if options is None:
        return None
    return Claim(packet.source if asks else packet.payload[8:24],
                 options.get(_LINK_LAYER if asks else _TARGET_LINK_LAYER))


def _options(raw: bytes) -> dict[int, bytes] | None:
    """The options by type, or None if one has no length or ends beyond the message."""
    found, at = {}, 0
    while at < len(raw):
        if at + 2 > len(raw) or not raw[at + 1] or at + 8 * raw[at + 1] > len(raw):
            return None
        found[raw[at]] = raw[at + 2:at + 8 * raw[at + 1]]
        at += 8 * raw[at + 1]
    return found


# ---- options of an advertisement

def link_layer(mac: bytes) -> bytes:
    """The MAC of who advertises (§4.6.1)."""
    return b"\1\1" + mac


def mtu(size: int) -> bytes:
    """The largest packet that the link carries, in bytes (§4.6.4)."""
    return b"\5\1\0\0" + size.to_bytes(4, "big")


def prefix(first: bytes, length: int, flags: int, lifetime: int = INFINITE) -> bytes:
    """A block of addresses (§4.6.2), valid and preferred for so many seconds; 0 says that it should go."""
    return _PREFIX.pack(3, 4, length, flags, lifetime, lifetime, 0, first)


def route(first: bytes, length: int, lifetime: int) -> bytes:
    """A block that is reached through who advertises (RFC 4191 §2.3); only the bytes of it that count."""
    words = (length + 63) // 64
    return _ROUTE.pack(24, 1 + words, length, 0, lifetime) + first[:8 * words]


def name_servers(addresses: Iterable[bytes], lifetime: int = INFINITE) -> bytes:
    """Recursive DNS servers (RFC 8106 §5.1), at most 127."""
    found = b"".join(addresses)
    return b"".join((bytes((25, 1 + len(found) // 8, 0, 0)), lifetime.to_bytes(4, "big"), found))


def search_list(names: bytes, lifetime: int = INFINITE) -> bytes:
    """Domains in which names are looked for (RFC 8106 §5.2); `names` as DNS writes them."""
    padded = names + bytes(-len(names) % 8)
    return b"".join((bytes((31, 1 + len(padded) // 8, 0, 0)), lifetime.to_bytes(4, "big"), padded))


# ---- messages

def advertisement(flags: int, lifetime: int, options: Iterable[bytes]) -> bytes:
    """The message without its checksum. `lifetime`: seconds for which its sender is a default router, 0 if it is none."""
    return _ADVERTISEMENT.pack(ADVERTISEMENT, 0, 0, _HOP_LIMIT, flags, lifetime, 0, 0) + b"".join(options)


def advertise(mac: bytes, message: bytes, to: Solicitation | None = None) -> bytes:
    """The frame in which whoever has `mac` advertises: to who asked, or to all on the link."""
    if to is None or to.address == ipv6.ANY:
        to = Solicitation(ipv6.multicast_mac(ipv6.ALL_NODES), ipv6.ALL_NODES)
    to_mac, destination = to
    source = ipv6.link_local(mac)
    check = ipv6.checksum(source, destination, ipv6.ICMPV6, message)
    raw = message[:2] + check.to_bytes(2, "big") + message[4:]
    return ethernet.write(to_mac, mac, ethernet.IPV6, ipv6.write(source, destination, ipv6.ICMPV6, raw, _NEAR))


def here_is(mac: bytes, address: bytes) -> bytes:
    """The frame with which a router tells all on the link that an address is at its MAC now, unasked (§7.2.6)."""
    message = _NEIGHBOUR.pack(NEIGHBOUR, 0, 0, _ROUTER_OVERRIDE, address, b"\2\1", mac)
    return _said(mac, address, ipv6.multicast_mac(ipv6.ALL_NODES), ipv6.ALL_NODES, message)


def who_is(mac: bytes, own: bytes, target: bytes) -> bytes:
    """The frame with which a station asks for a neighbour (§7.2.2)."""
    group = ipv6.SOLICITED_NODE + target[13:]
    return _said(mac, own, ipv6.multicast_mac(group), group,
                 _NEIGHBOUR.pack(QUESTION, 0, 0, 0, target, b"\1\1", mac))


def _said(mac: bytes, own: bytes, to_mac: bytes, to: bytes, message: bytes) -> bytes:
    check = ipv6.checksum(own, to, ipv6.ICMPV6, message)
    raw = message[:2] + check.to_bytes(2, "big") + message[4:]
    return ethernet.write(to_mac, mac, ethernet.IPV6, ipv6.write(own, to, ipv6.ICMPV6, raw, _NEAR))
