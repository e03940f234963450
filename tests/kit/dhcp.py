"""A DHCP client's side of the talk: its questions as frames, and what an answer says. Apart from controller/packet."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.kit import frames
from tests.kit.frames import TO_ALL, raw_ip, raw_mac

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
COOKIE = b"\x63\x82\x53\x63"
NOBODY, EVERYBODY = "0.0.0.0", "255.255.255.255"


class Answer(NamedTuple):
    """A server's frame, taken apart."""

    to_mac: str
    from_mac: str
    to_ip: str
    from_ip: str
    kind: int
    transaction: int
    flags: int
    ciaddr: str
    yiaddr: str
    siaddr: str
    giaddr: str
    chaddr: str
    sname: bytes
    file: bytes
    options: dict[int, bytes]
    order: list[int]
    size: int  # of the IP packet


def options(pairs: Mapping[int, bytes] | Iterable[tuple[int, bytes]], end: bool = True) -> bytes:
    listed = pairs.items() if isinstance(pairs, Mapping) else pairs
    return b"".join(bytes((code, len(value))) + value for code, value in listed) + (b"\xff" if end else b"")


def message(
    mac: str,
    raw_options: bytes,
    *,
    op: int = 1,
    hardware: tuple[int, int] = (1, 6),
    transaction: int = 0x1234,
    flags: int = 0,
    ciaddr: str = NOBODY,
    giaddr: str = NOBODY,
    sname: bytes = b"",
    file: bytes = b"",
    cookie: bytes = COOKIE,
) -> bytes:
    """A whole DHCP message, everything forgeable."""
    return (
        struct.pack(
            "!BBBBIHH4s4s4s4s16s64s128s",
            op,
            *hardware,
            0,
            transaction,
            0,
            flags,
            raw_ip(ciaddr),
            bytes(4),
            bytes(4),
            raw_ip(giaddr),
            raw_mac(mac),
            sname,
            file,
        )
        + cookie
        + raw_options
    )


def ask(
    mac: str,
    kind: int,
    more: Mapping[int, bytes] | None = None,
    *,
    source: str | None = None,
    destination: str = EVERYBODY,
    to_mac: str = TO_ALL,
    from_mac: str | None = None,
    **said: object,
) -> bytes:
    """A client's frame: message type first, then `more` options; `said` are fields of `message`."""
    raw = message(mac, options({53: bytes((kind,)), **(more or {})}), **said)  # type: ignore[arg-type]
    return frames.udp(from_mac or mac, to_mac, source or str(said.get("ciaddr", NOBODY)), destination, 68, 67, raw)


def _ip(raw: bytes) -> str:
    return ".".join(map(str, raw))


def read(frame: bytes) -> Answer:
    """The answer in a frame; AssertionError if it is no right one."""
    assert frame[12:15] == b"\x08\x00\x45" and frame[23] == 17, "not IPv4 and UDP"
    size = int.from_bytes(frame[16:18], "big")
    assert size == len(frame) - 14 == int.from_bytes(frame[38:40], "big") + 20, "lengths disagree"
    assert frames.checksum(frame[14:34]) == 0, "wrong header checksum"
    assert frames.checksum(frame[26:34] + struct.pack("!HH", 17, size - 20) + frame[34:]) == 0, "wrong UDP checksum"
    assert frame[34:38] == struct.pack("!HH", 67, 68)
    (
        op,
        kind,
        length,
        hops,
        transaction,
        _,
        flags,
        ciaddr,
        yiaddr,
        siaddr,
        giaddr,
        chaddr,
        rest,
        sname,
        file,
        cookie,
    ) = struct.unpack("!BBBBIHH4s4s4s4s6s10s64s128s4s", frame[42:282])
    assert (op, kind, length, hops, rest, cookie) == (2, 1, 6, 0, bytes(10), COOKIE)
    assert len(frame) - 42 >= 300, "shorter than a BOOTP message"
    found, order = _options(frame[282:])
    return Answer(
        frame[:6].hex(":"),
        frame[6:12].hex(":"),
        _ip(frame[30:34]),
        _ip(frame[26:30]),
        found[53][0],
        transaction,
        flags,
        _ip(ciaddr),
        _ip(yiaddr),
        _ip(siaddr),
        _ip(giaddr),
        chaddr.hex(":"),
        sname.rstrip(b"\0"),
        file.rstrip(b"\0"),
        found,
        order,
        size,
    )


def _options(raw: bytes) -> tuple[dict[int, bytes], list[int]]:
    found: dict[int, bytes] = {}
    at = 0
    while raw[at] != 255:
        code, size = raw[at], raw[at + 1]
        assert code and at + 2 + size < len(raw), "an option beyond the end"
        found[code] = found.get(code, b"") + raw[at + 2 : at + 2 + size]
        at += 2 + size
    assert not any(raw[at + 1 :]), "something behind the end"
    return found, list(found)
