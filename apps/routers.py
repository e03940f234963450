"""Routers: which subnets one may join, by which ports, and which routes it may have.

An interface of a router is a port: its device_owner is INTERFACE and its device_id the router. There is no other record
of it, so whatever makes, changes or removes such a port is held to the same rules, which are Neutron's.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps import external_gateways
from apps.addresses import GATEWAY, INTERFACE
from apps.router_ports import (
    bad,
    both,
    check_apart,
    drop,
    gateways,
    interfaces,
    leads_outside,
    needed_by,
    realized,
    subnets_of,
)
from controller import values
from controller.errors import Conflict, Invalid, Missing, Unsupported
from controller.policy import SYSTEM
from controller.types import Record

MOST_ROUTES = 30
_WHAT_MATTERS = ("device_id", "device_owner", "fixed_ips")


def status(model: Any, router: Any) -> str:
    """ERROR if a switch refuses something of it, DOWN while no host reaches where it leads, else ACTIVE.

    Whether it is switched off is another matter (admin_state_up), as in Neutron.
    """
    ports = [("port", port.id) for port in both(model, router.id)]
    if realized(model, ("router", router.id), *ports) == "ERROR":
        return "ERROR"
    leading = gateways(model, router.id)
    reached = not leading or any(leads_outside(model, model.get("network", one.network_id)) for one in leading)
    return "ACTIVE" if reached else "DOWN"


def enable_snat(model: Any, router: Any) -> bool:
    """As Neutron has it, which takes a router without a gateway for one that would."""
    return (router.external_gateway_info or {}).get("enable_snat") is not False


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    external_gateways.settle(write, document, asked, before)


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    external_gateways.settle(write, document, asked, before)
    if "routes" in asked:
        _check_routes(write, before, document["routes"])


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if interfaces(write, before.id):
        raise Conflict("RouterInUse", f"Router {before.id} still has ports")
    external_gateways.leave(write, before)


# ---- joining and leaving subnets

def add_interface(write: Any, router: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`add_router_interface`: what Neutron answers."""
    if ("subnet_id" in asked) == ("port_id" in asked):
        raise bad("Cannot specify both subnet-id and port-id" if asked else
                   "Either subnet_id or port_id must be specified")
    if "subnet_id" in asked:
        port, subnets = _join(write, router, write.need("subnet", asked["subnet_id"]))
    else:
        port, subnets = _join_by_port(write, router, write.need("port", asked["port_id"]))
    return _answer(router, port, subnets)


def _join(write: Any, router: Any, subnet: Any) -> tuple[Any, list[Any]]:
    """A port with the address of the subnet's gateway; IPv6 subnets of one network share a port."""
    if subnet.gateway_ip is None:
        raise bad("Subnet for router interface must have a gateway IP")
    if subnet.ip_version == 6 and subnet.ipv6_ra_mode is None and subnet.ipv6_address_mode is not None:
        raise bad(f"IPv6 subnet {subnet.id} configured to receive RAs from an external router cannot be added to "
                   "Neutron Router")
    check_apart(write, router.id, [subnet])
    fixed = Record(subnet_id=subnet.id, ip_address=subnet.gateway_ip)
    shared = _ipv6_port(write, router.id, subnet.network_id) if subnet.ip_version == 6 else None
    if shared is not None:
        return write.update("port", shared, {"fixed_ips": (*shared.fixed_ips, fixed)}, by=SYSTEM), [subnet]
    asked = {"network_id": subnet.network_id, "project_id": router.project_id, "fixed_ips": (fixed,),
             "device_id": router.id, "device_owner": INTERFACE}
    return write.create("port", asked, by=SYSTEM), [subnet]


def _join_by_port(write: Any, router: Any, port: Any) -> tuple[Any, list[Any]]:
    """The port becomes the router's, with its own addresses. Routers' ports are not guarded."""
    if port.device_id:
        raise Conflict("PortInUse", f"Unable to complete operation on port {port.id} for network {port.network_id}. "
                                    f"Port already has an attached device {port.device_id}.")
    asked = {"device_id": router.id, "device_owner": INTERFACE, "port_security_enabled": False, "security_groups": ()}
    return write.update("port", port, asked, by=SYSTEM), subnets_of(write, port.fixed_ips)


