"""Queues with real packets: on a wire that is full a circuit keeps what is committed to it because of its queue.

    host 1 ── 20 Mbit/s ── s1
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from scenarios import mesh
from scenarios.meshed import compete
from scenarios.queueing import classify, give_queues, mix_up
from tests.scenarios.mixed import Mixed
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
WIRE, COMMITTED = 20, 8                 # Mbit/s


@pytest.fixture(scope="module")
def mixed() -> Iterator[Mixed]:
    with Site(hosts=1, adopt=["all"], settings={"link_speed_limit": WIRE}) as site:
        made = Mixed(site, switches=1)
        give_queues(made.host, "wire")
        yield made
        made.mesh.remove()


def pair(mixed: Mixed, project: str) -> tuple[Machine, Machine]:
    """Two machines of a network, one on the host and one on the switch behind the wire."""
    network = mixed.site.network(project, subnets=())
    return mixed.site.machines(Wish(f"{project}1", network, 1))[0], mixed.machine(Wish(f"{project}2", network, 1))


def sender(machine: Machine) -> mesh.Machine:
    return mesh.Machine(machine.vm.namespace, "eth0", machine.port, 0)


def classes(mixed: Mixed) -> dict[int, str]:
    """{number of a queue: what the device says of its class}"""
    said = mixed.host.run(["tc", "class", "show", "dev", "wire"]).stdout
    return {int(number, 16) - 1: text for number, text in re.findall(r"class htb 1:(\w+) parent \S+ (.*)", said)}


def test_a_queue_holds_what_is_committed_on_a_full_wire_and_without_it_that_does_not_hold(mixed: Mixed) -> None:
    site = mixed.site
    near, far = pair(mixed, "red")
    loud, deaf = pair(mixed, "blue")
    circuit = site.create("circuit", a_port_id=near.id, z_port_id=far.id, committed_kbps=COMMITTED * 1000)
    number = wait(lambda: next((one for one in classes(mixed) if one), None), "there is no queue for the circuit", 20)
    assert "rate 8Mbit ceil 20Mbit" in classes(mixed)[number] and "rate 1Mbit ceil 20Mbit" in classes(mixed)[0]
    assert site.ask("GET", f"/v2.0/circuits/{circuit['id']}")["circuit"]["held_by"] == ["queues", "meters"]
    one, other, noisy, hearing = map(sender, (near, far, loud, deaf))
    one.send_until_heard(other, b"first")
    noisy.send_until_heard(hearing, b"first")
    lost, sent, drowned, others = compete(one, other, noisy, hearing, mbits=COMMITTED)
    mix_up(mixed.host, "wire")
    for each in (other, hearing):
        each.forget()
    lost_without, sent_without, _, _ = compete(one, other, noisy, hearing, mbits=COMMITTED)
    classify(mixed.host, "wire")
    print(f"{lost} of {sent} frames lost with its queue, {lost_without} of {sent_without} without; {drowned} of {others} of the rest")
    assert lost <= 0.1 * sent
    assert lost_without > 0.1 * sent_without and drowned > 0.3 * others, "the wire was not full: this has shown nothing"
    site.delete("circuit", circuit["id"])
    wait(lambda: set(classes(mixed)) == {0}, "the queue outlives its circuit")
    assert mixed.host.vsctl("--columns=_uuid", "--bare", "list", "Queue").count("\n") == 0
