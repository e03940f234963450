"""The Link Layer Discovery Protocol (IEEE 802.1AB): how switches' ports find out what is at the other end of the wire.

Frames carry, beside the chassis and the port as text, one TLV of our own with bytes that prove where they come from.
"""
from __future__ import annotations

from typing import NamedTuple

from controller.packet import ethernet

ETHERTYPE = 0x88CC
NEAREST_BRIDGE = "01:80:c2:00:00:0e"        # bridges never forward frames to it (IEEE 802.1Q, 8.6.3)

_END, _CHASSIS, _PORT, _TTL, _OWN = 0, 1, 2, 3, 127
_LOCAL = 7                                  # the subtype of names that are only ours
_OUI = b"\x02Hd\x01"                        # a locally administered identifier, and the subtype in it
_LONGEST = 200                              # of a name, in bytes


class Told(NamedTuple):
    """What a frame says: who sent it, from which port, and the proof; without one it is somebody else's."""
    chassis: str
    port: str
    proof: bytes | None


def parts(mac: str, chassis: str, port: str, ttl: int) -> tuple[bytes, bytes]:
    """The frame before and after its proof of so many bytes as `PROOF`; `ttl` in seconds."""
    head = ethernet.address(NEAREST_BRIDGE) + ethernet.address(mac) + ETHERTYPE.to_bytes(2, "big")
    head += _tlv(_CHASSIS, bytes((_LOCAL,)) + chassis.encode()) + _tlv(_PORT, bytes((_LOCAL,)) + port.encode())
    head += _tlv(_TTL, ttl.to_bytes(2, "big"))
    return head + (_OWN << 9 | len(_OUI) + PROOF).to_bytes(2, "big") + _OUI, bytes(2)


PROOF = 32


def read(frame: bytes) -> Told | None:
    """What an untagged frame says; None if it is none, or is not made as the standard says."""
    if len(frame) < 14 or frame[12:14] != ETHERTYPE.to_bytes(2, "big"):
        return None
    found: dict[int, bytes] = {}
    at, order = 14, [_CHASSIS, _PORT, _TTL]
    while at + 2 <= len(frame):
        head = int.from_bytes(frame[at:at + 2], "big")
        kind, size = head >> 9, head & 0x1FF
        value, at = frame[at + 2:at + 2 + size], at + 2 + size
        if len(value) < size or (order and kind != order.pop(0)) or (kind in found and kind in (_CHASSIS, _PORT, _TTL)):
            return None
        if kind == _END:
            break
        if kind != _OWN or value.startswith(_OUI):
            found.setdefault(kind, value)
    names = [_name(found.get(kind, b"")) for kind in (_CHASSIS, _PORT)]
    if order or names[0] is None or names[1] is None:
        return None
    proof = found.get(_OWN, b"")[len(_OUI):]
    return Told(names[0], names[1], proof if len(proof) == PROOF else None)


def _tlv(kind: int, value: bytes) -> bytes:
    return (kind << 9 | len(value)).to_bytes(2, "big") + value


def _name(value: bytes) -> str | None:
    if not 1 < len(value) <= _LONGEST:
        return None
    text = value[1:].decode("ascii", "replace")
    return text if value[0] == _LOCAL and text.isprintable() else value[1:].hex()
