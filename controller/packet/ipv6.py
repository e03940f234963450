"""IPv6 headers of tenants' packets (RFC 8200)."""
from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from controller.packet.ipv4 import checksum as internet_checksum
from controller.values import ip_number, ip_text

ANY = bytes(16)
ALL_NODES = b"\xff\2" + bytes(13) + b"\1"           # ff02::1 (RFC 4291 §2.7.1)
SOLICITED_NODE = b"\xff\2" + bytes(9) + b"\1\xff"     # ff02::1:ff00:0/104, completed by an address's last three bytes
UDP, ICMPV6 = 17, 58

_HEADER = Struct("!IHBB16s16s")
_PSEUDO = Struct("!16s16sI3xB")
_LINK_LOCAL = b"\xfe\x80" + bytes(6)


class Packet(NamedTuple):
    """One whole packet without extension headers. Addresses are 16 raw bytes."""
    source: bytes
    destination: bytes
    protocol: int
    hops: int                       # hop limit: 255 says that no router has had it
    payload: bytes


def address(text: str) -> bytes:
    """The sixteen bytes of an IPv6 address."""
    return ip_number(text).to_bytes(16, "big")


def text(raw: bytes) -> str:
    """The address as people write it."""
    return ip_text(6, int.from_bytes(raw, "big"))


def link_local(mac: bytes) -> bytes:
    """The link-local address that a machine makes of its MAC (RFC 4291 appendix A)."""
    return b"".join((_LINK_LOCAL, bytes((mac[0] ^ 2,)), mac[1:3], b"\xff\xfe", mac[3:]))


def is_link_local(raw: bytes) -> bool:
    """fe80::/64, the only part of fe80::/10 that is in use (RFC 4291 §2.5.6)."""
    return raw[:8] == _LINK_LOCAL


def multicast_mac(group: bytes) -> bytes:
    """The MAC address to which packets for a group go (RFC 2464 §7)."""
    return b"\x33\x33" + group[12:]


def checksum(source: bytes, destination: bytes, protocol: int, body: bytes) -> int:
    """The checksum of an upper layer's `body` with its pseudo-header (RFC 8200 §8.1): 0 if it carries a right one."""
    return internet_checksum(_PSEUDO.pack(source, destination, len(body), protocol) + body)


def read(raw: bytes) -> Packet | None:
    """The packet without padding, or None: too short, lengths that disagree.

    What follows an extension header is not looked for: none has business in the messages that we answer, and
    neighbour discovery must not be fragmented (RFC 6980).
    """
    if len(raw) < 40 or raw[0] >> 4 != 6:
        return None
    _, length, protocol, hops, source, destination = _HEADER.unpack_from(raw)
    if 40 + length > len(raw):
        return None
    return Packet(source, destination, protocol, hops, raw[40:40 + length])


def write(source: bytes, destination: bytes, protocol: int, payload: bytes, hops: int = 64) -> bytes:
    """The packet's bytes."""
    return _HEADER.pack(6 << 28, len(payload), protocol, hops, source, destination) + payload
