"""Changes cut into batches, and a batch as the bytes that go to a switch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
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


class Step(StrEnum):
    """How far a flight is."""

    ADDING = "adding"
    COMMITTING = "committing"


@dataclass(slots=True)
class Flight:
    """Changes that are packed, or sent and not answered yet. `first`: xid of the first one; `bundle` 0: meters, no
    bundle.
    """

    items: list[Item]
    bundle: int
    first: int
    data: bytes = b""           # what is to be sent, until it is
    since: float = 0.0
    doubt: int = -1             # xid of the echo that was asked for because no answer came
    step: Step = Step.ADDING
    refusals: dict[int, Refusal] = field(default_factory=dict)
    failure: Refusal | None = None

    @property
    def last(self) -> int:
        """The xid of the question whose answer ends the present step."""
        return self.first + len(self.items) + (1 if self.step is Step.COMMITTING else 0)


def only_flows(items: list[Item]) -> bool:
    """True if what a batch says does not depend on which groups and meters there are (groups come first or last)."""
    return items[0][0][0].__class__ is int and items[-1][0][0].__class__ is int


def wrapped(flight: Flight, messages: list[bytes]) -> Iterator[bytes]:
    """A flight's messages under their own numbers, in a bundle or, for meters, before a barrier."""
    first, last, number = flight.first, flight.first + len(messages), flight.bundle
    if not number:
        yield from map(wire.with_xid, messages, range(first, last))
        yield wire.barrier_request(last)
        return
    yield wire.bundle_open(number, last + 2)
    for xid, message in enumerate(messages, first):
        yield wire.bundle_add(number, message, xid)
    yield wire.bundle_close(number, last)


def plan(changes: Mapping[Key, Entry | None], limit: int) -> Iterator[list[Item]]:
    """Changes in the order in which they are sent, cut into batches of at most `limit`.

    If they need several bundles, later tables come before earlier ones, and go after them: a packet finds its way
    whole or not at all.
    """
    kinds: dict[Any, list[Item]] = {}
    for item in changes.items():
        key, entry = item
        kind = key[0] if key[0].__class__ is str else "flow"
        kinds.setdefault((kind, entry is not None), []).append(item)

    def of(kind: str, comes: bool) -> list[Item]:
        return kinds.get((kind, comes), [])

    adds, deletes = of("flow", True), of("flow", False)
    if len(adds) + len(deletes) > limit:
        adds.sort(key=lambda item: item[0][0], reverse=True)
        deletes.sort(key=lambda item: item[0][0])
    bundled = of("group", True) + adds + deletes + of("group", False)
    for batch in (of("meter", True), bundled, of("meter", False)):
        for at in range(0, len(batch), limit):
            yield batch[at:at + limit]
