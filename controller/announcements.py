"""Announcements: what objects say unasked (`@every` in controller/app.py), sent in small portions, one each second.

    a row changes ─► what an object says differs ─► its round: what it takes back, then what it says, to each place
    its second has come (of so many) ──────────────► its round: what it says, to each place

What cannot wait (`at_once`) is said as well as soon as the flows that go with it are there (`hurry`), and again with each of
the next beats: a frame of the old place may still have been under way, and switches believe who spoke last.

Whose second it is follows from the object's id and the clock alone: objects take turns, and a restart of the controller
puts nobody off. Objects that have much to send take turns too, so that none waits for another's ten thousand places.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from zlib import crc32

from controller.openflow.actions import output
from controller.pace import Pace
from controller.world import Missing

PORTION = 1000              # places served in one second, at most (pace.py)
TURN = 50                   # of one object before it is another's turn
BEATS = 2                   # with which what could not wait is said again
CATCH_UP = 60               # seconds that are made up for if the desk was busy; more, and somebody has set the clock

Unit = tuple                # (saying, (id,)), as in controller/compile.py
Place = tuple[str, int | bytes]        # switch, and OpenFlow port or the actions that lead to it
Send = Callable[[str, int | bytes, Any], None]


def leading(to: int | bytes) -> bytes:
    """The actions that hand a packet to a port, or those that are said instead of one."""
    return to if isinstance(to, bytes) else output(to)


class Round(NamedTuple):
    """One object's frames on their way: the places that have not had them yet, and what is taken back on the way."""
    places: Iterator[Place]
    frames: tuple[Any, ...]
    undo: dict[Hashable, bytes]


