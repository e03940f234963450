"""The other side of the bench of packets: many fake switches, each with some DHCP questions on their way."""
from __future__ import annotations

import json
import sys
import time

from tests.kit.dhcp import DISCOVER, ask
from tests.kit.fake_switch import FakeSwitch, FakeSwitches, packet_in

PATIENCE = 60.0
FLOOD = 20_000      # questions that the stalled switch sends and never reads an answer to


class Asker:
    """One switch: whenever an answer comes, the next question goes."""

    def __init__(self, switch: FakeSwitch, cookie: int, ofport: int, mac: str) -> None:
        self.switch, self.answers = switch, 0
        self.waits: list[float] = []
        self.question = packet_in(ask(mac, DISCOVER), cookie=cookie, table=20, in_port=ofport)
        self._asked: list[float] = []

    def begin(self, outstanding: int) -> None:
        self.switch.on_packet_out = self._answered
        self._asked = [time.perf_counter()] * outstanding
        self.switch.send(self.question * outstanding)

    def _answered(self, switch: FakeSwitch, message: bytes) -> None:
        now = time.perf_counter()
        self.waits.append(now - self._asked.pop(0))
        self.answers += 1
        self._asked.append(now)
        switch.out += self.question


def main() -> None:
    order = json.loads(sys.stdin.readline())
    with FakeSwitches(*order["address"]) as fakes:
        with fakes.lock:
            askers = [Asker(fakes.add(name), *asked) for name, asked in order["switches"].items()]
        until(lambda: all(asker.switch.role == "master" and asker.switch.commits for asker in askers))
        print("ready", flush=True)
        seconds = float(sys.stdin.readline())
        if order["stalled"]:
            loud = askers.pop()
            loud.switch.faults.deaf = True
            loud.switch.send(loud.question * FLOOD)
        for asker in askers:
            asker.begin(order["outstanding"])
        end = time.monotonic() + seconds
        until(lambda: time.monotonic() > end)
        with fakes.lock:
            waits = sorted(wait for asker in askers for wait in asker.waits)
            ms = {name: round(1000 * waits[int(len(waits) * part)], 2) for name, part in (("p50", 0.5), ("p99", 0.99))}
            print(json.dumps({"answers": len(waits), "ms": ms, "fewest": min(asker.answers for asker in askers)}), flush=True)


def until(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the controller does not come")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
