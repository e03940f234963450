"""Service providers: those of each service that Neutron has a word for and Hadron serves.

Of routers there are four kinds, which are what `distributed` and `ha` make of one. All are Hadron's; clients know them by the
names that Neutron has for them, and flavors choose among them.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ROUTERS = "L3_ROUTER_NAT"
KINDS: dict[str, dict[str, bool]] = {
    "dvrha": {"distributed": True, "ha": True}, "dvr": {"distributed": True, "ha": False},
    "ha": {"distributed": False, "ha": True}, "single_node": {"distributed": False, "ha": False}}
USUAL = "dvrha"                                   # what a router is if nobody says otherwise
_CLASSES = {"dvrha": "DvrHaDriver", "dvr": "DvrDriver", "ha": "HaDriver", "single_node": "SingleNodeDriver"}
DRIVERS = {f"neutron.services.l3_router.service_providers.{name}.{one}": name for name, one in _CLASSES.items()} | {
    name: name for name in KINDS}
"""Whose routers a driver makes: by Neutron's name of it, or the provider's."""


def providers(model: Any) -> Iterator[dict[str, Any]]:
    for name in KINDS:
        yield {"id": f"{ROUTERS}/{name}", "service_type": ROUTERS, "name": name, "default": name == USUAL}
    yield {"id": "QOS/hadron", "service_type": "QOS", "name": "hadron", "default": True}


def kind_of(distributed: bool, ha: bool) -> str:
    """The provider of routers that are so."""
    return next(name for name, said in KINDS.items() if said == {"distributed": distributed, "ha": ha})
