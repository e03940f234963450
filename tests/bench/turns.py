"""Pairs of machines beside each other in one run, turn by turn, so that what disturbs the machine disturbs them all.

    gbit_s           one TCP stream
    gbit_per_cpu_s   the same, for each second that ovs-vswitchd computed
    connections_s    TCP connections opened and closed a second
    first_ms         an echo's round trip right after the switch forgot its cached flows
"""
from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.vm import VM

TALKER = Path(__file__).parent / "talker.py"
TICKS = os.sysconf("SC_CLK_TCK")
Pair = tuple[VM, VM]


class Effort(NamedTuple):
    rounds: int
    seconds: int            # of each stream
    connections: int
    firsts: int


def beside(subject: str, ours: Callable[[Cloud, Hadron], Pair], plain: Callable[[Cloud], Pair], effort: Effort) -> dict[str, Any]:
    """A pair of machines under a Hadron of its own, compared with one beside it on the same host."""
    with tempfile.TemporaryDirectory() as directory, Cloud(hosts=1) as cloud, \
            Hadron(Path(directory), address=cloud.controller_address) as hadron:
        cloud.set_manager()
        return compare({subject: ours(cloud, hadron), "normal": plain(cloud)}, subject, effort)


def compare(pairs: dict[str, Pair], subject: str, effort: Effort) -> dict[str, Any]:
    """The medians of each pair, and `ratio`: those of `subject` to those of the pair "normal"."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in pairs}

    def note(name: str, what: str, values: list[float]) -> None:
        found[name].setdefault(what, []).extend(values)

    for number in range(effort.rounds):
        in_turn = sorted(pairs.items(), reverse=number % 2 == 1)
        for name, (client, server) in in_turn:
            before = computed(client)
            bits = stream(client, server, effort.seconds)
            note(name, "gbit_s", [bits / 1e9])
            note(name, "gbit_per_cpu_s", [bits * effort.seconds / (computed(client) - before) / 1e9])
            note(name, "connections_s", [connect(client, server, effort.connections)])
        for client, server in pairs.values():                  # neighbours are known, only the switch forgets
            client.ping(address_of(server), 2)
        for _ in range(effort.firsts):                         # one by one: a round trip is short, and its neighbour the fairest measure
            for name, pair in in_turn:
                note(name, "first_ms", first_packet(*pair))
        print(f"  round {number + 1} of {effort.rounds}", file=sys.stderr, flush=True)
    middle = {name: {what: statistics.median(values) for what, values in each.items()} for name, each in found.items()}
    return {**{name: {what: round(value, 3) for what, value in each.items()} for name, each in middle.items()},
            "ratio": {what: round(middle[subject][what] / middle["normal"][what], 2) for what in middle["normal"]}}


def address_of(vm: VM) -> str:
    for device in json.loads(vm.run(["ip", "-j", "-4", "addr", "show", "dev", "eth0"]).stdout):
        return str(device["addr_info"][0]["local"])
    raise LookupError(vm.name)


def computed(vm: VM) -> float:
    """Seconds of processor time that the host's ovs-vswitchd has used."""
    fields = Path(f"/proc/{vm.host.pid()}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


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


def first_packet(client: VM, server: VM) -> list[float]:
    client.host.appctl("revalidator/purge")
    return client.ping(address_of(server), 1).times
