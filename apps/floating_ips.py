"""Floating IPs, as documents: which address one has outside, which port's it stands for, and by which router.

The address is held by a port (device_owner FLOATING, device_id the floating IP) that belongs to no project.
"""
from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from apps import addresses, dns_names
from apps.addresses import FLOATING
from apps.exits import exits
from apps.networks import in_use
from apps.router_ports import (
    BY_OWNER,
    UNSERVED,
    check_by_hand,
    check_serves,
    drop,
    leads_outside,
    realized,
    router_between,
)
from apps.router_ports import bad as bad_request
from controller import values
from controller.errors import Conflict, Invalid
from controller.policy import SYSTEM
from controller.types import Record

_NONE = {"port_id": None, "fixed_ip_address": None, "router_id": None}
_FORWARDING = ("id", "protocol", "external_port", "external_port_range", "internal_port_id", "internal_ip_address",
               "internal_port", "internal_port_range")
_DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "device_id", "device_owner")
_bad = partial(bad_request, resource="floatingip")


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    network = write.need("network", document["floating_network_id"])
    if not network.router_external:
        raise _bad(f"Network {network.id} is not a valid external network")
    dns_names.check_floating(write, document, network)
    fixed = _take(write, document, network)
    document["floating_ip_address"], document["subnet_id"] = fixed.ip_address, fixed.subnet_id
    _associate(write, document, asked)


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if "port_id" in asked or asked.get("fixed_ip_address"):
        _associate(write, document, asked)
        return
    document["fixed_ip_address"] = before.fixed_ip_address
    if "router_id" in asked:
        _associate(write, document, {**asked, "port_id": before.port_id, "fixed_ip_address": before.fixed_ip_address})


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    for port in write.find("port", BY_OWNER, (before.id, FLOATING)):
        drop(write, port)


# ---- the address outside

def _take(write: Any, document: Mapping[str, Any], network: Any) -> Record:
    """The address, held by a port of its own."""
    subnets = [one for one in write.find("subnet", "network_id", network.id) if one.ip_version == 4]
    if not subnets:
        raise _bad(f"Network {network.id} does not contain any IPv4 subnet")
    asked = {"network_id": network.id, "project_id": "", "device_id": document["id"], "device_owner": FLOATING}
    try:
        held = write.create("port", {**asked, "fixed_ips": (_wanted(write, document, network, subnets),)}, by=SYSTEM)
    except Invalid as wrong:
        name = "floating_ip_address" if document["floating_ip_address"] else "subnet_id"
        raise Invalid(name, wrong.text, type=wrong.type) if wrong.field == "fixed_ips" else wrong from None
    return held.fixed_ips[0]


def _wanted(write: Any, document: Mapping[str, Any], network: Any, subnets: list[Any]) -> Record:
    """The address that is asked for; or a free one, of the subnet that is asked for, or of any."""
    address, subnet_id = document["floating_ip_address"], document["subnet_id"]
    if address and values.ip_version(address) != 4:
        raise Invalid("floating_ip_address", "must be an IPv4 address")
    choice = [one for one in subnets if subnet_id in (None, one.id)]
    if not choice:
        raise Invalid("subnet_id", f"{subnet_id} is no IPv4 subnet of network {network.id}")
    if address:
        return Record(ip_address=address, **({"subnet_id": subnet_id} if subnet_id else {}))
    return addresses.choose(write, network.id, choice)


# ---- the port that it stands for

