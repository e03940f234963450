"""Networks: what the server decides about one."""
from __future__ import annotations

from typing import Any


def status(model: Any, network: Any) -> str:
    """A network is there as soon as it is written: no part of it can be down on its own."""
    return "ACTIVE"


def subnet_ids(model: Any, network: Any) -> list[str]:
    return [subnet.id for subnet in model.find("subnet", "network_id", network.id)]
