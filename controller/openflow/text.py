"""Entries in the words of ovs-ofctl, with the names of tables and registers where a pipeline is given.

Without a pipeline the text of a flow is what `ovs-ofctl add-flow` takes. It is read from the bytes, so it shows
what a switch gave back as well as what we would send.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping

from controller.openflow import buckets, decode
from controller.openflow.actions import PORT_CONTROLLER, Nat
from controller.openflow.fields import FIELDS, VLAN_PRESENT, Field, text_of
from controller.openflow.flow import Flow
from controller.openflow.group import Entry, Key
from controller.openflow.pipeline import Pipeline

_RESERVED = {0xFFFFFFF8: "IN_PORT", 0xFFFFFFF9: "TABLE", 0xFFFFFFFA: "NORMAL", 0xFFFFFFFB: "FLOOD", 0xFFFFFFFC: "ALL",
             0xFFFFFFFD: "CONTROLLER", 0xFFFFFFFE: "LOCAL", 0xFFFFFFFF: "ANY"}
_IN_MATCH = {
    "eth_src": "dl_src", "eth_dst": "dl_dst", "eth_type": "dl_type", "ipv4_src": "nw_src", "ipv4_dst": "nw_dst",
    "ip_proto": "nw_proto", "ip_ecn": "nw_ecn", "ipv6_flabel": "ipv6_label", "tunnel_id": "tun_id",
    "icmpv4_type": "icmp_type", "icmpv4_code": "icmp_code", "icmpv6_type": "icmp_type", "icmpv6_code": "icmp_code",
    "vlan_pcp": "dl_vlan_pcp",
    **{f"{proto}_{end}": f"tp_{end}" for proto in ("tcp", "udp", "sctp") for end in ("src", "dst")},
}
_IN_ACTIONS = {"in_port": "in_port_oxm", "ipv4_src": "ip_src", "ipv4_dst": "ip_dst", "ip_ecn": "nw_ecn",
               "ipv6_flabel": "ipv6_label",
               "tunnel_id": "tun_id", "icmpv4_type": "icmp_type", "icmpv4_code": "icmp_code"}
_HEX = {"metadata", "tunnel_id", "ct_mark", "ct_label", "pkt_mark", "ipv6_flabel", "eth_type",
        *(name for name in FIELDS if "reg" in name)}
_KINDS: Mapping[tuple[int | None, int | None], str] = {   # (eth_type, ip_proto) -> the one word that stands for both
    (0x0800, None): "ip", (0x86DD, None): "ipv6", (0x0806, None): "arp", (0x8035, None): "rarp", (0x8847, None): "mpls",
    (0x8848, None): "mplsm", (0x0800, 6): "tcp", (0x0800, 17): "udp", (0x0800, 132): "sctp", (0x0800, 1): "icmp",
    (0x86DD, 6): "tcp6", (0x86DD, 17): "udp6", (0x86DD, 132): "sctp6", (0x86DD, 58): "icmp6",
}
CT_STATES = ("new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat")
_TCP_FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns")
_FRAGMENTS = {(0, 3): "no", (1, 1): "yes", (1, 3): "first", (3, 3): "later", (0, 2): "not_later"}


def port_text(port: int) -> str:
    """A port's number, or the name of a reserved port."""
    return _RESERVED.get(port, str(port))


class Names:
    """How tables and registers are called: by the pipeline's names, or by number where it has none."""

    def __init__(self, pipeline: Pipeline | None = None) -> None:
        self.pipeline = pipeline

    def table(self, number: int) -> str:
        """A table's name."""
        return self.pipeline.table_name(number) if self.pipeline else str(number)

    def field(self, name: str, known: Mapping[str, str]) -> str:
        """A field's name; `known` are the names that ovs-ofctl uses at this place."""
        register = self.pipeline.registers.get(name) if self.pipeline else None
        return register.name if register is not None and register.name else known.get(name, name)


def entry_text(entry: Entry, pipeline: Pipeline | None = None, *, cookie: bool = False) -> str:
    """A flow, group or meter of ours as a line of text."""
    return held_text(entry.key, entry.cookie if isinstance(entry, Flow) else 0, entry.body, pipeline, cookie=cookie)


