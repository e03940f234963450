"""How many addresses networks have, and how many of them are used."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller import values

_DETAILS = ("total_ips_in_subnet", "total_ips_in_allocation_pool", "used_ips_in_subnet", "used_ips_in_allocation_pool")


def count(model: Any, network: Any, asked: Mapping[str, frozenset]) -> dict[str, Any] | None:
    """What is counted of one network; None if it has no subnet of the version that is asked for."""
    subnets = model.find("subnet", "network_id", network.id)
    versions = asked.get("ip_version")
    if versions is not None:
        subnets = [subnet for subnet in subnets if subnet.ip_version in versions]
        if not subnets:
            return None
    found = [_count_subnet(model, subnet) for subnet in subnets]
    return {"network_id": network.id, "network_name": network.name, "project_id": network.project_id,
            "total_ips": sum(one["total_ips"] for one in found), "used_ips": sum(one["used_ips"] for one in found),
            "ip_availability_details": {name: sum(one["ip_availability_details"][name] for one in found) for name in _DETAILS},
            "subnet_ip_availability": found, "ip_version": tuple({subnet.ip_version for subnet in subnets})}


def _count_subnet(model: Any, subnet: Any) -> dict[str, Any]:
    used = [values.ip_number(fixed.ip_address) for port in model.find("port", "fixed_ips.subnet_id", subnet.id)
            for fixed in port.fixed_ips if fixed.subnet_id == subnet.id]
    block, pools = values.prefix(subnet.cidr), [
        (values.ip_number(pool.start), values.ip_number(pool.end)) for pool in subnet.allocation_pools]
    size, pooled = block.last - block.first + 1, sum(last - first + 1 for first, last in pools)
    own = 2 if subnet.ip_version == 4 and size > 2 else 0            # the network's own and its broadcast address
    of_pools = sum(first <= one <= last for one in used for first, last in pools)
    return {"subnet_id": subnet.id, "subnet_name": subnet.name, "cidr": subnet.cidr, "ip_version": subnet.ip_version,
            "total_ips": pooled or size, "used_ips": len(used),
            "ip_availability_details": dict(zip(_DETAILS, (size - own, pooled, len(used), of_pools), strict=True))}
