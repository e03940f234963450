"""DHCPv4: every port is told its own address by the switch that it is plugged into; no other machine hears of it.

A port's questions come here (`questions.py`); the answer follows from the model alone. There are no
leases to keep: the address is the port's for as long as the model says so, and the lease time is only how often a
client asks whether that still holds. Answered as RFC 2131 §4.3 says:

    DISCOVER                 OFFER
    REQUEST for its address  ACK; for another one NAK; to another server silence
    INFORM                   ACK, without address and lease
    RELEASE, DECLINE         nothing: there is no other address to give

Several addresses: the first on a subnet with DHCP is the one given, as there is one lease for each client.
"""
from functools import lru_cache
from typing import NamedTuple

from apps import names
from apps.dhcp_options import extras
from apps.extra_options import SWITCHED_OFF, Extra
from apps.pipeline import ANSWER, BACK, NETWORK
from apps.places import ROUTER_PORTS, switches_of
from apps.replies import arp_reply
from apps.servers import SERVICE_IP, has_services, server_mac
from apps.switching import wanderers
from apps.uplinks import on_wire
from controller.app import flows, query, spread
from controller.openflow import match
from controller.packet import dhcp, ethernet, ipv4, udp
from controller.packet import dhcp_options as option
from controller.values import prefix

APP = 7
ARP = 0x806
LEASE = 86400                       # seconds; renewed after half, asked of anyone after seven eighths (RFC 2131 §4.4.5)
WITHOUT_GATEWAY = "169.254.169.254"     # the server's address on a subnet that has no gateway to speak as
ALWAYS = (option.LEASE_TIME, option.RENEW_TIME, option.REBIND_TIME, option.NETMASK, option.ROUTER, option.MTU)
OF_A_LEASE = {option.LEASE_TIME, option.RENEW_TIME, option.REBIND_TIME}


class Terms(NamedTuple):
    """What a subnet's DHCP server says to every port on it. Addresses are raw bytes."""
    server: bytes
    mac: bytes
    options: tuple[option.Option, ...]
    routes: bytes                   # classless static routes, but for the default one
    longest: int                    # packet that the network carries, in bytes


class Lease(NamedTuple):
    """What one port is told."""
    address: bytes
    terms: Terms
    extras: tuple[Extra, ...]


class Told(NamedTuple):
    """What goes into an answer: options in order of importance, and three fields of the header."""
    options: tuple[option.Option, ...]
    next_server: bytes
    server_name: bytes
    boot_file: bytes


# ---- what the model says

@query
def server_address(world, subnet_id):
    """The address that DHCP on a subnet is served from, or None if it is not served there. It is the gateway's, unless
    that may be somebody whom we do not know, and who answers for it.
    """
    subnet = world.get("subnet", subnet_id)
    if subnet is None or not subnet.enable_dhcp or subnet.ip_version != 4:
        return None
    return subnet.gateway_ip if subnet.gateway_ip and is_ours(world, subnet) else WITHOUT_GATEWAY


def is_ours(world, subnet) -> bool:
    """Whether nobody can be a subnet's gateway but a port that is known to be: it is on no wire, in no machine that may
    have any address, and within the subnet.
    """
    if world.find("port", "network_id+ip_address", (subnet.network_id, subnet.gateway_ip)):
        return True
    network = world.need("network", subnet.network_id)
    return is_near(subnet) and not on_wire(network) and not world.gathered(wanderers, network.id)


def is_near(subnet) -> bool:
    """Whether a subnet's gateway has one of its addresses."""
    return subnet.gateway_ip in prefix(subnet.cidr)


@query
def terms_of(world, subnet_id):
    """What every port on a subnet is told, or None if its DHCP is off."""
    server = world.ask(server_address, subnet_id)
    return terms(world, world.need("subnet", subnet_id), server) if server else None


