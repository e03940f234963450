"""What is metered: the labels that count what crosses a router's gateways, their rules as documents, and the way there."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.pipeline import METERING, NAT_OUT, ROUTE
from controller.app import query
from controller.errors import Conflict, Invalid
from controller.openflow.actions import set_field
from controller.values import ip_version, prefix

INWARD, OUTWARD = 0, 1          # in the field `metadata` on the way to METERING


def settle(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """Addresses of one kind and version, and no two rules of a label and direction for the same of them."""
    ends = [name for name in ("source_ip_prefix", "destination_ip_prefix") if document[name]]
    if bool(document["remote_ip_prefix"]) == bool(ends):
        raise Invalid("remote_ip_prefix", "say either this or source_ip_prefix, destination_ip_prefix or both")
    if len({ip_version(document[name]) for name in ends}) > 1:
        raise Invalid("destination_ip_prefix", "must be of the IP version of source_ip_prefix")
    label = write.need("metering_label", document["metering_label_id"])
    if before is None and asked.get("project_id") is None:
        document["project_id"] = label.project_id
    for other in write.draft.find("metering_label_rule", "metering_label_id", label.id):
        if other.id != document["id"] and (other.direction, other.excluded) == (document["direction"], document["excluded"]) \
                and _overlap(other.remote_ip_prefix, document["remote_ip_prefix"]):
            raise Conflict("MeteringLabelRuleOverlaps",
                           f"remote_ip_prefix: overlaps with that of rule {other.id} of the same label and direction; choose another")


def _overlap(one: str | None, other: str | None) -> bool:
    return bool(one and other) and prefix(str(one)).overlaps(prefix(str(other)))


@query
def labels_of(world: Any, router_id: str) -> tuple[tuple[str, int], ...]:
    """(id, key) of the labels that count what crosses a router's gateways: its project's, and those of all."""
    router = world.get("router", router_id)
    if router is None:
        return ()
    found = [*world.find("metering_label", "project_id", router.project_id), *world.find("metering_label", "shared", True)]
    return tuple(sorted({(label.id, label.key) for label in found
                         if world.find("metering_label_rule", "metering_label_id", label.id)}))


def inward(world: Any, router: Any) -> Any:
    """The table where what has come from outside goes on."""
    return METERING if world.ask(labels_of, router.id) else ROUTE


def outward(world: Any, router: Any) -> tuple:
    """What is done last with what leaves for outside."""
    return (set_field(metadata=OUTWARD), METERING) if world.ask(labels_of, router.id) else (NAT_OUT,)
