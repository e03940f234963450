"""Addresses and prefixes as text and as numbers. The text is always canonical, so equal values are equal strings."""
from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

_MAC = re.compile(r"[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?:-[0-9a-f]{2}){5})"
                  r"|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}|[0-9a-f]{12}")
BITS = {4: 32, 6: 128}


class Prefix(NamedTuple):
    """A block of addresses as numbers, both ends included."""

    version: int
    first: int
    last: int
    length: int

    def __contains__(self, address: object) -> bool:
        return isinstance(address, str) and ip_version(address) == self.version \
            and self.first <= ip_number(address) <= self.last

    @property
    def text(self) -> str:
        return f"{ip_text(self.version, self.first)}/{self.length}"

    def overlaps(self, other: Prefix) -> bool:
        return self.version == other.version and self.first <= other.last and other.first <= self.last


def mac(text: str) -> str:
    """`FA-16-3E-00-00-01`, `fa16.3e00.0001` and the like as `fa:16:3e:00:00:01`; ValueError if it is none."""
    low = text.lower()
    if not _MAC.fullmatch(low):
        raise ValueError(text)
    digits = re.sub("[^0-9a-f]", "", low)
    return ":".join(digits[i:i + 2] for i in range(0, 12, 2))


def mac_number(text: str) -> int:
    return int(text.replace(":", ""), 16)


def mac_text(number: int) -> str:
    digits = f"{number:012x}"
    return ":".join(digits[i:i + 2] for i in range(0, 12, 2))


def is_multicast_mac(text: str) -> bool:
    """Whether the group bit (lowest of the first octet) is set; broadcast is."""
    return bool(int(text[1], 16) & 1)


@lru_cache(maxsize=65536)
def _packed(text: str) -> tuple[int, bytes]:
    try:
        if ":" in text:
            return 6, socket.inet_pton(socket.AF_INET6, text)
        return 4, socket.inet_pton(socket.AF_INET, text)
    except OSError:
        raise ValueError(text) from None


def ip(text: str) -> str:
    """Canonical text of an IPv4 or IPv6 address; ValueError if it is none."""
    version, packed = _packed(text)
    return text if version == 4 else socket.inet_ntop(socket.AF_INET6, packed)


def ip_version(text: str) -> int:
    """4 or 6."""
    return 6 if ":" in text else 4


def ip_number(text: str) -> int:
    return int.from_bytes(_packed(text)[1], "big")


def ip_text(version: int, number: int) -> str:
    if version == 4:
        return socket.inet_ntop(socket.AF_INET, number.to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, number.to_bytes(16, "big"))


@lru_cache(maxsize=16384)
def prefix(text: str) -> Prefix:
    """`10.0.0.0/24` as numbers. A bare address is a block of one; bits after the prefix are ignored."""
    address, slash, length_text = text.partition("/")
    version, packed = _packed(address)
    bits = BITS[version]
    if slash and not (length_text.isascii() and length_text.isdigit() and len(length_text) <= 3):
        raise ValueError(text)
    length = int(length_text) if slash else bits
    if length > bits:
        raise ValueError(text)
    span = (1 << (bits - length)) - 1
    number = int.from_bytes(packed, "big")
    return Prefix(version, number & ~span, number | span, length)


def cidr(text: str) -> str:
    """A block of addresses with its length, as its first address says it: `10.0.0.7/24` -> `10.0.0.0/24`."""
    if "/" not in text:
        raise ValueError(text)
    return prefix(text).text


def is_multicast(text: str) -> bool:
    """Whether an address or any part of a block is multicast (224.0.0.0/4, ff00::/8)."""
    block = prefix(text)
    return block.overlaps(_MULTICAST[block.version])


def is_link_local(text: str) -> bool:
    """fe80::/10, 169.254.0.0/16."""
    block = prefix(text)
    return block.overlaps(_LINK_LOCAL[block.version])


def is_loopback(text: str) -> bool:
    """127.0.0.0/8, ::1."""
    block = prefix(text)
    return block.overlaps(_LOOPBACK[block.version])


def eui64(network: str, hardware: str) -> str:
    """The address that SLAAC gives a MAC on a /64 (RFC 4291 appendix A)."""
    number = mac_number(hardware) ^ (2 << 40)
    interface = (number >> 24) << 40 | 0xfffe << 24 | number & 0xffffff
    return ip_text(6, prefix(network).first | interface)


_MULTICAST = {4: prefix("224.0.0.0/4"), 6: prefix("ff00::/8")}
_LINK_LOCAL = {4: prefix("169.254.0.0/16"), 6: prefix("fe80::/10")}
_LOOPBACK = {4: prefix("127.0.0.0/8"), 6: prefix("::1/128")}


# ---- sets of addresses, as ranges of numbers: (first, last), apart and in order

def joined(prefixes: Iterable[Prefix]) -> list[tuple[int, int]]:
    """The addresses of all blocks together; blocks that overlap or touch become one range."""
    found: list[tuple[int, int]] = []
    for block in sorted(prefixes, key=lambda one: one.first):
        if found and block.first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], block.last)
        else:
            found.append((block.first, block.last))
    return found


def without(ranges: Iterable[tuple[int, int]], taken: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of some ranges when others have been taken out."""
    gone = sorted(taken)
    found, at = [], 0
    for first, last in ranges:
        while at < len(gone) and gone[at][1] < first:
            at += 1
        here = at
        while here < len(gone) and gone[here][0] <= last:
            if gone[here][0] > first:
                found.append((first, gone[here][0] - 1))
            first = max(first, gone[here][1] + 1)
            here += 1
        if first <= last:
            found.append((first, last))
    return found


def blocks(version: int, ranges: Iterable[tuple[int, int]]) -> list[Prefix]:
    """The fewest blocks that make up the ranges, in order."""
    found = []
    for first, last in ranges:
        while first <= last:
            size = min(first & -first or 1 << BITS[version], 1 << (last - first + 1).bit_length() - 1)
            found.append(Prefix(version, first, first + size - 1, BITS[version] - size.bit_length() + 1))
            first += size
    return found
