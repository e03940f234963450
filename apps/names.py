"""Names: the DNS of every network, at its services' address (services.py), made of the model alone.

A machine hears the names of its own network's ports, whole or without the domain, and which name an address there has;
and so of its project's on networks that a router joins, and of floating IPs (`known_names.py`). The domains of all these
networks are ours: what is not there does not exist. What is nobody's here goes to the forwarders, if there
are any and the machine wants it; without them it is refused. Over TCP as over UDP; a connection has one question.
"""
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from apps import dns_names, known_names
from apps.servers import SERVICE_IP, SERVICE_IP6
from controller.app import Ask, Service, only, tally
from controller.packet import dns, ipv4, ipv6, udp
from controller.values import prefix

TTL = 30                            # seconds: a name may be another port's soon
ASKED = "resolver"                  # whom Ask names
LONGEST = 512                       # bytes of a question over TCP, with its length


class Found(NamedTuple):
    """What we know of a name: its records; or none, and the zone that says so, if one does."""
    code: int
    records: tuple[dns.Record, ...] = ()
    zone: str = ""


NOT_OURS = None


def serves(world: Any) -> bool:
    """Whether names are answered."""
    return bool(world.settings["dns"]["enabled"])


# ---- for those who tell machines of it

def servers(world: Any, nameservers: tuple[str, ...], version: int) -> tuple[str, ...]:
    """The resolvers that a subnet's machines are told: its own, or else we; 0.0.0.0 and :: are Neutron's words for none."""
    if nameservers or not serves(world):
        return tuple(ip for ip in nameservers if ip not in ("0.0.0.0", "::"))
    return (SERVICE_IP if version == 4 else SERVICE_IP6,)


def domain(world: Any, network: Any) -> str:
    """The domain that a network's machines are told; "" for none."""
    return dns_names.domain_of(world.settings, network) if serves(world) else network.dns_domain.removesuffix(".")


# ---- what the model says

@tally(per="port")
@only(lambda port: "." in port.dns_name)
def branches(world: Any, port: Any) -> Iterator[tuple[Any, str]]:
    """Networks gather what is between their names and the domain: `b` of a port called a.b is no name, and yet there."""
    for _, rest in dns_names.splits(port.dns_name):
        if rest:
            yield port.network_id, rest


def look_up(world: Any, network: Any, query: dns.Query, project: str) -> Found | None:
    """What those say to a question of whom a project's machine on the network may hear; None if it is not about them."""
    pointed = dns_names.address_of_pointer(query.name)
    around = [(one, dns_names.domain_of(world.settings, one)) for one in
              (network, *known_names.joined(world, network, project))]
    if pointed is not None:
        return _pointer(world, around, query, pointed, project)
    for one, zone in around:
        named = _addresses(world, one, query.name, zone)
        if named is not None:
            return Found(dns.NO_ERROR, tuple(_records(named, query.type)), zone)
    if known := known_names.everywhere(world, project, query.name):
        return Found(dns.NO_ERROR, tuple(_records(known, query.type)), query.name.partition(".")[2])
    if not query.name:
        return NOT_OURS                 # the root
    return _of_domain(world, around, query)


def _of_domain(world: Any, around: list[tuple[Any, str]], query: dns.Query) -> Found | None:
    """Of a name that nobody has: it may be a domain of ours or within one, and then it is there or not."""
    if any(query.name == zone for _, zone in around):
        start = (dns.soa(query.name, TTL),) if query.type in (dns.SOA, dns.ANY) else ()
        return Found(dns.NO_ERROR, start, query.name)
    for zone in dict.fromkeys(zone for _, zone in around if zone and query.name.endswith(f".{zone}")):
        name = query.name.removesuffix(f".{zone}")
        within = any(name in world.gathered(branches, one.id) for one, its in around if its == zone)
        return Found(dns.NO_ERROR if within else dns.NO_SUCH_NAME, (), zone)
    return Found(dns.NO_SUCH_NAME) if "." not in query.name else NOT_OURS


def _addresses(world: Any, network: Any, name: str, zone: str) -> tuple[str, ...] | None:
    """The addresses that have a name; None if nobody has it."""
    found = world.find("port", dns_names.INDEX, (network.id, f"{name}."))
    for head, rest in dns_names.splits(name):
        for port in world.find("port", dns_names.INDEX, (network.id, head)) if head else ():
            if not rest or rest == (port.dns_domain.removesuffix(".") or zone):
                found.append(port)
        if rest in ("", zone) and "." not in head and (address := dns_names.address_in(head)) is not None:
            found += [port for port in world.find("port", "network_id+ip_address", (network.id, address))
                      if not port.dns_name]
            if found:
                return (address,)
    own = dict.fromkeys(fixed.ip_address for port in found for fixed in port.fixed_ips)
    return tuple(own) if found else None


