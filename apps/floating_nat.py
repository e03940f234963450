"""Floating addresses: an outside address that is one port's, in both directions.

Translated where its machine is, if that host has the external network's wire: then nothing takes a detour. Otherwise on
the gateway host of its router (`outlet_of` in `places.py`). There it is answered for, with a MAC of its own, that of
the port that holds it: so when it moves to another host nobody outside needs to learn anything but the way.

    out   forward (from its machine to the router) ─► GATE ─► leave ─► route ─► nat_out ─► next_hop ─► the wire
    in    forward (its MAC) ─► leave ─► nat_in ─► route ─► …

What the port sends has the floating address outside, and whoever asks for that outside reaches the port, if its security
groups let it. An address may instead forward ports of its own to ports of several.
"""
from apps.limits import counted, limits_outside, meters
from apps.metered import inward
from apps.outside import announcement, answer, by_wire, enter, listen, look_up, outside
from apps.pipeline import FORWARD, GATE, LEAVE, NAT_IN, NAT_OUT, NETWORK, NEXT_HOP, ROUTER, SENDER
from apps.places import FLOATING_PORT, bearer, gateway_of, home, outlet, outlet_of, standing_for, stands_in
from apps.routing import IPV4, interfaces
from apps.uplinks import on_wire, wire_mac
from controller.app import Missing, Said, answers, every, flows
from controller.openflow.actions import FORGET_IN_PORT, Nat, ct, resubmit, set_field
from controller.openflow.match import match
from controller.openflow.ranges import port_masks

APP = 21
PROTOCOLS = {"tcp": (6, "tcp_dst"), "udp": (17, "udp_dst")}


def gateway(world, floating):
    """The outside port of the router that the address is reached through; without one there are no flows."""
    port = world.ask(gateway_of, floating.router_id, floating.floating_network_id) if floating.router_id else None
    if port is None:
        raise Missing("router", floating.router_id)
    return port


def holder(world, floating):
    """The port that holds the address."""
    found = world.find("port", "device_id+device_owner", (floating.id, FLOATING_PORT))
    if not found:
        raise Missing("port", floating.id)
    return found[0]


def where(world, floating):
    switch = world.ask(outlet_of, floating.id)
    return (switch,) if switch else ()


@flows(per="floatingip", on=where)
def translate(world, floating):
    gate = gateway(world, floating)
    router, network = outside(world, gate)
    ours, theirs = floating.fixed_ip_address, floating.floating_ip_address
    held, limits = holder(world, floating), world.ask(limits_outside, floating.id)
    yield from meters(world, held, limits, "bits sent", "bits received")
    if ours is None:                         # it forwards ports, one by one
        return
    yield NAT_IN, "own", match({ROUTER: router.key, NETWORK: network.key, "eth_type": IPV4, "ipv4_dst": theirs}), (
        *counted(held, limits, "bits received"), set_field({SENDER: gate.key}),
        ct(gate.zone, inward(world, router), commit=True, nat=Nat("dst", ours)))
    yield NAT_OUT, "own", match({ROUTER: router.key, SENDER: gate.key, "eth_type": IPV4, "ipv4_src": ours}), (
        *counted(held, limits, "bits sent"), set_field(eth_src=held.mac_address),
        ct(gate.zone, NEXT_HOP, commit=True, nat=Nat("src", theirs)))


