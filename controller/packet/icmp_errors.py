"""ICMP errors that a router sends back: time exceeded, no route, no host, closed port (RFC 792, RFC 4443).

Never in answer to another error, to a frame for many, to a later fragment, or to a packet from nobody in particular
(RFC 1122 §3.2.2, RFC 4443 §2.4): then there is no answer at all. Nor is there one to a link-local address, because
errors are routed.
"""
from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import NamedTuple

from controller.packet import ipv4
from controller.values import ip_number, ip_text

QUOTED4, QUOTED6 = 548, 1232              # bytes of the packet that fit into 576 and 1280 with the error's own headers
ERRORS4 = {3, 4, 5, 11, 12}               # ICMP types that are errors
ROUTED6 = {0, 43, 44, 60}                 # extension headers that we do not look behind


class Why(NamedTuple):
    """An error's type and code, of ICMP and of ICMPv6; and the number that it tells."""
    four: tuple[int, int]
    six: tuple[int, int]
    number: int = 0


TIME_EXCEEDED = Why((11, 0), (3, 0))
NO_ROUTE = Why((3, 0), (1, 0))
HOST_UNREACHABLE = Why((3, 1), (1, 3))    # the network is there, and nobody in it has the address
PORT_UNREACHABLE = Why((3, 3), (1, 4))


def too_big(mtu: int) -> Why:
    """The next network takes packets of so many bytes (RFC 1191, RFC 4443 §3.2)."""
    return Why((3, 4), (2, 0), mtu)


class Seen(NamedTuple):
    """What a packet says of itself: how many hops it may still go, where to, and its IP protocol."""
    left: int
    destination: str
    protocol: int


def read(frame: bytes) -> Seen | None:
    """What an untagged frame's packet says, or None if it is no IP packet."""
    if frame[12:14] == b"\x08\x00" and len(frame) >= 34:
        return Seen(frame[22], ipv4.text(frame[30:34]), frame[23])
    if frame[12:14] == b"\x86\xdd" and len(frame) >= 54:
        return Seen(frame[21], ip_text(6, int.from_bytes(frame[38:54], "big")), frame[20])
    return None


def error(frame: bytes, addresses: Sequence[str], why: Why) -> bytes | None:
    """The frame that tells a frame's sender, from the first of our addresses of its kind; or None."""
    if len(frame) < 34 or frame[0] & 1 or frame[6] & 1:
        return None
    kind = frame[12:14]
    own = next((one for one in addresses if (":" in one) == (kind == b"\x86\xdd")), None)
    if own is None or kind not in (b"\x08\x00", b"\x86\xdd"):
        return None
    packet = _error4(frame[14:], own, *why.four, why.number) if kind == b"\x08\x00" else \
        _error6(frame[14:], own, *why.six, why.number)
    return None if packet is None else frame[6:12] + frame[:6] + kind + packet


def _error4(packet: bytes, own: str, kind: int, code: int, number: int) -> bytes | None:
    header, length = (packet[0] & 15) * 4, packet[2] << 8 | packet[3]
    if packet[0] >> 4 != 4 or header < 20 or len(packet) < header or length < header:
        return None
    source, destination = packet[12:16], packet[16:20]
    if (packet[6] & 0x1F) or packet[7] or _nobody4(source) or destination[0] >= 224:
        return None
    if packet[9] == 1 and (len(packet) <= header or packet[header] in ERRORS4):
        return None
    body = pack("!BBHI", kind, code, 0, number) + packet[:min(length, QUOTED4)]
    body = body[:2] + ipv4.checksum(body).to_bytes(2, "big") + body[4:]
    return ipv4.write(ipv4.address(own), source, 1, body)


def _nobody4(address: bytes) -> bool:
    return address[0] in (0, 127) or address[0] >= 224


def _error6(packet: bytes, own: str, kind: int, code: int, number: int) -> bytes | None:
    if len(packet) < 40 or packet[0] >> 4 != 6:
        return None
    source, destination, following = packet[8:24], packet[24:40], packet[6]
    if source[0] == 0xFF or not any(source) or destination[0] == 0xFF or following in ROUTED6:
        return None
    if source[0] == 0xFE and source[1] & 0xC0 == 0x80:
        return None
    if following == 58 and (len(packet) < 41 or packet[40] < 128):
        return None
    whole = 40 + (packet[4] << 8 | packet[5])
    body = pack("!BBHI", kind, code, 0, number) + packet[:min(whole, QUOTED6)]
    raw = ip_number(own).to_bytes(16, "big")
    pseudo = raw + source + pack("!I3xB", len(body), 58)
    body = body[:2] + ipv4.checksum(pseudo + body).to_bytes(2, "big") + body[4:]
    return pack("!IHBB", 6 << 28, len(body), 58, 64) + raw + source + body
