"""Subnets: which addresses a subnet has, which of them ports are given, and what does not go together."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.addresses import AUTOMATIC, add_automatic, is_automatic, remove_automatic, span
from apps.prefixes import draw
from apps.servers import SERVICE_IP
from controller import values
from controller.errors import Conflict, Invalid
from controller.types import Record, Type

_OWNERS = ("network:", "neutron:", "compute:", "baremetal:", "trunk:")
_MODES = ("ipv6_ra_mode", "ipv6_address_mode")
# Addresses that no router has; the last is that of our services on every network.
NOBODYS = ("0.0.0.0", "255.255.255.255", SERVICE_IP)
# Longest prefixes that leave room for DHCP: a server and a client beside the network's own addresses.
_DHCP_LONGEST = {4: 30, 6: 126}


def _owner(value: Any) -> str:
    """The device_owner of ports that a subnet is for."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > 255:
        raise Invalid("", "must be an owner of ports", type="InvalidInputSubnetServiceType")
    if not value.startswith(_OWNERS):
        raise Invalid("", f"{value} is no owner of ports; they begin with {', '.join(_OWNERS)}",
                      type="InvalidSubnetServiceType")
    return value


OWNER = Type("owner", _owner, {"type": "string"}, ("compute:nova", "network:routed"), ("", 1, None, "x", "x:y", "network:a\nb"))


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    draw(write, document, asked)
    if document["cidr"] is None:
        raise Invalid("cidr", "is required, unless a pool (subnetpool_id) is to give one")
    block = values.prefix(document["cidr"])
    _check_block(document, block)
    if "gateway_ip" not in asked:
        document["gateway_ip"] = _first(block)
    _check(document, block)
    if document["allocation_pools"] is None:
        document["allocation_pools"] = _pools(block, document["gateway_ip"])
    _check_pools(document, block)
    write.then(lambda: add_automatic(write, write.get("subnet", document["id"])))


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    block = values.prefix(document["cidr"])
    if document["allocation_pools"] is None:
        document["allocation_pools"] = _pools(block, document["gateway_ip"])
    _check(document, block)
    _check_pools(document, block)


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """Addresses that hosts made themselves go with the subnet; others keep it from being deleted."""
    if is_automatic(before):
        remove_automatic(write, before)


def _first(block: values.Prefix) -> str | None:
    """The address of the router, unless somebody says otherwise."""
    return values.ip_text(block.version, block.first + 1) if block.last > block.first else None


def _check_block(document: Mapping[str, Any], block: values.Prefix) -> None:
    if block.version != document["ip_version"]:
        raise Invalid("cidr", f"must be a block of IPv{document['ip_version']} addresses, as ip_version says")
    if block.length == 0:
        raise Invalid("cidr", "must not be all addresses")
    text = document["cidr"]
    if values.is_multicast(text) or values.is_loopback(text) or block.version == 6 and values.is_link_local(text):
        raise Invalid("cidr", "must not have multicast, loopback or IPv6 link-local addresses")


def _check(document: Mapping[str, Any], block: values.Prefix) -> None:
    _check_modes(document, block)
    if document["enable_dhcp"] and block.length > _DHCP_LONGEST[block.version]:
        raise Invalid("cidr", f"must be /{_DHCP_LONGEST[block.version]} or larger for DHCP; "
                              "or set enable_dhcp to false")
    _check_gateway(document, block)
    for address in document["dns_nameservers"]:
        if values.ip_version(address) != block.version:
            raise Invalid("dns_nameservers", f"must be IPv{block.version} addresses, and {address} is not")
    for route in document["host_routes"]:
        if values.ip_version(route.destination) != block.version or values.ip_version(route.nexthop) != block.version:
            raise Invalid("host_routes", f"must be IPv{block.version}, and {route.destination} by {route.nexthop} is "
                                         "not")


def _check_modes(document: Mapping[str, Any], block: values.Prefix) -> None:
    given = [name for name in _MODES if document[name] is not None]
    if given and block.version == 4:
        raise Invalid(given[0], "is for IPv6 subnets only")
    if given and not document["enable_dhcp"]:
        raise Invalid(given[0], "needs enable_dhcp to be true")
    if len(given) == 2 and document[_MODES[0]] != document[_MODES[1]]:
        raise Invalid("ipv6_address_mode", "must be the same as ipv6_ra_mode, if both are given")
    automatic = next((name for name in reversed(_MODES) if document[name] in AUTOMATIC), None)
    if automatic and block.length != 64:
        raise Invalid("cidr", f"must be a /64 for {automatic} {document[automatic]}")


def _check_gateway(document: Mapping[str, Any], block: values.Prefix) -> None:
    gateway = document["gateway_ip"]
    if gateway is None:
        return
    if values.ip_version(gateway) != block.version:
        raise Invalid("gateway_ip", f"must be an IPv{block.version} address")
    if gateway not in block:
        _check_far(gateway)
        return
    first, last = span(block)
    if block.version == 4 and not first <= values.ip_number(gateway) <= last:
        raise Invalid("gateway_ip", "must not be the first or the last address of cidr")


def _check_far(gateway: str) -> None:
    """A gateway outside of the CIDR: machines are told that it is on the link. By IPv6 they know only link-local ones so."""
    if values.ip_version(gateway) == 6:
        if not values.is_link_local(gateway):
            raise Invalid("gateway_ip", "must be within cidr, or a link-local address")
    elif values.is_multicast(gateway) or values.is_loopback(gateway) or gateway in NOBODYS:
        raise Invalid("gateway_ip", f"must be an address that a router can have, and {gateway} is none")


def _pools(block: values.Prefix, gateway: str | None) -> tuple[Record, ...]:
    """All addresses for hosts but the gateway."""
    first, last = span(block)
    if gateway is None or gateway not in block:
        ranges = [(first, last)]
    else:
        number = values.ip_number(gateway)
        ranges = [(first, number - 1), (number + 1, last)]
    return tuple(Record(start=values.ip_text(block.version, low), end=values.ip_text(block.version, high))
                 for low, high in ranges if low <= high)


def _check_pools(document: Mapping[str, Any], block: values.Prefix) -> None:
    first, last = span(block)
    known: list[tuple[int, int, Record]] = []
    for pool in document["allocation_pools"]:
        low, high = values.ip_number(pool.start), values.ip_number(pool.end)
        text = f"{pool.start} to {pool.end}"
        if {values.ip_version(pool.start), values.ip_version(pool.end)} != {block.version} or low > high:
            raise Invalid("allocation_pools", f"{text} must be a range of IPv{block.version} addresses",
                          type="InvalidAllocationPool")
        if low < first or high > last:
            raise Invalid("allocation_pools", f"{text} must be within the host addresses of {document['cidr']}",
                          type="OutOfBoundsAllocationPool")
        for other_low, other_high, other in known:
            if low <= other_high and other_low <= high:
                raise Conflict("OverlappingAllocationPools",
                               f"allocation_pools: {text} overlaps with {other.start} to {other.end}")
        known.append((low, high, pool))
    gateway = document["gateway_ip"]
    for low, high, pool in known:
        if gateway is not None and gateway in block and low <= values.ip_number(gateway) <= high:
            raise Conflict("GatewayConflictWithAllocationPools",
                           f"gateway_ip: {gateway} conflicts with allocation pool {pool.start} to {pool.end}")


def is_external(model: Any, subnet: Any) -> bool:
    """Whether its network leads outside."""
    network = model.get("network", subnet.network_id)
    return network is not None and bool(network.router_external)