class Announcements:
    """`send(switch, OpenFlow port or actions, frame)` has a switch hand a frame to a port; `pace` says to how many places."""

    def __init__(self, model: Any, world: Any, sayings: Iterable[Any], send: Send, pace: Pace | None = None) -> None:
        self.pace = pace or Pace(PORTION)
        self.model, self.world, self.send = model, world, send
        self.sayings: defaultdict[str, list] = defaultdict(list)
        for saying in sayings:
            self.sayings[saying.per].append(saying)
        self.said: dict[Unit, Any] = {}                         # what is said now; nothing is not kept
        self.waiting: dict[Unit, Round] = {}                    # in the order of their turns
        self._turn: defaultdict[Any, dict[int, dict[Unit, None]]] = defaultdict(dict)   # saying -> second -> units
        self._eager: dict[Unit, int] = {}                       # how often it is to be said again at once
        self._last = 0
        self.urgent: dict[Unit, None] = {}                      # what cannot wait until the second has passed
        self._beats: dict[Unit, int] = {}                       # how often that is still to be repeated
        self._left = self.pace.rate                             # places that may still be served in this second

    # ---- keeping up
    def take(self, changes: Iterable[Any], news: Iterable[Unit], tell: bool = True) -> None:
        """Rows changed, and what these units say: `changes` and `news` as the compiler took and gave them."""
        changed = dict.fromkeys(unit for unit in news if unit[0].role == "said")
        for kind, id, *_ in changes:
            changed.update(dict.fromkeys((saying, (id,)) for saying in self.sayings.get(kind, ())))
        for unit in changed:
            self._renew(unit, tell)

    def _renew(self, unit: Unit, tell: bool) -> None:
        saying, (id,) = unit
        row = self.model.get(saying.per, id)
        speaks = row is not None and saying.concerns(row)
        if not speaks and not self.world.has_asked(saying, id):
            return
        was = self.said.pop(unit, saying.nothing)
        now = self.world.ask(saying, id) if speaks else saying.nothing
        if not speaks:
            self.world.forget(unit)
        second = crc32(id.encode()) % saying.seconds
        if now.frames:
            self.said[unit] = now
            self._turn[saying].setdefault(second, {})[unit] = None
        else:
            self._turn[saying].get(second, {}).pop(unit, None)
        if row is None:
            self.waiting.pop(unit, None)
        elif tell and now != was:
            self._begin(unit, row, now, dict(was.undo))
            if saying.eager and now.frames:
                self._eager[unit] = 2 * saying.eager
            if saying.at_once and now.frames:
                self.urgent[unit] = None

    def _begin(self, unit: Unit, row: Any, now: Any, undo: dict[Hashable, bytes]) -> None:
        """From the first place on, with what an unfinished round had yet to take back."""
        earlier = self.waiting.pop(unit, None)
        if earlier is not None:
            undo = {**earlier.undo, **undo}
        still = {about for about, _ in now.undo}
        undo = {about: frame for about, frame in undo.items() if about not in still}
        self.waiting[unit] = Round(_places(unit[0], self.world, row), now.frames, undo)

    # ---- time
    def tick(self, now: float) -> None:
        """A second or some have passed: begin the rounds whose time has come, and send a portion of what waits."""
        second = int(now)
        first = self._last + 1 if abs(second - self._last) < CATCH_UP else second
        self._last = second
        for saying, seconds in self._turn.items():
            for each in range(first, second + 1):
                for unit in tuple(seconds.get(each % saying.seconds, ())):
                    self._again(unit)
        self._send()

    @property
    def stretch(self) -> float:
        """How many times as long as it should a round of all that is said takes; at least 1."""
        asked = sum(len(units) / saying.seconds for saying, seconds in self._turn.items() for units in seconds.values())
        return max(1.0, asked / self.pace.rate)

    def _again(self, unit: Unit) -> None:
        row = self.model.get(unit[0].per, unit[1][0])
        if row is not None and unit in self.said and unit not in self.waiting:
            self._begin(unit, row, self.said[unit], {})

    def _be_eager(self) -> None:
        """What has just changed and is likely to get lost is said with every other beat for a while."""
        for unit, left in list(self._eager.items()):
            self._eager[unit] = left - 1
            if left % 2 == 0 and unit not in self.waiting:
                self._speak(unit)
            if left < 2:
                del self._eager[unit]

    def hurry(self) -> None:
        """Say what cannot wait."""
        for unit in self.urgent:
            self._beats[unit] = BEATS
            self._speak(unit)
        self.urgent.clear()

    def beat(self) -> None:
        """A part of a second has passed."""
        self._be_eager()
        for unit, times in list(self._beats.items()):
            self._beats[unit] = times - 1
            if times == 1:
                del self._beats[unit]
            self._speak(unit)

    def _speak(self, unit: Unit) -> None:
        """As far as the second's portion goes."""
        row, said = self.model.get(unit[0].per, unit[1][0]), self.said.get(unit)
        if row is None or said is None:
            return
        for switch, to in _some(_places(unit[0], self.world, row), self._left):
            self._left -= 1
            for frame in said.frames:
                self.send(switch, to, frame)

    def _send(self) -> None:
        self._left = self.pace.rate
        while self._left > 0 and self.waiting:
            self._serve(next(iter(self.waiting)))

    def _serve(self, unit: Unit) -> None:
        """One object's turn: so many places."""
        round = self.waiting.pop(unit)
        turn = min(TURN, self._left)
        self._left -= turn
        for switch, port in _some(round.places, turn):
            turn -= 1
            for frame in (*round.undo.values(), *round.frames):
                self.send(switch, port, frame)
        if not turn:
            self.waiting[unit] = round                          # there may be more: at the end of the queue
        else:
            self._left += turn


def _places(saying: Any, world: Any, row: Any) -> Iterator[Place]:
    """Where an object speaks: nowhere (more) if something that this needs is not there."""
    with suppress(Missing):
        yield from saying.to(world, row)


def _some(places: Iterator[Place], most: int) -> Iterator[Place]:
    for _, place in zip(range(most), places, strict=False):
        yield place
