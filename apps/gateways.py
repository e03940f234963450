"""Gateways: routers lead outside, through one host that has the external network's wire.

    on every other host   route ─► the tunnel of the network that the packet is in, to the gateway host
    on the gateway host   route ─► nat_out (the source becomes the router's outside address) ─► next_hop ─► the wire
    from outside          forward (the router's outside MAC) ─► leave ─► nat_in (back to the tenant's address) ─► route

What has a floating address leaves where that is translated (`floating_nat.py`), by the same routes: GATE says so.
The router's connections have a conntrack zone of their own, so that two routers whose tenants use the same addresses
never meet. Every `nat` names its address (see `hadron doctor`). Who is out there is asked for by ARP and neighbour
discovery, and remembered as a fact; the flows that need it follow. Which host is the gateway is a function of the model
too (`gateway_switch` in `places.py`); a new one tells everybody outside that it has the router's addresses now.
"""
from apps.limits import counted, limits_of_gateway, meters
from apps.metered import inward, outward
from apps.outside import (
    announcement,
    answer,
    brought_within,
    by_wire,
    enter,
    entering,
    family_of,
    listen,
    look_up,
    on_gateway,
    outside,
    question,
    served,
    several,
    snat,
)
from apps.pipeline import (
    FORWARD,
    GATE,
    HOP,
    HOP6,
    NAT_IN,
    NAT_OUT,
    NETWORK,
    NEXT_HOP,
    ROUTE,
    ROUTER,
    SENDER,
)
from apps.places import (
    floats,
    gates,
    is_gateway,
    joints,
    outlets,
    reach,
    stands_in,
)
from apps.routing import DESTINATION, IPV4, IPV6, addresses, answer_echoes, closeness, connected, measure
from apps.scopes import same_scope, shares_scope
from apps.uplinks import on_wire
from controller.app import Missing, Said, answers, every, flows, only, query, spread
from controller.openflow.actions import Nat, ct, ct_clear, dec_ttl, drop, move, set_field
from controller.openflow.match import match
from controller.values import ip_number, prefix

APP = 20
EVERYTHING = {IPV4: "0.0.0.0/0", IPV6: "::/0"}


# ---- out

@query
def routes_outside(world, router_id):
    """(destination, next hop) of the routes of a router's own that lead by machines outside."""
    router, ports = world.get("router", router_id), world.ask(gates, router_id)
    blocks = [prefix(subnet.cidr) for port in ports for fixed in port.fixed_ips
              if (subnet := world.get("subnet", fixed.subnet_id))]
    joined = {cidr for _, cidr, _ in world.ask(connected, router_id)}
    return tuple((one.destination, one.nexthop) for one in (router.routes if blocks and router else ())
                 if one.destination not in joined and any(one.nexthop in block for block in blocks))


def ways(world, port):
    """(destination, next hop or None for itself): the external network's subnets, routes by machines there, and by the
    subnets' gateways everything.

    Where a route of the tenant's own has the same destination, that one holds.
    """
    router, network = outside(world, port)
    beyond = world.ask(routes_outside, router.id)
    taken = {one.destination for one in router.routes} - {destination for destination, _ in beyond}
    own = {fixed.subnet_id: family_of(fixed.ip_address) for fixed in port.fixed_ips}
    near = [prefix(subnet.cidr) for fixed in port.fixed_ips if (subnet := world.get("subnet", fixed.subnet_id))]
    for destination, hop in beyond:
        taken.add(destination)
        if any(hop in block for block in near):
            yield destination, hop
    for subnet in world.find("subnet", "network_id", network.id):
        if family_of(subnet.cidr) in own.values() and subnet.cidr not in taken:
            taken.add(subnet.cidr)
            yield subnet.cidr, None
    for id, family in own.items():
        subnet = world.get("subnet", id)
        if subnet is not None and subnet.gateway_ip and EVERYTHING[family] not in taken:
            taken.add(EVERYTHING[family])
            yield EVERYTHING[family], subnet.gateway_ip


def leads(world, port):
    """The same without what leads by a gateway before it: where it leads if nothing says by which gateway."""
    ports = world.ask(served, port.device_id)
    before = [world.need("port", id) for id in ports[:ports.index(port.id)]] if port.id in ports else []
    taken = {destination for other in before for destination, _ in ways(world, other)}
    return [(destination, hop) for destination, hop in ways(world, port) if destination not in taken]


def spread_over(world, router, destination):
    """The gateways over which the connections to a destination are spread, if there are several: (port, next hop)."""
    if not router.enable_default_route_ecmp or not destination.endswith("/0"):
        return []
    found = [(port, hop) for id in world.ask(served, router.id) for port in (world.need("port", id),)
             for one, hop in ways(world, port) if one == destination]
    return found if len(found) > 1 else []


