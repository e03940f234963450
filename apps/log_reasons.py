"""Why a packet was let pass or not, in words: which rule allows it, or that none of which groups does."""
from __future__ import annotations

from typing import Any

from apps.protocols import IPV6, PACKET, name_of, number_of
from controller.packet.conversation import Conversation
from controller.values import prefix


def ethertype(seen: Conversation) -> str:
    """IPv4 or IPv6, as rules call it."""
    return "IPv6" if seen.family == IPV6 else "IPv4"


def deciding(world: Any, port: Any, direction: str, seen: Conversation) -> Any:
    """The first rule of a port's groups that allows what has been allowed; None if none does any more."""
    other = seen.source if direction == "ingress" else seen.destination
    rules = [rule for group in sorted(port.security_groups)
             for rule in world.find("security_group_rule", "security_group_id", group)
             if rule.direction == direction and rule.ethertype == ethertype(seen) and _is_about(rule, seen)]
    # A member may also have addresses by its pairs: if no other rule allows it, it is that of such a group.
    sure = (rule for rule in rules if _is_remote(world, rule, other))
    return next(sure, None) or next((rule for rule in rules if rule.remote_group_id), None)


def _is_about(rule: Any, seen: Conversation) -> bool:
    protocol = number_of(rule.protocol, seen.family)
    if protocol not in (None, seen.protocol):
        return False
    least, most = rule.port_range_min, rule.port_range_max
    if protocol in PACKET.types:
        return least in (None, seen.first) and most in (None, seen.second)
    return least is None or protocol not in PACKET.port or seen.second is None or least <= seen.second <= most


def _is_remote(world: Any, rule: Any, address: str) -> bool:
    if rule.remote_ip_prefix:
        return address in prefix(rule.remote_ip_prefix)
    if rule.remote_address_group_id:
        group = world.get("address_group", rule.remote_address_group_id)
        return group is not None and any(address in prefix(block) for block in group.addresses)
    return not rule.remote_group_id or any(
        rule.remote_group_id in port.security_groups for port in world.find("port", "fixed_ips.ip_address", address))


def refusal(world: Any, port: Any, direction: str, seen: Conversation) -> str:
    """No rule in group web allows tcp/23 from 10.0.0.7."""
    groups = [world.get("security_group", id) for id in sorted(port.security_groups)]
    names = sorted(group.name or group.id for group in groups if group is not None)
    whose = "no rule in any group, as the port is in none," if not names else \
        f"no rule in group{'s' if len(names) > 1 else ''} {', '.join(names)}"
    other = f"from {seen.source}" if direction == "ingress" else f"to {seen.destination}"
    return f"{whose} allows {_what(seen)} {other}"


def _what(seen: Conversation) -> str:
    name = name_of(seen.protocol)
    if seen.protocol in PACKET.types:
        return name if seen.first is None else f"{name} type {seen.first} code {seen.second}"
    return name if seen.second is None else f"{name}/{seen.second}"