def held_text(key: Key, cookie_: int, body: bytes, pipeline: Pipeline | None = None, *, cookie: bool = False) -> str:
    """What a switch holds under a key as a line of text. Raises Malformed if the bytes make no sense."""
    names = Names(pipeline)
    if key[0] == "group":
        return _group_text(key[1], body, names)
    if key[0] == "meter":
        meter = buckets.read_meter(body)
        unit = "pktps" if meter.unit == "pps" else "kbps"
        return f"meter={key[1]},{unit},burst,bands=type=drop,rate={meter.rate},burst_size={meter.burst}"
    table, priority, fields = key
    head = f"cookie={cookie_:#x}, " if cookie else ""
    matched = "".join(f",{part}" for part in match_parts(fields, names))
    return f"{head}table={names.table(table)}, priority={priority}{matched} actions={body_text(body, names)}"


def lines(held: Iterable[Entry] | Mapping[Key, tuple[int, bytes]], pipeline: Pipeline | None = None, *,
          cookie: bool = False) -> list[str]:
    """Entries as text, in the order a packet would meet them: by table, the highest priority first, then groups and
    meters. Two sets of entries are equal if and only if these lines (with cookies) are.
    """
    if isinstance(held, Mapping):
        found = [(key, held_text(key, number, body, pipeline, cookie=cookie)) for key, (number, body) in held.items()]
    else:
        found = [(entry.key, entry_text(entry, pipeline, cookie=cookie)) for entry in held]
    return [text for _, text in sorted(found, key=lambda each: (_place(each[0]), each[1]))]


def _place(key: Key) -> tuple[int, int]:
    if key[0] == "group":
        return 256, key[1]
    return (257, key[1]) if key[0] == "meter" else (key[0], -key[1])


def match_parts(fields: bytes, names: Names) -> list[str]:
    """A match as ovs-ofctl's words, the protocol first."""
    wanted = decode.read_match(fields)
    eth_type, _ = wanted.get("eth_type", (None, 0))
    proto, _ = wanted.get("ip_proto", (None, 0))
    kind = _KINDS.get((eth_type, proto))
    if kind:
        wanted.pop("ip_proto", None)
    else:
        kind = _KINDS.get((eth_type, None))
    if kind:
        wanted.pop("eth_type")
    parts = [_asked(name, value, mask, names) for name, (value, mask) in wanted.items()]
    return [kind, *parts] if kind else parts


def _asked(name: str, value: int, mask: int, names: Names) -> str:
    if name not in FIELDS:
        return f"{name}={value:#x}/{mask:#x}"
    field = FIELDS[name]
    if name == "vlan_vid":
        if mask == field.full and value & VLAN_PRESENT:
            return f"dl_vlan={value & 0xFFF}"
        return f"vlan_tci={value:#06x}/{mask:#06x}"
    if name == "in_port" or name == "actset_output":
        return f"{name}={port_text(value)}"
    if name == "packet_type":
        return f"packet_type=({value >> 16},{value & 0xFFFF:#x})"
    if name == "ct_state":
        return f"ct_state={_flags(CT_STATES, value, mask)}"
    if name == "tcp_flags" and mask != field.full and not mask >> len(_TCP_FLAGS):
        return f"tcp_flags={_flags(_TCP_FLAGS, value, mask)}"
    if name == "ip_frag" and (value, mask) in _FRAGMENTS:
        return f"ip_frag={_FRAGMENTS[value, mask]}"
    return f"{names.field(name, _IN_MATCH)}={masked_text(field, value, mask)}"


def _flags(words: tuple[str, ...], value: int, mask: int) -> str:
    """"+trk-new": the bits that must be set and those that must not."""
    known = [("+" if value >> bit & 1 else "-") + word for bit, word in enumerate(words) if mask >> bit & 1]
    return "".join(known) if not mask >> len(words) else f"{value:#x}/{mask:#x}"


def masked_text(field: Field, value: int, mask: int) -> str:
    """A value as people write it, with its mask if there is one; a prefix length for addresses where possible."""
    if field.name in _HEX:
        return f"{value:#x}" if mask == field.full else f"{value:#x}/{mask:#x}"
    plain = text_of(field, value)
    if mask == field.full:
        return plain
    if field.kind in ("ipv4", "ipv6"):
        length = mask.bit_count()
        if mask == field.full ^ (field.full >> length):
            return f"{plain}/{length}"
    if field.kind == "number":
        return f"{value:#x}/{mask:#x}"
    return f"{plain}/{text_of(field, mask)}"


def body_text(body: bytes, names: Names) -> str:
    """Instructions as ovs-ofctl writes them."""
    found = decode.read_body(body)
    parts = [] if found.meter is None else [f"meter:{found.meter}"]
    parts += [action_text(action, names) for action in found.actions]
    parts += [f"instruction({other.raw.hex()})" for other in found.other]
    if found.goto is not None:
        parts.append(f"goto_table:{names.table(found.goto)}")
    return ",".join(parts) or "drop"


