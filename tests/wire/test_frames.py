"""The frames that tests send are what they claim to be, and `fields` sees in them what Open vSwitch sees."""

from __future__ import annotations

import struct
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from scapy.layers.l2 import Ether

from tests.kit import frames as f
from tests.kit.fields import PRESENT, fields

A, B = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
V4, V6, L6 = ("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2"), ("fe80::1", "fe80::2")


def _sll(*options: bytes, kind: int = 135) -> bytes:
    return f._discovery(
        A, "33:33:ff:00:00:02", V6[0], "ff02::1:ff00:2", kind, bytes(4) + f.raw_ip(V6[1]) + b"".join(options), 255
    )


def _link(kind: int, mac: str, size: int = 1) -> bytes:
    return bytes((kind, size)) + f.raw_mac(mac) + bytes(8 * (size - 1))


def _extended(*chain: tuple[int, bytes], last: int = f.UDP) -> bytes:
    """IPv6 with extension headers (type, body with a zero for the next header) before a datagram."""
    types = [*(kind for kind, _ in chain), last]
    body = b"".join(bytes((types[at + 1],)) + raw[1:] for at, (_, raw) in enumerate(chain))
    return f.ethernet(A, B, f.IPV6, f.ip6(*V6, types[0], body + struct.pack("!HHHH", 5, 6, 8, 0)))


FRAMES = {
    "ARP request": f.arp_request(A, V4[0], V4[1]),
    "ARP reply": f.arp_reply(A, V4[0], B, V4[1]),
    "ARP with a sender inside that is not the frame's": f.arp_request(A, V4[0], V4[1], sha=B),
    "reverse ARP operation": f.arp(3, A, B, A, V4[0], B, V4[1]),
    "cut ARP": f.arp_request(A, V4[0], V4[1])[:-1],
    "neighbour solicitation": f.ns(A, *V6),
    "duplicate address detection": f.ns(A, "::", V6[1]),
    "solicitation without option": f.ns(A, *V6, sll=None),
    "solicitation of another's MAC": f.ns(A, *V6, sll=B),
    "solicitation to one neighbour": f.ns(A, *V6, to_mac=B, to_ip=V6[1]),
    "solicitation with two addresses": _sll(_link(1, A), _link(1, B)),
    "solicitation with an option of no length": _sll(_link(1, A), b"\1\0abcdef"),
    "solicitation with an option beyond the end": _sll(b"\1\x09abcdef"),
    "solicitation with the other option too": _sll(_link(2, A), _link(1, B)),
    "solicitation with a longer option": _sll(_link(1, A, 2)),
    "advertisement": f.na(A, V6[0]),
    "advertisement without option": f.na(A, V6[0], tll=None),
    "advertisement of another's MAC": f.na(A, V6[0], tll=B, solicited=True, router=True),
    "advertisement with the other option": _sll(_link(1, B), kind=136),
    "solicitation with a code": f.icmp6(A, B, *V6, 135, 1, bytes(20)),
    "solicitation without target": f.icmp6(A, B, *V6, 135, 0, bytes(12)),
    "router solicitation": f.rs(A),
    "router advertisement": f.ra(A),
    "redirect": f.redirect(A, L6[0], B, L6[1], "fe80::3", "2001:db8::9"),
    "UDP": f.udp(A, B, *V4, 68, 67, b"x"),
    "UDP over IPv6": f.udp(A, B, *V6, 546, 547, b"xyz"),
    "TCP": f.tcp(A, B, *V4, 1025, 80, f.SYN | f.ACK),
    "TCP over IPv6": f.tcp(A, B, *V6, 1025, 80, payload=b"GET"),
    "ping": f.echo(A, B, *V4),
    "ping over IPv6": f.echo(A, B, *L6),
    "its answer": f.echo(B, A, *L6, reply=True),
    "unreachable": f.icmp(A, B, *V4, 3, 4, bytes(4) + f.ip(*V4, 253, b"12345678")),
    "ICMPv6 too big": f.icmp6(A, B, *V6, 2, 0, bytes(40)),
    "tagged": f.tagged(f.echo(A, B, *V4), 5, priority=3),
    "tagged with VLAN 0": f.tagged(f.ra(A)),
    "service tag": f.tagged(f.echo(A, B, *V4), 7, ethertype=f.QINQ),
    "SNAP": f.snapped(f.ra(A)),
    "802.3": f.ethernet(A, "01:80:c2:00:00:00", 3, b"\x42\x42\x03"),
    "unknown ethertype": f.ethernet(A, B, 0x88B5, b"anything"),
    "first fragment": f.ethernet(A, B, f.IPV4, f.ip(*V4, f.UDP, b"12345678", more=True)),
    "later fragment": f.ethernet(A, B, f.IPV4, f.ip(*V4, f.UDP, b"12345678", offset=5)),
    "IPv4 longer than the frame": f.udp(A, B, *V4, 68, 67, b"x")[:-3],
    "UDP too short": f.ethernet(A, B, f.IPV4, f.ip(*V4, f.UDP, b"1234567")),
    "another protocol": f.ethernet(A, B, f.IPV4, f.ip(*V4, 47, b"1234567890")),
    "ICMPv6 inside IPv4": f.ethernet(A, B, f.IPV4, f.ip(*V4, f.ICMPV6, bytes(8))),
    "hop-by-hop": _extended((0, bytes(8))),
    "hop-by-hop, destination": _extended((0, bytes(8)), (60, b"\0\1" + bytes(14))),
    "IPv6 first fragment": _extended((44, bytes((0, 0, 0, 1, 0, 0, 0, 9)))),
    "IPv6 later fragment": _extended((44, bytes((0, 0, 0, 8, 0, 0, 0, 9)))),
    "extension beyond the end": _extended((0, bytes((0, 9)) + bytes(6))),
}
# How ovs-ofctl calls what the model of OpenFlow calls otherwise. One of its names can stand for several of ours.
NAMES = {
    "dl_src": ("eth_src",),
    "dl_dst": ("eth_dst",),
    "nw_src": ("ipv4_src",),
    "nw_dst": ("ipv4_dst",),
    "ipv6_label": ("ipv6_flabel",),
    "nw_ecn": ("ip_ecn",),
    "tp_src": ("udp_src", "tcp_src"),
    "tp_dst": ("udp_dst", "tcp_dst"),
    "icmp_type": ("icmpv4_type", "icmpv6_type"),
    "icmp_code": ("icmpv4_code", "icmpv6_code"),
    "nw_proto": ("ip_proto",),
}
TYPES = {
    "arp": (0x806,),
    "ip": (0x800,),
    "icmp": (0x800, 1),
    "udp": (0x800, 17),
    "tcp": (0x800, 6),
    "ipv6": (0x86DD,),
    "icmp6": (0x86DD, 58),
    "udp6": (0x86DD, 17),
    "tcp6": (0x86DD, 6),
}
FRAGMENTS, FLAGS = {"no": 0, "first": 1, "later": 3}, {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16}
ONLY_IN = {"nd_sll": 135, "nd_tll": 136}


