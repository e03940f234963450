"""Routing: every host routes for its own machines, so two of them never leave it to meet.

    forward ─(router's MAC)─► leave ─► route ─► next_hop ─► forward, in the other network

`leave` closes the sender's side: it commits the connection in the network that it leaves, and forgets what was
looked up, because the receiver's network has a conntrack zone of its own. `route` holds each router's subnets and
extra routes, the longest prefix first. `next_hop` knows the MAC of every fixed address of the networks that are
routed to each other; the frame then goes on as if it had been sent in the receiver's network by the router.

ARP and neighbour discovery for the router, and echo requests to it, are answered by flows; what needs a packet of
another kind (time exceeded, no route, a closed port) goes to the controller, so many a second (RFC 792, RFC 4443).
"""
from apps.pipeline import ANSWER, FORWARD, HOP, HOP6, LEAVE, ND_REPLY, NETWORK, NEXT_HOP, ROUTE, ROUTER
from apps.places import ROUTER_PORTS, everywhere, home, joints, reach
from controller.app import Missing, answers, flows, query
from controller.openflow.actions import (
    IN_PORT,
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
from controller.packet import icmp_errors
from controller.values import eui64, ip_number, prefix

APP = 9
ARP, IPV4, IPV6, ICMP, ICMPV6 = 0x806, 0x800, 0x86dd, 1, 58
NEW, ORIGINAL = (0x21, 0x21), (0x22, 0x2a)
ALIVE, DEAD = 1, 0
SOLICITED_OVERRIDE_ROUTER, TARGET_LINK_LAYER = 0xe0000000, 2        # RFC 4861 §4.4
RATE = 50                          # ICMP errors a second from one interface of a router (RFC 1812 §4.3.2.8)


@flows(per="switch", on=everywhere)
def leave(world, switch):
    for family in (IPV4, IPV6):
        for state in ({"ct_state": NEW}, {"ct_state": ORIGINAL, "ct_mark": DEAD}):
            yield LEAVE, "new", match(eth_type=family, **state), (ct(NETWORK, commit=True, mark=ALIVE), ct_clear(), ROUTE)
        yield LEAVE, "rest", match(eth_type=family), (ct_clear(), ROUTE)
        yield NEXT_HOP, "rest", match(eth_type=family), (drop("the next hop is nobody known"),)
    yield ROUTE, "rest", match(), (drop("no such router"),)


# ---- what a router is

def is_interface(port):
    return port.device_owner in ROUTER_PORTS and bool(port.device_id)


def routers_of(world, port):
    """The router whose interface a port is; a port that is none, or of a router that is down, has no flows."""
    router = world.need("router", port.device_id) if is_interface(port) else None
    if router is None or not router.admin_state_up or not port.admin_state_up:
        raise Missing("router", port.device_id)
    return router


def where_routed(world, port):
    return reach(world, port.network_id) if is_interface(port) else ()


@query
def connected(world, router_id):
    """A router's interfaces by subnet: (prefix length, cidr, port id), the longest first."""
    found = []
    for id in sorted(world.gathered(joints, ("ports", router_id))):
        port = world.get("port", id)
        for fixed in port.fixed_ips if port else ():
            subnet = world.get("subnet", fixed.subnet_id)
            if subnet is not None:
                found.append((prefix(subnet.cidr).length, subnet.cidr, id))
    return tuple(sorted(found, reverse=True))


def addresses(port):
    """What the router is called on this network: its fixed addresses, and the link-local one of its MAC."""
    own = [fixed.ip_address for fixed in port.fixed_ips]
    return own + ([eui64("fe80::/64", port.mac_address)] if any(":" in ip for ip in own) else [])


def family_of(ip):
    return IPV6 if ":" in ip else IPV4


# ---- into the router

@flows(per="port", on=where_routed)
def enter(world, port):
    router, network = routers_of(world, port), world.need("network", port.network_id)
    yield FORWARD, "port", match({NETWORK: network.key, "eth_dst": port.mac_address}), (
        set_field({ROUTER: router.key}), resubmit(LEAVE))


@flows(per="port", on=where_routed)
def answer_neighbours(world, port):
    """Who asks for the router, everybody or it alone, hears of its MAC on the spot."""
    routers_of(world, port)
    network = world.need("network", port.network_id)
    for ip in addresses(port):
        asked = {NETWORK: network.key, "vlan_vid": 0, "eth_type": family_of(ip)}
        if ":" in ip:
            yield ANSWER, "known", match({**asked, "ip_proto": ICMPV6, "icmpv6_type": 135, "nd_target": ip}), (
                move("eth_src", "eth_dst"), set_field(eth_src=port.mac_address),
                move("ipv6_src", "ipv6_dst"), set_field(ipv6_src=ip), set_field(icmpv6_type=136),
                set_field(nd_reserved=SOLICITED_OVERRIDE_ROUTER), set_field(nd_options_type=TARGET_LINK_LAYER), ND_REPLY)
        else:
            yield ANSWER, "known", match({**asked, "eth_type": ARP, "arp_op": 1, "arp_tpa": ip}), (
                move("eth_src", "eth_dst"), set_field(eth_src=port.mac_address), set_field(arp_op=2),
                move("arp_sha", "arp_tha"), set_field(arp_sha=port.mac_address),
                move("arp_spa", "arp_tpa"), set_field(arp_spa=ip), IN_PORT)


@flows(per="port", on=where_routed)
def answer_echo(world, port):
    """Each of the router's addresses answers an echo request, from whichever of its networks it comes."""
    router = routers_of(world, port)
    for ip in addresses(port):
        own = {ROUTER: router.key, "eth_type": family_of(ip)}
        if ":" in ip:
            yield ROUTE, "answer", match({**own, "ipv6_dst": ip, "ip_proto": ICMPV6, "icmpv6_type": 128}), (
                move("ipv6_src", "ipv6_dst"), set_field(ipv6_src=ip), set_field(icmpv6_type=129), *back())
        else:
            yield ROUTE, "answer", match({**own, "ipv4_dst": ip, "ip_proto": ICMP, "icmpv4_type": 8}), (
                move("ipv4_src", "ipv4_dst"), set_field(ipv4_src=ip), set_field(icmpv4_type=0), *back())


def back():
    """Return to the sender: swap the MACs by way of a register that is free here, with a fresh time to live."""
    kept = (HOP6, 0, 47)
    return (move("eth_src", kept), move("eth_dst", "eth_src"), move(kept, "eth_dst"), set_field(nw_ttl=64), IN_PORT)


# ---- out of it

@flows(per="port", on=where_routed)
def route_connected(world, port):
    """To the subnets of this interface."""
    router, network = routers_of(world, port), world.need("network", port.network_id)
    for fixed in port.fixed_ips:
        subnet = world.need("subnet", fixed.subnet_id)
        yield route(router, network, port, subnet.cidr, None)


def route(router, network, port, destination, hop):
    """The flow that sends a destination out through an interface, to a hop or else to the destination itself."""
    six = ":" in destination
    address, into = ("ipv6_dst", HOP6) if six else ("ipv4_dst", HOP)
    wanted = {ROUTER: router.key, "eth_type": IPV6 if six else IPV4}
    length = prefix(destination).length
    if length:
        wanted[address] = destination
    return ROUTE, ("route", length), match(wanted), (
        dec_ttl(), set_field({NETWORK: network.key}), set_field(eth_src=port.mac_address),
        move(address, into) if hop is None else set_field({into: ip_number(hop)}), NEXT_HOP)


@flows(per="router", on=lambda world, router: wherever(world, router))
def route_further(world, router):
    """Extra routes: each through the interface whose subnet has its next hop."""
    if not router.admin_state_up:
        return
    interfaces = world.ask(connected, router.id)
    taken = {cidr for _, cidr, _ in interfaces}
    for one in router.routes:
        via = next((id for _, cidr, id in interfaces if one.nexthop in prefix(cidr)), None)
        if via is not None and one.destination not in taken:
            taken.add(one.destination)
            port = world.need("port", via)
            yield route(router, world.need("network", port.network_id), port, one.destination, one.nexthop)


def wherever(world, router):
    """Every switch from which the router may be entered."""
    networks = sorted(world.gathered(joints, ("networks", router.id)))
    return reach(world, networks[0]) if networks else ()


def routed_from(world, port):
    """Every switch whose routers may send to this port: none, if no router is on its network."""
    if not world.gathered(joints, ("routers", port.network_id)) or not (home(world, port) or is_interface(port)):
        return ()
    return reach(world, port.network_id)


@flows(per="port", on=routed_from)
def know_next_hop(world, port):
    network = world.need("network", port.network_id)
    for fixed in port.fixed_ips:
        into = HOP6 if ":" in fixed.ip_address else HOP
        yield NEXT_HOP, "known", match({NETWORK: network.key, "eth_type": family_of(fixed.ip_address), into: ip_number(fixed.ip_address)}), (
            set_field(eth_dst=port.mac_address), FORWARD)


# ---- what the controller answers

def through(world, port, family):
    """A packet that entered the router by this interface."""
    network = world.need("network", port.network_id)
    return {ROUTER: routers_of(world, port).key, NETWORK: network.key, "eth_dst": port.mac_address, "eth_type": family}


@flows(per="port", on=where_routed)
def punt(world, port):
    """What entered the router by this interface and needs an ICMP error for an answer.

    Its time to live ends here (traceroute asks for that); it is for one of the router's own addresses, where nobody
    listens; or there is no route.
    """
    up = (meter(port.key), controller())
    yield Meter(port.key, pps=RATE, burst=RATE)
    for family in (IPV4, IPV6):
        entered = through(world, port, family)
        for left in (0, 1):
            yield ROUTE, "expired", match({**entered, "nw_ttl": left}), up
        yield ROUTE, "none", match(entered), up
    for ip in world.ask(own_addresses, port.device_id):
        yield ROUTE, "own", match({**through(world, port, family_of(ip)), "ipv6_dst" if ":" in ip else "ipv4_dst": ip}), up


@query
def own_addresses(world, router_id):
    """All addresses of a router, on whichever network."""
    ports = (world.get("port", id) for id in sorted(world.gathered(joints, ("ports", router_id))))
    return tuple(dict.fromkeys(ip for port in ports if port for ip in addresses(port)))


@answers(of=punt)
def refuse(world, port, frame):
    """The ICMP error that says why, from the router's address on the sender's network."""
    time_left, destination = icmp_errors.fate(frame)
    if time_left is None:
        return ()
    if time_left < 2:
        return icmp_errors.time_exceeded(frame, addresses(port))
    if destination in own_addresses(world, port.device_id):
        return icmp_errors.port_unreachable(frame, addresses(port))
    return icmp_errors.no_route(frame, addresses(port))
