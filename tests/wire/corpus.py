"""One example, or several, of everything that can be said: every field plain and masked, every action, every entry."""
from __future__ import annotations

from typing import Any

from controller.openflow import (
    FIELDS,
    FORGET_IN_PORT,
    IN_PORT,
    VLAN_PRESENT,
    Flow,
    Group,
    Meter,
    Nat,
    Pipeline,
    check_pkt_larger,
    clone,
    conjunction,
    controller,
    ct,
    ct_clear,
    dec_mpls_ttl,
    dec_ttl,
    decap,
    drop,
    encap,
    group,
    match,
    meter,
    move,
    output,
    pop_mpls,
    pop_vlan,
    push_mpls,
    push_vlan,
    resubmit,
    set_field,
    set_queue,
    tell,
)
from controller.openflow.fields import Field

PIPELINE = Pipeline()
RECEIVER = PIPELINE.register(5, "who gets it", bits=24, name="RECEIVER")
NETWORK = PIPELINE.register(6, "which network", bits=16, name="NETWORK")
SENDER = PIPELINE.register(7, "who sent it", bits=24, name="SENDER")
FIRST = PIPELINE.table(0, "first", "Where does it come from?", writes=(NETWORK, SENDER))
SECOND = PIPELINE.table(10, "second", "May it?", reads=(SENDER,))
THIRD = PIPELINE.table(40, "third", "Where to?", writes=(RECEIVER,))
LAST = PIPELINE.table(60, "last", "Hand it over.")

IP, IP6 = {"eth_type": 0x0800}, {"eth_type": 0x86DD}
_OWN_VALUES: dict[str, Any] = {
    "packet_type": 0x00010800, "in_port": 1, "actset_output": 1, "eth_type": 0x0800, "vlan_vid": VLAN_PRESENT | 5,
    "ip_proto": 6,
    "ip_frag": 1, "icmpv6_type": 135, "arp_op": 2, "ct_nw_proto": 6, "ct_state": 0x21,
}
_OWN_MASKS = {"vlan_vid": (VLAN_PRESENT, VLAN_PRESENT), "ip_frag": (0, 2), "ct_state": (0x20, 0x21),
              "tcp_flags": (2, 0x12)}


def with_needs(field: Field, value: Any) -> dict[str, Any]:
    """A match on one field, with whatever the field needs."""
    asked: dict[str, Any] = {}
    for needed, values in field.needs:
        asked[needed] = min(values) if values else {"vlan_vid": VLAN_PRESENT | 7, "ct_state": (0x20, 0x30)}[needed]
    return {**asked, field.name: value}


def plain_value(field: Field) -> Any:
    """A value that uses every byte of a field."""
    if field.name in _OWN_VALUES:
        return _OWN_VALUES[field.name]
    return 0x0123456789ABCDEF0123456789ABCDEF & field.full


def masked_value(field: Field) -> tuple[int, int]:
    """A masked value: here and there a bit."""
    mask = 0x0FF00FF00FF00FF00FF00FF00FF00FF1 & field.full
    return _OWN_MASKS.get(field.name, (plain_value(field) & mask, mask))


MATCHES: list[dict[str, Any]] = [{}]
MATCHES += [with_needs(field, plain_value(field)) for field in FIELDS.values()]
MATCHES += [with_needs(field, masked_value(field)) for field in FIELDS.values() if field.maskable]
MATCHES += [
    {**IP, "ipv4_src": "10.0.0.0/24", "ipv4_dst": "10.1.0.0/255.255.0.0"}, {**IP6, "ipv6_src": "fe80::/64"},
    {**IP, "ipv4_src": "10.0.0.7/24", "ip_proto": 0}, {"eth_dst": "01:00:00:00:00:00/01:00:00:00:00:00"},
    {**IP, "ipv4_src": ("10.0.0.1", "255.0.0.255"), "reg3": (7, 0), "reg4": (7, 0xFFFFFFFF)},
    {NETWORK: 9, SENDER: (0x10, 0xF0), **IP, "ip_proto": 6, "tcp_dst": (0x1000, 0xF000), "ct_state": (0x21, 0x3F)},
    {"vlan_vid": 0}, {"vlan_vid": VLAN_PRESENT | 0xFFF, "vlan_pcp": 7}, {"packet_type": 0}, {"packet_type": 0, **IP},
    {"packet_type": 0x18847, "in_port": 3}, {"in_port": 0xFFFFFFFE}, {"in_port": 0xFFFFFFFD},
    {**IP, "ip_proto": 6, "tcp_flags": 2}, {**IP, "ip_proto": 6, "tcp_flags": (0xFFF, 0xFFF)},
    {**IP6, "ipv6_flabel": (0xFFFFF, 0xFFFFF)}, {**IP, "ip_frag": (3, 3)}, {**IP, "ip_frag": (1, 1)},
    {**IP, "ip_frag": (0, 3)},
    {**IP6, "ip_proto": 58, "icmpv6_type": 135, "icmpv6_code": 0, "nd_target": "fe80::1", "nd_sll": "fa:16:3e:00:00:01",
     "nd_options_type": 1, "nd_reserved": 0},
    {**IP6, "ip_proto": 58, "icmpv6_type": 136, "nd_target": "fe80::/10", "nd_tll": "fa:16:3e:00:00:01"},
    {"eth_type": 0x0806, "arp_op": 1, "arp_spa": "10.0.0.1", "arp_tpa": "10.0.0.0/8", "arp_sha": "fa:16:3e:00:00:01",
     "arp_tha": "00:00:00:00:00:00"},
    {"eth_type": 0x8035, "arp_op": 3}, {"eth_type": 0x88CC}, {"eth_type": 0x8848, "mpls_label": 3},
    {**IP, "ct_state": 0x21, "ct_nw_src": "10.0.0.1", "ct_nw_dst": "10.0.0.0/8", "ct_nw_proto": 17, "ct_tp_src": 5,
     "ct_tp_dst": 6},
    {**IP6, "ct_state": (0x22, 0x22), "ct_ipv6_src": "fe80::1", "ct_ipv6_dst": "fe80::/10", "ct_nw_proto": 6,
     "ct_tp_dst": (0, 1)},
    {"xxreg0": (1, 0xFFFF), "xxreg3": 5 << 96 | 7, "reg4": 9}, {"ct_label": (1 << 127, 1 << 127), "metadata": (1, 3)},
    dict(sorted({**{f"reg{n}": n for n in range(16)}, "metadata": 1, "tunnel_id": 7, "eth_src": 2, "in_port": 1,
                 "conj_id": 4, "tun_src": "10.0.0.1", "pkt_mark": 4, "ct_zone": 3, "ct_mark": 9, **IP6}.items())),
]

