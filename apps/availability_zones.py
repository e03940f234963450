"""Availability zones: which there are, and which one routers had best lead outside from.

A zone is what hosts say of themselves. A router's hints are a preference: its gateway is on a host of these zones if one
that reaches the external network is not lost, and else on another, because a way outside is worth more than where it is.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from controller.errors import Missing


def zones(model: Any) -> Iterator[dict[str, Any]]:
    """Each zone, once for networks and once more if gateways may be in it."""
    for resource, found in (("network", _hosts(model)), ("router", _hosts(model, reaching=True))):
        for name, hosts in sorted(found.items()):
            alive = any(not _lost(model, host) for host in hosts)
            yield {"id": f"{resource} {name}", "name": name, "resource": resource, "state": "available" if alive else "unavailable"}


def _hosts(model: Any, *, reaching: bool = False) -> Mapping[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for host in model.find("host", "all", True):
        if host.availability_zone and (not reaching or model.find("uplink", "host_id", host.id)):
            found[host.availability_zone].append(host)
    return found


def _lost(model: Any, host: Any) -> bool:
    return any(model.get("loss", switch.id) is not None for switch in model.find("switch", "host_id", host.id))


def check_hints(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """Zones that there are."""
    for name in document["availability_zone_hints"]:
        if not write.find("host", "availability_zone", name):
            raise Missing("availability_zone", name, text=f"AvailabilityZone {name} could not be found.")


def of_router(model: Any, router: Any) -> list[str]:
    """The zone of the router's gateway host, if it is in one."""
    known = model.live.get("router.switch")
    switch = model.get("switch", known(router)) if known else None
    return of_switch(model, switch)


def of_switch(model: Any, switch: Any) -> list[str]:
    """The zone that a switch is in, in a list; none in an empty one."""
    host = model.get("host", switch.host_id) if switch is not None and switch.host_id else None
    return [host.availability_zone] if host is not None and host.availability_zone else []