def _records(addresses: tuple[str, ...], wanted: int) -> Iterator[dns.Record]:
    for address in addresses:
        if ":" in address and wanted in (dns.AAAA, dns.ANY):
            yield None, dns.AAAA, ipv6.address(address)
        elif ":" not in address and wanted in (dns.A, dns.ANY):
            yield None, dns.A, ipv4.address(address)


def _pointer(world: Any, around: list[tuple[Any, str]], query: dns.Query, address: str, project: str) -> Found | None:
    """Whose address it is, if it is one of theirs."""
    def named(names: Iterable[str], zone: str) -> Found:
        wanted = query.type in (dns.PTR, dns.ANY)
        return Found(dns.NO_ERROR, tuple((None, dns.PTR, dns.name(one)) for one in names) if wanted else (), zone)

    for network, zone in around:
        for port in world.find("port", "network_id+ip_address", (network.id, address)):
            return named([dns_names.full_name(world.settings, network, port, address)], zone)
    if known := known_names.everywhere(world, project, address):
        return named(known, known[0].partition(".")[2])
    for network, zone in around:
        if any(address in prefix(one.cidr) for one in world.find("subnet", "network_id", network.id)):
            return Found(dns.NO_SUCH_NAME, (), zone)
    return NOT_OURS


# ---- answers

def reply(world: Any, port: Any, raw: bytes, limit: int | None) -> bytes | Ask | None:
    """The answer to a port's message, or whom to ask for it; None for silence. `limit`: bytes that a datagram may have,
    None over TCP."""
    query = dns.read(raw)
    if query is None:
        return None
    if isinstance(query, dns.Wrong):
        return dns.answer(query, query.code)
    most = dns.LONGEST if limit is None else min(query.limit, limit)
    forwarders = world.settings["dns"]["forwarders"]
    if query.version:
        return dns.answer(query, dns.BAD_VERSION, ours=False)
    asked = query.kind == dns.IN and query.type not in dns.TRANSFERS
    found = look_up(world, world.need("network", port.network_id), query, port.project_id) if asked else NOT_OURS
    if found is not None:
        authority = [dns.soa(found.zone, TTL)] if not found.records and found.zone else []
        return dns.answer(query, found.code, found.records, authority, ttl=TTL, recursive=bool(forwarders), limit=most)
    if not forwarders or not asked or not query.wants_recursion:
        return dns.answer(query, dns.REFUSED, ours=False, recursive=bool(forwarders))

    def passed_on(said: bytes | None) -> bytes:
        if said is None:
            return dns.answer(query, dns.SERVER_FAILURE, ours=False, recursive=True)
        return dns.passed_on(query, said, most)
    return Ask(ASKED, (query, limit is None), passed_on)


def answer(world: Any, port: Any, asked: udp.Datagram, mtu: int) -> tuple[Any, ...]:
    """The answers to a datagram: none, a frame, or who is to be asked."""
    if asked.to_port != dns.PORT:
        return ()
    overhead = 28 if len(asked.from_ip) == 4 else 48
    said = reply(world, port, asked.payload, max(mtu - overhead, dns.SMALLEST))
    if isinstance(said, Ask):
        then = said.then
        return (said._replace(then=lambda told: (_datagram(asked, then(told)),)),)
    return (_datagram(asked, said),) if said is not None else ()


def _datagram(asked: udp.Datagram, text: bytes) -> bytes:
    return udp.write(udp.Datagram(asked.from_mac, asked.to_mac, asked.from_ip, asked.to_ip, asked.from_port,
                                  asked.to_port, text))


# ---- over TCP: a length before each message (RFC 7766 §8)

def _read(data: bytes) -> bytes | None:
    length = int.from_bytes(data[:2], "big")
    if len(data) >= LONGEST:
        return b""                      # too long for a question
    return data[2:2 + length] if 2 <= len(data) >= 2 + length else None


def _say(world: Any, port: Any, message: bytes, asker: bytes) -> bytes | Ask:
    said = reply(world, port, message, None)
    if isinstance(said, Ask):
        then = said.then
        return said._replace(then=lambda told: _framed(then(told)))
    return _framed(said) if said is not None else b""


def _framed(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


SERVICE = Service(_read, _say, LONGEST)
