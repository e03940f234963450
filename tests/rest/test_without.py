"""A part of Hadron that the configuration switches off: its addresses say so with 501, and its extensions are not listed."""
from __future__ import annotations

import importlib
import pkgutil

import neutron_lib.api.definitions
import pytest

from controller.config import BadConfig, read
from controller.main import _known_parts
from controller.resource import Resources
from rest.extensions import EXTENSIONS, PARTS
from tests.kit.openstack import Openstack
from tests.kit.served import Client, Served
from tests.kit.worlds import core

SERVED = {"without": ("layer3",)}
SOME = "12345678-0000-4000-8000-000000000000"


@pytest.mark.parametrize("kind", [kind for kind, one in core().items() if one.part == "layer3"])
def test_every_request_about_layer_3_is_answered_501_and_names_the_missing_plugin(client: Client, kind: str) -> None:
    resource = core()[kind]
    path = f"/v2.0/{resource.path}" if resource.parent is None else f"/v2.0/{core()[resource.parent].path}/{SOME}/{resource.path}"
    tried = [("GET", path), ("POST", path), ("GET", f"{path}/{SOME}"), ("PUT", f"{path}/{SOME}"), ("DELETE", f"{path}/{SOME}"),
             ("OPTIONS", path), ("GET", "/v2.0/auto-allocated-topology/ops"), *(("PUT", f"{path}/{SOME}/{action}") for action in resource.actions)]
    for method, address in tried:
        answer = client.ask(method, address, {resource.name: {}} if method in ("PUT", "POST") else None)
        assert answer.status == 501, (method, address, answer)
        assert answer.error["type"] == "NotImplementedError" and "no plugin for layer3" in answer.error["message"]


def test_its_extensions_and_collections_are_not_listed_and_all_else_works(client: Client) -> None:
    listed = {one["alias"] for one in client.get("/v2.0/extensions")["extensions"]}
    assert listed == set(EXTENSIONS) - PARTS["layer3"] and "router" not in listed
    gone = client.ask("GET", "/v2.0/extensions/router")
    assert gone.status == 404 and "layer3 is switched off" in gone.error["message"]
    assert not {"routers", "floatingips"} & {one["name"] for one in client.get("/v2.0")["resources"]}
    assert not [path for path in client.get("/openapi.json")["paths"] if "router" in path or "floating" in path]
    network = client.create("network")
    client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    assert client.create("port", network_id=network["id"])["fixed_ips"]


def test_the_command_is_told_so(api: Served) -> None:
    command = Openstack.by_token(api.url)
    assert "501" in command.fails("router create none")
    assert command("network create some")["status"] == "ACTIVE"


def test_what_neutron_builds_on_routers_is_of_layer_3() -> None:
    needs = {module.ALIAS: set(module.REQUIRED_EXTENSIONS or ()) for name in pkgutil.iter_modules(
        neutron_lib.api.definitions.__path__) if not name.name.startswith("_") and name.name != "base"
        for module in [importlib.import_module(f"neutron_lib.api.definitions.{name.name}")] if getattr(module, "ALIAS", None)}
    found = {"router"}
    while more := {alias for alias, needed in needs.items() if needed & found} - found:
        found |= more
    of_other_services = {alias for alias in found if alias.startswith(("vpn", "bgpvpn", "evpn", "rbac-", "standard-attr"))}
    of_ports_too = {alias for alias in found if "dns" in alias}           # names are of ports without routers, too
    assert found - of_ports_too - of_other_services <= PARTS["layer3"]


def test_a_part_that_there_is_not_is_refused_at_the_start() -> None:
    assert read({"without": ["layer3"]}).without == ("layer3",)
    with pytest.raises(BadConfig, match="without: there is no part layer4; there are layer3"):
        _known_parts(core(), ["layer4"])
    assert _known_parts(Resources(), []) == frozenset()
