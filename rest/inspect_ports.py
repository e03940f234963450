"""`hadron switches` and `hadron ports`: which switches there are and whether they keep step; where every port is."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controller.queues import PortQueues
from controller.times import utc
from rest.inspect_objects import Known


def switches(control: Any, sessions: Mapping[str, Mapping[str, Any]], host: Callable[[str], str]) -> list[dict[str, Any]]:
    """Every switch that is known or connected."""
    return [_switch(control, id, sessions.get(id, {}), host(id))
            for id in sorted(set(control.model.rows["switch"]) | set(control.standing))]


def _switch(control: Any, id: str, session: Mapping[str, Any], host: str) -> dict[str, Any]:
    row, standing = control.model.get("switch", id), control.standing.get(id)
    audit = {name: value for name, value in (standing.audit if standing else {}).items() if name != "examples"}
    if "at" in audit:
        audit["at"] = utc(audit["at"])
    pending, later = session.get("pending"), control.rollout.left_for(id)
    owner = control.model.get("host", row.host_id) if row is not None and row.host_id else None
    return {"switch": id, "host": host, "host_id": row.host_id if row is not None else None,
            "bridge": row.bridge if row is not None else None, "ovs_version": owner.ovs_version if owner else None,
            "tunnel_ip": owner.tunnel_ip if owner else None, "state": _state(row, standing, session, later),
            "entries": _entries(control, id, standing), "waiting": pending if pending is None else pending + later,
            "queues": [_queues(one) for one in control.furnishing.of(owner.id)] if owner else [],
            "address": session.get("address"), "role": session.get("role"),
            "connected_seconds": session.get("connected_seconds"), "last_read": audit or None}


def _queues(port: PortQueues) -> dict[str, Any]:
    """The queues of an interface, each with the kilobits a second that are its own."""
    return {"interface": port.interface, "kbps": port.most, "queues": {str(one.number): one.least for one in port.queues}}


def _entries(control: Any, id: str, standing: Any) -> int | None:
    """How many entries a switch holds, as far as is known: all that are wanted, but those that it refuses."""
    wanted = control.compiler.counted.get(id) if standing is not None and standing.first is not None else None
    return None if wanted is None else wanted - sum(switch == id for switch, _ in list(control.refusals.entries))


def _state(row: Any, standing: Any, session: Mapping[str, Any], later: int) -> str:
    """In one or two words how far the switch is; `later`: changes that wait for other switches."""
    if standing is None:
        return "away"
    if row is None:
        return "unknown"
    if session.get("role") == "slave":
        return "another's"
    if not standing.in_step:
        return "reading" if standing.first is None else "sending"
    return "in step" if standing.confirmed >= standing.sent and not later else "sending"


def ports(control: Any, known: Known, network: str | None, host: str | None) -> list[dict[str, Any]]:
    """Every port that the asker may see; with places for administrators only."""
    rows = known.all("port")
    if network is not None:
        rows = [row for row in rows if row.network_id == network]
    found = [_port(control, known, row) for row in sorted(rows, key=lambda row: (row.network_id, row.name, row.id))]
    if host is not None:
        found = [one for one in found if host in (one["host"], one["bound_to"], one["host_id"])]
    return found


def _port(control: Any, known: Known, row: Any) -> dict[str, Any]:
    model = control.model
    said = {"id": row.id, "name": row.name, "project_id": row.project_id, "network": known.said("network", row.network_id),
            "mac_address": row.mac_address, "addresses": [fixed.ip_address for fixed in row.fixed_ips or ()],
            "device_id": row.device_id, "status": control.status(row.id), "packets": control.replies.packets["port", row.id]}
    if not known.context.is_admin:
        return said
    switch = control.home(row.id)
    carried = next((one.port_id for one in model.find("trunk", "sub_ports.port_id", row.id)), row.id)
    seen = next((one for one in model.find("interface", "port_id", carried) if one.switch_id == switch), None)
    owner = model.get("host", seen.host_id) if seen is not None else None
    return {**said, "host": (owner.hostname or owner.id) if owner else None, "host_id": seen.host_id if seen else None,
            "switch": switch, "interface": seen.name if seen else None, "ofport": seen.ofport if seen else None,
            "bound_to": row.binding_host_id or None, "error": control.refusals.objects.get(("port", row.id))}
