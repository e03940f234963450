"""What it costs to tell all machines of their routers unasked: seconds of CPU for each turn of all, and at one change."""
from __future__ import annotations

import sys
import time
from typing import Any

from controller import app
from controller.announcements import Announcements
from controller.compile import Compiler
from tests.bench.fabric import Fabric

SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
START = 1_700_000_000


def run(*, quick: bool = False) -> list[dict[str, Any]]:
    found = []
    for ports in (200,) if quick else (1000, 5000, 10000):
        found.append(measure(ports))
        print(f"  {found[-1]}", file=sys.stderr, flush=True)
    return found


def measure(ports: int) -> dict[str, Any]:
    """All networks advertised, and so many ports plugged in."""
    fabric = Fabric(ports, max(1, ports // 50))
    for subnet in list(fabric.model.rows["subnet"].values()):
        if subnet.ip_version == 6:
            fabric.model.put("subnet", subnet._replace(**SLAAC))
    compiler = Compiler(fabric.model, app.RULES, app.TALLIES)
    changes = fabric.changes()
    compiler.update(changes, tell=False)
    sent: list[tuple[str, int, bytes]] = []
    made = Announcements(fabric.model, compiler.world, app.SAYINGS, lambda *what: sent.append(what))
    made.take(changes, (), tell=False)
    seconds = max(saying.seconds for saying in app.SAYINGS)
    began, longest = time.process_time(), 0.0
    for second in range(seconds):
        before = time.process_time()
        made.tick(START + second)
        longest = max(longest, time.process_time() - before)
    cpu = time.process_time() - began
    return {"ports": ports, "frames": len(sent), "in_seconds": seconds, "cpu_ms_in_all": round(cpu * 1e3, 1),
            "us_each_second": round(cpu / seconds * 1e6, 1), "longest_ms": round(longest * 1e3, 2)}
