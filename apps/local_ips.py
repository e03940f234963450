"""Local IPs: an address that on each host stands for a port of that host.

    there   answer (of a machine of the port's network, on the port's host) ─► the port's MAC; the port's address, in its zone
            ─► answer again: whoever guards the sender judges it as what it has become
    back    deliver (of the port, to a port of its host) ─► the local IP again, if it is of such a connection

What is told by ARP is always the MAC of the port that the address is of, on whichever host: a machine need learn nothing
when it moves, or when the address stands for another port. A host without such a port sends on to whose address it is. Groups see the port's own address (`translate`), or the local IP itself (`passthrough`, where the port has
it on its interface and may send from it, within its host).
"""
from __future__ import annotations

from typing import Any

from apps.guards import guard_of, has_subnets, pairs
from apps.neighbours import ARP, NOT_TAGGED, WHO_HAS
from apps.pipeline import (
    ANSWER,
    BACK,
    DELIVER,
    FORWARD,
    GUARD,
    GUARDS,
    NETWORK,
    OUT_FREE,
    OUT_TRACK,
    RECEIVER,
    SENDER,
    STATEFUL,
    STATELESS,
    UNGUARDED,
)
from apps.places import home, is_contested, is_said_down
from apps.port_security import OWN_ARP, OWN_IPV4
from apps.replies import arp_reply
from apps.security_groups import membership
from controller.app import Missing, flows, query, tally
from controller.openflow.actions import Nat, ct, ct_clear, drop, set_field
from controller.openflow.match import match
from controller.values import prefix

APP = 72
IPV4 = 0x800
# Connection state (ovs-fields(7)): invalid 16, tracked 32.
UNTRACKED, TRACKED, INVALID = (0, 0x20), (0x20, 0x30), (0x30, 0x30)
JUDGES = {STATEFUL: OUT_TRACK, STATELESS: OUT_FREE, UNGUARDED: FORWARD}
UNICAST = ("00:00:00:00:00:00", "01:00:00:00:00:00")
ELSEWHERE = (0, 0xFFFFFFF0)                    # receivers that are tunnels or the uplink


def at_port(world: Any, association: Any) -> tuple[str, ...]:
    port = world.get("port", association.fixed_port_id)
    return tuple(home(world, port)) if port is not None else ()


@tally(per="local_ip_association")
def standing(world: Any, association: Any) -> Any:
    """The ports of a switch that an address of a network may stand for there: one that is said to be down after all others,
    and then the eldest first."""
    port, local = world.get("port", association.fixed_port_id), world.get("local_ip", association.local_ip_id)
    for switch in at_port(world, association) if local is not None else ():
        yield (port.network_id, local.local_ip_address, switch), (is_said_down(port), port.key, association.id)


@query
def stands(world: Any, association_id: str) -> bool:
    """Whether it is this port that the address stands for on the port's host; and whose own the address is needs nobody to
    stand for him."""
    association = world.need("local_ip_association", association_id)
    local, port = world.need("local_ip", association.local_ip_id), world.need("port", association.fixed_port_id)
    if any(fixed.ip_address == local.local_ip_address for fixed in port.fixed_ips):
        return False
    return any(association_id == min(world.gathered(standing, (port.network_id, local.local_ip_address, switch)), default=("",))[-1]
               for switch in home(world, port))


def parties(world: Any, association: Any) -> tuple[Any, Any, Any]:
    """The local IP, the port that it stands for, and that port's network. Missing where it does not stand for it."""
    if not world.ask(stands, association.id):
        raise Missing("local_ip", association.local_ip_id)
    port = world.need("port", association.fixed_port_id)
    return world.need("local_ip", association.local_ip_id), port, world.need("network", port.network_id)


@flows(per="local_ip_association", on=at_port)
def answer(world: Any, association: Any) -> Any:
    """Who asks for the address, where neighbours.py does not answer: nobody is there who has it, or several may.

    Who asks again asks the MAC that it was told, which may be nobody's.
    """
    local, _, network = parties(world, association)
    ip, mac = local.local_ip_address, world.need("port", local.local_port_id).mac_address
    told = *arp_reply(mac, ip), *BACK
    known = any(home(world, one) for one in world.find("port", "network_id+ip_address", (network.id, ip)))
    if not known or is_contested(world, network.id, ip):
        yield ANSWER, "known", WHO_HAS(network.key, ip), told
    yield ANSWER, "known", match({NETWORK: network.key, "vlan_vid": NOT_TAGGED, "eth_dst": mac, "eth_type": ARP, "arp_op": 1, "arp_tpa": ip}), told


