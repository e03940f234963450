"""A machine that sends 50 000 questions a second and more: everybody else is served as before, and it is named.

And one whose frames are broken in any way, runts and giants among them.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit import dhcp, dhcp6, frames
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


def sound(machine: Machine) -> list[bytes]:
    """Frames that somebody reads: the controller, or the switch's own flows."""
    own, mac = frames.link_local(machine.mac), machine.mac
    lldp = bytes.fromhex("0180c200000e") + frames.raw_mac(mac) + b"\x88\xcc" + bytes.fromhex("0207040102030405060403020007060200780000")
    return [*(dhcp.ask(mac, kind) for kind in (1, 3, 8)), dhcp6.carried(dhcp6.message(1, [dhcp6.oro(23)]), mac=mac, source=own),
            frames.rs(mac), frames.ns(mac, own, "2001:db8::77"), frames.na(mac, own), frames.arp_request(mac, machine.ip, "10.0.0.1"),
            frames.udp(mac, frames.TO_ALL, machine.ip, "169.254.169.254", 5000, 53, bytes(12)), lldp]


def broken(frame: bytes, chance: random.Random) -> bytes:
    """Changed, cut off or drawn out behind its Ethernet header, or tagged."""
    body = bytearray(frame)
    for _ in range(chance.randrange(4)):
        body[chance.randrange(12, len(body))] = chance.choice((0, 1, 0x7f, 0xff, chance.randrange(256)))
    how = chance.randrange(5)
    if how == 0:
        return bytes(body[:chance.randrange(14, len(body))])
    if how == 1:
        return bytes(body) + bytes(chance.choice((1, 1000, 5000, 8900 - len(body))))
    return frames.tagged(bytes(body), chance.randrange(4096)) if how == 2 else bytes(body)


def test_broken_frames_of_any_size_stop_nobody(site: Site, machines: list[Machine]) -> None:
    villain, near, far = machines
    villain.vm.namespace.script("ip link set eth0 mtu 9000")
    site.cloud.host(1).run(["ip", "link", "set", villain.vm.plug.device, "mtu", "9000"])
    chance, whole, began = random.Random(3), sound(villain), time.monotonic()
    while time.monotonic() - began < 3:         # so many a second as pass the meter, and those that come to no meter
        villain.nic.send(*(broken(chance.choice(whole), chance) for _ in range(100)))
        time.sleep(0.02)
    for machine in (near, far, villain):
        serve(machine)
    assert near.vm.ping(far.ip) and near.vm.ping(far.ip6) and write(site, far) < 2
    assert "Traceback" not in site.hadron.log.read_text()
    _, found = site.hadron.request("POST", "/inspect/audit")
    assert not found["broken"] and not found["refused"] and all(one["missing"] == one["alien"] == 0 for one in found["switches"])
