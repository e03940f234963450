"""Agents, as clients of Neutron ask for them: whether every host is there, and since when it has not been heard of.

Hosts need no agent of Hadron's: what is listed is each switch that Hadron follows, and Hadron itself.
"""
from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2s
from typing import Any

_ALWAYS: dict[str, Any] = {"topic": "N/A", "admin_state_up": True, "availability_zone": None, "resources_synced": None,
                           "description": "", "resource_versions": {}}


def agents(model: Any) -> Iterator[dict[str, Any]]:
    """Each switch, and this controller."""
    for switch in model.find("switch", "all", True):
        yield _switch(model, switch)
    itself = model.live.get("controller")
    if itself:
        seen = itself(None)
        yield {**_ALWAYS, "id": _id("controller", seen["host"]), "agent_type": "Hadron controller", "binary": "hadron",
               "host": seen["host"], "created_at": seen["since"], "started_at": seen["since"],
               "heartbeat_timestamp": seen["now"], "alive": True,
               "configurations": {"switches": model.count("switch", "all", True)}}


def _switch(model: Any, switch: Any) -> dict[str, Any]:
    host = model.get("host", switch.host_id) if switch.host_id else None
    heard = model.live.get("switch.heard", lambda _: None)(switch)
    since = host.last_seen if host else None
    return {**_ALWAYS, "id": _id("switch", switch.id), "agent_type": "Hadron switch", "binary": "ovs-vswitchd",
            "host": (host.hostname or host.id) if host else switch.id, "created_at": since, "started_at": since,
            "heartbeat_timestamp": heard or since, "alive": heard is not None,
            "availability_zone": host.availability_zone if host else None,
            "configurations": {
                "datapath_id": switch.id, "bridge": switch.bridge, "tunnel_ip": host.tunnel_ip if host else None,
                "ovs_version": host.ovs_version if host else None,
                "physical_networks": sorted({uplink.physical_network
                                             for uplink in model.find("uplink", "switch_id", switch.id)})}}


def _id(kind: str, name: str) -> str:
    """A UUID of the agent's own, the same after every start."""
    digits = blake2s(f"{kind} {name}".encode(), digest_size=16).hexdigest()
    return "-".join((digits[:8], digits[8:12], f"4{digits[13:16]}", f"8{digits[17:20]}", digits[20:]))
