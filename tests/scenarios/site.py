"""A running cloud for tests with real packets: hosts, Hadron in a process of its own, and machines on its networks.

    with Site(hosts=2) as site:
        red = site.network("red", kind="geneve")              # 10.0.0.0/24 and 2001:db8::/64, unless said otherwise
        a, b = site.machines(Wish("a", red, 1, 11), Wish("b", red, 2, 12))
        site.rule(site.group("red", "web"), "ingress", protocol="tcp", port_range_min=80, port_range_max=80)

Machines have their addresses set by hand, so that only the tests of DHCP depend on DHCP. Every write waits until the
switches hold what it means (`wait=realized`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from scenarios.cloud import Cloud, Plug
from scenarios.controller import ADMIN, Hadron, free_port
from scenarios.outside import Outsider
from scenarios.sockets import Nic
from scenarios.vm import VM

CIDR, CIDR6 = "10.0.0.0/24", "2001:db8::/64"
UNLIMITED = {"network": -1, "subnet": -1, "port": -1, "security_group": -1, "security_group_rule": -1}


def wait(condition: Callable[[], Any], what: str = "it did not come about", seconds: float = 10) -> Any:
    """What the condition gives, as soon as it is true. AssertionError if it is not in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not in {seconds} s"
        time.sleep(0.005)
    return found


@dataclass(frozen=True)
class Wish:
    """A machine to be: its network, its host, the last part of its addresses (0: none; None: as chosen), and more about its port."""

    name: str
    network: dict[str, Any]
    host: int
    number: int | None = 0
    port: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """What to POST."""
        network = self.network
        fixed = [{"ip_address": f"10.0.0.{self.number}"}, {"ip_address": f"2001:db8::{self.number}"}] if self.number else []
        given = {} if self.number is None else {"fixed_ips": fixed}
        return {"network_id": network["id"], "project_id": network["project_id"], "name": self.name, **given, **self.port}


class Machine:
    """A virtual machine, its port, and its network card."""

    def __init__(self, vm: VM | Outsider, port: dict[str, Any]) -> None:
        self.vm, self.port, self.name = vm, port, vm.name
        self.nic = Nic(vm.namespace.name)

    def take_addresses(self) -> None:
        """Set its port's addresses by hand."""
        for fixed in self.port["fixed_ips"]:
            address = fixed["ip_address"]
            self.vm.address(f"{address}/{64 if ':' in address else 24}")

    @property
    def id(self) -> str:
        return str(self.port["id"])

    @property
    def mac(self) -> str:
        return str(self.port["mac_address"])

    @property
    def ip(self) -> str:
        return self.address(4)

    @property
    def ip6(self) -> str:
        return self.address(6)

    def address(self, v: int) -> str:
        """Its first address of IP version `v`, or ""."""
        return next((one["ip_address"] for one in self.port["fixed_ips"] if (":" in one["ip_address"]) == (v == 6)), "")

    def mute(self) -> None:
        """Its kernel says nothing any more: only what `nic.send` says."""
        self.vm.namespace.script("ip link set eth0 arp off; ip addr flush dev eth0; echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")

    def __repr__(self) -> str:
        return self.name


