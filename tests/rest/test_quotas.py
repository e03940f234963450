"""Quotas over HTTP: shown, set, kept and reset."""
import pytest


def put(client, path, **limits):
    answer = client.ask("PUT", path, {"quota": limits})
    assert answer.status == 200, answer
    return answer.body["quota"]


def test_quotas_are_shown_set_kept_and_reset(client):
    path = "/v2.0/quotas/tiny"
    defaults = client.get(f"{path}/default")["quota"]
    assert defaults == client.get(path)["quota"]
    assert defaults.items() >= {"network": 100, "subnet": 100, "port": 500, "security_group": 10,
                                "security_group_rule": 100, "router": 10, "subnetpool": -1, "route": 50}.items()
    assert put(client, path, network=1) == {**defaults, "network": 1}
    assert "tiny" in [one["project_id"] for one in client.get("/v2.0/quotas")["quotas"]]
    client.create("network", project_id="tiny")
    refused = client.ask("POST", "/v2.0/networks", {"network": {"project_id": "tiny"}})
    assert (refused.status, refused.error["type"]) == (409, "OverQuota")
    assert put(client, path, network=-1, port=7) == {**defaults, "network": -1, "port": 7}
    client.create("network", project_id="tiny")
    assert client.ask("DELETE", path).status == 204
    assert client.get(path)["quota"] == defaults
    gone = client.ask("DELETE", path)
    assert (gone.status, gone.error["type"]) == (404, "TenantQuotaNotFound")
    assert client.get("/v2.0/quotas/tenant")["tenant"]["tenant_id"] == "ops"


@pytest.mark.parametrize("limits", [{"network": -2}, {"network": "many"}, {"nonsense": 1}, {"network": 1 << 40},
                                    {"network": True}, {"project_id": "other"}])
def test_a_wrong_quota_is_refused_naming_it(client, limits):
    refused = client.ask("PUT", "/v2.0/quotas/wrong", {"quota": limits})
    assert refused.status == 400 and next(iter(limits)) in refused.error["message"]
    assert not {"wrong", "other"} & {one["project_id"] for one in client.get("/v2.0/quotas")["quotas"]}


def test_quota_details_count_what_is_used(client):
    for _ in range(3):
        client.create("network", project_id="counting")
    details = client.get("/v2.0/quotas/counting/details.json")["quota"]
    assert details["network"] == {"limit": 100, "used": 3, "reserved": 0}
    assert details["port"] == {"limit": 500, "used": 0, "reserved": 0}


def test_a_limit_may_be_held_against_what_is_used(client):
    client.create("network", project_id="checked")
    path = "/v2.0/quotas/checked"
    refused = client.ask("PUT", path, {"quota": {"network": 0, "check_limit": True}})
    assert refused.status == 400 and "already used 1" in refused.error["message"]
    assert client.get(path)["quota"]["network"] == 100
    assert put(client, path, network=1, subnet=0, port=-1, check_limit=True)["network"] == 1
    assert put(client, path, network=0, check_limit=True, force=True)["network"] == 0
    assert put(client, path, network=0, check_limit=False)["network"] == 0
    assert "check_limit" in client.ask("PUT", path, {"quota": {"check_limit": "yes"}}).error["message"]


def test_a_limit_is_held_against_what_is_used_unless_it_is_forced(client):
    client.create("network", project_id="unforced")
    path = "/v2.0/quotas/unforced"
    refused = client.ask("PUT", path, {"quota": {"network": 0, "port": 7}})
    assert refused.status == 400 and "already used 1" in refused.error["message"]
    assert client.get(path)["quota"]["port"] == 500
    assert put(client, path, network=0, force=True)["network"] == 0
    assert put(client, path, network=-1)["network"] == -1


def test_flow_entries_are_a_quota_too_and_are_held_against_before_anything_is_written(client):
    network = client.create("network", project_id="flowing")
    details = client.get("/v2.0/quotas/flowing/details")["quota"]["flow"]
    assert details["limit"] == -1 and details["used"] > 0 == details["reserved"]
    put(client, "/v2.0/quotas/flowing", flow=details["used"] + 30)
    body = {"port": {"network_id": network["id"], "project_id": "flowing"}}
    made = client.ask("POST", "/v2.0/ports", body)
    refused = client.ask("POST", "/v2.0/ports", body)
    assert (made.status, refused.status, refused.error["type"]) == (201, 409, "OverQuota") and "flow" in refused.error["message"]
    assert client.get("/v2.0/quotas/flowing/details")["quota"]["flow"]["used"] <= details["used"] + 30
    assert len(client.get("/v2.0/ports?project_id=flowing")["ports"]) == 1
