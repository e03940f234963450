"""Switching: carry frames between the ports of one network, on one host or through tunnels.

    unicast to a port here      FORWARD sets RECEIVER and goes to what guards it
    unicast to a port there     FORWARD sets the tunnel's key and address, or the label of the switch; RECEIVER becomes
                                the tunnel
    broadcast, multicast        a copy for each port here and, unless it came from a tunnel, one for each other
                                host on which the network lives: the list of peers is data in one flow
    unknown unicast             only to ports that may own addresses nobody has told us of
"""
from typing import Any

from apps.guards import ask_for, first_judge, guard_of, way_in
from apps.limits import counted, hand_over, limits_of
from apps.pipeline import (
    ADMIT,
    COMMIT,
    COPIES,
    COUNT_OUT,
    DELIVER,
    EGRESS,
    FORWARD,
    GUARDS,
    NETWORK,
    NO_TUNNEL,
    POLICE,
    RECEIVER,
    SENDER,
    TUNNEL_KEY,
    TUNNEL_PORT,
    UNGUARDED,
)
from apps.places import (
    everywhere,
    here,
    home,
    listens,
    peers,
    plugged,
    ports_on,
    reach,
    relays_of,
    switches_of,
    tunnel_address,
)
from apps.seats import TAGGED
from apps.uplinks import on_wire
from apps.watched import account, peers_of
from apps.ways import label_of, way_to
from controller.app import flows, only, query, spread, tally
from controller.openflow.actions import drop, output, pop_vlan, resubmit, set_field
from controller.openflow.match import match

APP = 2
GROUP_BIT = ("01:00:00:00:00:00", "01:00:00:00:00:00")
NOT_TAGGED = 0


@flows(per="switch", on=everywhere)
def stand(world, switch):
    """What every switch holds, whatever lives on it."""
    yield ADMIT, "rest", match(), (drop("not a known port, or a tag that the port may not send"),)
    yield FORWARD, "here", match({SENDER: 0}), (COPIES,)       # what came through a tunnel never leaves by one
    yield FORWARD, "rest", match(), (drop("no such receiver in the network"),)
    yield COPIES, "rest", match(), (drop("no port here may have that address"),)
    yield DELIVER, "rest", match(), (drop("receiver is not here"),)


@flows(per="port", on=home)
def admit(world, port):
    yield admitted(world, port, here(world, port))


def admitted(world, port, seen):
    """A guarded port is held to its addresses, and sends untagged frames unless its network carries tags; an unguarded
    one may send anything. Of a trunk each port has the frames with its tag, which comes off."""
    network = world.need("network", port.network_id)
    guard, limits = world.ask(guard_of, port.id), world.ask(limits_of, port.id)
    onward = POLICE if limits.sending else first_judge(world, port)
    known = {"in_port": seen.ofport}
    if seen.tag:
        known["vlan_vid"] = TAGGED | seen.tag
    elif seen.trunk or guard != UNGUARDED and not network.vlan_transparent:
        known["vlan_vid"] = NOT_TAGGED
    return ADMIT, "known", match(known), (
        account(port, "sent"), *counted(port, limits, "packets sent"), *((pop_vlan(),) if seen.tag else ()),
        ask_for(world, port), set_field({GUARDS: guard}), set_field({NETWORK: network.key}), set_field({SENDER: port.key}),
        onward if world.ask(peers_of, port.id) is None else COUNT_OUT)


@flows(per="port", on=home)
def deliver_here(world, port):
    network, seen = world.need("network", port.network_id), here(world, port)
    yield FORWARD, "port", match({NETWORK: network.key, "eth_dst": port.mac_address}), brought_in(world, port)
    if not seen.trunk:                                   # trunks.py has those
        yield from delivered(world, port, seen)


def delivered(world, port, seen):
    """Out of its interface. Open vSwitch would not send it back, but count it: a copy of what the machine has sent to all."""
    yield DELIVER, "known", match({RECEIVER: port.key}), hand_over(world, port, seen.out)
    yield DELIVER, "self", match({"in_port": seen.ofport, RECEIVER: port.key}), (drop("never back to who sent it"),)


def brought_in(world, port):
    """To a port here, past whoever guards it."""
    return ask_for(world, port), set_field({RECEIVER: port.key}), way_in(world, port.id)


# ---- tunnels

def enter_tunnel(network):
    """The actions that choose the network's tunnel and its key."""
    return (set_field({RECEIVER: TUNNEL_KEY[network.provider_network_type]}),
            set_field({"tunnel_id": network.provider_segmentation_id}))


def network_lives(world, network):
    return spread(switches_of(world, network.id))


def may_send_unknown(world, network):
    """Where the network lives, and if it has wanderers also where routers may send to them."""
    return reach(world, network.id) if world.gathered(wanderers, network.id) else network_lives(world, network)


@flows(per="switch", on=everywhere)
def keep_from_itself(world, switch):
    """Lists of peers are the same on every host, its own address among them."""
    own = world.ask(tunnel_address, switch.id)
    if own:
        # What goes on over links may be addressed to this host: others reach its island by way of it.
        onward: dict[Any, Any] = {EGRESS: (0, NO_TUNNEL)} if world.ask(label_of, switch.id) is not None else {}
        yield DELIVER, "self", match({RECEIVER: (0, ~3 & 0xFFFFFFFF), "tun_ipv6_dst" if ":" in own else "tun_dst": own} | onward), (
            drop("this host itself, on the list of its network's hosts"),)


