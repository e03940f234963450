"""What flows make of a question for an address: words that several features answer with."""
from __future__ import annotations

from controller.openflow.actions import move, set_field

TO_SENDER = move("eth_src", "eth_dst")
_REPLY, _SENDER_IS_TARGET, _FROM_TARGET = set_field(arp_op=2), move("arp_sha", "arp_tha"), move("arp_spa", "arp_tpa")


def arp_reply(mac: str, ip: str) -> tuple[bytes, ...]:
    """The actions that make an ARP request a reply: the address is this MAC's (RFC 826). Where it goes comes after them."""
    return (TO_SENDER, set_field(eth_src=mac), _REPLY, _SENDER_IS_TARGET, set_field(arp_sha=mac), _FROM_TARGET, set_field(arp_spa=ip))