def _value(name: str, text: str) -> int:
    if name == "nw_frag":
        return FRAGMENTS[text]
    if name == "tcp_flags":
        return sum(FLAGS[flag] for flag in text.split("|"))
    if text.count(":") == 5 and len(text) == 17:
        return int(text.replace(":", ""), 16)
    try:
        return int(text, 0)
    except ValueError:
        return int(ip_address(text))


def _expected(line: str) -> dict[str, int]:
    """What ovs-ofctl says of a frame, in our names; the fields that both sides know."""
    head, *pairs = line.split(",")
    said = dict(pair.split("=", 1) for pair in ([head] if "=" in head else []) + pairs)
    numbers = TYPES.get(head, ())
    found = dict(zip(("eth_type", "ip_proto"), numbers, strict=False))
    found["vlan_vid"] = PRESENT | int(said["dl_vlan"]) if "dl_vlan" in said else 0
    for name, text in said.items():
        if name == "nw_tos":
            found["ip_dscp"] = int(text) >> 2
        elif name == "dl_type":
            found["eth_type"] = int(text, 16)
        elif name not in ("in_port", "vlan_tci", "vlan_tci1", "dl_vlan", "dl_vlan_pcp"):
            for ours in NAMES.get(name, ({"nw_frag": "ip_frag"}.get(name, name),)):
                found[ours] = _value(name, text)
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each frame as Open vSwitch's own code reads it."""
    path: Path = tmp_path_factory.mktemp("frames") / "frames.pcap"
    records = b"".join(struct.pack("<IIII", 0, 0, len(raw), len(raw)) + raw for raw in FRAMES.values())
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + records)
    done = subprocess.run(
        ["ovs-ofctl", "parse-pcap", str(path)], capture_output=True, text=True, check=True, timeout=20
    )
    return dict(zip(FRAMES, done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("name", FRAMES)
def test_fields_are_those_that_open_vswitch_sees(name: str, seen: dict[str, str]) -> None:
    ours, theirs = fields(FRAMES[name]), _expected(seen[name])
    alternatives = {other for names in NAMES.values() if len(names) > 1 for other in names}
    for field, value in ours.items():
        if field in theirs:
            assert value == theirs[field], (field, seen[name])
        else:
            assert field in ("nd_reserved", "nd_options_type", "vlan_pcp", "ip_proto") or not value, (field, seen[name])
    for field, value in theirs.items():
        if (
            field in ours
            or field in alternatives
            or ONLY_IN.get(field, ours.get("icmpv6_type")) != ours.get("icmpv6_type")
        ):
            continue
        assert not value, (field, seen[name])


WHOLE = [
    name
    for name in FRAMES
    if not any(
        word in name
        for word in (
            "cut",
            "fragment",
            "beyond",
            "longer than",
            "no length",
            "short",
            "with a code",
            "without target",
            "SNAP",
            "802.3",
            "inside IPv4",
            "hop-by-hop",
        )
    )
]


@pytest.mark.parametrize("name", WHOLE)
def test_checksums_are_right(name: str) -> None:
    again = Ether(FRAMES[name])
    for layer in again.iterpayloads():
        for field in ("chksum", "cksum"):
            if field in layer.fields:
                delattr(layer, field)
    assert bytes(again) == FRAMES[name]
