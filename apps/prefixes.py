"""Cutting a subnet's block of addresses from a subnet pool."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller import values
from controller.errors import Conflict, Invalid, Missing, Unsupported

DELEGATED = "prefix_delegation"                # Neutron's word for a prefix that a router asks its provider for
QUOTA_UNIT = {4: 32, 6: 64}                    # default_quota counts prefixes of this length


def draw(write: Any, document: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """Give a new subnet that names a pool its block, or hold the block that it asks for against the pool."""
    if document["subnetpool_id"] == DELEGATED:
        raise Unsupported("subnetpool_id", "prefix delegation is not served; give a cidr or a pool")
    if asked.get("use_default_subnetpool"):
        _use_default(write, document)
    if asked.get("prefixlen") is not None and document["cidr"] is not None:
        raise _bad("cidr and prefixlen must not be supplied together")
    if document["subnetpool_id"] is None:
        if asked.get("prefixlen") is not None:
            raise _bad("a subnetpool must be specified in the absence of a cidr")
        return
    pool = pool_of(write, document["subnetpool_id"])
    if document["ip_version"] != pool.ip_version:
        raise _bad(f"Cannot allocate IPv{document['ip_version']} subnet from IPv{pool.ip_version} subnet pool")
    _check_network(write, document, pool)
    if document["cidr"] is not None:
        _claim(write, document, pool)
        return
    if document["allocation_pools"] is not None:
        raise _bad("allocation_pools allowed only for specific subnet requests")
    document["cidr"] = _cut(write, document, pool, asked.get("prefixlen"))


def pool_of(write: Any, id: str) -> Any:
    """The pool, or Missing by Neutron's name if it is not for the asker to see."""
    pool = write.get("subnetpool", id) if "subnetpool" in write.resources else None
    if pool is None or not write.sees("subnetpool", pool):
        raise Missing("subnetpool", id, type="SubnetPoolNotFound", text=f"Subnet pool {id} could not be found.")
    return pool


def _use_default(write: Any, document: dict[str, Any]) -> None:
    if document["subnetpool_id"] is not None:
        raise _bad("subnetpool_id and use_default_subnetpool cannot both be specified")
    for pool in write.find("subnetpool", "is_default", True) if "subnetpool" in write.resources else ():
        if pool.ip_version == document["ip_version"] and write.sees("subnetpool", pool):
            document["subnetpool_id"] = pool.id
            return
    raise _bad(f"No default subnetpool found for IPv{document['ip_version']}")


def _check_network(write: Any, document: Mapping[str, Any], pool: Any) -> None:
    """The subnets of one network and IP version come from one pool, or from pools of one scope."""
    for subnet in write.find("subnet", "network_id", document["network_id"]):
        if subnet.ip_version != pool.ip_version or subnet.subnetpool_id == pool.id:
            continue
        other = write.get("subnetpool", subnet.subnetpool_id) if subnet.subnetpool_id else None
        if other is None or other.address_scope_id is None or other.address_scope_id != pool.address_scope_id:
            raise Invalid("", "Subnets hosted on the same network must be allocated from the same subnet pool.",
                          type="NetworkSubnetPoolAffinityError")


def taken(write: Any, pool_id: str) -> list[tuple[int, int]]:
    """The addresses of a pool that subnets have, as ranges."""
    return values.joined(values.prefix(subnet.cidr) for subnet in write.find("subnet", "subnetpool_id", pool_id))


def _free(write: Any, pool: Any) -> list[tuple[int, int]]:
    return values.without(values.joined(map(values.prefix, pool.prefixes)), taken(write, pool.id))


def _cut(write: Any, document: Mapping[str, Any], pool: Any, wanted: int | None) -> str:
    """A block of the length asked for, out of the smallest free one that has room."""
    length = pool.default_prefixlen if wanted is None else wanted
    _check_length(write, document, pool, length)
    room = [block for block in values.blocks(pool.ip_version, _free(write, pool)) if block.length <= length]
    if not room:
        raise Conflict("SubnetAllocationError", "Failed to allocate subnet: Insufficient prefix space to allocate "
                                                f"subnet size /{length}.")
    chosen = max(room, key=lambda block: (block.length, -block.first))
    return values.prefix(f"{values.ip_text(pool.ip_version, chosen.first)}/{length}").text


def _claim(write: Any, document: Mapping[str, Any], pool: Any) -> None:
    block = values.prefix(document["cidr"])
    _check_length(write, document, pool, block.length)
    if block.version != pool.ip_version or values.without([(block.first, block.last)], _free(write, pool)):
        raise Conflict("SubnetAllocationError", "Failed to allocate subnet: Cannot allocate requested subnet from the "
                                                "available set of prefixes.")


def _check_length(write: Any, document: Mapping[str, Any], pool: Any, length: int) -> None:
    for word, limit, wrong in (("minimum", pool.min_prefixlen, length < pool.min_prefixlen),
                               ("maximum", pool.max_prefixlen, length > pool.max_prefixlen)):
        if wrong:
            raise Invalid("", f"Unable to allocate subnet with prefix length {length}, {word} allowed prefix is "
                              f"{limit}.", type=f"{word[:3].capitalize()}PrefixSubnetAllocationError")
    if not pool.default_quota:
        return
    lengths = [values.prefix(subnet.cidr).length for subnet in write.find("subnet", "subnetpool_id", pool.id)
               if subnet.project_id == document["project_id"]]
    unit = QUOTA_UNIT[pool.ip_version]
    if sum(2.0 ** (unit - each) for each in (*lengths, length)) > pool.default_quota:
        raise Conflict("SubnetPoolQuotaExceeded", "Per-project subnet pool prefix quota exceeded.")


def _bad(text: str) -> Invalid:
    return Invalid("", f"Bad subnets request: {text}.", type="BadRequest")
