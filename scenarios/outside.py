"""What is outside of an emulated cloud: a physical switch that a wire leads to from each host, and machines on it.

The switch is an Open vSwitch in a namespace of its own, which learns addresses and keeps VLANs apart as any switch
does: kernels on which this runs may have no VLANs. Hosts are on trunk ports; a machine is on an access port of its
VLAN, or sends and hears what has no tag.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from scenarios.host import DATABASE, VSWITCHD, ovs_version
from scenarios.machine import Machine, begin
from scenarios.namespace import Namespace, ip_batch
from scenarios.underlay import QUIET

NAME, BRIDGE = "ex", "wire"
START = (
    DATABASE
    + """
ovs-vsctl --no-wait -- init -- set Open_vSwitch . ovs_version=$VERSION \\
  -- add-br wire -- set Bridge wire datapath_type=netdev fail_mode=standalone other_config:disable-in-band=true
"""
    + VSWITCHD
)


@dataclass(frozen=True)
class Spot:
    """A machine's place on the physical network."""

    number: int
    name: str
    vlan: int | None = None

    @property
    def mac(self) -> str:
        return f"02:00:0a:64:00:{self.number:02x}"

    @property
    def device(self) -> str:
        """Its port on the switch."""
        return f"o{self.number}"


class Outsider(Machine):
    """A machine that is nobody's port; made by Cloud.external."""

    def __init__(self, prefix: str, spot: Spot, directory: Path) -> None:
        super().__init__(prefix, spot.name, directory)
        self.spot = spot

    @property
    def mac(self) -> str:
        return self.spot.mac

    @property
    def vlan(self) -> int | None:
        return self.spot.vlan


class Wire:
    """The physical switch."""

    def __init__(self, prefix: str, directory: Path) -> None:
        self.prefix, self.directory = prefix, directory / NAME
        places = {f"OVS_{kind}DIR": str(self.directory) for kind in ("RUN", "LOG", "DB", "SYSCONF")}
        self.namespace = Namespace(f"{prefix}-{NAME}", places | {"D": str(self.directory), "VERSION": ovs_version()})

    def start(self, database: Path, hosts: int) -> None:
        """Bring the switch up, with a trunk port for each host, from a copy of this empty database."""
        self.directory.mkdir()
        shutil.copy(database, self.directory / "conf.db")
        self.namespace.script(START)
        self._add({f"x{host}": "vlan_mode=trunk" for host in range(1, hosts + 1)})

    def add(self, machine: Outsider, mtu: int) -> None:
        """A new machine on a port of the switch."""
        spot, inside = machine.spot, machine.namespace.name
        ip_batch(
            [
                f"netns add {inside}",
                f"link add {spot.device} mtu {mtu} netns {self.namespace.name} type veth "
                f"peer name eth0 address {spot.mac} mtu {mtu} netns {inside}",
            ]
        )
        begin(machine.namespace)
        self._add({spot.device: f"tag={spot.vlan or 0}"})

    def _add(self, devices: dict[str, str]) -> None:
        words: list[str] = []
        for device, kind in devices.items():
            self.namespace.script(f"ip link set {device} up; ethtool -K {device} tx off >/dev/null 2>&1")
            words += ["--", "add-port", BRIDGE, device, kind]
        self.namespace.run(["ovs-vsctl", "--timeout=10", *words[1:]])


def lay(prefix: str, hosts: int, mtu: int) -> None:
    """Make the switch's namespace and the wires from it: eth2 in each host."""
    lines = [f"netns add {prefix}-{NAME}"]
    for host in range(1, hosts + 1):
        lines.append(
            f"link add eth2 mtu {mtu} netns {prefix}-h{host} type veth "
            f"peer name x{host} mtu {mtu} netns {prefix}-{NAME}"
        )
    ip_batch(lines)
    Namespace(f"{prefix}-{NAME}").script(QUIET)
