"""How messages lie in the stream from a switch: headers, lengths, elements; and what is wrong with a bad one."""
from __future__ import annotations

import struct
from collections.abc import Iterator

from controller.openflow.flow import VERSION

(HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, EXPERIMENTER, FEATURES_REQUEST, FEATURES_REPLY, GET_CONFIG_REQUEST,
 GET_CONFIG_REPLY, SET_CONFIG, PACKET_IN, FLOW_REMOVED, PORT_STATUS, PACKET_OUT) = range(14)
MULTIPART_REQUEST, MULTIPART_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 18, 19, 20, 21
ROLE_REQUEST, ROLE_REPLY, GET_ASYNC_REQUEST, GET_ASYNC_REPLY, SET_ASYNC = 24, 25, 26, 27, 28
ROLE_STATUS, TABLE_STATUS, REQUESTFORWARD, BUNDLE_CONTROL, BUNDLE_ADD_MESSAGE = 30, 31, 32, 33, 34

HEADER_SIZE = 8
_HEADER = struct.Struct("!BBHI")


class Malformed(ValueError):
    """A message whose lengths contradict each other: the peer does not speak OpenFlow, or lies."""


def message(kind: int, body: bytes = b"", xid: int = 0) -> bytes:
    """A message of ours: header and body."""
    return _HEADER.pack(VERSION, kind, HEADER_SIZE + len(body), xid) + body


def with_xid(whole: bytes, xid: int) -> bytes:
    """The same message under another transaction number."""
    return whole[:4] + xid.to_bytes(4, "big") + whole[8:]


def xid_of(whole: bytes) -> int:
    """The transaction number of a message."""
    return int.from_bytes(whole[4:8], "big")


def split(received: bytearray) -> list[bytes]:
    """Take the complete messages off the front of what was received; the rest stays for more to come.

    Raises Malformed for a length below the header's, and for a version other than ours in anything but HELLO and
    ERROR (a HELLO carries the highest version of its sender; an ERROR may answer ours before versions are agreed).
    """
    found, at, end = [], 0, len(received)
    try:
        while end - at >= HEADER_SIZE:
            version, kind, length, _ = _HEADER.unpack_from(received, at)
            if length < HEADER_SIZE:
                raise Malformed(f"a message of {length} bytes")
            if version != VERSION and kind not in (HELLO, ERROR):
                raise Malformed(f"a message of OpenFlow version byte {version}")
            if end - at < length:
                break
            found.append(bytes(received[at:at + length]))
            at += length
    finally:
        del received[:at]
    return found


def expect(whole: bytes, kind: int, smallest: int) -> None:
    """Raise Malformed unless `whole` is exactly one message of this kind and at least that long."""
    if len(whole) < max(smallest, HEADER_SIZE) or whole[1] != kind or int.from_bytes(whole[2:4], "big") != len(whole):
        raise Malformed(f"not a message of type {kind} with at least {smallest} bytes: {whole[:16].hex()}...")


def elements(whole: bytes, at: int, end: int, *, smallest: int = 4) -> Iterator[tuple[int, int, int]]:
    """(type, start, end) of each type-length-value element from `at` on; each but the last is padded to eight bytes.

    Raises Malformed if one is shorter than `smallest` or reaches past `end`.
    """
    while at < end:
        if end - at < 4:
            raise Malformed(f"{end - at} bytes left over after the last element")
        kind, length = struct.unpack_from("!HH", whole, at)
        if length < smallest or at + length > end:
            raise Malformed(f"an element of {length} bytes where {end - at} are left")
        yield kind, at, at + length
        at += length + -length % 8
