"""What gateways and floating addresses have in common: each speaks outside, from one switch, with a MAC of its own."""
from apps.exits import exit_to
from apps.limits import counted, limits_of_gateway
from apps.metered import inward
from apps.pipeline import BACK, FORWARD, LEAVE, ND_REPLY, NETWORK, NEXT_HOP, ROUTER, SENDER, UPLINK
from apps.places import gates, gateway_switch, is_gateway, outlet
from apps.replies import arp_reply
from apps.uplinks import uplink_of
from controller.app import Fact, Missing, Said, only, query
from controller.openflow.actions import controller, ct, meter, move, resubmit, set_field
from controller.openflow.group import Meter
from controller.openflow.match import match
from controller.packet import arp, ethernet, icmp6, icmp_errors, ipv6
from controller.values import prefix

ARP, IPV4, IPV6, ICMPV6 = 0x806, 0x800, 0x86dd, 58
SOLICITATION, ADVERTISEMENT = 135, 136
SOLICITED_OVERRIDE_ROUTER, TARGET_LINK_LAYER = 0xe0000000, 2        # RFC 4861 §4.4
RATE = 50                  # packets a second for machines outside whose MAC is not known


def outside(world, port):
    """The router and the external network of a gateway; without them the asking rule has no flows."""
    if not is_gateway(port):
        raise Missing("router", port.device_id)
    router, network = world.need("router", port.device_id), world.need("network", port.network_id)
    if not router.admin_state_up:
        raise Missing("router", router.id)
    return router, network


def entering(world, port):
    """What is done first with all that comes in by a gateway."""
    return *counted(port, world.ask(limits_of_gateway, port.id), "bits received"), set_field({SENDER: port.key})


def brought_within(world, port):
    """What comes in as it is goes on to be routed; of several gateways, with a note by which it came."""
    router, _ = outside(world, port)
    route = inward(world, router)
    return *entering(world, port), ct(port.zone, route, commit=True) if several(world, router) else route


def wire(world, port):
    """The uplink through which a gateway or a floating address speaks."""
    network, switch = world.need("network", port.network_id), outlet(world, port)
    found = world.ask(uplink_of, switch, network.provider_physical_network) if switch else None
    if found is None:
        raise Missing("uplink", network.id)
    return found


@only(is_gateway)
def on_gateway(world, port):
    """The gateway host of the router whose outside port this is, if it has the wire."""
    switch = world.ask(gateway_switch, port.device_id)
    network = world.get("network", port.network_id) if switch else None
    reaches = network is not None and world.ask(uplink_of, switch, network.provider_physical_network)
    return (switch,) if reaches else ()


@query
def served(world, router_id):
    """The ids of the gateways that lead outside now, because the gateway host has their wires; the first gateway first."""
    return tuple(port.id for port in world.ask(gates, router_id) if on_gateway(world, port))


def several(world, router):
    """Whether a router leads outside by more than one gateway: then connections are told apart by theirs."""
    return len(world.ask(served, router.id)) > 1


def snat(router, network):
    said = exit_to(router, network.id)
    return bool(said) and said.get("enable_snat") is not False


def family_of(ip):
    return IPV6 if ":" in ip else IPV4


def tag_of(network):
    return network.provider_segmentation_id if network.provider_network_type == "vlan" else None


def enter(router, network, mac):
    """The flow that takes what is for a MAC of ours outside into the router."""
    return FORWARD, "port", match({NETWORK: network.key, "eth_dst": mac, "vlan_vid": 0}), (
        set_field({ROUTER: router.key}), resubmit(LEAVE))


# ---- who asks for us

