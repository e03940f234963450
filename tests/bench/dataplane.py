"""What guarding costs: a guarded network beside a bridge with the one flow NORMAL, on one host, turn by turn.

    throughput       Gbit/s of one TCP stream, for each second that ovs-vswitchd computed
    connections      TCP connections opened and closed a second
    first packet     an echo's round trip right after the switch forgot its cached flows
"""
from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from scenarios.cloud import Cloud, Plug
from scenarios.controller import Hadron
from scenarios.vm import VM
from tests.bench.many import NORMAL, make_network, wait_active

TALKER = Path(__file__).parent / "talker.py"
TICKS = os.sysconf("SC_CLK_TCK")


def run(*, quick: bool = False) -> dict[str, Any]:
    rounds, seconds, connections, firsts = (2, 1, 300, 5) if quick else (6, 4, 3000, 30)
    with tempfile.TemporaryDirectory() as directory, Cloud(hosts=1) as cloud, \
            Hadron(Path(directory), address=cloud.controller_address) as hadron:
        cloud.set_manager()
        pairs = {"guarded": guarded(cloud, hadron), "normal": plain(cloud)}
        found: dict[str, dict[str, list[float]]] = {name: {"gbit_per_cpu_s": [], "connections_s": [], "first_ms": []} for name in pairs}
        for number in range(rounds):
            for name, (client, server) in sorted(pairs.items(), reverse=number % 2 == 1):
                found[name]["gbit_per_cpu_s"].append(throughput(client, server, seconds))
                found[name]["connections_s"].append(connect(client, server, connections))
                found[name]["first_ms"] += first_packets(client, server, firsts)
            print(f"  round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    middle = {name: {what: statistics.median(values) for what, values in each.items()} for name, each in found.items()}
    return {**{name: {what: round(value, 3) for what, value in each.items()} for name, each in middle.items()},
            "ratio": {what: round(middle["guarded"][what] / middle["normal"][what], 2) for what in middle["normal"]}}


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


def address_of(vm: VM) -> str:
    for device in json.loads(vm.run(["ip", "-j", "-4", "addr", "show", "dev", "eth0"]).stdout):
        return str(device["addr_info"][0]["local"])
    raise LookupError(vm.name)


def computed(vm: VM) -> float:
    """Seconds of processor time that the host's ovs-vswitchd has used."""
    fields = Path(f"/proc/{vm.host.pid()}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def throughput(client: VM, server: VM, seconds: int) -> float:
    """Gbit/s for each second that ovs-vswitchd computed."""
    before = computed(client)
    bits = stream(client, server, seconds)
    return bits * seconds / (computed(client) - before) / 1e9


def stream(client: VM, server: VM, seconds: int) -> float:
    """Bits a second of one TCP stream."""
    listening = server.start(["iperf3", "-s", "-1", "--forceflush"])
    assert listening.stdout
    while b"listening" not in (line := listening.stdout.readline()):
        if not line:
            raise RuntimeError("iperf3 did not start")
    done = client.run(["iperf3", "-c", address_of(server), "-t", str(seconds), "-J"], timeout=seconds + 20)
    listening.wait(10)
    return float(json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"])


def connect(client: VM, server: VM, count: int) -> float:
    listening = server.start([sys.executable, str(TALKER), "listen"])
    assert listening.stdout and b"ready" in listening.stdout.readline()
    try:
        return float(client.run([sys.executable, str(TALKER), address_of(server), str(count)], timeout=120).stdout)
    finally:
        listening.kill()
        listening.wait(5)


def first_packets(client: VM, server: VM, count: int) -> list[float]:
    """Neighbours are known, only the switch has forgotten."""
    found = []
    client.ping(address_of(server), 2)
    for _ in range(count):
        client.host.appctl("revalidator/purge")
        found += client.ping(address_of(server), 1).times
    return found


if __name__ == "__main__":
    json.dump(run(quick="--quick" in sys.argv), sys.stdout, indent=1)
