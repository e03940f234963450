"""Extra routes: further destinations of a router, each by one next hop or by several.

Of the next hops to a destination those of the least distance that are up are used; each gets its share of the
connections, by weight. A next hop is down if it is a port's address and the port takes no part in its network (its
machine is off, or has moved away), or if somebody says so of the port (`data_plane_status`). If all are down, those of the
least distance are used as if they were up.
"""
from typing import NamedTuple

from apps.pipeline import HOP, HOP6, NETWORK, NEXT_HOP, ROUTE, ROUTER
from apps.places import is_said_down, plugged
from apps.routing import IPV4, IPV6, closeness, connected, measure, route, wherever
from controller.app import flows, query
from controller.openflow.actions import FORGET_IN_PORT, ct_clear, dec_ttl, group, resubmit, set_field
from controller.openflow.group import Group
from controller.openflow.match import match
from controller.values import ip_number, prefix

APP = 12
GROUPS = 32                  # numbers of groups for one router, which has 30 routes at most
DISTANCE, WEIGHT = 1, 1      # of a route that does not say


class Hop(NamedTuple):
    """One way to a destination: its share, its address, and the router's port on its network."""
    weight: int
    address: str
    port_id: str


@query
def is_up(world, network_id, address):
    """Whether an address may be sent to: it is nobody's that we know, or its port takes part in the network."""
    ports = world.find("port", "network_id+ip_address", (network_id, address))
    return not ports or any(world.ask(plugged, port.id) and not is_said_down(port) for port in ports)


@query
def hops(world, router_id):
    """(destination, the hops to use) of each extra route of a router, in order of the destination."""
    joined = world.ask(connected, router_id)
    found: dict = {}
    for one in world.need("router", router_id).routes:
        via = next((id for _, cidr, id in joined if one.nexthop in prefix(cidr)), None)
        if via is not None and one.destination not in {cidr for _, cidr, _ in joined}:
            up = world.ask(is_up, world.need("port", via).network_id, one.nexthop)
            rank = not up, one.get("distance", DISTANCE)
            found.setdefault(one.destination, []).append((rank, Hop(one.get("weight", WEIGHT), one.nexthop, via)))
    return tuple((destination, tuple(hop for rank, hop in all if rank == min(all)[0]))
                 for destination, all in sorted(found.items()))


@flows(per="router", on=wherever)
def lead(world, router):
    """To each destination by its only hop, or by a group of hops."""
    if not router.admin_state_up:
        return
    for place, (destination, all) in enumerate(world.ask(hops, router.id)):
        first = world.need("port", all[0].port_id)
        if len(all) == 1:
            network = world.need("network", first.network_id)
            yield route(router, network, first, destination, all[0].address, before=measure(world, router, network))
        else:
            number = router.key * GROUPS + place
            yield Group(number, "select", [(hop.weight, None, towards(world, hop)) for hop in all])
            yield spread_over(router, destination, number)


def towards(world, hop):
    """Out through the interface to the hop."""
    port = world.need("port", hop.port_id)
    into, network = HOP6 if ":" in hop.address else HOP, world.need("network", port.network_id)
    return (*measure(world, world.need("router", port.device_id), network), set_field({NETWORK: network.key}), set_field(eth_src=port.mac_address),
            set_field({into: ip_number(hop.address)}), resubmit(NEXT_HOP))


def spread_over(router, destination, number):
    """The flow that hands a destination to a group of hops."""
    six, length = ":" in destination, prefix(destination).length
    wanted = {ROUTER: router.key, "eth_type": IPV6 if six else IPV4}
    if length:
        wanted["ipv6_dst" if six else "ipv4_dst"] = destination
    return ROUTE, closeness(length), match(wanted), (ct_clear(), dec_ttl(), FORGET_IN_PORT, group(number))
