"""TCP segments in tenants' frames (RFC 9293), over IPv4 and over IPv6."""
from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from controller.packet import ethernet, ipv4, ipv6

TCP = 6
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
DEFAULT_MSS = {4: 536, 16: 1220}        # by bytes of an address, of who does not say (RFC 9293 §3.7.1)

_HEADER = Struct("!HHIIBBHHH")
_PSEUDO = Struct("!4s4sHH")
_END, _NOTHING, _MSS = 0, 1, 2
_FLAGS = FIN | SYN | RST | PSH | ACK


class Segment(NamedTuple):
    """A segment with the addresses it travels under, as raw bytes. `mss`: what a SYN says, else 0."""
    to_mac: bytes
    from_mac: bytes
    to_ip: bytes
    from_ip: bytes
    to_port: int
    from_port: int
    seq: int
    ack: int
    flags: int
    window: int
    mss: int
    payload: bytes

    @property
    def length(self) -> int:
        """How far it goes in sequence numbers: SYN and FIN take one each."""
        return len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)


def read(frame: bytes) -> Segment | None:
    """The segment in an Ethernet frame, or None if it is anything else or its lengths disagree.

    The checksum is not held against: a guest may leave it to its network card (see udp.py).
    """
    outer = ethernet.read(frame)
    if outer is None:
        return None
    packet: ipv4.Packet | ipv6.Packet | None = None
    if outer.ethertype == ethernet.IPV4:
        packet = ipv4.read(outer.payload)
    elif outer.ethertype == ethernet.IPV6:
        packet = ipv6.read(outer.payload)
    if packet is None or packet.protocol != TCP or len(packet.payload) < 20:
        return None
    raw = packet.payload
    from_port, to_port, seq, ack, offset, flags, window, _, _ = _HEADER.unpack_from(raw)
    start = (offset >> 4) * 4
    if not 20 <= start <= len(raw):
        return None
    mss = 0
    if flags & SYN:
        mss = _said_mss(raw[20:start]) or DEFAULT_MSS[len(packet.source)]
    return Segment(outer.destination, outer.source, packet.destination, packet.source, to_port, from_port, seq, ack,
                   flags & _FLAGS, window, mss, raw[start:])


def _said_mss(options: bytes) -> int:
    """The option of a SYN; 0 if there is none, or the options make no sense up to it."""
    at = 0
    while at < len(options) and options[at] != _END:
        if options[at] == _NOTHING:
            at += 1
            continue
        if at + 1 >= len(options) or options[at + 1] < 2:
            return 0
        if options[at] == _MSS and options[at + 1] == 4 and at + 4 <= len(options):
            return int.from_bytes(options[at + 2:at + 4], "big")
        at += options[at + 1]
    return 0


def write(segment: Segment) -> bytes:
    """The Ethernet frame that carries the segment over IPv4 or IPv6, as its addresses say; checksums included."""
    options = bytes((_MSS, 4)) + segment.mss.to_bytes(2, "big") if segment.mss else b""
    head = _HEADER.pack(segment.from_port, segment.to_port, segment.seq, segment.ack, (5 + len(options) // 4) << 4,
                        segment.flags, segment.window, 0, 0)
    body = head + options + segment.payload
    four = len(segment.from_ip) == 4
    check = (ipv4.checksum(_PSEUDO.pack(segment.from_ip, segment.to_ip, TCP, len(body)) + body) if four
             else ipv6.checksum(segment.from_ip, segment.to_ip, TCP, body))
    body = body[:16] + check.to_bytes(2, "big") + body[18:]
    if four:
        return ethernet.write(segment.to_mac, segment.from_mac, ethernet.IPV4,
                              ipv4.write(segment.from_ip, segment.to_ip, TCP, body))
    return ethernet.write(segment.to_mac, segment.from_mac, ethernet.IPV6,
                          ipv6.write(segment.from_ip, segment.to_ip, TCP, body))


def answer(to: Segment, flags: int, seq: int, ack: int, *, window: int = 0, mss: int = 0, payload: bytes = b"") -> Segment:
    """A segment the other way."""
    return Segment(to.from_mac, to.to_mac, to.from_ip, to.to_ip, to.from_port, to.to_port, seq & 0xFFFFFFFF,
                   ack & 0xFFFFFFFF, flags, window, mss, payload)
