"""What a switch still has to be told, and one bundle of it on its way.

Order: meters that come, then bundles (groups that come, flows, groups that go), then meters that go. What is refused is set
aside, and told; all else of a bundle is carried out, or nothing if it is the commit that fails.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.openflow import messages as wire
from controller.openflow.group import Entry, Key, delete
from controller.openflow.messages import BundleReply, Refusal
from controller.switch.events import SwitchAccepted, SwitchConfirmed, SwitchRefused
from controller.switch.flight import (
    BUNDLE_BYTES,
    BUNDLE_MESSAGES,
    LONGEST,
    Flight,
    Item,
    only_flows,
    plan,
    wrapped,
)
from controller.switch.readout import Readout

ANSWER_SECONDS = 5.0        # after this an echo is asked for: if that is answered first, the step's answer is lost

_EXISTS = frozenset({(6, 0), (12, 1)})      # group exists, meter exists
_UNKNOWN = frozenset({(6, 8), (12, 3)})     # unknown group, unknown meter
_BUNDLE_FAILED = 17
_ABOUT_THE_MESSAGE = frozenset({8, 9, 10, 11})      # codes of "bundle refused" that blame a message, not the bundle


class BundleLost(Exception):
    """What a bundle has done is unknown: only reading the switch again can tell."""


class BundleUnsupported(Exception):
    """The switch does not open bundles at all."""


@dataclass(slots=True)
class Sent:
    """Counters of what was sent."""

    changes: int = 0
    bundles: int = 0
    discarded: int = 0
    refused: int = 0


class Sender:
    """Changes for one switch. `send` gives bytes to the socket at once; `xids(n)` is the first of n message numbers;
    `readout` knows which flows count."""

    def __init__(self, switch_id: str, send: Callable[[bytes], None], post: Callable[[Any], None],
                 xids: Callable[[int], int], *, limit: int = BUNDLE_MESSAGES,
                 readout: Readout | None = None) -> None:
        self.switch_id, self.limit, self.sent = switch_id, limit, Sent()
        self.pending: dict[Key, Entry | None] = {}
        self.flight: Flight | None = None
        self.asked = -1                             # the newest change's number
        self._send, self._post, self._xids = send, post, xids
        self._readout = readout or Readout(switch_id, set(), post)
        self._planned = self._confirmed = -1        # the plan's number; the last one confirmed
        self._plan: deque[list[Item] | Flight] = deque()
        self._aside: dict[Key, Entry | None] = {}   # refused entries, until their key changes
        self._retried: set[Key] = set()             # flows that were refused and are tried once more
        self._present: set[Key] = set()             # groups and meters that the switch has
        self._corrected: set[Key] = set()           # those about which `_present` was wrong in the present plan
        self._bundle = 0

    @property
    def idle(self) -> bool:
        """True if nothing is on its way and nothing is left of the present plan."""
        return self.flight is None and not self._plan

    def merge(self, changes: Mapping[Key, Entry | None], seq: int) -> None:
        """Take changes in; the latest for a key wins. One equal to what was refused is left out."""
        self.asked = max(seq, self.asked)
        if not self._aside:
            self.pending.update(changes)
            return
        for key, entry in changes.items():
            if key in self._aside:
                if self._aside[key] == entry:
                    self.pending.pop(key, None)
                    continue
                del self._aside[key]
            self.pending[key] = entry

    def learn(self, have: Mapping[Key, Any]) -> None:
        """The switch has been read: which groups and meters it has is known."""
        self._present = {key for key in have if key[0].__class__ is str}

    def give(self, batches: Iterable[list[Item] | Flight]) -> None:
        """Additions of what is not there, cut into batches and some of them packed; nobody waits to hear of them."""
        self._plan.extend(batches)

    def take_over(self, other: Sender) -> None:
        """What another has sent for this one is done: know what came of it."""
        self._aside.update(other._aside)
        self._present |= other._present
        for name in ("changes", "bundles", "discarded", "refused"):
            setattr(self.sent, name, getattr(self.sent, name) + getattr(other.sent, name))

    def keys(self) -> set[Key]:
        """Keys that are waiting or on their way."""
        found = set(self.pending)
        found.update(key for key, _ in self._unsent())
        return found

    def go(self, now: float) -> None:
        """Send what comes next, if nothing is on its way; confirm if nothing is left."""
        while self.flight is None:
            if not self._plan:
                self._confirm(self._planned if self.pending else self.asked)
                if not self.pending:
                    return
                self._plan.extend(plan(self.pending, self.limit))
                self._planned, self.pending = self.asked, {}
                self._corrected.clear()
            else:
                self._depart(now)

    def drop(self) -> None:
        """Forget what is on its way and what is planned: the switch is read again, and asked for what is wanted then."""
        self.flight = None
        self._plan.clear()

    def hold(self) -> None:
        """Forget what is on its way, keep what is asked: the switch is read again before anything is sent."""
        for key, entry in self._unsent():
            self.pending.setdefault(key, entry)
        self.flight = None
        self._plan.clear()

    def ask_if_late(self, now: float) -> None:
        """A step takes long. A busy switch answers in its turn, a lost answer never comes: an echo tells which."""
        flight = self.flight
        if flight is not None and flight.doubt < 0 and now - flight.since > ANSWER_SECONDS:
            flight.doubt = self._xids(1)
            self._send(wire.echo_request(b"", flight.doubt))

    def lost(self, xid: int) -> bool:
        """True if this echo was answered before what came ahead of it."""
        return self.flight is not None and xid == self.flight.doubt

    def _unsent(self) -> list[Item]:
        found = list(self.flight.items) if self.flight is not None else []
        for batch in self._plan:
            found += batch.items if isinstance(batch, Flight) else batch
        return found

    def _confirm(self, seq: int) -> None:
        if seq > self._confirmed:
            self._confirmed = seq
            self._post(SwitchConfirmed(self.switch_id, seq))

    # ---- out

    def _depart(self, now: float) -> None:
        """Send the next batch; while the switch is busy with it, pack the one after."""
        batch = self._plan.popleft()
        flight = batch if isinstance(batch, Flight) else self.packed(batch)
        if flight is None:
            return
        self._send(flight.data)
        flight.data, flight.since = b"", now
        self.flight = flight
        self.sent.changes += len(flight.items)
        self.sent.bundles += 1 if flight.bundle else 0
        following = self._plan[0] if self._plan else None
        if isinstance(following, list) and only_flows(following):
            self._plan.popleft()
            packed = self.packed(following)
            if packed is not None:
                self._plan.appendleft(packed)

    def packed(self, items: list[Item]) -> Flight | None:
        """A batch as bytes. None if no item of it can be sent."""
        items, messages = self._encoded(items)
        if not items:
            return None
        flight = Flight(items, sum(key[0] == "meter" for key, _ in items), 0, self._xids(len(items) + 3))
        if flight.plain < len(items):
            self._bundle = flight.bundle = self._bundle % 0xFFFFFFFF + 1
        flight.data = b"".join(wrapped(flight, messages))
        return flight

    def _encoded(self, items: list[Item]) -> tuple[list[Item], list[bytes]]:
        """As many of the items as one bundle holds, and their messages. What no message can hold is set aside."""
        messages: list[bytes] = []
        kept: list[Item] = []
        size = 0
        for place, item in enumerate(items):
            key, entry = item
            try:
                message = self._message(key, entry)
            except (ValueError, struct.error) as error:
                self._set_aside(item, f"no message can hold it: {error}")
                continue
            size += len(message)
            if len(message) > LONGEST:
                self._set_aside(item, f"{len(message)} bytes do not fit into a bundle's message")
                continue
            if size > BUNDLE_BYTES and kept:
                self._plan.appendleft(items[place:])
                break
            kept.append(item)
            messages.append(message)
        return kept, messages

    def _message(self, key: Key, entry: Entry | None) -> bytes:
        """What carries a change out: one message, or two that belong together."""
        if entry is None:
            return delete(key)
        if key in self._present:
            return entry.modify()       # type: ignore[union-attr]
        if self._readout.begins(key, entry):
            return entry.add(anew=True)     # type: ignore[call-arg]
        return delete(key) + entry.add() if self._readout.ends(key, entry) else entry.add()

    # ---- answers

    def answered(self, reply: BundleReply, now: float) -> bool:
        """A bundle's step is done. Returns False if it is not about what is on its way."""
        flight = self.flight
        if flight is None or reply.bundle != flight.bundle:
            return False
        if reply.step == wire.COMMIT_REPLY:
            self._ended(flight)
        else:
            flight.since, flight.doubt = now, -1
        return True

    def passed(self, xid: int) -> bool:
        """A barrier has been passed: meters are carried out, but for those that were refused before it."""
        flight = self.flight
        if flight is None or flight.bundle or xid != flight.barrier:
            return False
        self._ended(flight)
        return True

    def refused(self, refusal: Refusal) -> bool:
        """Take an error in. Returns False if it is not about what is on its way.

        Raises BundleLost if nobody can know what was carried out, BundleUnsupported if no bundle could be opened.
        """
        flight = self.flight
        if flight is None or not flight.first <= refusal.xid <= flight.first + len(flight.items) + 2:
            return False
        place = refusal.xid - flight.first
        if place >= len(flight.items):
            if place == len(flight.items) + 2:
                raise BundleUnsupported(refusal.text)
            if refusal.xid != flight.commit:
                raise BundleLost(refusal.text)
            flight.failure = refusal
            self._ended(flight)
        elif refusal.type == _BUNDLE_FAILED and refusal.code not in _ABOUT_THE_MESSAGE:
            raise BundleLost(refusal.text)
        else:
            flight.refusals.setdefault(place, refusal)
        return True

    def _done(self, items: list[Item]) -> None:
        """Carried out: note groups and meters; tell if something that was refused once has been taken now."""
        self._readout.carried_out(items)
        for key, entry in items:
            if key[0].__class__ is str:
                if entry is None:
                    self._present.discard(key)
                elif key not in self._present:
                    self._present.add(key)
                    self._try_again()
            if self._retried and key in self._retried:
                self._retried.discard(key)
                self._post(SwitchAccepted(self.switch_id, key))

    def _try_again(self) -> None:
        """There is a new group or meter: a flow may have been refused for want of it."""
        flows = {key: entry for key, entry in self._aside.items() if key[0].__class__ is int and entry is not None}
        for key, entry in flows.items():
            del self._aside[key]
            self._retried.add(key)
            self.pending.setdefault(key, entry)

    def _ended(self, flight: Flight) -> None:
        """It has been carried out but for what was refused or, if the commit failed, only its meters: set aside who is to
        blame, plan the others again.

        If nobody is named, or only the first of several (a commit stops there), halves narrow it down.
        """
        self.flight = None
        carried = len(flight.items) if flight.failure is None else flight.plain
        self._done([item for place, item in enumerate(flight.items[:carried]) if place not in flight.refusals])
        blamed = {place: refusal for place, refusal in flight.refusals.items()
                  if not self._correct(flight.items[place], refusal)}
        if flight.failure is not None:
            self.sent.discarded += 1
            if len(flight.items) == flight.plain + 1 and flight.plain not in flight.refusals:
                blamed[flight.plain] = flight.failure
        for place, blame in sorted(blamed.items()):
            self._set_aside(flight.items[place], blame.text)
        rest = [item for place, item in enumerate(flight.items)
                if place not in blamed and (place >= carried or place in flight.refusals)]
        if flight.failure is not None and len(rest) > 1:
            half = len(rest) // 2
            self._plan.extendleft([rest[half:], rest[:half]])
        elif rest:
            self._plan.appendleft(rest)

    def _correct(self, item: Item, refusal: Refusal) -> bool:
        """True if only our idea of what the switch has was wrong: then the item is sent once more, the other way."""
        key = item[0]
        why = (refusal.type, refusal.code)
        if key in self._corrected or why not in _EXISTS | _UNKNOWN:
            return False
        if (why in _EXISTS) == (key in self._present):
            return False
        self._corrected.add(key)
        (self._present.add if why in _EXISTS else self._present.discard)(key)
        return True

    def _set_aside(self, item: Item, text: str) -> None:
        key, entry = item
        self._aside[key] = entry
        self._retried.discard(key)
        self.sent.refused += 1
        self._post(SwitchRefused(self.switch_id, key, text))
