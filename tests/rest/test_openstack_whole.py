"""All that the `openstack` command and openstacksdk can do with layer 3, trunks and segments is tried by some test here."""
from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from openstack.network.v2._proxy import Proxy

from rest.unserved import UNSERVED

KINDS = ("router", "floating_ip", "subnet", "subnet_pool", "address_scope", "network_trunk", "network_subport", "network_segment",
         "ip_availability")
# Words of commands, and names of the library's functions, that are about extensions which are not served.
OF_EXTENSIONS = {"ndp_proxy": "l3-ndp-proxy", "gateways": "external-gateway-multihoming", "add gateway": "external-gateway-multihoming",
                 "remove gateway": "external-gateway-multihoming"}
VERBS = {"router": "routers", "ip": "ips", "floating_ip_port_forwarding": "floating_ip_port_forwardings",
         "subnet_pool": "subnet_pools", "address_scope": "address_scopes", "trunk": "trunks", "segment": "segments"}
BESIDE = ("add_interface_to_router", "remove_interface_from_router", "add_extra_routes_to_router", "remove_extra_routes_from_router",
          "add_external_gateways", "update_external_gateways", "remove_external_gateways", "add_trunk_subports",
          "delete_trunk_subports", "get_trunk_subports")


def tried() -> str:
    return "\n".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py") if file != Path(__file__))


def served(name: str) -> bool:
    return not any(part in name and alias in UNSERVED for part, alias in OF_EXTENSIONS.items())


def commands() -> Iterator[str]:
    for one in entry_points(group="openstack.network.v2"):
        if one.name.startswith(tuple(f"{kind}_" for kind in KINDS)):
            yield one.name.replace("_", " ").replace("ndp proxy", "ndp_proxy")


def test_every_command_is_tried() -> None:
    found, text = sorted(filter(served, commands())), tried()
    assert len(found) > 50
    assert [line for line in found if line.replace("_", " ") not in text] == []


def functions() -> Iterator[str]:
    for kind, plural in VERBS.items():
        yield from (f"{verb}_{kind}" for verb in ("create", "get", "find", "update", "delete"))
        yield plural
    yield from BESIDE


def test_every_function_of_the_library_is_tried() -> None:
    found, text = sorted(filter(served, functions())), tried()
    assert all(hasattr(Proxy, name) for name in found)
    assert [name for name in found if not re.search(rf"\b{name}\b", text)] == []
