"""Ways from one switch to another: a tunnel between hosts with underlay addresses, labels over the links between switches.

A frame that leaves FORWARD for another switch says both: the tunnel's other end, and the label of the switch. What is
made of it is each switch's own affair (transport.py), so the flows are the same on all.
"""
from apps.pipeline import EGRESS, NO_TUNNEL
from apps.underlay import tunnel_address
from controller.app import query
from controller.openflow.actions import set_field
from topology.islands import relay_of
from topology.paths import adjacent


@query
def label_of(world, switch_id):
    """The label by which others send to a switch over links; None if it has no links."""
    if not world.ask(adjacent, switch_id):
        return None
    switch = world.get("switch", switch_id)
    return switch.label if switch is not None else None


@query
def way_to(world, switch_id):
    """The actions that address a frame to a switch, or none if no way leads there."""
    return (*by_tunnel(world, switch_id), *by_label(world, switch_id))


def by_tunnel(world, switch_id):
    """… or to its relay, from which it is reached over links."""
    address = world.ask(tunnel_address, world.ask(relay_of, switch_id) or switch_id)
    return (set_field({"tun_ipv6_dst" if ":" in address else "tun_dst": address}),) if address else ()


def by_label(world, switch_id):
    label = world.ask(label_of, switch_id)
    if label is None:
        return ()
    return (set_field({EGRESS: label if world.ask(tunnel_address, switch_id) else label | NO_TUNNEL}),)
