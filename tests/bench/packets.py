"""DHCP questions from up to 500 switches, answered by the app from the model: answers a second of the controller's CPU.

The switches are fake and live in another process, each with some questions unanswered at any time; they hold the flows
that ask, and no others. The last round has one switch that floods and reads nothing: the others' answers must not wait
for it.
"""
from __future__ import annotations

import gc
import json
import queue
import subprocess
import sys
import threading
import time
from typing import Any

from controller import app
from controller.compile import Compiler
from controller.openflow import output
from controller.switch import events
from controller.switch.switches import Switches
from controller.switch.sync import difference
from tests.bench.fabric import Fabric

SECONDS = 4.0


def run(*, quick: bool = False) -> list[dict[str, Any]]:
    fleets = ((2, 4, False),) if quick else ((1, 1, False), (1, 64, False), (100, 16, False), (500, 16, False), (500, 4, True))
    size = max(count for count, _, _ in fleets)
    controller = Answering(Fabric(4 * size, size))
    found = []
    try:
        for count, outstanding, stalled in fleets:
            found.append(controller.measure(count, outstanding, stalled=stalled, seconds=1.0 if quick else SECONDS))
            print(f"  {found[-1]}", file=sys.stderr, flush=True)
    finally:
        controller.close()
    return found


class Answering:
    """The model, the compiler, the switches' thread, and a desk that answers packets as the real one does."""

    def __init__(self, fabric: Fabric) -> None:
        self.model = fabric.model
        self.compiler = Compiler(fabric.model, app.RULES, app.TALLIES)
        self.compiler.update(fabric.changes(), tell=False)
        gc.collect()
        gc.freeze()
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.switches = Switches(self.queue.put)
        self.address = self.switches.listen("127.0.0.1", 0)
        self.confirmed: set[str] = set()
        self.seq = 0
        self.switches.start()
        self._thread = threading.Thread(target=self._desk, name="desk")
        self._thread.start()

    def close(self) -> None:
        self.switches.close()
        self.queue.put(None)
        self._thread.join()

    def _desk(self) -> None:
        while (event := self.queue.get()) is not None:
            if isinstance(event, events.SwitchGreeted):
                self.switches.read(event.switch_id)
            elif isinstance(event, events.SwitchRead):
                self.seq += 1
                wanted = {key: entry for key, entry in self.compiler.desired(event.switch_id).items()
                          if key[0] == "meter" or entry.cookie in self.compiler.punts}
                self.switches.change(event.switch_id, difference(wanted, event.have), self.seq)
            elif isinstance(event, events.SwitchConfirmed):
                self.confirmed.add(event.switch_id)
            elif isinstance(event, events.SwitchGone):
                self.confirmed.discard(event.switch_id)
            elif isinstance(event, events.PacketsWaiting):
                for received in self.switches.packets():
                    self._answer(received)

    def _answer(self, received: events.PacketReceived) -> None:
        rule, (id, *_) = self.compiler.punts[received.packet.cookie]
        for frame in rule.answers(self.compiler.world, self.model.get(rule.per, id), received.packet.data):
            self.switches.send_packet(received.switch_id, output(received.packet.in_port), frame)

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