def terms(world, subnet, server) -> Terms:
    """What is to be said of a subnet, by DHCP or otherwise."""
    network = world.need("network", subnet.network_id)
    on_link = [] if subnet.gateway_ip is None or is_near(subnet) else [(f"{subnet.gateway_ip}/32", "0.0.0.0")]
    routes = [*on_link, *_beside(world, subnet)]            # a gateway elsewhere is on the link, before all that is behind it
    routes += [(route.destination, route.nexthop) for route in subnet.host_routes]
    if has_services(world) and is_isolated(world, subnet):
        routes.append((f"{SERVICE_IP}/32", "0.0.0.0"))
    defaults = [router for destination, router in routes if destination == "0.0.0.0/0"]
    told = [*_options(world, subnet, network, subnet.gateway_ip or next(iter(defaults), None)), *_classful(routes)]
    return Terms(ipv4.address(server), ethernet.address(server_mac(network)), tuple(told),
                 b"".join(_route(*route) for route in routes if route[0] != "0.0.0.0/0"), network.mtu)


def _route(destination: str, router: str) -> bytes:
    block = prefix(destination)
    return option.route(block.first.to_bytes(4, "big"), block.length, ipv4.address(router))


def _beside(world, subnet):
    """The other subnets of the network: on the link (RFC 3442), or, on another segment, behind the gateway."""
    for other in world.find("subnet", "network_id", subnet.network_id):
        if other.ip_version == 4 and other.id != subnet.id:
            near = other.segment_id == subnet.segment_id
            if near or subnet.gateway_ip:
                yield other.cidr, "0.0.0.0" if near else subnet.gateway_ip


