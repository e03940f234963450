"""Auto-allocated topologies over REST, by openstacksdk and by the `openstack` command."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.kit.openstack import Openstack, connection
from tests.kit.served import TOKENS, Client, Served, served, together

PATH = "/v2.0/auto-allocated-topology"


@pytest.fixture
def api() -> Iterator[Served]:
    with served(tokens=True) as running:
        yield running


@pytest.fixture
def admin(api: Served) -> Client:
    return api.client("admin")


@pytest.fixture
def ann(api: Served) -> Client:
    return api.client("ann")


@pytest.fixture
def outside(admin: Client) -> dict[str, Any]:
    """What an administrator sets aside."""
    network = admin.create("network", name="world", router__external=True, is_default=True, provider__network_type="flat",
                           provider__physical_network="physnet1")
    admin.create("subnet", network_id=network["id"], ip_version=4, cidr="203.0.113.0/24")
    for prefix, length in (("10.0.0.0/8", 24), ("fd00::/32", 64)):
        admin.create("subnetpool", name=f"of {prefix}", prefixes=[prefix], default_prefixlen=length, shared=True, is_default=True)
    return dict(network)


def test_a_project_gets_a_network_that_leads_outside_in_one_word(ann: Client, admin: Client, outside: dict[str, Any]) -> None:
    assert ann.get(f"{PATH}/one?fields=dry-run")["auto_allocated_topology"]["id"] == "dry-run=pass"
    assert ann.get("/v2.0/routers")["routers"] == []
    made = ann.get(f"{PATH}/one")["auto_allocated_topology"]
    assert made["tenant_id"] == "one" and ann.get(f"{PATH}/one")["auto_allocated_topology"] == made
    subnets = ann.get(f"/v2.0/subnets?network_id={made['id']}")["subnets"]
    assert sorted(one["ip_version"] for one in subnets) == [4, 6] and {one["project_id"] for one in subnets} == {"one"}
    (router,) = ann.get("/v2.0/routers")["routers"]
    assert router["external_gateway_info"]["network_id"] == outside["id"]
    held = {fixed["subnet_id"] for port in ann.get(f"/v2.0/ports?device_id={router['id']}")["ports"] for fixed in port["fixed_ips"]}
    assert held >= {one["id"] for one in subnets}
    port = ann.create("port", network_id=made["id"])
    kept = ann.ask("DELETE", f"{PATH}/one")
    assert (kept.status, kept.error["type"]) == (409, "NetworkInUse") and len(ann.get("/v2.0/routers")["routers"]) == 1
    ann.ask("DELETE", f"/v2.0/ports/{port['id']}")
    assert ann.ask("DELETE", f"{PATH}/one").status == 204 and ann.get("/v2.0/networks?project_id=one")["networks"] == []
    gone = ann.ask("DELETE", f"{PATH}/one")
    assert (gone.status, gone.error["type"]) == (404, "AutoAllocatedTopologyNotFound")


def test_what_is_not_set_aside_is_named_and_nothing_is_left_behind(ann: Client, admin: Client) -> None:
    for asked in (f"{PATH}/one", f"{PATH}/one?fields=dry-run"):
        refused = ann.ask("GET", asked)
        assert (refused.status, refused.error["type"]) == (409, "AutoAllocationFailure")
        assert refused.error["message"] == "Deployment error: No default pools available."
    admin.create("subnetpool", name="four", prefixes=["10.0.0.0/8"], default_prefixlen=24, shared=True, is_default=True)
    assert "No default router:external network" in ann.ask("GET", f"{PATH}/one").error["message"]
    world = admin.create("network", router__external=True, is_default=True, provider__network_type="flat",
                         provider__physical_network="physnet1")
    admin.create("subnet", network_id=world["id"], ip_version=4, cidr="203.0.113.0/24")
    admin.ask("PUT", "/v2.0/quotas/one", {"quota": {"router": 0}})
    refused = ann.ask("GET", f"{PATH}/one")
    assert (refused.status, refused.error["type"]) == (409, "OverQuota")
    assert ann.get("/v2.0/networks?project_id=one")["networks"] == ann.get("/v2.0/subnets?project_id=one")["subnets"] == []


def test_one_external_network_is_the_default(admin: Client, outside: dict[str, Any]) -> None:
    second = {"router:external": True, "is_default": True, "provider:network_type": "flat", "provider:physical_network": "physnet2"}
    refused = admin.ask("POST", "/v2.0/networks", {"network": second})
    assert (refused.status, refused.error["type"]) == (409, "DefaultExternalNetworkExists")
    refused = admin.ask("POST", "/v2.0/networks", {"network": {"is_default": True}})
    assert refused.status == 400 and "is_default" in refused.error["message"]
    assert [one["id"] for one in admin.get("/v2.0/networks?is_default=true")["networks"]] == [outside["id"]]


def test_each_project_has_its_own_and_only_members_make_one(api: Served, ann: Client, outside: dict[str, Any]) -> None:
    assert api.client("bob").ask("GET", f"{PATH}/one").status == 404
    assert api.client("rob").ask("GET", f"{PATH}/one").status == 403
    assert ann.ask("GET", PATH).status == ann.ask("GET", f"{PATH}/one/two").status == 404
    assert ann.ask("POST", f"{PATH}/one").status == ann.ask("PUT", f"{PATH}/one").status == 405
    assert ann.ask("GET", f"{PATH}/one?nonsense=1").status == 400
    made = ann.get(f"{PATH}/one")["auto_allocated_topology"]
    assert api.client("admin").get(f"{PATH}/two")["auto_allocated_topology"]["id"] != made["id"]
    clients = [api.client("eve") for _ in range(4)]
    asked = together(4, lambda number: (clients[number].get(f"{PATH}/three")["auto_allocated_topology"]["id"] for _ in range(3)))
    assert len(set(asked)) == 1


def test_openstacksdk_and_the_command_make_show_and_remove_one(api: Served, outside: dict[str, Any]) -> None:
    with closing(connection(api.url, TOKENS["admin"])) as cloud:
        assert cloud.network.validate_auto_allocated_topology("two").id == "dry-run=pass"
        made = cloud.network.get_auto_allocated_topology("two")
        assert cloud.network.get_network(made.id).project_id == "two"
        cloud.network.delete_auto_allocated_topology("two", ignore_missing=False)
    command = Openstack.by_token(api.url, TOKENS["admin"])
    made = command("network auto allocated topology create --project two")
    assert command(f"network show {made['id']}")["name"] == "auto_allocated_network"
    command("network auto allocated topology delete --project two")
    assert "auto_allocated_network" not in [one["Name"] for one in command("network list")]
