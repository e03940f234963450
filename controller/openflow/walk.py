"""Carry a packet through what a switch holds, and say what became of it: ofproto/trace in Python.

    seen = walk(held, {"in_port": 1, "eth_type": 0x0800, ...}, conntrack=tracker, pipeline=PIPELINE)
    seen.ports            # [4]: where it went
    print(seen)           # table by table

Where this and Open vSwitch disagree, this is wrong.
"""
from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from typing import Any

from controller.openflow import decode, packets
from controller.openflow.actions import PORT_CONTROLLER, PORT_IN_PORT, PORT_LOCAL
from controller.openflow.buckets import Bucket, action_set
from controller.openflow.classify import Rule, Tables
from controller.openflow.conntrack import Conntrack, clear
from controller.openflow.fields import ETH_IPV4, ETH_IPV6, ETH_MPLS, ETH_MPLS_MULTICAST
from controller.openflow.group import Entry
from controller.openflow.packet_in import APPLY_ACTION, GROUP, INVALID_TTL
from controller.openflow.packets import Packet
from controller.openflow.pipeline import Pipeline
from controller.openflow.text import CT_STATES, Names, action_text, match_parts, port_text
from controller.openflow.walked import Punt, Sent, Walk

_DEEPEST = 64           # resubmits backwards and groups within each other (Open vSwitch's MAX_DEPTH)
_MOST_RESUBMITS = 4096  # in all (its MAX_RESUBMITS)
_MOST_ROUNDS = 6        # times a packet may come back from connection tracking (the userspace's MAX_RECIRC_DEPTH)
_HIGHEST_PORT = 0xFFFFFF00


Choice = Callable[[int, tuple[Bucket, ...]], int]


def heaviest(group: int, buckets: tuple[Bucket, ...]) -> int:
    """A select group's choice when nothing else is said: the first of the greatest weight."""
    return max(range(len(buckets)), key=lambda place: (buckets[place].weight, -place))


def walk(held: Tables | Mapping[Any, Any] | Iterable[Entry], packet: Mapping[str, Any], *, table: int = 0,
         conntrack: Conntrack | None = None, pipeline: Pipeline | None = None, exceeded: Container[int] = (),
         down: Container[int] = (), choose: Choice = heaviest) -> Walk:
    """Send a packet in at `table`. `packet` holds in_port and header fields, as numbers or as text.

    `conntrack` is changed by what the packet commits. `exceeded` are meters that let nothing by, `down` are ports
    without a carrier (for fast failover), `choose` picks a select group's bucket. Raises ValueError for an action
    that it cannot carry out, Malformed for bytes that make no sense.
    """
    tables = held if isinstance(held, Tables) else Tables(held)
    walker = _Walker(tables, conntrack or Conntrack(), Names(pipeline), exceeded, down, choose)
    carried = packets.packet(packet)
    walker.say(0, packets.text(carried))
    walker.branch(table, carried, 0)
    if not walker.seen.sent and not walker.seen.punted:
        walker.say(0, "=> dropped" + (f": {', '.join(dict.fromkeys(walker.seen.drops))}" if walker.seen.drops else ""))
    return walker.seen


class _Metered(Exception):
    """A meter let the packet not by."""


class _TooMuch(Exception):
    """Resubmitted too deep or too often: Open vSwitch then does nothing at all with the packet."""


