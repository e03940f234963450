"""The default network: every port of a plain switch where a machine may be, and that no tenant claims, is in it.

    hadron serve --default-network NAME         the network NAME of the project `hadron`, made if it is not there

A port is such a place once it has been up for some seconds without a sign of another switch at its other end. Its document
follows from that: it comes, takes the MAC address of what is plugged in, and goes with it.
"""
from controller.app import keeps, query
from topology.binding import EDGE, LINKS, tenant


def found(model, interface_id):
    """The document that is there for an interface."""
    return next((port for port in model.find("port", "switch_port", interface_id) if port.device_owner == EDGE), None)


@keeps("port", per="interface", found=found)
def place(world, seen):
    """The document wished for at an interface, or None."""
    fabric = world.get("fabric", "default")
    if fabric is None or not world.ask(is_edge, seen.id):
        return None
    wish = {"network_id": fabric.default_network_id, "name": f"{seen.switch_id} {seen.name or seen.ofport}",
            "device_owner": EDGE, "port_security_enabled": False,
            "binding:profile": {LINKS: [{"switch_id": seen.switch_id, "port_id": str(seen.ofport)}]}}
    stations = world.find("station", "switch_id+ofport", (seen.switch_id, seen.ofport))
    return {**wish, "mac_address": stations[0].mac_address} if stations else wish


@query
def is_edge(world, interface_id):
    """Whether a machine may be at this interface: no switch has been heard there for some time, and no tenant's port is."""
    seen = world.get("interface", interface_id)
    if seen is None or seen.host_id is not None or seen.link_state != "up" or not seen.settled:
        return False
    linked = world.get("link", seen.id) or world.find("link", "target_switch_id+target_port", (seen.switch_id, seen.ofport))
    return not linked and world.ask(tenant, seen.id) is None
