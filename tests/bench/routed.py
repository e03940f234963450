"""Routing: machines in two networks of a router, beside the same machines on a bridge with the one flow NORMAL and a Linux
namespace as the router; then what routers cost in entries and in compiling, with up to 10 000 ports.
"""
from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from scenarios.cloud import Cloud, Plug
from scenarios.controller import Hadron
from scenarios.vm import VM
from tests.bench.many import NORMAL, wait_active
from tests.bench.turns import Effort, address_of, beside

SIZES = (100, 1_000, 10_000)
SWITCHES = 10


def run(*, quick: bool = False) -> dict[str, Any]:
    return {"packets": packets(quick), "entries": [alone("entries", size) for size in ((100,) if quick else SIZES)],
            "interface": [alone("interface", *size) for size in (((100, 1),) if quick else ((10_000, 100), (10_000, 1)))]}


# ---- packets

def packets(quick: bool) -> dict[str, Any]:
    return beside("routed", routed, plain, Effort(1, 1, 200, 5) if quick else Effort(4, 4, 2000, 30))


def routed(cloud: Cloud, hadron: Hadron) -> tuple[VM, VM]:
    """Two machines of a tenant in two networks of a router, in a group that lets them speak."""
    group = hadron.create("security_group", name="open")["id"]
    hadron.create("security_group_rule", security_group_id=group, direction="ingress", ethertype="IPv4")
    router = hadron.create("router", name="router")["id"]
    ports = []
    for number in (1, 2):
        network = hadron.create("network", name=f"net{number}")["id"]
        subnet = hadron.create("subnet", network_id=network, ip_version=4, cidr=f"10.{number}.0.0/24")["id"]
        status, answer = hadron.request("PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet})
        if status != 200:
            raise RuntimeError(f"{status} {answer}")
        ports.append(hadron.create("port", network_id=network, name=f"r{number}", security_groups=[group]))
    machines = cloud.plug_all([Plug(1, port["name"], port["id"], port["mac_address"]) for port in ports])
    for number, (vm, port) in enumerate(zip(machines, ports, strict=True), 1):
        vm.address(f"{port['fixed_ips'][0]['ip_address']}/24", gateway=f"10.{number}.0.1")
    wait_active(hadron, 2)
    return machines[0], machines[1]


def plain(cloud: Cloud) -> tuple[VM, VM]:
    """The same on one bridge that only learns, with a kernel that routes between the two subnets."""
    cloud.host(1).vsctl("add-br", NORMAL, "--", "set", "Bridge", NORMAL, "datapath_type=netdev")
    plugs = [Plug(1, name, f"{number}0000000-0000-0000-0000-00000000000a", f"fa:16:3e:ff:01:0{number}")
             for number, name in enumerate(("gate", "n1", "n2"))]
    gate, *machines = cloud.plug_all(plugs, bridge=NORMAL)
    for switch in ("ip_forward=1", "conf.all.send_redirects=0", "conf.eth0.send_redirects=0"):
        gate.run(["sysctl", "-q", "-w", f"net.ipv4.{switch}"])
    for number, vm in enumerate(machines, 1):
        gate.address(f"10.{number}.0.1/24")
        vm.address(f"10.{number}.0.9/24", gateway=f"10.{number}.0.1")
    if not machines[0].ping(address_of(machines[1]), 3, wait=2):
        raise RuntimeError("the plain router does not route")
    return machines[0], machines[1]


# ---- entries and compile time

def alone(what: str, *sizes: int) -> dict[str, Any]:
    """One measurement in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "tests.bench.routed", what, *map(str, sizes)], capture_output=True,
                          text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    print(f"  {found}", file=sys.stderr, flush=True)
    return found


def _compiled(ports: int, tenants: int) -> tuple[Any, Any]:
    from controller import app
    from controller.compile import Compiler
    from tests.bench.fabric import Fabric
    fabric = Fabric(ports, SWITCHES, tenants)
    compiler = Compiler(fabric.model, app.RULES, app.TALLIES)
    compiler.update(fabric.changes(), tell=False)
    return fabric, compiler


def entries(ports: int) -> dict[str, Any]:
    """Entries on a switch: of a port that comes, before its tenant has a router and after, and of the router."""
    fabric, compiler = _compiled(ports, 1)

    def count() -> list[int]:
        return [len(compiler.desired(fabric.switch_id(number))) for number in range(SWITCHES)]

    def grown(*changes: Any) -> list[int]:
        before = count()
        compiler.update(changes, tell=False)
        return [after - was for after, was in zip(count(), before, strict=True)]

    def port(number: int) -> list[int]:
        return grown(*(fabric.model.put(kind, row) for kind, row in fabric.port(number, switch=0)))

    number = ports + (-ports % fabric.networks)
    without = port(number)
    router = grown(fabric.router(), *(fabric.joint(place, version) for place in (0, 1) for version in (4, 6)))
    next_hops = sum(entry.why is not None and entry.why.rule.endswith("know_next_hop")
                    for entry in compiler.desired(fabric.switch_id(0)).values())
    within = port(number + fabric.networks)
    return {"ports": ports, "entries_on_a_switch": max(count()), "router_with_four_interfaces": max(router),
            "next_hops_of_these": next_hops,
            "port": {"own_switch": without[0], "others": max(without[1:])},
            "routed_port": {"own_switch": within[0], "others": max(within[1:])}}


def interface(ports: int, tenants: int) -> dict[str, Any]:
    """Milliseconds to compile and encode a router's second interface, told to all switches concerned."""
    fabric, compiler = _compiled(ports, tenants)
    for row in (fabric.router(), fabric.joint(0, 4), fabric.joint(0, 6)):
        compiler.update([row], tell=False)
    changes = [fabric.joint(1, 4)]
    began = time.perf_counter()
    delta = compiler.update(changes)
    messages = {id(entry): entry.add() for told in delta.changes.values() for entry in told.values() if entry is not None}
    took = time.perf_counter() - began
    return {"ports": ports, "ports_of_the_tenant": ports // tenants, "ms": round(took * 1000, 1), "messages": len(messages),
            "us_each": round(took * 1e6 / max(1, len(messages)), 1)}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--quick"] or len(sys.argv) < 3:
        json.dump(run(quick="--quick" in sys.argv), sys.stdout, indent=1)
    else:
        json.dump({"entries": entries, "interface": interface}[sys.argv[1]](*map(int, sys.argv[2:])), sys.stdout)
