"""A flow entry: a plain value, encoded once and sent to any number of switches."""
from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from controller.openflow.actions import Counted, Drop, Metered
from controller.openflow.pipeline import Table

FlowKey = tuple[int, int, bytes]

VERSION, FLOW_MOD = 5, 14
_FLOW_MOD = struct.Struct("!BBHIQQBBHHHIIIHH")
_ADD, _DELETE_STRICT = 0, 4
_ANY = 0xFFFFFFFF
TELL_REMOVAL = 1            # a flag of flows: say what they have counted when they go
_RESET_COUNTS = 4
_COUNTS = 0x800000          # in a cookie's checksum: so one without that flag is another flow
_CACHE = 16384            # what is wanted again is wanted soon
_SMALL = 512                # bytes of a body that may be wanted again; long ones are lists that are each their own


class Why(NamedTuple):
    """Who asked for a flow: app number (0..255), resource (UUID or other text), rule, and a drop's reason."""

    app: int
    resource: str
    rule: str
    reason: str = ""


@lru_cache(_CACHE)
def resource_number(resource: str) -> int:
    """The 32 bits that stand for a resource in a cookie: the first eight digits of a UUID, else of blake2s."""
    head = resource[:8]
    if len(resource) == 36 and resource[8] == "-":
        try:
            return int(head, 16)
        except ValueError:
            pass
    return int.from_bytes(hashlib.blake2s(resource.encode(), digest_size=4).digest(), "big")


def cookie_of(why: Why | None) -> int:
    """A cookie without its checksum: whose flow it is."""
    return 0 if why is None else why.app << 56 | resource_number(why.resource) << 24


def checksum(body: bytes) -> int:
    """The 24 bits of a cookie that tell two bodies under one key apart."""
    return zlib.crc32(body) & 0xFFFFFF


_Encoded = tuple[bytes, int, str, Counted | None]
_bodies: dict[tuple[Any, ...], _Encoded] = {}


_GOTO = [struct.pack("!HHB3x", 1, 8, number) for number in range(256)]


def _encode(do: tuple[Any, ...]) -> _Encoded:
    """Instructions, their checksum, the reason of a drop, and what is counted."""
    head, tail, reason, counts, actions = b"", b"", "", None, do
    if do and do[-1].__class__ is Table:
        tail, actions = _GOTO[do[-1].number], do[:-1]
    if not set(map(type, actions)) <= _ONLY_BYTES:
        head, reason, counts, actions = _others(do, actions)
    apply = b"".join(actions)
    if apply:
        apply = struct.pack("!HHI", 4, 8 + len(apply), 0) + apply
    body = head + apply + tail
    if not body and not reason:
        raise ValueError("a flow without actions drops: say drop(reason)")
    found = body, checksum(body) ^ (_COUNTS if counts else 0), reason, counts
    if len(body) <= _SMALL:
        if len(_bodies) >= _CACHE:
            _bodies.clear()
        _bodies[do] = found
    return found


_ONLY_BYTES = {bytes}


def _others(do: tuple[Any, ...], actions: tuple[Any, ...]) -> tuple[bytes, str, Counted | None, tuple[bytes, ...]]:
    """The instruction of a meter, the reason of a drop, what is counted, and the actions beside them."""
    head, reason, counts, plain = b"", "", None, []
    for item in actions:
        if isinstance(item, bytes):
            plain.append(item)
        elif isinstance(item, Metered) and not head:
            head = struct.pack("!HHI", 6, 8, item.id)
        elif isinstance(item, Counted) and counts is None:
            counts = item
        elif isinstance(item, Drop) and (len(do) == 1 + (counts is not None) or item is do[-1]):
            reason = item.reason
        else:
            raise ValueError(f"{item!r} cannot stand here among {do!r}")
    return head, reason, counts, tuple(plain)


