"""Stations: machines that are known by what they send, on ports whose addresses nobody has told us.

A port of the default network (default_network.py) takes whatever is plugged in. The first frame from a new MAC address,
and the first ARP or neighbour discovery with a new IP address, comes to the controller, which remembers where it was and
lets it go on its way. From then on the address passes at that port in flows alone, and at no other: whoever claims an
address that is somebody else's, while that one's port is up, is not heard, and an alarm names the port.
"""
from apps.guards import ask_for
from apps.pipeline import ANSWER, GUARDS, LOCATE, METERS, NETWORK, SENDER, UNGUARDED
from apps.places import home, plugged
from controller.app import Alarm, Fact, Resume, answers, fades, flows, only
from controller.openflow import Meter, controller, drop, match, meter, resubmit, set_field
from controller.packet.claims import claimed
from topology.binding import EDGE

APP = 31
RATE = 50                           # frames a second from one port that are looked at
STATIONS, ADDRESSES = 64, 16        # MAC addresses of one port, and IP addresses of one of those
ARP, IPV6, ICMPV6 = 0x806, 0x86DD, 58
NEIGHBOUR = {"eth_type": IPV6, "ip_proto": ICMPV6}
ASKING, TELLING = 135, 136
NOBODY = ("0.0.0.0", "::")


def learns(port):
    """Whether the port takes whoever is plugged in."""
    return port.device_owner == EDGE


@flows(per="switch", on=lambda world, switch: (switch.id,) if switch.host_id is None else ())
def stand(world, switch):
    yield LOCATE, "rest", match(), (drop("not a port that takes whatever is plugged in"),)


@flows(per="port", on=home)
@only(learns)
def look(world, port):
    up = (meter(METERS["stations"] + port.key), controller())
    yield Meter(METERS["stations"] + port.key, pps=RATE, burst=RATE)
    yield LOCATE, "stranger", match({SENDER: port.key}), up
    for claims in ({"eth_type": ARP}, {**NEIGHBOUR, "icmpv6_type": ASKING}, {**NEIGHBOUR, "icmpv6_type": TELLING}):
        yield LOCATE, "claim", match({SENDER: port.key, **claims}), up


def where(world, station):
    port = world.get("port", station.port_id)
    return home(world, port) if port is not None and learns(port) else ()


@flows(per="station", on=where)
def know(world, station):
    """Whatever it sends, and whatever it says of its own addresses (or asks before it has one)."""
    own = {SENDER: world.need("port", station.port_id).key, "eth_src": station.mac_address}
    yield LOCATE, "station", match(own), (ANSWER,)
    for ip in (*NOBODY, *station.ip_addresses):
        if ":" in ip:
            sender = {} if ip in NOBODY else {"nd_sll": station.mac_address}
            yield LOCATE, "located", match({**own, **NEIGHBOUR, **sender}, icmpv6_type=ASKING, ipv6_src=ip), (ANSWER,)
            if ip not in NOBODY:
                yield LOCATE, "located", match({**own, **NEIGHBOUR}, icmpv6_type=TELLING, nd_target=ip,
                                               nd_tll=station.mac_address), (ANSWER,)
        else:
            yield LOCATE, "located", match(own, eth_type=ARP, arp_sha=station.mac_address, arp_spa=ip), (ANSWER,)


@answers(of=look)
def locate(world, port, frame):
    """Where a machine is, from a frame it has sent; the frame goes on."""
    mac = frame[6:12].hex(":")
    said, ip = claimed(frame)
    if len(frame) < 14 or frame[6] & 1 or not any(frame[6:12]) or said not in (None, mac):
        return
    for address, at in ((mac, holder(world, port, mac)), (ip, owner(world, port, mac, ip))):
        if at is not None:
            yield Alarm("hijack", {"object": f"port {port.id}", "address": address, "because": f"it is at {at}"})
            return
    yield from remember(world, port, mac, ip)
    yield Resume(b"".join((ask_for(world, port), set_field({GUARDS: UNGUARDED}),
                           set_field({NETWORK: world.need("network", port.network_id).key}),
                           set_field({SENDER: port.key}), resubmit(ANSWER))), frame)


def holder(world, port, mac):
    """Where else in the network a MAC address is, or None."""
    known = world.get("station", f"{port.network_id}/{mac}")
    if known is not None and known.port_id != port.id:
        return place(known)
    return elsewhere(world, port, world.find("port", "network_id+mac_address", (port.network_id, mac)))


def owner(world, port, mac, ip):
    """Which other machine has an IP address in the network, or None. Those at the same port may share."""
    if ip is None or ip in NOBODY:
        return None
    for known in world.find("station", "network_id+ip_addresses", (port.network_id, ip)):
        if known.mac_address != mac and known.port_id != port.id:
            return place(known)
    return elsewhere(world, port, world.find("port", "network_id+ip_address", (port.network_id, ip)))


def elsewhere(world, port, others):
    return next((f"port {other.id}" for other in others if other.id != port.id and not learns(other)), None)


def place(station):
    return f"switch {station.switch_id} port {station.ofport}"


def remember(world, port, mac, ip):
    seen, id = world.ask(plugged, port.id), f"{port.network_id}/{mac}"
    known = world.get("station", id)
    if seen is None or known is None and len(world.find("station", "port_id", port.id)) >= STATIONS:
        return
    addresses = known.ip_addresses if known is not None else ()
    if ip is not None and ip not in addresses and ip not in NOBODY:
        addresses = (*addresses, ip)[-ADDRESSES:]
    yield Fact("station", {"id": id, "network_id": port.network_id, "mac_address": mac, "ip_addresses": list(addresses),
                           "port_id": port.id, "switch_id": seen.switch_id, "ofport": seen.ofport})


@fades("station", of=("port", "port_id"))
def plug(station):
    """A machine is where it is until its port goes down."""
    return ((station.switch_id, station.ofport),)
