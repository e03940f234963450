"""Local IPs with real packets: the same address is on each host the machine of that host, and nothing of it leaves the host."""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from scenarios.host import Host
from tests.scenarios.leading import SERVER, connect
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
# Says to whoever sends a datagram, from the address where it came in, who it is and how much it was.
DATAGRAMS = """
import socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); listener.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    said, peer = listener.recvfrom(65535)
    listener.sendto(f"{sys.argv[2]} {len(said)}".encode(), peer)
"""
ASK = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(3); one.connect((sys.argv[1], int(sys.argv[3]))); one.send(bytes(int(sys.argv[2])))
    try: print(one.recv(1000).decode())
    except OSError as error: print(type(error).__name__)
"""


class Twins:
    """A local IP, and on each of two hosts a machine for which it stands, and one that asks."""

    def __init__(self, site: Site, name: str, mode: str, guarded: bool = True) -> None:
        self.site, self.name, self._running = site, name, list[subprocess.Popen[bytes]]()
        self.network = site.network(name, subnets=("10.0.0.0/24",))
        self.local = site.ask("POST", "/v2.0/local_ips", {"local_ip": {
            "network_id": self.network["id"], "project_id": name, "ip_mode": mode}})["local_ip"]
        self.ip = str(self.local["local_ip_address"])
        more = {"security_groups": [site.open_group(name)]} if guarded else {"port_security_enabled": False}
        found = site.machines(*(Wish(f"{name}{who}{host}", self.network, host, None, more) for host in (1, 2) for who in ("s", "c")))
        self.serving, self.asking = dict(zip((1, 2), found[::2], strict=True)), dict(zip((1, 2), found[1::2], strict=True))
        for machine in self.serving.values():
            if mode == "passthrough":
                machine.vm.address(f"{self.ip}/24")
            self._serve(machine, SERVER, "80", machine.name)
            self._serve(machine, DATAGRAMS, self.ip if mode == "passthrough" else machine.ip, machine.name)

    def _serve(self, machine: Machine, program: str, *words: str) -> None:
        running = machine.vm.start([sys.executable, "-c", program, *words])
        self._running.append(running)
        assert running.stdout and b"ready" in running.stdout.readline()

    def stand(self, machine: Machine) -> None:
        self.site.ask("POST", f"/v2.0/local_ips/{self.local['id']}/port_associations", {
            "port_association": {"fixed_port_id": machine.id}})

    def leave(self, machine: Machine) -> None:
        self.site.ask("DELETE", f"/v2.0/local_ips/{self.local['id']}/port_associations/{machine.id}")

    def heard(self, asking: Machine, size: int = 1, port: int = 53) -> str:
        return str(asking.vm.run([sys.executable, "-c", ASK, self.ip, str(size), str(port)], timeout=60).stdout.strip())

    def close(self) -> None:
        for one in self._running:
            one.kill()
            one.wait()


@pytest.fixture(scope="module", params=["translate", "passthrough", "unguarded"])
def twins(site: Site, request: pytest.FixtureRequest) -> Iterator[Twins]:
    mode = "translate" if request.param == "unguarded" else request.param
    made = Twins(site, request.param, mode, guarded=request.param != "unguarded")
    for machine in made.serving.values():
        made.stand(machine)
    yield made
    made.close()


def tunnelled(host: Host) -> Any:
    """ARP and IPv4 within VXLAN; what machines say of IPv6 unasked is not looked at."""
    return host.capture("udp port 4789 and (udp[28:2] = 0x800 or udp[28:2] = 0x806)")


def test_on_each_host_the_address_is_the_machine_of_that_host(site: Site, twins: Twins) -> None:
    """Echoes, connections and datagrams, among them one in pieces; nothing is seen between the hosts."""
    hosts = [site.cloud.host(number) for number in (1, 2)]
    with tunnelled(hosts[0]) as one, tunnelled(hosts[1]) as other:
        for number, asking in twins.asking.items():
            serving = twins.serving[number]
            wait(lambda asking=asking: asking.vm.ping(twins.ip, 1), f"{asking} is not answered", 30)
            assert asking.vm.ping(twins.ip, 3)
            assert connect(asking.vm.run, twins.ip, 80, count=5) == (5, f"{serving.name} {asking.ip}")
            assert twins.heard(asking) == f"{serving.name} 1"
            assert twins.heard(asking, 4000) == f"{serving.name} 4000"
        assert (one.count(), other.count()) == (0, 0)
        assert twins.asking[1].vm.ping(twins.serving[2].ip, 1)                  # those have addresses of their own, too
        wait(lambda: one.count() and other.count(), "the tunnel is not seen")


def test_it_has_one_mac_wherever_one_asks(twins: Twins) -> None:
    (held,) = twins.site.ask("GET", f"/v2.0/ports?id={twins.local['local_port_id']}")["ports"]
    for asking in twins.asking.values():
        assert asking.vm.ping(twins.ip, 1)
        seen = asking.vm.run(["ip", "neigh", "show", twins.ip]).stdout
        assert held["mac_address"] in seen


def test_a_closed_port_is_said_to_be_closed(twins: Twins) -> None:
    """The error is about the address that was asked, or else nobody would believe it."""
    assert twins.heard(twins.asking[1], port=54) == "ConnectionRefusedError"


def test_where_it_stands_for_nobody_nobody_answers_until_it_stands_again(twins: Twins) -> None:
    asking, serving = twins.asking[2], twins.serving[2]
    twins.leave(serving)
    assert not asking.vm.ping(twins.ip, 1, wait=0.5)
    assert connect(twins.asking[1].vm.run, twins.ip, 80) == (1, f"{twins.serving[1].name} {twins.asking[1].ip}")
    twins.stand(serving)
    wait(lambda: asking.vm.ping(twins.ip, 1), "it does not stand for the machine again", 30)


def test_one_that_goes_takes_its_association_along(site: Site, twins: Twins) -> None:
    """… and the other of the host is it from then on; what was going on begins anew there."""
    (second,) = site.machines(Wish(f"{twins.name}s3", twins.network, 2, None, {
        name: twins.serving[2].port[name] for name in ("security_groups", "port_security_enabled")}))
    if twins.local["ip_mode"] == "passthrough":
        second.vm.address(f"{twins.ip}/24")
    twins._serve(second, SERVER, "80", second.name)
    twins.stand(second)
    asking = twins.asking[2]
    assert connect(asking.vm.run, twins.ip, 80, first=33000) == (1, f"{twins.serving[2].name} {asking.ip}")
    site.delete("port", twins.serving[2].id)
    assert connect(asking.vm.run, twins.ip, 80, first=33000) == (1, f"{second.name} {asking.ip}")
    left = site.ask("GET", f"/v2.0/local_ips/{twins.local['id']}/port_associations")["port_associations"]
    assert {one["fixed_port_id"] for one in left} == {twins.serving[1].id, second.id}
