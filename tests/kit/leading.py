"""Routers of the small cloud that lead outside, and a machine out there.

    cloud = Leading(net, wires=("host1", "host2"))
    a = net.port("a", on="host1", network=cloud.inside)
    net.send(cloud.out(a)).reaches(cloud.away)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.kit import frames
from tests.kit.journey import Journey
from tests.kit.net import Net, Port, Thing
from tests.kit.router import Router
from tests.kit.talk import Said
from tests.kit.wires import PHYSNET, Outsider, attach, flat, vlan, wire

WORLD, WORLD6 = "203.0.113.0/24", "2001:db8:f00d::/64"


class Leading:
    """A tenant's network behind a router with a gateway, on hosts of which some have the wire; a machine outside."""

    def __init__(
        self,
        net: Net,
        name: str = "router",
        *,
        cidrs: Sequence[str] = ("10.1.0.0/24",),
        wires: Sequence[str] = ("host2",),
        hosts: Sequence[str] = ("host1", "host2"),
        world: Sequence[str] = (WORLD,),
        tag: int | None = None,
        **wishes: Any,
    ) -> None:
        self.net = net
        for host in hosts:
            if ("host", host) not in net.things:
                net.host(host)
            if host in wires and not net.model.get("uplink", f"{host}/{PHYSNET}"):
                wire(net, host)
        if ("network", "world") not in net.things:
            more = {"subnets": world, "project": "admin", "router:external": True}
            if tag:
                vlan(net, "world", tag, **more)
            else:
                flat(net, "world", **more)
        self.world = net.things["network", "world"]
        self.inside = net.network(f"inside {name}", subnets=cidrs)
        self.router = Router(net, name, external_gateway_info={"network_id": self.world.id}, **wishes).join(self.inside)
        away = Outsider("away", ip="203.0.113.99", ip6="2001:db8:f00d::99", vlan=tag)
        if away not in net.outsiders:
            attach(net, away)
        self.away = net.outsiders[net.outsiders.index(away)]
        self.learn(self.away)

    def learn(self, outsider: Outsider) -> None:
        """As if it had answered the router's questions."""
        self.net.learn(
            [
                (
                    "neighbour",
                    {
                        "id": f"{self.world.id}/{ip}",
                        "network_id": self.world.id,
                        "ip_address": ip,
                        "mac_address": outsider.mac,
                    },
                )
                for ip in (outsider.ip, outsider.ip6)
                if ip
            ]
        )

    @property
    def gateway(self) -> Port:
        """The router's port outside."""
        (row,) = [
            row
            for row in self.net.model.find("port", "network_id", self.world.id)
            if row.device_id == self.router.thing.id
        ]
        return Port(self.net, "port", row.id, "outside")

    def within(self, v: int = 4) -> Port:
        """The router's port in the tenant's network."""
        return self.router.on(self.inside, v)

    def host(self) -> str:
        """The gateway host: the only one that answers outside for the router's address."""
        asked = self.net.send(self.away, frames.arp_request(self.away.mac, self.away.ip, self.gateway.ip))
        (answering,) = {host for host, _, _ in asked.reaches(self.away).wires}
        return answering

    def out(self, sender: Port, port: int = 80, *, source_port: int = 40000, v: int = 4, to: str = "", **more: Any) -> Said:
        """From a machine to the one outside, or to an address."""
        to = to or (self.away.ip6 if v == 6 else self.away.ip)
        source = sender.ip6 if v == 6 else sender.ip
        return Said(sender, frames.tcp(sender.mac, self.within(v).mac, source, to, source_port, port, **more))

    def come_in(self, mac: str, to: str, port: int = 22, *, source_port: int = 5000, **more: Any) -> Journey:
        """A TCP packet of the machine outside to an address, by a MAC on its wire."""
        source = self.away.ip6 if ":" in to else self.away.ip
        return self.net.send(self.away, frames.tcp(self.away.mac, mac, source, to, source_port, port, **more))

    def ask(self, ip: str) -> Journey:
        """The machine outside asks all for an address."""
        away = self.away
        asked = frames.ns(away.mac, away.ip6, ip) if ":" in ip else frames.arp_request(away.mac, away.ip, ip)
        return self.net.send(away, asked)

    def floating(self, port: Port | None = None, **more: Any) -> Floating:
        """An address outside, for a port or for nobody yet."""
        wish = {"floating_network_id": self.world.id, "port_id": port and port.id, "project_id": "acme", **more}
        (row,) = self.net.writer.create(self.net._asker("acme"), "floatingip", [wish])
        self.net.settle()
        return Floating(self.net, "floatingip", row.id, row.floating_ip_address)


class Floating(Thing):
    """A floating IP: its address, and the MAC with which that is answered for."""

    @property
    def ip(self) -> str:
        return str(self.row.floating_ip_address)

    @property
    def mac(self) -> str:
        (port,) = self.net.model.find("port", "device_id+device_owner", (self.id, "network:floatingip"))
        return str(port.mac_address)


def open_group(net: Net, name: str = "open", *ports: int, v: int = 4) -> Thing:
    """A group that lets in what is for these TCP ports, 22 if none is named."""
    made = net.group(name)
    for port in ports or (22,):
        net.rule(made, "ingress", "tcp", port, v=v)
    return made


def number(address: str) -> int:
    """An address, or a MAC, as a field has it."""
    return int.from_bytes((frames.raw_mac if address.count(":") == 5 and len(address) == 17 else frames.raw_ip)(address), "big")
