"""NDP proxies over REST and by the `openstack` command."""
from __future__ import annotations

from tests.kit.openstack import Openstack
from tests.kit.served import Client, Served


def test_a_router_answers_for_addresses_behind_it(api: Served, client: Client) -> None:
    world = client.create("network", name="world", router__external=True, provider__network_type="flat",
                          provider__physical_network="physnet1")
    client.create("subnet", network_id=world["id"], ip_version=6, cidr="2001:db8:f00d::/64")
    inside = client.create("network", name="inside")
    subnet = client.create("subnet", network_id=inside["id"], ip_version=6, cidr="2001:db8:1::/64")
    router = client.create("router", name="leading", external_gateway_info={"network_id": world["id"]})
    assert router["enable_ndp_proxy"] is False
    client.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    port = client.create("port", network_id=inside["id"], name="served")
    refused = client.ask("POST", "/v2.0/ndp_proxies", {"ndp_proxy": {"router_id": router["id"], "port_id": port["id"]}})
    assert (refused.status, refused.error["type"]) == (409, "RouterNDPProxyNotEnable")
    command = Openstack.by_token(api.url)
    command("router set --enable-ndp-proxy leading")
    made = command("router ndp proxy create --name for-one --port served leading")
    assert (made["ip_address"], made["router_id"]) == (port["fixed_ips"][0]["ip_address"], router["id"])
    assert [one["Name"] for one in command("router ndp proxy list --router leading")] == ["for-one"]
    command("router ndp proxy set --name renamed for-one")
    assert command("router ndp proxy show renamed")["id"] == made["id"]
    assert client.get(f"/v2.0/ndp_proxies/{made['id']}")["ndp_proxy"]["name"] == "renamed"
    kept = client.ask("PUT", f"/v2.0/routers/{router['id']}", {"router": {"external_gateway_info": None}})
    assert (kept.status, kept.error["type"]) == (409, "RouterGatewayInUseByNDPProxy")
    command("router ndp proxy delete renamed")
    assert client.get("/v2.0/ndp_proxies")["ndp_proxies"] == []