def _classful(routes):
    """Routes as clients take them that know no other (RFC 2132 §5.8): to machines, and to networks of classes A, B and C."""
    told = b""
    for destination, router in routes:
        block = prefix(destination)
        first = block.first.to_bytes(4, "big")
        own = 8 if first[0] < 128 else 16 if first[0] < 192 else 24
        if router != "0.0.0.0" and block.first > 0 and (block.length == own or block.length == 32 and any(first[own // 8:])):
            told += first + ipv4.address(router)
    if told:
        yield option.STATIC_ROUTES, told


def is_isolated(world, subnet) -> bool:
    """Whether no router is on a subnet: machines are then told how to reach the services of their network."""
    routers = world.find("port", "network_id+device_owner", (subnet.network_id, ROUTER_PORTS[0]))
    return not any(fixed.subnet_id == subnet.id for port in routers for fixed in port.fixed_ips)


def _options(world, subnet, network, router):
    block = prefix(subnet.cidr)
    yield from _lease_times(LEASE)
    yield option.NETMASK, (0xFFFFFFFF << 32 - block.length & 0xFFFFFFFF).to_bytes(4, "big")
    if router:
        yield option.ROUTER, ipv4.address(router)
    if network.mtu >= 68:                       # the least that IPv4 allows, and so this option (RFC 2132 §5.1)
        yield option.MTU, network.mtu.to_bytes(2, "big")
    servers = names.servers(world, tuple(ip for ip in subnet.dns_nameservers if ":" not in ip), 4)
    if servers:
        yield option.DNS, b"".join(map(ipv4.address, servers))
    if domain := names.domain(world, network):
        yield option.DOMAIN, domain.encode()
    yield option.BROADCAST_ADDRESS, block.last.to_bytes(4, "big")


def _lease_times(seconds: int):
    forever = seconds == 0xFFFFFFFF
    for code, part in ((option.LEASE_TIME, 8), (option.RENEW_TIME, 4), (option.REBIND_TIME, 7)):
        yield code, (seconds if forever else seconds * part // 8).to_bytes(4, "big")


def leased(world, port) -> Lease | None:
    """What the port is told, or None if DHCP is not for it."""
    mine = extras(port.extra_dhcp_opts)
    if SWITCHED_OFF in mine:
        return None
    if port.dns_name:
        mine = (Extra(option.HOSTNAME, port.dns_name.partition(".")[0].encode()), *mine)
    for fixed in port.fixed_ips:
        terms = world.ask(terms_of, fixed.subnet_id)
        if terms is None:
            continue
        address = ipv4.address(fixed.ip_address)
        if address == terms.server:             # a machine that is the gateway itself: it cannot hear itself
            terms = terms._replace(server=ipv4.address(WITHOUT_GATEWAY))
        return Lease(address, terms, mine)
    return None


def serves(world, port) -> bool:
    """Whether the port's DHCP questions are ours to answer."""
    return SWITCHED_OFF not in extras(port.extra_dhcp_opts) and any(
        world.ask(server_address, fixed.subnet_id) for fixed in port.fixed_ips)


# ---- flows

@flows(per="network", on=lambda world, network: spread(switches_of(world, network.id)))
def answer_server_address(world, network):
    """ARP for the servers' addresses, so that clients can renew by unicast; unless a machine has that address."""
    mac = server_mac(network)
    servers = {world.ask(server_address, subnet.id) for subnet in world.find("subnet", "network_id", network.id)}
    for ip in sorted(servers - {None}):
        if world.ask(is_taken, network.id, ip):
            continue
        yield ANSWER, "known", match({NETWORK: network.key, "vlan_vid": 0, "eth_type": ARP, "arp_op": 1, "arp_tpa": ip}), (
            *arp_reply(mac, ip), *BACK)


@query
def is_taken(world, network_id, ip):
    """Whether a port of the network has the address, or may take it."""
    return bool(world.find("port", "network_id+ip_address", (network_id, ip))) or any(
        port.network_id == network_id for port in world.find("port", "allowed_address_pairs.ip_address", ip))


# ---- answers

def offer(world, port, frame: bytes) -> tuple[bytes, ...]:
    """The frames to hand to the port for one that it sent: none, or one."""
    asked = udp.read(frame)
    if asked is None or (asked.from_port, asked.to_port) != (dhcp.CLIENT_PORT, dhcp.SERVER_PORT):
        return ()
    message = dhcp.read(asked.payload)
    if message is None or message.relay != ipv4.ANY or not _is_own(port, message.hardware.hex(":")):
        return ()
    lease = leased(world, port)
    kind = verdict(message, lease) if lease else None
    if lease is None or kind is None:
        return ()
    raw = _nak(message, lease) if kind == dhcp.NAK else _give(message, lease, kind)
    to_mac, to_ip = _whither(message, lease, kind, asked.from_ip)
    return (udp.write(udp.Datagram(to_mac, lease.terms.mac, to_ip, lease.terms.server,
                                   dhcp.CLIENT_PORT, dhcp.SERVER_PORT, raw)),)


def _is_own(port, mac: str) -> bool:
    return mac == port.mac_address or any(mac == pair.mac_address for pair in port.allowed_address_pairs)


def verdict(message: dhcp.Message, lease: Lease) -> int | None:
    """The kind of answer, or None for silence (RFC 2131 §4.3).

    A REQUEST says which address it means in option 50 (selecting an offer, or after a restart) or in ciaddr
    (renewing, rebinding). We alone know whose address is whose, so a wrong one is always told so.
    """
    if message.kind == dhcp.DISCOVER:
        return dhcp.OFFER
    if message.kind == dhcp.INFORM:
        return dhcp.ACK
    if message.kind != dhcp.REQUEST or message.options.get(option.SERVER_ID, lease.terms.server) != lease.terms.server:
        return None
    meant = {message.options.get(option.REQUESTED_ADDRESS, ipv4.ANY), message.client} - {ipv4.ANY}
    if not meant:
        return None
    return dhcp.ACK if meant == {lease.address} else dhcp.NAK


def _whither(message: dhcp.Message, lease: Lease, kind: int, from_ip: bytes) -> tuple[bytes, bytes]:
    """The MAC and IP address that the answer goes to (RFC 2131 §4.1)."""
    if kind == dhcp.NAK:
        return ethernet.BROADCAST, ipv4.BROADCAST
    known = message.client if message.client != ipv4.ANY else from_ip if message.kind == dhcp.INFORM else ipv4.ANY
    if known != ipv4.ANY:
        return message.hardware, known
    if message.flags & dhcp.BROADCAST_FLAG or message.kind == dhcp.INFORM:
        return ethernet.BROADCAST, ipv4.BROADCAST
    return message.hardware, lease.address


def _nak(message: dhcp.Message, lease: Lease) -> bytes:
    told = [(option.MESSAGE_TYPE, bytes((dhcp.NAK,))), (option.SERVER_ID, lease.terms.server),
            *_echo(message), (option.MESSAGE, b"this address is not yours")]
    nothing = dhcp.Reply(ipv4.ANY, ipv4.ANY, ipv4.ANY, b"", b"")
    return dhcp.write(message, nothing, told, dhcp.SMALLEST_LIMIT)


def _echo(message: dhcp.Message) -> list[option.Option]:
    """The client's identifier goes back as it came (RFC 6842)."""
    identifier = message.options.get(option.CLIENT_ID)
    return [(option.CLIENT_ID, identifier)] if identifier else []


def _give(message: dhcp.Message, lease: Lease, kind: int) -> bytes:
    informs = message.kind == dhcp.INFORM
    wanted, ipxe = message.options.get(option.WANTED), option.ETHERBOOT in message.options
    told = tell(lease.terms, lease.extras, wanted, ipxe, informs)
    reply = dhcp.Reply(ipv4.ANY if informs else lease.address, message.client if kind == dhcp.ACK else ipv4.ANY,
                       told.next_server, told.server_name, told.boot_file)
    options = [(option.MESSAGE_TYPE, bytes((kind,))), (option.SERVER_ID, lease.terms.server), *_echo(message),
               *told.options]
    return dhcp.write(message, reply, options, min(message.limit, max(lease.terms.longest, dhcp.SMALLEST_LIMIT)))


@lru_cache(maxsize=8192)        # the ports of a subnet hear much the same, and clients of one kind ask alike
def tell(terms: Terms, mine: tuple[Extra, ...], wanted: bytes | None, ipxe: bool, informs: bool) -> Told:
    """What a client hears, the most important first: what a lease needs, what it wants, what is the port's own.

    A client that does not say what it wants hears all, but for Microsoft's own number for routes. Who takes routes with
    their widths is not told those without as well (RFC 3442).
    """
    known = all_told(terms, mine, ipxe)
    if wanted is None:
        wanted = bytes(code for code in known if code not in (option.ROUTES_OF_MICROSOFT, option.NEXT_SERVER))
    if option.ROUTES in wanted or option.ROUTES_OF_MICROSOFT in wanted:
        wanted = bytes(code for code in wanted if code != option.STATIC_ROUTES)
    codes = dict.fromkeys((*ALWAYS, *wanted, *(extra.code for extra in mine)))
    unsaid = {option.NEXT_SERVER, *(OF_A_LEASE if informs else ())}
    return Told(tuple((code, known[code]) for code in codes if code in known and code not in unsaid),
                known.get(option.NEXT_SERVER, ipv4.ANY),
                _field(known.get(option.TFTP_SERVER), 64), _field(known.get(option.BOOT_FILE), 128))


def _field(text: bytes | None, size: int) -> bytes:
    """A text for one of the header's fields, which network cards' boot code reads rather than options."""
    return text if text and len(text) < size else b""


def all_told(terms: Terms, extras: tuple[Extra, ...], ipxe: bool) -> dict[int, bytes]:
    """Everything known for a port by option code: its subnet's, and over it its own."""
    mine = {extra.code: extra.value for extra in sorted(extras, key=lambda extra: extra.boots is not None)
            if extra.boots in (None, ipxe)}
    told: dict[int, bytes | None] = {**dict(terms.options), **mine}
    seconds = mine.get(option.LEASE_TIME)
    if seconds:
        told.update({**dict(_lease_times(int.from_bytes(seconds, "big"))), **mine})
    if option.ROUTES not in mine and terms.routes:
        # A client that takes these disregards the router option, so the default route is among them (RFC 3442).
        router = told.get(option.ROUTER)
        told[option.ROUTES] = terms.routes + (option.route(bytes(4), 0, router[:4]) if router else b"")
    told.setdefault(option.ROUTES_OF_MICROSOFT, told.get(option.ROUTES))
    return {code: value for code, value in told.items() if value is not None}
