"""Service providers: one of each service that Neutron has a word for and Hadron serves."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SERVICES = ("L3_ROUTER_NAT", "QOS")


def providers(model: Any) -> Iterator[dict[str, Any]]:
    """Hadron, for each."""
    for service in SERVICES:
        yield {"service_type": service, "name": "hadron", "default": True}
