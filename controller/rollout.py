"""Changes that hang together across switches, carried out in order: what is new before what is old goes.

    wave by wave:  stage 0, 1, 2 … (the ends of new ways first), then what is no more
                   each as soon as every switch has confirmed the one before, or has had SECONDS to

    what nothing leads to any more ─► LINGER seconds later: until then Open vSwitch credits to it what has passed by it

So a frame on its way always finds the rest of it: the old way as long as it is told so, and then the new one, whose end
is there already. What is not staged is not delayed. The latest word on an entry counts, whichever wave it was in.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controller.compile import Lingering

SECONDS = 2.0               # after which a wave is taken for confirmed, whoever has not
LINGER = 3.0                # seconds; Open vSwitch looks at all that its datapath has counted twice in one
LAST = 1 << 30              # the stage of what is no more

NO_LINGERING = Lingering(set(), False)

Changes = dict[str, dict[Any, Any]]


class Rollout:
    """Waves that wait. `send` sends changes to switches, and gives back the (switch, sequence number) to be confirmed."""

    def __init__(self, send: Callable[[Changes], Mapping[str, int]]) -> None:
        self._send = send
        self._waves: defaultdict[int, Changes] = defaultdict(dict)
        self._lingering: defaultdict[str, dict[Any, float]] = defaultdict(dict)     # switch -> key -> when it goes
        self._unconfirmed: dict[str, int] = {}
        self._since = 0.0

    @property
    def waiting(self) -> bool:
        """Whether something is still to be sent that makes a difference."""
        return bool(self._waves)

    def take(self, changes: Mapping[str, Mapping[Any, Any]], late: set[Any], now: float,
             lingering: Lingering = NO_LINGERING) -> Mapping[str, int]:
        """Take in a change; `late` are keys whose entries, where they are no more, go last. What was sent at once."""
        self._forget(changes)
        at_once: Changes = self._ended(float("inf")) if lingering.ends else {}
        staged = False
        for switch, told in changes.items():
            for key, entry in told.items():
                if entry is None and (switch, key) in lingering.keys:
                    self._lingering[switch][key] = now + LINGER
                    continue
                stage = entry.stage if entry is not None else LAST if key in late else 0
                wave = self._waves[stage] if stage else at_once
                staged = staged or stage > 0
                wave.setdefault(switch, {})[key] = entry
        sent = self._send(at_once) if at_once else {}
        if staged:
            self._sent(sent, now)
        self.advance(now)
        return sent

    def confirmed(self, switch: str, seq: int, now: float) -> None:
        """A switch has carried out everything up to a sequence number."""
        if self._unconfirmed.get(switch, seq + 1) <= seq:
            del self._unconfirmed[switch]
            self.advance(now)

    def gone(self, switch: str, now: float) -> None:
        """A switch is away, or is being told everything at once: nothing waits for it, and nothing for what it was to be told."""
        self._unconfirmed.pop(switch, None)
        self._lingering.pop(switch, None)
        for stage in list(self._waves):
            self._waves[stage].pop(switch, None)
            if not self._waves[stage]:
                del self._waves[stage]
        self.advance(now)

    def held_back(self, switch: str) -> Iterator[Any]:
        """The keys of what a switch is still to be told."""
        for wave in self._waves.values():
            yield from wave.get(switch, ())
        yield from self._lingering.get(switch, ())

    def left_for(self, switch: str) -> int:
        """How many changes a switch is still to be told; any thread may ask."""
        return sum(len(wave.get(switch, ())) for wave in list(self._waves.values()))

    def advance(self, now: float) -> None:
        """Send the next wave, if the one before is confirmed or is overdue."""
        while self._waves and (not self._unconfirmed or now - self._since >= SECONDS):
            self._unconfirmed.clear()
            self._sent(self._send(self._waves.pop(min(self._waves))), now)
        if ended := self._ended(now):
            self._send(ended)

    def _ended(self, now: float) -> Changes:
        """What has stayed for long enough."""
        ended: Changes = {switch: gone for switch, held in self._lingering.items()
                          if (gone := {key: None for key, end in held.items() if end <= now})}
        for switch, gone in ended.items():
            for key in gone:
                del self._lingering[switch][key]
        return ended

    def _sent(self, seqs: Mapping[str, int], now: float) -> None:
        if not self._unconfirmed:
            self._since = now
        self._unconfirmed.update(seqs)

    def _forget(self, changes: Mapping[str, Mapping[Any, Any]]) -> None:
        """What was to be told later and is now told otherwise."""
        for switch in self._lingering.keys() & changes.keys():
            for key in self._lingering[switch].keys() & changes[switch].keys():
                del self._lingering[switch][key]
        for wave in self._waves.values():
            for switch in wave.keys() & changes.keys():
                for key in wave[switch].keys() & changes[switch].keys():
                    del wave[switch][key]
        for stage in [stage for stage, wave in self._waves.items() if not any(wave.values())]:
            del self._waves[stage]
