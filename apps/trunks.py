"""Trunks: a machine reaches the networks of several ports through one interface.

    from the machine    without a tag: the parent's; with a sub-port's tag: the sub-port's, and the tag comes off.
                        Both are guarded like any port. Any other tag, and a tag inside a tag, go nowhere
    to the machine      the sub-port's tag is put on. What is tagged already goes to no port of a trunk: the machine
                        would take it for another network's

Where the parent is plugged in, there its sub-ports are (`seats.py`). Two ports of one trunk may well talk to each
other (containers in a machine): their frames go out where they came in.
"""
from apps.limits import hand_over
from apps.pipeline import ADMIT, DELIVER, RECEIVER, SENDER
from apps.places import plugged
from apps.seats import carried_by, carrier_of, interface_of
from controller.app import flows
from controller.openflow.actions import IN_PORT, drop
from controller.openflow.match import match

APP = 40
TAGS = (0x8100, 0x88a8)                  # IEEE 802.1Q, 802.1ad
NOT_TAGGED = 0


def parents_home(world, trunk):
    seen = world.ask(interface_of, trunk.port_id)
    return (seen.switch_id,) if seen else ()


@flows(per="trunk", on=parents_home)
def refuse_double_tags(world, trunk):
    """Behind a second tag nobody sees whose addresses there are."""
    seen = world.ask(interface_of, trunk.port_id)
    for tag in TAGS if seen else ():
        yield ADMIT, "never", match(in_port=seen.ofport, eth_type=tag), (drop("a tag inside a tag"),)


@flows(per="trunk", on=parents_home)
def deliver_tagged(world, trunk):
    for id in (trunk.port_id, *(one.port_id for one in trunk.sub_ports)):
        seen, carried = world.ask(plugged, id), carrier_of(world, id)
        if seen and trunk.id == (carried[2] if carried else trunk.id):
            yield from deliver(world, world.need("port", id), seen)


def deliver(world, port, seen):
    plain = {RECEIVER: port.key, "vlan_vid": NOT_TAGGED}
    yield DELIVER, "known", match(plain), hand_over(world, port, seen.out)
    yield DELIVER, "twin", match({**plain, "in_port": seen.ofport}), hand_over(
        world, port, carried_by(seen.tag, IN_PORT))
    yield DELIVER, "self", match({"in_port": seen.ofport, RECEIVER: port.key, SENDER: port.key}), (
        drop("never back to who sent it"),)
    yield DELIVER, "no_uplink", match({RECEIVER: port.key}), (drop("it has a tag of its own, and its receiver is on a trunk"),)
