"""A packet's way through the cloud: walked switch by switch, through tunnels, until it has arrived or is dropped."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from apps.pipeline import PIPELINE, TUNNEL_PORT
from controller.openflow import decode, packets
from controller.openflow.actions import PORT_CONTROLLER, PORT_LOCAL
from controller.openflow.fields import FIELDS, number
from controller.openflow.packets import HEADERS
from controller.openflow.walk import walk
from controller.openflow.walked import Punt
from tests.kit import frames
from tests.kit.wires import PRESENT, Outsider, across, uplink_at
from topology.binding import holder

_MOST_HOPS = 100
_TYPES = {port: kind for kind, port in TUNNEL_PORT.items()}


class Journey:
    """What became of a packet. Each assertion shows the walk when it fails."""

    def __init__(self, sender: str) -> None:
        self.sender = sender
        self.arrivals: list[tuple[str, dict[str, Any]]] = []  # port's name, the packet as it got there
        self.answers: list[dict[str, Any]] = []  # what came back through the sender's own port
        self.punts: list[Punt] = []
        self.told: list[Punt] = []  # … that are dropped, and only told of
        self.drops: list[str] = []
        self.hops: list[tuple[str, str, str, int]] = []  # tunnels: from host, to host, type, key
        self.links: list[tuple[str, str]] = []  # from switch, to switch, over links
        self.labels: list[tuple[int, ...]] = []  # … and the frame's labels there, the outermost first
        self.queues: list[tuple[str, int, int]] = []  # switch, port, queue that it waited in
        self.wires: list[tuple[str, str, int | None]] = []  # physical networks: host, name, VLAN
        self.lines: list[str] = []

    # ---- what a test says
    def reaches(self, *ports: Any) -> Journey:
        """Exactly these ports get it, each once, and nobody answers it on the way."""
        __tracebackhide__ = True
        self._is(
            Counter(name for name, _ in self.arrivals) == Counter(port.name for port in ports),
            f"should reach {_list(port.name for port in ports)}",
        )
        self._is(not self.answers and not self.punts, "should be carried and not answered on the way")
        return self

    def reaches_and_tells(self, app: int, *ports: Any) -> Journey:
        """Exactly these ports get it, and the controller a copy by a flow of this app."""
        __tracebackhide__ = True
        self._is(
            [punt.cookie >> 56 for punt in self.punts] == [app], f"should go to the controller once, for app {app}"
        )
        self.punts = []
        return self.reaches(*ports)

    def reaches_nobody(self, reason: str | None = None) -> Journey:
        """Nobody gets it, neither switch nor controller answers; if a reason is given, a drop says it."""
        __tracebackhide__ = True
        self._is(not self.arrivals, "should reach nobody")
        self._is(not self.answers and not self.punts, "should not be answered")
        self._is(reason is None or reason in self.refused, f"should be dropped because of {reason!r}")
        return self

    def answered(self, **wanted: Any) -> Journey:
        """The sender gets it back changed, with these fields, and nobody else hears of it."""
        __tracebackhide__ = True
        self._is(len(self.answers) == 1 and not self.punts, "should be answered by the switch, once")
        self._is(not self.arrivals, "should reach nobody but the one who asked")
        for name, value in wanted.items():
            found = self.answers[0].get(name, 0)
            self._is(found == number(FIELDS[name], value), f"{name} of the answer should be {value}, is {found:#x}")
        return self

    def asks_controller(self, app: int) -> Journey:
        """The controller gets it by a flow of this app, once, and nobody else hears of it."""
        __tracebackhide__ = True
        self._is(
            [punt.cookie >> 56 for punt in self.punts] == [app], f"should go to the controller once, for app {app}"
        )
        self._is(not self.arrivals and not self.answers, "should reach nobody but the controller")
        return self

    @property
    def refused(self) -> str:
        """Why it was dropped, where it was."""
        return ", ".join(dict.fromkeys(self.drops))

    @property
    def arrived(self) -> dict[str, Any]:
        """The packet as its one receiver got it."""
        self._is(len(self.arrivals) == 1, "should arrive once")
        return self.arrivals[0][1]

    def _is(self, true: bool, said: str) -> None:
        __tracebackhide__ = True
        if not true:
            raise AssertionError(f"{said}\n{self}")

    def __str__(self) -> str:
        return "\n".join(
            [
                f"from {self.sender}",
                *self.lines,
                f"arrived at {_list(name for name, _ in self.arrivals)}"
                + (f", answered {len(self.answers)} times" if self.answers else "")
                + (f", {len(self.punts)} times to the controller" if self.punts else "")
                + (f", refused: {self.refused}" if self.drops else ""),
            ]
        )

    def __repr__(self) -> str:
        return f"<journey from {self.sender} to {_list(name for name, _ in self.arrivals)}>"


def _list(names: Any) -> str:
    return ", ".join(sorted(names)) or "nobody"


def carry(net: Any, sender: str, switch: str, ofport: int, packet: dict[str, Any]) -> Journey:
    """Walk a packet from a switch's port through the cloud."""
    return _carry(net, Journey(sender), [(switch, {**packet, "in_port": ofport})], (switch, ofport))


