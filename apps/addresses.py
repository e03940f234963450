"""Which addresses a port has: given by its maker, chosen from the pools of subnets, or made from its MAC.

A subnet whose hosts make their own addresses (SLAAC, stateless DHCPv6) gives every port of the network the address that
RFC 4291 makes of its MAC. Of the others a port gets one IPv4 and one IPv6 address, unless it asks for certain ones.
"""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from apps.subnet_choice import choice, choosable
from controller import values
from controller.errors import Conflict, Invalid
from controller.types import Record

AUTOMATIC = ("slaac", "dhcpv6-stateless")
ROUTER = "network:router"                    # owners of the ports of routers begin so
INTERFACE = "network:router_interface"       # owner of a port by which a router joins subnets
GATEWAY = "network:router_gateway"           # owner of the port by which a router leads outside
FLOATING = "network:floatingip"              # owner of the port that holds the address of a floating IP
LOCAL_IP = "network:local_ip"                # owner of the port that holds the address of a local IP
_SETTLED = (ROUTER, FLOATING, LOCAL_IP)              # what a subnet comes or goes does not change the addresses of these
INDEX = "network_id+ip_address"


def span(block: values.Prefix) -> tuple[int, int]:
    """First and last address that a host may have: not the network's nor the broadcast address."""
    bits = values.BITS[block.version]
    if bits - block.length < 2:
        return block.first, block.last
    return block.first + 1, block.last - (1 if block.version == 4 else 0)


def is_automatic(subnet: Any) -> bool:
    """Its hosts make their own addresses: by its mode, or because that is what router advertisements tell them."""
    return subnet.ipv6_address_mode in AUTOMATIC or subnet.ipv6_ra_mode in AUTOMATIC


def assign(write: Any, document: Mapping[str, Any], wanted: Iterable[Record] | None,
           before: Any = None) -> tuple[Record, ...]:
    """The fixed_ips of a port that asks for these, or for nothing in particular (None)."""
    network = document["network_id"]
    subnets = {subnet.id: subnet for subnet in write.find("subnet", "network_id", network)}
    eligible = choice(write, document, subnets.values(), needed=wanted is None) or ()
    if wanted is None:
        found = _one_of_each(write, document, eligible)
    else:
        found = _asked(write, document, subnets, list(wanted), before)
    if document["device_owner"] not in (INTERFACE, FLOATING, LOCAL_IP):
        had = {fixed.subnet_id for fixed in found}
        found += [_automatic(subnet, document) for subnet in eligible
                  if is_automatic(subnet) and subnet.id not in had]
    _check_free(write, document, found, before)
    return tuple(dict.fromkeys(found))


def _automatic(subnet: Any, document: Mapping[str, Any]) -> Record:
    return Record(subnet_id=subnet.id, ip_address=values.eui64(subnet.cidr, document["mac_address"]))


def _one_of_each(write: Any, document: Mapping[str, Any], subnets: Iterable[Any]) -> list[Record]:
    found = []
    for version in (4, 6):
        fitting = [one for one in subnets if one.ip_version == version and not is_automatic(one)]
        if fitting:
            found.append(choose(write, document["network_id"], fitting))
    return found


def choose(write: Any, network: str, fitting: list[Any], mine: Collection[str] = ()) -> Record:
    """A free address of the first subnet that has one."""
    for subnet in fitting:
        version = subnet.ip_version
        number = spans_of(write, subnet).take(
            lambda number, version=version: (text := values.ip_text(version, number)) in mine
            or write.count("port", INDEX, (network, text)) > 0)
        if number is not None:
            return Record(subnet_id=subnet.id, ip_address=values.ip_text(version, number))
    raise Conflict("IpAddressGenerationFailure", f"No more IP addresses available on network {network}.")


def spans_of(write: Any, subnet: Any) -> Any:
    return write.spans(("subnet", subnet.id), tuple((values.ip_number(pool.start), values.ip_number(pool.end))
                                                    for pool in subnet.allocation_pools))


