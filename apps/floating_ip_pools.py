"""Floating IP pools: the IPv4 subnets of external networks, as far as their asker sees these."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def pool(model: Any, subnet: Any, asked: Mapping[str, frozenset]) -> dict[str, Any] | None:
    """A subnet as a pool; None if no floating IPs are from it."""
    network = model.get("network", subnet.network_id)
    if network is None or not network.router_external or subnet.ip_version != 4:
        return None
    return {"subnet_id": subnet.id, "subnet_name": subnet.name, "network_id": network.id, "cidr": subnet.cidr,
            "project_id": subnet.project_id}
