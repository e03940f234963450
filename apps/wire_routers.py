"""Routers on physical networks: every host routes for its machines, and machines on the wire have the router as well.

    from a machine of a host    as in any network; what goes out by the wire comes from a MAC of the host's own
    from a machine on the wire  who asks for the router hears of one host, its door there (`door` in `places.py`), by the MAC
                                that the router has on that host; a frame to such a MAC is routed where it comes in
    to a machine on the wire    its MAC is asked for, and remembered as a fact; answers go to the door

Physical switches therefore see each MAC on one port only, and the router's own MAC never. When the door is lost another
host says by gratuitous ARP and unsolicited advertisements that it is the door now. Hosts take the router's addresses for
nobody's on the wire: what is said there of them changes nothing for their machines.
"""
from apps.outside import RATE, answer, tagged
from apps.pipeline import DELIVER, FORWARD, LEAVE, NETWORK, NEXT_HOP, RECEIVER, ROUTER, SENDER, UPLINK
from apps.places import door, joints, reach
from apps.provider_networks import leaving, out
from apps.routing import ARP, ICMPV6, IPV6, addresses, family_of, interfaces, router_of
from apps.seats import ROUTER_PORTS
from apps.uplinks import on_wire, wire_at, wire_mac
from controller.app import Fact, Said, answers, every, flows, only
from controller.openflow.actions import FORGET_IN_PORT, controller, drop, meter, resubmit, set_field
from controller.openflow.group import Meter
from controller.openflow.match import match
from controller.packet import arp, ethernet, icmp6, icmp_errors, ipv6
from controller.values import prefix

APP = 24
IS_THERE = 136                     # neighbour advertisement


@only(lambda port: port.device_owner in ROUTER_PORTS)
def may_route(world, port):
    """Every host from which the router may send into this network, if a wire carries it."""
    network = world.get("network", port.network_id)
    return reach(world, network.id) if network and on_wire(network) else ()


@flows(per="port", on=may_route, each=True)
def deliver_routed(world, port, switch_id):
    network = world.need("network", port.network_id)
    wire = world.ask(wire_at, network.id, switch_id)
    if wire:
        yield DELIVER, "routed", leaving(network, eth_src=port.mac_address), (
            set_field(eth_src=wire_mac(switch_id, port)), *out(*wire), set_field(eth_src=port.mac_address))


@flows(per="port", on=may_route, each=True)
def enter_from_wire(world, port, switch_id):
    """By the MAC that the router has here; on its door also who asks for it is answered."""
    router, network = router_of(world, port), world.need("network", port.network_id)
    mac = wire_mac(switch_id, port)
    yield FORWARD, "port", match({NETWORK: network.key, SENDER: 0, "eth_dst": mac, "vlan_vid": 0}), (
        set_field(eth_dst=port.mac_address), set_field({ROUTER: router.key}), set_field({SENDER: port.key}), FORGET_IN_PORT,
        resubmit(LEAVE))
    if switch_id == world.ask(door, router.id, network.id):
        for ip in addresses(port):
            yield answer(network, mac, ip)


@flows(per="port", on=may_route)
def keep_out(world, port):
    """The router's own MAC is on no wire, and its addresses are not for others to announce there. What it advertises there
    itself (`wire_advertisements.py`) machines on hosts hear from their own.
    """
    router_of(world, port)
    network = world.need("network", port.network_id)
    wire: dict = {NETWORK: network.key, SENDER: 0}
    yield FORWARD, "outside", match({**wire, "eth_dst": port.mac_address}), (drop("a router's own MAC, from the wire"),)
    for ip in addresses(port):
        said: dict = {"eth_type": ARP, "arp_op": 1, "arp_spa": ip}
        if ":" in ip:
            said = {"eth_type": IPV6, "ip_proto": ICMPV6, "icmpv6_type": IS_THERE, "nd_target": ip}
            if ip.startswith("fe80:"):
                advertised = {**said, "icmpv6_type": icmp6.ADVERTISEMENT, "ipv6_src": ip}
                del advertised["nd_target"]
                yield FORWARD, "outside", match({**wire, **advertised}), (drop("a router's own address, from the wire"),)
        yield FORWARD, "outside", match({**wire, **said}), (drop("a router's own address, from the wire"),)


# ---- who is on the wire