def _asked(write: Any, document: Mapping[str, Any], subnets: Mapping[str, Any], wanted: list[Record],
           before: Any) -> list[Record]:
    """Certain addresses first, so that those that are chosen keep clear of them."""
    certain = [_certain(document, subnets, fixed) for fixed in wanted if fixed.get("ip_address")]
    mine = {fixed.ip_address for fixed in certain}
    if len(mine) < len(certain):
        raise Invalid("fixed_ips", "the same ip_address is there twice; say it once")
    kept = [fixed for fixed in (before.fixed_ips if before is not None else ()) if fixed.ip_address not in mine]
    found = []
    for fixed in wanted:
        if fixed.get("ip_address"):
            found.append(certain.pop(0))
            continue
        subnet = _subnet(document, subnets, fixed)
        old = next((one for one in kept if one.subnet_id == subnet.id), None)
        if is_automatic(subnet):
            found.append(_automatic(subnet, document))
        elif old is not None:
            kept.remove(old)
            found.append(old)
        else:
            found.append(choose(write, document["network_id"], [subnet], mine))
        mine.add(found[-1].ip_address)
    return found


def _subnet(document: Mapping[str, Any], subnets: Mapping[str, Any], fixed: Record) -> Any:
    if not fixed.get("subnet_id"):
        raise Invalid("fixed_ips", "each needs a subnet_id or an ip_address")
    if fixed.subnet_id not in subnets:
        raise Invalid("fixed_ips", f"subnet {fixed.subnet_id} is not on network {document['network_id']}")
    return subnets[fixed.subnet_id]


def _certain(document: Mapping[str, Any], subnets: Mapping[str, Any], fixed: Record) -> Record:
    """The address asked for, with its subnet."""
    address = fixed.ip_address
    if fixed.get("subnet_id"):
        subnet = _subnet(document, subnets, fixed)
        if not _fits(subnet, address, document):
            raise Invalid("fixed_ips", f"IP address {address} is not a valid IP for the specified subnet {subnet.id} "
                                       f"({subnet.cidr}).", type="InvalidIpForSubnet")
    else:
        subnet = next((one for one in subnets.values() if _fits(one, address, document)), None)
        if subnet is None:
            raise Invalid("fixed_ips", f"IP address {address} is not a valid IP for any of the subnets on the "
                                       "specified network.", type="InvalidIpForNetwork")
    router = document["device_owner"].startswith(ROUTER)
    if is_automatic(subnet) and not router and address != values.eui64(subnet.cidr, document["mac_address"]):
        raise Invalid("fixed_ips", f"{address} cannot be chosen: hosts of subnet {subnet.id} make their addresses "
                                   "from their MAC; leave ip_address out")
    return Record(subnet_id=subnet.id, ip_address=address)


def _fits(subnet: Any, address: str, document: Mapping[str, Any]) -> bool:
    block = values.prefix(subnet.cidr)
    if address not in block:
        return False
    first, last = span(block)
    number = values.ip_number(address)
    # The first address of an IPv6 subnet is that of its routers (RFC 4291 section 2.6.1).
    anycast = block.version == 6 and number == block.first and document["device_owner"].startswith(ROUTER)
    return first <= number <= last or anycast


def _check_free(write: Any, document: Mapping[str, Any], found: list[Record], before: Any) -> None:
    for fixed in found:
        for port in write.find("port", INDEX, (document["network_id"], fixed.ip_address)):
            if before is None or port.id != before.id:
                raise Conflict("IpAddressInUse", f"Unable to complete operation for network {document['network_id']}. "
                                                 f"The IP address {fixed.ip_address} is in use by port {port.id}.")


def release(write: Any, gone: Iterable[Record]) -> None:
    """These addresses are free once the write is done, and are given again last."""
    for fixed in gone:
        subnet = write.get("subnet", fixed.subnet_id)
        if subnet is not None:
            write.give_back(spans_of(write, subnet), values.ip_number(fixed.ip_address))


def add_automatic(write: Any, subnet: Any) -> None:
    """A new subnet whose hosts make their own addresses: every port of the network that it is for gets one."""
    if is_automatic(subnet):
        for port in write.find("port", "network_id", subnet.network_id):
            if not port.device_owner.startswith(_SETTLED) and choosable(write, port, subnet):
                fixed = Record(subnet_id=subnet.id, ip_address=values.eui64(subnet.cidr, port.mac_address))
                _revised(write, port, (*port.fixed_ips, fixed))


def remove_automatic(write: Any, subnet: Any) -> None:
    """Such a subnet goes: its addresses go from the ports that are not routers'."""
    for port in write.find("port", "fixed_ips.subnet_id", subnet.id):
        if not port.device_owner.startswith(_SETTLED):
            _revised(write, port, tuple(fixed for fixed in port.fixed_ips if fixed.subnet_id != subnet.id))


def _revised(write: Any, port: Any, fixed_ips: tuple[Record, ...]) -> None:
    write.draft.put("port", port._replace(fixed_ips=fixed_ips, revision_number=port.revision_number + 1,
                                          updated_at=write.now))
