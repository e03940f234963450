"""What if equals reality: what `hadron what-if` says of each link, machine and edge switch of a fat tree, and what packets
find once just that has failed: at once, with nobody there to find another way, and after that has been found."""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.mesh import Machine, Mesh, fat_tree


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud(hosts=1) as made:
        yield made


Lost = dict[str, int]
QUIET = 0.4                         # seconds after which what has not come will not


class Tree:
    """Twelve switches; on the edge a machine of red on each of the four, another on two of them, and two of blue; a circuit
    from the first edge switch to the last."""

    def __init__(self, cloud: Cloud, hadron: Hadron) -> None:
        self.hadron, self.mesh = hadron, Mesh(cloud.host(1), fat_tree(4, pods=2))
        self.mesh.wait_for_links(hadron)
        red, blue = (hadron.create("network", name=name) for name in ("red", "blue"))
        edges = [number for name, number in self.mesh.names.items() if name.startswith("edge")]
        self.edges, places = edges, [(red, edge) for edge in (*edges, edges[0], edges[3])] + [(blue, edges[1]), (blue, edges[2])]
        self.machines = self.mesh.plug_all(hadron, places)
        self.ends = [self.mesh.stand(edges[0]), self.mesh.stand(edges[3])]
        self.circuit = hadron.create("circuit", committed_kbps=1000, a_switch_port=self.ends[0].place,
                                     z_switch_port=self.ends[1].place)["id"]
        self.mesh.wait_for_ports(hadron)
        self.rounds = itertools.count()
        assert self.settle({}, missing=0) == {}              # ports may be ready before the circuit's last switch is

    def asked(self, **failure: str) -> Any:
        (name, value), = failure.items()
        status, answer = self.hadron.request("GET", f"/inspect/what-if?{name}={value}")
        assert status == 200, answer
        return answer

    def measured(self) -> Lost:
        """How many of its network each machine does not reach, by its port, if it sends to each of them once, now; and the
        circuit, if nothing crosses it."""
        number = next(self.rounds)
        pairs = [(one, other) for one, other in itertools.permutations(self.machines, 2)
                 if one.port["network_id"] == other.port["network_id"]]
        pairs += [(self.ends[0], self.ends[1])]
        for machine in (*self.machines, *self.ends):
            machine.forget()
        for one, other in pairs:
            one.send(other.mac, f"{number} {one.device} {other.device} ".encode())
        deadline = time.monotonic() + QUIET
        while missing := [pair for pair in pairs if not self.has_come(number, *pair)]:
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        return dict(Counter(one.port.get("id", self.circuit) for one, _ in missing))

    @staticmethod
    def has_come(number: int, one: Machine, other: Machine) -> bool:
        text = f"{number} {one.device} {other.device} ".encode()
        return any(frame[14:].startswith(text) for frame in other.listen())

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody tells the switches anything meanwhile."""
        assert self.hadron.process is not None
        self.hadron.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.hadron.process.send_signal(signal.SIGCONT)

    def settle(self, lost: Lost, missing: int) -> Lost:
        """What is measured once the controller knows which links there are, and has told all switches; waits for `lost`."""
        self.mesh.wait_for_links(self.hadron, missing=missing)
        self.mesh.wait_for_switches(self.hadron)
        deadline = time.monotonic() + 30
        while (found := self.measured()) != lost and time.monotonic() < deadline:
            pass
        return found


def of(answer: Any, *what: str) -> Lost:
    found = {one["id"]: number for one in answer["ports"] if (number := sum(one[name] for name in what))}
    return found | {one["id"]: 1 for one in answer["circuits"] if one["then"] == "cut" or "interrupted" in what and one["interrupted"]}


@pytest.mark.parametrize("protection", (True, False))
def test_for_every_single_link_of_a_fat_tree_the_pairs_said_to_be_lost_are_those_that_are(
        cloud: Cloud, tmp_path: Path, protection: bool) -> None:
    """Both at once, while the controller stands still, and after it has found other ways."""
    with Hadron(tmp_path, address=cloud.controller_address, adopt=["all"],
                settings={"path_protection": protection, "equal_paths": 1}) as hadron:
        tree = Tree(cloud, hadron)
        interrupted = moved = 0
        for one, _, other, _ in tree.mesh.wires:
            answer = tree.asked(link=f"{one:x}:{other:x}")
            with tree.alone():
                tree.mesh.cut(one, other)
                tree.mesh.wait_for_state(tree.mesh.between(one, other), "down")
                assert tree.measured() == of(answer, "lost", "interrupted"), f"{one}:{other} at once"
            assert tree.settle(of(answer, "lost"), 1) == of(answer, "lost"), f"{one}:{other}"
            interrupted += answer["pairs_interrupted"]
            moved += len(answer["circuits"])
            tree.mesh.mend(one, other)
            assert tree.settle({}, 0) == {}
        assert (interrupted == 0) == protection and len(tree.mesh.wires) == 16
        assert moved >= 3, "the circuit lies on more than two links"
        tree.mesh.remove()


def test_for_every_machine_and_edge_switch_too_where_much_is_lost(cloud: Cloud, tmp_path: Path) -> None:
    with Hadron(tmp_path, address=cloud.controller_address, adopt=["all"]) as hadron:
        tree = Tree(cloud, hadron)
        for machine in tree.machines:
            answer = tree.asked(link=machine.place)
            tree.mesh.set([f"{machine.device}p"], "down")
            tree.mesh.wait_for_state([f"{machine.device}p"], "down")
            assert tree.measured() == of(answer, "lost") != {} and answer["networks"][0]["id"] == machine.port["network_id"]
            tree.mesh.set([f"{machine.device}p"], "up")
            tree.mesh.wait_for_state([f"{machine.device}p"], "up")
        answer = tree.asked(link=tree.ends[1].place)
        assert [(one["id"], one["then"]) for one in answer["circuits"]] == [(tree.circuit, "cut")]
        for edge in tree.edges:
            answer = tree.asked(switch=f"{edge:x}")
            wires = sum(edge in (one, other) for one, _, other, _ in tree.mesh.wires)
            tree.mesh.set(tree.mesh.all_of(edge), "down")
            assert tree.settle(of(answer, "lost"), wires) == of(answer, "lost") != {}
            tree.mesh.set(tree.mesh.all_of(edge), "up")
            assert tree.settle({}, 0) == {}
        tree.mesh.remove()
