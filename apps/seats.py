"""Seats: where a port takes part. Ports of a trunk share an interface, and only tags tell their frames apart."""
from typing import NamedTuple

from controller.openflow.actions import output, pop_vlan, push_vlan, set_field

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
