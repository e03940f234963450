"""Trunks, as documents: which ports go together, and what becomes of a port that is part of one. The rules are Neutron's."""
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from controller.errors import Conflict, Forbidden, Invalid, Missing
from controller.policy import SYSTEM
from controller.rows import as_dict
from controller.types import Record

SUB_PORT = "trunk:subport"              # device_owner of a sub-port; its device_id is the trunk
VLAN, INHERIT = "vlan", "inherit"
_SERVICE = "network:"


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    parent = _own(write, document["port_id"])
    if parent.device_owner.startswith(_SERVICE):
        raise _in_use_as_parent(parent.id)
    _check_free(write, parent.id)
    document["sub_ports"] = _settled(write, document["id"], parent, document["sub_ports"], ())
    write.then(lambda: _take(write, document["id"], parent, document["sub_ports"]))


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    _check_up(before)
    _let_go(write, before.sub_ports)


# ---- sub-ports come and go

def add(write: Any, trunk: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`add_subports`: the trunk, as Neutron answers, without its name around it."""
    _check_up(trunk)
    parent = write.get("port", trunk.port_id)
    added = _settled(write, trunk.id, parent, asked["sub_ports"], trunk.sub_ports)
    return _change(write, trunk, (*trunk.sub_ports, *added), lambda: _take(write, trunk.id, parent, added))


def remove(write: Any, trunk: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    _check_up(trunk)
    gone = [one.port_id for one in asked["sub_ports"]]
    if len(set(gone)) < len(gone):
        raise Invalid("sub_ports", "the same port_id is there twice; say it once")
    there = {one.port_id: one for one in trunk.sub_ports}
    for id in gone:
        if id not in there:
            raise Missing("port", id, type="SubPortNotFound",
                          text=f"SubPort on trunk {trunk.id} with parent port {id} could not be found.")
    kept = tuple(one for one in trunk.sub_ports if one.port_id not in gone)
    return _change(write, trunk, kept, lambda: _let_go(write, [there[id] for id in gone]))


def listed(model: Any, trunk: Any, format: str, asked: Mapping[str, Any]) -> str:
    """`get_subports`."""
    return json.dumps({"sub_ports": trunk.sub_ports})


def _change(write: Any, trunk: Any, sub_ports: tuple[Record, ...], then: Any) -> dict[str, Any]:
    row = write.update("trunk", trunk, {"sub_ports": sub_ports}, by=SYSTEM)
    then()
    shown: dict[str, Any] = write.writer.model.show("trunk", row)
    return shown


def _take(write: Any, trunk_id: str, parent: Any, sub_ports: Iterable[Record]) -> None:
    """They are where the parent is."""
    for one in sub_ports:
        write.update("port", write.get("port", one.port_id), {
            "device_owner": SUB_PORT, "device_id": trunk_id, "binding:host_id": parent.binding_host_id}, by=SYSTEM)


def _let_go(write: Any, sub_ports: Iterable[Record]) -> None:
    for one in sub_ports:
        write.update("port", write.get("port", one.port_id), {
            "device_owner": "", "device_id": "", "binding:host_id": ""}, by=SYSTEM)


# ---- which ports may be part of it

def _settled(write: Any, trunk_id: str, parent: Any, asked: tuple[Record, ...],
             there: tuple[Record, ...]) -> tuple[Record, ...]:
    """The sub-ports asked for, each with its tag."""
    used = {one.segmentation_id for one in there}
    mtu = write.get("network", parent.network_id).mtu
    found: list[Record] = []
    for one in asked:
        if one.port_id in [other.port_id for other in found]:
            raise Invalid("sub_ports", f"port {one.port_id} is there twice; say it once")
        if one.port_id == parent.id:
            raise _in_use_as_parent(parent.id)
        port = _own(write, one.port_id)
        network = write.get("network", port.network_id)
        if network.mtu > mtu:
            raise Conflict("SubPortMtuGreaterThanTrunkPortMtu", f"MTU {network.mtu} of subport {port.id} cannot be greater "
                                                                f"than MTU {mtu} of trunk {trunk_id}.")
        _check_free(write, port.id)
        if port.device_id:
            raise Conflict("PortInUse", f"Unable to complete operation on port {port.id} for network {port.network_id}. "
                                        f"Port already has an attached device {port.device_id}.")
        tag = _tag(one, network)
        if tag in used:
            raise Conflict("DuplicateSubPort", f"segmentation_type {VLAN} and segmentation_id {tag} already in use on trunk "
                                               f"{trunk_id}.")
        if tag in [other.segmentation_id for other in found]:
            raise Invalid("sub_ports", f"segmentation_id {tag} is there twice; give each sub-port its own")
        found.append(Record(port_id=port.id, segmentation_type=VLAN, segmentation_id=tag))
    return tuple(found)


def _tag(one: Record, network: Any) -> int:
    kind, tag = one.get("segmentation_type"), one.get("segmentation_id")
    if kind == INHERIT:
        if network.provider_network_type != VLAN:
            raise Invalid("sub_ports", f"network {network.id} of port {one.port_id} has no VLAN to inherit; give a "
                                       "segmentation_id with segmentation_type vlan")
        return int(network.provider_segmentation_id)
    if kind is None or tag is None:
        raise Invalid("sub_ports", f"port {one.port_id} needs both segmentation_type and segmentation_id")
    return int(tag)


def _own(write: Any, id: str) -> Any:
    """A port that the asker sees, and may change."""
    port = write.need("port", id)
    if not write.fits("rule:admin_or_owner", "port", as_dict(port)):
        raise Forbidden(f"port_id: port {id} belongs to another project, which alone may make it part of a trunk")
    return port


def _check_free(write: Any, id: str) -> None:
    if write.count("trunk", "sub_ports.port_id", id):
        raise Conflict("TrunkPortInUse", f"Port {id} is in use by another trunk.")
    if write.count("trunk", "port_id", id):
        raise _in_use_as_parent(id)


def _in_use_as_parent(id: str) -> Conflict:
    return Conflict("ParentPortInUse", f"Port {id} is currently in use and is not eligible for use as a parent port.")


def _check_up(trunk: Any) -> None:
    if not trunk.admin_state_up:
        raise Conflict("TrunkDisabled", f"Trunk {trunk.id} is currently disabled.")


# ---- its ports

def keep_port(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A port that is part of a trunk stays."""
    for trunk in write.find("trunk", "sub_ports.port_id", before.id):
        raise Conflict("PortInUseAsSubPort", f"Port {before.id} is currently a subport for trunk {trunk.id}.")
    for trunk in write.find("trunk", "port_id", before.id):
        raise Conflict("PortInUseAsTrunkParent", f"Port {before.id} is currently a parent port for trunk {trunk.id}.")


def follow(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """Sub-ports are bound where their parent is."""
    host = document["binding:host_id"]
    for trunk in write.find("trunk", "port_id", before.id) if host != before.binding_host_id else ():
        for one in trunk.sub_ports:
            write.update("port", write.get("port", one.port_id), {"binding:host_id": host}, by=SYSTEM)


# ---- what is shown

def status(model: Any, trunk: Any) -> str:
    """That of its ports: DOWN while the parent's interface is not seen."""
    known = model.live.get("port.status")
    parent = model.get("port", trunk.port_id)
    if known is None or parent is None or not trunk.admin_state_up or (whole := known(parent)) == "DOWN":
        return "DOWN"
    ports = [model.get("port", one.port_id) for one in trunk.sub_ports]
    seen = {whole, *(known(port) for port in ports if port is not None and port.admin_state_up)}
    return next((word for word in ("ERROR", "BUILD") if word in seen), "DEGRADED" if "DOWN" in seen else "ACTIVE")


def details(model: Any, port: Any) -> dict[str, Any] | None:
    """`trunk_details` of a parent, for whoever plugs it in; null for any other port."""
    for trunk in model.find("trunk", "port_id", port.id):
        return {"trunk_id": trunk.id, "sub_ports": [
            {**one, "mac_address": seen.mac_address} for one in trunk.sub_ports
            if (seen := model.get("port", one.port_id)) is not None]}
    return None
