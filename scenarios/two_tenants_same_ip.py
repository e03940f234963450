"""Two tenants with the same addresses, as a Mininet experiment with a verdict: exit status 0 if they are isolated.

    python -m scenarios.two_tenants_same_ip                 the experiment; also --kind geneve, --kind gre
    python -m scenarios.two_tenants_same_ip --plain         the same wires without Hadron: they are not isolated, status 1
    python -m scenarios.two_tenants_same_ip --cli           Mininet's prompt at the end: `red1 ping 10.0.0.2`

Everything is made with Mininet's classes: `TwoTenants` is a Topo of Mininet hosts and links, `Hypervisor` its switch
and `HadronNode` its controller. Mininet's own OVSSwitch will not do: all its bridges share the one Open vSwitch of the
machine, and Hadron, which recognises a host by its OVSDB connection (`ovs-vsctl set-manager`), gives each host one
integration bridge. So each Hypervisor is a namespace of Mininet's with an Open vSwitch of its own, as a real one is.

Needs Mininet 2.3 (Debian's `mininet` for mnexec, `pip install mininet==2.3.0.dev6` in a virtual environment) and root.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mininet.cli import CLI
from mininet.net import Mininet
from mininet.node import Controller, Switch
from mininet.topo import Topo

from scenarios import leftovers, matrix, underlay
from scenarios.controller import Hadron, free_port
from scenarios.host import Host, empty_database
from scenarios.namespace import run
from scenarios.vm import PLAIN_NIC, VM, Plug

ABOUT = "two tenants with the same addresses on three hypervisors: each hears its own and nobody else"
TENANTS = ("red", "blue")
PLACES = (1, 1, 2, 3)                    # the hypervisors of each tenant's machines
MTU = 1400                               # what any of the tunnels leaves


def address(number: int, version: int = 4) -> str:
    """The same for both tenants."""
    return f"10.0.0.{number}" if version == 4 else f"fd00:10::{number}"


def mac(number: int) -> str:
    """So are the MAC addresses."""
    return f"fa:16:3e:00:00:{number:02x}"


class Wire(Switch):
    """A Linux bridge: the underlay between hypervisors in a namespace of its own, or the management network in the root
    namespace, with the controller's address on it."""

    def __init__(self, name: str, bridge: str = "wire", ip: str = "", **params: Any) -> None:
        super().__init__(name, **{**params, "dpid": "f", "inNamespace": not ip})
        self.bridge = bridge
        self.cmd(f"ip link add {bridge} type bridge; sysctl -qw net.ipv6.conf.{bridge}.disable_ipv6=1; ip link set {bridge} up")
        if ip:
            self.cmd(f"ip addr add {ip}/24 dev {bridge}")

    def start(self, controllers: list[Controller]) -> None:
        for link in self.intfNames():
            if link != "lo":
                self.cmd(f"ip link set {link} master {self.bridge} up")

    def stop(self, deleteIntfs: bool = True) -> None:
        self.cmd(f"ip link del {self.bridge}")
        super().stop(deleteIntfs)


