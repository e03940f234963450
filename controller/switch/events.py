"""What the switches' side tells the desk: plain facts, posted in the order in which they happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import NamedTuple

from controller.openflow.counters import Count, Removed
from controller.openflow.flow import FlowKey
from controller.openflow.group import Entry, Key
from controller.openflow.messages import PacketIn

Have = Mapping[Key, tuple[int, bytes]]      # what a switch holds: key -> (cookie, body)


class SwitchGreeted(NamedTuple):
    """A switch has said who it is. Until read() is called nothing is written to it.

    `certificate` is the common name in its client certificate, empty without TLS or without one.
    """

    switch_id: str
    address: str
    certificate: str = ""


class SwitchEmpty(NamedTuple):
    """A switch that was just greeted has no flow at all. It is being read all the same; what is ready by then saves time."""

    switch_id: str


class SwitchGone(NamedTuple):
    """A greeted switch's connection has ended, for this reason."""

    switch_id: str
    reason: str


class SwitchTwice(NamedTuple):
    """A second connection claimed the identity of a switch that is there and answers; it was refused."""

    switch_id: str
    kept: str
    refused: str


class Impostor(NamedTuple):
    """Somebody has said it is a host, or a switch (`kind`), that belongs to another certificate; it was refused."""

    kind: str
    id: str
    address: str
    shown: str
    owner: str


class SwitchRead(NamedTuple):
    """Everything a switch holds, asked for by read() or, after an answer was lost, by the session itself.

    Answer it with change(switch_id, difference(...), seq), even if there is nothing to do: until then a read that is
    no audit holds back all changes. `changed`: keys that were asked to change since the read began (or were being
    changed then), of which `have` may be older than the last order. `coming`: what it is being filled with already, as
    foresee() has said; it is held against the difference like what it holds.
    """

    switch_id: str
    have: Have
    audit: bool
    seq_at_start: int
    changed: Set[Key] = frozenset()
    coming: Mapping[Key, Entry | None] = MappingProxyType({})


class SwitchConfirmed(NamedTuple):
    """The switch has carried out, or refused, every change up to this number."""

    switch_id: str
    seq: int


class SwitchRefused(NamedTuple):
    """The switch does not take this entry, in its own words; it is not sent again until it changes (or
    until a group or a meter comes that it may have lacked).
    """

    switch_id: str
    key: Key
    text: str


class SwitchAccepted(NamedTuple):
    """A flow that was refused has been taken now, unchanged: the group or meter that it needs has come."""

    switch_id: str
    key: Key


class SwitchDemoted(NamedTuple):
    """Another controller is this switch's master: nothing is written to it until claim() or a new connection."""

    switch_id: str
    text: str


class FlowsCounted(NamedTuple):
    """What the flows of the tables that are asked for had counted (`Switches.count`)."""

    switch_id: str
    counts: Mapping[FlowKey, Count]


class FlowRemoved(NamedTuple):
    """A flow that was to tell it has gone: the last that it counted."""

    switch_id: str
    removed: Removed


class FlowsTakenOut(NamedTuple):
    """The switch has taken these counting flows out, as it was told: (key, cookie without checksum) each. It will say of
    each what it has counted; what is read under its key from now on is another's.
    """

    switch_id: str
    places: Sequence[tuple[FlowKey, int]]


class CountsEnded(NamedTuple):
    """What counted at these places does so no more, and is not told of: (key, cookie without checksum) each."""

    switch_id: str
    places: Sequence[tuple[FlowKey, int]]


class PortChanged(NamedTuple):
    """A port of a switch was seen or changed: `state` is "up", "down" or "gone"; `speed` in Mbit/s, if known."""

    switch_id: str
    ofport: int
    name: str
    state: str
    mac: str = ""
    speed: int | None = None


class PortsTold(NamedTuple):
    """All ports of a switch have been told as PortChanged: those with other numbers are gone."""

    switch_id: str
    numbers: Set[int]


class PacketReceived(NamedTuple):
    """A packet that a flow sent to the controller; `at` is when it came (seconds since 1970)."""

    switch_id: str
    packet: PacketIn
    at: float = 0.0


class PacketsWaiting(NamedTuple):
    """There are packets: fetch some of them with packets(). Posted again as long as some remain."""


Event = (SwitchGreeted | SwitchEmpty | SwitchGone | SwitchTwice | Impostor | SwitchRead | SwitchConfirmed | SwitchRefused | SwitchAccepted
         | SwitchDemoted | FlowsCounted | FlowRemoved | FlowsTakenOut | PortChanged | PortsTold | PacketsWaiting)
