"""What iperf3 measures between machines; and what is lost of frames beside a flood that it makes."""
from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scenarios import mesh
from tests.scenarios.site import Machine, wait

SECONDS, SETTLING = 4, 1


def measured(client: Machine, server: str, *more: str) -> dict[str, Any]:
    """What iperf3 says that arrived, after it has settled; at the server somebody listens already."""
    done = subprocess.run(client.vm.namespace.wrapped(
        ["iperf3", "-c", server, "-t", str(SECONDS), "-O", str(SETTLING), "-J", *more]),
        capture_output=True, text=True, timeout=60, check=False)
    said = json.loads(done.stdout)
    assert "error" not in said, said["error"]
    return dict(said["end"])


def speed(end: dict[str, Any]) -> float:
    """Bits of payload that arrived in a second."""
    return float(end["sum_received"]["bytes"]) * 8 / float(end["sum_received"]["seconds"])


@contextmanager
def flood(loud: Machine, deaf: Machine, mbits: int = 80) -> Iterator[None]:
    """Meanwhile one machine sends another so many Mbit/s, or what it can."""
    server = deaf.vm.start(["iperf3", "-s", "-1"])
    wait(lambda: ":5201" in deaf.vm.run(["ss", "-ltn"]).stdout, "iperf3 does not listen")
    client = loud.vm.start(["iperf3", "-c", deaf.ip, "-u", "-b", f"{mbits}M", "-l", "1200", "-t", "120"])
    try:
        before = sent_by(loud)
        wait(lambda: sent_by(loud) > before + 3000, "iperf3 does not send", 20)
        yield
    finally:
        for process in (client, server):
            process.kill()
            process.wait()


def sent_by(machine: Machine) -> int:
    """The packets that a machine has sent so far."""
    return int(machine.vm.run(["cat", "/sys/class/net/eth0/statistics/tx_packets"]).stdout)


def lost(one: Machine, other: Machine, mbits: int, count: int = 1000) -> tuple[int, int]:
    """(lost, sent) of so many frames of 1000 octets from one machine to another, at a rate of so many Mbit/s."""
    source, target = (mesh.Machine(each.vm.namespace, "eth0", each.port, 0) for each in (one, other))
    stream = mesh.Stream(source, target, mbits * 125, size=1000)
    stream.start()
    stream.wait(count)
    missing = stream.end()
    for each in (source, target):
        each.close()
    return len(missing), stream.sent


def meet(one: Machine, other: Machine) -> None:
    """Until what one says reaches the other."""
    source, target = (mesh.Machine(each.vm.namespace, "eth0", each.port, 0) for each in (one, other))
    source.send_until_heard(target, b"first")
    for each in (source, target):
        each.close()
