"""Frames as bytes, as a machine would send them, and what Open vSwitch would see in them.

Written apart from controller/packet, so that tests hold one against the other. Addresses are text; every field
that a spoofer would forge can be given by itself.
"""

from __future__ import annotations

import struct
from ipaddress import IPv6Address, ip_address

TO_ALL = "ff:ff:ff:ff:ff:ff"
IPV4, ARP, VLAN, QINQ, IPV6 = 0x0800, 0x0806, 0x8100, 0x88A8, 0x86DD
ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_SLL, _TLL, _MTU = 1, 2, 5


def raw_mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def raw_ip(text: str) -> bytes:
    return ip_address(text).packed


def checksum(data: bytes) -> int:
    """RFC 1071, as the RFC writes it."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def link_local(mac: str) -> str:
    """The address that a machine makes from its MAC (RFC 4291 appendix A)."""
    raw = raw_mac(mac)
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + bytes((raw[0] ^ 2,)) + raw[1:3] + b"\xff\xfe" + raw[3:]))


def solicited_node(target: str) -> tuple[str, str]:
    """The multicast MAC and IPv6 address at which a neighbour is asked for (RFC 4291 §2.7.1)."""
    tail = raw_ip(target)[13:]
    return f"33:33:ff:{tail.hex(':')}", str(IPv6Address(raw_ip("ff02::1:ff00:0")[:13] + tail))


# ---- layers


def ethernet(source: str, destination: str, ethertype: int, payload: bytes) -> bytes:
    return raw_mac(destination) + raw_mac(source) + struct.pack("!H", ethertype) + payload


def tagged(frame: bytes, vid: int = 0, *, priority: int = 0, ethertype: int = VLAN) -> bytes:
    """The frame with one more VLAN tag around what it carries."""
    return frame[:12] + struct.pack("!HH", ethertype, priority << 13 | vid) + frame[12:]


def snapped(frame: bytes) -> bytes:
    """The frame's payload in LLC/SNAP, as IEEE 802.3 carries it (CVE-2021-27854)."""
    inner = b"\xaa\xaa\x03\0\0\0" + frame[12:]
    return frame[:12] + struct.pack("!H", len(inner)) + inner


def ip(
    source: str, destination: str, protocol: int, payload: bytes, *, ttl: int = 64, offset: int = 0, more: bool = False
) -> bytes:
    """An IPv4 packet; `offset` (in 8 bytes) and `more` make it a fragment."""
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        1,
        more << 13 | offset,
        ttl,
        protocol,
        0,
        raw_ip(source),
        raw_ip(destination),
    )
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(source: str, destination: str, following: int, payload: bytes, *, hops: int = 64) -> bytes:
    return (
        struct.pack("!IHBB16s16s", 6 << 28, len(payload), following, hops, raw_ip(source), raw_ip(destination))
        + payload
    )


def _summed(source: str, destination: str, protocol: int, body: bytes, at: int) -> bytes:
    """`body` with the checksum over it and its pseudo-header written `at`."""
    pseudo = (
        raw_ip(source)
        + raw_ip(destination)
        + (struct.pack("!HH", protocol, len(body)) if "." in source else struct.pack("!II", len(body), protocol))
    )
    value = checksum(pseudo + body)
    if protocol == UDP and not value:
        value = 0xFFFF
    return body[:at] + struct.pack("!H", value) + body[at + 2 :]


def packet(
    from_mac: str, to_mac: str, source: str, destination: str, protocol: int, body: bytes, *, hops: int = 64
) -> bytes:
    """Ethernet and IPv4 or IPv6, as the addresses say, around anything."""
    if "." in source:
        return ethernet(from_mac, to_mac, IPV4, ip(source, destination, protocol, body, ttl=hops))
    return ethernet(from_mac, to_mac, IPV6, ip6(source, destination, protocol, body, hops=hops))


# ---- ARP


def arp(op: int, from_mac: str, to_mac: str, sha: str, spa: str, tha: str, tpa: str) -> bytes:
    return ethernet(
        from_mac,
        to_mac,
        ARP,
        struct.pack("!HHBBH6s4s6s4s", 1, IPV4, 6, 4, op, raw_mac(sha), raw_ip(spa), raw_mac(tha), raw_ip(tpa)),
    )


def arp_request(from_mac: str, from_ip: str, target: str, *, to_mac: str = TO_ALL, sha: str | None = None) -> bytes:
    """Who has `target`? `sha` is the sender's MAC inside, if it differs from the frame's."""
    return arp(1, from_mac, to_mac, sha or from_mac, from_ip, "00:00:00:00:00:00", target)


def arp_reply(from_mac: str, from_ip: str, to_mac: str, to_ip: str, *, sha: str | None = None) -> bytes:
    return arp(2, from_mac, to_mac, sha or from_mac, from_ip, to_mac, to_ip)


# ---- neighbour discovery (RFC 4861)


def _option(kind: int, mac: str | None) -> bytes:
    return bytes((kind, 1)) + raw_mac(mac) if mac else b""


