"""Flavors of routers over REST, by the `openstack` command and by openstacksdk."""
from __future__ import annotations

from contextlib import closing

from tests.kit.openstack import Openstack, connection
from tests.kit.served import TOKENS, Client, Served

SERVED = {"tokens": True}


def test_an_administrator_offers_flavors_and_a_member_makes_a_router_of_one(api: Served, admin: Client, ann: Client) -> None:
    command = Openstack.by_token(api.url, TOKENS["admin"])
    profile = command("network flavor profile create --driver single_node --description cheap")
    assert (profile["driver"], profile["meta_info"], profile["enabled"]) == ("single_node", "", True)
    made = command("network flavor create --service-type L3_ROUTER_NAT --description cheap --disable cheap")
    assert (made["service_type"], made["enabled"], made["service_profile_ids"]) == ("L3_ROUTER_NAT", False, [])
    command(f"network flavor add profile cheap {profile['id']}")
    assert command("network flavor show cheap")["service_profile_ids"] == [profile["id"]]
    refused = ann.ask("POST", "/v2.0/routers", {"router": {"flavor_id": made["id"]}})
    assert (refused.status, refused.error["type"]) == (503, "FlavorDisabled")
    command("network flavor set --enable cheap")
    router = ann.create("router", flavor_id=made["id"])
    assert router["flavor_id"] == made["id"] and "ha" not in router
    assert {name: admin.get(f"/v2.0/routers/{router['id']}")["router"][name] for name in ("ha", "distributed")} == {
        "ha": False, "distributed": False}
    assert ann.get(f"/v2.0/routers?flavor_id={made['id']}")["routers"][0]["id"] == router["id"]
    assert [one["name"] for one in ann.get("/v2.0/flavors")["flavors"]] == ["cheap"]
    for path in ("service_profiles", f"service_profiles/{profile['id']}", f"flavors/{made['id']}/service_profiles/{profile['id']}"):
        answer = ann.ask("GET", f"/v2.0/{path}")
        assert answer.status == 404 or answer.body == {"service_profiles": []}, path
    assert ann.ask("POST", "/v2.0/flavors", {"flavor": {"service_type": "L3_ROUTER_NAT"}}).status == 403
    assert ann.ask("DELETE", f"/v2.0/flavors/{made['id']}").status == 403
    assert "failed to delete" in command.fails("network flavor delete cheap")
    assert admin.ask("DELETE", f"/v2.0/flavors/{made['id']}").error["type"] == "FlavorInUse"
    assert command("router create --flavor cheap lead")["flavor_id"] == made["id"]
    assert command(f"router show {router['id']}")["flavor_id"] == made["id"]


def test_profiles_of_a_flavor_have_addresses_of_their_own(admin: Client) -> None:
    one = admin.create("service_profile", "service_profiles", metainfo='{"ha": false}')
    kind = admin.create("flavor", service_type="L3_ROUTER_NAT", name="steady")
    path = f"/v2.0/flavors/{kind['id']}/service_profiles"
    made = admin.ask("POST", path, {"service_profile": {"id": one["id"]}})
    assert made.status == 201 and made.body["service_profile"]["id"] == one["id"]
    again = admin.ask("POST", path, {"service_profile": {"id": one["id"]}})
    assert (again.status, again.error["type"]) == (409, "FlavorServiceProfileBindingExists")
    assert admin.get(path)["service_profiles"] == [admin.get(f"{path}/{one['id']}")["service_profile"]] == [made.body["service_profile"]]
    assert admin.get(f"/v2.0/flavors/{kind['id']}/next_providers")["next_providers"] == [
        {"provider": "dvr", "driver": "", "metainfo": '{"ha": false}'}]
    kept = admin.ask("DELETE", f"/v2.0/service_profiles/{one['id']}")
    assert (kept.status, kept.error["type"]) == (409, "ServiceProfileInUse")
    assert admin.ask("DELETE", f"{path}/{one['id']}").status == 204
    gone = admin.ask("DELETE", f"{path}/{one['id']}")
    assert (gone.status, gone.error["type"]) == (404, "FlavorServiceProfileBindingNotFound")
    assert admin.ask("DELETE", f"/v2.0/service_profiles/{one['id']}").status == 204
    assert admin.get(f"/v2.0/flavors/{kind['id']}/next_providers")["next_providers"] == []


def test_what_cannot_be_is_refused_in_neutrons_words(admin: Client) -> None:
    for path, body, status, error in (
            ("service_profiles", {"service_profile": {}}, 400, "ServiceProfileEmpty"),
            ("service_profiles", {"service_profile": {"driver": "hardware"}}, 404, "ServiceProfileDriverNotFound"),
            ("flavors", {"flavor": {"service_type": "VPN"}}, 400, "InvalidInput"),
            ("flavors", {"flavor": {"service_type": "FLAVORS", "service_profiles": ["deadbeef-0000-4000-8000-000000000000"]}},
             404, "ServiceProfileNotFound"),
            ("routers", {"router": {"flavor_id": "deadbeef-0000-4000-8000-000000000000"}}, 404, "FlavorNotFound")):
        answer = admin.ask("POST", f"/v2.0/{path}", body)
        assert (answer.status, answer.error["type"]) == (status, error), body


def test_openstacksdk_associates_them(api: Served) -> None:
    with closing(connection(api.url, TOKENS["admin"])) as cloud:
        one = cloud.network.create_service_profile(description="any", metainfo="whatever it is")
        kind = cloud.network.create_flavor(name="label", service_type="FLAVORS")
        cloud.network.associate_flavor_with_service_profile(kind, one.id)
        assert cloud.network.get_flavor(kind).service_profile_ids == [one.id]
        cloud.network.disassociate_flavor_from_service_profile(kind, one.id)
        assert cloud.network.get_flavor(kind).service_profile_ids == []
        cloud.network.delete_flavor(kind)
        cloud.network.delete_service_profile(one)
