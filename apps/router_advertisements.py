"""Router advertisements: what a network's IPv6 subnets are, and which way leads out of them (RFC 4861).

Every machine that asks is answered, alone; all machines of a network are told again every so often, because a default
router lives for two and a half hours at most, and at once when something changes. Subnets with an ipv6_ra_mode are told
of: their prefixes for ever, and M and O by their modes. Where subnets are on segments, a machine hears of those of its own.

Who speaks decides who is routed to. A subnet whose gateway is the interface of a router is advertised by this interface,
as default router; one without by the network itself, as no router. A route (RFC 4191) leads through whoever advertises
it, so each of a subnet's host_routes is advertised in the name of the port that has the nexthop; without such a port
there is no way to tell of it.
"""
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from apps import names
from apps.dhcp6_options import packed
from apps.guards import own_macs
from apps.pipeline import ASK, GUARD, NETWORK
from apps.places import ROUTER_PORTS, door, seats, switches_of
from apps.servers import server_mac
from apps.uplinks import wire_mac
from controller.app import Said, every, flows, query, spread
from controller.openflow import match
from controller.packet import dns, ethernet, icmp6
from controller.values import prefix

APP = 8
IPV6, ICMPV6 = 0x86dd, 58
LIFETIME = 9000                     # seconds of a router or route, the most that RFC 4861 §6.2.1 allows
AGAIN = 600                         # seconds between tellings (RFC 4861 §6.2.1, MaxRtrAdvInterval): many may be lost
SMALLEST = 1280                     # every link carries an IPv6 packet of this size, and an MTU below it is none
FLAGS = {"slaac": 0, "dhcpv6-stateless": icmp6.OTHER, "dhcpv6-stateful": icmp6.MANAGED}
MOST_SERVERS = 20                   # in one option

Keyed = tuple[tuple[str, ...], bytes]
Resolvers = Callable[[tuple[str, ...]], tuple[str, ...]]     # what machines are told, of those that a subnet names


class Voice(NamedTuple):
    """One speaker's advertisements, without destination, and those by which it takes back each thing that it says.

    Prefixes and resolvers are the network's, whoever tells of them; routes and default routers are the speaker's own.
    """
    mac: bytes
    messages: tuple[bytes, ...]
    undo: tuple[Keyed, ...]


class Speech:
    """What one speaker has to say, as it is put together: options by what they are about, with the ones that end them."""

    def __init__(self) -> None:
        self.lifetime = 0
        self.told: dict[tuple[str, ...], tuple[bytes, bytes]] = {}
        self.servers: dict[bytes, None] = {}


# ---- what the model says

@query
def advertised(world, network_id):
    """Whether anything is advertised on a network."""
    return bool(subnets(world, network_id))


def subnets(world, network_id) -> list[Any]:
    return [subnet for subnet in world.find("subnet", "network_id", network_id)
            if subnet.ip_version == 6 and subnet.ipv6_ra_mode and subnet.enable_dhcp]


def serves(world, port) -> bool:
    """Whether the port's solicitations are ours to answer."""
    return world.ask(advertised, port.network_id) or False


@query
def voices(world, network_id, segment_id) -> tuple[Voice, ...]:
    """Who says what on a network, or on a segment of it: nobody anything, if nothing is to be advertised."""
    network = world.need("network", network_id)
    flags, found = speeches(world, network, segment_id, lambda given: names.servers(world, given, 6))
    return tuple(voice(ethernet.address(mac), speech, flags, network.mtu) for mac, speech in found.items())


@query
def voices_on_wires(world, network_id, segment_id) -> tuple[tuple[str, Voice], ...]:
    """The same of what machines on a physical network hear: of routers, by their ports, each with the MAC of its door. Our
    own resolver is not there.
    """
    network = world.need("network", network_id)
    flags, found = speeches(world, network, segment_id, lambda given: given)
    said = []
    for mac, speech in found.items():
        for port in world.find("port", "network_id+mac_address", (network_id, mac)):
            at = world.ask(door, port.device_id, network_id) if port.device_owner in ROUTER_PORTS else None
            if at is not None:
                said.append((port.id, voice(ethernet.address(mac), speech, flags, network.mtu,
                                            at=ethernet.address(wire_mac(at, port)))))
    return tuple(said)


def speeches(world, network, segment_id, servers: Resolvers) -> tuple[int, dict[str, Speech]]:
    """What is said on a network, or on a segment of it, by the MAC of who says it; and the flags."""
    found: dict[str, Speech] = {}
    flags, domain = 0, names.domain(world, network)
    for subnet in subnets(world, network.id):
        if subnet.segment_id != segment_id:
            continue
        flags |= FLAGS[subnet.ipv6_ra_mode]
        gateway = owner(world, network.id, subnet.gateway_ip)
        is_router = gateway is not None and gateway.device_owner in ROUTER_PORTS
        mac = gateway.mac_address if is_router else server_mac(network)
        speech = found.setdefault(mac, Speech())
        speech.lifetime = LIFETIME if is_router else speech.lifetime
        tell(speech, subnet, domain, servers(subnet.dns_nameservers))
        for destination, port in routes(world, subnet):
            tell_route(found.setdefault(port.mac_address, Speech()), destination, port.mac_address)
    return flags, found


def owner(world, network_id, ip) -> Any:
    """The port that has an address; none if it, or the router whose interface it is, is switched off."""
    for port in world.find("port", "network_id+ip_address", (network_id, ip)) if ip else ():
        router = world.get("router", port.device_id) if port.device_owner in ROUTER_PORTS else port
        if port.admin_state_up and router is not None and router.admin_state_up:
            return port
    return None


