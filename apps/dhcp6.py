"""DHCPv6: every port is told its own addresses, and what else its subnets say, by the switch that it is plugged into.

As with DHCPv4 there are no leases to keep: an answer follows from the model alone (RFC 8415 §18.3).

    SOLICIT                  ADVERTISE, or REPLY at once if the client agrees (rapid commit)
    REQUEST, RENEW, REBIND   REPLY with the port's addresses; others get no more time to live
    CONFIRM                  REPLY: success, if all of them are the port's
    RELEASE, DECLINE         REPLY: taken note of; there is no other address to give
    INFORMATION-REQUEST      REPLY without addresses

Addresses are those on subnets whose ipv6_address_mode is dhcpv6-stateful; all of them go to one association (IA_NA),
the one with the least number if a client names several. There are no temporary addresses and no prefixes to delegate,
and a client that wants some is told so.
"""
from collections.abc import Iterator
from typing import NamedTuple

from apps import names
from apps.dhcp6_options import extras, packed
from apps.extra_options import SWITCHED_OFF, Extra
from apps.guards import own_macs
from apps.servers import server_mac
from controller.app import query
from controller.packet import dhcp6, dns, ethernet, ipv6, udp
from controller.values import Prefix, prefix

LEASE = 86400                       # seconds that an address is the client's; it asks again after half of them
TIMES = LEASE // 2, LEASE * 4 // 5  # when to renew and when to ask any server (RFC 8415 §21.4)
SMALLEST = 1280                     # every link carries an IPv6 packet of this size
PREFERENCE = b"\xff"                # there is no other server to wait for (RFC 8415 §18.2.1)
WITH_SERVER = {dhcp6.REQUEST, dhcp6.RENEW, dhcp6.RELEASE, dhcp6.DECLINE}
WITHOUT_SERVER = {dhcp6.SOLICIT, dhcp6.CONFIRM, dhcp6.REBIND}


class Terms(NamedTuple):
    """What a network's DHCPv6 server says to every port on it."""
    mac: bytes
    dns: bytes
    domain: bytes                   # in which names are looked for, as DNS writes it; b"" for none
    stateful: frozenset[str]        # subnets whose addresses it gives
    blocks: tuple[Prefix, ...]      # all of the network's IPv6 addresses
    longest: int                    # packet that the network carries, in bytes


class Lease(NamedTuple):
    """What one port is told."""
    addresses: tuple[bytes, ...]
    terms: Terms
    extras: tuple[Extra, ...]


# ---- what the model says

@query
def terms_of(world, network_id):
    """What every port on a network is told, or None if no subnet of it leaves addresses or options to us."""
    six = [subnet for subnet in world.find("subnet", "network_id", network_id) if subnet.ip_version == 6]
    subnets = [subnet for subnet in six if subnet.enable_dhcp and subnet.ipv6_address_mode]
    if not subnets:
        return None
    network = world.need("network", network_id)
    domain = names.domain(world, network)
    return Terms(ethernet.address(server_mac(network)),
                 b"".join(packed(ip for subnet in subnets for ip in names.servers(world, subnet.dns_nameservers, 6))),
                 dns.name(domain) if domain else b"",
                 frozenset(subnet.id for subnet in subnets if subnet.ipv6_address_mode == "dhcpv6-stateful"),
                 tuple(prefix(subnet.cidr) for subnet in six), max(network.mtu, SMALLEST))


@query
def served(world, network_id):
    """Whether DHCPv6 is ours on a network."""
    return world.ask(terms_of, network_id) is not None


def leased(world, port) -> Lease | None:
    """What the port is told, or None if DHCPv6 is not for it."""
    terms, mine = world.ask(terms_of, port.network_id), extras(port.extra_dhcp_opts)
    if terms is None or SWITCHED_OFF in mine:
        return None
    own = [ipv6.address(fixed.ip_address) for fixed in port.fixed_ips if fixed.subnet_id in terms.stateful]
    return Lease(tuple(own), terms, mine)


def serves(world, port) -> bool:
    """Whether the port's DHCPv6 questions are ours to answer."""
    return world.ask(served, port.network_id) and SWITCHED_OFF not in extras(port.extra_dhcp_opts)


# ---- answers

def reply(world, port, frame: bytes) -> tuple[bytes, ...]:
    """The frames to hand to the port for a DHCPv6 question that it sent: none, or one."""
    asked = udp.read_over_ipv6(frame)
    if asked is None or asked.to_port != dhcp6.SERVER_PORT or not _speaks_as(port, asked.from_mac, asked.from_ip):
        return ()
    message, lease = dhcp6.read(asked.payload), leased(world, port)
    if message is None or lease is None:
        return ()
    answer = answer_to(message, lease)
    if answer is None:
        return ()
    mac = lease.terms.mac
    return (udp.write(udp.Datagram(asked.from_mac, mac, asked.from_ip, ipv6.link_local(mac),
                                   dhcp6.CLIENT_PORT, dhcp6.SERVER_PORT, answer)),)