def _bits(field: Field, first: int, count: int, names: Names) -> str:
    name = names.field(field.name, _IN_ACTIONS)
    if first == 0 and count == field.bits and field.name != "ct_state":      # 32 bits to Open vSwitch
        return f"{name}[]"
    return f"{name}[{first}]" if count == 1 else f"{name}[{first}..{first + count - 1}]"


def action_text(action: decode.Action, names: Names) -> str:
    """One action as ovs-ofctl writes it."""
    match action:
        case decode.Output(port, max_len):
            return f"CONTROLLER:{max_len}" if port == PORT_CONTROLLER else _RESERVED.get(port, f"output:{port}")
        case decode.Tell(meter, max_len):
            return f"controller({f'max_len={max_len},' if max_len != 0xFFFF else ''}meter_id={meter})"
        case decode.ToGroup(number):
            return f"group:{number}"
        case decode.SetQueue(number):
            return f"set_queue:{number}"
        case decode.SetField(field, value) if field.name == "in_port":
            return f"load:{value:#x}->NXM_OF_IN_PORT[]"
        case decode.SetField(field, value, mask):
            return f"set_field:{_set_text(field, value, mask)}->{names.field(field.name, _IN_ACTIONS)}"
        case decode.Move(source, source_bit, target, target_bit, bits):
            return f"move:{_bits(source, source_bit, bits, names)}->{_bits(target, target_bit, bits, names)}"
        case decode.Larger(size, field, bit):
            return f"check_pkt_larger({size})->{_bits(field, bit, 1, names)}"
        case decode.Track():
            return _track_text(action, names)
        case decode.Untrack():
            return "ct_clear"
        case decode.Conjunction(number, clause, of):
            return f"conjunction({number},{clause}/{of})"
        case decode.Clone(then):
            return f"clone({','.join(action_text(each, names) for each in then)})"
        case decode.Resubmit(table):
            return f"resubmit(,{names.table(table)})"
        case decode.Plain(name, number):
            return name if number is None else f"{name}:{number:#06x}"
        case decode.Encap(kind):
            return {0: "encap(ethernet)", 0x18847: "encap(mpls)", 0x18848: "encap(mpls_mc)"}.get(
                kind, f"encap({kind:#x})")
        case decode.Decap(kind):
            return "decap()" if kind is None else f"decap(packet_type(ns={kind >> 16},type={kind & 0xFFFF:#x}))"
        case decode.Unknown(raw):
            return f"action({raw.hex()})"


def _set_text(field: Field, value: int, mask: int) -> str:
    if field.name == "vlan_vid":
        return str(value)
    return masked_text(field, value, mask) if field.kind != "ipv4" or mask == field.full else \
        f"{text_of(field, value)}/{text_of(field, mask)}"


def _track_text(track: decode.Track, names: Names) -> str:
    parts = ["commit"] if track.commit else []
    parts += ["force"] if track.force else []
    if track.table is not None:
        parts.append(f"table={names.table(track.table)}")
    if track.zone_field is not None:
        parts.append(f"zone={_bits(track.zone_field, track.zone_bit, 16, names)}")
    elif track.zone:
        parts.append(f"zone={track.zone}")
    if track.nat is not None:
        parts.append(_nat_text(track.nat))
    if track.then:
        parts.append(f"exec({','.join(action_text(each, names) for each in track.then)})")
    return f"ct({','.join(parts)})" if parts else "ct"


def _nat_text(nat: Nat) -> str:
    if not nat.kind:
        return "nat"
    bracket = "[{}]" if ":" in nat.address and nat.ports else "{}"
    text = bracket.format(nat.address) + (f"-{bracket.format(nat.last_address)}" if nat.last_address else "")
    if nat.ports:
        first, last = nat.ports
        text += f":{first}" + (f"-{last}" if last != first else "")
    return f"nat({nat.kind}={text})"


def _group_text(number: int, body: bytes, names: Names) -> str:
    group = buckets.read_group(body)
    parts = [f"group_id={number}", f"type={group.type}"]
    for bucket in group.buckets:
        said = [f"weight:{bucket.weight}"] if group.type == "select" else []
        said += [] if bucket.watch_port is None else [f"watch_port:{bucket.watch_port}"]
        said.append("actions=" + (",".join(action_text(each, names) for each in bucket.actions) or "drop"))
        parts.append("bucket=" + ",".join(said))
    return ",".join(parts)
