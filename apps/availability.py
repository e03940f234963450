"""How many addresses networks have, and how many of them are used."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from controller import values


def count(model: Any, network: Any, asked: Mapping[str, frozenset]) -> dict[str, Any] | None:
    """What is counted of one network; None if it has no subnet of the version that is asked for."""
    subnets = model.find("subnet", "network_id", network.id)
    versions = asked.get("ip_version")
    if versions is not None:
        subnets = [subnet for subnet in subnets if subnet.ip_version in versions]
        if not subnets:
            return None
    used = Counter(fixed.subnet_id for subnet in subnets
                   for port in model.find("port", "fixed_ips.subnet_id", subnet.id)
                   for fixed in port.fixed_ips if fixed.subnet_id == subnet.id)
    found = [{"subnet_id": subnet.id, "subnet_name": subnet.name, "cidr": subnet.cidr, "ip_version": subnet.ip_version,
              "total_ips": _total(subnet), "used_ips": used[subnet.id]} for subnet in subnets]
    return {"network_id": network.id, "network_name": network.name, "project_id": network.project_id,
            "total_ips": sum(one["total_ips"] for one in found), "used_ips": sum(one["used_ips"] for one in found),
            "subnet_ip_availability": found, "ip_version": tuple({subnet.ip_version for subnet in subnets})}


def _total(subnet: Any) -> int:
    if subnet.allocation_pools:
        return sum(values.ip_number(pool.end) - values.ip_number(pool.start) + 1 for pool in subnet.allocation_pools)
    block = values.prefix(subnet.cidr)
    return block.last - block.first + 1
