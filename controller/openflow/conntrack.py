"""Connection tracking as the walk needs it: zones, committed connections, marks, address translation.

It follows Open vSwitch's userspace tracker: what is new, established, a reply, related or invalid. There is no
time: a connection stays until `forget`. TCP sequence numbers are not looked at.
"""
from __future__ import annotations

import socket
from collections.abc import Mapping, MutableMapping
from typing import Any, NamedTuple

from controller.openflow.actions import Nat

NEW, ESTABLISHED, RELATED, REPLY, INVALID, TRACKED, SNAT, DNAT = (1 << bit for bit in range(8))
_ICMP, _TCP, _UDP, _ICMP6, _SCTP = 1, 6, 17, 58, 132
_SYN, _FIN, _RST, _PSH, _ACK, _URG = 2, 1, 4, 8, 16, 32
_LATER_FRAGMENT = 3
_ECHO = {_ICMP: (8, 0), _ICMP6: (128, 129)}
_OTHER_REQUESTS = {13: 14, 15: 16}              # ICMP timestamp and information
_ERRORS = {_ICMP: (3, 4, 5, 11, 12), _ICMP6: (1, 2, 3, 4)}
_PORTS = {_TCP: "tcp", _UDP: "udp", _SCTP: "sctp"}
CT_FIELDS = ("ct_state", "ct_zone", "ct_mark", "ct_label", "ct_nw_src", "ct_nw_dst", "ct_ipv6_src", "ct_ipv6_dst",
              "ct_nw_proto", "ct_tp_src", "ct_tp_dst")


class Way(NamedTuple):
    """One direction of a connection: for ICMP the ports are the type and the identifier."""

    family: int
    protocol: int
    source: int
    source_port: int
    target: int
    target_port: int

    def back(self) -> Way:
        """The direction of the answers."""
        ports = (self.target_port, self.source_port)
        if self.protocol in _ECHO:
            ports = (_answer_type(self.protocol, self.source_port), self.target_port)
        return Way(self.family, self.protocol, self.target, ports[0], self.source, ports[1])


def _answer_type(protocol: int, kind: int) -> int:
    request, reply = _ECHO[protocol]
    pairs = {request: reply, reply: request, **(_OTHER_REQUESTS if protocol == _ICMP else {})}
    return pairs.get(kind, {answer: asked for asked, answer in _OTHER_REQUESTS.items()}.get(kind, kind))


class Connection:
    """A committed connection. `reply` is what answers look like on the wire, after any translation."""

    def __init__(self, zone: int, original: Way, reply: Way) -> None:
        self.zone, self.original, self.reply = zone, original, reply
        self.mark = self.label = 0
        self.answered = False
        self.finished: set[bool] = set()        # which directions (reply or not) have said goodbye
        self.closed = False                     # a SYN may begin it anew

    @property
    def translated(self) -> int:
        """SNAT or DNAT (ct_state bits), or 0."""
        plain = self.original.back()
        source = (self.reply.target, self.reply.target_port) != (plain.target, plain.target_port)
        target = (self.reply.source, self.reply.source_port) != (plain.source, plain.source_port)
        return (SNAT if source else 0) | (DNAT if target else 0)


class Conntrack:
    """All zones of a switch. Share one between walks so that replies are recognised."""

    def __init__(self) -> None:
        self.connections: dict[tuple[int, Way], Connection] = {}

    def forget(self, zone: int | None = None) -> None:
        """Forget the connections of a zone, or all."""
        self.connections = {key: each for key, each in self.connections.items() if zone is not None and key[0] != zone}

    def track(self, packet: MutableMapping[str, Any], zone: int, *, commit: bool = False, force: bool = False,
              nat: Nat | None = None, mark: tuple[int, int] | None = None,
              label: tuple[int, int] | None = None) -> None:
        """What ct() does to a packet: its ct_ fields are set, its connection is remembered, its addresses translated.

        `mark` and `label` are (value, mask). An ICMP error holds the packet that it quotes as `quoted`.
        """
        last_zone, earlier = packet.get("tracked", (None, 0))
        clear(packet)
        way, related = _subject(packet)
        found = self.connections.get((zone, way)) if way else None
        reply = found is not None and way == found.reply
        if found and not related and (force and reply or found.closed and _flags(packet) & (_SYN | _ACK) == _SYN):
            self._drop(found)
            found, reply = None, False
        if found:
            known = earlier if last_zone == zone else 0
            state = self._known(found, packet, reply=reply, related=related, earlier=known)
            if nat is not None and found.translated:
                state |= _translate(packet, found, reply=reply)
        elif related or way is None or not _may_begin(packet, way):
            state = INVALID
        else:
            state = NEW
            if commit:
                found = self._commit(zone, way, nat)
                state |= _translate(packet, found, reply=False) if found.translated else 0
        if found:
            found.mark, found.label = _masked(found.mark, mark), _masked(found.label, label)
        self._write(packet, zone, state, found, way)

    @staticmethod
    def _known(found: Connection, packet: Mapping[str, Any], *, reply: bool, related: bool, earlier: int) -> int:
        direction = REPLY if reply else 0
        if related:
            return RELATED | direction
        flags = _flags(packet) if found.original.protocol == _TCP else None
        found.answered = found.answered or reply or flags is not None and flags & (_SYN | _ACK) != _SYN
        if flags is not None:
            found.closed = found.closed or len(found.finished) == 2 or bool(flags & _RST)
            found.finished |= {reply} if flags & _FIN else set()
        return (earlier & ~NEW | ESTABLISHED | direction) if found.answered else earlier | NEW

    def _commit(self, zone: int, way: Way, nat: Nat | None) -> Connection:
        reply = way.back()
        if nat is not None and nat.kind:
            family = socket.AF_INET6 if ":" in nat.address else socket.AF_INET
            address = int.from_bytes(socket.inet_pton(family, nat.address), "big")
            port = nat.ports[0] if nat.ports else None
            if nat.kind == "src":
                reply = reply._replace(target=address, target_port=reply.target_port if port is None else port)
            else:
                reply = reply._replace(source=address, source_port=reply.source_port if port is None else port)
        made = Connection(zone, way, reply)
        self.connections[zone, way] = self.connections[zone, reply] = made
        return made

    def _drop(self, found: Connection) -> None:
        self.connections = {key: each for key, each in self.connections.items() if each is not found}

    @staticmethod
    def _write(packet: MutableMapping[str, Any], zone: int, state: int, found: Connection | None,
               way: Way | None) -> None:
        packet.update(ct_state=state | TRACKED, ct_zone=zone, tracked=(zone, state))
        origin = found.original if found else way
        if origin is None or state == INVALID:
            return
        if found:
            packet.update(ct_mark=found.mark, ct_label=found.label)
        source, target = ("ct_nw_src", "ct_nw_dst") if origin.family == 4 else ("ct_ipv6_src", "ct_ipv6_dst")
        # Of ICMP these show the type and the code; what can be tracked has code 0.
        port = 0 if origin.protocol in _ECHO else origin.target_port
        packet.update({source: origin.source, target: origin.target, "ct_nw_proto": origin.protocol,
                       "ct_tp_src": origin.source_port, "ct_tp_dst": port})


