"""Metering: what crosses the gateways of routers is counted for labels (Neutron's metering).

    out    route ─► metering ─► nat_out       as the machine within sent it
    in     nat_in ─► metering ─► route        as the machine within will get it

So both directions name the address within, and the one outside. A flow for each router asks once for each label; the
answers are in the same table, and only count. Routers that no label is about do not go that way.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.metered import INWARD, OUTWARD, labels_of
from apps.outside import on_gateway
from apps.pipeline import METERING, NAT_OUT, ROUTE, ROUTER
from apps.places import everywhere, floats, gates
from apps.protocols import PACKET
from controller.app import flows, spread
from controller.openflow.actions import count, resubmit, set_field
from controller.openflow.match import match

APP = 53
WAYS = {"ingress": INWARD, "egress": OUTWARD}
UNTOLD = set_field(metadata=0)


@flows(per="switch", on=everywhere)
def stand(world: Any, switch: Any) -> Any:
    yield METERING, "rest", match(), (UNTOLD,)           # no rule of the label is about it


def where_metered(world: Any, router: Any) -> Any:
    """Where a router's gateways and floating addresses are, if labels are about it."""
    if not world.ask(labels_of, router.id):
        return ()
    ports = world.ask(gates, router.id)
    return spread(*(on_gateway(world, port) for port in ports), *(world.gathered(floats, port.id) for port in ports))


@flows(per="router", on=where_metered)
def meter(world: Any, router: Any) -> Any:
    labels = world.ask(labels_of, router.id)
    for way, onward in ((INWARD, ROUTE), (OUTWARD, NAT_OUT)):
        asked = tuple(one for _, key in labels for one in (set_field(metadata=2 * key + way), resubmit(METERING)))
        yield METERING, "router", match({ROUTER: router.key, "metadata": way}), (*asked, UNTOLD, resubmit(onward))
    for id, key in labels:
        for level, fields in dict.fromkeys(_kinds(world, id, key)):
            counted = (count(_WORDS[dict(fields)["metadata"] % 2], "metering_label", id),) if level == "rule" else ()
            yield METERING, level, match({ROUTER: router.key, **dict(fields)}), (*counted, UNTOLD)


_WORDS = {way: name for name, way in WAYS.items()}


def _kinds(world: Any, label_id: str, key: int) -> Iterator[tuple[str, tuple[tuple[str, Any], ...]]]:
    """(level, fields) of each rule of a label; what is excluded comes first."""
    for rule in world.find("metering_label_rule", "metering_label_id", label_id):
        source, destination = rule.source_ip_prefix, rule.destination_ip_prefix
        if rule.remote_ip_prefix and rule.direction == "ingress":
            source = rule.remote_ip_prefix
        elif rule.remote_ip_prefix:
            destination = rule.remote_ip_prefix
        family = 0x86dd if ":" in (source or destination) else 0x800
        fields: dict[str, Any] = {"metadata": 2 * key + WAYS[rule.direction], "eth_type": family}
        for words, block in ((PACKET.source, source), (PACKET.destination, destination)):
            if block and not block.endswith("/0"):
                fields[words[family]] = block
        yield "excluded" if rule.excluded else "rule", tuple(fields.items())
