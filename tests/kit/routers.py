"""Routers over documents, as tests say it: subnets that they join and leave."""
from __future__ import annotations

from typing import Any

from tests.kit.worlds import ANN, Context, World


def subnet(world: World, cidr: str, network: Any = None, by: Context = ANN, **more: Any) -> Any:
    network = network or world.make("network", by)
    return world.make("subnet", by, network_id=network.id, ip_version=6 if ":" in cidr else 4, cidr=cidr, **more)


def act(world: World, router: Any, name: str, by: Context = ANN, **asked: Any) -> Any:
    return world.writer.act(by, "router", router.id, name, asked)[1]


def join(world: World, router: Any, one: Any, by: Context = ANN) -> Any:
    """The port that is the interface."""
    return world.model.get("port", act(world, router, "add_router_interface", by, **{f"{one.KIND}_id": one.id})["port_id"])


def leave(world: World, router: Any, one: Any, by: Context = ANN) -> Any:
    return act(world, router, "remove_router_interface", by, **{f"{one.KIND}_id": one.id})


def ips(port: Any) -> list[str]:
    return [fixed.ip_address for fixed in port.fixed_ips]


def routes(*said: str) -> list[dict[str, str]]:
    """`10.9.0.0/16 10.0.0.9` as a route."""
    return [dict(zip(("destination", "nexthop"), one.split(), strict=True)) for one in said]
