"""Subnet pools: which blocks one may have, and how long the prefixes are that are cut from it; address scopes.

An address scope keeps addresses apart: no two of its pools have one in common. That is all it does yet: between two
subnets of a router nothing is ever translated, and outside a router with enable_snat always translates, while Neutron
would not within one scope.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.prefixes import DELEGATED, taken
from controller import sharing, values
from controller.errors import Conflict, Invalid
from controller.rows import as_dict
from controller.types import TYPES, Type

_SHORTEST, _LONGEST = {4: 8, 6: 64}, {4: 32, 6: 128}
_BOUNDS = ("min_prefixlen", "max_prefixlen", "default_prefixlen")
Ranges = list[tuple[int, int]]


def _pool(value: Any) -> str:
    return DELEGATED if value == DELEGATED else TYPES["uuid"].read(value)


POOL = Type("pool", _pool, {"type": "string"}, TYPES["uuid"].good, TYPES["uuid"].bad)


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    if not document["name"]:
        raise Invalid("name", "is required")
    document["ip_version"] = _version(document["prefixes"])
    document["min_prefixlen"] = asked.get("min_prefixlen", _SHORTEST[document["ip_version"]])
    document["max_prefixlen"] = asked.get("max_prefixlen", _LONGEST[document["ip_version"]])
    document["default_prefixlen"] = asked.get("default_prefixlen", document["min_prefixlen"])
    _settle(write, document)


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if not document["name"]:
        raise Invalid("name", "must not be empty")
    if _version(document["prefixes"]) != before.ip_version:
        raise _mixed()
    if values.without(_ranges(before.prefixes), _ranges(document["prefixes"])):
        raise _no_change("Existing prefixes must be a subset of the new prefixes")
    scope = write.get("address_scope", before.address_scope_id) if before.address_scope_id else None
    if scope is not None and not write.fits("rule:admin_or_owner", "address_scope", as_dict(scope)):
        raise Invalid("", f"Illegal subnetpool update : subnetpool {before.id} cannot be updated when associated with "
                          f"shared address scope {scope.id}.", type="IllegalSubnetPoolUpdate")
    _settle(write, document)


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if write.count("subnet", "subnetpool_id", before.id):
        raise Invalid("", "Unable to delete subnet pool: Subnet pool has existing allocations.",
                      type="SubnetPoolDeleteError")


def _settle(write: Any, document: dict[str, Any]) -> None:
    document["prefixes"] = _texts(document["ip_version"], _ranges(document["prefixes"]))
    _check_bounds(document)
    if document["is_default"]:
        for other in write.find("subnetpool", "is_default", True):
            if other.ip_version == document["ip_version"] and other.id != document["id"]:
                raise Invalid("is_default", "A default subnetpool for this IP family has already been set. Only one "
                                            "default may exist per IP family")
    if document["address_scope_id"] is not None:
        _check_scope(write, document)


def _version(prefixes: Iterable[str]) -> int:
    """The IP version of a pool's prefixes."""
    versions = {values.ip_version(one) for one in prefixes}
    if not versions:
        raise Invalid("prefixes", "Empty subnet pool prefix list.", type="EmptySubnetPoolPrefixList")
    if len(versions) > 1:
        raise _mixed()
    return versions.pop()


def _mixed() -> Invalid:
    return Invalid("prefixes", "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", type="PrefixVersionMismatch")


def _check_bounds(document: Mapping[str, Any]) -> None:
    least, most, default = (document[name] for name in _BOUNDS)
    longest = _LONGEST[document["ip_version"]]
    for name, value, other, bound, wrong in (
            ("min_prefixlen", least, "max_prefixlen", most, least > most),
            ("max_prefixlen", most, "ip_version_max", longest, most > longest),
            ("default_prefixlen", default, "min_prefixlen", least, default < least),
            ("default_prefixlen", default, "max_prefixlen", most, default > most)):
        if wrong:
            raise Invalid("", f"Illegal prefix bounds: {name}={value}, {other}={bound}.",
                          type="IllegalSubnetPoolPrefixBounds")


# ---- its blocks

