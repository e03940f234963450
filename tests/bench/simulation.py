"""More switches than this machine can run: fake ones that speak real OpenFlow, a controller in a process of its own.

A random graph in which every switch has eight wires. Measured: how long until discovery has seen all of them, processor time
and memory of the controller then and later on, the processor time that a wire costs which breaks, and what of that is for
paths alone (recompute.py).
"""
from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx

from scenarios.controller import Hadron, free_port
from tests.bench import recompute
from tests.bench.growth import svg
from tests.kit.fake_switch import FakeSwitches
from tests.kit.fake_wires import Wires

DEGREE = 8
PATIENCE = 600.0
QUIET = 20                              # seconds for which a fabric is watched in which nothing happens
STILL = 0.3                             # seconds without a change after which all switches have what they should
EAGER = 5                               # seconds for which what has just been found is asked for more often
LISTED = 0.5                            # seconds between two questions whose answers are long: they are the controller's time too
CUTS = 10
TICKS = os.sysconf("SC_CLK_TCK")


FIGURES = {"discovered_seconds": "all links discovered after, s", "cut_ms": "paths after a cut, ms of CPU",
           "cpu_ms_for_a_cut": "… and told to all switches, ms of CPU", "memory_mb": "memory, MB",
           "entries_on_a_switch": "entries on a switch"}


def run(*, quick: bool = False) -> dict[str, Any]:
    rows = []
    for switches in (20,) if quick else (62, 125, 250, 500):
        rows.append(measure(switches, quiet=2 if quick else QUIET) | recompute.measured(switches))
        print(f"  {rows[-1]}", file=sys.stderr, flush=True)
    return {"growth": rows}


def pictures(found: dict[str, Any]) -> dict[str, str]:
    """The growth, drawn: {name of a file: SVG}."""
    return {"growth.svg": svg(found["growth"], FIGURES)}


def until(condition: Callable[[], Any], what: str, pause: float = 0.05) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(pause)


class Process:
    """What the system says of a process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu(self) -> float:
        """Processor seconds until now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> int:
        """Megabytes in memory."""
        line = next(line for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) // 1024


def measure(count: int, *, quiet: int) -> dict[str, Any]:
    """One fabric, from its first connection on."""
    graph = networkx.random_regular_graph(DEGREE, count, seed=1)
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        with Hadron(Path(directory), openflow=port, ovsdb=free_port(), adopt=["all"], audit_interval=0) as hadron, \
                FakeSwitches("127.0.0.1", port) as fakes:
            assert hadron.process is not None
            process, wires = Process(hadron.process.pid), Wires()
            begun, cpu = time.monotonic(), process.cpu()
            with fakes.lock:
                joined = join(graph, fakes, wires)
            until(lambda: links(hadron) == 2 * len(joined), "all links are seen", LISTED)
            found = {"switches": count, "links": len(joined), "discovered_seconds": round(time.monotonic() - begun, 1)}
            until(lambda: settled(hadron), "all switches hold what they should", LISTED)
            found |= {"settled_seconds": round(time.monotonic() - begun, 1), "cpu_seconds": round(process.cpu() - cpu, 1),
                      "memory_mb": process.memory(), "entries_on_a_switch": len(next(iter(fakes.switches.values())).held())}
            time.sleep(min(EAGER, quiet))
            before = process.cpu()
            time.sleep(quiet)
            rest = (process.cpu() - before) / quiet
            found["cpu_percent_later_on"] = round(100 * rest, 1)
            return found | {"cpu_ms_for_a_cut": round(1000 * cuts(hadron, process, wires, joined[:CUTS], rest))}


def join(graph: Any, fakes: FakeSwitches, wires: Wires) -> list[tuple[Any, int]]:
    """Switches and wires as the graph has them; one end of each wire."""
    switches = {node: fakes.add(f"{node + 1:016x}") for node in graph}
    next_port = dict.fromkeys(graph, 1)
    found = []
    for one, other in graph.edges():
        wires.join(switches[one], next_port[one], switches[other], next_port[other], speed=10_000)
        found.append((switches[one], next_port[one]))
        next_port[one] += 1
        next_port[other] += 1
    return found


def links(hadron: Hadron) -> int:
    return len(hadron.request("GET", "/v2.0/links?fields=id")[1]["links"])


def settled(hadron: Hadron) -> bool:
    """Every switch has confirmed all that it was told."""
    found = hadron.request("GET", "/inspect/switches")[1]["switches"]
    return bool(found) and all(one["state"] == "in step" and not one["waiting"] for one in found)


def cuts(hadron: Hadron, process: Process, wires: Wires, ends: list[tuple[Any, int]], rest: float) -> float:
    """Processor seconds of the controller for each wire that breaks, one after another, until no switch is told any more of it;
    without the part of the time that it needs anyhow."""
    fakes = ends[0][0].fakes.switches.values()
    before, began = process.cpu(), time.monotonic()
    for switch, port in ends:
        wires.cut(switch, port)
        until(lambda name=f"{switch.switch_id}:{port}": hadron.request("GET", f"/v2.0/links/{name}")[0] == 404,     # type: ignore[misc]
              "a cut is seen")
        told, since = -1, time.monotonic()
        while time.monotonic() < since + STILL:
            if (now := sum(fake.commits for fake in fakes)) != told:
                told, since = now, time.monotonic()
            time.sleep(0.05)
    return (process.cpu() - before - rest * (time.monotonic() - began)) / len(ends)
