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


# ---- what is where: nobody schedules it, so it is read only

def of_network(model: Any, network: Any) -> Iterator[dict[str, Any]]:
    """The switches with ports of a network: each answers DHCP for its own."""
    for switch in _switches_of(model, network):
        yield _switch(model, switch)


def of_router(model: Any, router: Any) -> Iterator[dict[str, Any]]:
    """The switch by which a router leads outside."""
    known = model.live.get("router.switch")
    switch = model.get("switch", known(router) or "") if known else None
    if switch is not None:
        yield {**_switch(model, switch), "ha_state": "active"}


def networks_on(model: Any, agent: Any) -> Iterator[dict[str, Any]]:
    """The networks with ports on a switch."""
    seen = model.find("interface", "switch_id", agent.configurations.get("datapath_id"))
    ports = [model.get("port", one.port_id) for one in seen if one.port_id]
    for id in sorted({port.network_id for port in ports if port is not None}):
        yield _hosted(model, "network", model.get("network", id))


def routers_on(model: Any, agent: Any) -> Iterator[dict[str, Any]]:
    """The routers that lead outside by a switch."""
    known = model.live.get("router.switch")
    for router in model.find("router", "all", True) if known else ():
        if known(router) == agent.configurations.get("datapath_id"):
            yield _hosted(model, "router", router)


def _switches_of(model: Any, network: Any) -> list[Any]:
    seen = {one.switch_id for port in model.find("port", "network_id", network.id)
            for one in model.find("interface", "port_id", port.id) if one.switch_id}
    return [switch for id in sorted(seen) if (switch := model.get("switch", id)) is not None]


def _hosted(model: Any, kind: str, row: Any) -> dict[str, Any]:
    shown = model.show(kind, row)
    return {name: shown[name] for name in ("id", "name", "project_id", "admin_state_up", "status")}


# ---- agents

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