def remove_interface(write: Any, router: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`remove_router_interface`: what Neutron answers. The port goes, unless it has other subnets still."""
    if not asked:
        raise bad("Either subnet_id or port_id must be specified")
    if "port_id" in asked:
        port, left = _port_to_leave(write, router, asked)
    else:
        port, left = _subnet_to_leave(write, router, asked["subnet_id"])
    gone = {subnet.id for subnet in left}
    kept = tuple(fixed for fixed in port.fixed_ips if fixed.subnet_id not in gone)
    if kept:
        write.update("port", port, {"fixed_ips": kept}, by=SYSTEM)
        return _answer(router, port, left)
    _check_unneeded(write, router, left)
    drop(write, port)
    write.revise("router", router.id)
    return _answer(router, port, left)


def _port_to_leave(write: Any, router: Any, asked: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    port = write.get("port", asked["port_id"])
    if port is None or (port.device_id, port.device_owner) != (router.id, INTERFACE):
        raise Missing("port", asked["port_id"], type="RouterInterfaceNotFound",
                      text=f"Router {router.id} does not have an interface with id {asked['port_id']}")
    subnets = subnets_of(write, port.fixed_ips)
    if asked.get("subnet_id") and asked["subnet_id"] not in [subnet.id for subnet in subnets]:
        raise Invalid("", f"Subnet on port {port.id} does not match the requested subnet {asked['subnet_id']}.",
                      type="SubnetMismatchForPort")
    return port, subnets


def _subnet_to_leave(write: Any, router: Any, subnet_id: str) -> tuple[Any, list[Any]]:
    for port in interfaces(write, router.id):
        if any(fixed.subnet_id == subnet_id for fixed in port.fixed_ips):
            return port, [write.get("subnet", subnet_id)]
    raise Missing("subnet", subnet_id, type="RouterInterfaceNotFoundForSubnet",
                  text=f"Router {router.id} has no interface on subnet {subnet_id}")


def _answer(router: Any, port: Any, subnets: list[Any]) -> dict[str, Any]:
    return {"id": router.id, "tenant_id": port.project_id, "project_id": port.project_id, "port_id": port.id,
            "network_id": port.network_id, "subnet_id": subnets[0].id, "subnet_ids": [one.id for one in subnets]}


# ---- what must hold of the ports that are interfaces

def check_port(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A port that is, was or becomes an interface, or a gateway."""
    external_gateways.check_port(write, document, before)
    is_one, was_one = document["device_owner"] == INTERFACE, before is not None and before.device_owner == INTERFACE
    if before is not None and all(document[name] == getattr(before, name) for name in _WHAT_MATTERS):
        return
    if was_one:
        router = write.get("router", before.device_id)
        if router is not None:
            same = is_one and document["device_id"] == before.device_id
            kept = {fixed.subnet_id for fixed in document["fixed_ips"]} if same else set()
            _check_unneeded(write, router, [one for one in subnets_of(write, before.fixed_ips) if one.id not in kept])
            write.revise("router", router.id)
    if is_one:
        _check_interface(write, document)
        write.revise("router", document["device_id"])


def _check_interface(write: Any, document: Mapping[str, Any]) -> None:
    router, port = write.get("router", document["device_id"]), document["id"]
    if router is None:
        raise Missing("router", document["device_id"])
    if not document["fixed_ips"]:
        raise bad("Router port must have at least one fixed IP")
    subnets = subnets_of(write, document["fixed_ips"])
    check_apart(write, router.id, subnets, but=port)
    if sum(subnet.ip_version == 4 for subnet in subnets) > 1:
        raise bad("Cannot have multiple IPv4 subnets on router port")
    other = _ipv6_port(write, router.id, document["network_id"], but=port)
    if other is not None and any(subnet.ip_version == 6 for subnet in subnets):
        raise bad(f"Router already contains IPv6 port {other.id} belonging to network id {document['network_id']}. "
                   "Only one IPv6 port from the same network subnet can be connected to a router.")


def keep_port(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """An interface or a gateway goes by the router's own action only."""
    is_one = before.device_owner in (INTERFACE, GATEWAY)
    if is_one and before.fixed_ips and write.get("router", before.device_id) is not None:
        raise Conflict("ServicePortInUse", f"Port {before.id} cannot be deleted directly via the port API: "
                                           f"has device owner {before.device_owner}.")


def check_subnet(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """The gateway stays where a router is it."""
    if before.gateway_ip is None or document["gateway_ip"] == before.gateway_ip:
        return
    for port in write.find("port", "network_id+ip_address", (before.network_id, before.gateway_ip)):
        if port.device_owner == INTERFACE:
            raise Conflict("GatewayIpInUse", f"Current gateway ip {before.gateway_ip} already in use by port "
                                             f"{port.id}. Unable to update.")


# ---- routes

def add_routes(write: Any, router: Any, asked: Mapping[str, Any]) -> None:
    """`add_extraroutes`: those that are there already stay, but for their distance and weight."""
    found = {(one.destination, one.nexthop): one for one in (*router.routes, *asked["routes"])}
    write.update("router", router, {"routes": tuple(found.values())})


def remove_routes(write: Any, router: Any, asked: Mapping[str, Any]) -> None:
    """`remove_extraroutes`: those that are not there do not matter."""
    gone = {(one.destination, one.nexthop) for one in asked["routes"]}
    write.update("router", router, {"routes": tuple(one for one in router.routes
                                                    if (one.destination, one.nexthop) not in gone)})


def _check_routes(write: Any, router: Any, routes: tuple[Record, ...]) -> None:
    if len(routes) > MOST_ROUTES:
        raise Invalid("", f"Unable to complete operation for {router.id}. The number of routes exceeds the maximum "
                          f"{MOST_ROUTES}.", type="RoutesExhausted")
    fixed_ips = [fixed for port in interfaces(write, router.id) for fixed in port.fixed_ips]
    leading = [fixed for port in gateways(write, router.id) for fixed in port.fixed_ips]
    outside = [values.prefix(subnet.cidr) for subnet in subnets_of(write, leading)]
    own = {fixed.ip_address for fixed in (*fixed_ips, *leading)}
    blocks = [values.prefix(subnet.cidr) for subnet in subnets_of(write, fixed_ips)]
    if len({(route.destination, route.nexthop) for route in routes}) < len(routes):
        raise Invalid("routes", "there are two to one destination by one nexthop; say it once", type="InvalidRoutes")
    for route in routes:
        beyond = any(route.nexthop in block for block in outside)
        if beyond and [one.destination for one in routes].count(route.destination) > 1:
            raise Unsupported("routes", f"{route.destination} by {route.nexthop}: several next hops are served if none is "
                                        "outside")
        if not beyond and not any(route.nexthop in block for block in blocks):
            raise _bad_route(route, "the nexthop is not connected with router")
        if route.nexthop in own:
            raise _bad_route(route, "the nexthop is used by router")
        if values.ip_version(route.nexthop) != values.ip_version(route.destination):
            raise _bad_route(route, "the destination and the nexthop are not of one IP version")


def _check_unneeded(write: Any, router: Any, subnets: Iterable[Any]) -> None:
    """No floating IP and no route of the router leads through these subnets."""
    for subnet in subnets:
        if needed_by(write, router.id, subnet):
            raise Conflict("RouterInterfaceInUseByFloatingIP",
                           f"Router interface for subnet {subnet.id} on router {router.id} cannot be deleted, as it is "
                           "required by one or more floating IPs.")
        if any(route.nexthop in values.prefix(subnet.cidr) for route in router.routes):
            raise Conflict("RouterInterfaceInUseByRoute",
                           f"Router interface for subnet {subnet.id} on router {router.id} cannot be deleted, as it is "
                           "required by one or more routes.")


# ---- asking

def _ipv6_port(write: Any, router_id: str, network_id: str, but: str | None = None) -> Any:
    """The router's port on a network that has IPv6 addresses, or None."""
    return next((port for port in interfaces(write, router_id) if port.network_id == network_id and port.id != but
                 and any(values.ip_version(fixed.ip_address) == 6 for fixed in port.fixed_ips)), None)


def _bad_route(route: Record, why: str) -> Invalid:
    return Invalid("", f"Invalid format for routes: {route.destination} by {route.nexthop}, {why}",
                   type="InvalidRoutes")