class _Walker:
    def __init__(self, tables: Tables, conntrack: Conntrack, names: Names, exceeded: Container[int],
                 down: Container[int], choose: Choice) -> None:
        self.tables, self.conntrack, self.names = tables, conntrack, names
        self.exceeded, self.down, self.choose = exceeded, down, choose
        self.seen = Walk()
        self.rounds = self.resubmits = self.deep = 0

    def say(self, depth: int, text: str) -> None:
        self.seen.lines.append("  " * depth + text)

    def branch(self, table: int, packet: Packet, depth: int) -> None:
        """A packet of its own: what a meter does to it does not touch others."""
        seen, outer = self.seen, (self.resubmits, self.deep)
        sent, punted, self.resubmits, self.deep = len(seen.sent), len(seen.punted), 0, 0
        try:
            self.enter(table, packet, depth, resubmitted=False)
        except _Metered:
            self.say(depth + 1, "=> exceeds the meter, dropped")
        except _TooMuch:
            self.say(depth + 1, f"=> resubmitted more than {_DEEPEST} deep or {_MOST_RESUBMITS} times: all is undone")
            del seen.sent[sent:], seen.punted[punted:]
        self.resubmits, self.deep = outer

    def enter(self, table: int, packet: Packet, depth: int, *, resubmitted: bool) -> None:
        """Go through tables from `table` on."""
        at: int | None = table
        while at is not None:
            rule, rivals = self.tables.find(at, _shown(packet))
            name = f"{self.names.table(at)}({at})" if self.names.pipeline else f"table {at}"
            if rule is None:
                self.say(depth, f"{name}: no flow matches" + ("" if resubmitted else ", dropped"))
                return
            matched = ", ".join(match_parts(rule.key[2], self.names)) or "any"
            self.say(depth, f"{name}: priority {rule.priority}, {matched}, cookie {rule.cookie:#x}")
            for rival in rivals:
                said = ", ".join(match_parts(rival.key[2], self.names)) or "any"
                self.say(depth + 1, f"ambiguous: of the same priority is {said}")
                self.seen.ambiguous.append((rule.key, rival.key))
            at = self.next_table(rule, packet, depth)
            if at is not None:
                self.check_resources()              # to Open vSwitch a goto is a resubmit to a later table

    def next_table(self, rule: Rule, packet: Packet, depth: int) -> int | None:
        """Carry out a flow's instructions; where it goes on."""
        body = rule.body
        if body.other:
            raise ValueError(f"instruction {body.other[0].raw.hex()} cannot be walked")
        if rule.reason:
            self.say(depth + 1, f"drop: {rule.reason}")
            self.seen.drops.append(rule.reason)
        if body.meter is not None:
            self.say(depth + 1, f"meter:{body.meter}")
            if body.meter in self.exceeded:
                raise _Metered
        for action in body.actions:
            if not self.do(action, rule, packet, depth + 1, APPLY_ACTION):
                return None
        if body.goto is None and not body.actions and not rule.reason:
            self.say(depth + 1, "drop")
        return body.goto

    def do(self, action: decode.Action, rule: Rule, packet: Packet, depth: int, reason: int) -> bool:
        """Carry out one action; False if nothing after it is to be done."""
        self.say(depth, action_text(action, self.names))
        match action:
            case decode.Output(port, max_len):
                self.output(port, max_len, rule, packet, depth, reason)
            case decode.Tell(meter, max_len):
                self.tell(meter, max_len, rule, packet, depth, reason)
            case decode.Track():
                self.track(action, packet, depth)
            case decode.Clone(then):
                self.clone(then, rule, packet, depth)
            case decode.Resubmit(table):
                self.resubmit(table, rule, packet, depth)
            case decode.ToGroup(number):
                self.group(number, rule, packet, depth)
            case decode.Plain(name, argument):
                return self.plain(name, argument, rule, packet, depth)
            case decode.Unknown() | decode.Conjunction():
                raise ValueError(f"{action_text(action, self.names)} cannot be walked")
            case _:
                _rewrite(action, packet)
        return True

    def clone(self, then: tuple[decode.Action, ...], rule: Rule, packet: Packet, depth: int) -> None:
        """Carry actions out with a copy; a meter that lets the copy not by ends nothing else."""
        copy = dict(packet)
        with suppress(_Metered):
            for action in then:
                if not self.do(action, rule, copy, depth + 1, APPLY_ACTION):
                    break

    def resubmit(self, table: int, rule: Rule, packet: Packet, depth: int) -> None:
        """Only a resubmit to this table or one before it makes the packet's way deeper."""
        self.check_resources()
        deeper = table <= rule.key[0]
        self.deep += deeper
        self.enter(table, packet, depth, resubmitted=True)
        self.deep -= deeper

    def check_resources(self) -> None:
        self.resubmits += 1
        if self.deep >= _DEEPEST or self.resubmits > _MOST_RESUBMITS:
            raise _TooMuch

    def plain(self, name: str, argument: int | None, rule: Rule, packet: Packet, depth: int) -> bool:
        """push_vlan, pop_vlan, push_mpls, pop_mpls, dec_ttl or dec_mpls_ttl."""
        if name == "dec_mpls_ttl":
            return self.count_hop(packet, rule, depth)
        if name == "dec_ttl":
            if packet.get("eth_type") not in (ETH_IPV4, ETH_IPV6):
                return True
            if packet.get("nw_ttl", 0) <= 1:
                self.say(depth, "=> TTL ran out, to the controller")
                self.punt(0xFFFF, rule, packet, INVALID_TTL)
                return False
            packet["nw_ttl"] -= 1
        elif name == "push_vlan":
            packets.push_vlan(packet)
        elif name == "pop_vlan":
            packets.pop_vlan(packet)
        elif argument is not None:
            (packets.push_mpls if name == "push_mpls" else packets.pop_mpls)(packet, argument)
        return True

    def count_hop(self, packet: Packet, rule: Rule, depth: int) -> bool:
        """Take one off the outermost label's TTL; False if it has run out."""
        if packet.get("eth_type") in (ETH_MPLS, ETH_MPLS_MULTICAST):
            left = packet.get("mpls_ttl", packets.TTL)
            if left <= 1:
                self.say(depth, "=> TTL ran out, to the controller")
                self.punt(0xFFFF, rule, packet, INVALID_TTL)
                return False
            packet["mpls_ttl"] = left - 1
        return True

    def output(self, port: int, max_len: int, rule: Rule, packet: Packet, depth: int, reason: int) -> None:
        came = packet.get("in_port", 0)
        if port == PORT_CONTROLLER:
            self.say(depth, "=> controller")
            self.punt(max_len, rule, packet, reason)
        elif port == came or port == PORT_IN_PORT and not came:
            self.say(depth, "=> not sent back to the port it came from" if came else "=> it has come from no port")
        elif port in (PORT_IN_PORT, PORT_LOCAL) or port < _HIGHEST_PORT:
            target = came if port == PORT_IN_PORT else port
            self.say(depth, f"=> port {port_text(target)}")
            self.seen.sent.append(Sent(target, packets.frame({**packet, **packet.get("rewritten", {})}), packet.get("queue", 0)))
        else:
            raise ValueError(f"output to {port_text(port)} cannot be walked")

    def tell(self, meter: int, max_len: int, rule: Rule, packet: Packet, depth: int, reason: int) -> None:
        """A copy for the controller, unless the meter keeps it back; nothing else hangs on that."""
        if meter in self.exceeded:
            self.say(depth, "=> exceeds the meter, not told")
        else:
            self.say(depth, "=> controller")
            self.punt(max_len, rule, packet, reason)

    def punt(self, max_len: int, rule: Rule, packet: Packet, reason: int) -> None:
        self.seen.punted.append(Punt(rule.cookie, rule.key[0], reason, max_len,
                                     {**packet, **packet.get("rewritten", {})}, bool(rule.reason)))

    def track(self, action: decode.Track, packet: Packet, depth: int) -> None:
        """ct(): the packet is tracked; a copy goes on in the table named, the packet itself goes on untracked."""
        zone = packets.read(packet, action.zone_field, action.zone_bit, 16) if action.zone_field else action.zone
        tracked = dict(packet)
        tracked.update(tracked.pop("rewritten", {}))
        marks = {each.field.name: (each.value, each.mask) for each in action.then if isinstance(each, decode.SetField)}
        for each in action.then:
            if isinstance(each, decode.Move):
                value = packets.read(packet, each.source, each.source_bit, each.bits)
                marks[each.target.name] = value << each.target_bit, (1 << each.bits) - 1 << each.target_bit
        self.conntrack.track(tracked, zone, commit=action.commit, force=action.force, nat=action.nat,
                             mark=marks.get("ct_mark"), label=marks.get("ct_label"))
        state = tracked["ct_state"]
        words = "+".join(word for bit, word in enumerate(CT_STATES) if state >> bit & 1)
        mark = f", mark {tracked['ct_mark']:#x}" if tracked.get("ct_mark") else ""
        self.say(depth, f"=> zone {zone}: +{words}{mark}")
        changed = {name: tracked[name] for name in packets.HEADERS if tracked.get(name) != packet.get(name)}
        clear(packet)
        packet["tracked"] = tracked["tracked"]
        if changed:
            packet["rewritten"] = changed
        if action.table is not None:
            self.again(action.table, tracked, depth)

    def again(self, table: int, packet: Packet, depth: int) -> None:
        self.rounds += 1
        if self.rounds > _MOST_ROUNDS:
            self.say(depth, f"=> tracked more than {_MOST_ROUNDS} times, dropped")
        else:
            self.branch(table, packet, depth)
        self.rounds -= 1

    def group(self, number: int, rule: Rule, packet: Packet, depth: int) -> None:
        group = self.tables.groups.get(number)
        if group is None:
            self.say(depth, "=> no such group")
            return
        buckets = group.buckets
        if group.type == "select":
            live = tuple(each for each in buckets if each.weight and self.live(each))
            buckets = (live[self.choose(number, live)],) if live else ()
        elif group.type == "ff":
            buckets = tuple(each for each in buckets if self.live(each))[:1]
        if not buckets:
            self.say(depth, "=> no bucket, dropped")
        if self.deep >= _DEEPEST:
            raise _TooMuch
        self.deep += 1
        for bucket in buckets:
            self.say(depth, f"bucket of {len(group.buckets)}")
            copy = dict(packet)
            for action in action_set(bucket.actions):
                if not self.do(action, rule, copy, depth + 1, GROUP):
                    break
        self.deep -= 1

    def live(self, bucket: Bucket) -> bool:
        return bucket.watch_port is None or bucket.watch_port not in self.down


