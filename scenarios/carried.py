"""Machines behind the VLAN interfaces of a virtual machine, as containers are that a trunk carries.

Kernels on which this runs may have no VLAN interfaces: a switch inside the virtual machine puts tags on and takes them
off. What has no tag is the virtual machine's own, whose kernel hears it at eth0 as ever.
"""

import shutil
from pathlib import Path

from scenarios.host import DATABASE, VSWITCHD, empty_database, ovs_version
from scenarios.machine import Machine, begin
from scenarios.namespace import Namespace, ip_batch
from scenarios.vm import VM

START = (
    DATABASE
    + """
ovs-vsctl --no-wait -- init -- set Open_vSwitch . ovs_version=$VERSION \\
  -- add-br vlans -- set Bridge vlans datapath_type=netdev fail_mode=standalone other_config:disable-in-band=true \\
  -- add-port vlans eth0 vlan_mode=trunk trunks=4095
"""
    + VSWITCHD
)


class Carried(Machine):
    """A machine behind one VLAN interface."""

    def __init__(self, vm: VM, name: str, mac: str, directory: Path) -> None:
        super().__init__(vm.namespace.name.rpartition("-")[0], name, directory)
        self.vm, self.mac = vm, mac


class Inside:
    """The switch inside a virtual machine. It goes with the cloud."""

    def __init__(self, vm: VM) -> None:
        self.vm, self.directory = vm, vm.directory / f"in-{vm.name}"
        self.directory.mkdir()
        shutil.copy(empty_database(self.directory / "empty.db"), self.directory / "conf.db")
        places = {f"OVS_{kind}DIR": str(self.directory) for kind in ("RUN", "LOG", "DB", "SYSCONF")}
        self.namespace = Namespace(vm.namespace.name, places | {"D": str(self.directory), "VERSION": ovs_version()})
        self.namespace.script(START)
        self._tags: set[int] = set()

    def machine(self, name: str, tag: int, mac: str, mtu: int) -> Carried:
        """A new machine whose frames have this tag outside."""
        made = Carried(self.vm, name, mac, self.directory)
        device = f"v{name}"
        ip_batch([f"netns add {made.namespace.name}",
                  f"link add {device} mtu {mtu} netns {self.namespace.name} type veth "
                  f"peer name eth0 address {mac} mtu {mtu} netns {made.namespace.name}"])
        begin(made.namespace)
        self._tags.add(tag)
        # The virtual machine's own kernel hears what is on this wire too, and must not answer.
        self.namespace.script(f"echo 8 >/proc/sys/net/ipv4/conf/{device}/arp_ignore; "
                              f"echo 1 >/proc/sys/net/ipv6/conf/{device}/disable_ipv6; "
                              f"ip link set {device} up; ethtool -K {device} tx off >/dev/null 2>&1")
        self._vsctl("add-port", "vlans", device, f"tag={tag}", "--", *self._trunks())
        return made

    def retag(self, machine: Carried, tag: int) -> None:
        """The machine's frames have another tag from now on."""
        self._tags.add(tag)
        self._vsctl("set", "Port", f"v{machine.name}", f"tag={tag}", "--", *self._trunks())

    def _trunks(self) -> list[str]:
        return ["set", "Port", "eth0", "trunks=" + ",".join(map(str, sorted(self._tags)))]

    def _vsctl(self, *words: str) -> None:
        self.namespace.run(["ovs-vsctl", "--timeout=10", *words])
