"""Availability zones and service providers over REST and by the `openstack` command."""
from __future__ import annotations

from typing import Any

from tests.kit.openstack import Openstack
from tests.kit.served import Client, Served


def learn(api: Served, *facts: tuple[str, dict[str, Any]]) -> None:
    api.desk.call(api.writer.learn, facts)


def test_zones_are_what_hosts_say_and_decide_where_a_router_leads_outside(api: Served, client: Client) -> None:
    for number, zone in ((1, "east"), (2, "west")):
        learn(api, ("host", {"id": f"h{number}", "hostname": f"h{number}", "availability_zone": zone}),
              ("switch", {"id": f"{number:016x}", "host_id": f"h{number}", "bridge": "br-int"}))
    learn(api, ("uplink", {"id": "h1/physnet1", "host_id": "h1", "switch_id": f"{1:016x}", "physical_network": "physnet1",
                           "ofport": 9}))
    found = client.get("/v2.0/availability_zones")["availability_zones"]
    assert [(one["name"], one["resource"], one["state"]) for one in found] == [
        ("east", "network", "available"), ("west", "network", "available"), ("east", "router", "available")]
    assert [one["name"] for one in client.get("/v2.0/availability_zones?resource=router")["availability_zones"]] == ["east"]
    router = client.create("router", availability_zone_hints=["east"])
    assert router["availability_zone_hints"] == ["east"] and router["availability_zones"] == []
    refused = client.ask("POST", "/v2.0/routers", {"router": {"availability_zone_hints": ["nowhere"]}})
    assert (refused.status, refused.error["type"]) == (404, "AvailabilityZoneNotFound")
    assert client.ask("PUT", f"/v2.0/routers/{router['id']}", {"router": {"availability_zone_hints": []}}).status == 400
    assert client.ask("POST", "/v2.0/networks", {"network": {"availability_zone_hints": ["east"]}}).status == 501
    zones = {one["host"]: one["availability_zone"] for one in client.get("/v2.0/agents")["agents"] if one["binary"] == "ovs-vswitchd"}
    assert zones == {"h1": "east", "h2": "west"}


def test_the_command_lists_zones_and_makes_a_router_in_one(api: Served) -> None:
    command = Openstack.by_token(api.url)
    assert {"east", "west"} <= {one["Zone Name"] for one in command("availability zone list --network")}
    made = command("router create zoned --availability-zone-hint east")
    assert made["availability_zone_hints"] == ["east"]


def test_service_providers_are_listed(api: Served, client: Client) -> None:
    found = client.get("/v2.0/service-providers")["service_providers"]
    assert {one["name"]: one["default"] for one in found if one["service_type"] == "L3_ROUTER_NAT"} == {
        "dvrha": True, "dvr": False, "ha": False, "single_node": False}
    assert "L3_ROUTER_NAT" in [one["Service Type"] for one in Openstack.by_token(api.url)("network service provider list")]
    assert client.ask("POST", "/v2.0/service-providers", {"service_provider": {}}).status == 405