def carry_in(net: Any, sender: Outsider, packet: dict[str, Any]) -> Journey:
    """Walk a packet from a machine on a physical network, which reaches every host there."""
    journey = Journey(sender.name)
    entering, heard = across(net, sender.wire, {**packet, "vlan_vid": sender.tag} if sender.vlan else packet)
    journey.arrivals += [(one.name, packet) for one in heard if one is not sender]
    return _carry(net, journey, entering, None)


def _carry(net: Any, journey: Journey, entering: list[tuple[str, dict[str, Any]]], start: tuple[str, int] | None) -> Journey:
    waiting, tag = deque(entering), _tag(entering[0][1]) if entering else 0
    for _ in range(_MOST_HOPS):
        if not waiting:
            return journey
        here, packet = waiting.popleft()
        bridge = net.bridges[here]
        first = packet.pop("table", 0)
        seen = walk(bridge.tables, packet, table=first, conntrack=bridge.conntrack, pipeline=PIPELINE,
                    down={port for switch, port in net.cut if switch == here}, choose=net.choose)
        host = net.model.get("switch", here).host_id
        journey.lines += [f"-- {host}", *seen.lines]
        journey.punts += [punt for punt in seen.punted if not punt.refused]
        journey.told += [punt for punt in seen.punted if punt.refused]
        journey.drops += seen.drops
        for port, frame, queue in seen.sent:
            journey.queues += [(here, port, queue)] if queue else []
            if port in _TYPES:
                waiting += _through_tunnel(net, journey, here, port, frame)
            elif link := link_at(net, here, port):
                waiting += _over_link(net, journey, link, frame)
            elif uplink := uplink_at(net, here, port):
                waiting += _onto_wire(net, journey, here, uplink, frame)
            elif (here, port) == start and _tag(frame) == tag:
                journey.answers.append(frame)
            else:
                journey.arrivals.append((_name(net, here, port, _tag(frame)), frame))
    raise AssertionError(f"still under way after {_MOST_HOPS} switches\n{journey}")


def _over_link(net: Any, journey: Journey, link: Any, frame: dict[str, Any]) -> list[tuple[str, dict]]:
    """Where a frame comes out of a link, unless the link is cut."""
    if {(link.source_switch_id, link.source_port), (link.target_switch_id, link.target_port)} & net.cut:
        journey.drops.append("the link is cut")
        return []
    journey.links.append((link.source_switch_id, link.target_switch_id))
    journey.labels.append(tuple(_labels(frame)))
    headers = {name: frame[name] for name in HEADERS if name in frame}
    return [(link.target_switch_id, {**headers, "in_port": link.target_port})]


def _labels(frame: dict[str, Any]) -> Iterator[int]:
    while "mpls_label" in frame:
        yield frame["mpls_label"]
        if frame.get("mpls_bos"):
            return
        frame = frame.get("payload", {})


def link_at(net: Any, switch: str, port: int) -> Any:
    """The link that leaves a switch by a port, or None."""
    return net.model.get("link", f"{switch}:{port}")


