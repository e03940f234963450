"""IPv4 headers of tenants' packets (RFC 791)."""
from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import NamedTuple

ANY = b"\0\0\0\0"
BROADCAST = b"\xff\xff\xff\xff"
UDP = 17

_HEADER = Struct("!BBHHHBBH4s4s")
_FRAGMENT = 0x3FFF                  # "more fragments" and the offset


class Packet(NamedTuple):
    """One whole packet (never a fragment). Addresses are 4 raw bytes."""
    source: bytes
    destination: bytes
    protocol: int
    payload: bytes


@lru_cache(maxsize=65536)
def address(text: str) -> bytes:
    """The four bytes of a canonical IPv4 address."""
    return bytes(map(int, text.split(".")))


def text(raw: bytes) -> str:
    """The address as people write it."""
    return ".".join(map(str, raw))


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of `data`: 0 over data that carries a right one."""
    if len(data) & 1:
        data += b"\0"
    # 65536 is 1 modulo 65535, so the ones' complement sum of all 16-bit words is the whole number's remainder.
    total = int.from_bytes(data, "big")
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))


def read(raw: bytes) -> Packet | None:
    """The packet without padding, or None: too short, lengths that disagree, a fragment, a wrong header checksum."""
    if len(raw) < 20 or raw[0] >> 4 != 4:
        return None
    start, end = (raw[0] & 15) * 4, raw[2] << 8 | raw[3]
    if start < 20 or end < start or end > len(raw):
        return None
    if (raw[6] << 8 | raw[7]) & _FRAGMENT or checksum(raw[:start]):
        return None
    return Packet(raw[12:16], raw[16:20], raw[9], raw[start:end])


def write(source: bytes, destination: bytes, protocol: int, payload: bytes) -> bytes:
    """A packet that must not be fragmented, TTL 64."""
    length = 20 + len(payload)
    header = _HEADER.pack(0x45, 0, length, 0, 0x4000, 64, protocol, 0, source, destination)
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + payload
