"""Seats: where a port takes part. Ports of a trunk share an interface, and only tags tell their frames apart."""
from typing import NamedTuple

from controller.app import query
from controller.openflow.actions import output, pop_vlan, push_vlan, set_field
from topology.binding import plugged_into

ROUTER_PORTS = ("network:router_interface",)
TAGGED = 0x1000                    # the bit of vlan_vid that says that there is a tag


class Seat(NamedTuple):
    """Where a port takes part: a switch, an OpenFlow port, and the tag that its frames have there (0: none).

    `trunk`: frames of other ports come and go there too, and only their tags tell whose they are.
    """

    switch_id: str
    ofport: int
    tag: int = 0
    trunk: bool = False

    @property
    def out(self):
        """The actions that hand a frame to the port, and leave it as it was."""
        return carried_by(self.tag, output(self.ofport))


def carried_by(tag, send):
    """Send a frame with a tag put on for that (IEEE 802.1Q); 0 is none."""
    return (push_vlan(), set_field(vlan_vid=TAGGED | tag), send, pop_vlan()) if tag else (send,)


def carrier_of(world, port_id):
    """(parent port, tag, trunk) of a sub-port of a trunk; None for any other port."""
    for trunk in world.find("trunk", "sub_ports.port_id", port_id):
        for one in trunk.sub_ports:
            if one.port_id == port_id:
                return trunk.port_id, one.segmentation_id, trunk.id
    return None


def carrier_up(world, parent_id, tag, trunk_id):
    """Whether a sub-port's parent and its trunk are switched on."""
    return world.need("trunk", trunk_id).admin_state_up and world.need("port", parent_id).admin_state_up


def is_parent(world, port_id):
    """Whether a port is the parent of a trunk: its own frames have no tag."""
    return bool(world.find("trunk", "port_id", port_id))


@query
def interface_of(world, port_id):
    """The interface that is the port, or None: named by `external_ids:iface-id`, usable, on the host it is bound to.

    Two hosts may show the same port (a live migration, a mistake, or a host that lies). `binding:host_id`
    decides; a port bound nowhere is taken where it was first seen by name. What `binding:profile` names comes first.
    """
    port = world.get("port", port_id)
    if port is None:
        return None
    if port.switch_port:
        return world.ask(plugged_into, port_id)
    return shown_on(world, port_id, port.binding_host_id)


def shown_on(world, port_id, host):
    """The first interface that is named after a port, on a host (by its name or system-id), or on any if that is empty."""
    for seen in world.find("interface", "port_id", port_id):
        if seen.ofport and seen.switch_id and (not host or host in (seen.host_id, _hostname(world, seen.host_id))):
            return seen
    return None


def _hostname(world, host_id):
    host = world.get("host", host_id)
    return host.hostname if host else None


@query
def plugged(world, port_id):
    """The seat from which the port takes part in its network; None while it is down or away."""
    port = world.get("port", port_id)
    if port is None or not may_be_somewhere(world, port):
        return None
    carried = carrier_of(world, port_id)
    seen = world.ask(interface_of, carried[0] if carried else port_id)
    if seen is None or carried and not carrier_up(world, *carried):
        return None
    return Seat(seen.switch_id, seen.ofport, carried[1] if carried else 0, bool(carried) or is_parent(world, port_id))


def may_be_somewhere(world, port):
    """Whether the port takes part where its interface is. A router is nowhere: a host that shows it lies."""
    return port.device_owner not in ROUTER_PORTS and port.admin_state_up \
        and world.need("network", port.network_id).admin_state_up


@query
def seat_at(world, binding_id):
    """Where a port would be if this binding, which is not its active one, were: on another host that shows it.

    None for what moves with a trunk, or is bound to a switch port: that is ready once it has come.
    """
    binding = world.need("port_binding", binding_id)
    port = world.need("port", binding.port_id)
    if port.switch_port or not may_be_somewhere(world, port) or is_parent(world, port.id) or carrier_of(world, port.id):
        return None
    seen, now = shown_on(world, port.id, binding.host), world.ask(plugged, port.id)
    return None if seen is None or now and now.switch_id == seen.switch_id else Seat(seen.switch_id, seen.ofport)


def awaited(world, port):
    """The seats on hosts that a port may come to any moment, in a live migration; nearly always none."""
    found = [world.ask(seat_at, binding.id) for binding in world.find("port_binding", "port_id", port.id)]
    return [seat for seat in found if seat]
