"""Relays: a network on hosts that tunnels join, and on switches that nothing but links join.

    a host ══ tunnel ══► the relay ── label ──► a switch of its island         and back

Unicast needs nothing here: the relay knows the network's machines like any switch that sends to them, a host takes the tunnel
to the relay of a switch without one (apps/ways.py), and such a switch sends to its relay what only tunnels lead to
(apps/transport.py). Of a broadcast each side makes the copies for itself and one for each relay, which makes those for its
other side; so everybody gets one, and what came by the one never goes back by it.
"""
from apps.pipeline import COMMIT, COPIES, DELIVER, EGRESS, FORWARD, NETWORK, TUNNEL_PORT
from apps.places import relays_of, switches_of
from apps.switching import GROUP_BIT, copies, enter_tunnel, to_each_host, wanderers
from apps.underlay import tunnel_address
from apps.uplinks import on_wire
from apps.ways import by_label, label_of
from controller.app import flows, spread
from controller.openflow.actions import resubmit, set_field
from controller.openflow.match import match
from topology.islands import islands, relays
from topology.paths import adjacent

APP = 64


ONE = (0, 1 << 40)                  # the bit of a destination that says that it is not one machine's


def concerned(world, network):
    """Where the network lives, and its relays."""
    found = world.ask(relays_of, network.id) if not on_wire(network) else ()
    return spread(switches_of(world, network.id), found) if found else ()


@flows(per="network", on=concerned, each=True)
def flood(world, network, switch_id):
    """Broadcast, in place of the list that is the same everywhere (switching.py)."""
    if on_wire(network):                                # a moment before it is known to be nowhere
        return
    group = {NETWORK: network.key, "eth_dst": GROUP_BIT}
    sides = Sides(world, network, switch_id, switches_of(world, network.id), resubmit(DELIVER))
    yield FORWARD, "flood", match(group), (*enter_tunnel(network), *sides.from_here, COPIES)
    for port, onward in sides.passed_on():
        yield FORWARD, "port", match(group, in_port=port), (*enter_tunnel(network), *onward, COPIES)


@flows(per="network", on=concerned, each=True)
def send_unknown(world, network, switch_id):
    """The same for unknown unicast, to where wanderers are."""
    places = world.gathered(wanderers, network.id)
    if on_wire(network) or not places:
        return
    sides = Sides(world, network, switch_id, places, resubmit(COMMIT))
    yield FORWARD, "unknown", match({NETWORK: network.key}), (*enter_tunnel(network), *sides.from_here, COPIES)
    here = tuple(copies(world, world.gathered(wanderers, (network.id, switch_id))))
    for port, onward in sides.passed_on():
        if onward or here:
            yield COPIES, "all", match({NETWORK: network.key}, eth_dst=ONE, in_port=port), (*enter_tunnel(network), *onward, *here)


class Sides:
    """The copies that one switch makes for members of a network: by links, in its own island, and by tunnels, beyond."""

    def __init__(self, world, network, switch_id, members, onward):
        self.world, self.network, self.switch_id = world, network, switch_id
        at, leading = world.ask(islands), world.ask(relays)
        self.relay = leading.get(at.get(switch_id))
        beside = sorted(one for one in members if one != switch_id and not world.ask(tunnel_address, one)
                        and one in at and at[one] == at.get(switch_id))
        beyond = {one for one in members if world.ask(tunnel_address, one)} | world.ask(relays_of, network.id)
        self.by_links = tuple(action for one in beside for action in (*by_label(world, one), onward))
        self.by_tunnels = tuple(to_each_host(world, beyond - {switch_id}, onward))
        self.to_relay = (set_field({EGRESS: world.ask(label_of, self.relay)}), onward) if self.relay else ()

    @property
    def from_here(self):
        """Of what a machine here says."""
        if self.world.ask(tunnel_address, self.switch_id) is None:
            return (*self.by_links, *self.to_relay)
        return (*self.by_tunnels, *(self.by_links if self.relay == self.switch_id else ()))

    def passed_on(self):
        """(OpenFlow port, copies) of what comes to a relay by its tunnel, and by each of its links."""
        if self.relay == self.switch_id:
            yield TUNNEL_PORT[self.network.provider_network_type], self.by_links
            for wire in self.world.ask(adjacent, self.switch_id):
                yield wire.port, self.by_tunnels
