"""Router advertisements on physical networks: machines there hear of the routers that are their gateways.

One host speaks for all routers of a network, so that nobody on the wire hears twice. What each of them says is what its
machines on hosts hear (`router_advertisements.py`), from the same link-local address, but that it is at the MAC of its door
(`wire_routers.py`). A machine that asks is answered alone; all are told again in turn, and at once when something changes.
"""
from apps.outside import tagged
from apps.pipeline import FORWARD, METERS, NETWORK, SENDER
from apps.places import doors_of
from apps.router_advertisements import AGAIN, voices_on_wires
from apps.uplinks import landings, on_wire, strands, wire_at, wire_mac
from controller.app import Said, answers, every, flows, query
from controller.openflow import Meter, controller, match, meter
from controller.packet import ethernet, icmp6

APP = 26
IPV6, ICMPV6, ALL_ROUTERS = 0x86dd, 58, "ff02::2"
RATE = 20                           # questions a second from all machines on one wire


@query
def spoken(world, network_id):
    """What is said on the wire of a network, by the ports of its routers."""
    network = world.need("network", network_id)
    wires = world.ask(strands, network_id) if on_wire(network) else ()
    if not wires:
        return ()
    segments = [one.id for one in world.find("segment", "network_id", network_id) if one.physical_network == wires[0][0]]
    return tuple(said for segment in (None, *segments) for said in world.ask(voices_on_wires, network_id, segment) or ())


@query
def speaker(world, network_id):
    """The switch that speaks on the wire, a door of one of the routers; once there is none, one that can say so."""
    doors = world.ask(doors_of, network_id)
    wires = world.ask(strands, network_id)
    return min(doors or world.gathered(landings, wires[0][0]), default=None) if wires else None


def by_speaker(world, network):
    """Its place."""
    at = world.ask(speaker, network.id) if on_wire(network) else None
    wire = world.ask(wire_at, network.id, at) if at else None
    return ((at, wire[0].ofport),) if wire else ()


@flows(per="network", on=lambda world, network: [at for at, _ in by_speaker(world, network)])
def listen(world, network):
    """Who asks on the wire for routers. Nobody else is one there."""
    if world.ask(spoken, network.id):
        number = METERS["wires"] + network.key
        yield Meter(number, pps=RATE, burst=RATE)
        yield FORWARD, "outside", match({NETWORK: network.key, SENDER: 0, "eth_type": IPV6, "ip_proto": ICMPV6,
                                         "icmpv6_type": icmp6.SOLICITATION, "ipv6_dst": ALL_ROUTERS}), (
            meter(number), controller())


@answers(of=listen)
def answer(world, network, frame):
    """All that there is to say, out of the uplink to who has asked."""
    asked, place = icmp6.read_solicitation(frame), by_speaker(world, network)
    if asked is None or not place:
        return ()
    return tuple((place[0][1], framed(world, network, port, voice.mac, message, asked))
                 for port, voice in world.ask(spoken, network.id) for message in voice.messages)


@every(AGAIN, per="network", to=by_speaker)
def tell_all(world, network):
    """The same to all machines on the wire, unasked; what is not so any more is taken back."""
    said = world.ask(spoken, network.id) if by_speaker(world, network) else ()
    return Said(tuple(framed(world, network, port, voice.mac, message) for port, voice in said for message in voice.messages),
                tuple(((port, *about), framed(world, network, port, voice.mac, message))
                      for port, voice in said for about, message in voice.undo))


def framed(world, network, port_id, mac, message, asked=None):
    """A message in its frame, as it is on the wire: from the MAC that the router has on the speaker."""
    at = world.ask(speaker, network.id)
    frame = icmp6.advertise(mac, message, asked)
    own = ethernet.address(wire_mac(at, world.need("port", port_id)))
    _, tag = world.ask(wire_at, network.id, at)
    return tagged(frame[:6] + own + frame[12:], tag)
