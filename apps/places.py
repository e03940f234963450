"""Where things are: which interface a port is plugged into, which switches a network lives on.

With seats.py the only file that turns facts (hosts, switches, interfaces: seen) into places. Other apps ask it; none
looks at interfaces itself.
"""
from apps.choices import best, is_elsewhere
from apps.exits import rank
from apps.scopes import shares_scope
from apps.seats import ROUTER_PORTS, awaited, plugged
from apps.underlay import tunnel_address  # noqa: F401  a place too: asked for here
from apps.uplinks import landings, strands, uplink_of
from controller.app import Missing, only, query, spread, tally
from topology.islands import relaying

GATEWAY_PORT, FLOATING_PORT = "network:router_gateway", "network:floatingip"


def here(world, port):
    """The seat from which the port takes part; without one the asking rule has no flows."""
    seen = world.ask(plugged, port.id)
    if seen is None:
        raise Missing("interface", port.id)
    return seen


def home(world, port):
    """The switch that the port is plugged into: for flows that name its OpenFlow port."""
    seen = world.ask(plugged, port.id)
    return (seen.switch_id,) if seen else ()


def is_said_down(port):
    """Whether somebody who watches the port's machine says that it does not work."""
    return port.data_plane_status == "DOWN"


def homes_of(world, port):
    """That switch, and those that are ready for it to come: for flows that know the port by its key."""
    return (*home(world, port), *(seat.switch_id for seat in awaited(world, port)))


@tally(per="port")
def homes(world, port):
    """Networks gather the switches they live on, and each of those its ports there; switches gather the networks of ports."""
    seen = world.ask(plugged, port.id)
    for seat in awaited(world, port):
        yield port.network_id, seat.switch_id
    if seen:
        yield port.network_id, seen.switch_id
        yield (port.network_id, seen.switch_id), port.id
        yield ("networks", seen.switch_id), port.network_id
    elif switch := outlet(world, port):
        yield port.network_id, switch                  # an external network lives where something leads to it


def switches_of(world, network_id):
    """The switches with a port of the network."""
    return world.gathered(homes, network_id)


def networks_on(world, switch_id):
    """The networks that have ports on one switch."""
    return world.gathered(homes, ("networks", switch_id))


def ports_on(world, network_id, switch_id):
    """The ids of the network's ports that are plugged into one switch."""
    return world.gathered(homes, (network_id, switch_id))


def seats(world, network, of=lambda port: True):
    """(switch, OpenFlow port or actions) that lead to each port of the network that is plugged in now, or to those of which
    something is true."""
    for port in world.find("port", "network_id", network.id):
        seen = world.known(plugged, port.id) if of(port) else None
        if seen:
            yield seen.switch_id, b"".join(seen.out) if seen.tag else seen.ofport


# ---- routers: a port of a router joins its network to the router's others

def is_interface(port):
    return port.device_owner in ROUTER_PORTS and bool(port.device_id)


def is_gateway(port):
    return port.device_owner == GATEWAY_PORT and bool(port.device_id)


@tally(per="port")
@only(lambda port: is_interface(port) or is_gateway(port))
def joints(world, port):
    """Networks gather their routers; routers gather their networks and their ports."""
    if port.device_owner in ROUTER_PORTS and port.device_id and port.admin_state_up:
        yield ("routers", port.network_id), port.device_id
        yield ("networks", port.device_id), port.network_id
        yield ("ports", port.device_id), port.id
    elif is_gateway(port):
        yield ("gateway", port.device_id), port.id
        yield ("leading", port.network_id), port.device_id
        yield ("outside", port.device_id), port.network_id


@query
def routed(world, network_id):
    """The networks from which packets may come to this one through routers, itself among them."""
    found, waiting = {network_id}, [network_id]
    while waiting:
        for router in world.gathered(joints, ("routers", waiting.pop())):
            there = world.get("router", router)
            if there is not None and there.admin_state_up:
                new = world.gathered(joints, ("networks", router)) - found
                found |= new
                waiting += new
    return tuple(sorted(found))


@query
def region(world, *network_ids):
    """The switches on which any of these networks lives, the gateway hosts of their routers, and the relays between them."""
    found = frozenset().union(*(switches_of(world, network) for network in network_ids),
                              world.ask(gateways_of, *network_ids), world.ask(doors_of, *network_ids))
    return found | relaying(world, found)


@query
def relays_of(world, network_id):
    """The relays (topology/islands.py) by way of which frames of the network go; none for nearly all."""
    return relaying(world, world.ask(region, *world.ask(routed, network_id)))