_HIDDEN = frozenset({*(f"{protocol}_{end}" for protocol in ("tcp", "udp", "sctp") for end in ("src", "dst")),
                     "icmpv4_type", "icmpv4_code", "icmpv6_type", "icmpv6_code"})
_FIRST_FRAGMENT = 1


def _rewrite(action: decode.Action, packet: Packet) -> None:
    """Carry out an action that changes nothing but the packet."""
    match action:
        case decode.SetField(field, value, mask):
            if packets.has(packet, field):
                packets.write(packet, field, value, mask)
        case decode.Move(source, source_bit, target, target_bit, bits):
            if packets.has(packet, source) and packets.has(packet, target):
                value = packets.read(packet, source, source_bit, bits)
                packets.write(packet, target, value << target_bit, (1 << bits) - 1 << target_bit)
        case decode.Larger(size, field, bit):
            packets.write(packet, field, (packet.get("length", 0) > size) << bit, 1 << bit)
        case decode.Untrack():
            clear(packet)
        case decode.SetQueue(number):
            packet["queue"] = number
        case decode.Encap(kind):
            packets.encap(packet, kind)
        case decode.Decap():
            packets.decap(packet)


def _shown(packet: Packet) -> Packet:
    """What flows see of a packet: of a first fragment no ports and no ICMP type, as if it were a later one."""
    if packet.get("ip_frag", 0) != _FIRST_FRAGMENT:
        return packet
    return {name: 0 if name in _HIDDEN else value for name, value in packet.items()}


__all__ = ["Conntrack", "Punt", "Sent", "Tables", "Walk", "heaviest", "walk"]
