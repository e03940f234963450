"""Words for what one port says to another: net.send(tcp(web, db, 80)).reaches(db). More: tests/kit/frames.py."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from tests.kit import frames
from tests.kit.fields import fields

SYN, ACK, SYN_ACK = frames.SYN, frames.ACK, frames.SYN | frames.ACK
_ECHOES = {("icmpv4_type", 8), ("icmpv4_type", 0), ("icmpv6_type", 128), ("icmpv6_type", 129)}
_ERRORS = {"icmpv4_type": (3, 4, 5, 11, 12), "icmpv6_type": (1, 2, 3, 4)}


class Said:
    """A frame and the port that sends it. `answer()` is what the other side says to it."""

    def __init__(self, sender: Any, frame: bytes, back: Callable[[], Said] | None = None) -> None:
        self.sender, self.frame, self._back = sender, frame, back

    def answer(self) -> Said:
        assert self._back is not None, "there is no answer to this"
        return self._back()


def packet_of(frame: bytes) -> dict[str, Any]:
    """A frame as the walk takes it: its fields, an echo's identifier, and what an ICMP error quotes."""
    found: dict[str, Any] = {**fields(frame), "length": len(frame)}
    for name, errors in _ERRORS.items():
        if name not in found:
            continue
        start = 34 if name == "icmpv4_type" else 54  # without IP options or extension headers
        start += 4 if frame[12:14] in (b"\x81\x00", b"\x88\xa8") else 0
        if (name, found[name]) in _ECHOES:
            found["icmp_id"] = struct.unpack_from("!H", frame, start + 4)[0]
        elif found[name] in errors:
            ethertype = frames.IPV4 if name == "icmpv4_type" else frames.IPV6
            quoted = frame[start + 8 :]  # of a long packet the beginning; the rest does not matter
            length = struct.unpack_from("!H", quoted, 2 if ethertype == frames.IPV4 else 4)[0] if len(quoted) > 5 else 0
            whole = quoted.ljust(length + (0 if ethertype == frames.IPV4 else 40), b"\0")
            found["quoted"] = packet_of(bytes(12) + struct.pack("!H", ethertype) + whole)
    return found


def _addresses(sender: Any, receiver: Any, v: int) -> tuple[str, str]:
    return (sender.ip, receiver.ip) if v == 4 else (sender.ip6, receiver.ip6)


def tcp(sender: Any, receiver: Any, port: int = 80, *, source_port: int = 40000, flags: int = SYN, v: int = 4) -> Said:
    """A TCP packet; its answer has SYN and ACK."""
    frame = frames.tcp(sender.mac, receiver.mac, *_addresses(sender, receiver, v), source_port, port, flags)
    back = SYN_ACK if flags == SYN else ACK
    return Said(sender, frame, lambda: tcp(receiver, sender, source_port, source_port=port, flags=back, v=v))


def udp(sender: Any, receiver: Any, port: int = 53, *, source_port: int = 40000, v: int = 4) -> Said:
    """A UDP packet; its answer is one too."""
    frame = frames.udp(sender.mac, receiver.mac, *_addresses(sender, receiver, v), source_port, port, b"hadron")
    return Said(sender, frame, lambda: udp(receiver, sender, source_port, source_port=port, v=v))


def ping(sender: Any, receiver: Any, *, v: int = 4, reply: bool = False) -> Said:
    """An echo request; its answer is the reply."""
    frame = frames.echo(sender.mac, receiver.mac, *_addresses(sender, receiver, v), reply=reply)
    return Said(sender, frame, lambda: ping(receiver, sender, v=v, reply=not reply))


def icmp(sender: Any, receiver: Any, type: int, code: int = 0, *, v: int = 4) -> Said:
    """Any other ICMP message."""
    make = frames.icmp if v == 4 else frames.icmp6
    return Said(sender, make(sender.mac, receiver.mac, *_addresses(sender, receiver, v), type, code))


def protocol(sender: Any, receiver: Any, number: int, *, v: int = 4) -> Said:
    """A packet of any IP protocol."""
    frame = frames.packet(sender.mac, receiver.mac, *_addresses(sender, receiver, v), number, bytes(16))
    return Said(sender, frame, lambda: protocol(receiver, sender, number, v=v))


def unreachable(sender: Any, about: Said, *, v: int = 4) -> Said:
    """An ICMP error by which `sender` tells the port that said `about` that it could not be delivered."""
    quoted, receiver = about.frame[14:], about.sender
    if v == 4:
        return Said(sender, frames.icmp(sender.mac, receiver.mac, sender.ip, receiver.ip, 3, 1, bytes(4) + quoted[:48]))
    return Said(sender, frames.icmp6(sender.mac, receiver.mac, sender.ip6, receiver.ip6, 1, 0, bytes(4) + quoted[:80]))


def raw(sender: Any, receiver: Any, ethertype: int = 0x88B5) -> Said:
    """A frame that is not IP (0x88B5: for experiments, IEEE 802)."""
    frame = frames.ethernet(sender.mac, receiver.mac, ethertype, b"hadron" * 8)
    return Said(sender, frame, lambda: raw(receiver, sender, ethertype))


def broadcast(sender: Any, ethertype: int = 0x88B5) -> Said:
    """A frame to all."""
    return Said(sender, frames.ethernet(sender.mac, frames.TO_ALL, ethertype, b"hadron" * 8))


def multicast(sender: Any, port: int = 5000, *, v: int = 4) -> Said:
    """A UDP packet to a group."""
    mac, address = ("01:00:5e:01:02:03", "239.1.2.3") if v == 4 else ("33:33:00:00:01:23", "ff05::123")
    source = sender.ip if v == 4 else sender.ip6
    return Said(sender, frames.udp(sender.mac, mac, source, address, 40000, port, b"hadron"))


def to_unknown(sender: Any, mac: str = "fa:16:3e:ff:ff:ff", ethertype: int = 0x88B5) -> Said:
    """A frame to a MAC address that is nobody's."""
    return Said(sender, frames.ethernet(sender.mac, mac, ethertype, b"hadron" * 8))
