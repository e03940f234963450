"""Tenants whose networks are joined by routers, with real machines that know their gateways.

    acme = Tenant(site, "acme")
    red, blue = acme.network(1), acme.network(2, kind="geneve")       # 10.1.0.0/24 and 2001:db8:1::/64, ...
    router = acme.router("r").join(red, blue)
    a, b = acme.machines(Place("a", red, host=1), Place("b", blue, host=2))
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.kit.frames import raw_ip
from tests.scenarios.site import Machine, Site, Wish

TUNNELS = "udp port 4789 or udp port 6081 or ip proto 47"
_HEADERS = {17: 50, 47: 42}             # outer protocol -> where the inner frame starts (VXLAN, Geneve; GRE with key)


@dataclass(frozen=True)
class Net:
    """A dual-stack network and its number, which is in all its addresses."""

    number: int
    row: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.row["id"])

    def ip(self, last: int, v: int = 4) -> str:
        return f"2001:db8:{self.number}::{last}" if v == 6 else f"10.{self.number}.0.{last}"

    def cidr(self, v: int = 4) -> str:
        return f"2001:db8:{self.number}::/64" if v == 6 else f"10.{self.number}.0.0/24"


@dataclass(frozen=True)
class Place:
    """A machine to be; `number` ends its addresses."""

    name: str
    net: Net
    host: int
    number: int = 10
    port: dict[str, Any] | None = None


class Router:
    """A router, made and changed by REST."""

    def __init__(self, site: Site, row: dict[str, Any]) -> None:
        self.site, self.id = site, str(row["id"])

    def act(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        return dict(self.site.ask("PUT", f"/v2.0/routers/{self.id}/{action}", body))

    def join(self, *nets: Net) -> Router:
        """An interface on each subnet, with its gateway's address."""
        for net in nets:
            for subnet in self._subnets(net):
                self.act("add_router_interface", {"subnet_id": subnet["id"]})
        return self

    def join_as(self, net: Net, last: int) -> Router:
        """Interfaces with other addresses than the gateways'."""
        for v in (4, 6):
            port = self.site.create("port", network_id=net.id, project_id=net.row["project_id"],
                                    fixed_ips=[{"ip_address": net.ip(last, v)}])
            self.act("add_router_interface", {"port_id": port["id"]})
        return self

    def leave(self, *nets: Net) -> None:
        for net in nets:
            for subnet in self._subnets(net):
                self.act("remove_router_interface", {"subnet_id": subnet["id"]})

    def route(self, *routes: tuple[str, str], action: str = "add_extraroutes") -> None:
        """Extra routes: destination and next hop of each."""
        said = [{"destination": destination, "nexthop": hop} for destination, hop in routes]
        self.act(action, {"router": {"routes": said}})

    def mac(self, net: Net, v: int = 4) -> str:
        """The MAC of its interface on a network."""
        ports = self.site.ask("GET", f"/v2.0/ports?device_id={self.id}&network_id={net.id}")["ports"]
        return next(str(port["mac_address"]) for port in ports
                    if any((":" in fixed["ip_address"]) == (v == 6) for fixed in port["fixed_ips"]))

    def _subnets(self, net: Net) -> Sequence[dict[str, Any]]:
        return list(self.site.ask("GET", f"/v2.0/subnets?network_id={net.id}")["subnets"])


class Tenant:
    """A project, its networks, routers and machines."""

    def __init__(self, site: Site, name: str) -> None:
        self.site, self.name = site, name
        self.open = site.open_group(name)

    def network(self, number: int, *, kind: str = "vxlan") -> Net:
        made = self.site.network(self.name, kind=kind, subnets=(f"10.{number}.0.0/24", f"2001:db8:{number}::/64"),
                                 name=f"{self.name}-{number}", project_id=self.name)
        return Net(number, made)

    def router(self, name: str, **more: Any) -> Router:
        return Router(self.site, self.site.create("router", name=name, project_id=self.name, **more))

    def machines(self, *places: Place, addresses: bool = True) -> list[Machine]:
        """Machines with their addresses and default routes; everything is open to them if nothing else is said."""
        wishes = [Wish(place.name, place.net.row, place.host, 0, {
            "fixed_ips": [{"ip_address": place.net.ip(place.number, v)} for v in (4, 6)],
            "security_groups": [self.open], **(place.port or {})}) for place in places]
        made = self.site.machines(*wishes, addresses=addresses)
        if addresses:
            for machine, place in zip(made, places, strict=True):
                lead(machine, place.net)
        return made


def lead(machine: Machine, net: Net) -> None:
    """The machine's default routes, by its network's gateways."""
    for family, gateway in (("-4", net.ip(1)), ("-6", net.ip(1, 6))):
        machine.vm.run(["ip", family, "route", "replace", "default", "via", gateway, "dev", "eth0"])


def traced(machine: Any, address: str, *how: str) -> list[str]:
    """The hops on the way to an address, as traceroute names them; "*" for one that says nothing."""
    family = "-6" if ":" in address else "-4"
    done = getattr(machine, "vm", machine).run(["traceroute", family, "-n", "-q", "1", "-w", "2", "-m", "8", *how, address])
    return [line.split()[1] for line in done.stdout.splitlines()[1:]]


def complaint(machine: Machine, address: str) -> str:
    """What ping says of an address that does not answer, without numbers."""
    done = machine.vm.run(["ping", "-n", "-c", "1", "-W", "2", address], check=False)
    found = re.search(r"^From (\S+?):? icmp_seq=\d+ (.*)$", done.stdout, re.MULTILINE)
    return f"{found[1]}: {found[2]}" if found else done.stdout


def between(wire: Iterable[bytes], one: str, other: str) -> list[bytes]:
    """The frames of an underlay in which these two addresses are, as they were before they went into the tunnel."""
    ends = raw_ip(one), raw_ip(other)
    return [frame[_HEADERS[frame[23]]:] for frame in wire if all(end in frame for end in ends)]
