"""What experiments on plain switches share: a cloud of one host to lay them in, a Hadron that takes them all, and what is
measured there.
"""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.mesh import Machine, Mesh, Stream, segment


def run(experiment: Callable[[Cloud, Hadron], int], **settings: Any) -> int:
    """An experiment from nothing; its exit status."""
    with tempfile.TemporaryDirectory() as directory, Cloud(hosts=1) as cloud, Hadron(
            Path(directory), address=cloud.controller_address, adopt=["all"], settings=settings) as hadron:
        return experiment(cloud, hadron)


# ---- wires that break

TRIES = 3               # where others keep the machine busy, a switch may be late to see what has happened


class Cost(NamedTuple):
    """Milliseconds for which frames were lost when a wire broke, and frames that were lost when it came back."""
    cut: int
    mended: int


def cut_each(mesh: Mesh, hadron: Hadron, machines: dict[int, Machine], most: int) -> Iterator[tuple[int, int, list[Cost]]]:
    """Cut and mend one wire after another, under a thousand frames a second between the machines at its two ends: what that
    cost each time. What costs more than so many milliseconds, or anything when it is mended, is tried again."""
    for one, _, other, _ in mesh.wires:
        costs = [cost_of(mesh, hadron, one, other, machines)]
        while (costs[-1].cut >= most or costs[-1].mended) and len(costs) < TRIES:
            costs.append(cost_of(mesh, hadron, one, other, machines))
        yield one, other, costs


def cost_of(mesh: Mesh, hadron: Hadron, one: int, other: int, machines: dict[int, Machine]) -> Cost:
    """The cost of one wire."""
    stream = Stream(machines[one], machines[other])
    stream.start()
    stream.wait(200)
    mesh.cut(one, other)
    mesh.wait_for_links(hadron, missing=1)
    stream.wait(stream.sent + 200)
    before = stream.sent
    mesh.mend(one, other)
    mesh.wait_for_links(hadron)
    stream.wait(stream.sent + 500)
    lost = stream.end()
    for machine in machines.values():
        machine.forget()
    return Cost(stream.lasted(number for number in lost if number < before), sum(number >= before for number in lost))


# ---- connections over equal paths

def paths_taken(mesh: Mesh, one: Machine, other: Machine, count: int) -> dict[int, set[str]]:
    """So many TCP connections between two pods of a fat tree, both ways: by which cores each of them went."""
    cores = mesh.ears([name for name in mesh.names if name.startswith("core")])
    one.send(other.mac, b"\xff")
    other.wait(1)
    for near, far, turned in ((one, other, False), (one, other, False), (other, one, True)):
        for number in range(count):
            time.sleep(0.0005)
            near.raw(segment(near.mac, far.mac, 1024 + number, 80 + number % 7, turned=turned))
    taken: dict[int, set[str]] = {}
    for core, frames in mesh.hear(cores, 3 * count, lambda frame: frame[34:36] == b"\x08\x00").items():
        for frame in frames:
            taken.setdefault(max(struct.unpack_from("!HH", frame, 56)), set()).add(core)
    return taken


# ---- a rate beside noise

LITTLE, FULL = 0.02, 0.3        # parts of what is sent that may get lost of a circuit, and must of what fills the wires


def compete(one: Machine, other: Machine, loud: Machine, deaf: Machine) -> tuple[int, int, int, int]:
    """6 Mbit/s from one to the other, beside 40 of somebody else's: (lost, sent, lost of the others, sent of the others)."""
    noise, wanted = Stream(loud, deaf, 3600, size=1400), Stream(one, other, 750, size=1000)
    noise.start()
    noise.wait(3600)
    wanted.start()
    wanted.wait(3000)
    lost = wanted.end()
    return len(lost), wanted.sent, len(noise.end(0)), noise.sent


def upheld(one: Machine, other: Machine, loud: Machine, deaf: Machine) -> tuple[bool, str]:
    """Whether a circuit from one to the other loses next to nothing while the wires are full; and what got lost. Where others keep
    the machine busy, wires are not always filled, and frames get lost in the machine: then it is tried again."""
    said, good = "", False
    for _ in range(TRIES):
        lost, sent, drowned, others = compete(one, other, loud, deaf)
        said, full = f"the circuit lost {lost} of {sent} frames, the network {drowned} of {others}", drowned > FULL * others
        if good := full and lost < LITTLE * sent:
            break
        said += "" if full else ", whose wires were not full"
        for machine in (other, deaf):
            machine.forget()
    return good, said
