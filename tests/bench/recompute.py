"""Paths after one link has changed: processor time from the fact to the encoded messages for all switches concerned.

The graph is a random one in which every switch has eight wires; a network lives on every tenth switch. Nothing is sent.
"""
from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import networkx

DEGREE, EVERY = 8, 10
CUTS = 20
NOTHING: dict[str, Any] = {"fixed_ips": (), "security_groups": (), "extra_dhcp_opts": (), "allowed_address_pairs": ()}


def measured(switches: int) -> dict[str, Any]:
    """In a process of its own."""
    done = subprocess.run([sys.executable, "-m", "tests.bench.recompute", str(switches)], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


class Graph:
    """A fabric of plain switches in memory, compiled."""

    def __init__(self, count: int) -> None:
        from controller import app
        from controller.compile import Compiler
        from controller.main import load_apps
        from controller.model import Model
        self.model = Model(load_apps())
        self.graph = networkx.random_regular_graph(DEGREE, count, seed=1)
        for number in range(count):
            self.put("switch", id=f"{number + 1:016x}", label=16 + number)
        self.put("network", id="red", project_id="acme", admin_state_up=True, key=1, mtu=1450,
                 **{"provider:network_type": "vxlan", "provider:segmentation_id": 1})
        for number in range(0, count, EVERY):
            self._machine(number)
        self.links = [link for number, edge in enumerate(self.graph.edges) for link in self._wire(number, *edge)]
        self.compiler = Compiler(self.model, app.RULES, app.TALLIES)
        self.compiler.update([(kind, id, None, None, ()) for kind, rows in self.model.rows.items() for id in rows], tell=False)
        self.compiler.world.enter()             # as the controller does within a second

    def put(self, kind: str, **values: Any) -> Any:
        return self.model.put(kind, self.model.make(kind, values))

    def _machine(self, number: int) -> None:
        place = f"{number + 1:016x}:1000000"
        self.put("interface", id=place, switch_id=place[:16], ofport=1_000_000, name="machine", link_state="up")
        self.put("port", id=f"port{number}", network_id="red", project_id="acme", key=number + 16, switch_port=place,
                 mac_address=f"fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}", admin_state_up=True, port_security_enabled=False, **NOTHING)

    def _wire(self, number: int, one: int, other: int) -> tuple[Any, Any]:
        ends = [(f"{node + 1:016x}", 2 * number + side) for side, node in enumerate((one, other), 1)]
        for switch, port in ends:
            self.put("interface", id=f"{switch}:{port}", switch_id=switch, ofport=port, name=f"eth{port}", link_state="up")
        found = [self.model.make("link", {
            "id": f"{source}:{port}", "source_switch_id": source, "source_port": port, "target_switch_id": target,
            "target_port": into, "speed": 10_000}) for (source, port), (target, into) in (ends, ends[::-1])]
        for link in found:
            self.model.put("link", link)
        return found[0], found[1]

    def settle(self, changes: list[Any]) -> tuple[float, int]:
        """Milliseconds of processor time that changes take, and how many entries of switches they change."""
        began = time.process_time()
        delta = self.compiler.update(changes)
        for told in delta.changes.values():
            b"".join([entry.add() for entry in told.values() if entry is not None])
        return 1000 * (time.process_time() - began), sum(map(len, delta.changes.values()))


def measure(count: int) -> dict[str, Any]:
    from controller import garbage
    garbage.look_seldom()
    began = time.process_time()
    with garbage.loading():
        graph = Graph(count)
    found: dict[str, Any] = {"compile_ms": round(1000 * (time.process_time() - began))}
    lost, back = [], []
    for number in range(CUTS):
        pair = graph.links[2 * (number * 37 % (len(graph.links) // 2)):][:2]
        lost.append(graph.settle([graph.model.remove("link", link.id) for link in pair]))
        back.append(graph.settle([graph.model.put("link", link) for link in pair]))
        gc.collect(0)
    for name, each in (("cut", lost), ("mended", back)):
        times = [ms for ms, _ in each]
        found |= {f"{name}_ms": round(statistics.median(times), 1), f"{name}_most_ms": round(max(times), 1),
                  f"{name}_entries": round(statistics.median(changed for _, changed in each))}
    return found


if __name__ == "__main__":
    json.dump(measure(int(sys.argv[1])), sys.stdout)