@flows(per="switch", on=everywhere)
def enter_tunnels(world, switch):
    """A switch without an underlay address, but with links, sends over those (transport.py)."""
    if world.ask(tunnel_address, switch.id) or world.ask(label_of, switch.id) is None:
        for kind, key in TUNNEL_KEY.items():
            yield DELIVER, "known", match({RECEIVER: key}), (output(TUNNEL_PORT[kind]),)


@flows(per="network", on=listens)
def admit_from_tunnel(world, network):
    if on_wire(network):                                 # provider_networks.py has those
        return
    yield ADMIT, "known", match({"in_port": TUNNEL_PORT[network.provider_network_type],
                                 "tunnel_id": network.provider_segmentation_id}), (
        set_field({NETWORK: network.key}), FORWARD)


@flows(per="port", on=peers)
def send_through_tunnel(world, port):
    network, seen = world.need("network", port.network_id), here(world, port)
    there = () if on_wire(network) else world.ask(way_to, seen.switch_id)
    if there:
        yield FORWARD, "port", match({NETWORK: network.key, "eth_dst": port.mac_address}), (
            *enter_tunnel(network), *there, COMMIT)


# ---- broadcast, multicast, unknown

def may_wander(port):
    """Whether a port may own MAC addresses which are not in the model."""
    return not port.port_security_enabled or any(pair.mac_address != port.mac_address for pair in port.allowed_address_pairs)


@tally(per="port")
@only(may_wander)
def wanderers(world, port):
    """Ports that may own more MAC addresses than we know, by network and by (network, switch)."""
    seen = world.ask(plugged, port.id)
    if seen:
        yield port.network_id, seen.switch_id
        yield (port.network_id, seen.switch_id), port.id


def to_each_host(world, switches, onward):
    """The actions that send a copy to each of these switches, in an order of its own.

    Of two addresses Open vSwitch takes the IPv4 one: those hosts come after, and find no IPv6 address left over. Last
    come switches that are reached over links only. What one does not need, the one before must not leave behind.
    """
    found = {switch: world.ask(tunnel_address, switch) for switch in sorted(switches)}
    four = [switch for switch, address in found.items() if address and ":" not in address]
    six = [switch for switch, address in found.items() if address and ":" in address]
    label = False
    for switch in (*six, *four, *(switch for switch, address in found.items() if not address)):
        if six and four and switch == four[0]:
            yield set_field(tun_ipv6_dst="::")
        way = world.ask(way_to, switch)
        if label and len(way) == 1 and found[switch]:
            yield set_field({EGRESS: 0})
        label = world.ask(label_of, switch) is not None
        yield from (*way, onward) if way else ()


@query
def copy_to(world, port_id):
    """Whose rules are asked about what the port receives, and the actions that send it a copy."""
    port = world.need("port", port_id)
    return ask_for(world, port), set_field({RECEIVER: port.key}) + resubmit(way_in(world, port_id))


def copies(world, port_ids):
    """A copy for each of these ports of this switch (OpenFlow never sends one back to where it came from).

    Nothing further on writes whose rules are asked, so it is said once for all ports in the same groups: what a flow can
    hold is limited.
    """
    said = None
    for asked, copy in sorted(found for id in port_ids if (found := world.ask(copy_to, id))):
        if asked != said:
            yield asked
            said = asked
        yield copy


@flows(per="network", on=network_lives)
def flood(world, network):
    """To every other host of the network, then to the ports here. One flow, the same on all hosts.

    The copies for tunnels are not committed: nobody replies to a connection with a group address.
    """
    if on_wire(network) or world.ask(relays_of, network.id):            # relays.py has those
        return
    peers = to_each_host(world, switches_of(world, network.id), resubmit(DELIVER))
    yield FORWARD, "flood", match({NETWORK: network.key, "eth_dst": GROUP_BIT}), (*enter_tunnel(network), *peers, COPIES)


@flows(per="network", on=may_send_unknown)
def send_unknown(world, network):
    """Unknown unicast goes to the hosts that have wanderers, and to the wanderers here."""
    places = world.gathered(wanderers, network.id)
    if places and not on_wire(network) and not world.ask(relays_of, network.id):
        peers = to_each_host(world, places, resubmit(COMMIT))
        yield FORWARD, "unknown", match({NETWORK: network.key}), (*enter_tunnel(network), *peers, COPIES)


@flows(per="network", on=network_lives, each=True)
def copy_here(world, network, switch_id):
    to_all = tuple(copies(world, ports_on(world, network.id, switch_id)))
    if to_all:
        yield COPIES, "all", match({NETWORK: network.key, "eth_dst": GROUP_BIT}), to_all
    to_wanderers = tuple(copies(world, world.gathered(wanderers, (network.id, switch_id))))
    if to_wanderers:
        yield COPIES, "unknown", match({NETWORK: network.key}), to_wanderers
