"""What a machine is to set on an interface: the same that DHCP and router advertisements tell it, for those who write it
into the machine instead (cloud-init, a file in its image).

IPv4 addresses are written down as they are. Of an IPv6 subnet with an address mode only the mode is: machines make
such addresses themselves, or ask for them, and hear of the routes with them.
"""
from collections.abc import Iterator
from typing import Any, NamedTuple

from apps import dhcp, dhcp6_options, names, network_formats
from apps.addresses import is_automatic
from apps.dhcp_options import extras
from controller.packet import dhcp6, ipv4, ipv6
from controller.packet import dhcp_options as option
from controller.types import Type, parsed
from controller.values import prefix
from controller.world import Glance

STATIC = ""
EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


class Route(NamedTuple):
    """A way to a block; no router: it is on the link."""
    destination: str
    router: str | None


class Address(NamedTuple):
    """An address of the port on a subnet; `mode` is how the machine comes by it: by itself, or a mode of the subnet's."""
    ip: str
    length: int
    mode: str
    network_id: str
    routes: tuple[Route, ...]


class Interface(NamedTuple):
    """All that is to be set on one interface."""
    port_id: str
    mac: str
    mtu: int
    addresses: tuple[Address, ...]
    dns: tuple[str, ...]
    search: tuple[str, ...]


def _device(text: str) -> str:
    """A name that Linux gives an interface."""
    if not 0 < len(text) < 16 or not all(c.isascii() and (c.isalnum() or c in "_.-") for c in text) or text[0] in ".-":
        raise ValueError(text)
    return text


DEVICE = Type("device", parsed(_device, "the name of a network interface: up to 15 letters, digits, and . - _"),
              {"type": "string"}, ("eth0", "enp1s0.5"), ("", "a/b", "sixteen-letters-", "a b", "eth0\n", 1, [], ".."))


def render(model: Any, port: Any, format: str, asked: Any) -> str:
    """The configuration of a port's interface in one of the formats."""
    return network_formats.WRITERS[format](interface(Glance(model), port), asked.device)


def interface(world: Any, port: Any) -> Interface:
    """What the model says about a port's interface."""
    network, subnets = world.need("network", port.network_id), [world.need("subnet", one.subnet_id) for one in port.fixed_ips]
    told = {subnet.id: dhcp.all_told(_terms(world, subnet), extras(port.extra_dhcp_opts), False)
            for subnet in subnets if subnet.ip_version == 4}
    led = {prefix(subnet.cidr).text for subnet in subnets}      # to which there is a way already: they are on the link
    addresses, dns = [], []
    for fixed, subnet in zip(port.fixed_ips, subnets, strict=True):
        mode = subnet.ipv6_address_mode or (subnet.ipv6_ra_mode if is_automatic(subnet) else STATIC)
        routes = _routes(told[subnet.id]) if subnet.id in told else [] if mode else _routes6(subnet)
        new = tuple(route for route in routes if route.destination not in led)
        led |= {route.destination for route in new}
        addresses.append(Address(fixed.ip_address, prefix(subnet.cidr).length, mode, network.id, new))
        dns += _addresses(told[subnet.id].get(option.DNS, b"")) if subnet.id in told else _dns6(world, subnet, port)
    mtus = [int.from_bytes(one[option.MTU], "big") for one in told.values() if option.MTU in one]
    search = dict.fromkeys(name for one in told.values() for name in _names(one))
    if not told and port.fixed_ips:
        search = dict.fromkeys(filter(None, [names.domain(world, network)]))
    return Interface(port.id, port.mac_address, min(mtus, default=network.mtu), tuple(addresses), tuple(dict.fromkeys(dns)),
                     tuple(search))


def _terms(world: Any, subnet: Any) -> dhcp.Terms:
    return dhcp.terms(world, subnet, dhcp.server_address(world, subnet.id) or dhcp.WITHOUT_GATEWAY)


def _addresses(raw: bytes) -> list[str]:
    return [ipv4.text(raw[at:at + 4]) for at in range(0, len(raw), 4)]


def _routes(told: dict[int, bytes]) -> list[Route]:
    """As a DHCP client takes them: classless routes, or else the router alone (RFC 3442)."""
    if option.ROUTES in told:
        return [Route(destination, router if router != "0.0.0.0" else None)
                for destination, router in option.read_routes(told[option.ROUTES])]
    return [Route(EVERYWHERE[4], router) for router in _addresses(told.get(option.ROUTER, b""))[:1]]


def _names(told: dict[int, bytes]) -> Iterator[str]:
    """Domains in which names are looked for."""
    if option.DOMAIN in told:
        yield told[option.DOMAIN].decode("ascii")
    yield from option.read_domains(told.get(option.DOMAIN_SEARCH, b""))


def _routes6(subnet: Any) -> list[Route]:
    routes = [Route(route.destination, route.nexthop) for route in subnet.host_routes]
    if subnet.gateway_ip and not any(route.destination == EVERYWHERE[6] for route in routes):
        routes.append(Route(EVERYWHERE[6], subnet.gateway_ip))
    return routes


def _dns6(world: Any, subnet: Any, port: Any) -> list[str]:
    own = [extra.value for extra in dhcp6_options.extras(port.extra_dhcp_opts) if extra.code == dhcp6.DNS and extra.value]
    if own:
        return [ipv6.text(own[0][at:at + 16]) for at in range(0, len(own[0]), 16)]
    return list(names.servers(world, subnet.dns_nameservers, 6))
