"""Circuits: from one place in the fabric to another, over a path with room, under a label of their own.

    ADMIT ─► what is above the rate is dropped ─► one label ─► LABELLED ─► LABELS ─► … ─► LABELLED ─► the other end

What comes in at an end goes out at the other as it was, whatever it is, but for frames that have labels themselves. The rate is held where it comes in. What else is on the links of circuits waits in another queue (queues.py), or is
held to what they leave of each by meters (bandwidth.py). Around a link that breaks circuits go like everything else, until the controller has found
another path with room.
"""
from apps.bandwidth import given, queued, seat
from apps.limits import at_once
from apps.pipeline import ADMIT, LABELLED, LABELS, METERS
from apps.transport import ETHERNET_TYPE, FRAME, GROUPS, MPLS, MPLS_TYPE
from controller.app import flows, tells
from controller.openflow.actions import (
    FORGET_IN_PORT,
    dec_mpls_ttl,
    decap,
    drop,
    encap,
    group,
    meter,
    output,
    set_field,
    set_queue,
)
from controller.openflow.group import Meter
from controller.openflow.match import match

APP = 63
MPLS_MULTICAST = 0x8848
LABEL = 1 << 19                         # | number of the circuit twice, and the direction


@tells(per="circuit", first="DOWN")
def status(world, circuit):
    """ACTIVE while it has a path with room, from end to end."""
    return "DOWN" if world.ask(given, circuit.id) is None else "ACTIVE"


# ---- flows

def label_of(circuit, end):
    """The label under which it travels from an end to the other."""
    return LABEL | circuit.key << 1 | (end == "z")


def passed(world, circuit):
    found = world.ask(given, circuit.id)
    ends = {place[0] for end in "az" if (place := seat(world, circuit, end))}
    return {*found.path.switches, *ends} if found is not None else ()


@flows(per="circuit", on=passed, each=True, staged=True)
def carry(world, circuit, switch_id):
    """In at the ends, on between them, and out again: in both directions."""
    found = world.ask(given, circuit.id)
    if found is None:
        return
    steps = {wire.source: wire.port for wire in found.path.wires}
    back = {wire.target: wire.target_port for wire in found.path.wires}
    for end, other, ports in (("a", "z", steps), ("z", "a", back)):
        near, far = seat(world, circuit, end), seat(world, circuit, other)
        label = label_of(circuit, end)
        if near[0] == switch_id:
            rate, number = max(found.rate, 1), METERS["circuits"] + (circuit.key << 1 | (end == "z"))
            yield Meter(number, kbps=rate, burst=at_once(rate))
            for labelled in (MPLS, MPLS_MULTICAST) if near[0] != far[0] else ():
                yield ADMIT, "never", match(in_port=near[1], eth_type=labelled), (
                    drop("Open vSwitch does not tell the labels of a frame from those that it puts around it"),)
            yield ADMIT, "circuit", match(in_port=near[1]), (
                meter(number), *into(label, near, far))
        if switch_id in ports:
            port = ports[switch_id]
            yield LABELS, "circuit", match(eth_type=MPLS, mpls_label=label), (
                *((set_queue(circuit.key),) if port in world.ask(queued, switch_id) else ()),
                FORGET_IN_PORT, dec_mpls_ttl(), group(GROUPS + port))
        if far[0] == switch_id != near[0]:
            yield LABELLED, "circuit", match(eth_type=MPLS, mpls_label=label), (
                decap(), decap(ETHERNET_TYPE), output(far[1]))


def into(label, near, far):
    """What is done with a frame that comes in: straight to the other end if that is on the same switch."""
    if near[0] == far[0]:
        return (output(far[1]),)
    return (encap(MPLS_TYPE), set_field(mpls_label=label), encap(ETHERNET_TYPE), set_field(eth_src=FRAME, eth_dst=FRAME), LABELLED)
