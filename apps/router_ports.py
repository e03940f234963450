"""The ports of routers, which are all there is of a router's places: interfaces, by which it joins subnets, and a
gateway, by which it leads outside.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.addresses import FLOATING, GATEWAY, INTERFACE
from controller import values
from controller.errors import Invalid
from controller.policy import SYSTEM
from controller.types import Record

BY_OWNER = "device_id+device_owner"           # index of ports: (id of the router, INTERFACE or GATEWAY)
_MADE_BY = {GATEWAY: "external_gateway_info of a router", FLOATING: "a floating IP"}


def interfaces(rows: Any, router_id: str) -> list[Any]:
    """The ports that are a router's interfaces, by id."""
    return rows.find("port", BY_OWNER, (router_id, INTERFACE))


def gateway(rows: Any, router_id: str) -> Any:
    """The port by which a router leads outside, or None."""
    return next(iter(rows.find("port", BY_OWNER, (router_id, GATEWAY))), None)


def both(rows: Any, router_id: str) -> list[Any]:
    """A router's interfaces and its gateway."""
    return [*interfaces(rows, router_id), *rows.find("port", BY_OWNER, (router_id, GATEWAY))]


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


def leads_outside(model: Any, network: Any) -> bool:
    """Whether some host reaches the physical network of an external network."""
    wire = network.provider_physical_network
    return network.admin_state_up and wire is not None and any(
        seen.ofport for seen in model.find("uplink", "physical_network", wire))


def bad(text: str, resource: str = "router") -> Invalid:
    """400, in Neutron's words."""
    return Invalid("", f"Bad {resource} request: {text}.", type="BadRequest")