class Site:
    """A cloud under Hadron; goes away at the end of the `with`."""

    def __init__(self, hosts: int = 2, *, external: bool = False, **config: Any) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="hadron-site-")
        self.machines_by_name: dict[str, Machine] = {}
        self.cloud = Cloud(hosts=hosts, external=external)
        address = self.cloud.controller_address
        # Ports of its own: somebody who tries Hadron on this machine may listen to all addresses on the usual ones.
        self.ovsdb_port = free_port(address)
        self.hadron = Hadron(Path(self._directory.name), address=address, quotas=UNLIMITED, ovsdb=self.ovsdb_port,
                             openflow=free_port(address), **config)

    def __enter__(self) -> Site:
        try:
            self.hadron.start()
            self.cloud.set_manager(f"tcp:{self.cloud.controller_address}:{self.ovsdb_port}")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for machine in self.machines_by_name.values():
            machine.nic.close()
        self.hadron.stop()
        self.cloud.down()
        self._directory.cleanup()

    # ---- wishes

    def ask(self, method: str, path: str, body: Any = None, *, expect: Sequence[int] = (200, 201, 204)) -> Any:
        """One request as the administrator; its answer. A write has reached the switches when it returns."""
        where = path if method == "GET" else f"{path}{'&' if '?' in path else '?'}wait=realized"
        status, answer = self.hadron.request(method, where, body, token=ADMIN)
        assert status in expect, f"{method} {path}: {status} {answer}"
        return answer

    def create(self, kind: str, **values: Any) -> dict[str, Any]:
        return dict(self.ask("POST", f"/v2.0/{_plural(kind)}", {kind: values})[kind])

    def change(self, kind: str, id: str, **values: Any) -> dict[str, Any]:
        return dict(self.ask("PUT", f"/v2.0/{_plural(kind)}/{id}", {kind: values})[kind])

    def delete(self, kind: str, id: str) -> None:
        self.ask("DELETE", f"/v2.0/{_plural(kind)}/{id}")

    def network(self, project: str, *, kind: str = "vxlan", subnets: Sequence[str] = (CIDR, CIDR6), **more: Any) -> dict[str, Any]:
        """A project's network, called as the project, and its subnets."""
        network = self.create("network", **{"name": project, "project_id": project, "provider:network_type": kind, **more})
        for cidr in subnets:
            self.create("subnet", network_id=network["id"], project_id=project, cidr=cidr, ip_version=6 if ":" in cidr else 4)
        return network

    def group(self, project: str, name: str, **more: Any) -> str:
        """The id of a new security group, from which everything may be sent and to which nothing."""
        return str(self.create("security_group", name=name, project_id=project, **more)["id"])

    def rule(self, group: str, direction: str = "ingress", *, v: int = 4, **more: Any) -> str:
        """The id of a new rule."""
        return str(self.create("security_group_rule", security_group_id=group, direction=direction, ethertype=f"IPv{v}", **more)["id"])

    def rules(self, group: str) -> list[dict[str, Any]]:
        return list(self.ask("GET", f"/v2.0/security-group-rules?security_group_id={group}")["security_group_rules"])

    def open_group(self, project: str) -> str:
        """A group that allows everything both ways."""
        group = self.group(project, "open")
        for v in (4, 6):
            self.rule(group, v=v)
        return group

    # ---- machines

    def machines(self, *wishes: Wish, addresses: bool = True) -> list[Machine]:
        """Ports, and machines plugged in as them; back when all ports are ACTIVE. Addresses are set unless said otherwise."""
        ports = self.ask("POST", "/v2.0/ports", {"ports": [wish.body() for wish in wishes]})["ports"]
        made = self.cloud.plug_all([Plug(wish.host, wish.name, port["id"], port["mac_address"], wish.network["mtu"])
                                    for wish, port in zip(wishes, ports, strict=True)])
        found = [Machine(vm, port) for vm, port in zip(made, ports, strict=True)]
        self.machines_by_name.update({machine.name: machine for machine in found})
        for machine in found if addresses else ():
            machine.take_addresses()
        self.wait_active(*found)
        return found

    def outsider(self, name: str, number: int, vlan: int | None = None) -> Machine:
        """A machine on the physical network, in a VLAN of it or none, with addresses like a network's machines."""
        made = self.cloud.external(name, f"10.0.0.{number}/24", vlan)
        addresses = [{"ip_address": f"10.0.0.{number}"}, {"ip_address": f"2001:db8::{number}"}]
        found = self.machines_by_name[name] = Machine(made, {"mac_address": made.mac, "fixed_ips": addresses})
        found.take_addresses()
        return found

    def wait_uplinks(self, count: int, seconds: float = 10) -> None:
        """Until so many hosts have said that they reach a physical network."""
        wait(lambda: len(self.ask("GET", "/v2.0/uplinks")["uplinks"]) == count, "uplinks are not known", seconds)

    def wait_active(self, *machines: Machine, seconds: float = 20) -> None:
        wait(lambda: all(self.status(machine.id) == "ACTIVE" for machine in machines), "ports are not ACTIVE", seconds)

    def status(self, port: str) -> str:
        return str(self.ask("GET", f"/v2.0/ports/{port}?fields=status")["port"]["status"])

    def update(self, machine: Machine, **values: Any) -> None:
        """Change a machine's port."""
        machine.port = self.change("port", machine.id, **values)

    def sent_to_controller(self, *, besides: int | None = None) -> int:
        """Packets that the switches' flows have handed to the controller so far, counted on the switches; not through a meter."""
        lines = [line for host in self.cloud.hosts for line in host.dump_flows(counters=True)
                 if "CONTROLLER" in line and f"meter:{besides}," not in line]
        return sum(int(line.split("n_packets=")[1].split(",")[0]) for line in lines)

    def alarms(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", "/inspect/alarms")["alarms"])


def _plural(kind: str) -> str:
    return kind.replace("_", "-") + "s"
