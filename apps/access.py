"""Access lists: what may not cross a network, whatever security groups say; and ports that do not reach each other.

    from a port    admit ─► access_out ─► enter ─► guard …        deny drops, allow asks no lower rule
    to a port      deliver ─► access_in ─► isolate ─► hand_over

Every packet is held against the rules by itself: nothing is tracked, and a rule counts for connections that are there
already. Only ports of networks that have rules go this way. What a machine needs to take part at all (DHCP, neighbour
discovery, router solicitations) is not held against them.
"""
from __future__ import annotations

from typing import Any

from apps.access_rules import FAMILY
from apps.guards import is_held
from apps.pipeline import (
    ACCESS_IN,
    ACCESS_OUT,
    ANSWER,
    DENIED,
    ENTER,
    GUARD,
    GUARDS,
    HAND_OVER,
    ISOLATE,
    NETWORK,
    RECEIVER,
    SENDER,
    UNGUARDED,
)
from apps.places import GATEWAY_PORT, ROUTER_PORTS, everywhere, switches_of
from apps.protocols import PACKET, conversations, exists_in
from apps.uplinks import wire_at
from apps.watched import watched_in, where_watched
from controller.app import flows, query, spread
from controller.openflow.actions import count, drop
from controller.openflow.match import match

APP = 51
REFUSED = "an access rule denies it"
# What a machine says to take part in a network: of DHCP, neighbour discovery and multicast listener discovery.
PARTAKING: tuple[dict[str, Any], ...] = (
    {"eth_type": 0x800, "ip_proto": 17, "udp_src": 68, "udp_dst": 67},
    {"eth_type": 0x86dd, "ip_proto": 17, "udp_src": 546, "udp_dst": 547},
    *({"eth_type": 0x86dd, "ip_proto": 58, "icmpv6_type": kind} for kind in (131, 132, 133, 135, 136, 143)))


@flows(per="switch", on=everywhere)
def stand(world: Any, switch: Any) -> Any:
    for fields in PARTAKING:
        yield ACCESS_OUT, "partake", match(fields), (ENTER,)
    yield ACCESS_OUT, "rest", match(), (ENTER,)
    yield ENTER, "nobody", match({GUARDS: UNGUARDED}), (ANSWER,)
    yield ENTER, "rest", match(), (GUARD,)
    yield ACCESS_IN, "rest", match(), (ISOLATE,)
    yield ISOLATE, "rest", match(), (HAND_OVER,)
    yield DENIED, "rest", match(), (drop(REFUSED),)


def held_at(world: Any, rule: Any) -> Any:
    """The switches with ports of the rule's network."""
    return spread(switches_of(world, rule.network_id))


@flows(per="access_rule", on=held_at)
def judge(world: Any, rule: Any) -> Any:
    network = world.need("network", rule.network_id)
    for table, onward, outward in ((ACCESS_OUT, ENTER, True), (ACCESS_IN, ISOLATE, False)):
        if rule.direction in (None, "egress" if outward else "ingress"):
            for fields in packets_of(world, rule, outward):
                yield table, ("rule", rule.priority), match({NETWORK: network.key, **fields}), (
                    (onward,) if rule.action == "allow" else (DENIED,) if world.gathered(watched_in, network.id) else (drop(REFUSED),))


def packets_of(world: Any, rule: Any, outward: bool) -> Any:
    """What a rule is about as matches, for what ports send or for what they receive."""
    subnet = world.need("subnet", rule.subnet_id) if rule.subnet_id else None
    version = subnet.ip_version if subnet else None
    if rule.remote_ip_prefix:
        version = 6 if ":" in rule.remote_ip_prefix else 4
    for name, (number, family) in FAMILY.items():
        if rule.ethertype in (None, name) and version in (None, number) and exists_in(rule.protocol, family):
            fields: dict[str, Any] = {"eth_type": family}
            own, other = (PACKET.source, PACKET.destination) if outward else (PACKET.destination, PACKET.source)
            if subnet:
                fields[own[family]] = subnet.cidr
            if rule.remote_ip_prefix and not rule.remote_ip_prefix.endswith("/0"):
                fields[other[family]] = rule.remote_ip_prefix
            yield from ({**fields, **talk} for talk in conversations(rule, family, PACKET))


def where_held(world: Any, port: Any) -> Any:
    """Where a port is and may come to, if it is watched on a network of which access lists say something."""
    return where_watched(world, port) if world.ask(is_held, port.network_id) else ()


@flows(per="port", on=where_held)
def count_denied(world: Any, port: Any) -> Any:
    """What it may not say, as long as there is no receiver, or may not be told."""
    counted = count("dropped", "port", port.id, within=port.network_id, about=REFUSED)
    ways: tuple[dict[str, Any], ...] = {SENDER: port.key, RECEIVER: 0}, {RECEIVER: port.key}
    for fields in ways:
        yield DENIED, "port", match(fields), (counted, drop(REFUSED))


# ---- isolation

@flows(per="port_isolation", on=held_at, each=True)
def isolate(world: Any, isolation: Any, switch_id: str) -> Any:
    """Only routers and what is on the network's wire reach its ports."""
    network = world.need("network", isolation.network_id)
    yield ISOLATE, "isolated", match({NETWORK: network.key}), (drop("ports of its network do not reach each other"),)
    for mac in world.ask(router_macs, network.id):
        yield ISOLATE, "router", match({NETWORK: network.key, "eth_src": mac}), (HAND_OVER,)
    wire = world.ask(wire_at, network.id, switch_id)
    if wire:
        yield ISOLATE, "router", match({NETWORK: network.key, "in_port": wire[0].ofport}), (HAND_OVER,)


@query
def router_macs(world: Any, network_id: str) -> tuple[str, ...]:
    """The MACs of the routers' ports on a network."""
    return tuple(sorted({port.mac_address for owner in (*ROUTER_PORTS, GATEWAY_PORT)
                         for port in world.find("port", "network_id+device_owner", (network_id, owner))}))