class Flow:
    """What one table does with one kind of packet. Not to be changed once made.

    `do` holds actions (bytes), at most one meter(), at most one count(), a Table as the last item to go on there; or
    drop(reason) without any, or after what only tells the controller.
    Two flows are equal if they do the same with the same packets; `why` travels in the cookie and takes no part, and
    neither does `stage`: of one change, entries of a lower stage are carried out everywhere before those of a higher one.
    Raises ValueError if the items of `do` cannot stand together, or a goto leads back.
    """

    __slots__ = ("table", "why", "key", "body", "cookie", "stage", "counts")

    def __init__(self, table: Table, priority: int, match: bytes, do: tuple[Any, ...], why: Why | None = None,
                 whose: int | None = None, stage: int = 0) -> None:
        """`whose`: the cookie of `why` without a checksum, if it is known already."""
        self.body, check, reason, self.counts = _bodies.get(do) or _encode(do)
        number, last = table.number, do[-1]
        if last.__class__ is Table and last.number <= number:
            raise ValueError(f"{table} cannot go back to {last}")
        if not 0 <= priority <= 0xFFFF:
            raise ValueError(f"a priority is 0..65535, not {priority}")
        if reason:
            why = (why or Why(0, "", ""))._replace(reason=reason)
        self.table, self.why, self.stage = table, why, stage
        self.key: FlowKey = (number, priority, match)
        self.cookie: int = (cookie_of(why) if whose is None else whose) | check

    def __eq__(self, other: object) -> bool:
        return other.__class__ is Flow and self.key == other.key and self.body == other.body

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Flow({self.table}, {self.priority}, {self.match.hex()}, {self.body.hex()})"

    def explained(self, why: Why) -> Flow:
        """The same flow, saying who asked for it."""
        if self.why == why:
            return self
        made = object.__new__(Flow)
        made.table, made.key, made.body, made.stage, made.counts = self.table, self.key, self.body, self.stage, self.counts
        made.why = why._replace(reason=self.why.reason) if self.why is not None else why
        made.cookie = cookie_of(made.why) | self.cookie & 0xFFFFFF
        return made

    @property
    def priority(self) -> int:
        return self.key[1]

    @property
    def match(self) -> bytes:
        return self.key[2]

    @property
    def conjunctions(self) -> tuple[bytes, ...]:
        """The conjunction actions, if the body consists of nothing else; otherwise none."""
        return conjunctions(self.body)

    def add(self, *, anew: bool = False) -> bytes:
        """The message that adds the flow or replaces the one under its key (xid 0), whose counters it takes over unless it
        begins `anew`."""
        table, priority, fields = self.key
        body = self.body
        return _FLOW_MOD.pack(VERSION, FLOW_MOD, 48 + len(fields) + len(body), 0, self.cookie, 0, table, _ADD, 0, 0,
                              priority, _ANY, _ANY, _ANY, (TELL_REMOVAL if self.counts else 0) | (_RESET_COUNTS if anew else 0), 0) + fields + body


def counting(cookie: int, body: bytes) -> bool:
    """Whether a flow that a switch holds is one of ours that counts."""
    return cookie & 0xFFFFFF == checksum(body) ^ _COUNTS


def conjunctions(body: bytes) -> tuple[bytes, ...]:
    """The conjunction actions of a flow's body, if it consists of nothing else; otherwise none."""
    if body[:2] != b"\0\4" or int.from_bytes(body[2:4], "big") != len(body):
        return ()
    found = tuple(body[at:at + 16] for at in range(8, len(body), 16))
    return found if all(each[:10] == _CONJUNCTION for each in found) else ()


_NOBODY = Why(0, "", "")
_CONJUNCTION = struct.pack("!HHIH", 0xFFFF, 16, 0x2320, 34)


def merge(flows: Iterable[Flow]) -> Flow:
    """One flow for several that share a key and hold conjunctions only: their union, in an order of its own.

    Raises ValueError if the keys differ or one holds anything else.
    """
    wanted = list(flows)
    first = min(wanted, key=lambda flow: flow.why or _NOBODY)
    if not all(flow.conjunctions and flow.key == first.key for flow in wanted):
        raise ValueError("only flows of one key that hold nothing but conjunctions can be merged")
    together = tuple(sorted(set().union(*[flow.conjunctions for flow in wanted])))
    return Flow(first.table, first.priority, first.match, together, first.why)


def delete_flow(key: FlowKey) -> bytes:
    """The message that deletes exactly the flow under a key (DELETE_STRICT, xid 0)."""
    table, priority, fields = key
    return _FLOW_MOD.pack(VERSION, FLOW_MOD, 48 + len(fields), 0, 0, 0, table, _DELETE_STRICT, 0, 0, priority,
                          _ANY, _ANY, _ANY, 0, 0) + fields
