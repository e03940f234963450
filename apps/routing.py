"""Routing: every host routes for its own machines, so two of them never leave it to meet.

    forward ─(router's MAC)─► leave ─► nat_in ─► route ─► next_hop ─► forward, in the other network

`leave` closes the sender's side: it commits the connection in the network that it leaves, and forgets what was
looked up, because the receiver's network has a conntrack zone of its own. `route` holds each router's subnets and
extra routes, the longest prefix first. `next_hop` knows the MAC of every address of the networks that are routed to
each other; the frame then goes on as if it had been sent in the receiver's network by the router, and may leave
through the very port that it came from.

ARP and neighbour discovery for the router, and echo requests to it, are answered by flows. What needs an ICMP error
(time exceeded, no route, nobody at the next hop, a closed port) goes to the controller, so many a second; the error
is routed like any packet of the router's own (RFC 792, RFC 4443, RFC 1812 §4.3).
"""
from apps.complaints import ask_owners, tell_outside
from apps.pipeline import (
    ANSWER,
    BACK,
    FORWARD,
    HOP,
    HOP6,
    KEEP,
    LARGE,
    LEAVE,
    METERS,
    NAT_IN,
    NAT_OUT,
    ND_REPLY,
    NETWORK,
    NEXT_HOP,
    ROUTE,
    ROUTER,
    SENDER,
)
from apps.places import (
    everywhere,
    gates,
    home,
    is_interface,
    joints,
    outlet,
    outlets,
    owner,
    paired,
    reach,
    seats,
    shared,
)
from apps.replies import arp_reply
from controller.app import Missing, Said, answers, every, flows, only, query, spread
from controller.openflow.actions import (
    FORGET_IN_PORT,
    check_pkt_larger,
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
from controller.packet import arp, ethernet, icmp6, icmp_errors, ipv6
from controller.values import eui64, ip_number, prefix

APP = 9
ARP, IPV4, IPV6, ICMP, FRAGMENT, ICMPV6 = 0x806, 0x800, 0x86dd, 1, 44, 58
FAMILIES = (IPV4, IPV6)
DESTINATION = {IPV4: "ipv4_dst", IPV6: "ipv6_dst"}
NEW = (0x21, 0x21)               # ct_state, as in security_groups.py
FIRST_FRAGMENT, LATER_FRAGMENT = (1, 3), 3
SOLICITED_OVERRIDE_ROUTER, TARGET_LINK_LAYER = 0xe0000000, 2        # RFC 4861 §4.4
# Multicast, broadcast, loopback and "this network" (RFC 1812 §5.3).
FOR_NO_ROUTER = ((IPV4, "224.0.0.0/3"), (IPV4, "127.0.0.0/8"), (IPV4, "0.0.0.0/8"), (IPV6, "ff00::/8"))
# Link-local addresses mean nothing elsewhere (RFC 3927 §2.7, RFC 4291 §2.5.6).
LINK_LOCAL = ({"eth_type": IPV6, "ipv6_src": "fe80::/10"}, {"eth_type": IPV6, "ipv6_dst": "fe80::/10"},
              {"eth_type": IPV4, "ipv4_dst": "169.254.0.0/16"})
ETHERNET = 14                      # bytes of a frame before its packet
RATE = 50                          # ICMP errors a second of one router on one host (RFC 1812 §4.3.2.8)


@flows(per="switch", on=everywhere)
def stand(world, switch):
    for family in FAMILIES:
        yield LEAVE, "new", match(eth_type=family, ct_state=NEW), (ct(NETWORK, commit=True), ct_clear(), NAT_IN)
        yield LEAVE, "known", match(eth_type=family), (ct_clear(), NAT_IN)
    for family, block in FOR_NO_ROUTER:
        yield LEAVE, "never", match({"eth_type": family, DESTINATION[family]: block}), (drop("for no router"),)
    for fields in LINK_LOCAL:
        yield NEXT_HOP, "never", match(fields), (drop("a link-local address is not routed"),)
    yield LEAVE, "rest", match(), (drop("only IP is routed"),)
    yield NAT_IN, "rest", match(), (KEEP,)
    yield KEEP, "rest", match(), (ROUTE,)
    yield ROUTE, "rest", match(), (drop("no such router"),)
    yield NEXT_HOP, "rest", match(), (drop("no such router"),)


# ---- what a router is

def router_of(world, port):
    """The router whose interface a port is; a port that is none, or of a router that is down, has no flows."""
    router = world.need("router", port.device_id) if is_interface(port) else None
    if router is None or not router.admin_state_up or not port.admin_state_up:
        raise Missing("router", port.device_id)
    return router


@only(is_interface)
def where_routed(world, port):
    return reach(world, port.network_id)


def interfaces(world, router_id):
    """The ports that are the router's interfaces, in order of their ids."""
    return [port for id in sorted(world.gathered(joints, ("ports", router_id))) if (port := world.get("port", id))]


@query
def connected(world, router_id):
    """A router's interfaces by subnet: (prefix length, cidr, port id), the longest first."""
    found = []
    for port in interfaces(world, router_id):
        for fixed in port.fixed_ips:
            subnet = world.get("subnet", fixed.subnet_id)
            if subnet is not None:
                found.append((prefix(subnet.cidr).length, subnet.cidr, port.id))
    return tuple(sorted(found, reverse=True))


@query
def own_addresses(world, router_id):
    """All addresses of a router, on whichever network."""
    return tuple(dict.fromkeys(ip for port in interfaces(world, router_id) for ip in addresses(port)))


def addresses(port):
    """What the router is called on this network: its fixed addresses, and the link-local one of its MAC."""
    own = [fixed.ip_address for fixed in port.fixed_ips]
    return own + ([eui64("fe80::/64", port.mac_address)] if any(":" in ip for ip in own) else [])


def family_of(ip):
    return IPV6 if ":" in ip else IPV4


# ---- into the router

@flows(per="port", on=where_routed)
def enter(world, port):
    """What is inside a VLAN of the tenant's own is not for the router."""
    router, network = router_of(world, port), world.need("network", port.network_id)
    yield FORWARD, "port", match({NETWORK: network.key, "eth_dst": port.mac_address, "vlan_vid": 0}), (
        set_field({ROUTER: router.key}), resubmit(LEAVE))


@flows(per="port", on=where_routed)
def answer_neighbours(world, port):
    """Who asks for the router, everybody or it alone, hears of its MAC on the spot."""
    router_of(world, port)
    network = world.need("network", port.network_id)
    for ip in addresses(port):
        asked = {NETWORK: network.key, "vlan_vid": 0, "eth_type": family_of(ip)}
        if ":" in ip:
            yield ANSWER, "known", match({**asked, "ip_proto": ICMPV6, "icmpv6_type": 135, "nd_target": ip}), (
                move("eth_src", "eth_dst"), set_field(eth_src=port.mac_address),
                move("ipv6_src", "ipv6_dst"), set_field(ipv6_src=ip), set_field(icmpv6_type=136),
                set_field(nd_reserved=SOLICITED_OVERRIDE_ROUTER), set_field(nd_options_type=TARGET_LINK_LAYER),
                ND_REPLY)
        else:
            yield ANSWER, "known", match({**asked, "eth_type": ARP, "arp_op": 1, "arp_tpa": ip}), (
                *arp_reply(port.mac_address, ip), *BACK)


@every(3600, per="network", to=seats)
def announce(world, network):
    """Who remembers another MAC for one of a router's addresses, such as that of a router before, hears of this one."""
    frames = []
    for router in sorted(world.gathered(joints, ("routers", network.id))):
        row = world.get("router", router)
        for port in interfaces(world, router) if row and row.admin_state_up else ():
            if port.network_id == network.id:
                mac = ethernet.address(port.mac_address)
                frames += [icmp6.here_is(mac, ipv6.address(ip)) if ":" in ip else arp.request(port.mac_address, ip, ip)
                           for ip in addresses(port)]
    return Said(tuple(frames))


@flows(per="port", on=where_routed)
def answer_echo(world, port):
    """Each of the router's addresses answers an echo request, from whichever of its networks it comes."""
    router = router_of(world, port)
    for ip in addresses(port):
        yield from answer_echoes(router, ip)


def answer_echoes(router, ip, *more):
    """The answer goes back to where the request came from, a machine or another router, after `more` is done.

    Of a fragment Open vSwitch does not show the type: what comes in pieces is taken for a request.
    """
    own = {ROUTER: router.key, "eth_type": family_of(ip), DESTINATION[family_of(ip)]: ip}
    if ":" in ip:
        whole, rest = {"ip_proto": ICMPV6, "icmpv6_type": 128}, {"ip_proto": FRAGMENT}
        turned, reply = (move("ipv6_src", "ipv6_dst"), set_field(ipv6_src=ip)), set_field(icmpv6_type=129)
    else:
        whole, rest = {"ip_proto": ICMP, "icmpv4_type": 8}, {"ip_proto": ICMP}
        turned, reply = (move("ipv4_src", "ipv4_dst"), set_field(ipv4_src=ip)), set_field(icmpv4_type=0)
    yield ROUTE, "answer", match({**own, **whole}), (*turned, reply, *more, *back())
    first = {"ip_proto": whole["ip_proto"], "ip_frag": FIRST_FRAGMENT}
    yield ROUTE, "answer", match({**own, **first}), (*turned, reply, *more, *back())
    yield ROUTE, "answer", match({**own, **rest, "ip_frag": LATER_FRAGMENT}), (*turned, *more, *back())


def back():
    """Return to the sender: swap the MACs by way of a register that is free here, with a fresh time to live."""
    kept = (HOP6, 0, 47)
    return (ct_clear(), move("eth_src", kept), move("eth_dst", "eth_src"), move(kept, "eth_dst"), set_field(nw_ttl=64),
            FORGET_IN_PORT, FORWARD)


# ---- out of it

@flows(per="port", on=where_routed)
def route_connected(world, port):
    """To the subnets of this interface; where routes decide who gets there, for the router's own ICMP errors only."""
    router, network = router_of(world, port), world.need("network", port.network_id)
    for fixed in port.fixed_ips:
        subnet = world.need("subnet", fixed.subnet_id)
        yield route(router, network, port, subnet.cidr, None, fixed.ip_address if router.paired else None,
                    measure(world, router, network))


def closeness(length, sooner=False):
    """The level in `route` of a prefix: the longest comes first, and of two the one that asks for more."""
    return "route", 2 * length + sooner


@query
def widest(world, router_id):
    """The largest MTU of a router's networks, or None if all have one."""
    ids = {*world.gathered(joints, ("networks", router_id)), *world.gathered(joints, ("outside", router_id))}
    sizes = {network.mtu for id in ids if (network := world.get("network", id))}
    return max(sizes) if len(sizes) > 1 else None


def measure(world, router, network):
    """What `route` does so that a packet too big for its next network is told from others: nothing, if there is none."""
    most = world.ask(widest, router.id)
    return (check_pkt_larger(network.mtu + ETHERNET, (LARGE, 0)),) if most is not None and most > network.mtu else ()


def route(router, network, port, destination, hop, source=None, before=()):
    """The flow that sends a destination out through an interface, to a hop or else to the destination itself.

    If it is for one `source` only, what others send there finds no route.
    """
    six = ":" in destination
    address, into = ("ipv6_dst", HOP6) if six else ("ipv4_dst", HOP)
    wanted = {ROUTER: router.key, "eth_type": IPV6 if six else IPV4}
    length = prefix(destination).length
    if length:
        wanted[address] = destination
    if source:
        wanted["ipv6_src" if six else "ipv4_src"] = source
    return ROUTE, closeness(length), match(wanted), (
        *before, ct_clear(), dec_ttl(), set_field({NETWORK: network.key}), set_field(eth_src=port.mac_address),
        move(address, into) if hop is None else set_field({into: ip_number(hop)}), FORGET_IN_PORT, NEXT_HOP)


def wherever(world, router):
    """Every switch from which the router may be entered."""
    networks = sorted(world.gathered(joints, ("networks", router.id)))
    return reach(world, networks[0]) if networks else ()


def routed_from(world, port):
    """Every switch whose routers may send to this port: none, if no router is on its network or leads there."""
    if not (home(world, port) or is_interface(port) or outlet(world, port)):
        return ()
    joined = world.gathered(joints, ("routers", port.network_id))
    return spread(*(reach(world, port.network_id).sets if joined else ()), world.gathered(outlets, port.network_id))


@flows(per="port", on=routed_from)
def know_next_hop(world, port):
    """A port is found by its own addresses, and by those of its pairs that it has just now."""
    network = world.need("network", port.network_id)
    before = (ct_clear(), FORGET_IN_PORT) if network.router_external else ()    # it may have been translated just now
    own = [(fixed.ip_address, port.mac_address) for fixed in port.fixed_ips]
    for ip, mac in dict.fromkeys([*own, *shared(port)]):
        if paired(world, network.id, ip) and world.ask(owner, network.id, ip) != (port.id, mac):
            continue
        into = HOP6 if ":" in ip else HOP
        yield NEXT_HOP, "known", match({NETWORK: network.key, "eth_type": family_of(ip), into: ip_number(ip)}), (
            *before, set_field(eth_dst=mac), FORWARD)


# ---- what the controller answers

@flows(per="router", on=wherever)
def refuse(world, router):
    """What the router does not route, and tells the sender of: it is for one of its own addresses, where nobody
    listens; its time to live ends (traceroute asks for that); there is no route; nobody known is the next hop; it is
    too big for the next network (the router does not cut packets, whoever allows it)."""
    if not router.admin_state_up:
        return
    yield Meter(METERS["errors"] + router.key, pps=RATE, burst=RATE)
    up = meter(METERS["errors"] + router.key), controller()
    for ip in world.ask(own_addresses, router.id):
        family = family_of(ip)
        yield ROUTE, "own", match({ROUTER: router.key, "eth_type": family, DESTINATION[family]: ip}), up
    for family in FAMILIES:
        entered = {ROUTER: router.key, "eth_type": family}
        for left in (0, 1):
            yield ROUTE, "expired", match({**entered, "nw_ttl": left}), up
        yield ROUTE, "none", match(entered), up
        yield NEXT_HOP, "none", match(entered), up
        if world.ask(widest, router.id):
            for table in (NAT_OUT, NEXT_HOP):
                yield table, "large", match({**entered, LARGE: 1}), up


@answers(of=refuse)
def say_why(world, router, frame):
    """The ICMP error, from the router's address on the network that the packet came from; it is routed."""
    ports, seen = interfaces(world, router.id), icmp_errors.read(frame)
    outside = world.ask(gates, router.id)
    to, by = frame[:6].hex(":"), frame[6:12].hex(":")
    entered = next((port for port in ports if port.mac_address == to), None)
    leaving = next((port for port in (*ports, *outside) if port.mac_address == by), None)
    if seen is None:
        return ()
    network = world.get("network", leaving.network_id) if leaving else None
    large = icmp_errors.too_big(network.mtu) if network and len(frame) > network.mtu + ETHERNET else None
    why: icmp_errors.Why | None = large or (icmp_errors.HOST_UNREACHABLE if leaving else
                                            icmp_errors.TIME_EXCEEDED if seen.left < 2 else icmp_errors.NO_ROUTE)
    if entered is None:
        return tuple(tell_outside(world, router, outside, to, seen, frame, why)) if leaving else ()
    if not large and seen.destination in own_addresses(world, router.id):
        why = icmp_errors.PORT_UNREACHABLE if seen.protocol not in (ICMP, ICMPV6) else None
    elif why is icmp_errors.HOST_UNREACHABLE and (asked := tuple(ask_owners(world, router, leaving, seen.destination))):
        return asked                                                  # it had been on its way out already
    beside = [port for port in ports if port.network_id == entered.network_id and port.id != entered.id]
    own = [ip for port in (entered, *beside) for ip in addresses(port)]
    error = icmp_errors.error(frame, own, why) if why else None
    return ((set_field({ROUTER: router.key, SENDER: entered.key}) + resubmit(ROUTE), error),) if error else ()
