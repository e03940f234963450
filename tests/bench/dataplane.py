"""What guarding costs: a guarded network beside a bridge with the one flow NORMAL, on one host, turn by turn."""
from __future__ import annotations

import json
import sys
from typing import Any

from scenarios.cloud import Cloud, Plug
from scenarios.controller import Hadron
from scenarios.vm import VM
from tests.bench.many import NORMAL, make_network, wait_active
from tests.bench.turns import Effort, beside


def run(*, quick: bool = False) -> dict[str, Any]:
    return beside("guarded", guarded, plain, Effort(2, 1, 300, 5) if quick else Effort(6, 4, 3000, 30))


def guarded(cloud: Cloud, hadron: Hadron) -> tuple[VM, VM]:
    """Two machines in the default security group, with anti-spoofing: everything on, as a tenant has it."""
    network = make_network(hadron)
    ports = [hadron.create("port", network_id=network, name=name) for name in ("ga", "gb")]
    machines = cloud.plug_all([Plug(1, port["name"], port["id"], port["mac_address"]) for port in ports])
    for vm, port in zip(machines, ports, strict=True):
        vm.address(f"{port['fixed_ips'][0]['ip_address']}/16")
    wait_active(hadron, 2)
    return machines[0], machines[1]


def plain(cloud: Cloud) -> tuple[VM, VM]:
    cloud.host(1).vsctl("add-br", NORMAL, "--", "set", "Bridge", NORMAL, "datapath_type=netdev")
    machines = cloud.plug_all([Plug(1, f"n{letter}", f"{letter}0000000-0000-0000-0000-000000000001", f"fa:16:3e:ff:00:0{letter}")
                               for letter in "ab"], bridge=NORMAL)
    for number, vm in enumerate(machines, 1):
        vm.address(f"10.0.255.{number}/16")
    return machines[0], machines[1]


if __name__ == "__main__":
    json.dump(run(quick="--quick" in sys.argv), sys.stdout, indent=1)