def clear(packet: MutableMapping[str, Any]) -> None:
    """What ct_clear does: the packet was never tracked."""
    for name in CT_FIELDS:
        packet.pop(name, None)
    packet.pop("tracked", None)


def _masked(value: int, change: tuple[int, int] | None) -> int:
    return value if change is None else value & ~change[1] | change[0] & change[1]


def _subject(packet: Mapping[str, Any]) -> tuple[Way | None, bool]:
    """The direction that a packet belongs to, and whether it does so only as an error about it."""
    way = _way(packet)
    if way is None or way.protocol not in _ECHO:
        return way, False
    if way.source_port not in _ERRORS[way.protocol]:
        return way, False
    about = _way(packet["quoted"]) if packet.get("quoted") else None
    return about.back() if about else None, True


def _way(packet: Mapping[str, Any]) -> Way | None:
    """The direction that a packet travels in; None if it is no packet that can be tracked."""
    family = {0x0800: 4, 0x86DD: 6}.get(packet.get("eth_type", 0))
    if family is None or packet.get("ip_frag", 0) == _LATER_FRAGMENT:
        return None
    source, target = ("ipv4_src", "ipv4_dst") if family == 4 else ("ipv6_src", "ipv6_dst")
    if source not in packet or "ip_proto" not in packet:
        return None         # a frame that says IP and is none
    protocol = packet.get("ip_proto", 0)
    ports = 0, 0
    if protocol in _PORTS:
        name = _PORTS[protocol]
        ports = packet.get(f"{name}_src", 0), packet.get(f"{name}_dst", 0)
    elif protocol in _ECHO:
        if (protocol == _ICMP) != (family == 4):
            return None
        kind, code = (packet.get(f"icmpv{family}_{what}", 0) for what in ("type", "code"))
        known = _ECHO[protocol] + (tuple(sum(_OTHER_REQUESTS.items(), ())) if protocol == _ICMP else ())
        if kind not in _ERRORS[protocol] and (code or kind not in known):
            return None
        ports = kind, packet.get("icmp_id", 0)
    return Way(family, protocol, packet.get(source, 0), ports[0], packet.get(target, 0), ports[1])


def _flags(packet: Mapping[str, Any]) -> int:
    return packet.get("tcp_flags", _SYN)


def _may_begin(packet: Mapping[str, Any], way: Way) -> bool:
    """Whether a connection may begin with this packet. TCP without flags counts as a SYN."""
    if way.protocol in _ECHO:
        kind = way.source_port
        return kind == _ECHO[way.protocol][0] or way.protocol == _ICMP and kind in _OTHER_REQUESTS
    if way.protocol != _TCP:
        return True
    flags = _flags(packet)
    if flags & _SYN:
        return not flags & (_RST | _FIN | _ACK)
    return bool(flags & (_ACK | _RST)) and (bool(flags & _ACK) or not flags & (_FIN | _PSH | _URG))


def _translate(packet: MutableMapping[str, Any], found: Connection, *, reply: bool) -> int:
    """Rewrite a packet of a translated connection; the ct_state bits that say so."""
    seen = found.original.back() if reply else found.reply.back()
    source, target = ("ipv4_src", "ipv4_dst") if seen.family == 4 else ("ipv6_src", "ipv6_dst")
    packet[source], packet[target] = seen.source, seen.target
    name = _PORTS.get(seen.protocol)
    if name:
        packet[f"{name}_src"], packet[f"{name}_dst"] = seen.source_port, seen.target_port
    bits = found.translated
    return ((DNAT if bits & SNAT else 0) | (SNAT if bits & DNAT else 0)) if reply else bits
