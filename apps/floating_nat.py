"""Floating addresses: an outside address that is one port's, in both directions.

Translated on the gateway host of the router that joins the port to the outside, before the router's own address:
what the port sends has the floating address outside, and whoever asks for that outside reaches the port, if its
security groups let it. An address may instead forward ports of its own to ports of several.
"""
from apps.outside import answer_arp, on_gateway, outside
from apps.pipeline import FORWARD, HOP, LEAVE, NAT_IN, NAT_OUT, NETWORK, NEXT_HOP, ROUTER
from apps.places import gateway_of
from controller.app import Missing, flows
from controller.openflow.actions import FORGET_IN_PORT, Nat, ct, ct_clear, set_field
from controller.openflow.match import match
from controller.openflow.ranges import port_masks
from controller.values import ip_number

APP = 21
IPV4 = 0x800
PROTOCOLS = {"tcp": (6, "tcp_dst"), "udp": (17, "udp_dst")}


def gateway(world, floating):
    """The outside port of the router that the address is reached through; without one there are no flows."""
    port = world.ask(gateway_of, floating.router_id) if floating.router_id else None
    if port is None or port.network_id != floating.floating_network_id:
        raise Missing("router", floating.router_id)
    return port


def where(world, floating):
    return on_gateway(world, gateway(world, floating))


@flows(per="floatingip", on=where)
def translate(world, floating):
    router, _, _ = outside(world, gateway(world, floating))
    ours, theirs = floating.fixed_ip_address, floating.floating_ip_address
    if ours is None:                         # it forwards ports, one by one
        return
    yield NAT_IN, "own", match({ROUTER: router.key, "eth_type": IPV4, "ipv4_dst": theirs}), (
        ct(router.zone, LEAVE, commit=True, nat=Nat("dst", ours)),)
    yield NAT_OUT, "own", match({ROUTER: router.key, "eth_type": IPV4, "ipv4_src": ours}), (
        ct(router.zone, NEXT_HOP, commit=True, nat=Nat("src", theirs)),)


@flows(per="floatingip", on=where)
def answer(world, floating):
    """ARP from outside; and the way back in for a machine within that uses the address.

    It may go back by the tunnel that it came from: OpenFlow allows that only if it is made to forget (in_port 0).
    """
    port = gateway(world, floating)
    _, network, _ = outside(world, port)
    yield from answer_arp(network, port.mac_address, floating.floating_ip_address)
    yield NEXT_HOP, "known", match({NETWORK: network.key, "eth_type": IPV4, HOP: ip_number(floating.floating_ip_address)}), (
        ct_clear(), FORGET_IN_PORT, set_field(eth_dst=port.mac_address), FORWARD)


# ---- port forwardings

def where_forwarded(world, forwarding):
    return where(world, world.need("floatingip", forwarding.floatingip_id))


@flows(per="port_forwarding", on=where_forwarded)
def forward_ports(world, forwarding):
    """Some ports of the address lead to some ports of a port's. Answers find back by the connection."""
    floating = world.need("floatingip", forwarding.floatingip_id)
    router, _, _ = outside(world, gateway(world, floating))
    protocol, field = PROTOCOLS[forwarding.protocol]
    wanted = {ROUTER: router.key, "eth_type": IPV4, "ip_proto": protocol, "ipv4_dst": floating.floating_ip_address}
    for ports, to in leads(forwarding):
        nat = Nat("dst", forwarding.internal_ip_address, ports=to)
        yield NAT_IN, "own", match({**wanted, field: ports}), (ct(router.zone, LEAVE, commit=True, nat=nat),)


def leads(forwarding):
    """(ports outside as a match, the port within or None for the same one)."""
    (first, last), (to, to_last) = (tuple(map(int, text.split(":"))) for text in (
        forwarding.external_port_range, forwarding.internal_port_range))
    if first == to and last == to_last:
        return [(block, None) for block in port_masks(first, last)]
    if to == to_last:
        return [(block, (to, to)) for block in port_masks(first, last)]
    return [(port, (port - first + to, port - first + to)) for port in range(first, last + 1)]