def leave_by(world, port, network, destination, hop, before=()):
    """Out through a gateway: to the next hop, or to the destination itself."""
    return (*before, ct_clear(), dec_ttl(), *towards(port, network, destination, hop), *outward(world, world.need("router", port.device_id)))


def towards(port, network, destination, hop):
    """What says by which gateway and next hop it leaves."""
    into = HOP6 if ":" in destination else HOP
    there = set_field({into: ip_number(hop)}) if hop else move("ipv6_dst" if into is HOP6 else "ipv4_dst", into)
    return set_field({NETWORK: network.key}), set_field({SENDER: port.key}), set_field(eth_src=port.mac_address), there


def leading(router, destination, **more):
    """What goes to a destination through a router."""
    wanted = {ROUTER: router.key, "eth_type": family_of(destination), **more}
    if not destination.endswith("/0"):
        wanted["ipv6_dst" if ":" in destination else "ipv4_dst"] = destination
    return match(wanted)


@flows(per="port", on=on_gateway)
def route_outside(world, port):
    router, network = outside(world, port)
    for destination, hop in leads(world, port):
        if not spread_over(world, router, destination):
            yield ROUTE, closeness(prefix(destination).length), leading(router, destination), \
                leave_by(world, port, network, destination, hop, measure(world, router, network))


@only(is_gateway)
def where_translated(world, port):
    """Where floating addresses of this gateway's router and network are, and where it is one of several gateways."""
    beside = len(world.ask(served, port.device_id)) > 1
    return spread(on_gateway(world, port) if beside else (), world.gathered(floats, port.id))


@flows(per="port", on=where_translated)
def route_by_gate(world, port):
    """The same for what leaves with a floating address, wherever that is translated, and for connections of the gateway."""
    router, network = outside(world, port)
    for destination, hop in ways(world, port):
        if family_of(destination) == IPV4 or several(world, router):
            yield ROUTE, closeness(prefix(destination).length, True), leading(router, destination, **{GATE: port.key}), \
                leave_by(world, port, network, destination, hop, measure(world, router, network))


@flows(per="port", on=on_gateway)
def translate_out(world, port):
    """Without SNAT, and within an address scope, only answers are: those of ports that a floating address forwards.

    One of several gateways remembers all connections, so that their answers leave by it.
    """
    router, network = outside(world, port)
    own = [fixed.ip_address for fixed in port.fixed_ips if family_of(fixed.ip_address) == IPV4]
    leaving: dict = {ROUTER: router.key, SENDER: port.key}
    limits = world.ask(limits_of_gateway, port.id)
    yield from meters(world, port, limits, "bits sent", "bits received")
    counting = counted(port, limits, "bits sent")
    remember = (ct(port.zone, commit=True),) if several(world, router) else ()
    as_before = (*counting, *remember, ct(port.zone, NEXT_HOP, nat=Nat("")))
    for cidr in alike(world, router, network) if own else ():
        yield NAT_OUT, "scope", match({**leaving, "eth_type": IPV4, "ipv4_src": cidr}), as_before
    if own:
        yield NAT_OUT, "any", match({**leaving, "eth_type": IPV4}), (
            (*counting, ct(port.zone, NEXT_HOP, commit=True, nat=Nat("src", own[0]))) if snat(router, network) else as_before)
    if remember:
        yield NAT_OUT, "any", match({**leaving, "eth_type": IPV6}), (*counting, ct(port.zone, NEXT_HOP, commit=True))
    yield NAT_OUT, "plain", match(leaving), (*counting, NEXT_HOP)


# ---- in

@flows(per="port", on=on_gateway)
def enter_from_outside(world, port):
    router, network = outside(world, port)
    yield enter(router, network, port.mac_address)


@flows(per="port", on=on_gateway)
def translate_in(world, port):
    """Replies find their way back; with SNAT nobody outside reaches a tenant's address by its own name."""
    router, network = outside(world, port)
    own = [fixed.ip_address for fixed in port.fixed_ips if family_of(fixed.ip_address) == IPV4]
    come: dict = {ROUTER: router.key, NETWORK: network.key}
    within, route = entering(world, port), inward(world, router)
    for ip in own:
        yield NAT_IN, "own", match({**come, "eth_type": IPV4, "ipv4_dst": ip}), (
            *within, ct(port.zone, route, nat=Nat("")))
    for cidr in alike(world, router, network) if own else ():
        # Followed, so that who has a floating address too answers with the one that was asked.
        yield NAT_IN, "plain", match({**come, "eth_type": IPV4, "ipv4_dst": cidr}), (
            *within, ct(port.zone, route, commit=True))
    for family in (IPV6,) if own and snat(router, network) else (IPV4, IPV6):
        if family == IPV6 and router.enable_ndp_proxy:
            continue                                     # ndp_proxies.py says which addresses
        if all(same_scope(world, id, network.id, family) for id in sorted(world.gathered(joints, ("networks", router.id)))):
            yield NAT_IN, "untold", match({**come, "eth_type": family}), brought_within(world, port)
            continue
        for _, cidr, id in world.ask(connected, router.id):
            if family_of(cidr) == family and same_scope(world, world.need("port", id).network_id, network.id, family):
                wanted: dict = {**come, "eth_type": family, DESTINATION[family]: cidr}
                if family == IPV6 or cidr not in alike(world, router, network):
                    yield NAT_IN, "plain", match(wanted), brought_within(world, port)