_SETTABLE_ONLY_AFTER = {"mpls_label": push_mpls(), "mpls_tc": push_mpls(), "vlan_vid": push_vlan(),
                        "vlan_pcp": push_vlan()}
_NOT_SETTABLE = {"packet_type", "in_port", "conj_id", "actset_output", "ip_frag", "tcp_flags", "ip_proto", "mpls_bos",
                 "ct_state", "ct_zone",
                 "ct_mark", "ct_label", "ct_nw_src", "ct_nw_dst", "ct_ipv6_src", "ct_ipv6_dst", "ct_nw_proto",
                 "ct_tp_src",
                 "ct_tp_dst", "eth_type"}
SETTABLE = [field for field in FIELDS.values() if field.name not in _NOT_SETTABLE]


def _sets(field: Field, value: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
    first = _SETTABLE_ONLY_AFTER.get(field.name)
    asked = {} if first else with_needs(field, 0)
    asked.pop(field.name, None)
    return asked, (*((first,) if first else ()), set_field({field.name: value}), output(3))


CT_IP = (IP, IP6)
ACTIONS: list[tuple[dict[str, Any], tuple[Any, ...]]] = [_sets(field, plain_value(field)) for field in SETTABLE]
ACTIONS += [_sets(field, masked_value(field)) for field in SETTABLE if field.maskable and field.name != "vlan_vid"]
ACTIONS += [
    ({}, (drop("nothing to do"),)), ({}, (output(1), output(2))), ({}, (IN_PORT,)), ({}, (controller(),)),
    ({}, (FORGET_IN_PORT, output(1), resubmit(SECOND))),
    ({}, (controller(128),)), ({}, (tell(1), output(2))), ({}, (tell(1, 128), LAST)),
    ({}, (output(0xFFFFFFFE),)), ({}, (group(1),)), ({}, (meter(1), output(2), LAST)), ({}, (meter(1), controller())),
    ({}, (LAST,)), ({}, (set_field({RECEIVER: 7, NETWORK: 8}), THIRD)),
    ({}, (resubmit(SECOND), resubmit(40), ct_clear())),
    (IP, (ct(NETWORK, SECOND),)), (IP, (ct(7, 40),)), (IP6, (ct(0, SECOND),)),
    (IP, (ct(NETWORK, commit=True), output(1))),
    (IP, (ct(NETWORK, commit=True, mark=1), LAST)), (IP, (ct(NETWORK, LAST, commit=True, mark=(1, 3), label=5),)),
    (IP, (ct(NETWORK, commit=True, force=True, label=(1, 1)),)), (IP, (ct(NETWORK, SECOND, nat=Nat()),)),
    (IP, (ct(9, SECOND, commit=True, nat=Nat("src", "10.0.0.1")),)),
    (IP, (ct(9, SECOND, commit=True, mark=7, nat=Nat("src", "10.0.0.1", "10.0.0.9", (1000, 2000))),)),
    (IP, (ct(9, SECOND, commit=True, nat=Nat("dst", "10.0.0.1", ports=(80, 80))),)),
    (IP6, (ct(9, SECOND, commit=True, nat=Nat("dst", "fd00::1", ports=(80, 80))),)),
    (IP6, (ct(9, SECOND, commit=True, nat=Nat("src", "fd00::1", "fd00::9")),)),
    ({}, (conjunction(5, 1, 2),)), ({}, (conjunction(5, 1, 2), conjunction(6, 3, 3))),
    (IP, (check_pkt_larger(1464, ("reg0", 3)), check_pkt_larger(9014, ("reg1", 0)), resubmit(SECOND))),
    (IP, (dec_ttl(), output(1))), (IP6, (dec_ttl(), output(1))),
    ({}, (push_vlan(), set_field(vlan_vid=VLAN_PRESENT | 9), output(1))),
    ({"vlan_vid": (VLAN_PRESENT, VLAN_PRESENT)}, (pop_vlan(), output(1))),
    ({}, (push_vlan(0x88A8), output(1))), ({}, (push_mpls(), set_field(mpls_label=3), output(1))),
    ({"eth_type": 0x8847}, (pop_mpls(0x0800), output(1))), ({"eth_type": 0x8847}, (pop_mpls(0x8847), output(1))),
    ({}, (encap(0x18847), set_field(mpls_label=3), encap(0x18847), set_field(mpls_label=4), encap(0), output(1))),
    ({}, (clone(set_field({RECEIVER: 7}), resubmit(SECOND)), clone(encap(0x18847), resubmit(THIRD)), output(1))),
    ({"eth_type": 0x8847}, (dec_mpls_ttl(), output(1))), ({}, (set_queue(61_439), output(1))),
    # After a decap, another table that matches the packet's type is needed before its label can be read.
    ({"eth_type": 0x8847}, (move("mpls_label", "reg1"), decap(), decap(0x18847), SECOND)),
    ({"packet_type": 0x18847}, (move("mpls_label", ("reg2", 0, 19)), decap(0), THIRD)),
    ({}, (move("eth_src", "eth_dst"), move("reg0", "metadata"), move("tunnel_id", NETWORK),
          move(NETWORK, "tunnel_id"))),
    ({"eth_type": 0x0806}, (move("arp_sha", "arp_tha"), move("arp_spa", "arp_tpa"), set_field(arp_op=2), IN_PORT)),
    (IP, (move("ipv4_src", "ipv4_dst"), move("ipv4_src", "reg0"), move("nw_ttl", ("reg1", 8, 15)),
          move("ip_dscp", ("reg1", 0, 5)))),
    (IP6, (move("ipv6_src", "ipv6_dst"), move("ipv6_src", "xxreg1"), move(("ipv6_src", 96, 127), "reg0"))),
    ({**IP, "ip_proto": 6}, (move("tcp_src", "tcp_dst"), move("tcp_src", ("reg3", 0, 15)),
                             move("tcp_flags", ("reg3", 16, 27)))),
    ({**IP, "ip_proto": 17}, (move("udp_src", "udp_dst"),)), ({**IP, "ip_proto": 132}, (move("sctp_src", "sctp_dst"),)),
    ({**IP, "ip_proto": 1}, (move("icmpv4_type", ("reg3", 0, 7)), move("icmpv4_code", ("reg3", 8, 15)))),
    ({**IP6, "ip_proto": 58, "icmpv6_type": 135},
     (move("nd_target", "ipv6_src"), move("nd_sll", "eth_dst"), set_field(icmpv6_type=136, nd_options_type=2,
                                                                        nd_reserved=0xE0000000))),
    ({**IP6, "ip_proto": 58, "icmpv6_type": 136}, (move("eth_src", "nd_tll"), move("nd_options_type", ("reg0", 0, 7)))),
    ({}, (move("tun_src", "tun_dst"), move("tun_ipv6_src", "tun_ipv6_dst"), move("pkt_mark", "reg0"),
          move("in_port", "reg0"))),
    ({}, (move("ct_mark", "reg0"), move("ct_zone", ("reg1", 0, 15)), move("ct_label", "xxreg2"),
          move("ct_state", "reg3"))),
]

METERS = [Meter(1, pps=100), Meter(2, pps=100, burst=20), Meter(3, kbps=1000), Meter(4, kbps=1000, burst=1000),
          Meter(0xFFFF0000, pps=1)]
GROUPS = [
    Group(1, "all", [(None, None, (output(1),)), (None, None, (set_field({RECEIVER: 4}), output(2)))]),
    Group(2, "select", [(10, None, (output(1),)), (0, 2, (output(2),)), (65535, None, (output(3),))]),
    Group(3, "indirect", [(None, None, (resubmit(LAST),))]),
    Group(4, "ff", [(None, 1, (output(1),)), (None, 2, (output(2),))]), Group(5, "all", []),
    Group(0xFFFFFF00, "all", [(None, None, (move("eth_src", "eth_dst"), IN_PORT))]),
]


def flows() -> list[Flow]:
    """Every example as a flow, all under keys of their own."""
    found = [Flow(FIRST, 100 + n, match(asked), (drop("example"),)) for n, asked in enumerate(MATCHES)]
    return found + [Flow(FIRST, 1000 + n, match(asked), do) for n, (asked, do) in enumerate(ACTIONS)]
