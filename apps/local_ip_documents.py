"""Local IPs, as documents: whose address one is, and for which ports it stands.

The address is that of a port that is there, or is held by a port of its own (device_owner LOCAL_IP, device_id the local IP).
"""
from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from apps import addresses
from apps.addresses import LOCAL_IP
from apps.router_ports import UNSERVED, check_by_hand, drop
from apps.router_ports import bad as bad_request
from controller import values
from controller.errors import Conflict, Forbidden, Invalid
from controller.policy import SYSTEM
from controller.rows import as_dict
from controller.types import Record

KIND, ASSOCIATION = "local_ip", "local_ip_association"
_USERS = "rule:admin_or_service_or_network_owner_or_network_shared"
_OWNERS = "rule:admin_or_service_or_network_owner"
_bad = partial(bad_request, resource=KIND)


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """The address of the port that is asked for, or of one that is made on the network."""
    if document["local_port_id"] is not None:
        port = write.get("port", document["local_port_id"])
        if document["network_id"] not in (None, port.network_id):
            raise _bad(f"Port {port.id} is not on network {document['network_id']}")
        document["local_ip_address"] = _address(port, document["local_ip_address"], "local_ip_address")
    elif document["network_id"] is not None:
        port = _held(write, document)
        document["local_ip_address"] = port.fixed_ips[0].ip_address
    else:
        raise Invalid("", "Either Port ID or Network ID must be specified for Local IP create.", type="LocalIPPortOrNetworkRequired")
    document.update(local_port_id=port.id, network_id=port.network_id)


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """The port that was made for it goes with it."""
    if write.count(ASSOCIATION, "local_ip_id", before.id):
        raise Conflict("LocalIPInUse", f"Local IP {before.id} is still associated with one or more ports.")
    port = write.get("port", before.local_port_id)
    if port is not None and port.device_owner == LOCAL_IP:
        write.draft.put(KIND, before._replace(local_port_id=None))
        drop(write, port)


def _held(write: Any, document: Mapping[str, Any]) -> Any:
    """A port that has nothing but the address."""
    network, address = write.get("network", document["network_id"]), document["local_ip_address"]
    if not write.fits(_USERS, KIND, document):
        raise Forbidden(f"network_id: {network.id} is another project's; choose a network of your own, or one that is shared")
    if address and not write.fits(_OWNERS, KIND, document):
        raise Forbidden("local_ip_address: is for the owner of the network to choose; leave it out")
    subnets = [one for one in write.find("subnet", "network_id", network.id) if one.ip_version == 4]
    if not subnets:
        raise _bad(f"Network {network.id} does not contain any IPv4 subnet")
    if address and values.ip_version(address) != 4:
        raise Invalid("local_ip_address", "must be an IPv4 address")
    fixed = Record(ip_address=address) if address else addresses.choose(write, network.id, subnets)
    asked = {"network_id": network.id, "project_id": document["project_id"], "device_id": document["id"],
             "device_owner": LOCAL_IP, "fixed_ips": (fixed,)}
    try:
        return write.create("port", asked, by=SYSTEM)
    except Invalid as wrong:
        raise Invalid("local_ip_address", wrong.text, type=wrong.type) if wrong.field == "fixed_ips" else wrong from None


def _address(port: Any, wanted: str | None, name: str) -> str:
    """The IPv4 address of a port that is asked for, or the only one it has."""
    found = [fixed.ip_address for fixed in port.fixed_ips if values.ip_version(fixed.ip_address) == 4]
    if not port.fixed_ips:
        raise Invalid("", f"Specified Port {port.id} has no fixed IPs configured.", type="LocalIPNoIP")
    if wanted and wanted not in [fixed.ip_address for fixed in port.fixed_ips]:
        raise Invalid("", f"Specified Port {port.id} does not have requested IP address: {wanted}.", type="LocalIPRequestedIPNotFound")
    if not found or wanted and wanted not in found:
        raise Invalid(name, f"must be an IPv4 address of port {port.id}: only those are served")
    if not wanted and len(found) > 1:
        raise Invalid("", f"Specified Port {port.id} has several IPs, should specify exact IP address to use for Local IP.",
                      type="LocalIPNoRequestedIP")
    return wanted or str(found[0])


# ---- the ports that it stands for

def associate(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """A port of a machine. On another's network only that network's own addresses are taken over."""
    local, port = write.get(KIND, document["local_ip_id"]), write.get("port", document["fixed_port_id"])
    if write.count(ASSOCIATION, "local_ip_id+fixed_port_id", (local.id, port.id)):
        raise Conflict("LocalIPAssociationExists", f"Local IP {local.id} is associated with port {port.id} already.")
    if port.device_owner in UNSERVED:
        raise _bad(f"Port {port.id} is of no machine, and on no host: its device owner is {port.device_owner}")
    if port.project_id != local.project_id and not write.context.is_admin:
        raise _bad(f"Port {port.id} is owned by a different project")
    if port.network_id != local.network_id and not write.fits(_OWNERS, "port", as_dict(port)):
        raise _bad(f"Port {port.id} is on a network of another project, where only addresses of that network may be local IPs")
    document["fixed_ip"] = _address(port, document["fixed_ip"], "fixed_ip")
    if port.zone is None and local.ip_mode == "translate":
        numbered = as_dict(port)
        write.number("port", numbered, "zone", wanted=True)
        write.draft.put("port", port._replace(zone=numbered["zone"]))


def check_port(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A port whose address is a local IP keeps it."""
    check_by_hand(write, LOCAL_IP, document, before)
    kept = {fixed.ip_address for fixed in document["fixed_ips"]}
    for local in write.find(KIND, "local_port_id", before.id) if before is not None else ():
        if local.local_ip_address not in kept:
            raise Invalid("fixed_ips", f"{local.local_ip_address} is local IP {local.id}; delete that first")


def keep_port(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if write.count(KIND, "local_port_id", before.id):
        raise Conflict("ServicePortInUse", f"Port {before.id} cannot be deleted directly via the port API: still referenced by Local IPs.")


def release(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """Nothing stands for an address that its port has no more."""
    kept = {fixed.ip_address for fixed in document["fixed_ips"]}
    for association in write.find(ASSOCIATION, "fixed_port_id", before.id):
        if association.fixed_ip not in kept:
            write.remove(ASSOCIATION, association)


# ---- what answers show

def address(model: Any, association: Any) -> str:
    return str(model.get(KIND, association.local_ip_id).local_ip_address)


def host(model: Any, association: Any) -> str:
    return str(model.get("port", association.fixed_port_id).binding_host_id)
