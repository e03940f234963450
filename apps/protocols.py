"""The IP protocols that a rule may name, as Neutron's API reference lists them, and what such a rule is as matches."""
from __future__ import annotations

from typing import Any, NamedTuple

from controller.openflow.ranges import port_masks

NUMBERS = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "hopopt": 0, "icmp": 1, "icmpv6": 58, "igmp": 2, "ip": 0,
    "ipip": 4, "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60,
    "ipv6-route": 43, "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136,
    "vrrp": 112,
}
ANY = (None, "any")
IPV6 = 0x86dd
IPV6_ONLY = (41, 43, 44, 58, 59, 60)


_NAMES = {number: name for name, number in reversed(NUMBERS.items()) if number}


def name_of(number: int) -> str:
    """What a protocol is called, the first name of several; its number if it has none."""
    return _NAMES.get(number, str(number))


def number_of(protocol: str | None, family: int) -> int | None:
    """The number on the wire of a protocol's name or number (as text); None for any, which Neutron also calls 0.

    IPv6 has an ICMP of its own.
    """
    if protocol in ANY:
        return None
    number = NUMBERS[protocol] if protocol in NUMBERS else int(protocol)
    if number == 0:
        return None
    return 58 if number == 1 and family == IPV6 else number


def exists_in(protocol: str | None, family: int) -> bool:
    """Whether packets of an IP version may be of a protocol."""
    return family == IPV6 or number_of(protocol, family) not in IPV6_ONLY


# ---- what a rule says, as matches

class Words(NamedTuple):
    """The fields that say what a rule is about: by IP version the two addresses; the protocol; by protocol the port that
    was asked for, or ICMP's type and code. `needs` is what a match on them must ask for as well."""

    source: dict[int, str]
    destination: dict[int, str]
    protocol: str
    port: dict[int, str]
    types: dict[int, tuple[str, str]]
    needs: dict[str, Any]


# The packet as it is.
PACKET = Words(
    {0x800: "ipv4_src", 0x86dd: "ipv6_src"}, {0x800: "ipv4_dst", 0x86dd: "ipv6_dst"}, "ip_proto",
    {6: "tcp_dst", 17: "udp_dst", 132: "sctp_dst"},
    {1: ("icmpv4_type", "icmpv4_code"), 58: ("icmpv6_type", "icmpv6_code")}, {})
# The packet that opened the connection; for ICMP its "ports" are type and code.
OPENING = Words(
    {0x800: "ct_nw_src", 0x86dd: "ct_ipv6_src"}, {0x800: "ct_nw_dst", 0x86dd: "ct_ipv6_dst"}, "ct_nw_proto",
    dict.fromkeys((6, 17, 132), "ct_tp_dst"), dict.fromkeys((1, 58), ("ct_tp_src", "ct_tp_dst")),
    {"ct_state": (0x20, 0x30)})


def conversations(rule: Any, family: int, words: Words) -> list[dict[str, Any]]:
    """The protocol, ports or ICMP types of a rule as matches; a range of ports becomes several."""
    protocol = number_of(rule.protocol, family)
    if protocol is None:
        return [{}]
    spoken: dict[str, Any] = {words.protocol: protocol}
    least, most = rule.port_range_min, rule.port_range_max
    if protocol in words.types:
        of_type, of_code = words.types[protocol]
        return [spoken | ({of_type: least} if least is not None else {}) | ({of_code: most} if most is not None else {})]
    if least is None or protocol not in words.port:
        return [spoken]
    return [{**spoken, words.port[protocol]: ports} for ports in port_masks(least, most)]
