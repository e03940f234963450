"""A right body for every resource, made from its declaration; only what no declaration says stands here."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.resource import Resource
from tests.kit.outside import behind, external, leading
from tests.kit.worlds import ADMIN, World

# What hooks ask for beyond the declaration.
MORE: dict[str, dict[str, Any]] = {"subnet": {"cidr": "10.0.0.0/24"}, "subnetpool": {"name": "pool"},
                                    "network_segment_range": {"network_type": "vxlan"},
                                    "circuit": {"a_switch_port": "00000000000000a1:7", "z_switch_port": "00000000000000a2:7"},
                                    "quota": {"project_id": "some"}, "service_profile": {"metainfo": "{}"}, "qos_policy": {"name": "gold"}}

# What must be of a certain kind, and is made for it.
MADE: dict[str, Callable[[World], dict[str, Any]]] = {
    "floatingip": lambda world: {"floating_network_id": external(world).id},
    "port_forwarding": lambda world: _forwarding(world),
    "segment": lambda world: {"network_id": world.make("network", ADMIN, provider__network_type="flat",
                                                       provider__physical_network="physnet8").id,
                              "network_type": "flat", "physical_network": "physnet9"},
    "ndp_proxy": lambda world: _proxied(world),
    "local_ip": lambda world: {"local_port_id": _addressed(world)},
    "local_ip_association": lambda world: {"fixed_port_id": _addressed(world)},
    "port_binding": lambda world: {"host": "host9"},
    "log": lambda world: {"resource_type": "security_group"},
    "rbac_policy": lambda world: {"object_type": "network", "object_id": world.make("network", ADMIN).id,
                                  "action": "access_as_shared", "target_tenant": "another"},
    "route": lambda world: _ends(world),
    "metering_label_rule": lambda world: {"metering_label_id": world.make("metering_label", ADMIN).id,
                                          "direction": "ingress", "remote_ip_prefix": "10.0.0.0/8"},
    "watch": lambda world: {"network_id": world.make("network", ADMIN).id}}

# What certain values need beside them.
BESIDE: dict[tuple[str, str, Any], dict[str, Any]] = {
    ("network", "provider:network_type", "vlan"): {"provider:physical_network": "physnet1",
                                                   "provider:segmentation_id": 7},
    ("network", "provider:network_type", "flat"): {"provider:physical_network": "physnet1"}}


def right_body(world: World, resource: Resource) -> dict[str, Any]:
    """A body that is accepted; what it refers to is made first."""
    body = {}
    for attribute in resource.attributes.values():
        if attribute.required and attribute.settable in ("always", "create"):
            body[attribute.name] = _referred(world, attribute.refers_to) if attribute.refers_to \
                else attribute.examples()[0]
    return {**body, **MORE.get(resource.kind, {}), **MADE.get(resource.kind, lambda _: {})(world)}


def _referred(world: World, kind: str) -> str:
    return world.writer.create(ADMIN, kind, [right_body(world, world.resources[kind])])[0][0]


def _forwarding(world: World) -> dict[str, Any]:
    network = external(world)
    floating = world.make("floatingip", ADMIN, floating_network_id=network.id)
    port = behind(world, leading(world, network, ADMIN), by=ADMIN)
    return {"floatingip_id": floating.id, "internal_port_id": port.id, "internal_port": 80, "external_port": 8080}


def _proxied(world: World) -> dict[str, Any]:
    """A router that may answer for others, and a port behind it."""
    network = external(world, "203.0.113.0/24", "2001:db8:f00d::/64")
    router = world.make("router", ADMIN, enable_ndp_proxy=True, external_gateway_info={"network_id": network.id})
    return {"router_id": router.id, "port_id": behind(world, router, "2001:db8:1::/64", by=ADMIN).id}


def _addressed(world: World) -> str:
    """A port with an address."""
    network = world.make("network", ADMIN)
    world.make("subnet", ADMIN, network_id=network.id, ip_version=4, cidr="10.0.0.0/24")
    return str(world.make("port", ADMIN, network_id=network.id).id)


def state(world: World) -> tuple:
    """Everything that a refused write must leave as it was."""
    owners = {name: dict(pool.owners) for name, pool in world.writer.numbers.pools.items() if pool.owners}
    return {kind: dict(rows) for kind, rows in world.model.rows.items()}, owners, world.store.load()[0]


def _ends(world: World) -> dict[str, Any]:
    """Two subnets that do not overlap."""
    return {f"subnet_{name}_id": world.writer.create(ADMIN, "subnet", [{
        "network_id": world.make("network", ADMIN).id, "ip_version": 4, "cidr": cidr}])[0].id
        for name, cidr in (("a", "10.1.0.0/24"), ("b", "10.2.0.0/24"))}
