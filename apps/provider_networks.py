"""Provider networks: networks that physical ones carry, as they are (flat) or in a VLAN.

    to a port here             as in any network: `switching.py` sets RECEIVER
    to anybody else            RECEIVER is the uplink: remote ports and machines of others are found by the physical
                               switches; ports here that may own unknown addresses get a copy
    broadcast, multicast       a copy for each port here and one for the uplink
    from the uplink            to the ports here and never back: SENDER stays 0, as from a tunnel

Of several segments a host uses the first that it reaches: two of them would make a loop outside.

The tag is put on in DELIVER and taken off in ADMIT. Nothing that is tagged already goes out: in a flat network it
would be another network's frame. Routers, which many hosts are at once, are on wires as `wire_routers.py` says.
"""
from apps.pipeline import ADMIT, COMMIT, COPIES, DELIVER, FORWARD, NETWORK, RECEIVER, UPLINK
from apps.places import doors_of, everywhere, gateways_of, reach, switches_of
from apps.seats import TAGGED, carried_by
from apps.uplinks import on_wire, wire_at
from controller.app import flows, spread
from controller.openflow.actions import drop, output, pop_vlan, resubmit, set_field
from controller.openflow.match import match

APP = 10
GROUP_BIT = ("01:00:00:00:00:00", "01:00:00:00:00:00")
NOT_TAGGED = 0
TAGS = (0x8100, 0x88a8)                  # IEEE 802.1Q, 802.1ad


@flows(per="switch", on=everywhere)
def stand(world, switch):
    yield DELIVER, "no_uplink", match({RECEIVER: UPLINK}), (
        drop("its physical network is not here, or it has a tag of its own"),)


@flows(per="uplink", on=lambda world, uplink: (uplink.switch_id,) if uplink.switch_id else ())
def refuse_double_tags(world, uplink):
    """Inside a second tag Open vSwitch sees no addresses to hold against rules, and receivers may look inside."""
    if uplink.ofport:
        for tag in TAGS:
            yield ADMIT, "never", match(in_port=uplink.ofport, eth_type=tag), (drop("a tag inside a tag"),)


def lives(world, network):
    """Where frames of the network come in: for its ports, and for routers that machines and other hosts reach by it."""
    routed = world.ask(doors_of, network.id), world.ask(gateways_of, network.id)
    return spread(switches_of(world, network.id), *routed) if on_wire(network) else ()


def may_send(world, network):
    """Where frames of the network may go out."""
    return reach(world, network.id) if on_wire(network) else ()


@flows(per="network", on=lives, each=True)
def admit_from_uplink(world, network, switch_id):
    wire = world.ask(wire_at, network.id, switch_id)
    if wire:
        uplink, tag = wire
        yield ADMIT, "known", match(in_port=uplink.ofport, vlan_vid=TAGGED | tag if tag else NOT_TAGGED), (
            *((pop_vlan(),) if tag else ()), set_field({NETWORK: network.key}), FORWARD)


@flows(per="network", on=may_send)
def send_to_uplink(world, network):
    """Copies of a broadcast are not committed: nobody replies to a connection with a group address."""
    leave = set_field({RECEIVER: UPLINK})
    yield FORWARD, "flood", match({NETWORK: network.key, "eth_dst": GROUP_BIT}), (leave, resubmit(DELIVER), COPIES)
    yield FORWARD, "unknown", match({NETWORK: network.key}), (leave, resubmit(COMMIT), COPIES)


@flows(per="network", on=may_send, each=True)
def deliver_to_uplink(world, network, switch_id):
    wire = world.ask(wire_at, network.id, switch_id)
    if wire:
        yield DELIVER, "known", leaving(network), out(*wire)


def leaving(network, **more):
    return match({RECEIVER: UPLINK, NETWORK: network.key, "vlan_vid": NOT_TAGGED, **more})


def out(uplink, tag):
    """Out of the uplink; what comes after for ports here is as it was."""
    return carried_by(tag, output(uplink.ofport))