@flows(per="local_ip_association", on=at_port)
def lead(world: Any, association: Any) -> Any:
    """What is sent to the address is for the port."""
    local, port, network = parties(world, association)
    sent = {NETWORK: network.key, "vlan_vid": NOT_TAGGED, "eth_type": IPV4, "ipv4_dst": local.local_ip_address}
    to_port = set_field(eth_dst=port.mac_address)
    yield ANSWER, "probe", match({SENDER: port.key, **sent, "ct_state": UNTRACKED}), (JUDGES[world.ask(guard_of, port.id)],)
    if local.ip_mode == "passthrough":
        for guard, judge in JUDGES.items():
            yield ANSWER, "known", match({GUARDS: guard, **sent}), (to_port, judge)
        return
    yield ANSWER, "known", match(sent), (to_port, ct(port.zone, ANSWER, commit=True, nat=Nat("dst", association.fixed_ip)))


def is_first(world: Any, association: Any, alike: Any) -> bool:
    """Whether it speaks for all associations of its port that are alike in something."""
    found = [one.id for one in world.find("local_ip_association", "fixed_port_id", association.fixed_port_id) if alike(one)]
    return bool(found) and association.id == min(found)


def translates(world: Any, association: Any) -> bool:
    local = world.get("local_ip", association.local_ip_id)
    return local is not None and local.ip_mode == "translate"


@flows(per="local_ip_association", on=at_port)
def go_on(world: Any, association: Any) -> Any:
    """What has become the port's is judged as such."""
    if not is_first(world, association, lambda one: translates(world, one)):
        return
    port = world.need("port", association.fixed_port_id)
    turned = {"eth_type": IPV4, "ct_zone": port.zone}
    yield ANSWER, "probe", match(turned, ct_state=INVALID), (drop("to a local IP, and of no connection"),)
    for guard, judge in JUDGES.items():
        yield ANSWER, "probe", match({GUARDS: guard, **turned, "ct_state": TRACKED}), (ct_clear(), judge)


@flows(per="local_ip_association", on=at_port)
def come_back(world: Any, association: Any) -> Any:
    """What the port says on a connection that was opened to a local IP is from that. Only once: then nobody is its sender."""
    alike = association.fixed_ip
    if not is_first(world, association, lambda one: one.fixed_ip == alike and translates(world, one)):
        return
    port = world.need("port", association.fixed_port_id)
    yield DELIVER, "self", match({SENDER: port.key, "tunnel_id": 0, "vlan_vid": NOT_TAGGED, "eth_dst": UNICAST, "eth_type": IPV4,
                                     "ipv4_src": alike}), (set_field({SENDER: 0}), ct(port.zone, DELIVER, nat=Nat("")))


def may_have(port: Any, ip: str) -> bool:
    """Whether the port has the address anyway, by a pair that says so: then it is as any other of its own."""
    return any(mac == port.mac_address and ip in prefix(f"{own}/32" if "/" not in own else own)
               for mac, own in pairs(port) if ":" not in own)


@flows(per="local_ip_association", on=at_port)
def have(world: Any, association: Any) -> Any:
    """Who has the address itself may send from it, to its own host; and nobody else hears of it."""
    local, port, _ = parties(world, association)
    ip, mac = local.local_ip_address, port.mac_address
    if local.ip_mode != "passthrough" or may_have(port, ip):
        return
    if port.port_security_enabled and world.ask(has_subnets, port.network_id):
        yield GUARD, "own", OWN_ARP(port.key, mac, mac, ip), (ANSWER,)
        yield GUARD, "own", OWN_IPV4(port.key, mac, ip), (ANSWER,)
    yield from membership(world, port, [ip])
    said = {SENDER: port.key, "eth_type": ARP}
    yield ANSWER, "probe", match(said, arp_op=1, arp_tpa=ip), (drop("a local IP is not announced"),)
    yield ANSWER, "exempt", match(said, arp_spa=ip), (drop("a local IP is not heard of on other hosts"),)
    yield DELIVER, "self", match({SENDER: port.key, RECEIVER: ELSEWHERE, "eth_type": IPV4, "ipv4_src": ip}), (
        drop("a local IP does not leave its host"),)
