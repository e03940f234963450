"""Underlay addresses: where hosts take tunnels."""
from controller.app import query


@query
def tunnel_address(world, switch_id):
    """The underlay address at which the switch's host takes tunnels, or None."""
    switch = world.get("switch", switch_id)
    host = world.get("host", switch.host_id) if switch and switch.host_id else None
    return host.tunnel_ip if host else None
