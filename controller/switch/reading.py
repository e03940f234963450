"""Reading everything that a switch holds: three questions, many answers, one result."""

from __future__ import annotations

from collections.abc import Callable

from controller.openflow import messages as wire
from controller.openflow.group import Key
from controller.openflow.messages import Malformed, Refusal
from controller.switch import validate
from controller.switch.events import Have
from controller.switch.link import Refused

ENTRY_LIMIT = 2_000_000     # entries; a peer that goes on for ever must not fill the memory

SOUND_LIMIT, SOUND_BYTES = 200_000, 256     # bodies known to be sound, and how long they may be: some 40 MB at most
_sound: set[bytes] = set()

_REQUESTS: dict[int, Callable[[int], bytes]] = {
    wire.FLOWS: wire.flow_stats_request,
    wire.GROUP_DESC: wire.group_desc_request,
    wire.METER_CONFIG: wire.meter_config_request,
}
_READERS: dict[int, Callable[[bytes], dict]] = {
    wire.FLOWS: wire.read_flow_stats, wire.GROUP_DESC: wire.read_groups, wire.METER_CONFIG: wire.read_meters,
}


class Reading:
    """One reading in progress. `first` and the two numbers after it are the xids of its questions.

    `changed` are the keys that are being changed as it begins.
    """

    def __init__(self, first: int, now: float, *, audit: bool, seq: int, changed: set[Key]) -> None:
        self.audit, self.seq, self.changed, self.heard = audit, seq, changed, now
        self.have: dict[Key, tuple[int, bytes]] = {}
        self._open = {first + place: kind for place, kind in enumerate(_REQUESTS)}

    @property
    def requests(self) -> bytes:
        """The questions, as one run of messages."""
        return b"".join(_REQUESTS[kind](xid) for xid, kind in self._open.items())

    @property
    def done(self) -> bool:
        """True if all questions are answered."""
        return not self._open

    def collect_in(self, changed: set[Key] | None) -> None:
        """Keys that the desk asks to change from now on are put in this set, by its own thread."""
        if changed is not None and self.audit:
            changed |= self.changed
            self.changed = changed

    def concerns(self, xid: int) -> bool:
        """True if an answer with this number belongs here."""
        return xid in self._open

    def part(self, whole: bytes, xid: int, now: float) -> None:
        """Take one multipart reply. Raises Malformed if it is unsound or not what was asked."""
        kind, more = wire.multipart_kind(whole)
        if kind != self._open[xid]:
            raise Malformed(f"a multipart reply of type {kind} to a question of type {self._open[xid]}")
        if kind != wire.FLOWS:
            validate.body(whole, whole[1])
        found = _READERS[kind](whole)
        if kind == wire.FLOWS:
            self._judge(found)
        self.have.update(found)
        self.heard = now
        if len(self.have) > ENTRY_LIMIT:
            raise Malformed(f"more than {ENTRY_LIMIT} entries")
        if not more:
            del self._open[xid]

    def _judge(self, found: Have) -> None:
        """Walk the instructions of bodies not met before: what one switch holds, others hold too, and again at its audit."""
        new = {body for _, body in found.values()} - _sound
        for body in new:
            validate.instructions(body, 0, len(body))
        if len(_sound) > SOUND_LIMIT:
            _sound.clear()
        _sound.update(body for body in new if len(body) <= SOUND_BYTES)

    def refused(self, refusal: Refusal, now: float) -> str:
        """The switch does not answer one of the questions: it has nothing of that kind. Returns what to log.

        Raises Refused if the question was about flows, which every switch has.
        """
        kind = self._open.pop(refusal.xid)
        if kind == wire.FLOWS:
            raise Refused(f"it does not tell its flows: {refusal.text}")
        self.heard = now
        return f"it does not tell its {_NAMES[kind]}: {refusal.text}"


_NAMES = {wire.GROUP_DESC: "groups", wire.METER_CONFIG: "meters"}
