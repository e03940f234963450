"""DHCP questions from up to 500 switches, answered from the model: answers a second of the controller's CPU.

All of the way is the controller's own: the switches' thread, the desk, control, the app, and back. The switches are fake and
live in another process, each with some questions unanswered at any time. The last round has one switch that floods and
reads nothing: the others' answers must not wait for it.
"""
from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
import threading
import time
from typing import Any

from controller import app
from controller.compile import Compiler
from controller.control import Control
from controller.desk import Desk
from controller.garbage import loading
from controller.standing import Tick
from controller.store.memory import MemoryStore
from controller.switch.switches import Switches
from controller.write import Writer
from tests.bench.fabric import Fabric

SECONDS = 4.0
PORTS_EACH = 8          # on average, so that no switch is without


def run(*, quick: bool = False) -> list[dict[str, Any]]:
    fleets = ((2, 4, False),) if quick else ((1, 1, False), (1, 64, False), (100, 16, False), (500, 16, False), (500, 4, True))
    size = max(count for count, _, _ in fleets)
    logging.getLogger("hadron").setLevel(logging.ERROR)              # it says of every port that it floods: it does
    logging.getLogger("controller").setLevel(logging.ERROR)
    controller = Answering(Fabric(PORTS_EACH * size, size))
    found = []
    try:
        for count, outstanding, stalled in fleets:
            found.append(controller.measure(count, outstanding, stalled=stalled, seconds=1.0 if quick else SECONDS))
            print(f"  {found[-1]}", file=sys.stderr, flush=True)
    finally:
        controller.close()
    return found


class Answering:
    """A controller without REST, OVSDB and disk."""

    def __init__(self, fabric: Fabric) -> None:
        self.model = fabric.model
        self.compiler = Compiler(fabric.model, app.RULES, app.TALLIES)
        writer = Writer(fabric.model, fabric.model.resources, MemoryStore())
        self.desk = Desk(on_event=lambda event: self.control.on_event(event),
                         after_batch=lambda: self.control.after_batch(), group=writer.group)
        self.switches = Switches(self.desk.post)
        self.control = Control(model=fabric.model, writer=writer, compiler=self.compiler, switches=self.switches,
                               home=lambda port: None, now=time.time, audit_interval=0)
        gc.collect()
        with loading():
            self.control.load()
        self.address = self.switches.listen("127.0.0.1", 0)
        self.desk.start()
        self.switches.start()
        self._closing = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="clock")
        self._clock.start()

    def close(self) -> None:
        self._closing.set()
        self._clock.join()
        self.switches.close()
        self.desk.close()

    def _tick(self) -> None:
        while not self._closing.wait(1):
            self.desk.post(Tick(time.time(), time.monotonic()))

    def questions(self, count: int) -> dict[str, list[Any]]:
        """For each of `count` switches a punting flow's cookie, the port's OpenFlow number and its MAC."""
        found: dict[str, list[Any]] = {}
        for cookie, (rule, (id, *_)) in self.compiler.punts.items():
            for seen in self.model.find("interface", "port_id", id) if rule.per == "port" and rule.answers else ():
                found.setdefault(seen.switch_id, [cookie, seen.ofport, self.model.get("port", id).mac_address])
        return dict(sorted(found.items())[:count])

    def measure(self, count: int, outstanding: int, *, stalled: bool, seconds: float) -> dict[str, Any]:
        wanted = self.questions(count)
        order = {"address": self.address, "switches": wanted, "outstanding": outstanding, "stalled": stalled}
        peers = subprocess.Popen([sys.executable, "-m", "tests.bench.questions"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        assert peers.stdin is not None and peers.stdout is not None
        try:
            peers.stdin.write(json.dumps(order) + "\n")
            peers.stdin.flush()
            began = time.monotonic()
            peers.stdout.readline()                             # all are connected, and hold what they should
            connected = time.monotonic() - began
            cpu, began = time.process_time(), time.monotonic()
            peers.stdin.write(f"{seconds}\n")
            peers.stdin.flush()
            told = json.loads(peers.stdout.readline())
            cpu, took = time.process_time() - cpu, time.monotonic() - began
        finally:
            peers.kill()
            peers.wait()
        return {"switches": len(wanted), "outstanding_each": outstanding, "one_stalled": stalled,
                "connected_s": round(connected, 2), "answers_s": round(told["answers"] / took),
                "answers_per_cpu_s": round(told["answers"] / cpu), "answer_ms": told["ms"],
                "fewest_from_one_switch": told["fewest"]}


if __name__ == "__main__":
    json.dump(run(quick="--quick" in sys.argv), sys.stdout, indent=1)
