"""Uplinks: where switches reach physical networks, and which networks these carry."""
from hashlib import blake2s

from controller.app import query, tally


def on_wire(network):
    """Whether a physical network carries it (flat, vlan), and not tunnels."""
    return network.provider_physical_network is not None


@query
def uplink_of(world, switch_id, physical_network):
    """The uplink through which a switch reaches a physical network, or None."""
    found = [seen for seen in world.find("uplink", "switch_id", switch_id)
             if seen.physical_network == physical_network and seen.ofport]
    return found[0] if found else None


@query
def strands(world, network_id):
    """(physical network, VLAN or None) of each segment of a network, by name of the physical network; () for tunnels."""
    network = world.need("network", network_id)
    if not on_wire(network):
        return ()
    found = {one.physical_network: one.segmentation_id for one in world.find("segment", "network_id", network_id)
             if one.physical_network}
    return tuple(sorted((found or {network.provider_physical_network: network.provider_segmentation_id}).items()))


@query
def wire_at(world, network_id, switch_id):
    """(uplink, VLAN or None) by which a switch carries a network, or None: the first of its segments that is here."""
    for physical_network, vlan in world.ask(strands, network_id) or ():
        uplink = world.ask(uplink_of, switch_id, physical_network)
        if uplink:
            return uplink, vlan
    return None


@tally(per="uplink")
def landings(world, uplink):
    """Physical networks gather the switches that reach them."""
    if uplink.physical_network and uplink.switch_id and uplink.ofport:
        yield uplink.physical_network, uplink.switch_id


def wire_mac(switch_id, port):
    """The MAC that a router, which many hosts are at once, has on the wire at one of them: locally administered."""
    return "0e:" + blake2s(f"{switch_id} {port.id}".encode(), digest_size=5).digest().hex(":")
