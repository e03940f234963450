"""A machine that sends 50 000 questions a second and more: everybody else is served as before, and it is named."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
ROOT = Path(__file__).parents[2]
RATE = 50_000                       # frames of one second
PUNTED = 20                         # a second from one port, and as many at once (apps/questions.py)

# Sends until its input ends; says how many frames it has sent in each second.
FLOOD = """
import select, sys, time
from scenarios.sockets import Nic
from tests.kit import dhcp, frames
place, mac, kind = sys.argv[1:]
own = frames.link_local(mac)
FLOODS = {
    "DHCP": [dhcp.ask(mac, kind, transaction=number) for number, kind in enumerate((1, 3, 8, 4, 7) * 20)],
    "ND": [frames.rs(mac), frames.ns(mac, own, "2001:db8::1"), frames.ns(mac, own, "2001:db8::77"), frames.na(mac, own)] * 25,
}
nic, sent, second = Nic(place), 0, time.monotonic()
while not select.select([sys.stdin], [], [], 0)[0]:
    nic.send(*FLOODS[kind])
    sent += len(FLOODS[kind])
    if (now := time.monotonic()) - second >= 1:
        print(int(sent / (now - second)), flush=True)
        sent, second = 0, now
"""


class Flood:
    """A flood that goes on."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def rate(self) -> int:
        """Frames of another second."""
        assert self._process.stdout
        return int(self._process.stdout.readline())

    def reach(self, rate: int, seconds: float = 30) -> int:
        """The frames of a second in which there were so many: the machine that this runs on may have other things to do."""
        return int(wait(lambda: (found := self.rate()) >= rate and found, f"no second has {rate} frames", seconds))


@contextmanager
def flooding(machine: Machine, kind: str) -> Iterator[Flood]:
    words = [sys.executable, "-c", FLOOD, machine.vm.namespace.name, machine.mac, kind]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        yield Flood(process)
        assert process.poll() is None, "it has gone on all the time"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def machines(site: Site) -> list[Machine]:
    """The flooder and a neighbour on host 1, another on host 2; none has its addresses yet."""
    network = site.network("floods", subnets=("10.0.0.0/24",))
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    site.create("subnet", network_id=network["id"], project_id="floods", cidr="2001:db8::/64", ip_version=6, **modes)
    group = {"security_groups": [site.open_group("floods")]}
    made = site.machines(*(Wish(name, network, host, None, group) for name, host in (("villain", 1), ("near", 1), ("far", 2))),
                         addresses=False)
    made[0].mute()
    return made


def serve(machine: Machine) -> float:
    """A lease, and addresses made of what routers say; the seconds that it took."""
    began = time.monotonic()
    assert machine.vm.dhcp().address == machine.ip
    machine.vm.namespace.script("ip -6 addr flush dev eth0")
    assert machine.ip6 in machine.vm.slaac()
    return time.monotonic() - began


@pytest.mark.parametrize("kind", ["DHCP", "ND"])
def test_fifty_thousand_questions_a_second_starve_nobody_and_are_named(site: Site, machines: list[Machine], kind: str) -> None:
    villain, near, far = machines
    named = alarms_about(site, villain)
    with flooding(villain, kind) as flood:
        rate = flood.reach(RATE)
        with ThreadPoolExecutor(2) as pool:
            took = list(pool.map(serve, (near, far)))
        slowest = max(write(site, far) for _ in range(10))
        assert near.vm.ping(far.ip) and near.vm.ping(far.ip6)
        wait(lambda: alarms_about(site, villain) > named, "it is not named")
        served = flood.rate()
    print(f"\n{kind}: {rate} and {served} frames a second; others served in {took[0]:.2f} and {took[1]:.2f} s; "
          f"slowest write {slowest * 1000:.0f} ms")
    assert max(took) < 6 and slowest < 2
    serve(villain)


def alarms_about(site: Site, machine: Machine) -> int:
    """How many seconds it has flooded the controller for; what others may do in one is no flood."""
    floods = [one for one in site.alarms() if one["alarm"] == "flood"]
    assert all(one["object"] == f"port {machine.id}" and one["packets"] <= 3 * PUNTED for one in floods), floods
    return sum(one.get("times", 1) for one in floods)


def write(site: Site, machine: Machine) -> float:
    began = time.monotonic()
    site.ask("PUT", f"/v2.0/ports/{machine.id}", {"port": {"name": "still answered"}})
    return time.monotonic() - began
