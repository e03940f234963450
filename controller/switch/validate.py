"""Are a switch's messages built soundly? Judged before any parser sees them: a length of nothing makes parsers loop.

header() judges the first eight bytes, so that nobody waits for a body that cannot be; body() walks every length inside
a whole message, in time proportional to it. Section numbers are those of OpenFlow 1.4.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from struct import Struct

from controller.openflow import frame as wire
from controller.openflow.frame import Malformed, elements

Check = Callable[[bytes, int, int], None]

LONGEST = 0xFFFF
_BEFORE_GREETING = 2048     # no greeting, echo or error before it is longer
# What a switch may send, and how long that is (7.3, 7.4, 7.5).
_LENGTHS: Mapping[int, tuple[int, int]] = {
    wire.HELLO: (8, _BEFORE_GREETING), wire.ERROR: (12, LONGEST), wire.ECHO_REQUEST: (8, LONGEST),
    wire.ECHO_REPLY: (8, LONGEST), wire.EXPERIMENTER: (16, LONGEST), wire.FEATURES_REPLY: (32, 32),
    wire.GET_CONFIG_REPLY: (12, 12), wire.PACKET_IN: (34, LONGEST), wire.FLOW_REMOVED: (56, LONGEST),
    wire.PORT_STATUS: (56, LONGEST), wire.MULTIPART_REPLY: (16, LONGEST), wire.BARRIER_REPLY: (8, 8),
    wire.ROLE_REPLY: (24, 24), wire.GET_ASYNC_REPLY: (8, LONGEST), wire.ROLE_STATUS: (24, LONGEST),
    wire.TABLE_STATUS: (24, LONGEST), wire.REQUESTFORWARD: (16, LONGEST), wire.BUNDLE_CONTROL: (16, LONGEST),
}
# What a switch may tell as soon as the versions are agreed: a port appears, a flow sends a packet here.
UNASKED = frozenset({wire.PACKET_IN, wire.FLOW_REMOVED, wire.PORT_STATUS, wire.ROLE_STATUS, wire.TABLE_STATUS,
                     wire.REQUESTFORWARD})
_GREETING = frozenset({wire.HELLO, wire.ERROR, wire.ECHO_REQUEST, wire.ECHO_REPLY, wire.FEATURES_REPLY})


def header(version: int, kind: int, length: int, *, greeted: bool) -> None:
    """Raise Malformed if no switch sends a message of this version, type and length now."""
    limits = _LENGTHS.get(kind)
    if limits is None:
        raise Malformed(f"a switch does not send messages of type {kind}")
    if not limits[0] <= length <= limits[1]:
        raise Malformed(f"a message of type {kind} cannot have {length} bytes")
    if greeted:
        if version != wire.VERSION or kind == wire.HELLO:
            raise Malformed(f"a message of type {kind} with version byte {version} after the greeting")
    elif kind not in _GREETING or length > _BEFORE_GREETING or version == 0:
        raise Malformed(f"a message of type {kind}, version byte {version} and {length} bytes before the greeting")
    elif version != wire.VERSION and kind not in (wire.HELLO, wire.ERROR):
        raise Malformed(f"version byte {version} in a message of type {kind}")


def body(whole: bytes, kind: int) -> None:
    """Raise Malformed unless every length inside a message of a switch fits where it stands."""
    if kind == wire.MULTIPART_REPLY:
        _multipart(whole, int.from_bytes(whole[8:10], "big"))
    else:
        check = _BODIES.get(kind)
        if check is not None:
            check(whole, 8, len(whole))


def instructions(whole: bytes, at: int, end: int) -> None:
    """Raise Malformed unless whole[at:end] is a sound list of instructions (7.2.4) with sound actions inside."""
    while at < end:
        kind, length = _head(whole, at, end)
        if length < 8 or length % 8 or at + length > end:
            raise Malformed(f"an instruction of {length} bytes where {end - at} are left")
        if kind in (3, 4, 5):
            actions(whole, at + 8, at + length)
        at += length


def actions(whole: bytes, at: int, end: int) -> None:
    """Raise Malformed unless whole[at:end] is a sound list of actions (7.2.5)."""
    while at < end:
        if end - at < 4:
            raise Malformed(f"{end - at} bytes where an element begins")
        length, = _length_at(whole, at)
        if length < 8 or length & 7 or at + length > end:
            raise Malformed(f"an action of {length} bytes where {end - at} are left")
        at += length


_length_at = Struct("!2xH").unpack_from


def _head(whole: bytes, at: int, end: int) -> tuple[int, int]:
    if end - at < 4:
        raise Malformed(f"{end - at} bytes where an element begins")
    return int.from_bytes(whole[at:at + 2], "big"), int.from_bytes(whole[at + 2:at + 4], "big")


def _match(whole: bytes, at: int, end: int) -> int:
    """Check a match with its fields (7.2.3); where it ends, padding included."""
    kind, length = _head(whole, at, end)
    after = at + length + -length % 8
    if kind != 1 or length < 4 or after > end:
        raise Malformed(f"a match of type {kind} and {length} bytes where {end - at} are left")
    place, stop = at + 4, at + length
    while place < stop:
        if stop - place < 4 or place + 4 + whole[place + 3] > stop:
            raise Malformed("a field that reaches past its match")
        place += 4 + whole[place + 3]
    return after


def _properties(skip: int, whole: bytes, at: int, end: int) -> None:
    """A structure of `skip` bytes, then properties."""
    if end - at < skip:
        raise Malformed(f"a structure of {skip} bytes in {end - at}")
    for _ in elements(whole, at + skip, end):
        pass


def _items(smallest: int, length_at: int, inside: Check | None, whole: bytes, at: int, end: int) -> None:
    """Structures one after another, each with its own length at `length_at`."""
    while at < end:
        if end - at < smallest:
            raise Malformed(f"{end - at} bytes where a structure of at least {smallest} begins")
        length = int.from_bytes(whole[at + length_at:at + length_at + 2], "big")
        if length < smallest or at + length > end:
            raise Malformed(f"a structure of {length} bytes where {end - at} are left")
        if inside is not None:
            inside(whole, at, at + length)
        at += length


def _rows(size: int, whole: bytes, at: int, end: int) -> None:
    if (end - at) % size:
        raise Malformed(f"{end - at} bytes of structures of {size}")


def _exactly(size: int, whole: bytes, at: int, end: int) -> None:
    if end - at != size:
        raise Malformed(f"{end - at} bytes instead of {size}")


def _at_least(size: int, whole: bytes, at: int, end: int) -> None:
    if end - at < size:
        raise Malformed(f"{end - at} bytes instead of {size} or more")


def _counters(fixed: int, each: int, whole: bytes, at: int, end: int) -> None:
    """A fixed part, then rows of counters."""
    _rows(each, whole, at + fixed, end)


def _flow(whole: bytes, at: int, end: int) -> None:
    instructions(whole, _match(whole, at + 48, end), end)


def _group(whole: bytes, at: int, end: int) -> None:
    _items(16, 0, _bucket, whole, at + 8, end)


def _bucket(whole: bytes, at: int, end: int) -> None:
    actions(whole, at + 16, end)


def _meter(whole: bytes, at: int, end: int) -> None:
    _items(12, 2, None, whole, at + 8, end)


def _table_features(whole: bytes, at: int, end: int) -> None:
    """Properties whose contents are lists themselves: of instructions, tables, actions, fields (7.3.5.5.2)."""
    for kind, start, stop in elements(whole, at + 64, end):
        if kind in (0, 1, 4, 5, 6, 7):
            _items(4, 2, None, whole, start + 4, stop)
        elif 8 <= kind <= 15:
            place = start + 4
            while place < stop:
                place += 8 if whole[place:place + 2] == b"\xff\xff" else 4
            if place != stop:
                raise Malformed("a list of fields cut short")


def _update(whole: bytes, at: int, end: int) -> None:
    """One notice of a flow monitor (7.3.5.18.2): whole flows have a match, the others are short."""
    event = int.from_bytes(whole[at + 2:at + 4], "big")
    if event <= 3:
        _at_least(32, whole, at, end)
        instructions(whole, _match(whole, at + 24, end), end)
    else:
        _exactly(8, whole, at, end)


def _flow_removed(whole: bytes, at: int, end: int) -> None:
    _exactly(0, whole, _match(whole, 48, end), end)


def _port_status(whole: bytes, at: int, end: int) -> None:
    _items(40, 4, partial(_properties, 40), whole, 16, end)


def _table_status(whole: bytes, at: int, end: int) -> None:
    _items(8, 0, partial(_properties, 8), whole, 16, end)


def _forwarded(whole: bytes, at: int, end: int) -> None:
    """A group or meter message of another controller inside a message (7.4.6)."""
    inner = int.from_bytes(whole[10:12], "big")
    if inner != end - 8 or inner < 16:
        raise Malformed(f"a forwarded message of {inner} bytes in {end - 8}")
    if whole[9] == 15:
        _items(16, 0, _bucket, whole, 24, end)
    elif whole[9] == 29:
        _items(12, 2, None, whole, 24, end)
    else:
        raise Malformed(f"a forwarded message of type {whole[9]}")


_MULTIPART: Mapping[int, Check] = {                     # 7.3.5
    0: partial(_exactly, 1056), 1: partial(_items, 56, 0, _flow), 2: partial(_exactly, 24), 3: partial(_rows, 24),
    4: partial(_items, 80, 0, partial(_properties, 80)), 5: partial(_items, 48, 0, partial(_properties, 48)),
    6: partial(_items, 40, 0, partial(_counters, 40, 16)), 7: partial(_items, 8, 0, _group),
    8: partial(_exactly, 40), 9: partial(_items, 40, 4, partial(_counters, 40, 16)),
    10: partial(_items, 8, 0, _meter), 11: partial(_exactly, 16), 12: partial(_items, 64, 0, _table_features),
    13: partial(_items, 40, 4, partial(_properties, 40)), 14: partial(_items, 8, 0, partial(_properties, 8)),
    15: partial(_items, 16, 8, partial(_properties, 16)), 16: partial(_items, 8, 0, _update),
    0xFFFF: partial(_at_least, 8),
}
_BODIES: Mapping[int, Check] = {
    wire.HELLO: partial(_properties, 0), wire.FLOW_REMOVED: _flow_removed, wire.PORT_STATUS: _port_status,
    wire.GET_ASYNC_REPLY: partial(_properties, 0), wire.ROLE_STATUS: partial(_properties, 16),
    wire.TABLE_STATUS: _table_status, wire.REQUESTFORWARD: _forwarded, wire.BUNDLE_CONTROL: partial(_properties, 8),
}


def _multipart(whole: bytes, kind: int) -> None:
    check = _MULTIPART.get(kind)
    if check is None:
        raise Malformed(f"a multipart reply of type {kind}")
    check(whole, 16, len(whole))
