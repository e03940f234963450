"""Ethernet II headers of tenants' frames."""
from __future__ import annotations

from typing import NamedTuple

BROADCAST = b"\xff" * 6
IPV4, IPV6 = 0x0800, 0x86DD


class Frame(NamedTuple):
    """One untagged frame. Addresses are 6 raw bytes; the payload may end in padding."""
    destination: bytes
    source: bytes
    ethertype: int
    payload: bytes


def address(text: str) -> bytes:
    """The six bytes of a canonical MAC address."""
    return bytes.fromhex(text.replace(":", ""))


def read(raw: bytes) -> Frame | None:
    """The frame, or None if it is shorter than its header. A tag is not looked behind: its type is the tag's."""
    if len(raw) < 14:
        return None
    return Frame(raw[:6], raw[6:12], raw[12] << 8 | raw[13], raw[14:])


def write(destination: bytes, source: bytes, ethertype: int, payload: bytes) -> bytes:
    """The frame's bytes, without padding or checksum: both are the switch's."""
    return b"".join((destination, source, ethertype.to_bytes(2, "big"), payload))
