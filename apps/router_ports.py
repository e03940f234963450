"""The ports of routers, which are all there is of a router's places: interfaces, by which it joins subnets, and
gateways, by which it leads outside.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.addresses import FLOATING, GATEWAY, INTERFACE, LOCAL_IP
from apps.exits import exits
from controller import values
from controller.errors import Invalid, Missing
from controller.policy import SYSTEM
from controller.types import Record

BY_OWNER = "device_id+device_owner"           # index of ports: (id of the router, INTERFACE or GATEWAY)
UNSERVED = (INTERFACE, GATEWAY, FLOATING, LOCAL_IP)     # owners of ports that no floating IP stands for, nor a local IP
_MADE_BY = {GATEWAY: "external_gateway_info of a router", FLOATING: "a floating IP", LOCAL_IP: "a local IP"}


def interfaces(rows: Any, router_id: str) -> list[Any]:
    """The ports that are a router's interfaces, by id."""
    return rows.find("port", BY_OWNER, (router_id, INTERFACE))


def gateways(rows: Any, router_id: str) -> list[Any]:
    """The ports by which a router leads outside, by id."""
    return rows.find("port", BY_OWNER, (router_id, GATEWAY))


def both(rows: Any, router_id: str) -> list[Any]:
    """A router's interfaces and its gateways."""
    return [*interfaces(rows, router_id), *gateways(rows, router_id)]


def subnets_of(rows: Any, fixed_ips: Iterable[Record]) -> list[Any]:
    """The subnets of some addresses, each once."""
    return [rows.get("subnet", id) for id in dict.fromkeys(fixed.subnet_id for fixed in fixed_ips)]


def check_apart(write: Any, router_id: str, new: list[Any], but: str | None = None) -> None:
    """None of the subnets is the router's already, nor overlaps with one that is."""
    joined = [subnet for port in both(write, router_id) if port.id != but for subnet in subnets_of(write, port.fixed_ips)]
    for known in joined:
        for one in new:
            if known.id == one.id:
                raise bad(f"Router already has a port on subnet {one.id}")
    for known in joined:
        for one in new:
            if values.prefix(known.cidr).overlaps(values.prefix(one.cidr)):
                raise bad(f"Cidr {one.cidr} of subnet {one.id} overlaps with cidr {known.cidr} of subnet {known.id}")


def needed_by(write: Any, router_id: str, subnet: Any) -> Any:
    """A floating IP that stands for an address of the subnet, whole or by a port forwarding; or None."""
    block = values.prefix(subnet.cidr)
    for floating in write.find("floatingip", "router_id", router_id):
        inside = [one.internal_ip_address for one in write.find("port_forwarding", "floatingip_id", floating.id)]
        if any(address in block for address in (*inside, floating.fixed_ip_address)):
            return floating
    return None


def check_by_hand(write: Any, owner: str, document: Mapping[str, Any], before: Any) -> None:
    """Ports of gateways and floating IPs are made, and made something else, together with what they are of."""
    if write.context is SYSTEM:
        return
    now = document["device_owner"], document["device_id"]
    was = (before.device_owner, before.device_id) if before is not None else ("", "")
    if owner in (now[0], was[0]) and now != was:
        raise Invalid("device_owner", f"{owner} comes and goes with {_MADE_BY[owner]}")


def drop(write: Any, port: Any) -> None:
    """Remove a port that nobody else may remove."""
    free = port._replace(device_id="", device_owner="")
    write.draft.put("port", free)
    write.remove("port", free)


def check_serves(port: Any, project_id: str, context: Any, resource: str) -> None:
    """Whether a floating IP of a project may stand for a port, or forward to it."""
    if port.project_id != project_id and not context.is_admin:
        raise bad(f"Cannot process floating IP association with Port {port.id}, since that port is owned by a different "
                  "project", resource)
    if port.device_owner in UNSERVED:
        raise bad(f"Port {port.id} is unable to be assigned a floating IP", resource)


def router_between(write: Any, port: Any, fixed: Record, network_id: str) -> str:
    """The router between the address and the external network: the subnet's gateway, if there are several."""
    subnet, found = write.get("subnet", fixed.subnet_id), []
    for interface in write.find("port", "network_id+device_owner", (port.network_id, INTERFACE)):
        router = write.get("router", interface.device_id)
        outside = {one.network_id for one in exits(router)} if router is not None else ()
        own = [one.ip_address for one in interface.fixed_ips if one.subnet_id == subnet.id]
        if own and network_id in outside:
            found.append((subnet.gateway_ip not in own, router.id))
    if not found:
        raise Missing("router", subnet.id, type="ExternalGatewayForFloatingIPNotFound",
                      text=f"External network {network_id} is not reachable from subnet {subnet.id}. Therefore, cannot "
                           f"associate Port {port.id} with a Floating IP.")
    return str(min(found)[1])


def leads_outside(model: Any, network: Any) -> bool:
    """Whether some host reaches the physical network of an external network."""
    wire = network.provider_physical_network
    return network.admin_state_up and wire is not None and any(
        seen.ofport for seen in model.find("uplink", "physical_network", wire))


def realized(model: Any, *named: tuple[str, str]) -> str:
    """What the running controller knows of objects, (kind, id) each: ERROR or BUILD if it is so of one, else ACTIVE."""
    known = model.live.get("realized")
    states = {known(one) for one in named} if known else set()
    return next((state for state in ("ERROR", "BUILD") if state in states), "ACTIVE")


def bad(text: str, resource: str = "router") -> Invalid:
    """400, in Neutron's words."""
    return Invalid("", f"Bad {resource} request: {text}.", type="BadRequest")
