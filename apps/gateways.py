"""Gateways: routers lead outside, through one host that has the external network's wire.

    on every other host   route ─► the tunnel of the network that the packet is in, to the gateway host
    on the gateway host   route ─► nat_out (the source becomes the router's outside address) ─► next_hop ─► the wire
    from outside          forward (the router's outside MAC) ─► nat_in (back to the tenant's address) ─► leave ─► route

The router's connections have a conntrack zone of their own, so that two routers whose tenants use the same addresses
never meet. Every `nat` names its address (see `hadron doctor`). Who is out there is asked for by ARP and remembered
as a fact; the flows that need it follow. Which host is the gateway is a function of the model too: of those with the
wire, the first by a digest of router and host.
"""
from apps.outside import answer_arp, on_gateway, outside, outside_address, snat, to_wire
from apps.pipeline import (
    DELIVER,
    FORWARD,
    HOP,
    HOP6,
    LEAVE,
    NAT_IN,
    NAT_OUT,
    NETWORK,
    NEXT_HOP,
    RECEIVER,
    ROUTE,
    ROUTER,
    SENDER,
    TUNNEL_KEY,
)
from apps.places import ROUTER_PORTS, gateway_of, gateway_switch, joints, reach, tunnel_address
from controller.app import Fact, Said, answers, every, flows, query
from controller.openflow.actions import (
    Nat,
    controller,
    ct,
    ct_clear,
    dec_ttl,
    drop,
    meter,
    move,
    resubmit,
    set_field,
)
from controller.openflow.group import Meter
from controller.openflow.match import match
from controller.packet import arp, icmp_errors
from controller.values import ip_number, prefix

APP = 20
ARP, IPV4, IPV6, ICMP = 0x806, 0x800, 0x86dd, 1
RATE = 50


# ---- from the other hosts to the gateway host

def away_from_gateway(world, port):
    """Every host that routes for this interface, but the gateway host."""
    switch = world.ask(gateway_switch, port.device_id) if port.device_owner in ROUTER_PORTS else None
    return reach(world, port.network_id, (switch,)) if switch else ()


@flows(per="port", on=away_from_gateway)
def to_gateway(world, port):
    """What has no closer route goes to the gateway host as it is, in the network that it is in."""
    router, network = world.need("router", port.device_id), world.need("network", port.network_id)
    address = world.ask(tunnel_address, world.ask(gateway_switch, router.id))
    kind = TUNNEL_KEY.get(network.provider_network_type)
    if address is None or kind is None or not router.admin_state_up:
        return
    by_hand = {IPV6 if ":" in one.destination else IPV4 for one in router.routes if one.destination.endswith("/0")}
    for family in families(world, router.id):
        if family in by_hand:                # a default route of the tenant's own comes first
            continue
        yield ROUTE, ("route", 0), match({ROUTER: router.key, NETWORK: network.key, "eth_dst": port.mac_address, "eth_type": family}), (
            set_field({RECEIVER: kind}), set_field(tunnel_id=network.provider_segmentation_id),
            set_field({"tun_ipv6_dst" if ":" in address else "tun_dst": address}), DELIVER)


@query
def families(world, router_id):
    """The IP versions for which a router leads outside."""
    port = world.ask(gateway_of, router_id)
    found = {IPV6 if ":" in fixed.ip_address else IPV4 for fixed in port.fixed_ips} if port else set()
    return tuple(sorted(found))


# ---- out

@flows(per="port", on=on_gateway)
def route_outside(world, port):
    """The default route by the outside subnet's gateway, and the outside subnet itself."""
    router, network, _ = outside(world, port)
    extra = {one.destination for one in router.routes}
    for fixed in port.fixed_ips:
        subnet = world.need("subnet", fixed.subnet_id)
        six = ":" in fixed.ip_address
        address, into, family = ("ipv6_dst", HOP6, IPV6) if six else ("ipv4_dst", HOP, IPV4)
        way = (dec_ttl(), set_field({NETWORK: network.key}), set_field({SENDER: port.key}), set_field(eth_src=port.mac_address))
        yield ROUTE, ("route", prefix(subnet.cidr).length), match({ROUTER: router.key, "eth_type": family, address: subnet.cidr}), (
            *way, move(address, into), NAT_OUT)
        default = "::/0" if six else "0.0.0.0/0"
        if subnet.gateway_ip and default not in extra:
            yield ROUTE, ("route", 0), match({ROUTER: router.key, "eth_type": family}), (
                *way, set_field({into: ip_number(subnet.gateway_ip)}), NAT_OUT)


@flows(per="port", on=on_gateway)
def translate_out(world, port):
    router, _, _ = outside(world, port)
    own = outside_address(port)
    if own and snat(router):
        yield NAT_OUT, "any", match({ROUTER: router.key, "eth_type": IPV4}), (
            ct(router.zone, NEXT_HOP, commit=True, nat=Nat("src", own.ip_address)),)
    yield NAT_OUT, "plain", match({ROUTER: router.key}), (NEXT_HOP,)


# ---- in

@flows(per="port", on=on_gateway)
def enter_from_outside(world, port):
    router, network, _ = outside(world, port)
    yield FORWARD, "port", match({NETWORK: network.key, "eth_dst": port.mac_address}), (
        set_field({ROUTER: router.key}), resubmit(NAT_IN))


