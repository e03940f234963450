"""Mininet under a Hadron of its own, for experiments in a room (room.py).

    with Wired(Ring(switches=4), tenants={"h1": "red", "h2": "red", "h3": "blue"}) as wired:
        wired.deaf("h1")                            those of its tenant that h1 cannot ping
        wired.alarms("discovery")

Machines of tenants have ports in their tenant's network, bound to the switch port where Mininet has put them. All others
are in the default network.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import OVSSwitch, RemoteController
from mininet.topo import Topo

from scenarios.controller import Hadron
from scenarios.sockets import Nic

PATIENCE = 60.0
DEFAULT = "flat"
PLAIN_NIC = "ethtool -K {} tx off >/dev/null 2>&1; sysctl -qw net.ipv6.conf.all.disable_ipv6=1"


class Wired:
    """A Mininet network and its controller; both are gone when it is left."""

    def __init__(self, topo: Topo, *, tenants: Mapping[str, str] | None = None, **config: Any) -> None:
        setLogLevel("error")
        self.tenants = dict(tenants or {})
        self._directory = tempfile.TemporaryDirectory(prefix="hadron-wired-")
        self.hadron = Hadron(Path(self._directory.name), projects=tuple(sorted(set(self.tenants.values()))),
                             **{"adopt": ["all"], "default_network": DEFAULT, "audit_interval": 0, **config})
        self.net = Mininet(topo=topo, switch=partial(OVSSwitch, datapath="user", protocols="OpenFlow14"), controller=None,
                           autoSetMacs=True)
        self.net.addController("c0", RemoteController, ip="127.0.0.1", port=6653)
        self.ports: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Wired:
        self.hadron.start()
        for host in self.net.hosts:
            host.cmd(PLAIN_NIC.format(host.defaultIntf()))
        for number in range(len(self.net.switches)):
            self.net.switches[number].cmd("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
        self.net.start()
        self._provision()
        self.until(lambda: len(self.links()) == 2 * len(self.wires), "all links are seen")
        self.until(self.active, "all ports are active")
        return self

    def __exit__(self, *_: object) -> None:
        self.net.stop()
        self.hadron.stop()
        self._directory.cleanup()

    # ---- what there is

    @property
    def wires(self) -> list[Any]:
        """Mininet's links between switches."""
        return [link for link in self.net.links if {link.intf1.node, link.intf2.node} <= set(self.net.switches)]

    def place(self, name: str) -> tuple[str, int]:
        """Datapath id and OpenFlow port of a host's first interface."""
        link = self.net[name].defaultIntf().link
        there = link.intf2 if link.intf1.node is self.net[name] else link.intf1
        return str(there.node.dpid).zfill(16), there.node.ports[there]

    def _provision(self) -> None:
        networks: dict[str, str] = {}
        for tenant in sorted(set(self.tenants.values())):
            networks[tenant] = self.hadron.create("network", name=tenant, project_id=tenant)["id"]
            self.hadron.create("subnet", network_id=networks[tenant], project_id=tenant, ip_version=4, cidr="10.0.0.0/8",
                               gateway_ip=None, enable_dhcp=False)
        for name, tenant in self.tenants.items():
            switch, number = self.place(name)
            host = self.net[name]
            where: dict[str, Any] = {"local_link_information": [{"switch_id": switch, "port_id": str(number)}]}
            wish: dict[str, Any] = {"binding:profile": where, "fixed_ips": [{"ip_address": host.IP()}]}
            self.ports[name] = self.hadron.create("port", network_id=networks[tenant], project_id=tenant, name=name,
                                                  mac_address=host.MAC(), **wish)

    def get(self, path: str) -> Any:
        status, answer = self.hadron.request("GET", path)
        assert status == 200, answer
        return answer

    def links(self) -> set[tuple[str, str]]:
        """What discovery has found: (source, target) as switch:port each."""
        return {(one["id"], f"{one['target_switch_id']}:{one['target_port']}") for one in self.get("/v2.0/links")["links"]}

    def active(self) -> bool:
        """Whether every host's port is there and active."""
        ports = self.get("/v2.0/ports")["ports"]
        return len(ports) >= len(self.net.hosts) and all(one["status"] == "ACTIVE" for one in ports)

    def places(self) -> dict[str, tuple]:
        """Where each port and each known machine is: what no attack may change."""
        found = {one["id"]: (one["switch"], one["ofport"], one["mac_address"]) for one in self.get("/inspect/ports")["ports"]}
        return found | {one["id"]: (one["switch_id"], one["ofport"]) for one in self.get("/v2.0/stations")["stations"]}

    def alarms(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.get("/inspect/alarms")["alarms"] if one["alarm"] == kind]

    def nic(self, name: str) -> Nic:
        """The network card of a host, for frames of any kind."""
        return Nic(f"/proc/{self.net[name].pid}/ns/net", str(self.net[name].defaultIntf()))

    # ---- what is done

    def deaf(self, name: str, count: int = 1) -> list[str]:
        """Those in the host's network that it cannot ping, all asked at once."""
        mine = self.tenants.get(name)
        others = [host for host in self.net.hosts if host.name != name and self.tenants.get(host.name) == mine]
        words = " ".join(f"(ping -n -q -c {count} -i 0.2 -w {count + 4} {host.IP()} >/dev/null 2>&1 && echo {host.name}) &" for host in others)
        heard = self.net[name].cmd(f"{words} wait").split()
        return [host.name for host in others if host.name not in heard]

    def lost_pairs(self) -> list[tuple[str, str]]:
        """All pairs of one network that do not hear each other."""
        return [(host.name, other) for host in self.net.hosts for other in self.deaf(host.name)]

    def crossed(self) -> str:
        """A host that an address of another tenant's answers; empty if there is none."""
        for host in self.net.hosts:
            for other in self.net.hosts:
                if self.tenants.get(other.name) != self.tenants.get(host.name):
                    break
            else:
                continue
            if "1 received" in host.cmd(f"ping -n -q -c 1 -W 0.3 {other.IP()}"):
                return str(host.name)
        return ""

    @staticmethod
    def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """What the condition gives, once it is true. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.1)
        return found
