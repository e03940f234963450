"""Auto-allocated topology: a network behind a router that leads outside, for a project that asks for one in one word.

Made of what administrators have set aside: the default external network (`is_default`) and the default subnet pools. What is
made belongs to the project and counts against its quotas like anything else of it; the network remembers that it is this.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.router_ports import interfaces
from controller.errors import Conflict, Invalid, Missing
from controller.policy import SYSTEM

IPV6 = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}


def check_default(write: Any, kind: str, document: Mapping[str, Any], before: Any) -> None:
    """There is one default external network at most."""
    if not document["is_default"]:
        return
    if not document["router:external"]:
        raise Invalid("is_default", "is for external networks; set router:external too")
    for other in write.find("network", "is_default", True):
        if other.id != document["id"]:
            raise Conflict("DefaultExternalNetworkExists", f"A default external network already exists: {other.id}.")


def found(model: Any, project: str) -> Any:
    """The project's network that was made so, or None."""
    return next((one for one in model.find("network", "project_id", project) if one.auto_allocated), None)


def needed(write: Any) -> tuple[Any, list[Any]]:
    """The external network and the pools that one is made of. Conflict if something is not set aside, or not for the asker."""
    external = [one for one in write.find("network", "is_default", True) if write.sees("network", one)]
    pools = [one for one in write.find("subnetpool", "is_default", True) if write.sees("subnetpool", one)]
    if not pools:
        raise _failed("No default pools available")
    if not external:
        raise _failed("No default router:external network")
    return external[0], sorted(pools, key=lambda pool: int(pool.ip_version))


def _failed(why: str) -> Conflict:
    return Conflict("AutoAllocationFailure", f"Deployment error: {why}.")


def make(write: Any, project: str) -> Any:
    """The project's network, made now if there is none."""
    there = found(write, project)
    if there is not None:
        return there
    external, pools = needed(write)
    network = _new(write, "network", project, name="auto_allocated_network")
    network = write.update("network", network, {"auto_allocated": True}, by=SYSTEM)
    router = _new(write, "router", project, name="auto_allocated_router", external_gateway_info={"network_id": external.id})
    for pool in pools:
        subnet = _new(write, "subnet", project, name=f"auto_allocated_subnet_v{pool.ip_version}", network_id=network.id,
                      ip_version=pool.ip_version, subnetpool_id=pool.id, **(IPV6 if pool.ip_version == 6 else {}))
        write.act("router", router, "add_router_interface", {"subnet_id": subnet.id})
    return write.get("network", network.id)


def _new(write: Any, kind: str, project: str, **said: Any) -> Any:
    return write.create(kind, write.resources[kind].read({"project_id": project, **said}))


def remove(write: Any, project: str) -> None:
    """All of it. Missing if there is none; Conflict while something is on it."""
    network = found(write, project)
    if network is None:
        raise Missing("auto_allocated_topology", project)
    for router in list(_routers(write, network)):
        for port in interfaces(write, router.id):
            for subnet in {fixed.subnet_id for fixed in port.fixed_ips}:
                write.act("router", router, "remove_router_interface", {"subnet_id": subnet})
        write.remove("router", write.get("router", router.id))
    for port in write.find("port", "network_id", network.id):
        raise Conflict("NetworkInUse", f"Unable to complete operation on network {network.id}. There is port {port.id} on it; "
                                       "delete that first.")
    write.remove("network", write.get("network", network.id))


def _routers(write: Any, network: Any) -> Iterator[Any]:
    """The routers on the network that lead nowhere but from it outside."""
    ports = write.find("port", "network_id", network.id)
    for router in sorted({port.device_id for port in ports if port.device_owner == "network:router_interface"}):
        if all(port.network_id == network.id for port in interfaces(write, router)):
            yield write.get("router", router)
