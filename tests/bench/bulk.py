"""Five thousand ports made and bound in bulk on five hosts, beside what Open vSwitch needs for as many without a controller;
then the controller is killed and starts again, and then one host's ovs-vswitchd.
"""
from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.host import Host
from tests.bench.many import create_ports, in_step, make_network, plug_everywhere, switches, until, wait_active

HOSTS = 5


def run(*, quick: bool = False) -> dict[str, Any]:
    count = 200 if quick else 5000
    with tempfile.TemporaryDirectory() as directory, Cloud(hosts=HOSTS) as cloud, \
            Hadron(Path(directory), address=cloud.controller_address, quotas={"port": -1}, audit_interval=0,
                   environment=bytecode(directory)) as hadron:
        cloud.set_manager()
        until(lambda: len(in_step(hadron)) == HOSTS)
        found: dict[str, Any] = {"ports": count}
        ports = bind(cloud, hadron, found, count)
        found["entries_on_a_host"] = count_flows(cloud.host(1))
        found["controller_restart"] = restart_controller(hadron, ports)
        found["vswitchd_restart"] = restart_vswitchd(cloud.host(1), len(ports) // HOSTS, hadron)
        found["vswitchd_restart"]["by_one_connection"] = restart_without_lanes(cloud.host(1), len(ports) // HOSTS, hadron)
    with Cloud(hosts=HOSTS) as cloud:
        for host in cloud.hosts:
            host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "fail_mode=secure")
        began = time.monotonic()
        plug_everywhere(cloud, ports)
        found["plug_without_controller_s"] = round(time.monotonic() - began, 2)
        alone = restart_vswitchd(cloud.host(1), len(ports) // HOSTS, None)
        found["vswitchd_restart"]["without_controller_s"] = alone["ports_back_s"]
    found["beyond_open_vswitch_s"] = round(found["bound_s"] - found["plug_without_controller_s"], 2)
    return found


def bytecode(directory: str) -> dict[str, str]:
    """The environment in which Python keeps its bytecode there, as it does of what is installed."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(directory) / "bytecode")}


def bind(cloud: Cloud, hadron: Hadron, found: dict[str, Any], count: int) -> list[dict[str, Any]]:
    began = time.monotonic()
    ports = create_ports(hadron, make_network(hadron), count)
    created = time.monotonic()
    plug_everywhere(cloud, ports)
    plugged = time.monotonic()
    wait_active(hadron, count)
    active = time.monotonic()
    found |= {"create_s": round(created - began, 2), "plug_s": round(plugged - created, 2),
              "plugged_to_active_s": round(active - plugged, 2), "bound_s": round(active - created, 2)}
    return ports


def restart_controller(hadron: Hadron, ports: list[dict[str, Any]]) -> dict[str, Any]:
    """The controller is killed and started: right after all that was bound; once it has written down what it knows; and so
    that a client changes a port as soon as somebody answers."""
    began, answers = time.time(), hadron.directory / "hadron.db.answers"
    found = {"at_once": restarted(hadron)}
    until(lambda: answers.exists() and answers.stat().st_mtime > began, pause=0.2)
    found |= {"settled": restarted(hadron), "answers_mb": round(answers.stat().st_size / 1e6, 1)}
    found["with_a_change"] = restarted(hadron, lambda: hadron.request(
        "PUT", f"/v2.0/ports/{ports[0]['id']}", {"port": {"admin_state_up": False}}))
    return found


def restarted(hadron: Hadron, change: Callable[[], Any] = lambda: None) -> dict[str, Any]:
    """Seconds from kill -9 to REST's first answer, to the end of a change that is asked for then, and to all switches read,
    compared and confirmed; what was changed in them."""
    began = time.monotonic()
    hadron.kill()
    hadron.start()
    serving = time.monotonic() - began
    change()
    changed = time.monotonic() - began
    found = until(lambda: len(in_step(hadron)) == HOSTS and in_step(hadron), pause=0.05)
    took, used = time.monotonic() - began, hadron.computed()
    entries = sum(one["last_read"][what] for one in found for what in ("alien", "missing", "altered"))
    return {"serving_s": round(serving, 2), "change_answered_s": round(changed, 2), "in_step_s": round(took, 2),
            "cpu_s": round(used, 2), "entries_changed": entries}


def restart_vswitchd(host: Host, ports: int, hadron: Hadron | None) -> dict[str, Any]:
    """Seconds from the kill of ovs-vswitchd until its ports are back and, under a controller, all flows.

    That they are is asked of the controller, which has the switch's word for it, and checked once: a switch that counts
    its flows again and again takes them in more slowly.
    """
    flows = count_flows(host)
    began = time.monotonic()
    host.restart_vswitchd(kill=True)
    until(lambda: host.ofctl("dump-ports-desc", "br-int").count("addr:") >= ports)
    found = {"ports_back_s": round(time.monotonic() - began, 2)}
    if hadron is not None:
        until(lambda: any(one["host"] == host.name and one["state"] == "in step"
                          and (one["connected_seconds"] or 1e9) < time.monotonic() - began for one in switches(hadron)))
        found["flows_back_s"] = round(time.monotonic() - began, 2)
        if count_flows(host) < flows:
            raise RuntimeError(f"{host.name} holds {count_flows(host)} flows of {flows}")
    return found


def restart_without_lanes(host: Host, ports: int, hadron: Hadron) -> dict[str, Any]:
    """The same with a Hadron to which each switch has one connection only."""
    hadron.kill()
    hadron.config["lanes"] = 0
    hadron.start()
    until(lambda: len(in_step(hadron)) == HOSTS and len(host.vsctl("get-controller", "br-int").split()) == 1)
    return restart_vswitchd(host, ports, hadron)


def count_flows(host: Host) -> int:
    """How many flows the host's bridge holds; it counts faster than it tells."""
    found = re.search(r"flow_count=(\d+)", host.ofctl("dump-aggregate", "br-int"))
    return int(found[1]) if found else 0


if __name__ == "__main__":
    json.dump(run(quick="--quick" in sys.argv), sys.stdout, indent=1)
