"""The IP protocols that a security group rule may name, as Neutron's API reference lists them."""
from __future__ import annotations

NUMBERS = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "hopopt": 0, "icmp": 1, "icmpv6": 58, "igmp": 2, "ip": 0,
    "ipip": 4, "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60,
    "ipv6-route": 43, "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136,
    "vrrp": 112,
}
ANY = (None, "any")
IPV6 = 0x86dd


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