def answer(network, mac, ip):
    """The flow that answers, where it comes in, who asks outside for an address."""
    if ":" in ip:
        asked = {"eth_type": IPV6, "ip_proto": ICMPV6, "icmpv6_type": SOLICITATION, "nd_target": ip}
        return FORWARD, "outside", match({NETWORK: network.key, SENDER: 0, **asked}), (
            move("eth_src", "eth_dst"), set_field(eth_src=mac), move("ipv6_src", "ipv6_dst"), set_field(ipv6_src=ip),
            set_field(icmpv6_type=ADVERTISEMENT), set_field(nd_reserved=SOLICITED_OVERRIDE_ROUTER),
            set_field(nd_options_type=TARGET_LINK_LAYER), set_field({SENDER: UPLINK}), resubmit(ND_REPLY))
    return FORWARD, "outside", match({NETWORK: network.key, SENDER: 0, "eth_type": ARP, "arp_op": 1, "arp_tpa": ip}), (
        *arp_reply(mac, ip), set_field({SENDER: UPLINK}), *BACK)


def announcement(world, port, addresses):
    """What an outlet says of itself unasked: these addresses are here. Said again when it is another switch that says it."""
    network, own = world.need("network", port.network_id), ethernet.address(port.mac_address)
    frames = [icmp6.here_is(own, ipv6.address(ip)) if ":" in ip else arp.request(port.mac_address, ip, ip) for ip in addresses]
    return Said(tuple(framed(network, frame) for frame in frames), seat=wire(world, port).id)


def by_wire(world, port):
    """Where an outlet speaks."""
    uplink = wire(world, port)
    return ((uplink.switch_id, uplink.ofport),)


# ---- whom we ask for

def listen(network, port, ip):
    """A machine outside whose MAC nobody has told us: its packet makes the controller ask as `ip`, and hear the answer."""
    up = (meter(port.key), controller())
    yield Meter(port.key, pps=RATE, burst=RATE)
    yield NEXT_HOP, "unknown", match({NETWORK: network.key, "eth_type": family_of(ip), "eth_src": port.mac_address}), up
    heard = {"eth_type": ARP, "arp_op": 2, "arp_tpa": ip}
    if ":" in ip:
        heard = {"eth_type": IPV6, "ip_proto": ICMPV6, "icmpv6_type": ADVERTISEMENT, "ipv6_dst": ip}
    yield FORWARD, "outside", match({NETWORK: network.key, SENDER: 0, **heard}), up


def look_up(world, port, own, frame):
    """A packet is lost, and who sent it will send it again; meanwhile its next hop is asked for. An answer is a fact.

    `own` are the addresses of the outlet, each with the next hop of what is not on its link, or None.
    """
    subnets = world.find("subnet", "network_id", port.network_id)
    told = arp.read(frame) or icmp6.read_neighbour(frame)
    if told is None:
        return _ask_for(world, port, own, subnets, icmp_errors.read(frame))
    ip, mac = told.sender_ip, told.sender_mac
    if not any(ip in prefix(subnet.cidr) or ip == subnet.gateway_ip for subnet in subnets):
        return ()
    return (Fact("neighbour", {"id": f"{port.network_id}/{ip}", "network_id": port.network_id, "ip_address": ip,
                               "mac_address": mac}),)


def _ask_for(world, port, own, subnets, lost):
    if lost is None or lost.destination in dict(own):
        return ()
    near = any(lost.destination in prefix(subnet.cidr) for subnet in subnets)
    family = family_of(lost.destination)
    source, upstream = next(((ip, hop) for ip, hop in own if family_of(ip) == family), (None, None))
    hop = lost.destination if near else upstream
    return (question(world, port, source, hop),) if source and hop else ()


def question(world, port, ip, hop):
    """(wire, frame): from one of our addresses to all, for a machine outside."""
    network = world.need("network", port.network_id)
    if ":" in ip:
        frame = icmp6.who_is(ethernet.address(port.mac_address), ipv6.address(ip), ipv6.address(hop))
    else:
        frame = arp.request(port.mac_address, ip, hop)
    return wire(world, port).ofport, framed(network, frame)


def framed(network, frame):
    """As the frame is on the wire: with the network's tag, if it has one."""
    return tagged(frame, tag_of(network))


def tagged(frame, tag):
    return frame[:12] + b"\x81\x00" + tag.to_bytes(2, "big") + frame[12:] if tag else frame
