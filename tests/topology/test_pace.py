"""Discovery where everything is slow: what is asked is what is answered in time, and links are found and stay."""

from __future__ import annotations

from collections import deque
from itertools import count

import pytest

from controller.announcements import PORTION
from controller.pace import LEAST, Pace
from controller.seals import Doubtful, Late, Seals
from topology.discovery import EVERY, LASTS


class Slow:
    """A fabric of so many ports, which hands over so many frames a second, in the order in which they were sent."""

    def __init__(self, ports: int, speed: int, pace: Pace) -> None:
        self.now, numbers = 1_700_000_000.0, count()
        self.ports, self.speed, self.pace = ports, speed, pace
        self.seals = Seals(lambda: self.now, lambda size: next(numbers).to_bytes(size, "big"))
        self.turns = deque(range(ports))
        self.on_the_way: deque[tuple[int, bytes]] = deque()
        self.ages: dict[int, int] = {}
        self.gone = 0

    def second(self) -> None:
        for _ in range(min(self.pace.rate, self.ports // EVERY)):
            port = self.turns[0]
            self.turns.rotate(-1)
            self.on_the_way.append((port, self.seals.make(str(port).encode())))
        for _ in range(min(self.speed, len(self.on_the_way))):
            self.now += 1 / self.speed
            self._arrive(*self.on_the_way.popleft())
        self.now = float(int(self.now) + 1)
        stretch = max(1.0, self.ports / EVERY / self.pace.rate)
        for port in self.ages:
            self.ages[port] += 1
        old = [port for port, age in self.ages.items() if age > LASTS * stretch]
        self.gone += len(old)
        for port in old:
            del self.ages[port]
        self.pace.tick()

    def _arrive(self, port: int, seal: bytes) -> None:
        try:
            self.pace.answered(late=self.seals.open(str(port).encode(), seal) > 0.5)
            self.ages[port] = 0
        except Late:
            self.pace.answered(late=True)


class Heedless(Pace):
    """Asks as ever, whatever comes back."""

    def tick(self) -> None:
        self.rate = self.most


@pytest.mark.parametrize("speed", [120, 200, 5000])
def test_all_links_are_found_and_none_fades_however_slow_everything_is(speed: int) -> None:
    slow = Slow(1600, speed, Pace(PORTION))
    seconds = next(second for second in range(600) if slow.second() or len(slow.ages) == slow.ports)
    assert seconds <= 4 * slow.ports / min(speed, slow.ports / EVERY) + 10
    for _ in range(200):
        slow.second()
    assert len(slow.ages) == slow.ports and not slow.gone


def test_without_heeding_what_comes_back_links_fade_as_fast_as_they_are_found() -> None:
    slow = Slow(1600, 120, Heedless(PORTION))
    for _ in range(300):
        slow.second()
    assert len(slow.ages) < slow.ports / 4


def test_a_few_late_ones_slow_nothing_down_and_many_halve_the_pace() -> None:
    pace = Pace(1000)
    for _ in range(40):
        pace.answered(late=False)
    for _ in range(10):
        pace.answered(late=True)
    pace.tick()
    assert pace.rate == 1000 and not pace.behind
    for wanted in (500, 250, 125, LEAST, LEAST):
        for _ in range(20):
            pace.answered(late=True)
        assert pace.behind
        pace.tick()
        assert pace.rate == wanted
    while pace.rate < 1000:
        assert pace.behind
        pace.tick()
    assert not pace.behind


def test_a_copy_that_waited_here_for_long_is_still_known() -> None:
    """It came in time, as the first did; whoever opens them was busy between the two."""
    clock = [1_700_000_000.0]
    seals = Seals(lambda: clock[0], lambda size: bytes(size))
    seal = seals.make(b"x")
    clock[0] += 20
    assert seals.open(b"x", seal, at=1_700_000_000.5) == pytest.approx(0.5)
    clock[0] += 30
    with pytest.raises(Doubtful, match="been here before"):
        seals.open(b"x", seal, at=1_700_000_000.6)
