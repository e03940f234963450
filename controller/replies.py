"""Packets that flows have sent to us: the rule whose flow it was has the answer, which is carried out here.

    frame, (port, frame)    sent back, or to another port of the switch
    Fact                    learned; one that fades has been heard of
    Resume                  the packet goes on from where it came in
    Entry                   written down, with the time
    Alarm                   raised, naming the switch and the port
    Unseal                  its proof is looked at, and what follows from it is one of these
    Heard, Ask              answered when the time has come (later.py)
"""
from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from controller.announcements import leading
from controller.app import Alarm, Ask, AsSeen, Entry, Fact, FromPort, Heard, Resume, Sealed, Unseal
from controller.fading import Fading
from controller.later import Later, Means, nobody
from controller.pace import Pace
from controller.seals import LATEST, Doubtful, Late, Seals

FLOOD = 15                 # packets of one object to the controller within a second that are called a flood, if its
                           # rule does not say otherwise
PACKETS = 64               # answered in one turn
SAMPLES = 8                # of the time on the way; the least of them counts, the others have waited for something
WAITED = LATEST / 4        # more than that least: it has waited for long
LONG, LONGEST = 0.25, 5.0  # seconds that following what was proved must take for the next to be gathered; for which it is, at most


class Replies:
    """`alarm(what, **details)` raises an alarm. Lives on the desk thread."""

    def __init__(self, *, model: Any, compiler: Any, switches: Any, learn: Callable[..., Any],
                 alarm: Callable[..., None], seals: Seals, fading: Fading, pace: Pace,
                 passed: Callable[[], float] = monotonic, means: Means | None = None,
                 write_down: Callable[[dict[str, Any], float], None] = lambda *_: None) -> None:
        self.pace, self._passed = pace, passed
        self.model, self.compiler, self.switches, self.learn = model, compiler, switches, learn
        self.alarm, self.seals, self.fading, self.write_down = alarm, seals, fading, write_down
        self.later = Later(model, compiler.world, switches.send_packet, means or Means(monotonic, bytes(16), nobody))
        self.packets: Counter = Counter()                                # object -> packets sent to us, in all
        self._recent: Counter = Counter()
        self._gathered: dict[tuple, Callable[[], None]] = {}             # what was proved, to be followed together
        self._gather_until = 0.0
        self._took: defaultdict[tuple, deque[float]] = defaultdict(lambda: deque(maxlen=SAMPLES))

    def take(self, _: Any = None) -> None:
        """Some of the packets that wait: the rest comes in its turn, after other work on the queue."""
        for event in self.switches.packets(PACKETS):
            self._packet(event)

    def _packet(self, event: Any) -> None:
        unit = self.compiler.punts.get(event.packet.cookie)
        if unit is None:
            return
        rule, (id, *_) = unit
        if (row := self.model.get(rule.per, id)) is None:
            return
        self.packets[rule.per, id] += 1
        self._recent[event.switch_id, event.packet.in_port, id, rule] += 1
        self._carry_out(event, rule.answers(self.compiler.world, row, event.packet.data), (rule.per, id))

    def _carry_out(self, event: Any, answers: Iterable[Any], whose: tuple[str, str]) -> None:
        place = event.switch_id, event.packet.in_port
        for answer in answers:
            if isinstance(answer, Fact):
                self.learn([answer])
                self.fading.heard(answer.kind, answer.document["id"])
            elif isinstance(answer, Alarm):
                self._warn(event, answer.what, answer.details)
            elif isinstance(answer, Unseal):
                self._unseal(event, answer, whose)
            elif isinstance(answer, Entry):
                self.write_down(answer.document, event.at)
            elif isinstance(answer, AsSeen):
                self._carry_out(event, answer.then(event.packet), whose)
            elif isinstance(answer, FromPort):
                self._carry_out(event, answer.then(event.packet.in_port), whose)
            elif isinstance(answer, Resume):
                self.switches.send_packet(event.switch_id, answer.actions, answer.frame, event.packet.in_port)
            elif isinstance(answer, Heard):
                self.later.hear(whose, (event.switch_id, answer.out or event.packet.in_port), answer)
            elif isinstance(answer, Ask):
                self.later.ask(whose, place, answer, lambda more: self._carry_out(event, more, whose))
            else:
                to, frame = answer if isinstance(answer, tuple) else (event.packet.in_port, answer)
                self.switches.send_packet(event.switch_id, leading(to), frame)

    def _unseal(self, event: Any, answer: Unseal, whose: tuple[str, str]) -> None:
        try:
            took = self.seals.open(answer.about, answer.seal, event.at or None)
        except Late as late:
            self.pace.answered(late=True)
            if self.pace.behind:            # who is slow is this machine, or the whole fabric, and not one port
                self.alarm("slow", rate=self.pace.rate, because="much of what discovery sends comes back late, and proves nothing: "
                           f"at switch {event.switch_id} port {event.packet.in_port}, {late}")
            else:
                self._warn(event, answer.alarm.what, {**answer.alarm.details, "because": str(late)})
            return
        except Doubtful as doubt:
            self._warn(event, answer.alarm.what, {**answer.alarm.details, "because": str(doubt)})
            return
        samples = self._took[answer.about, event.switch_id]
        to_us = [self.switches.round_trip(switch) or 0.0 for switch in (answer.by, event.switch_id)]
        samples.append(max(0.0, took - sum(to_us) / 2))
        self.pace.answered(late=samples[-1] > min(samples) + WAITED or samples[-1] > LATEST / 2)
        took = min(samples)
        self._gathered[answer.about, event.switch_id, event.packet.in_port] = lambda: self._carry_out(event, answer.then(round(took * 1e6)), whose)
        self.follow_proved()

    def worked(self, seconds: float) -> None:
        """So long it took to follow what was learned. If that is long, what is proved from now on is gathered for as long: to
        follow a thousand links at once takes hardly longer than ten.
        """
        if seconds > LONG and not self._gathered:               # what is gathered already does not wait for longer
            self._gather_until = self._passed() + min(seconds, LONGEST)

    @property
    def gathering(self) -> bool:
        """Whether something was proved, and is not followed yet."""
        return bool(self._gathered)

    def follow_proved(self) -> None:
        """Carry out what was gathered, once it has been for long enough."""
        if self._gathered and self._passed() >= self._gather_until:
            gathered, self._gathered = self._gathered, {}
            for follow in gathered.values():
                follow()

    def _warn(self, event: Any, what: str, details: Mapping[str, Any]) -> None:
        self.alarm(what, switch=event.switch_id, port=event.packet.in_port, **details)

    def hand(self, switch: str, to: int | bytes, frame: bytes | Sealed) -> None:
        """Have a switch send a frame to a port or as actions say, sealed when it leaves if it is to be."""
        if isinstance(frame, Sealed):
            self.switches.send_fresh(switch, leading(to), lambda: frame.head + self.seals.make(frame.about) + frame.tail)
        else:
            self.switches.send_packet(switch, leading(to), frame)

    def tick(self) -> None:
        """A second has passed: who has flooded us?"""
        for (switch, port, id, rule), count in self._recent.items():
            if count >= (rule.flood or FLOOD):
                self.alarm("flood", switch=switch, port=port, object=f"{rule.per} {id}", rule=rule.name, packets=count)
        self._recent.clear()
        self.later.tick()
