"""Physical networks: where on one a network, or a segment of it, may be."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps import segment_ranges
from controller.errors import Conflict, Exhausted, Invalid

PHYSICAL = ("flat", "vlan")         # carried by a physical network, and not in tunnels
LAST_VLAN = segment_ranges.LARGEST["vlan"]
_OF_NETWORKS, _OF_SEGMENTS = "provider_physical_network+provider_segmentation_id", "physical_network+segmentation_id"


def place(write: Any, kind: str, wire: str | None, vlan: int | None, project: str, *,
          said: Callable[[str], str] = str) -> int | None:
    """The VLAN of a network that wants to be there alone, None for a flat one. `said` gives attributes' names."""
    known = write.settings["physical_networks"]
    if not wire:
        raise Invalid(said("physical_network"), f"is required for {kind} networks")
    if known is not None and wire not in known:
        raise Invalid(said("physical_network"), f"{wire} is not known; there are {', '.join(known) or 'none'} (the "
                                                "setting physical_networks)")
    if kind == "vlan":
        return _vlan(write, wire, vlan, project, said("segmentation_id"))
    if vlan is not None:
        raise Invalid(said("segmentation_id"), "must be left out: a flat network has no tag")
    if _flat_there(write, wire):
        raise Conflict("FlatNetworkInUse", f"Unable to create the flat network. Physical network {wire} is in use.")
    return None


def _flat_there(write: Any, wire: str) -> bool:
    return any(one.provider_network_type == "flat" for one in write.find("network", "provider_physical_network", wire)) \
        or any(one.network_type == "flat" for one in write.find("segment", "physical_network", wire))


def _vlan(write: Any, wire: str, vlan: int | None, project: str, name: str) -> int:
    def is_used(number: int) -> bool:
        return write.count("network", _OF_NETWORKS, (wire, number)) + write.count("segment", _OF_SEGMENTS, (wire, number)) > 0

    if vlan is None:
        ends = write.settings["vlan_ranges"].get(wire)
        vlan = segment_ranges.choose(write, "vlan", wire, project, [ends] if ends else [], is_used)
        return vlan if vlan is not None else _next(write, wire, is_used, name)
    if vlan > LAST_VLAN:
        raise Invalid(name, f"must be between 1 and {LAST_VLAN} for vlan")
    if is_used(vlan):
        raise Conflict("VlanIdInUse", f"Unable to create the network. The VLAN {vlan} on physical network {wire} is in "
                                      "use.")
    return vlan


def _next(write: Any, wire: str, is_used: Callable[[int], bool], name: str) -> int:
    spans = vlans(write, wire)
    if spans is None:
        raise Invalid(name, f"is required: no VLANs of {wire} are set aside (the setting vlan_ranges)")
    vlan: int | None = spans.take(is_used)
    if vlan is None:
        raise Exhausted("NoNetworkAvailable", f"{name}: all VLANs of {wire} that are set aside are in use")
    return vlan


def vlans(write: Any, wire: str) -> Any:
    """Where free VLANs of a physical network are looked for, if some are set aside."""
    ends = write.settings["vlan_ranges"].get(wire)
    return write.spans(("vlan", wire), (ends,)) if ends else None
