"""From the model to bytes: everything from scratch, then one change at a time, up to a router between two networks."""
from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import time
from typing import Any

# Ports, switches, and tenants: a hundred ports each, unless it is said.
SIZES: list[tuple[int, ...]] = [(1_000, 10), (1_000, 100), (10_000, 10), (10_000, 100), (10_000, 100, 1), (10_000, 500),
                                (50_000, 100), (50_000, 500)]
QUICK: list[tuple[int, ...]] = [(500, 10), (500, 10, 1)]


def run(*, quick: bool = False) -> list[dict[str, Any]]:
    """Each size in a process of its own, so that peak memory means something."""
    found = []
    for size in QUICK if quick else SIZES:
        done = subprocess.run([sys.executable, "-m", "tests.bench.compile", *map(str, size)], capture_output=True,
                              text=True, check=True)
        found.append(json.loads(done.stdout))
        print(f"  {size[0]} ports on {size[1]} switches: {found[-1]['cold_s']} s", file=sys.stderr, flush=True)
    return found


def measure(ports: int, switches: int, tenants: int = 0) -> dict[str, Any]:
    from controller import app
    from controller.compile import Compiler
    from tests.bench.fabric import Fabric, uuid
    fabric = Fabric(ports, switches, tenants)
    compiler = Compiler(fabric.model, app.RULES, app.TALLIES)
    gc.collect()
    gc.disable()                  # as the desk does: what is loaded stays
    began = time.perf_counter()
    compiler.update(fabric.changes(), tell=False)
    cold = time.perf_counter() - began
    gc.enable()
    gc.freeze()
    found: dict[str, Any] = {
        "ports": ports, "switches": switches, "tenants": fabric.tenants, "cold_s": round(cold, 2), "units": len(compiler.units),
        "entries": sum(len(entries) for entries, _ in compiler.units.values()),
        "placed": sum(len(entries) * len(place.switches()) for entries, place in compiler.units.values())}
    began = time.perf_counter()
    held = [len(compiler.desired(fabric.switch_id(number))) for number in range(min(10, switches))]
    found["desired_ms"] = round((time.perf_counter() - began) * 1000 / len(held), 2)
    found["entries_on_a_switch"] = sum(held) // len(held)
    found["change_ms"] = changes(fabric, compiler, ports, uuid)
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return found


def changes(fabric: Any, compiler: Any, ports: int, uuid: Any) -> dict[str, Any]:
    """One change at a time, each said to all switches concerned, its messages encoded."""
    found: dict[str, Any] = {}

    def step(name: str, *made: Any) -> None:
        began = time.perf_counter()
        delta = compiler.update(made)
        messages = {id(entry): entry.add() for told in delta.changes.values() for entry in told.values() if entry is not None}
        found[name] = {"ms": round((time.perf_counter() - began) * 1000, 2), "switches": len(delta.changes),
                       "changes": sum(map(len, delta.changes.values())), "messages": len(messages)}

    def put(rows: list) -> list:
        return [fabric.model.put(kind, row) for kind, row in rows]

    for number in range(3):                                  # the first change pays for cold caches: measured, named
        rows = fabric.port(ports + number)
        step("port_first" if number == 0 else "port_appears", *put(rows))
    port, seen = rows[0][1], rows[1][1]
    address = port.fixed_ips[0]
    step("port_address", fabric.model.put("port", port._replace(
        fixed_ips=(type(address)({**address, "ip_address": "10.0.255.1"}), *port.fixed_ips[1:]))))
    step("port_moves", *put([fabric.port(ports + 2, switch=1)[1]]), fabric.model.remove("interface", seen.id))
    group = port.security_groups[0]
    step("rule_appears", fabric.rule(10**6, group, direction="ingress", ethertype="IPv4", protocol="tcp",
                                     port_range_min=8080, port_range_max=8080))
    step("rule_goes", fabric.model.remove("security_group_rule", uuid(3, 10**6)))
    step("member_leaves", fabric.model.put("port", fabric.model.get("port", port.id)._replace(security_groups=())))
    step("port_goes", fabric.model.remove("port", port.id))
    join(fabric, step, put, ports)
    return found


def join(fabric: Any, step: Any, put: Any, ports: int) -> None:
    """A router joins a tenant's two networks, machines come and go there, and it leaves one again."""
    step("router_and_first_interface", fabric.router(), fabric.joint(0, 4))
    step("router_interface_ipv6", fabric.joint(0, 6))
    second = fabric.joint(1, 4)
    step("router_interface_joins", second)
    in_the_first_network = ports + fabric.networks - ports % fabric.networks
    step("routed_port_appears", *put(fabric.port(in_the_first_network)))
    step("router_interface_leaves", fabric.model.remove("port", second.id))


if __name__ == "__main__":
    json.dump(measure(*map(int, sys.argv[1:])), sys.stdout)
