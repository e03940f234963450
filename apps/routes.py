"""Routes: two subnets of a project reach each other.

A route is made of a router that has no other purpose (`paired`), with an interface on each subnet. As a subnet has one
gateway, routes that have a subnet in common have the router in common too; it sends each subnet's packets only where a
route of that subnet leads, so who is routed to a third is not thereby routed to each other.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.addresses import INTERFACE
from apps.routing import connected, route, wherever
from controller.app import flows
from controller.errors import Conflict, Forbidden, Invalid
from controller.policy import SYSTEM

APP = 11
_INDEXES = ("subnet_a_id", "subnet_b_id")


# ---- flows

def where(world, one):
    """Every switch from which the router may be entered."""
    router = world.get("router", one.router_id)
    return wherever(world, router) if router is not None else ()


@flows(per="route", on=where)
def lead(world, one):
    """From each subnet to the other, and from nowhere else."""
    router = world.need("router", one.router_id)
    interfaces = {cidr: id for _, cidr, id in world.ask(connected, router.id)} if router.admin_state_up else {}
    a, b = world.need("subnet", one.subnet_a_id), world.need("subnet", one.subnet_b_id)
    for source, target in ((a, b), (b, a)):
        if target.cidr in interfaces:
            port, network = world.need("port", interfaces[target.cidr]), world.need("network", target.network_id)
            yield route(router, network, port, target.cidr, None, source.cidr)


# ---- documents

def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    ends = [write.need("subnet", document[name]) for name in _INDEXES]
    _check_ends(write, document, asked, *ends)
    known = [_router_of(write, end) for end in ends]
    router = next((one for one in known if one is not None), None)
    if router is None:
        router = _new_router(write, document["project_id"])
    elif None not in known and known[0].id != known[1].id:
        _move(write, {end for one in _routes_of(write, known[1].id) for end in _ends(one)}, known[1], router)
        write.remove("router", write.get("router", known[1].id))
    for end, joined in zip(ends, known, strict=True):
        if joined is None:
            write.act("router", router, "add_router_interface", {"subnet_id": end.id}, by=SYSTEM)
    document["router_id"] = router.id


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """Subnets that no other route has are left; what hangs together by no route any more gets a router of its own."""
    router = write.get("router", before.router_id)
    left = [one for one in _routes_of(write, router.id) if one.id != before.id]
    for end in set(_ends(before)) - {end for one in left for end in _ends(one)}:
        write.act("router", router, "remove_router_interface", {"subnet_id": end}, by=SYSTEM)
    if not left:
        write.remove("router", write.get("router", router.id))
    for apart in _components(write, router.id, left)[1:]:
        _move(write, apart, router, _new_router(write, router.project_id))


def _check_ends(write: Any, document: dict[str, Any], asked: Mapping[str, Any], a: Any, b: Any) -> None:
    if a.id == b.id:
        raise Invalid("subnet_b_id", "must differ from subnet_a_id")
    if a.ip_version != b.ip_version:
        raise Invalid("subnet_b_id", f"must be of IPv{a.ip_version}, as subnet_a_id is")
    if "project_id" not in asked and write.context.is_admin:
        document["project_id"] = a.project_id
    for name, end in zip(_INDEXES, (a, b), strict=True):
        if end.project_id != document["project_id"]:
            raise Forbidden(f"{name}: subnet {end.id} is another project's; a route is between subnets of one project")
    for one in write.find("route", "subnet_a_id", a.id) + write.find("route", "subnet_b_id", a.id):
        if set(_ends(one)) == {a.id, b.id}:
            raise Conflict("RouteExists", f"subnet_b_id: route {one.id} leads between these subnets already")


def _router_of(write: Any, subnet: Any) -> Any:
    """The router of routes that is the subnet's gateway, or None if there is none yet."""
    if subnet.gateway_ip is None:
        return None
    for port in write.find("port", "network_id+ip_address", (subnet.network_id, subnet.gateway_ip)):
        router = write.get("router", port.device_id) if port.device_owner == INTERFACE else None
        if router is not None and not router.paired:
            raise Conflict("RouterInterfaceAttachmentConflict",
                           f"Router {router.id} is the gateway of subnet {subnet.id} already: join the other subnet to "
                           "it (add_router_interface), or remove this one from it.")
        return router
    return None


def _new_router(write: Any, project: str) -> Any:
    return write.create("router", {"project_id": project, "paired": True, "description": "Made of routes"}, by=SYSTEM)


def _move(write: Any, subnets: Iterable[str], old: Any, new: Any) -> None:
    """These subnets, their routes and their interfaces, with addresses and all, are another router's from now on."""
    for port in _interfaces(write, old.id):
        if any(fixed.subnet_id in subnets for fixed in port.fixed_ips):
            write.update("port", port, {"device_id": new.id}, by=SYSTEM)
    for one in _routes_of(write, old.id):
        if one.subnet_a_id in subnets:
            write.draft.put("route", one._replace(router_id=new.id))
            write.revise("route", one.id)


def _components(write: Any, router_id: str, routes: list[Any]) -> list[set[str]]:
    """The subnets that hang together by routes, or by a port that they share."""
    found: list[set[str]] = []
    for together in [set(_ends(one)) for one in routes] + [
            {fixed.subnet_id for fixed in port.fixed_ips} for port in _interfaces(write, router_id)]:
        touched = [one for one in found if one & together]
        found = [one for one in found if not one & together] + [together.union(*touched)]
    return sorted(found, key=sorted)


def _ends(one: Any) -> tuple[str, str]:
    return one.subnet_a_id, one.subnet_b_id


def _routes_of(write: Any, router_id: str) -> list[Any]:
    return write.find("route", "router_id", router_id)


def _interfaces(write: Any, router_id: str) -> list[Any]:
    return write.find("port", "device_id+device_owner", (router_id, INTERFACE))


# ---- what others may not do to a router of routes

def keep_router(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    for name in ("routes", "external_gateway_info", "external_gateways"):
        if before.paired and asked.get(name):
            raise _made_of_routes(before, f"{name}: ")


def keep_interfaces(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if before.paired and write.context is not SYSTEM:
        raise _made_of_routes(before)


def keep_port(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A port becomes an interface of such a router, or stops being one, with a route only."""
    was = (before.device_owner, before.device_id) if before is not None else ("", "")
    for owner, id in {was, (document["device_owner"], document["device_id"])}:
        router = write.get("router", id) if owner == INTERFACE else None
        changed = was != (document["device_owner"], document["device_id"]) or \
            before is not None and document["fixed_ips"] != before.fixed_ips
        if router is not None and router.paired and changed and write.context is not SYSTEM:
            raise _made_of_routes(router)


def _made_of_routes(router: Any, field: str = "") -> Conflict:
    return Conflict("RouterInUse", f"{field}Router {router.id} is made of routes, and changes with these.")
