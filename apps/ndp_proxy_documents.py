"""NDP proxies, as documents: what must be true of a router and a port, and stay true while there is one."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.router_ports import gateways, interfaces
from controller.errors import Conflict, Invalid

KIND = "ndp_proxy"


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    router, port = write.need("router", document["router_id"]), write.need("port", document["port_id"])
    if not router.enable_ndp_proxy:
        raise Conflict("RouterNDPProxyNotEnable", f"The enable_ndp_proxy parameter of router {router.id} must be set as True.")
    if not any(":" in fixed.ip_address for one in gateways(write, router.id) for fixed in one.fixed_ips):
        raise Conflict("RouterGatewayNotValid", f"The router {router.id} gateway is invalid: it has no IPv6 address outside.")
    if not any(one.network_id == port.network_id for one in interfaces(write, router.id)):
        raise Conflict("PortUnreachableRouter", f"The port {port.id} cannot reach the router {router.id} by IPv6 subnet.")
    own = [fixed.ip_address for fixed in port.fixed_ips if ":" in fixed.ip_address]
    wanted = document["ip_address"] = document["ip_address"] or next(iter(own), None)
    if wanted not in own:
        raise Invalid("ip_address", f"must be an IPv6 address of port {port.id}", type="InvalidAddress")


def keep_gateway(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A router that answers for somebody keeps its gateway."""
    if "external_gateway_info" in asked and not asked["external_gateway_info"] and write.count(KIND, "router_id", before.id):
        raise Conflict("RouterGatewayInUseByNDPProxy", f"Unable to unset external gateway of router {before.id}. There are one or "
                                                       "more ndp proxies still in use on the router.")


def keep_interface(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """… and its ports on their networks."""
    leaving = _network(write, asked)
    for proxy in write.find(KIND, "router_id", before.id):
        if write.get("port", proxy.port_id).network_id == leaving:
            raise Conflict("RouterInterfaceInUseByNDPProxy", f"Unable to remove the interface of router {before.id}: ndp proxy "
                                                             f"{proxy.id} needs it. Delete that first.")


def _network(write: Any, asked: Mapping[str, Any]) -> str | None:
    kind = "port" if asked.get("port_id") else "subnet"
    row = write.get(kind, asked.get(f"{kind}_id") or "")
    return row.network_id if row is not None else None