@flows(per="floatingip", on=where)
def set_out(world, floating):
    """What its machine sends to the router leaves by the address's own gateway, if it leads outside."""
    gate = gateway(world, floating)
    router, _ = outside(world, gate)
    port = bearer(world, floating)
    if port is None or not floating.fixed_ip_address or not where(world, floating):
        return
    if next((one.id for one in standing_for(world, floating) if where(world, one)), floating.id) != floating.id:
        return                               # it has another, by a gateway that comes first
    network = world.need("network", port.network_id)
    here = home(world, port) == where(world, floating)
    sender: dict = {SENDER: port.key} if here else {}
    (switch,) = where(world, floating)
    for interface in interfaces(world, router.id):
        if interface.network_id == network.id:
            mac: str = interface.mac_address
            come: tuple = ()
            if not here and on_wire(network):               # by the MAC that the router has there on the wire
                mac, come = wire_mac(switch, interface), (set_field(eth_dst=mac), FORGET_IN_PORT)
            yield FORWARD, "outside", match({
                NETWORK: network.key, **sender, "eth_dst": mac, "vlan_vid": 0, "eth_type": IPV4,
                "ipv4_src": floating.fixed_ip_address}), (
                *come, set_field({ROUTER: router.key}), set_field({GATE: gate.key}), resubmit(LEAVE))


@flows(per="floatingip", on=where)
def be_outside(world, floating):
    """Who asks outside for the address, or sends to it."""
    router, network = outside(world, gateway(world, floating))
    held = holder(world, floating)
    yield answer(network, held.mac_address, floating.floating_ip_address)
    yield enter(router, network, held.mac_address)


@every(120, per="floatingip", to=lambda world, floating: by_wire(world, holder(world, floating)), at_once=True)
def announce(world, floating):
    """The address is here: told when it is somewhere else than before, and again in its turn."""
    held = holder(world, floating)
    return announcement(world, held, [floating.floating_ip_address]) if outlet(world, held) else Said()


@every(2, per="floatingip", to=lambda world, floating: by_wire(world, holder(world, floating)))
def hold(world, floating):
    """The same of an address that is here because another host is lost, which may still answer for it."""
    return announce.say(world, floating) if world.ask(stands_in, floating.router_id) else Said()


@flows(per="floatingip", on=where)
def listen_outside(world, floating):
    _, network = outside(world, gateway(world, floating))
    yield from listen(network, holder(world, floating), floating.floating_ip_address)


@answers(of=listen_outside)
def hear_outside(world, floating, frame):
    """It has the next hop of its router."""
    gate = gateway(world, floating)
    subnets = [world.get("subnet", fixed.subnet_id) for fixed in gate.fixed_ips if ":" not in fixed.ip_address]
    hop = next((subnet.gateway_ip for subnet in subnets if subnet and subnet.gateway_ip), None)
    return look_up(world, holder(world, floating), [(floating.floating_ip_address, hop)], frame)


# ---- port forwardings

def where_forwarded(world, forwarding):
    return where(world, world.need("floatingip", forwarding.floatingip_id))


@flows(per="port_forwarding", on=where_forwarded)
def forward_ports(world, forwarding):
    """Some ports of the address lead to some ports of a port's. Answers find back by the connection."""
    floating = world.need("floatingip", forwarding.floatingip_id)
    gate = gateway(world, floating)
    router, network = outside(world, gate)
    protocol, field = PROTOCOLS[forwarding.protocol]
    metered = counted(holder(world, floating), world.ask(limits_outside, floating.id), "bits received")
    wanted = {ROUTER: router.key, NETWORK: network.key, "eth_type": IPV4, "ip_proto": protocol, "ipv4_dst": floating.floating_ip_address}
    for ports, to in leads(forwarding):
        nat = Nat("dst", forwarding.internal_ip_address, ports=to)
        yield NAT_IN, "own", match({**wanted, field: ports}), (
            *metered, set_field({SENDER: gate.key}), ct(gate.zone, inward(world, router), commit=True, nat=nat))


def leads(forwarding):
    """(ports outside as a match, the port within or None for the same one)."""
    (first, last), (to, to_last) = (tuple(map(int, text.split(":"))) for text in (
        forwarding.external_port_range, forwarding.internal_port_range))
    if first == to and last == to_last:
        return [(block, None) for block in port_masks(first, last)]
    if to == to_last:
        return [(block, (to, to)) for block in port_masks(first, last)]
    return [(port, (port - first + to, port - first + to)) for port in range(first, last + 1)]
