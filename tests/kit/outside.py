"""What leads outside, as tests say it: external networks and routers with a gateway on them."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Invalid
from tests.kit.routers import join, subnet
from tests.kit.worlds import ADMIN, ANN, Context, World


def external(world: World, *cidrs: str, **more: Any) -> Any:
    """An administrator's network that leads outside, on a wire of its own, with a subnet for each CIDR."""
    wire = f"wire{world.model.count('network', 'all', True)}"
    network = world.make("network", ADMIN, **{"provider__network_type": "flat", "provider__physical_network": wire,
                                              "router__external": True, **more})
    for cidr in cidrs or ("203.0.113.0/24",):
        subnet(world, cidr, network, by=ADMIN)
    return network


def leading(world: World, network: Any, by: Context = ANN, **info: Any) -> Any:
    """A router with a gateway on an external network."""
    return world.make("router", by, external_gateway_info={"network_id": network.id, **info})


def behind(world: World, router: Any, cidr: str = "10.0.0.0/24", by: Context = ANN, **more: Any) -> Any:
    """A port on a new network that the router joins."""
    one = subnet(world, cidr, by=by)
    join(world, router, one, by)
    return world.make("port", by, network_id=one.network_id, **more)


def floating(world: World, network: Any, **more: Any) -> Any:
    return world.make("floatingip", floating_network_id=network.id, **more)


def bad(text: str, of: str = "floatingip") -> Any:
    """A request about a floating IP or a port forwarding is refused with these words."""
    return pytest.raises(Invalid, match=f"^Bad {of} request: {text}")


def reached(world: World, network: Any) -> None:
    """Some host has the external network's wire."""
    wire = network.provider_physical_network
    world.writer.learn([("uplink", {"id": f"h1/{wire}", "host_id": "h1", "switch_id": f"{1:016x}",
                                    "physical_network": wire, "ofport": 9})])
