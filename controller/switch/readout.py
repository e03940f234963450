"""What a switch's counting flows have counted so far: asked for by table, one round at a time, in the order in which the
switch tells of flows that go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from controller.openflow import stats
from controller.openflow.counters import METERS, Count, read_counters, read_flow_removed, read_meter_drops
from controller.openflow.flow import Flow, FlowKey, counting
from controller.openflow.group import Entry, Key
from controller.openflow.messages import Malformed
from controller.switch.events import FlowRemoved, FlowsCounted, FlowsTakenOut, Have
from controller.switch.flight import Item
from controller.switch.reading import ENTRY_LIMIT

PATIENCE = 30.0         # seconds after which a round is not waited for any more


class Readout:
    """One round on its way at most; the desk asks for the next. `tables` grows as flows that count are wanted."""

    def __init__(self, switch_id: str, tables: set[int], post: Callable[[Any], None]) -> None:
        self._switch, self._tables, self._post = switch_id, tables, post
        self._open: set[int] = set()
        self._since = 0.0
        self._found: dict[FlowKey, Count] = {}
        self._counting: dict[FlowKey, int] = {}         # flows that count, and whose they are

    def learn(self, have: Have) -> None:
        """The switch has been read: which of its flows count is known."""
        self._counting = {key: cookie >> 24 for key, (cookie, body) in have.items()
                          if key[0] in self._tables and counting(cookie, body)}

    def ends(self, key: Key, entry: Entry) -> bool:
        """Whether to take out what is under this key before the entry is put there: its counters would be carried over to
        a flow that is another's, or counts nothing."""
        before = self._counting.get(key)        # type: ignore[arg-type]
        return before is not None and before != _whose(entry)

    def begins(self, key: Key, entry: Entry) -> bool:
        """Whether counting begins with this entry: a flow that may be under its key has counted for nobody."""
        return key not in self._counting and _whose(entry) is not None

    def ask(self, xids: Callable[[int], int], now: float) -> bytes:
        """The questions of a round; nothing while one is on its way."""
        if self._open and now - self._since < PATIENCE:
            return b""
        tables = sorted(self._tables)
        first = xids(len(tables))
        self._open, self._since, self._found = set(range(first, first + len(tables))), now, {}
        return b"".join(stats.meter_stats_request(xid) if table == METERS else stats.flow_stats_request(xid, table=table)
                        for xid, table in enumerate(tables, first))

    def concerns(self, xid: int) -> bool:
        """True if an answer with this number belongs here."""
        return xid in self._open

    def part(self, whole: bytes, xid: int) -> None:
        """Take one multipart reply. Raises Malformed if it is unsound."""
        found = read_meter_drops(whole) if stats.multipart_kind(whole)[0] == stats.METER_STATS else read_counters(whole)
        self._found.update(found)
        if len(self._found) > ENTRY_LIMIT:
            raise Malformed(f"more than {ENTRY_LIMIT} flows")
        if not stats.multipart_kind(whole)[1]:
            self._open.discard(xid)
            if not self._open:
                found, self._found = self._found, {}
                self._post(FlowsCounted(self._switch, found))

    def fail(self) -> None:
        """The switch does not answer: the next round begins anew."""
        self._open, self._found = set(), {}

    def removed(self, whole: bytes) -> None:
        """Take a FLOW_REMOVED. Raises Malformed if it is unsound."""
        self._post(FlowRemoved(self._switch, read_flow_removed(whole)))

    def carried_out(self, items: Iterable[Item]) -> None:
        """A bundle has been committed: flows that count may be gone with it."""
        gone, now = [], self._counting
        for key, entry in items:
            whose = None if entry is None else _whose(entry)
            before = now.get(key)                   # type: ignore[arg-type]
            if before is not None and before != whose:
                gone.append((key, before))
                del now[key]                        # type: ignore[arg-type]
            if whose is not None:
                now[key] = whose                    # type: ignore[index]
        if gone:
            self._post(FlowsTakenOut(self._switch, gone))       # type: ignore[arg-type]


def _whose(entry: Entry) -> int | None:
    """The owner, as cookies say it, of a flow that counts."""
    return entry.cookie >> 24 if isinstance(entry, Flow) and entry.counts is not None else None
