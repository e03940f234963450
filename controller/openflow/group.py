"""Groups and meters: the other two kinds of entry that a switch keeps, as values like flows."""
from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Literal

from controller.openflow import decode
from controller.openflow.actions import Counted
from controller.openflow.flow import VERSION, Flow, FlowKey, Why, delete_flow

GROUP_MOD, METER_MOD = 15, 29
_ANY = 0xFFFFFFFF
_TYPES = {"all": 0, "select": 1, "indirect": 2, "ff": 3}
_KBPS, _PPS, _BURST = 1, 2, 4
_DROP_BAND = 1

GroupKey = tuple[Literal["group"], int]
MeterKey = tuple[Literal["meter"], int]
Bucket = tuple[int | None, int | None, tuple[bytes, ...]]


def _bucket(kind: str, weight: int | None, watch_port: int | None, actions: tuple[bytes, ...]) -> bytes:
    if (weight is not None) != (kind == "select"):
        raise ValueError(f"a bucket of a group of type {kind} has {'a' if kind == 'select' else 'no'} weight")
    if kind == "ff" and watch_port is None:
        raise ValueError("a bucket of a fast-failover group watches a port")
    if kind in ("all", "indirect") and watch_port is not None:
        raise ValueError(f"a group of type {kind} cannot watch a port")
    body = b"".join(actions)
    _one_way_out(body)
    return struct.pack("!HHII4x", 16 + len(body), weight or 0, _ANY if watch_port is None else watch_port, _ANY) + body


def _one_way_out(body: bytes) -> None:
    """A bucket is an action *set*: of what sends the packet on, a switch carries out one, and after all else."""
    read = decode.read_actions(body, 0, len(body))
    out = [place for place, each in enumerate(read) if isinstance(each, _WAYS_OUT)]
    if len(out) > 1:
        raise ValueError("a bucket sends the packet one way only: one output, group, resubmit or ct")
    if read and not out:
        raise ValueError("a bucket that sends the packet nowhere has no effect")
    if out and out[0] != len(read) - 1:
        raise ValueError("what sends the packet on comes last in a bucket")


_WAYS_OUT = (decode.Output, decode.ToGroup, decode.Resubmit, decode.Track, decode.Untrack)


class Group:
    """Sets of actions: "all" carries out every one, "select" one by weight, "indirect" its only one, "ff" the first
    whose port is up. `buckets`: (weight or None, port to watch or None, actions).
    """

    __slots__ = ("id", "type", "buckets", "why", "key", "body")
    cookie = stage = 0

    def __init__(self, id: int, type: str, buckets: Iterable[Bucket], why: Why | None = None) -> None:
        if type not in _TYPES:
            raise ValueError(f"a group's type is one of {', '.join(_TYPES)}, not {type}")
        if not 0 <= id <= 0xFFFFFF00:
            raise ValueError(f"{id} is not a group's number")
        self.id, self.type, self.why = id, type, why
        self.buckets: tuple[Bucket, ...] = tuple((weight, port, tuple(do)) for weight, port, do in buckets)
        if type == "indirect" and len(self.buckets) != 1:
            raise ValueError("an indirect group has one bucket")
        self.key: GroupKey = ("group", id)
        self.body = bytes((_TYPES[type], 0)) + b"".join(_bucket(type, *each) for each in self.buckets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Group) and self.key == other.key and self.body == other.body

    def __hash__(self) -> int:
        return hash(self.key)

    def explained(self, why: Why) -> Group:
        """The same group, saying who asked for it."""
        self.why = self.why or why
        return self

    def __repr__(self) -> str:
        return f"Group({self.id}, {self.type}, {self.body.hex()})"

    def add(self) -> bytes:
        """The message that adds the group (xid 0); refused if there is one of this number."""
        return self._message(0)

    def modify(self) -> bytes:
        """The message that replaces the group of this number (xid 0)."""
        return self._message(1)

    def _message(self, command: int) -> bytes:
        head = struct.pack("!BBHIH", VERSION, GROUP_MOD, 14 + len(self.body), 0, command)
        return head + self.body[:2] + struct.pack("!I", self.id) + self.body[2:]


class Meter:
    """A limit on packets (`pps`) or on kilobits (`kbps`) each second; what exceeds it is dropped.

    `burst` is the bucket's size in packets or kilobits; without it, one second's worth (what Open vSwitch then says).
    `counts`: for whom account is kept of what is dropped; a meter that counts for somebody else is another.
    """

    __slots__ = ("id", "pps", "kbps", "burst", "why", "key", "body", "counts")
    cookie = stage = 0

    def __init__(self, id: int, *, pps: int | None = None, kbps: int | None = None, burst: int | None = None,
                 why: Why | None = None, counts: Counted | None = None) -> None:
        if (pps is None) == (kbps is None):
            raise ValueError("a meter has either pps or kbps")
        if not 0 < id <= 0xFFFF0000:
            raise ValueError(f"{id} is not a meter's number")
        for name, value in (("rate", pps if kbps is None else kbps), ("burst", 1 if burst is None else burst)):
            if not isinstance(value, int) or not 0 < value <= 0xFFFFFFFF:
                raise ValueError(f"a meter's {name} is 1..{0xFFFFFFFF}, not {value}")
        self.id, self.pps, self.kbps, self.burst, self.why, self.counts = id, pps, kbps, burst, why, counts
        self.key: MeterKey = ("meter", id)
        flags = (_KBPS if pps is None else _PPS) | (0 if burst is None else _BURST)
        rate = pps or kbps or 0
        self.body = struct.pack("!HHHII4x", flags, _DROP_BAND, 16, rate, rate if burst is None else burst)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Meter) and self.key == other.key and self.body == other.body and self.counts == other.counts

    def __hash__(self) -> int:
        return hash(self.key)

    def explained(self, why: Why) -> Meter:
        """The same meter, saying who asked for it."""
        self.why = self.why or why
        return self

    def __repr__(self) -> str:
        return f"Meter({self.id}, pps={self.pps}, kbps={self.kbps}, burst={self.burst})"

    def add(self) -> bytes:
        """The message that adds the meter (xid 0); refused if there is one of this number."""
        return self._message(0)

    def modify(self) -> bytes:
        """The message that replaces the meter of this number (xid 0)."""
        return self._message(1)

    def _message(self, command: int) -> bytes:
        head = struct.pack("!BBHIH", VERSION, METER_MOD, 14 + len(self.body), 0, command)
        return head + self.body[:2] + struct.pack("!I", self.id) + self.body[2:]


Entry = Flow | Group | Meter
Key = FlowKey | GroupKey | MeterKey


def delete(key: Key) -> bytes:
    """The message that deletes exactly the entry under a key, of whichever kind (xid 0)."""
    if key[0] == "group":
        return struct.pack("!BBHIHBxI", VERSION, GROUP_MOD, 16, 0, 2, 0, key[1])
    if key[0] == "meter":
        return struct.pack("!BBHIHHI", VERSION, METER_MOD, 16, 0, 2, 0, key[1])
    return delete_flow(key)
