"""Service providers: one of each service that Neutron has a word for and Hadron serves."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SERVICES = {"L3_ROUTER_NAT": "ha", "QOS": "hadron"}
"""By what names clients know who provides it: routers here are what Neutron calls ha, for another host takes over."""


def providers(model: Any) -> Iterator[dict[str, Any]]:
    """Hadron, for each."""
    for service, name in SERVICES.items():
        yield {"service_type": service, "name": name, "default": True}