class Hypervisor(Switch):
    """A host with an Open vSwitch of its own: `eth0` is for management, `eth1` for tunnels, the rest is for machines."""

    def __init__(self, name: str, number: int = 1, ovs: Host | None = None, **params: Any) -> None:
        super().__init__(name, **{**params, "inNamespace": True})
        assert ovs
        self.number, self.ovs = number, ovs
        self.cmd("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
        run(["ip", "netns", "attach", ovs.name, str(self.pid)])

    def start(self, controllers: list[Controller]) -> None:
        """Open vSwitch up, and under Hadron; without a controller it has a bridge that joins everything."""
        self.ovs.start(self.ovs.directory.parent / "empty.db")
        if controllers:
            self.ovs.set_manager(controllers[0].manager)
        else:
            self.ovs.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev")

    def plug(self, link: str, port_id: str, machine_mac: str) -> None:
        """What a compute manager does with a machine's interface."""
        self.ovs.vsctl("wait-until", "Bridge", "br-int", "--", "add-port", "br-int", link, "--", "set", "Interface", link,
                       f"external_ids:iface-id={port_id}", f'external_ids:attached-mac="{machine_mac}"')


class HadronNode(Controller):
    """A real Hadron, as Mininet's controller."""

    def __init__(self, name: str, directory: Path = Path(), address: str = "", **params: Any) -> None:
        openflow, ovsdb = free_port(address), free_port(address)
        self.hadron = Hadron(directory, address=address, projects=TENANTS, openflow=openflow, ovsdb=ovsdb)
        self.manager = f"tcp:{address}:{ovsdb}"
        super().__init__(name, ip=address, **params)

    def checkListening(self) -> None:
        """Its ports have just been found free."""

    def start(self) -> None:
        self.hadron.start()

    def stop(self, *args: Any, **options: Any) -> None:
        self.hadron.stop()
        self.terminate()


class TwoTenants(Topo):
    """Three hypervisors; four machines of each tenant on them, numbered and addressed alike."""

    def build(self, prefix: str = "", number: int = 0, directory: Path = Path()) -> None:
        management = self.addSwitch(f"{prefix}-m", cls=Wire, bridge=f"{prefix}-mgmt", ip=underlay.controller_address(number))
        fabric = self.addSwitch("fabric", cls=Wire)
        for each in sorted(set(PLACES)):
            host = Host(prefix, each, directory, number, max(PLACES))
            self.addSwitch(f"hv{each}", cls=Hypervisor, number=each, ovs=host)
            self.addLink(f"hv{each}", management, intfName1="eth0")
            self.addLink(f"hv{each}", fabric, intfName1="eth1")
        for tenant in TENANTS:
            for each, place in enumerate(PLACES, 1):
                self.addHost(f"{tenant}{each}", ip=f"{address(each)}/24", mac=mac(each))
                self.addLink(f"{tenant}{each}", f"hv{place}", intfName1="eth0", intfName2=f"tap-{tenant}{each}")


class Experiment:
    """The network that Mininet has made, and what is measured in it; gone when it is left, even if it is killed."""

    def __init__(self, *, kind: str, plain: bool) -> None:
        self.kind, self.plain = kind, plain
        self.prefix = f"mn{os.getpid() % 46656:x}"
        self.directory = leftovers.RUN_DIRECTORY / self.prefix
        self._after = ExitStack()

    def __enter__(self) -> Experiment:
        self._after.callback(leftovers.sweep, self.prefix)
        self._after.callback(leftovers.Watchdog(self.prefix).dismiss)
        try:
            self._make()
        except BaseException:
            self._after.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._after.close()

    def _make(self) -> None:
        with underlay.claiming():
            self.number = underlay.free_number()
            self.directory.mkdir(parents=True)
            self._save([])
        empty_database(self.directory / "empty.db")
        topo = TwoTenants(prefix=self.prefix, number=self.number, directory=self.directory)
        self.net = Mininet(topo=topo, controller=None)
        self._after.callback(self.net.stop)
        self.hadron: Hadron | None = None
        if not self.plain:
            store = Path(self._after.enter_context(tempfile.TemporaryDirectory(prefix="hadron-mininet-")))
            node = self.net.addController("c0", controller=HadronNode, directory=store,
                                          address=underlay.controller_address(self.number))
            self.hadron = node.hadron
        self.net.start()
        self.machines = [self._machine(f"{tenant}{each}", place, each) for tenant in TENANTS for each, place in enumerate(PLACES, 1)]
        self._save([asdict(vm.plug) for vm in self.machines])

    def _save(self, machines: list[dict[str, Any]]) -> None:
        """So that `hadron-cloud exec --prefix ...` finds its way here, and nobody takes the same management network."""
        state = {"number": self.number, "hosts": max(PLACES), "owner": os.getpid(), "vms": machines}
        (self.directory / "state.json").write_text(json.dumps(state))

    def _machine(self, name: str, place: int, each: int) -> VM:
        node = self.net[name]
        run(["ip", "netns", "attach", f"{self.prefix}-{name}", str(node.pid)])
        node.cmd(f"ip link set eth0 mtu {MTU}; {PLAIN_NIC}; ip -6 addr add {address(each, 6)}/64 dev eth0 nodad")
        hypervisor = self.net[f"hv{place}"]
        hypervisor.cmd(f"ip link set tap-{name} mtu {MTU} up")
        return VM(self.prefix, Plug(place, name, "", mac(each), MTU), hypervisor.ovs, self.directory)

    def provision(self) -> None:
        """What the cloud manager and the compute managers do: networks and ports over REST, interfaces plugged."""
        ids: dict[str, str] = {}
        for tenant in TENANTS if self.hadron else ():
            ids |= self._tenant(tenant)
        for vm in self.machines:
            self.net[f"hv{vm.plug.host}"].plug(f"tap-{vm.name}", ids.get(vm.name, vm.name), vm.mac)
        deadline = time.monotonic() + 30
        while self.hadron and not all(port["status"] == "ACTIVE" for port in self.hadron.request("GET", "/v2.0/ports")[1]["ports"]):
            if time.monotonic() > deadline:
                raise TimeoutError("not all ports are ACTIVE after 30 s")
            time.sleep(0.02)

    def _tenant(self, tenant: str) -> dict[str, str]:
        """{machine: id of its port} of a tenant's network."""
        assert self.hadron
        network = self.hadron.create("network", name=tenant, project_id=tenant, mtu=MTU, **{"provider:network_type": self.kind})["id"]
        for version, cidr in ((4, "10.0.0.0/24"), (6, "fd00:10::/64")):
            self.hadron.create("subnet", network_id=network, project_id=tenant, ip_version=version, cidr=cidr, gateway_ip=None)
        return {f"{tenant}{each}": self.hadron.create(
            "port", network_id=network, project_id=tenant, name=f"{tenant}{each}", mac_address=mac(each),
            fixed_ips=[{"ip_address": address(each)}, {"ip_address": address(each, 6)}])["id"] for each in range(1, len(PLACES) + 1)}

    def verdict(self) -> bool:
        """Measure, print, and say whether each tenant hears all of its own machines and nobody else's."""
        addresses = [address(each, version) for each in range(1, len(PLACES) + 1) for version in (4, 6)]
        measured = matrix.measure(self.machines, addresses, broadcasts=["10.0.0.255"])
        expected = {(a.name, b.name): a.name[:-1] == b.name[:-1] for a in self.machines for b in self.machines if a is not b}
        print("rows send, columns receive: + reached as expected, . silent as expected, ! wrong\n")
        print(matrix.draw(self.machines, measured, expected))
        crossed = sum(got for pair, got in measured.items() if not expected[pair])
        missing = sum(not got for pair, got in measured.items() if expected[pair])
        print(f"\n{crossed} of {len(TENANTS) * len(PLACES) ** 2} pairs across tenants hear each other, "
              f"{missing} of {len(TENANTS) * len(PLACES) * (len(PLACES) - 1)} within a tenant do not")
        return not crossed and not missing


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="two_tenants_same_ip", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("vxlan", "geneve", "gre"), default="vxlan", help="tunnels between hypervisors")
    parser.add_argument("--plain", action="store_true", help="without Hadron: each hypervisor's bridge joins what is plugged in")
    parser.add_argument("--cli", action="store_true", help="Mininet's command line after the measurement")
    choice = parser.parse_args(words)
    if os.geteuid() != 0 or not shutil.which("mnexec"):
        print("two_tenants_same_ip: needs root, and mnexec (Debian package mininet)", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Experiment(kind=choice.kind, plain=choice.plain) as experiment:
        experiment.provision()
        isolated = experiment.verdict()
        print("VERDICT: isolated" if isolated else "VERDICT: NOT ISOLATED", flush=True)
        if choice.cli:
            CLI(experiment.net)
    return 0 if isolated else 1


if __name__ == "__main__":
    sys.exit(main())