def alike(world, router, network):
    """The router's subnets whose IPv4 addresses are of the external network's own scope: they are known there."""
    return [cidr for _, cidr, id in world.ask(connected, router.id) if family_of(cidr) == IPV4
            and shares_scope(world, world.need("port", id).network_id, network.id)]


@only(is_gateway)
def where_entered(world, port):
    """Where frames come in for a gateway or for a floating address of its router."""
    return spread(on_gateway(world, port), world.gathered(floats, port.id))


@flows(per="port", on=where_entered)
def close(world, port):
    router, network = outside(world, port)
    yield NAT_IN, "closed", match({ROUTER: router.key, NETWORK: network.key}), (
        drop("from outside to an address that no NAT entry opens"),)


@flows(per="port", on=on_gateway)
def answer_outside(world, port):
    """Who asks outside for the router's addresses, and who sends them echo requests. Nothing else is for them."""
    router, network = outside(world, port)
    for ip in addresses(port):
        yield answer(network, port.mac_address, ip)
        yield from answer_echoes(router, ip, set_field({SENDER: port.key}))
        yield ROUTE, "own", match({ROUTER: router.key, NETWORK: network.key, "eth_type": family_of(ip),
                                   "ipv6_dst" if ":" in ip else "ipv4_dst": ip}), (
            drop("from outside to the router's own address"),)


@every(60, per="port", to=by_wire, at_once=True)
@only(is_gateway)
def announce(world, port):
    """The router's addresses are here: told when another host becomes the gateway host, and again in its turn."""
    return announcement(world, port, addresses(port)) if on_gateway(world, port) else Said()


@every(2, per="port", to=by_wire)
@only(is_gateway)
def hold(world, port):
    """A host that is lost may be cut off from us alone, and still answer: physical switches hear again and again where the
    addresses are now."""
    return announce.say(world, port) if world.ask(stands_in, port.device_id) else Said()


# ---- who is out there

def where_known(world, row):
    """Where something leads to a machine outside; and on the wire of a tenant's network every host that routes there."""
    network = world.get("network", row.network_id)
    joined = network and on_wire(network) and world.gathered(joints, ("routers", row.network_id))
    return spread(*(reach(world, row.network_id).sets if joined else ()), world.gathered(outlets, row.network_id))


@flows(per="neighbour", on=where_known)
def know_neighbour(world, row):
    """Ports of ours are known without asking, and what somebody outside says of their addresses is not believed."""
    if world.find("port", "network_id+ip_address", (row.network_id, row.ip_address)):
        return
    network = world.need("network", row.network_id)
    into = HOP6 if ":" in row.ip_address else HOP
    yield NEXT_HOP, "known", match({NETWORK: network.key, "eth_type": family_of(row.ip_address),
                                    into: ip_number(row.ip_address)}), (
        ct_clear(), set_field(eth_dst=row.mac_address), FORWARD)


@flows(per="port", on=on_gateway)
def listen_outside(world, port):
    _, network = outside(world, port)
    for fixed in port.fixed_ips:
        yield from listen(network, port, fixed.ip_address)


@answers(of=listen_outside)
def hear_outside(world, port, frame):
    return look_up(world, port, upstream(world, port), frame)


def upstream(world, port):
    """The gateway's addresses, each with the next hop of what is not on its subnet, or None."""
    subnets = [world.get("subnet", fixed.subnet_id) for fixed in port.fixed_ips]
    return [(fixed.ip_address, subnet and subnet.gateway_ip) for fixed, subnet in zip(port.fixed_ips, subnets, strict=True)]


@every(30, per="port", to=by_wire)
@only(is_gateway)
def keep_asking(world, port):
    """The next hops are asked for now and again: their MACs may change, and the first packet should not wait."""
    if not on_gateway(world, port):
        raise Missing("uplink", port.network_id)
    return Said(tuple(question(world, port, ip, hop)[1] for ip, hop in upstream(world, port) if hop))
