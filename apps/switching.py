"""Switching: carry frames between the ports of one network, on one host or through tunnels.

    unicast to a port here      FORWARD sets RECEIVER and goes to what guards it
    unicast to a port there     FORWARD sets the tunnel's key and address; RECEIVER becomes the tunnel
    broadcast, multicast        a copy for each port here and, unless it came from a tunnel, one for each other
                                host on which the network lives: the list of peers is data in one flow
    unknown unicast             only to ports that may own addresses nobody has told us of
"""
from apps.pipeline import (
    ADMIT,
    ANSWER,
    COMMIT,
    DELIVER,
    FORWARD,
    GUARD,
    GUARDS,
    IN_FREE,
    IN_TRACK,
    NETWORK,
    RECEIVER,
    SENDER,
    STATEFUL,
    STATELESS,
    TUNNEL_KEY,
    TUNNEL_PORT,
    UNGUARDED,
)
from apps.places import everywhere, home, peers, plugged, ports_on, switches_of, tunnel_address
from controller.app import Spread, flows, query, tally
from controller.openflow.actions import drop, output, resubmit, set_field
from controller.openflow.match import match

APP = 2
GROUP_BIT = ("01:00:00:00:00:00", "01:00:00:00:00:00")
NOT_TAGGED = 0


@query
def guard_of(world, port_id):
    """What guards a port: nobody, stateful or stateless security groups."""
    port = world.need("port", port_id)
    if not port.port_security_enabled:
        return UNGUARDED
    groups = [world.get("security_group", group) for group in port.security_groups]
    return STATELESS if any(group is not None and not group.stateful for group in groups) else STATEFUL


WAY_IN = {UNGUARDED: COMMIT, STATEFUL: IN_TRACK, STATELESS: IN_FREE}


def way_in(world, port_id):
    """The table that judges what a port receives."""
    return WAY_IN[world.ask(guard_of, port_id)]


@flows(per="switch", on=everywhere)
def stand(world, switch):
    """What every switch holds, whatever lives on it."""
    for kind, key in TUNNEL_KEY.items():
        yield DELIVER, "known", match({RECEIVER: key}), (output(TUNNEL_PORT[kind]),)
    yield ADMIT, "rest", match(), (drop("not a known port, or a tag that the port may not send"),)
    yield FORWARD, "rest", match(), (drop("no such receiver in the network"),)
    yield DELIVER, "rest", match(), (drop("receiver is not here"),)


@flows(per="port", on=home)
def admit(world, port):
    """A guarded port sends untagged frames and is held to its addresses; an unguarded one may send anything."""
    network, seen = world.need("network", port.network_id), world.ask(plugged, port.id)
    guard = world.ask(guard_of, port.id)
    known = {"in_port": seen.ofport} if guard == UNGUARDED else {"in_port": seen.ofport, "vlan_vid": NOT_TAGGED}
    yield ADMIT, "known", match(known), (
        set_field({GUARDS: guard}), set_field({NETWORK: network.key}), set_field({SENDER: port.key}),
        ANSWER if guard == UNGUARDED else GUARD)


@flows(per="port", on=home)
def deliver_here(world, port):
    network, seen = world.need("network", port.network_id), world.ask(plugged, port.id)
    yield FORWARD, "port", match({NETWORK: network.key, "eth_dst": port.mac_address}), (
        set_field({RECEIVER: port.key}), way_in(world, port.id))
    yield DELIVER, "known", match({RECEIVER: port.key}), (output(seen.ofport),)


# ---- tunnels

def tunnel(world, network, switch_id):
    """The actions that address a frame to another host."""
    address = world.ask(tunnel_address, switch_id)
    if address is None:
        return ()
    return (set_field({"tun_ipv6_dst" if ":" in address else "tun_dst": address}),)


def enter_tunnel(network):
    """The actions that choose the network's tunnel and its key."""
    return (set_field({RECEIVER: TUNNEL_KEY[network.provider_network_type]}),
            set_field({"tunnel_id": network.provider_segmentation_id}))


@flows(per="network", on=lambda world, network: Spread(switches_of(world, network.id)))
def admit_from_tunnel(world, network):
    yield ADMIT, "known", match({"in_port": TUNNEL_PORT[network.provider_network_type],
                                 "tunnel_id": network.provider_segmentation_id}), (
        set_field({NETWORK: network.key}), FORWARD)


@flows(per="port", on=peers)
def send_through_tunnel(world, port):
    network, seen = world.need("network", port.network_id), world.ask(plugged, port.id)
    there = tunnel(world, network, seen.switch_id) if seen else ()
    if there:
        yield FORWARD, "port", match({NETWORK: network.key, "eth_dst": port.mac_address}), (
            *enter_tunnel(network), *there, COMMIT)


# ---- broadcast, multicast, unknown

@tally(per="port")
def wanderers(world, port):
    """Ports that may own MAC addresses which are not in the model, by network and by (network, switch)."""
    seen = world.ask(plugged, port.id)
    foreign = any(pair.mac_address != port.mac_address for pair in port.allowed_address_pairs)
    if seen and (foreign or not port.port_security_enabled):
        yield port.network_id, seen.switch_id
        yield (port.network_id, seen.switch_id), port.id


def copies_here(world, port_ids):
    """A copy for each of these ports of this switch (OpenFlow never sends one back to where it came from)."""
    for id in port_ids:
        yield set_field({RECEIVER: world.need("port", id).key})
        yield resubmit(way_in(world, id))


def copies_there(world, network, switch_ids):
    """A copy for each of these other hosts."""
    tunnels = [tunnel(world, network, switch_id) for switch_id in sorted(switch_ids)]
    if any(tunnels):
        yield from enter_tunnel(network)
    for there in filter(None, tunnels):
        yield from there
        yield resubmit(COMMIT)


@flows(per="network", on=lambda world, network: Spread(switches_of(world, network.id)), each=True)
def flood(world, network, switch_id):
    here = tuple(copies_here(world, ports_on(world, network.id, switch_id)))
    there = tuple(copies_there(world, network, switches_of(world, network.id) - {switch_id}))
    to_all = {NETWORK: network.key, "eth_dst": GROUP_BIT}
    if there:
        yield FORWARD, "flood_here", match({SENDER: 0, **to_all}), here
    yield FORWARD, "flood", match(to_all), (*there, *here)


@flows(per="network", on=lambda world, network: Spread(switches_of(world, network.id)), each=True)
def send_unknown(world, network, switch_id):
    """Unknown unicast goes to the wanderers alone."""
    places = world.gathered(wanderers, network.id)
    here = tuple(copies_here(world, sorted(world.gathered(wanderers, (network.id, switch_id)))))
    there = tuple(copies_there(world, network, places - {switch_id}))
    if here:
        yield FORWARD, "unknown_here", match({SENDER: 0, NETWORK: network.key}), here
    if here or there:
        yield FORWARD, "unknown", match({NETWORK: network.key}), (*there, *here)


