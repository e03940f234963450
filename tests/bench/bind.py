"""From plugging a machine in to its first answered ping, with many ports existing on five hosts.

The same machine is plugged into a bridge with the one flow NORMAL on the same host in the same round: the difference
is Hadron's share, because Open vSwitch needs longer for each port the more it has.
"""
from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

from scenarios.cloud import Cloud, Plug
from scenarios.controller import Hadron
from scenarios.host import Host
from scenarios.vm import VM, attach, build
from tests.kit import frames

HOSTS = 5
ROUNDS = 7
PROBER = Path(__file__).parent / "prober.py"
NORMAL = "br-normal"


def run(*, quick: bool = False) -> dict[str, Any]:
    sizes, bulk = ((10, 50), 200) if quick else ((10, 200, 1000, 3000), 5000)
    with tempfile.TemporaryDirectory() as directory, Cloud(hosts=HOSTS) as cloud, \
            Hadron(Path(directory), address=cloud.controller_address, quotas={"port": -1}, audit_interval=0) as hadron:
        cloud.set_manager()
        for host in cloud.hosts:
            host.vsctl("add-br", NORMAL, "--", "set", "Bridge", NORMAL, "datapath_type=netdev")
        bench = _Bench(cloud, hadron)
        found: dict[str, Any] = {"bind_to_ping": []}
        for size in sizes:
            bench.grow(size)
            found["bind_to_ping"].append(bench.measure(size))
            print(f"  {found['bind_to_ping'][-1]}", file=sys.stderr, flush=True)
        found["entries_on_a_host"] = len(cloud.host(1).dump_flows())
    found["bulk"] = bind_in_bulk(bulk)
    return found


class _Bench:
    def __init__(self, cloud: Cloud, hadron: Hadron) -> None:
        self.cloud, self.hadron, self.ports = cloud, hadron, 0
        self.network = make_network(hadron)
        self.peer = cloud.plug_all([self._plug(2, "peer")])[0]
        self._address(self.peer, self._fixed(self.peer))
        other = cloud.plug_all([Plug(1, "other", "00000000-0000-0000-0000-00000000000f", "fa:16:3e:ff:00:0f")], bridge=NORMAL)[0]
        self._address(other, "10.0.255.15")
        self.other = other

    def _plug(self, host: int, name: str) -> Plug:
        port = self.hadron.create("port", network_id=self.network, name=name)
        self.addresses = {**getattr(self, "addresses", {}), name: port["fixed_ips"][0]["ip_address"]}
        return Plug(host, name, port["id"], port["mac_address"])

    def _fixed(self, vm: VM) -> str:
        return str(self.addresses[vm.name])

    @staticmethod
    def _address(vm: VM, address: str) -> None:
        vm.address(f"{address}/16")

    def grow(self, size: int) -> None:
        """Bring the number of bound ports to `size`, evenly over the hosts."""
        made = create_ports(self.hadron, self.network, size - self.ports)
        for number, host in enumerate(self.cloud.hosts):
            plug_dummies(host, made[number::HOSTS])
        wait_active(self.hadron, len(made))
        self.ports = size

    def measure(self, size: int) -> dict[str, Any]:
        ours = [self._round(f"a{size}x{number}", self.peer, "br-int") for number in range(ROUNDS)]
        normal = [self._round(f"n{size}x{number}", self.other, NORMAL) for number in range(ROUNDS)]
        total, plain = (statistics.median(each) for each in (ours, normal))
        return {"ports": size, "ms": round(total, 1), "normal_ms": round(plain, 1), "share_ms": round(total - plain, 1),
                "min_ms": round(min(ours), 1), "normal_min_ms": round(min(normal), 1)}

    def _round(self, name: str, target: VM, bridge: str) -> float:
        """Milliseconds from `ovs-vsctl add-port` to the first answer."""
        if bridge == NORMAL:
            plug = Plug(1, name, str(uuid4()), "fa:16:3e:ff:00:01")
            mine, theirs = "10.0.255.1", "10.0.255.15"
        else:
            plug = self._plug(1, name)
            mine, theirs = self.addresses[name], self._fixed(target)
        build(self.cloud.prefix, [plug])
        vm = VM(self.cloud.prefix, plug, self.cloud.host(1), self.cloud.directory)
        vm.address(f"{mine}/16")
        frame = frames.echo(plug.mac, target.mac, mine, theirs)
        prober = vm.start([sys.executable, str(PROBER), frame.hex(), plug.mac.replace(":", ""), "20"])
        assert prober.stdout and b"ready" in prober.stdout.readline()
        began = time.monotonic()
        attach(vm.host, [plug], bridge=bridge)
        answered = float(prober.stdout.readline())
        prober.wait(5)
        self.cloud.vms[name] = vm
        self.cloud.unplug(vm)
        if bridge != NORMAL:
            self.hadron.request("DELETE", f"/v2.0/ports/{plug.port_id}")
        return (answered - began) * 1000


