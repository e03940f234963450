"""Relays: a network on hosts that tunnels join, and on switches that nothing but links join.

    a host ══ tunnel ══► the relay ── label ──► a switch of its island         and back

Unicast needs nothing here: the relay knows the network's machines like any switch that sends to them, a host takes the tunnel
to the relay of a switch without one (apps/ways.py), and such a switch sends to its relay what only tunnels lead to
(apps/transport.py). Of a broadcast each side makes the copies for itself and one for each relay, which makes those for its
other side; so everybody gets one, and what came by the one never goes back by it.
"""
from apps.pipeline import COMMIT, COPIES, DELIVER, EGRESS, FORWARD, NETWORK, SENDER, TUNNEL_PORT
from apps.places import region, routed, switches_of
from apps.switching import GROUP_BIT, enter_tunnel, to_each_host, wanderers
from apps.underlay import tunnel_address
from apps.uplinks import on_wire
from apps.ways import by_label, label_of
from controller.app import flows, query, spread
from controller.openflow.actions import resubmit, set_field
from controller.openflow.match import match
from topology.islands import islands, relaying, relays

APP = 64


@query
def between(world, network_id):
    """The relays of a network; none for nearly all."""
    return relaying(world, world.ask(region, *world.ask(routed, network_id)))


def concerned(world, network):
    """Where the network lives, and its relays."""
    found = world.ask(between, network.id) if not on_wire(network) else ()
    return spread(switches_of(world, network.id), found) if found else ()


@flows(per="network", on=concerned, each=True)
def flood(world, network, switch_id):
    """Broadcast, in place of the list that is the same everywhere (switching.py)."""
    if on_wire(network):                                # a moment before it is known to be nowhere
        return
    group = {NETWORK: network.key, "eth_dst": GROUP_BIT}
    yield from copies(world, network, switch_id, switches_of(world, network.id), group, ("flood", 1), 8, resubmit(DELIVER))


@flows(per="network", on=concerned, each=True)
def send_unknown(world, network, switch_id):
    """The same for unknown unicast, to where wanderers are."""
    places = world.gathered(wanderers, network.id)
    if places and not on_wire(network):
        yield from copies(world, network, switch_id, places, {NETWORK: network.key}, ("unknown", 1), 4, resubmit(COMMIT))


def copies(world, network, switch_id, members, what, level, above, onward):
    """The flows of one switch that make copies: of what comes from here, and on a relay of what comes by either side."""
    at, leading = world.ask(islands), world.ask(relays)
    own, is_relay = world.ask(tunnel_address, switch_id), leading.get(at.get(switch_id)) == switch_id
    beside = sorted(one for one in members if one != switch_id and not world.ask(tunnel_address, one)
                    and one in at and at[one] == at.get(switch_id))
    beyond = {one for one in members if world.ask(tunnel_address, one)} | set(world.ask(between, network.id))
    by_tunnels = tuple(to_each_host(world, beyond - {switch_id}, onward))
    by_links = tuple(action for one in beside for action in (*by_label(world, one), onward))
    if own is None:
        relay = leading.get(at.get(switch_id))
        to_relay = (set_field({EGRESS: world.ask(label_of, relay)}), onward) if relay else ()
        yield FORWARD, level, match(what), (*enter_tunnel(network), *by_links, *to_relay, COPIES)
        return
    yield FORWARD, level, match(what), (*enter_tunnel(network), *by_tunnels, *(by_links if is_relay else ()), COPIES)
    if is_relay:
        came = {**what, SENDER: 0}
        tunnel = TUNNEL_PORT[network.provider_network_type]
        yield FORWARD, ("here", above + 1), match(came, in_port=tunnel), (*enter_tunnel(network), *by_links, COPIES)
        yield FORWARD, ("here", above), match(came), (*enter_tunnel(network), *by_tunnels, COPIES)
