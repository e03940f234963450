"""Port bindings, as documents: which hosts a port may come to, and what happens when it does.

A row is a host that is not active. Where the port is says the port itself (`binding:host_id`), and is shown beside them.
A compute manager names the host either here or, as older ones do, by `migrating_to` in the port's profile.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps import ports
from controller.errors import Conflict, Invalid
from controller.policy import SYSTEM

KIND, BY_PORT, WHERE = "port_binding", "port_id", "binding:profile"
MIGRATING = "migrating_to"


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """One binding for each host."""
    host = document["host"]
    if not host:
        raise Invalid("host", "must be the name or the system-id of a host")
    if host == write.need("port", document["port_id"]).binding_host_id or of_host(write, document["port_id"], host):
        raise Conflict("PortBindingAlreadyExists", f"Binding for port {document['port_id']} on host {host} already exists.")


def of_host(write: Any, port_id: str, host: str) -> Any:
    return next((one for one in write.find(KIND, BY_PORT, port_id) if one.host == host), None)


def follow(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """Where the port is there is no other binding; and one is where its profile says that it will come to."""
    host, coming = document["binding:host_id"], document[WHERE].get(MIGRATING)
    if host == before.binding_host_id and coming == before.binding_profile.get(MIGRATING):
        return
    for one in write.find(KIND, BY_PORT, document["id"]):
        if one.host == host or one.follows and one.host != coming:
            write.remove(KIND, one)
    if isinstance(coming, str) and coming not in ("", host) and not of_host(write, document["id"], coming):
        write.create(KIND, {"port_id": document["id"], "host": coming, "follows": True}, by=SYSTEM)


def activate(write: Any, binding: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The port and the binding change places; nothing else of either changes."""
    port = write.get("port", binding.port_id)
    write.update("port", port, {"binding:host_id": binding.host, "binding:vnic_type": binding.vnic_type,
                                WHERE: binding.profile}, by=SYSTEM)
    if port.binding_host_id:
        write.create(KIND, {"port_id": port.id, "host": port.binding_host_id, "vnic_type": port.binding_vnic_type,
                            "profile": port.binding_profile}, by=SYSTEM)
    model = write.writer.model
    return {"binding": model.show(KIND, model.make(KIND, active(model, write.get("port", port.id))))}


# ---- what is shown

def active(model: Any, port: Any) -> dict[str, Any] | None:
    """The active binding, as the port says it; None without a host."""
    if not port.binding_host_id:
        return None
    return {"id": port.id, "port_id": port.id, "host": port.binding_host_id, "vnic_type": port.binding_vnic_type,
            "profile": port.binding_profile}


def vif_type(model: Any, binding: Any) -> str:
    return ports.vif_type(model, _port_there(model, binding))


def vif_details(model: Any, binding: Any) -> dict:
    return ports.vif_details(model, _port_there(model, binding))


def _port_there(model: Any, binding: Any) -> Any:
    """The port as it would be with this binding."""
    return model.get("port", binding.port_id)._replace(binding_host_id=binding.host)


def status(model: Any, binding: Any) -> str:
    return "ACTIVE" if binding.id == binding.port_id else "INACTIVE"