def make_network(hadron: Hadron) -> str:
    network = str(hadron.create("network", name="bench")["id"])
    hadron.create("subnet", network_id=network, ip_version=4, cidr="10.0.0.0/16")
    hadron.create("subnet", network_id=network, ip_version=6, cidr="fd00::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    return network


def create_ports(hadron: Hadron, network: str, count: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    while len(made) < count:
        body = {"ports": [{"network_id": network}] * min(100, count - len(made))}
        status, answer = hadron.request("POST", "/v2.0/ports", body)
        if status != 201:
            raise RuntimeError(f"{status} {answer}")
        made += answer["ports"]
    return made


def plug_dummies(host: Host, ports: Iterable[dict[str, Any]], at_once: int = 200) -> None:
    """Interfaces without a device in the kernel, in a few transactions."""
    ports = list(ports)
    for start in range(0, len(ports), at_once):
        words: list[str] = []
        for port in ports[start:start + at_once]:
            name = f"d{port['id'][:13].replace('-', '')}"
            words += ["--", "add-port", "br-int", name, "--", "set", "Interface", name, "type=dummy",
                      f"external_ids:iface-id={port['id']}", f'external_ids:attached-mac="{port["mac_address"]}"']
        host.vsctl(*words[1:], timeout=120)


def wait_active(hadron: Hadron, count: int, seconds: float = 300) -> None:
    """Until so many more ports are ACTIVE than were: all that exist and are bound."""
    deadline = time.monotonic() + seconds
    while True:
        _, answer = hadron.request("GET", "/v2.0/ports?fields=status")
        waiting = sum(port["status"] != "ACTIVE" for port in answer["ports"])
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{waiting} ports are not ACTIVE")
        time.sleep(0.02)


def bind_in_bulk(count: int) -> dict[str, Any]:
    """Create ports and plug them all in; and what the plugging alone costs hosts that have no controller."""
    with tempfile.TemporaryDirectory() as directory, Cloud(hosts=HOSTS) as cloud, \
            Hadron(Path(directory), address=cloud.controller_address, quotas={"port": -1}, audit_interval=0) as hadron:
        cloud.set_manager()
        began = time.monotonic()
        ports = create_ports(hadron, make_network(hadron), count)
        created = time.monotonic()
        _plug_everywhere(cloud, ports)
        plugged = time.monotonic()
        wait_active(hadron, count)
        found = {"ports": count, "create_s": round(created - began, 2), "plug_s": round(plugged - created, 2),
                 "plugged_to_active_s": round(time.monotonic() - plugged, 2), "bound_s": round(time.monotonic() - created, 2)}
    with Cloud(hosts=HOSTS) as cloud:
        for host in cloud.hosts:
            host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "fail_mode=secure")
        began = time.monotonic()
        _plug_everywhere(cloud, ports)
        found["plug_without_controller_s"] = round(time.monotonic() - began, 2)
    return found


def _plug_everywhere(cloud: Cloud, ports: list[dict[str, Any]]) -> None:
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(HOSTS) as pool:
        list(pool.map(lambda each: plug_dummies(each[1], ports[each[0]::HOSTS]), enumerate(cloud.hosts)))


if __name__ == "__main__":
    try:
        print(run(quick="--quick" in sys.argv))
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        raise