def _onto_wire(net: Any, journey: Journey, here: str, uplink: Any, frame: dict[str, Any]) -> list[tuple[str, dict]]:
    tag = frame.get("vlan_vid", 0)
    journey.wires.append((uplink.host_id, uplink.physical_network, tag & 0xFFF if tag & PRESENT else None))
    entering, heard = across(net, uplink.physical_network, frame, sender=here)
    journey.arrivals += [(one.name, frame) for one in heard]
    return entering


def answers(net: Any, journey: Journey, frame: bytes) -> tuple[Any, ...]:
    """What the controller makes of a packet that it was handed, or told of: with the MACs that it had then, and its time
    to live."""
    (punt, *_) = journey.punts or journey.told
    found = punt.packet
    raw = b"".join(found[name].to_bytes(6, "big") for name in ("eth_dst", "eth_src")) + frame[12:]
    if "nw_ttl" in found:
        raw = frames.aged(raw, found["nw_ttl"])
    rule, (id, *_) = net.compiler.punts[punt.cookie]
    return tuple(rule.answers(net.compiler.world, net.model.get(rule.per, id), raw))


def put_in(net: Any, switch: str, actions: bytes, packet: dict[str, Any], in_port: int = PORT_CONTROLLER) -> Journey:
    """Walk a packet that the controller hands to a switch with actions that set registers and name a table."""
    packet = dict(packet)
    for action in decode.read_actions(actions, 0, len(actions)):
        match action:
            case decode.SetField(field, value, mask):
                packets.write(packet, field, value, mask)
            case decode.Resubmit(table):
                packet["table"] = table
            case _:
                raise ValueError(f"{action} cannot be walked")
    return carry(net, "the controller", switch, in_port, packet)


def _tag(frame: dict[str, Any]) -> int:
    tag = frame.get("vlan_vid", 0)
    return tag & 0xFFF if tag & PRESENT else 0


def _name(net: Any, switch: str, ofport: int, tag: int) -> str:
    """Of a trunk's interface the name of the sub-port with that tag."""
    if ofport == PORT_LOCAL:
        return "the host itself"
    here = [seen for seen in net.model.find("interface", "switch_id", switch) if seen.ofport == ofport]
    bound = net.model.get("port", net.compiler.world.known(holder, here[0].id)) if here else None
    owners = [bound.id] if bound is not None else [seen.port_id for seen in here]
    subs = {one.segmentation_id: one.port_id for owner in owners for trunk in net.model.find("trunk", "port_id", owner)
            for one in trunk.sub_ports}
    if tag in subs:
        return str(net.model.get("port", subs[tag]).name)
    found = [bound.name] if bound is not None else [seen.name for seen in here]
    return found[0] if found else f"port {ofport} of {switch}, which is not there"


def _through_tunnel(net: Any, journey: Journey, here: str, port: int, frame: dict[str, Any]) -> list[tuple[str, dict]]:
    """Where a frame comes out again: (switch, packet), or nothing if no host has that address."""
    v6 = not frame.get("tun_dst", 0)  # as in Open vSwitch: an IPv4 address, if there is one, is the one
    address = frame.get("tun_ipv6_dst", 0) if v6 else frame["tun_dst"]
    field = FIELDS["tun_ipv6_dst" if v6 else "tun_dst"]
    for host in net.model.find("host", "all", True):
        if host.tunnel_ip and (":" in host.tunnel_ip) == v6 and number(field, host.tunnel_ip) == address:
            there = net.switch_on(host.id)
            own = net.model.get("host", net.model.get("switch", here).host_id)
            journey.hops.append((own.id, host.id, _TYPES[port], frame.get("tunnel_id", 0)))
            source = {}
            if own.tunnel_ip and (":" in own.tunnel_ip) == v6:
                source = {"tun_ipv6_src" if v6 else "tun_src": number(field, own.tunnel_ip)}
            headers = {name: frame[name] for name in HEADERS if name in frame}
            return [(there, {**headers, **source, "tunnel_id": frame.get("tunnel_id", 0), "in_port": port})]
    journey.drops.append(f"no host has the tunnel address {address:#x}")
    return []
