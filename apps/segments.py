"""Segments, as documents: a network begins with one, and one on physical networks may have more.

A host carries a network by the first of its segments, by name of the physical network, that it reaches; segments are
not joined by Hadron: the physical network does that, or routes between them, and then each subnet is one segment's.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps import wires
from controller.errors import Conflict, Forbidden, Invalid, Unsupported
from controller.policy import SYSTEM
from controller.types import Record

ROUTED = "network:routed"           # service type of subnets that are no segment's although others are
_PARTS = ("network_type", "physical_network", "segmentation_id")


def provider(name: str) -> str:
    """The name that a part of a segment has among a network's attributes."""
    return f"provider:{name}"


# ---- segments of a network

def begin(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """Every network has a segment for what it was made with, and those that it was asked to have beside that."""
    write.then(lambda: _begin(write, document, asked.get("segments") or ()))


def _begin(write: Any, network: Mapping[str, Any], more: tuple[Record, ...]) -> None:
    own = {"network_id": network["id"], "project_id": network["project_id"]}
    write.create("segment", {**own, **{part: network[provider(part)] for part in _PARTS}}, by=SYSTEM)
    for one in more[1:]:
        asked = {part: one.get(provider(part)) for part in _PARTS if one.get(provider(part)) is not None}
        if "network_type" not in asked:
            raise Invalid("segments", "provider:network_type is required in each")
        write.create("segment", {**own, **asked}, by=SYSTEM)


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    network = write.need("network", document["network_id"])
    others = write.find("segment", "network_id", network.id)
    if not others:                                     # the one that it begins with
        return
    if not write.context.is_admin:                     # said before what is in use
        raise Forbidden("segment: may be made by an administrator only")
    if network.provider_network_type not in wires.PHYSICAL:
        raise Unsupported("network_id", f"a {network.provider_network_type} network is one segment; only those on physical "
                                        "networks have several")
    if document["network_type"] not in wires.PHYSICAL:
        raise Unsupported("network_type", "only vlan and flat segments are served; tunnels are networks of their own")
    if network.router_external:
        raise Unsupported("network_id", "an external network is one segment")
    if document["physical_network"] in [one.physical_network for one in others]:
        raise Invalid("physical_network", f"the network has a segment on {document['physical_network']} already; choose another")
    document["segmentation_id"] = wires.place(write, document["network_type"], document["physical_network"],
                                              document["segmentation_id"], network.project_id)


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    spans = wires.vlans(write, before.physical_network) if before.network_type == "vlan" else None
    if spans:
        write.give_back(spans, before.segmentation_id)
    network = write.get("network", before.network_id)
    if network is None:                                # it goes with all that it is made of
        return
    others = [one for one in write.find("segment", "network_id", network.id) if one.id != before.id]
    if not others:
        raise _in_use(before, "it is the only one of its network")
    if write.count("subnet", "segment_id", before.id):
        raise _in_use(before, "The segment is still associated with subnet(s)")
    if network.provider_physical_network == before.physical_network:
        first = min(others, key=lambda one: one.physical_network)
        write.draft.put("network", network._replace(**{f"provider_{part}": getattr(first, part) for part in _PARTS}))


def _in_use(segment: Any, why: str) -> Conflict:
    return Conflict("SegmentInUse", f"Segment '{segment.id}' cannot be deleted: {why}.")


def listed(model: Any, network: Any) -> list[dict[str, Any]] | None:
    """`segments` of a network that has several."""
    rows = sorted(model.find("segment", "network_id", network.id), key=lambda one: one.physical_network or "")
    return [{provider(part): getattr(row, part) for part in _PARTS} for row in rows] if len(rows) > 1 else None


# ---- which subnets are on which

def check_subnet(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """Either each subnet of a network is on one of its segments, or none is."""
    wanted = document["segment_id"]
    behind = set(elsewhere(write, document["network_id"], wanted, document["ip_version"])) if wanted else set()
    document["host_routes"] = tuple(one for one in document["host_routes"] if not (
        one.destination in behind and one.nexthop == document["gateway_ip"]))      # it is said anyway
    if before is not None and wanted == before.segment_id:
        return
    network = document["network_id"]
    if before is not None and before.segment_id is not None:
        raise _bad("SubnetSegmentAssociationChangeNotAllowed",
                   "A subnet that is already associated with a segment cannot have its segment association changed.")
    if before is not None and write.count("segment", "network_id", network) > 1:
        raise _bad("NoUpdateSubnetWhenMultipleSegmentsOnNetwork",
                   f"The network '{network}' has multiple segments, it is only possible to associate an existing subnet "
                   "with a segment on networks with a single segment.")
    if wanted is not None and write.get("segment", wanted).network_id != network:
        raise _bad("NetworkIdsDontMatch", f"The subnet's network id, '{network}', doesn't match the network_id of segment "
                                          f"'{wanted}'")
    if ROUTED in document["service_types"]:
        return
    others = [one for one in write.find("subnet", "network_id", network)
              if one.id != document["id"] and ROUTED not in one.service_types]
    if any((one.segment_id is None) != (wanted is None) for one in others):
        raise _bad("SubnetsNotAllAssociatedWithSegments",
                   f"All of the subnets on network '{network}' must either all be associated with segments or all not "
                   "associated with any segment.")


def elsewhere(rows: Any, network_id: str, segment_id: str, version: int) -> list[str]:
    """The blocks of a network's subnets that are on other segments."""
    return [one.cidr for one in rows.find("subnet", "network_id", network_id)
            if one.ip_version == version and one.segment_id not in (None, segment_id)]


def host_routes(model: Any, subnet: Any) -> list[dict[str, str]]:
    """A subnet's own routes, and those by its gateway to the network's subnets on other segments."""
    own = {one.destination: one.nexthop for one in subnet.host_routes}
    behind = elsewhere(model, subnet.network_id, subnet.segment_id, subnet.ip_version) \
        if subnet.segment_id and subnet.gateway_ip else []
    found = [*((one.destination, one.nexthop) for one in subnet.host_routes),
             *((cidr, subnet.gateway_ip) for cidr in behind if cidr not in own)]
    return [{"destination": destination, "nexthop": nexthop} for destination, nexthop in found]


def _bad(type: str, text: str) -> Invalid:
    return Invalid("", text, type=type)


def adjacent(model: Any, network: Any) -> bool:
    """`l2_adjacency`: whether all ports of a network are in one layer-2 segment, as far as is known."""
    return all(subnet.segment_id is None for subnet in model.find("subnet", "network_id", network.id))
