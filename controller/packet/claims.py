"""Whose addresses a frame says are its sender's: by ARP, or by neighbour discovery."""

from __future__ import annotations

from controller.packet import arp, icmp6, ipv6


def claimed(frame: bytes) -> tuple[str | None, str | None]:
    """The MAC and the IP address; None for what it does not say."""
    if (told := arp.read(frame)) is not None:
        return told.sender_mac, told.sender_ip
    if (claim := icmp6.read_claim(frame)) is not None:
        return claim.mac.hex(":") if claim.mac else None, ipv6.text(claim.address)
    return None, None
