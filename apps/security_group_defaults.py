"""Security groups: names of protocols, and what the server decides about a group and its rules."""
from __future__ import annotations

from typing import Any

from controller import values
from controller.errors import Invalid
from controller.types import Type, parsed

# Names that Neutron knows, with the numbers of IANA's registry.
PROTOCOLS = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "hopopt": 0, "icmp": 1, "icmpv6": 58, "igmp": 2, "ip": 0, "ipip": 4,
    "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43, "ospf": 89,
    "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112}
_WRONG = f"must be any, a number from 0 to 255 or one of {', '.join(PROTOCOLS)}"


def _protocol(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return str(value)
    if isinstance(value, str):
        low = value.lower()
        if low == "any":
            return None
        if low in PROTOCOLS:
            return low
        if low.isascii() and low.isdigit() and len(low) <= 3 and int(low) <= 255:
            return str(int(low))
    raise Invalid("", _WRONG)


def _ethertype(value: Any) -> str:
    for known in ("IPv4", "IPv6"):
        if isinstance(value, str) and value.lower() == known.lower():
            return known
    raise Invalid("", "must be IPv4 or IPv6")


def _prefix(text: str) -> str:
    """The block as it was written, with its length: `10.0.0.7` -> `10.0.0.7/32`."""
    address, _, _ = text.partition("/")
    return f"{values.ip(address)}/{values.prefix(text).length}"


PROTOCOL = Type("protocol", _protocol, {"type": "string"}, ("tcp", "ICMP", 6, "132", "any"), ("xyz", 256, -1, "256", "", [], 1.5, True))
ETHERTYPE = Type("ethertype", _ethertype, {"type": "string", "enum": ["IPv4", "IPv6"]}, ("IPv4", "ipv6"), ("IP", "", 4, []))
PREFIX = Type("prefix", parsed(_prefix, "an address or a block of addresses"), {"type": "string"},
              ("10.0.0.0/8", "10.0.0.7", "2001:db8::/32"), ("10.0.0", "10.0.0.0/33", "", 1, []))


def rules_of(model: Any, group: Any) -> list[dict]:
    """The rules as a client sees them."""
    return [model.show("security_group_rule", rule) for rule in model.find("security_group_rule", "security_group_id", group.id)]


def in_default(model: Any, rule: Any) -> bool:
    group = model.get("security_group", rule.security_group_id)
    return group is not None and group.name == "default"
