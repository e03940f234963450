"""Routers of the small cloud, and what is said through them.

    router = Router(net).join(red, blue)
    net.send(ping(a, router.on(red), b)).reaches(b)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.kit import frames
from tests.kit.net import Net, Port, Thing
from tests.kit.talk import Said


class Router:
    """A router of the cloud."""

    def __init__(self, net: Net, name: str = "router", project: str = "acme", **wishes: Any) -> None:
        self.net, self.project = net, project
        self.thing = net._create("router", name, project, wishes)

    def join(self, *networks: Thing) -> Router:
        """An interface on each subnet of these networks, with the gateway's address."""
        for network in networks:
            for subnet in self.net.model.find("subnet", "network_id", network.id):
                self.act("add_router_interface", {"subnet_id": subnet.id})
        return self

    def join_as(self, network: Thing, *ips: str) -> Port:
        """An interface with addresses of its own."""
        name = f"{self.thing.name} in {network.name} as {ips[0]}"
        wish = {"network_id": network.id, "fixed_ips": [{"ip_address": ip} for ip in ips]}
        port = self.net._create("port", name, self.project, wish)
        self.act("add_router_interface", {"port_id": port.id})
        return Port(self.net, "port", port.id, name)

    def leave(self, network: Thing) -> None:
        """No interface on any subnet of the network."""
        for subnet in self.net.model.find("subnet", "network_id", network.id):
            self.act("remove_router_interface", {"subnet_id": subnet.id})

    def route(self, *routes: tuple[str, str]) -> None:
        """Extra routes: (destination, next hop) each."""
        self.act("add_extraroutes", _routes(routes))

    def unroute(self, *routes: tuple[str, str]) -> None:
        self.act("remove_extraroutes", _routes(routes))

    def act(self, name: str, body: dict[str, Any]) -> Any:
        _, answer = self.net.writer.act(self.net._asker(self.project), "router", self.thing.id, name, body)
        self.net.settle()
        return answer

    def on(self, network: Thing, v: int = 4) -> Port:
        """The first interface on a network with an address of this IP version."""
        ports = [
            Port(self.net, "port", row.id, f"{self.thing.name} in {network.name}")
            for row in self.net.model.find("port", "network_id", network.id)
            if row.device_id == self.thing.id
        ]
        return next(port for port in ports if address(port, v))


def _routes(routes: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {"routes": [{"destination": destination, "nexthop": hop} for destination, hop in routes]}


def address(port: Port, v: int = 4) -> str:
    """A port's first address of an IP version, or ""."""
    return port.ip6 if v == 6 else port.ip


def number_of(ip: str) -> int:
    return int.from_bytes(frames.raw_ip(ip), "big")


# ---- what `sender` says by way of `gateway` to `receiver`, a port or an address


def _ends(sender: Port, gateway: Port, receiver: Port | str, v: int) -> tuple[str, str, str, str]:
    to = receiver if isinstance(receiver, str) else address(receiver, v)
    return sender.mac, gateway.mac, address(sender, v), to


def ping(sender: Port, gateway: Port, receiver: Port | str, *, v: int = 4, reply: bool = False, left: int = 64) -> Said:
    return Said(sender, frames.aged(frames.echo(*_ends(sender, gateway, receiver, v), reply=reply), left))


def tcp(
    sender: Port,
    gateway: Port,
    receiver: Port | str,
    port: int,
    *,
    v: int = 4,
    source_port: int = 40000,
    flags: int = frames.SYN,
) -> Said:
    return Said(sender, frames.tcp(*_ends(sender, gateway, receiver, v), source_port, port, flags))


def udp(sender: Port, gateway: Port, receiver: Port | str, port: int = 33434, *, v: int = 4, left: int = 64) -> Said:
    return Said(sender, frames.aged(frames.udp(*_ends(sender, gateway, receiver, v), 40000, port), left))