def reach(world, network_id, but=()):
    """Every switch that may send into the network: where it and those live that are routed to it, and their gateways.

    All these networks share one set, so that placing a port costs the same however many there are.
    """
    return spread(world.ask(region, *world.ask(routed, network_id)), but=but)


# ---- addresses that several ports may have, by allowed address pairs

def shared(port):
    """(address, MAC) of each pair for one address; a block is nobody's address."""
    for pair in port.allowed_address_pairs:
        ip, _, length = pair.ip_address.partition("/")
        if length in ("", "128" if ":" in ip else "32"):
            yield ip, pair.mac_address or port.mac_address


def paired(world, network_id, ip):
    """The ports of a network that may have an address by a pair."""
    return [port for text in (ip, f"{ip}/{128 if ':' in ip else 32}")
            for port in world.find("port", "allowed_address_pairs.ip_address", text) if port.network_id == network_id]


def takes_part(world, port):
    """Whether a port is somewhere, as a machine's or as a router's."""
    return port.device_owner in ROUTER_PORTS or bool(world.ask(plugged, port.id) or outlet(world, port))


@query
def owners(world, network_id, ip):
    """(port, MAC) of all that may have an address now: those whose own it is come first."""
    own = [port for port in world.find("port", "network_id+ip_address", (network_id, ip)) if takes_part(world, port)]
    others = [(port.id, mac) for port in paired(world, network_id, ip) if world.ask(plugged, port.id)
              for address, mac in shared(port) if address == ip]
    return tuple(dict.fromkeys([(port.id, port.mac_address) for port in own] + others))


def is_contested(world, network_id, ip):
    """Whether several may have an address; nearly always nobody has a pair for it."""
    return bool(paired(world, network_id, ip)) and len(world.ask(owners, network_id, ip)) > 1


@query
def owner(world, network_id, ip):
    """(port, MAC) of who has an address: who has said so last, else whose own it is, or all agree on. None: unknown."""
    found = world.ask(owners, network_id, ip)
    said = world.get("claim", f"{network_id}/{ip}")
    if said and (said.port_id, said.mac_address) in found:
        return said.port_id, said.mac_address
    own = [port.id for port in world.find("port", "network_id+ip_address", (network_id, ip))]
    return found[0] if found and (found[0][0] in own or len({mac for _, mac in found}) == 1) else None


# ---- outlets: where routers and floating addresses are on an external network, each on one of the switches with its wire

def is_outside(port):
    return port.device_owner in (GATEWAY_PORT, FLOATING_PORT) and bool(port.device_id)


def outlet(world, port):
    """The switch that speaks outside for a gateway or for the address of a floating IP; None for any other port."""
    if not is_outside(port):
        return None
    return world.ask(gateway_switch if is_gateway(port) else outlet_of, port.device_id)


@tally(per="port")
@only(is_outside)
def outlets(world, port):
    """External networks gather the switches that speak for something of theirs."""
    if switch := outlet(world, port):
        yield port.network_id, switch


@query
def gates(world, router_id):
    """A router's ports on external networks, the first gateway's first."""
    ports = [world.get("port", id) for id in sorted(world.gathered(joints, ("gateway", router_id)))]
    router = world.get("router", router_id)
    return tuple(sorted(filter(None, ports), key=lambda port: rank(router, port.network_id) if router else 0))


@query
def gateway_of(world, router_id, network_id):
    """A router's port on an external network; None without one."""
    return next((port for port in world.ask(gates, router_id) if port.network_id == network_id), None)


@query
def gateway_switch(world, router_id):
    """The gateway host of a router: of the switches with the wire, the first by a digest of both; None without one.

    One that is lost comes after all others, and then one that is in none of the router's zones. A router that is not
    `ha` stays where it is all the same. One host is it for all gateways of a router: of those with the most of their
    wires, one that has the first gateways'; and of these one that has the wires of the router's own networks.
    """
    return _gateway_switch(world, router_id)


@query
def stands_in(world, router_id):
    """Whether the gateway host of a router is that only because another one is lost."""
    return world.ask(gateway_switch, router_id) != _gateway_switch(world, router_id, heed=False)


