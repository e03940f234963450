"""A packet as the walk carries it: a dictionary of field names and numbers; what it lacks is zero.

Beside the fields of `FIELDS` it may hold `icmp_id` (the identifier of an echo), `quoted` (the packet that an ICMP
error is about), `payload` (the packet inside a wrapping), `tags` (VLAN tags below the outermost) and `mpls_ttl` (of the
outermost label).
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.openflow.fields import ETH_MPLS, FIELDS, VLAN_PRESENT, Field, number, text_of

Packet = dict[str, Any]

_PIPELINE = frozenset(name for name in FIELDS if name.startswith(("reg", "xxreg", "ct_", "tun")) or
                      name in ("in_port", "metadata", "pkt_mark", "conj_id", "actset_output"))
_EXTRA = ("icmp_id", "quoted", "payload", "tags", "mpls_ttl", "length")
TTL = 64                # of a label that is new (Open vSwitch takes the IP packet's, where it pushes one onto that)
HEADERS = tuple(name for name in FIELDS if name not in _PIPELINE) + _EXTRA
_LINK = ("eth_src", "eth_dst", "vlan_vid", "vlan_pcp", "tags")
_TUNNEL = ("tunnel_id", "tun_src", "tun_dst", "tun_ipv6_src", "tun_ipv6_dst")
_MPLS_TYPE = 1 << 16 | ETH_MPLS


def packet(fields: Mapping[str, Any]) -> Packet:
    """A packet with every value as a number: addresses may be given as text. Raises ValueError for an unknown field."""
    made: Packet = {}
    for name, value in fields.items():
        if name in _EXTRA:
            made[name] = packet(value) if name in ("quoted", "payload") else value
        elif name in FIELDS:
            made[name] = number(FIELDS[name], value)
        else:
            raise ValueError(f"{name} is not a field")
    return made


def frame(of: Mapping[str, Any]) -> Packet:
    """What of a packet travels on a wire: its headers, and the tunnel's if it goes into one."""
    return {name: of[name] for name in (*HEADERS, *_TUNNEL) if name in of}


def has(of: Mapping[str, Any], field: Field) -> bool:
    """Whether a packet has a field; to set one that it has not does nothing."""
    if field.name in _LINK and of.get("packet_type", 0):
        return False
    for needed, values in field.needs:
        value = of.get(needed, 0)
        if not (value in values if values else value & (VLAN_PRESENT if needed == "vlan_vid" else 0xCF)):
            return False
    return True


def read(of: Mapping[str, Any], field: Field, first: int, bits: int) -> int:
    """Some bits of a field."""
    if field.name.startswith("xxreg"):
        base = 4 * int(field.name[5:])
        whole = 0
        for n in range(base, base + 4):
            whole = whole << 32 | of.get(f"reg{n}", 0)
    else:
        whole = of.get(field.name, 0)
    return whole >> first & (1 << bits) - 1


def write(into: Packet, field: Field, value: int, mask: int) -> None:
    """Set the bits of `mask` of a field."""
    if field.name.startswith("xxreg"):
        base = 4 * int(field.name[5:])
        for place, n in enumerate(range(base, base + 4)):
            shift = 96 - 32 * place
            write(into, FIELDS[f"reg{n}"], value >> shift & 0xFFFFFFFF, mask >> shift & 0xFFFFFFFF)
    else:
        before = into.get(field.name, 0)
        into[field.name] = before & ~mask | value & mask
        rewritten = into.get("rewritten")
        if rewritten and into[field.name] != before:        # a switch sends no change where it sees none
            into["rewritten"] = {name: each for name, each in rewritten.items() if name != field.name}


def push_vlan(into: Packet) -> None:
    """Add an empty VLAN tag."""
    if into.get("vlan_vid", 0) & VLAN_PRESENT:
        into["tags"] = ((into["vlan_vid"], into.get("vlan_pcp", 0)), *into.get("tags", ()))
    into.update(vlan_vid=VLAN_PRESENT, vlan_pcp=0)


def pop_vlan(into: Packet) -> None:
    """Take the outermost tag away."""
    inner, *rest = into.get("tags") or ((0, 0),)
    into.update(vlan_vid=inner[0], vlan_pcp=inner[1], tags=tuple(rest))


def _under(into: Packet) -> Packet:
    """Take all headers off into a payload."""
    return {name: into.pop(name) for name in HEADERS if name in into}


def push_mpls(into: Packet, ethertype: int) -> None:
    """Add a label between the Ethernet header and what follows it."""
    payload = _under(into)
    inner = payload.get("eth_type") in (ETH_MPLS, 0x8848)
    into.update({name: payload[name] for name in _LINK if name in payload})
    into.update(eth_type=ethertype, mpls_bos=0 if inner else 1, mpls_label=payload.get("mpls_label", 0),
                mpls_tc=payload.get("mpls_tc", 0), payload=payload,
                mpls_ttl=payload.get("mpls_ttl", payload.get("nw_ttl", TTL)))


def pop_mpls(into: Packet, ethertype: int) -> None:
    """Take the outermost label away."""
    link = {name: into[name] for name in _LINK if name in into}
    payload = into.get("payload", {})
    _under(into)
    into.update(payload)
    into.update(link)
    into["eth_type"] = ethertype


def encap(into: Packet, kind: int) -> None:
    """Wrap the packet in an Ethernet header or an MPLS label. Raises ValueError for another kind."""
    if kind == 0 and into.get("packet_type", 0):
        into.update(packet_type=0, eth_src=0, eth_dst=0)
    elif kind == _MPLS_TYPE:
        payload = _under(into)
        bottom = 0 if payload.get("packet_type", 0) == _MPLS_TYPE else 1
        into.update(packet_type=_MPLS_TYPE, eth_type=ETH_MPLS, mpls_label=0, mpls_tc=0, mpls_bos=bottom,
                    mpls_ttl=TTL, payload=payload)
    else:
        raise ValueError(f"encap({kind:#x}) of a packet of type {into.get('packet_type', 0):#x}")


def decap(into: Packet) -> None:
    """Take the outermost header away: Ethernet's, or an MPLS label.

    Raises ValueError if there is a VLAN tag, or the payload is not known.
    """
    if not into.get("packet_type", 0):
        if into.get("vlan_vid", 0):
            raise ValueError("decap of a tagged packet")
        into["packet_type"] = 1 << 16 | into.get("eth_type", 0)
        for name in _LINK:
            into.pop(name, None)
        return
    if "payload" not in into:
        raise ValueError("decap of a packet whose payload is not known")
    payload = into["payload"]
    _under(into)
    into.update(payload)


_SHOWN = ("in_port", "packet_type", "tunnel_id", "eth_src", "eth_dst", "vlan_vid", "eth_type")


def text(of: Mapping[str, Any]) -> str:
    """A packet in one line: where it came in, link layer, then what its type has."""
    parts = [f"{name}={text_of(FIELDS[name], of[name])}" for name in _SHOWN[:-1] if of.get(name)]
    parts.append(f"eth_type={of.get('eth_type', 0):#06x}")
    parts += [f"{name}={text_of(FIELDS[name], value)}" for name in HEADERS
              if name in FIELDS and name not in _SHOWN and (value := of.get(name)) is not None]
    return ", ".join(parts)