def _discovery(from_mac: str, to_mac: str, source: str, destination: str, kind: int, body: bytes, hops: int) -> bytes:
    raw = _summed(source, destination, ICMPV6, bytes((kind, 0, 0, 0)) + body, 2)
    return packet(from_mac, to_mac, source, destination, ICMPV6, raw, hops=hops)


def ns(
    from_mac: str,
    from_ip: str,
    target: str,
    *,
    to_mac: str | None = None,
    to_ip: str | None = None,
    sll: str | None = "",
    hops: int = 255,
) -> bytes:
    """Who has `target`? From `::` it is duplicate address detection. `sll`: the option; None leaves it out."""
    mac, address = solicited_node(target)
    option = "" if sll is None or from_ip == "::" else sll or from_mac
    return _discovery(
        from_mac, to_mac or mac, from_ip, to_ip or address, 135, bytes(4) + raw_ip(target) + _option(_SLL, option), hops
    )


def na(
    from_mac: str,
    target: str,
    to_mac: str = "33:33:00:00:00:01",
    to_ip: str = "ff02::1",
    *,
    from_ip: str | None = None,
    tll: str | None = "",
    solicited: bool = False,
    override: bool = True,
    router: bool = False,
    hops: int = 255,
) -> bytes:
    """I have `target`. `tll`: the MAC that it claims, the sender's own by default; None leaves the option out."""
    flags = router << 31 | solicited << 30 | override << 29
    return _discovery(
        from_mac,
        to_mac,
        from_ip or target,
        to_ip,
        136,
        struct.pack("!I", flags) + raw_ip(target) + _option(_TLL, None if tll is None else tll or from_mac),
        hops,
    )


def rs(from_mac: str, from_ip: str | None = None, *, hops: int = 255) -> bytes:
    """Is there a router?"""
    return _discovery(
        from_mac,
        "33:33:00:00:00:02",
        from_ip or link_local(from_mac),
        "ff02::2",
        133,
        bytes(4) + _option(_SLL, from_mac),
        hops,
    )


def ra(
    from_mac: str, from_ip: str | None = None, *, prefix: str = "2001:db8::", lifetime: int = 1800, hops: int = 255
) -> bytes:
    """I am a router; `prefix` is a /64 to take addresses from."""
    information = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 86400, 14400, 0, raw_ip(prefix))
    return _discovery(
        from_mac,
        "33:33:00:00:00:01",
        from_ip or link_local(from_mac),
        "ff02::1",
        134,
        struct.pack("!BBHII", 64, 0, lifetime, 0, 0) + _option(_SLL, from_mac) + information,
        hops,
    )


def redirect(from_mac: str, from_ip: str, to_mac: str, to_ip: str, target: str, destination: str) -> bytes:
    """Send what is for `destination` to `target` from now on."""
    return _discovery(from_mac, to_mac, from_ip, to_ip, 137, bytes(4) + raw_ip(target) + raw_ip(destination), 255)


# ---- transport


def aged(frame: bytes, left: int) -> bytes:
    """The frame with this time to live."""
    if frame[12:14] == b"\x86\xdd":
        return frame[:21] + bytes((left,)) + frame[22:]
    header = frame[14:22] + bytes((left,)) + frame[23:24] + b"\0\0" + frame[26:34]
    return frame[:14] + header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + frame[34:]


def udp(
    from_mac: str,
    to_mac: str,
    source: str,
    destination: str,
    source_port: int,
    destination_port: int,
    payload: bytes = b"",
) -> bytes:
    body = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload
    return packet(from_mac, to_mac, source, destination, UDP, _summed(source, destination, UDP, body, 6))


def tcp(
    from_mac: str,
    to_mac: str,
    source: str,
    destination: str,
    source_port: int,
    destination_port: int,
    flags: int = SYN,
    payload: bytes = b"",
) -> bytes:
    body = struct.pack("!HHIIBBHHH", source_port, destination_port, 1, 0, 5 << 4, flags, 64240, 0, 0) + payload
    return packet(from_mac, to_mac, source, destination, TCP, _summed(source, destination, TCP, body, 16))


def icmp(
    from_mac: str, to_mac: str, source: str, destination: str, kind: int, code: int = 0, body: bytes = bytes(4)
) -> bytes:
    """Any ICMP message; `body` is what follows the checksum."""
    raw = struct.pack("!BBH", kind, code, 0) + body
    return packet(from_mac, to_mac, source, destination, ICMP, raw[:2] + struct.pack("!H", checksum(raw)) + raw[4:])


def icmp6(
    from_mac: str, to_mac: str, source: str, destination: str, kind: int, code: int = 0, body: bytes = bytes(4)
) -> bytes:
    raw = _summed(source, destination, ICMPV6, struct.pack("!BBH", kind, code, 0) + body, 2)
    return packet(from_mac, to_mac, source, destination, ICMPV6, raw)


def echo(from_mac: str, to_mac: str, source: str, destination: str, *, reply: bool = False, number: int = 1) -> bytes:
    """A ping or the answer to one, IPv4 or IPv6 as the addresses say."""
    body = struct.pack("!HH", 1, number) + b"hadron"
    if "." in source:
        return icmp(from_mac, to_mac, source, destination, 0 if reply else 8, body=body)
    return icmp6(from_mac, to_mac, source, destination, 129 if reply else 128, body=body)
