"""One emulated virtual machine: a namespace with one interface, eth0, plugged into a host's integration bridge."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.host import Host
from scenarios.machine import PLAIN_NIC, Machine, Ping, begin
from scenarios.namespace import Namespace, ip_batch

__all__ = ["PLAIN_NIC", "VM", "Ping", "Plug", "attach", "build", "wire"]


@dataclass(frozen=True)
class Plug:
    """What a compute manager tells Open vSwitch of a virtual interface."""

    host: int
    name: str
    port_id: str
    mac: str
    mtu: int = 1450

    @property
    def device(self) -> str:
        """Name of the interface on the host, as Nova makes it."""
        return f"tap{self.port_id[:11]}"


class VM(Machine):
    """A virtual machine of a cloud; made by Cloud.plug."""

    def __init__(self, prefix: str, plug: Plug, host: Host, directory: Path) -> None:
        super().__init__(prefix, plug.name, directory)
        self.plug, self.host = plug, host

    @property
    def mac(self) -> str:
        return self.plug.mac

    @property
    def port_id(self) -> str:
        return self.plug.port_id


def build(prefix: str, plugs: Sequence[Plug]) -> None:
    """Make the namespaces and wires of virtual machines, not yet plugged."""
    lines = [f"netns add {prefix}-{plug.name}" for plug in plugs]
    ip_batch(lines + [wire(prefix, plug) for plug in plugs])
    for plug in plugs:
        begin(Namespace(f"{prefix}-{plug.name}"))


def wire(prefix: str, plug: Plug) -> str:
    """The `ip` command that joins a virtual machine with its host."""
    return (f"link add {plug.device} mtu {plug.mtu} netns {prefix}-h{plug.host} type veth "
            f"peer name eth0 address {plug.mac} mtu {plug.mtu} netns {prefix}-{plug.name}")


def attach(host: Host, plugs: Sequence[Plug], *, bridge: str = "br-int", seconds: int = 10) -> None:
    """Plug interfaces into the host's bridge in one transaction, waiting so long for the bridge to exist."""
    ip_batch([f"link set {plug.device} up" for plug in plugs], namespace=host.name)
    words = ["wait-until", "Bridge", bridge]
    for plug in plugs:
        words += ["--", "add-port", bridge, plug.device, "--", "set", "Interface", plug.device,
                  f"external_ids:iface-id={plug.port_id}", f'external_ids:attached-mac="{plug.mac}"',
                  "external_ids:iface-status=active", f"external_ids:vm-id={plug.name}"]
    host.vsctl(*words, timeout=seconds)