def _gateway_switch(world, router_id, heed=True):
    router, networks = world.get("router", router_id), [world.get("network", port.network_id) for port in world.ask(gates, router_id)]
    reaching = [world.gathered(landings, network.provider_physical_network) for network in networks
                if network and network.provider_physical_network]
    inner = [wires[0][0] for id in sorted(world.gathered(joints, ("networks", router_id))) if (wires := world.ask(strands, id))]

    def order(switch):
        lacking = [switch not in switches for switches in reaching]
        apart = sum(switch not in world.gathered(landings, wire) for wire in inner)
        return is_elsewhere(world, router, switch), sum(lacking), lacking, apart
    return best(world, router, frozenset().union(*reaching), order, router_id, heed)


@query
def outlet_of(world, floating_id):
    """Where a floating address is translated: where its machine is, if that host has the wire; else the gateway host."""
    floating = world.get("floatingip", floating_id)
    router = world.get("router", floating.router_id) if floating and floating.router_id else None
    if router is None or not router.admin_state_up:
        return None
    port = world.ask(gateway_of, router.id, floating.floating_network_id)
    network = world.get("network", port.network_id) if port else None
    if network is None:
        return None
    spread_out = router.distributed if floating.distributed is None else floating.distributed
    machine = bearer(world, floating) if spread_out else None
    if machine and (shares_scope(world, machine.network_id, network.id) or len(standing_for(world, floating)) > 1):
        machine = None                   # it is reached by another address too: the gateway host has to follow both
    if machine and machine.network_id not in world.gathered(joints, ("networks", router.id)):
        machine = None                   # other routers are between: all that passes them comes by the gateway host
    seen = world.ask(plugged, machine.id) if machine else None
    if seen and world.ask(uplink_of, seen.switch_id, network.provider_physical_network):
        return seen.switch_id
    switch = world.ask(gateway_switch, router.id)
    return switch if switch and world.ask(uplink_of, switch, network.provider_physical_network) else None


def standing_for(world, floating):
    """The floating IPs of one router that stand for one address, each on a network of its own; the first gateway's first."""
    if not floating.port_id:
        return []
    router, place = world.need("router", floating.router_id), (floating.port_id, floating.fixed_ip_address)
    found = [one for one in world.find("floatingip", "port_id+fixed_ip_address", place) if one.router_id == router.id]
    return sorted(found, key=lambda one: (rank(router, one.floating_network_id), one.id))


def bearer(world, floating):
    """The port that has the address for which a floating IP stands: its own, unless another has taken that; or None."""
    port = world.get("port", floating.port_id) if floating.port_id else None
    if port is None or not paired(world, port.network_id, floating.fixed_ip_address):
        return port
    found = world.ask(owner, port.network_id, floating.fixed_ip_address)
    return world.get("port", found[0]) if found else port


@tally(per="floatingip")
def floats(world, floating):
    """Gateways gather the switches on which floating addresses of their router and network are translated."""
    if not floating.router_id:
        return
    switch, port = world.ask(outlet_of, floating.id), world.ask(gateway_of, floating.router_id, floating.floating_network_id)
    if switch and port:
        yield port.id, switch


@query
def gateways_of(world, *network_ids):
    """The gateway hosts of the routers on these networks."""
    routers = {router for network in network_ids for router in world.gathered(joints, ("routers", network))}
    return frozenset(filter(None, (world.ask(gateway_switch, router) for router in routers)))


@query
def door(world, router_id, network_id):
    """The host that answers on a physical network for a router: of those with the wire, the first by a digest; or None.

    One that is lost comes after all others, as with gateway hosts. Of several segments the first by name has the door.
    """
    router, wires = world.get("router", router_id), world.ask(strands, network_id)
    if router is None or not wires:
        return None

    return best(world, router, world.gathered(landings, wires[0][0]), lambda switch: (), f"{router_id} {network_id}")


@query
def doors_of(world, *network_ids):
    """The doors of the routers on these networks."""
    return frozenset(found for network in network_ids for router in sorted(world.gathered(joints, ("routers", network)))
                     if (found := world.ask(door, router, network)))


def listens(world, network):
    """The switches to which frames of the network are sent through tunnels: where it lives, gateway hosts, and relays."""
    return spread(switches_of(world, network.id), world.ask(gateways_of, network.id), world.ask(relays_of, network.id))


def network_wide(world, port):
    """Every switch on which the port's network lives, if the port is somewhere."""
    if switch := outlet(world, port):
        return (switch,)                               # the others ask by the wire
    return spread(switches_of(world, port.network_id)) if home(world, port) else ()


def peers(world, port):
    """Every other switch that may send to the port."""
    at = home(world, port)
    return reach(world, port.network_id, at) if at else ()


def everywhere(world, switch):
    """The switch itself: for standing flows, per="switch"."""
    return (switch.id,)