@flows(per="port", on=may_route)
def listen(world, port):
    """A machine whose MAC nobody has told us: its packet makes the controller ask, and hear the answer."""
    router_of(world, port)
    network, up = world.need("network", port.network_id), (meter(port.key), controller())
    yield Meter(port.key, pps=RATE, burst=RATE)
    for family in sorted({family_of(fixed.ip_address) for fixed in port.fixed_ips}):
        yield NEXT_HOP, "unknown", match({NETWORK: network.key, "eth_type": family, "eth_src": port.mac_address}), up
    for fixed in port.fixed_ips:
        heard = {"eth_type": ARP, "arp_op": 2, "arp_tpa": fixed.ip_address}
        if ":" in fixed.ip_address:
            heard = {"eth_type": IPV6, "ip_proto": ICMPV6, "icmpv6_type": IS_THERE, "ipv6_dst": fixed.ip_address}
        yield FORWARD, "outside", match({NETWORK: network.key, SENDER: 0, **heard}), up


@answers(of=listen)
def hear(world, port, frame):
    """An answer is a fact. A packet is lost, and who sent it will send it again; meanwhile its next hop is asked for."""
    router, network = router_of(world, port), world.need("network", port.network_id)
    blocks = [prefix(subnet.cidr) for fixed in port.fixed_ips if (subnet := world.get("subnet", fixed.subnet_id))]
    told = arp.read(frame) or icmp6.read_neighbour(frame)
    if told is not None:
        if not any(told.sender_ip in block for block in blocks):
            return ()
        return (Fact("neighbour", {"id": f"{network.id}/{told.sender_ip}", "network_id": network.id,
                                   "ip_address": told.sender_ip, "mac_address": told.sender_mac}),)
    lost = icmp_errors.read(frame)
    if lost is None:
        return ()
    hops = [lost.destination, *(one.nexthop for one in router.routes if lost.destination in prefix(one.destination))]
    asked = (question(world, port, hop) for hop in hops if any(hop in block for block in blocks))
    onto = set_field({NETWORK: network.key, SENDER: port.key}) + set_field({RECEIVER: UPLINK}) + resubmit(DELIVER)
    return tuple((onto, frame[:6] + ethernet.address(port.mac_address) + frame[12:]) for frame in asked if frame)


def question(world, port, hop):
    """Who has an address? Asked in the router's name, by any host; the answer goes to the door."""
    own = next((fixed.ip_address for fixed in port.fixed_ips if (":" in fixed.ip_address) == (":" in hop)), None)
    switch = world.ask(door, port.device_id, port.network_id)
    if own is None or switch is None:
        return None
    mac = wire_mac(switch, port)
    if ":" in hop:
        return icmp6.who_is(ethernet.address(mac), ipv6.address(own), ipv6.address(hop))
    return arp.request(mac, own, hop)


# ---- what the door says unasked

def by_door(world, port):
    """Where the router's door speaks."""
    switch = world.ask(door, port.device_id, port.network_id) if port.device_owner in ROUTER_PORTS else None
    wire = world.ask(wire_at, port.network_id, switch) if switch else None
    return ((switch, wire[0].ofport),) if wire else ()


@every(60, per="port", to=by_door, at_once=True)
def announce(world, port):
    """The router's addresses are at its door: told when another host is that, and again in its turn."""
    if not by_door(world, port):
        return Said()
    router_of(world, port)
    switch = world.ask(door, port.device_id, port.network_id)
    mac, (_, tag) = wire_mac(switch, port), world.ask(wire_at, port.network_id, switch)
    said = [icmp6.here_is(ethernet.address(mac), ipv6.address(ip)) if ":" in ip else arp.request(mac, ip, ip)
            for ip in addresses(port)]
    return Said(tuple(tagged(frame, tag) for frame in said), seat=switch)


def near(world, row):
    """The interface of the first router that has a known machine's address on its network, if a wire carries that."""
    network = world.get("network", row.network_id)
    for router in sorted(world.gathered(joints, ("routers", row.network_id))) if network and on_wire(network) else ():
        for port in interfaces(world, router):
            if port.network_id == row.network_id and by_door(world, port) and question(world, port, row.ip_address):
                return port
    return None


def where_near(world, row):
    port = near(world, row)
    return by_door(world, port) if port else ()


@every(30, per="neighbour", to=where_near)
def keep_asking(world, row):
    """Machines on the wire are asked for now and again: their MACs may change."""
    port = near(world, row)
    if port is None:
        return Said()
    _, tag = world.ask(wire_at, port.network_id, world.ask(door, port.device_id, port.network_id))
    return Said((tagged(question(world, port, row.ip_address), tag),))