def add_prefixes(write: Any, pool: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`add_prefixes`: what Neutron answers."""
    after = write.update("subnetpool", pool, {"prefixes": (*pool.prefixes, *asked["prefixes"])})
    return {"prefixes": after.prefixes}


def remove_prefixes(write: Any, pool: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`remove_prefixes`: what Neutron answers."""
    if any(values.ip_version(one) != pool.ip_version for one in asked["prefixes"]):
        raise _mixed()
    before, gone = _ranges(pool.prefixes), _ranges(asked["prefixes"])
    if values.without(gone, before):
        raise _no_change("prefixes to remove must be a subset of those of the pool")
    if values.without(gone, taken(write, pool.id)) != gone:
        raise _no_change("prefixes to remove must not be in use by a subnet")
    left = _texts(pool.ip_version, values.without(before, gone))
    _version(left)
    write.draft.put("subnetpool", pool._replace(prefixes=left))
    write.revise("subnetpool", pool.id)
    return {"prefixes": left}


def onboard(write: Any, pool: Any, asked: Mapping[str, Any]) -> list[dict[str, str]]:
    """`onboard_network_subnets`: the network's subnets are the pool's from now on, as if they had been cut from it."""
    found = [subnet for subnet in write.find("subnet", "network_id", asked["network_id"])
             if subnet.ip_version == pool.ip_version and subnet.subnetpool_id != pool.id]
    if not found:
        raise _no_onboarding(pool, f"network {asked['network_id']} has no subnets of IPv{pool.ip_version} that are not "
                                   "in it")
    for subnet in found:
        block = values.prefix(subnet.cidr)
        whole = [(block.first, block.last)]
        if subnet.subnetpool_id is not None or not write.fits("rule:admin_or_owner", "subnet", as_dict(subnet)):
            raise _no_onboarding(pool, f"subnet {subnet.id} is another pool's or another project's")
        if values.without(whole, taken(write, pool.id)) != whole:
            raise _no_onboarding(pool, f"subnet {subnet.id} overlaps with one that is in it")
        write.draft.put("subnet", subnet._replace(subnetpool_id=pool.id))
        write.revise("subnet", subnet.id)
    add_prefixes(write, pool, {"prefixes": tuple(subnet.cidr for subnet in found)})
    return [{"id": subnet.id, "cidr": subnet.cidr} for subnet in found]


def _no_onboarding(pool: Any, why: str) -> Invalid:
    return Invalid("", f"Illegal subnetpool update : {pool.id}: {why}.", type="IllegalSubnetPoolUpdate")


def _no_change(why: str) -> Invalid:
    return Invalid("prefixes", f"Illegal update to prefixes: {why}.", type="IllegalSubnetPoolPrefixUpdate")


def _ranges(prefixes: Iterable[str]) -> Ranges:
    return values.joined(map(values.prefix, prefixes))


def _texts(version: int, ranges: Ranges) -> tuple[str, ...]:
    return tuple(block.text for block in values.blocks(version, ranges))


# ---- address scopes

def _check_scope(write: Any, document: Mapping[str, Any]) -> None:
    scope = write.need("address_scope", document["address_scope_id"])
    if scope.ip_version != document["ip_version"]:
        raise Invalid("", f"Illegal subnetpool association: subnetpool {document['id']} cannot associate with address "
                          f"scope {scope.id} because subnetpool ip_version is not {scope.ip_version}.",
                      type="IllegalSubnetPoolIpVersionAssociationToAddressScope")
    mine = _ranges(document["prefixes"])
    for other in write.find("subnetpool", "address_scope_id", scope.id):
        if other.id != document["id"] and values.without(mine, _ranges(other.prefixes)) != mine:
            raise Conflict("AddressScopePrefixConflict", "Failed to associate address scope: subnetpools within an "
                                                         "address scope must have unique prefixes.")


def update_scope(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if asked.get("shared") is False and sharing.is_shared(write, "access_as_shared", before.id, None):
        raise Invalid("shared", f"Unable to update address scope {before.id} : Shared address scope can't be unshared",
                      type="AddressScopeUpdateError")


def scope_of_ipv4(model: Any, network: Any) -> str | None:
    """The address scope that a network's IPv4 subnets are in."""
    return _scope_of(model, network, 4)


def scope_of_ipv6(model: Any, network: Any) -> str | None:
    """The address scope that a network's IPv6 subnets are in."""
    return _scope_of(model, network, 6)


def _scope_of(model: Any, network: Any, version: int) -> str | None:
    for subnet in model.find("subnet", "network_id", network.id):
        if subnet.ip_version == version and subnet.subnetpool_id is not None:
            pool = model.get("subnetpool", subnet.subnetpool_id)
            if pool is not None and pool.address_scope_id is not None:
                return pool.address_scope_id
    return None
