"""Queues with real packets: on a wire that is full a circuit keeps what is committed to it because of its queue.

    host 1 ── 5 Mbit/s ── s1
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from scenarios.queueing import classify, give_queues, mix_up
from tests.scenarios.measure import flood, lost, meet
from tests.scenarios.mixed import Mixed
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
WIRE, COMMITTED = 5, 2                 # Mbit/s


@pytest.fixture(scope="module")
def mixed() -> Iterator[Mixed]:
    with Site(hosts=1, adopt=["all"], settings={"link_speed_limit": WIRE}) as site:
        made = Mixed(site, switches=1)
        give_queues(made.host, "wire")
        yield made
        made.mesh.remove()


def pair(mixed: Mixed, project: str) -> tuple[Machine, Machine]:
    """Two machines of a network, one on the host and one on the switch behind the wire."""
    network = mixed.site.network(project, port_security_enabled=False)
    return mixed.site.machines(Wish(f"{project}1", network, 1, 11))[0], mixed.machine(Wish(f"{project}2", network, 1, 12))


def transactions(mixed: Mixed) -> int:
    """How many of Hadron's the host's database has recorded."""
    return (mixed.host.directory / "conf.db").read_bytes().count(b'"_comment":"Hadron: ')


def is_followed(mixed: Mixed) -> bool:
    """Whether the switches hold what they should, and the host's database is connected."""
    switches = mixed.site.ask("GET", "/inspect/switches")["switches"]
    findings = mixed.site.ask("GET", "/inspect/doctor")["findings"]
    return all(one["state"] == "in step" for one in switches) and not any("database" in one["text"] for one in findings)


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
    assert f"rate {COMMITTED}Mbit ceil {WIRE}Mbit" in classes(mixed)[number] and f"rate 250Kbit ceil {WIRE}Mbit" in classes(mixed)[0]
    assert site.ask("GET", f"/v2.0/circuits/{circuit['id']}")["circuit"]["held_by"] == ["queues", "meters"]
    meet(near, far)
    meet(loud, deaf)
    held, others = lost(loud, deaf, WIRE - 1)
    assert held <= 0.1 * others, "what a silent circuit does not use is anybody's; a meter would leave 3 of 5 Mbit/s"
    with flood(loud, deaf):
        drowned, sent = lost(near, far, COMMITTED)
        mix_up(mixed.host, "wire")
        without, sent_without = lost(near, far, COMMITTED)
    classify(mixed.host, "wire")
    print(f"{drowned} of {sent} frames lost with its queue, {without} of {sent_without} without")
    assert drowned <= 0.1 * sent
    assert without > 0.1 * sent_without, "the wire was not full: this has shown nothing"
    site.delete("circuit", circuit["id"])
    wait(lambda: set(classes(mixed)) == {0}, "the queue outlives its circuit")
    assert mixed.host.vsctl("--columns=_uuid", "--bare", "list", "Queue").count("\n") == 0


def test_a_restart_leaves_queues_alone_and_what_is_wiped_comes_back(mixed: Mixed) -> None:
    site, host = mixed.site, mixed.host
    near, far = pair(mixed, "green")
    circuit = site.create("circuit", a_port_id=near.id, z_port_id=far.id, committed_kbps=COMMITTED * 1000)
    number = wait(lambda: next((one for one in classes(mixed) if one), None), "there is no queue for the circuit", 20)
    before, held = transactions(mixed), classes(mixed)
    site.hadron.stop()
    site.hadron.start()
    wait(lambda: is_followed(mixed), "the switches are not in step", 60)
    assert transactions(mixed) == before and classes(mixed) == held
    host.vsctl("clear", "Port", "wire", "qos", "--", "--all", "destroy", "QoS", "--", "--all", "destroy", "Queue")
    wait(lambda: classes(mixed) == held, "what was wiped does not come back", 20)
    assert number in held
    site.delete("circuit", circuit["id"])