def _associate(write: Any, document: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """Find the address and the router, if it is to stand for a port."""
    if document["port_id"] is None or asked.get("fixed_ip_address") and not asked.get("port_id"):
        if asked.get("fixed_ip_address"):
            raise _bad("fixed_ip_address cannot be specified without a port_id")
        if asked.get("router_id"):
            raise _bad("router_id cannot be specified without a port_id")
        document.update(_NONE)
        return
    port = write.get("port", document["port_id"])
    check_serves(port, document["project_id"], write.context, "floatingip")
    fixed = _fixed(port, asked.get("fixed_ip_address"))
    for other in write.find("floatingip", "port_id+fixed_ip_address", (port.id, fixed.ip_address)):
        if other.id != document["id"] and other.floating_network_id == document["floating_network_id"]:
            raise Conflict("FloatingIPPortAlreadyAssociated",
                           f"Cannot associate floating IP {document['floating_ip_address']} ({document['id']}) with port "
                           f"{port.id} using fixed IP {fixed.ip_address}, as that fixed IP already has a floating IP on "
                           f"external network {document['floating_network_id']}.")
    document.update(fixed_ip_address=fixed.ip_address, router_id=_router(write, document, asked.get("router_id"), port, fixed))


def _router(write: Any, document: Mapping[str, Any], wanted: str | None, port: Any, fixed: Record) -> str:
    """The router that is asked for, wherever the port is, as long as it leads to the address's network; else the one between."""
    network_id = document["floating_network_id"]
    if wanted is None:
        return router_between(write, port, fixed, network_id)
    if network_id not in {one.network_id for one in exits(write.get("router", wanted))}:
        raise Conflict("FloatingIPRouterWithoutGateway", f"Router {wanted} has no gateway on external network {network_id}, of which "
                                                         f"floating IP {document['floating_ip_address']} is.")
    return wanted


def _fixed(port: Any, address: str | None) -> Record:
    """The port's address asked for, or the only one it has."""
    if address and values.ip_version(address) != 4:
        raise _bad(f"Cannot bind a floating IP to {address}, since that is not an IPv4 address")
    found = [fixed for fixed in port.fixed_ips
             if values.ip_version(fixed.ip_address) == 4 and address in (None, fixed.ip_address)]
    if len(found) == 1:
        return found[0]
    if address:
        raise _bad(f"Port {port.id} does not have fixed ip {address}")
    if not found:
        raise _bad(f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses")
    raise _bad(f"Port {port.id} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address when assigning a "
               "floating IP")


# ---- what becomes of it with its ports

def check_port(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """The port that holds its address stays as it is; a port that loses an address loses its floating IP."""
    check_by_hand(write, FLOATING, document, before)
    if before is None:
        return
    if before.device_owner == FLOATING and document["fixed_ips"] != before.fixed_ips:
        raise Invalid("fixed_ips", "the address of a floating IP stays; make another floating IP")
    kept = {fixed.ip_address for fixed in document["fixed_ips"]} if document["device_owner"] not in UNSERVED else set()
    for floating in write.find("floatingip", "port_id", before.id):
        if floating.fixed_ip_address not in kept:
            write.update("floatingip", floating, {"port_id": None}, by=SYSTEM)


def release_port(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """The port that holds its address goes with it only; it stands for a port as long as that is there."""
    if before.device_owner == FLOATING and write.get("floatingip", before.device_id) is not None:
        raise Conflict("ServicePortInUse", f"Port {before.id} cannot be deleted directly via the port API: "
                                           f"has device owner {FLOATING}.")
    for floating in write.find("floatingip", "port_id", before.id):
        write.update("floatingip", floating, {"port_id": None}, by=SYSTEM)


def leave_network(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A network that leads outside no more takes the floating IPs with it that nobody uses; the others keep it."""
    if before.router_external and not document["router:external"]:
        for floating in write.find("floatingip", "floating_network_id", before.id):
            if floating.router_id is not None:
                raise in_use(before)
            write.remove("floatingip", floating)


# ---- what answers show

def status(model: Any, floating: Any) -> str:
    """ACTIVE where everything for it is there and the switches hold it; ERROR if one refuses."""
    router = model.get("router", floating.router_id) if floating.router_id else None
    if router is None or not router.admin_state_up:
        return "DOWN"
    forwarded = model.find("port_forwarding", "floatingip_id", floating.id)
    state = realized(model, ("floatingip", floating.id), *(("port_forwarding", one.id) for one in forwarded))
    if state == "ERROR":
        return state
    there = leads_outside(model, model.get("network", floating.floating_network_id))
    return "ACTIVE" if there and state == "ACTIVE" else "DOWN"


def port_forwardings(model: Any, floating: Any) -> list[dict[str, Any]]:
    """Those it has, without what they have in common."""
    return [{name: getattr(one, name) for name in _FORWARDING}
            for one in model.find("port_forwarding", "floatingip_id", floating.id)]


def port_details(model: Any, floating: Any) -> dict[str, Any] | None:
    port = model.get("port", floating.port_id) if floating.port_id else None
    if port is None:
        return None
    shown = {one: getattr(port, one) for one in _DETAILS}
    return {**shown, "status": model.value("port", model.resources["port"].attributes["status"], port)}