@flows(per="port", on=on_gateway)
def translate_in(world, port):
    """Replies find their way back; with SNAT nobody outside reaches a tenant's address by its own name."""
    router, _, _ = outside(world, port)
    own = outside_address(port)
    if own:
        yield NAT_IN, "own", match({ROUTER: router.key, "eth_type": IPV4, "ipv4_dst": own.ip_address}), (
            ct(router.zone, LEAVE, nat=Nat("")),)
    if own and snat(router):
        yield NAT_IN, "plain", match({ROUTER: router.key, "eth_type": IPV4}), (
            drop("from outside to an address that no NAT entry opens"),)
    else:
        yield NAT_IN, "plain", match({ROUTER: router.key, "eth_type": IPV4}), (LEAVE,)
    yield NAT_IN, "plain", match({ROUTER: router.key, "eth_type": IPV6}), (LEAVE,)


@flows(per="port", on=on_gateway)
def answer_outside(world, port):
    """ARP and echo requests from outside for the router's outside address."""
    router, network, _ = outside(world, port)
    own = outside_address(port)
    if own is None:
        return
    yield from answer_arp(network, port.mac_address, own.ip_address)
    yield ROUTE, "answer", match({ROUTER: router.key, "eth_type": IPV4, "ipv4_dst": own.ip_address, "ip_proto": ICMP,
                                  "icmpv4_type": 8}), (
        move("ipv4_src", "ipv4_dst"), set_field(ipv4_src=own.ip_address), set_field(icmpv4_type=0),
        move("eth_src", (HOP6, 0, 47)), move("eth_dst", "eth_src"), move((HOP6, 0, 47), "eth_dst"), set_field(nw_ttl=64),
        *to_wire(network))
    yield ROUTE, "own", match({ROUTER: router.key, "eth_type": IPV4, "ipv4_dst": own.ip_address}), (
        drop("from outside to the router's own address"),)


# ---- who is out there

@flows(per="neighbour", on=lambda world, row: gateway_switches_on(world, row.network_id))
def know_neighbour(world, row):
    network = world.need("network", row.network_id)
    six = ":" in row.ip_address
    yield NEXT_HOP, "known", match({NETWORK: network.key, "eth_type": IPV6 if six else IPV4,
                                    HOP6 if six else HOP: ip_number(row.ip_address)}), (
        ct_clear(), set_field(eth_dst=row.mac_address), FORWARD)


def gateway_switches_on(world, network_id):
    """The gateway hosts of the routers that lead to this outside network."""
    return {switch for router in world.gathered(joints, ("leading", network_id))
            if (switch := world.ask(gateway_switch, router))}


@flows(per="port", on=on_gateway)
def listen_outside(world, port):
    """An outside machine whose MAC nobody has told us: its packet makes the controller ask, and hear the answer."""
    _, network, _ = outside(world, port)
    own = outside_address(port)
    if own:
        up = (meter(port.key), controller())
        yield Meter(port.key, pps=RATE, burst=RATE)
        yield NEXT_HOP, "unknown", match({NETWORK: network.key, "eth_type": IPV4, "eth_src": port.mac_address}), up
        yield FORWARD, "outside", match({NETWORK: network.key, SENDER: 0, "eth_type": ARP, "arp_op": 2,
                                         "arp_tpa": own.ip_address}), up


@answers(of=listen_outside)
def look_up(world, port, frame):
    """A packet is lost, and who sent it will send it again; meanwhile its next hop is asked for. An answer is a fact."""
    told = arp.read(frame)
    subnet = world.get("subnet", outside_address(port).subnet_id)
    if subnet is None:
        return ()
    if told is None:
        lost = icmp_errors.read(frame)
        hop = lost.destination if lost and lost.destination in prefix(subnet.cidr) else subnet.gateway_ip
        return (request(world, port, hop),) if hop and ":" not in hop else ()
    if told.sender_ip not in prefix(subnet.cidr):
        return ()
    return (Fact("neighbour", {"id": f"{port.network_id}/{told.sender_ip}", "network_id": port.network_id,
                               "ip_address": told.sender_ip, "mac_address": told.sender_mac}),)


def request(world, port, hop):
    """(wire, frame): an ARP request from the router for a machine outside."""
    _, network, wire = outside(world, port)
    frame = arp.request(port.mac_address, outside_address(port).ip_address, hop)
    return wire.ofport, tagged(network, frame)


def tagged(network, frame):
    if network.provider_network_type != "vlan":
        return frame
    return frame[:12] + b"\x81\x00" + network.provider_segmentation_id.to_bytes(2, "big") + frame[12:]


def wires(world, port):
    _, _, wire = outside(world, port)
    return ((wire.switch_id, wire.ofport),)


@every(30, per="port", to=wires)
def keep_asking(world, port):
    """The upstream gateway is asked for now and again: its MAC may change, and the first packet should not wait."""
    outside(world, port)
    own = outside_address(port)
    subnet = world.get("subnet", own.subnet_id) if own else None
    if subnet is None or not subnet.gateway_ip:
        return Said()
    return Said((request(world, port, subnet.gateway_ip)[1],))