def _speaks_as(port, mac: bytes, ip: bytes) -> bool:
    """From a link-local address; a guarded port only from those that it may have."""
    if mac not in own_macs(port) or not ipv6.is_link_local(ip):
        return False
    return not port.port_security_enabled or ip in {ipv6.link_local(one) for one in own_macs(port)} or any(
        ipv6.text(ip) == pair.ip_address for pair in port.allowed_address_pairs)


def answer_to(message: dhcp6.Message, lease: Lease) -> bytes | None:
    """The answer's bytes, or None for silence (RFC 8415 §16 and §18.3)."""
    if not is_for_us(message, dhcp6.duid(lease.terms.mac)):
        return None
    told = list(_what(message, lease))
    if message.kind == dhcp6.CONFIRM and not told:
        return None
    at_once = message.kind == dhcp6.SOLICIT and message.rapid
    kind = dhcp6.ADVERTISE if message.kind == dhcp6.SOLICIT and not at_once else dhcp6.REPLY
    ids = [(dhcp6.SERVER_ID, dhcp6.duid(lease.terms.mac))]
    if message.client is not None:
        ids.append((dhcp6.CLIENT_ID, message.client))
    if at_once:
        ids.append((dhcp6.RAPID_COMMIT, b""))
    if kind == dhcp6.ADVERTISE:
        ids.append((dhcp6.PREFERENCE, PREFERENCE))
    return dhcp6.write(kind, message.transaction, [*ids, *told], lease.terms.longest - 48)


def is_for_us(message: dhcp6.Message, ours: bytes) -> bool:
    """Whether a message names the servers and clients that one of its kind must name."""
    if message.kind == dhcp6.INFORMATION_REQUEST:
        return message.server in (None, ours) and not message.associations
    if message.client is None:
        return False
    return message.server == ours if message.kind in WITH_SERVER else (
        message.kind in WITHOUT_SERVER and message.server is None)


def _what(message: dhcp6.Message, lease: Lease) -> Iterator[dhcp6.Option]:
    """What an answer says beside whose it is and for whom."""
    if message.kind == dhcp6.CONFIRM:
        yield from _confirmed(message, lease)
        return
    if message.kind in (dhcp6.RELEASE, dhcp6.DECLINE):
        yield dhcp6.status(dhcp6.SUCCESS)
        for asked in message.associations:
            if not set(asked.addresses) & set(lease.addresses):
                yield dhcp6.association(asked, (0, 0), [dhcp6.status(dhcp6.NO_BINDING)])
        return
    main = min((asked.id for asked in message.associations if asked.kind == dhcp6.IA_NA), default=None)
    for asked in message.associations:
        is_main = asked.kind == dhcp6.IA_NA and asked.id == main
        yield _association(message.kind, asked, lease.addresses if is_main else (), lease.terms.blocks)
    yield from _options(message, lease)


def _confirmed(message: dhcp6.Message, lease: Lease) -> Iterator[dhcp6.Option]:
    """Whether a client that comes back may keep its addresses. We alone know whose they are."""
    claimed = {ip for asked in message.associations for ip in asked.addresses}
    if claimed:
        good = claimed <= set(lease.addresses)
        yield dhcp6.status(dhcp6.SUCCESS) if good else dhcp6.status(dhcp6.NOT_ON_LINK, b"these addresses are not yours")


def _association(kind: int, asked: dhcp6.Association, own: tuple[bytes, ...], blocks: tuple[Prefix, ...]) -> dhcp6.Option:
    """The answer to one association: its addresses, those that it should forget, or why there are none."""
    renews = kind in (dhcp6.RENEW, dhcp6.REBIND)
    foreign = [ip for ip in asked.addresses if ip not in own]
    if kind == dhcp6.REQUEST and not all(any(ipv6.text(ip) in block for block in blocks) for ip in foreign):
        return dhcp6.association(asked, (0, 0), [dhcp6.status(dhcp6.NOT_ON_LINK)])
    parts = [dhcp6.address(ip, LEASE) for ip in own]
    if renews:
        parts += [dhcp6.address(ip, 0) for ip in foreign]
    if not parts:
        none = dhcp6.NO_PREFIX if asked.kind == dhcp6.IA_PD else dhcp6.NO_ADDRESSES
        parts = [dhcp6.status(dhcp6.NO_BINDING if renews else none)]
    return dhcp6.association(asked, TIMES if own else (0, 0), parts)


def _options(message: dhcp6.Message, lease: Lease) -> Iterator[dhcp6.Option]:
    """What the client asks for, and what is the port's own; all there is, if it does not say what it wants."""
    mine = {extra.code: extra.value or b"" for extra in lease.extras}
    said = {dhcp6.DNS: lease.terms.dns, dhcp6.DOMAIN_SEARCH: lease.terms.domain}
    known = {**{code: value for code, value in said.items() if value}, **mine}
    if message.kind == dhcp6.INFORMATION_REQUEST:
        known = {dhcp6.REFRESH_TIME: LEASE.to_bytes(4, "big"), **known}
    wanted = tuple(known) if message.wanted is None else message.wanted
    for code in dict.fromkeys((*wanted, *mine)):
        if code in known:
            yield code, known[code]
