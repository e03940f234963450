"""Ports as switches describe them."""
from __future__ import annotations

import struct
from typing import NamedTuple

from controller.openflow.frame import PORT_STATUS, Malformed, elements, expect

LAST_PORT = 0xFFFFFEFF      # the largest number that a port can have (OFPP_MAX is 0xffffff00)

_PORT = struct.Struct("!IH2x6s2x16sII")
_PORT_DOWN, _LINK_DOWN = 1, 1
_ETHERNET, _CURRENT_SPEED = 0, 24       # the property that has speeds (in kbit/s), and where the current one is in it


class Port(NamedTuple):
    """A port of a switch. `up`: it is switched on and has a carrier. `speed`: its current one in Mbit/s, if known."""

    number: int
    name: str
    mac: str
    up: bool
    speed: int | None = None


def read_port(whole: bytes, at: int, end: int) -> tuple[Port, int]:
    """The port description at `at` and where the next one begins."""
    if end - at < _PORT.size:
        raise Malformed(f"a port description in {end - at} bytes")
    number, length, mac, name, config, state = _PORT.unpack_from(whole, at)
    if length < _PORT.size or at + length > end:
        raise Malformed(f"a port description of {length} bytes where {end - at} are left")
    speed = None
    for kind, start, stop in elements(whole, at + _PORT.size, at + length):
        if kind == _ETHERNET and stop - start >= _CURRENT_SPEED + 4:
            speed = int.from_bytes(whole[start + _CURRENT_SPEED:start + _CURRENT_SPEED + 4], "big") // 1000 or None
    up = not (config & _PORT_DOWN or state & _LINK_DOWN)
    text = name.split(b"\0", 1)[0].decode("utf-8", "replace")
    return Port(number, text, mac.hex(":"), up, speed), at + length


class PortStatus(NamedTuple):
    """A port came ("add"), went ("delete") or changed ("modify")."""

    reason: str
    port: Port


def read_port_status(whole: bytes) -> PortStatus:
    """What a PORT_STATUS says."""
    expect(whole, PORT_STATUS, 16 + _PORT.size)
    reasons = ("add", "delete", "modify")
    if whole[8] >= len(reasons):
        raise Malformed(f"a port status for reason {whole[8]}")
    port, at = read_port(whole, 16, len(whole))
    if at != len(whole):
        raise Malformed(f"{len(whole) - at} bytes after the port")
    return PortStatus(reasons[whole[8]], port)
