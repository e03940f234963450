"""Changes cut into batches, and a batch as the bytes that go to a switch.

A batch goes out whole, the order to commit with it. Open vSwitch commits what it has understood of a bundle, refused
entries or not, so waiting for refusals first would only cost a turn, and right after a port has come Open vSwitch is too
busy to answer for tens of milliseconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.openflow import messages as wire
from controller.openflow.group import Entry, Key
from controller.openflow.messages import Refusal

# Open vSwitch takes 240 000 flows a second from 1 000 messages a bundle on, and forwards nothing while it commits:
# 2.4 ms for 1 000 messages, 3.1 for 2 000, 8.7 for 8 000.
BUNDLE_MESSAGES = 2000
BUNDLE_BYTES = 4 << 20
LONGEST = 0xFFFF - 16       # bytes of a message that goes inside another

Item = tuple[Key, Entry | None]


@dataclass(slots=True)
class Flight:
    """Changes that are packed, or sent and not answered yet. `first`: xid of the first one; `plain`: so many of them, the
    first ones, are meters, which cannot be in a bundle; `bundle` 0: all are.
    """

    items: list[Item]
    plain: int
    bundle: int
    first: int
    data: bytes = b""           # what is to be sent, until it is
    since: float = 0.0
    doubt: int = -1             # xid of the echo that was asked for because no answer came
    refusals: dict[int, Refusal] = field(default_factory=dict)
    failure: Refusal | None = None

    @property
    def barrier(self) -> int:
        """The xid of what follows the changes: the barrier, or the order to close the bundle."""
        return self.first + len(self.items)

    @property
    def commit(self) -> int:
        """The xid of the order to commit."""
        return self.barrier + 1


def only_flows(items: list[Item]) -> bool:
    """True if what a batch says does not depend on which groups and meters there are (groups come first or last)."""
    return items[0][0][0].__class__ is int and items[-1][0][0].__class__ is int


def wrapped(flight: Flight, messages: list[bytes]) -> Iterator[bytes]:
    """A flight's messages under their own numbers: meters, then a bundle of all else, or a barrier if that is all."""
    number = flight.bundle
    yield from map(wire.with_xid, messages[:flight.plain], range(flight.first, flight.barrier))
    if not number:
        yield wire.barrier_request(flight.barrier)
        return
    yield wire.bundle_open(number, flight.commit + 1)
    for xid, message in enumerate(messages[flight.plain:], flight.first + flight.plain):
        if int.from_bytes(message[2:4], "big") == len(message):
            yield wire.bundle_add(number, message, xid)
        else:
            yield from (wire.bundle_add(number, part, xid) for part in wire.split(bytearray(message)))
    yield wire.bundle_close(number, flight.barrier)
    yield wire.bundle_commit(number, flight.commit)


def plan(changes: Mapping[Key, Entry | None], limit: int) -> Iterator[list[Item]]:
    """Changes in the order in which they are sent, cut into batches of at most `limit`.

    If they need several bundles, later tables come before earlier ones, and go after them: a packet finds its way
    whole or not at all.
    """
    comes: defaultdict[Any, list[Item]] = defaultdict(list)         # by table, or "meter" and "group"
    goes: defaultdict[Any, list[Item]] = defaultdict(list)
    for item in changes.items():
        (goes if item[1] is None else comes)[item[0][0]].append(item)
    after = goes.pop("meter", [])
    batch = comes.pop("meter", []) + comes.pop("group", [])
    late = goes.pop("group", [])
    batch += [item for table in sorted(comes, reverse=True) for item in comes[table]]
    batch += [item for table in sorted(goes) for item in goes[table]]
    for items in (batch + late, after):
        for at in range(0, len(items), limit):
            yield items[at:at + limit]
