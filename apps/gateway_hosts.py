"""The way to the gateway host: what has no closer route goes there as it is, from every other host.

It goes in the network that it is in: through its tunnel, or over its wire to the MAC that the router has there on that
host (`wire_routers.py`), so that physical switches carry it to that host and to no other.
"""
from apps.gateways import EVERYTHING, leading, routes_outside
from apps.outside import family_of
from apps.pipeline import DELIVER, NETWORK, RECEIVER, ROUTE, TUNNEL_KEY, UPLINK
from apps.places import gates, gateway_switch, is_interface, reach
from apps.routing import closeness
from apps.uplinks import wire_at, wire_mac
from apps.ways import way_to
from controller.app import flows, only, query, tells
from controller.openflow.actions import FORGET_IN_PORT, set_field
from controller.values import prefix

APP = 25


@tells(per="router", private=True)
def gateway_host(world, router):
    """The host by which a router leads outside, or the switch if that is on none."""
    if not world.ask(gates, router.id):
        return None
    switch = world.get("switch", world.ask(gateway_switch, router.id) or "")
    host = world.get("host", switch.host_id or "") if switch is not None else None
    return (host.hostname or host.id) if host is not None else switch and switch.id


@only(is_interface)
def away_from_gateway(world, port):
    """Every host that routes for this interface, but the gateway host."""
    switch = world.ask(gateway_switch, port.device_id)
    return reach(world, port.network_id, (switch,)) if switch else ()


@flows(per="port", on=away_from_gateway)
def to_gateway(world, port):
    """What has no closer route goes to the gateway host as it is, in the network that it is in."""
    router, network = world.need("router", port.device_id), world.need("network", port.network_id)
    way = _over(world, port, network, world.ask(gateway_switch, router.id))
    if way is None or not router.admin_state_up:
        return
    beyond = [destination for destination, _ in world.ask(routes_outside, router.id)]
    within = {one.destination for one in router.routes} - set(beyond)
    everything = [EVERYTHING[family] for family in families(world, router.id)]
    for destination in dict.fromkeys((*beyond, *apart(world, router.id), *everything)):
        if destination in within:            # a default route of the tenant's own comes first
            continue
        yield ROUTE, closeness(prefix(destination).length), leading(
            router, destination, **{NETWORK: network.key, "eth_dst": port.mac_address}), (*way, DELIVER)


def _over(world, port, network, switch):
    """What leads to the gateway host: the network's tunnel; or its wire, by the MAC that the router has on that host."""
    kind, there = TUNNEL_KEY.get(network.provider_network_type), world.ask(way_to, switch)
    if kind is not None and there:
        return set_field({RECEIVER: kind}), set_field(tunnel_id=network.provider_segmentation_id), *there
    if kind is None and world.ask(wire_at, network.id, switch):
        return (set_field(eth_src=port.mac_address), set_field(eth_dst=wire_mac(switch, port)), set_field({RECEIVER: UPLINK}),
                FORGET_IN_PORT)
    return None


def apart(world, router_id):
    """What is near one of several gateways: floating addresses of another, translated where their machines are, are not
    for that."""
    ports = world.ask(gates, router_id)
    return [subnet.cidr for port in ports for subnet in world.find("subnet", "network_id", port.network_id)] if len(ports) > 1 else []


@query
def families(world, router_id):
    """The IP versions for which a router leads outside."""
    return tuple(sorted({family_of(fixed.ip_address) for port in world.ask(gates, router_id) for fixed in port.fixed_ips}))
