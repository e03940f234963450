"""An emulated cloud on one machine: hosts with Open vSwitch, an underlay between them, and virtual machines.

    with Cloud(hosts=3) as cloud:
        cloud.set_manager()                             # each host: ovs-vsctl set-manager tcp:<cloud.controller_address>:6640
        a = cloud.plug(1, "a", port_id=..., mac=...)    # what a compute manager does
        a.dhcp()
        assert a.ping("10.0.0.7")

With Cloud(external=True) each host also has a bridge br-ex on a physical network, physnet1; `cloud.external("out",
"198.51.100.9/24", vlan=101)` is a machine out there.

The controller runs in the root namespace and listens on `controller_address` (or on everything). Needs root, Open vSwitch,
iproute2, ethtool, tcpdump, ping and busybox. Clouds with different prefixes do not see each other. A cloud goes away with the
process that made it, even if that is killed, unless `keep=True`.
"""

import itertools
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from scenarios import leftovers, outside, underlay
from scenarios.host import Host, empty_database
from scenarios.namespace import CommandFailed, ip_batch
from scenarios.outside import Outsider, Spot, Wire
from scenarios.vm import VM, Plug, attach, build

_numbers = itertools.count()


class Cloud:
    """Hosts 1 to `hosts` and the virtual machines plugged into them."""

    def __init__(self, hosts: int = 3, prefix: str | None = None, *, underlay_mtu: int = 1500, keep: bool = False,
                 external: bool = False) -> None:
        if not 0 < hosts <= underlay.MAX_HOSTS:
            raise ValueError(f"hosts: {hosts} is not between 1 and {underlay.MAX_HOSTS}")
        prefix = leftovers.check_prefix(prefix or f"t{_short(os.getpid())}x{_short(next(_numbers))}")
        self.mtu = underlay_mtu
        self._claim(prefix, hosts, None if keep else os.getpid(), external)
        self._watchdog = None if keep else leftovers.Watchdog(prefix)
        try:
            underlay.lay(self.prefix, self.number, hosts, underlay_mtu)
            database = empty_database(self.directory / "empty.db")
            if self.wire:
                outside.lay(self.prefix, hosts, underlay_mtu)
                self.wire.start(database, hosts)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda host: host.start(database, external=external), self.hosts))
        except BaseException:
            self.down()
            raise

    def _claim(self, prefix: str, hosts: int, owner: int | None, external: bool) -> None:
        """Take the prefix and a free management network, or leave everything as it is."""
        self.prefix, self.directory, self._owner = prefix, leftovers.RUN_DIRECTORY / prefix, owner
        self.vms: dict[str, VM] = {}
        self.outsiders: dict[str, Outsider] = {}
        self.wire = Wire(prefix, self.directory) if external else None
        with underlay.claiming():
            if self.directory.exists() or leftovers.namespaces(prefix):
                raise FileExistsError(f"{prefix}: a cloud of this name exists; `hadron-cloud down --prefix {prefix}` removes it")
            self.number = underlay.free_number()
            self.directory.mkdir(parents=True)
            self.hosts = [Host(prefix, number, self.directory, self.number, hosts) for number in range(1, hosts + 1)]
            self._save()

    @classmethod
    def attach(cls, prefix: str) -> "Cloud":
        """A cloud that is up, made by another process; leaving it as a context, or ending, does not take it down."""
        cloud = cls.__new__(cls)
        cloud.prefix, cloud.directory = leftovers.check_prefix(prefix), leftovers.RUN_DIRECTORY / prefix
        try:
            state: dict[str, Any] = {"mtu": 1500, "external": False, "outsiders": [],
                                     **json.loads((cloud.directory / "state.json").read_text())}
        except FileNotFoundError:
            raise LookupError(f"{prefix}: no such cloud; `hadron-cloud up 3 --prefix {prefix}` makes one") from None
        cloud.number, cloud._owner, cloud._watchdog = state["number"], state["owner"], None
        cloud.hosts = [Host(prefix, number, cloud.directory, cloud.number, state["hosts"])
                       for number in range(1, state["hosts"] + 1)]
        plugs = [Plug(**each) for each in state["vms"]]
        cloud.mtu, cloud.wire = state["mtu"], Wire(prefix, cloud.directory) if state["external"] else None
        spots = [Spot(**each) for each in state["outsiders"]]
        cloud.outsiders = {spot.name: Outsider(prefix, spot, cloud.directory) for spot in spots}
        cloud.vms = {plug.name: VM(prefix, plug, cloud.host(plug.host), cloud.directory) for plug in plugs}
        return cloud

    def __enter__(self) -> "Cloud":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._watchdog:
            self.down()

    @property
    def controller_address(self) -> str:
        """The address at which the hosts reach a controller that runs in the root namespace."""
        return underlay.controller_address(self.number)

    def host(self, number: int) -> Host:
        """Host 1, 2, ..."""
        if not 0 < number <= len(self.hosts):
            raise LookupError(f"host {number}: this cloud has hosts 1 to {len(self.hosts)}")
        return self.hosts[number - 1]

    def set_manager(self, target: str | None = None) -> None:
        """Put every host under a controller, the one in the root namespace unless another target is given."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda host: host.set_manager(target), self.hosts))

    def plug(self, host: int, name: str, *, port_id: str, mac: str, mtu: int = 1450, bridge: str = "br-int",
             seconds: int = 10) -> VM:
        """A new virtual machine on a host, plugged into its integration bridge as the interface of a port.

        The bridge may be made by the controller meanwhile: CommandFailed if it does not exist after so many seconds.
        """
        return self.plug_all([Plug(host, name, port_id, mac, mtu)], bridge=bridge, seconds=seconds)[0]

    def plug_all(self, plugs: Iterable[Plug], *, bridge: str = "br-int", seconds: int = 10) -> list[VM]:
        """Many new virtual machines at once, with one Open vSwitch transaction for each host; all or none."""
        plugs = list(plugs)
        for plug in plugs:
            self._check_name(plug.name)
        made = [VM(self.prefix, plug, self.host(plug.host), self.directory) for plug in plugs]
        try:
            build(self.prefix, plugs)
            for host in {plug.host for plug in plugs}:
                here = [plug for plug in plugs if plug.host == host]
                attach(self.host(host), here, bridge=bridge, seconds=seconds)
        except BaseException:
            self._remove(made)
            raise
        self.vms.update({vm.name: vm for vm in made})
        self._save()
        return made

    def _check_name(self, name: str) -> None:
        ours = name in ("ul", outside.NAME) or name.startswith("h") and name[1:].isdigit()
        if ours or name in self.vms or name in self.outsiders:
            raise ValueError(f"name: {name} is taken")

    def external(self, name: str, address: str, vlan: int | None = None) -> Outsider:
        """A new machine on the physical network outside, with an address and its prefix length, in a VLAN if one is given."""
        if self.wire is None:
            raise LookupError("this cloud has nothing outside: make it with external=True")
        self._check_name(name)
        number = max((one.spot.number for one in self.outsiders.values()), default=0) + 1
        made = Outsider(self.prefix, Spot(number, name, vlan), self.directory)
        self.wire.add(made, self.mtu)
        self.outsiders[name] = made
        self._save()
        made.address(address)
        return made

    def unplug(self, *vms: VM) -> None:
        """Remove virtual machines: out of the database first, as a compute manager does, then the machines."""
        self._remove(vms)
        for vm in vms:
            self.vms.pop(vm.name, None)
        self._save()

    def _remove(self, vms: Sequence[VM]) -> None:
        for host in {vm.plug.host for vm in vms}:
            devices = [vm.plug.device for vm in vms if vm.plug.host == host]
            words = [word for device in devices for word in ("--", "--if-exists", "del-port", device)]
            self.host(host).vsctl(*words[1:])
            # Links also go with their namespaces, but at some later time: the same port could not be plugged again at once.
            ip_batch([f"link del {device}" for device in devices], namespace=self.host(host).name, force=True)
        names = set(leftovers.namespaces(self.prefix)) & {vm.namespace.name for vm in vms}
        leftovers.end_processes(names)
        ip_batch([f"netns del {name}" for name in sorted(names)])

    def move(self, vm: VM, host: int, *, bridge: str = "br-int") -> None:
        """Move a virtual machine to another host, as a live migration does: it keeps its addresses and connections."""
        there = self.host(host)
        vm.host.vsctl("--if-exists", "del-port", vm.plug.device)
        ip_batch([f"link set {vm.plug.device} netns {there.name}"], namespace=vm.host.name)
        vm.plug, vm.host = replace(vm.plug, host=host), there
        attach(there, [vm.plug], bridge=bridge)
        self._save()

    def down(self) -> None:
        """Take everything down, whoever made it."""
        leftovers.sweep(self.prefix)
        if self._watchdog:
            self._watchdog.dismiss()
            self._watchdog = None

    def _save(self) -> None:
        state = {"number": self.number, "hosts": len(self.hosts), "owner": self._owner, "mtu": self.mtu,
                 "external": self.wire is not None, "vms": [asdict(vm.plug) for vm in self.vms.values()],
                 "outsiders": [asdict(one.spot) for one in self.outsiders.values()]}
        file = self.directory / "state.json"
        file.with_suffix(".new").write_text(json.dumps(state))
        os.replace(file.with_suffix(".new"), file)


def _short(number: int) -> str:
    """A number in few letters, as names of links have room for few."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return (_short(number // 36) if number >= 36 else "") + digits[number % 36]


def clouds() -> list[str]:
    """Prefixes of all clouds on this machine."""
    return sorted(state.parent.name for state in Path(leftovers.RUN_DIRECTORY).glob("*/state.json"))


__all__ = ["VM", "Cloud", "CommandFailed", "Host", "Outsider", "Plug", "clouds"]
