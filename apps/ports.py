"""Ports: what the server decides about one."""
from __future__ import annotations

from typing import Any

from controller import values
from controller.types import Type, parsed


def _address(text: str) -> str:
    return values.cidr(text) if "/" in text else values.ip(text)


ADDRESS = Type("address", parsed(_address, "an address or a block of addresses"), {"type": "string"},
               ("10.0.0.7", "10.0.0.0/24", "2001:db8::/64"), ("10.0.0", "10.0.0.0/33", "", 1, []))


def vif_type(model: Any, port: Any) -> str:
    return "ovs" if port.binding_host_id else "unbound"


def vif_details(model: Any, port: Any) -> dict:
    """How the compute manager plugs the interface: straight into the integration bridge."""
    if not port.binding_host_id:
        return {}
    return {"port_filter": True, "ovs_hybrid_plug": False, "connectivity": "l2", "bridge_name": "br-int"}