def routes(world, subnet) -> Iterator[tuple[str, Any]]:
    """The subnet's host_routes whose nexthop is there: destination and port."""
    for route in subnet.host_routes:
        port = owner(world, subnet.network_id, route.nexthop)
        if port is not None:
            yield route.destination, port


# ---- in words

def tell(speech: Speech, subnet: Any, domain: str, servers: tuple[str, ...]) -> None:
    """A subnet's prefix and resolvers, and the domain. Hosts make addresses of it if that is the mode and if they can (RFC 4862 §5.5.3)."""
    block = prefix(subnet.cidr)
    makes = subnet.ipv6_ra_mode != "dhcpv6-stateful" and block.length == 64
    first, flags = block.first.to_bytes(16, "big"), icmp6.ON_LINK | (icmp6.AUTONOMOUS if makes else 0)
    speech.told["prefix", subnet.cidr] = (icmp6.prefix(first, block.length, flags),
                                          icmp6.prefix(first, block.length, flags, 0))
    speech.servers.update(dict.fromkeys(packed(servers)))
    if domain:
        raw = dns.name(domain)
        speech.told["domain", domain] = icmp6.search_list(raw), icmp6.search_list(raw, 0)


def tell_route(speech: Speech, destination: str, mac: str) -> None:
    """A way to some other block; one to everywhere makes its speaker a default router."""
    block = prefix(destination)
    if not block.length:
        speech.lifetime = LIFETIME
        return
    first = block.first.to_bytes(16, "big")
    speech.told["route", destination, mac] = (icmp6.route(first, block.length, LIFETIME),
                                              icmp6.route(first, block.length, 0))


def voice(mac: bytes, speech: Speech, flags: int, mtu: int, *, at: bytes | None = None) -> Voice:
    """The messages of one speaker, each small enough for the link (RFC 4861 §6.2.3). It is reached at its MAC, or at another."""
    own = icmp6.link_layer(at or mac)
    servers = tuple(speech.servers)
    options = [icmp6.mtu(mtu)] if mtu >= SMALLEST else []
    options += [option for option, _ in speech.told.values()]
    options += [icmp6.name_servers(servers[at:at + MOST_SERVERS]) for at in range(0, len(servers), MOST_SERVERS)]
    messages = tuple(icmp6.advertisement(flags, speech.lifetime, (own, *some))
                     for some in portions(options, max(mtu, SMALLEST) - 40 - icmp6.HEAD - len(own)))
    ends: list[Keyed] = [(about, end) for about, (_, end) in speech.told.items()]
    ends += [(("server", server.hex()), icmp6.name_servers((server,), 0)) for server in servers]
    undo = [(about, icmp6.advertisement(flags, speech.lifetime, (own, end))) for about, end in ends]
    if speech.lifetime:
        undo.append((("router", mac.hex()), icmp6.advertisement(flags, 0, (own,))))
    return Voice(mac, messages, tuple(undo))


def portions(options: Iterable[bytes], room: int) -> Iterator[list[bytes]]:
    """The options in as many lists as it takes for none to have more than `room` bytes; at least one list."""
    some: list[bytes] = []
    for option in options:
        if some and sum(map(len, some)) + len(option) > room:
            yield some
            some = []
        some.append(option)
    yield some


# ---- flows

@flows(per="network", on=lambda world, network: spread(switches_of(world, network.id)))
def hear_from_nobody(world, network):
    """A machine may ask before it has an address (RFC 4861 §4.1). Whose MAC it says is held against by `advertise`."""
    if world.ask(advertised, network.id):
        yield GUARD, "own", match({NETWORK: network.key, "eth_type": IPV6, "ip_proto": ICMPV6, "ipv6_src": "::",
                                   "icmpv6_type": icmp6.SOLICITATION, "ipv6_dst": "ff02::2", "vlan_vid": 0}), (ASK,)


# ---- what is said

def advertise(world, port, frame: bytes) -> tuple[bytes, ...]:
    """The frames to hand to the port for a solicitation that it sent."""
    asked = icmp6.read_solicitation(frame)
    if asked is None or asked.mac not in own_macs(port):
        return ()
    subnets_of = (world.get("subnet", fixed.subnet_id) for fixed in port.fixed_ips)
    segment = next((subnet.segment_id for subnet in subnets_of if subnet and subnet.segment_id), None)
    return tuple(icmp6.advertise(each.mac, message, asked)
                 for each in world.ask(voices, port.network_id, segment) or () for message in each.messages)


@every(AGAIN, per="network", to=seats)
def tell_all(world, network):
    """The same to all machines of the network, unasked; what is not so any more is taken back."""
    return unasked(world.ask(voices, network.id, None) or ())


def on_segment(world, segment):
    """The seats of the machines that have addresses on a segment."""
    on = {subnet.id for subnet in world.find("subnet", "segment_id", segment.id)}
    return seats(world, world.need("network", segment.network_id),
                 lambda port: any(fixed.subnet_id in on for fixed in port.fixed_ips)) if on else ()


@every(AGAIN, per="segment", to=on_segment)
def tell_segment(world, segment):
    """… and to those of a segment, where subnets are on segments."""
    return unasked(world.ask(voices, segment.network_id, segment.id) or ())


def unasked(said):
    return Said(tuple(icmp6.advertise(each.mac, message) for each in said for message in each.messages),
                tuple((about, icmp6.advertise(each.mac, message)) for each in said for about, message in each.undo))
