"""Network segment ranges: which tunnel keys and VLANs networks are given, if none is asked for.

A network gets a number from the ranges of its own project, then from those that are shared, then from the
configuration's, which are everybody's; never from another project's range. Who asks for a certain number may have it,
whatever the ranges.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller import values
from controller.errors import Conflict, Exhausted, Invalid

VLAN = "vlan"
LARGEST = {VLAN: 4094, "vxlan": (1 << 24) - 1, "geneve": (1 << 24) - 1, "gre": (1 << 32) - 1}    # VLAN: IEEE 802.1Q
MOST = 65536                        # numbers of one range: answers list those that are free
Span = tuple[int, int]


# ---- documents

def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    if document["shared"]:
        document["project_id"] = None
    kind, wire = document["network_type"], document["physical_network"]
    if kind == VLAN and not wire:
        raise Invalid("physical_network", "is required for VLANs")
    if kind != VLAN and wire is not None:
        raise Invalid("physical_network", f"must be left out: {kind} networks are carried in tunnels")
    _check(write, document)


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    _check(write, document)
    lost = values.without([_span(before)], [(document["minimum"], document["maximum"])])
    if any(first <= number <= last for number in _numbers(write, before) for first, last in lost):
        raise _referenced(before)


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if _numbers(write, before):
        raise _referenced(before)


def _check(write: Any, document: Mapping[str, Any]) -> None:
    first, last, most = document["minimum"], document["maximum"], LARGEST[document["network_type"]]
    if last > most:
        raise Invalid("maximum", f"must be between 1 and {most} for {document['network_type']}")
    if first > last:
        raise Invalid("minimum", "must not be larger than maximum")
    if last - first >= MOST:
        raise Invalid("maximum", f"a range has {MOST} numbers at most; make several")
    for other in _ranges(write, document["network_type"], document["physical_network"]):
        if other.id != document["id"] and first <= other.maximum and other.minimum <= last:
            raise Conflict("NetworkSegmentRangeOverlaps", f"Network segment range overlaps with range(s) with id {other.id}")


def _referenced(row: Any) -> Conflict:
    return Conflict("NetworkSegmentRangeReferencedByProject",
                    f"Network Segment Range {row.id} is referenced by one or more project networks.")


def _ranges(model: Any, kind: str, wire: str | None) -> list[Any]:
    return [row for row in model.find("network_segment_range", "network_type", kind) if row.physical_network == wire]


def _span(row: Any) -> Span:
    return row.minimum, row.maximum


# ---- what networks have of one

def _numbers(model: Any, row: Any) -> dict[int, str]:
    """The numbers of a range that networks have, and the networks' projects."""
    found = {}
    for network in model.find("network", "provider_network_type", row.network_type):
        number = network.provider_segmentation_id
        if network.provider_physical_network == row.physical_network and row.minimum <= number <= row.maximum:
            found[number] = network.project_id
    return found


def used(model: Any, row: Any) -> dict[str, str]:
    return {str(number): project for number, project in sorted(_numbers(model, row).items())}


def available(model: Any, row: Any) -> list[int]:
    taken = _numbers(model, row)
    return [number for number in range(row.minimum, row.maximum + 1) if number not in taken]


# ---- which number a network gets

def choose(write: Any, kind: str, wire: str | None, project: str, own: list[Span], is_used: Any) -> int | None:
    """A free number for a project's network; None if no ranges were made, so that the configuration's `own` decide.

    `is_used` says whether a number has an owner. Exhausted if there is none left.
    """
    ranges = _ranges(write, kind, wire)
    if not ranges:
        return None
    of_others = [_span(row) for row in ranges if not row.shared and row.project_id != project]
    for whose, spans in (("own", [_span(row) for row in ranges if not row.shared and row.project_id == project]),
                         ("shared", [_span(row) for row in ranges if row.shared]),
                         ("configured", values.without(own, of_others))):
        number: int | None = write.spans(("segments", kind, wire, whose, project), spans).take(is_used) if spans else None
        if number is not None:
            return number
    what = f"VLANs of {wire}" if wire else f"numbers for {kind}"
    raise Exhausted("NoNetworkAvailable", f"provider:segmentation_id: all {what} that this project may have are in use")
