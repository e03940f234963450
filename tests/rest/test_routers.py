"""Routers over HTTP, as oVirt, Horizon and scripts ask for them."""
import pytest

UNKNOWN = "deadbeef-0000-4000-8000-000000000000"
SERVED = {"tokens": True}


@pytest.fixture(scope="module")
def ann(ann, admin):
    admin.ask("PUT", "/v2.0/quotas/one", {"quota": {"router": -1, "network": -1, "subnet": -1}})
    return ann


def subnet(client, cidr="10.0.0.0/24"):
    network = client.create("network")
    return client.create("subnet", network_id=network["id"], ip_version=6 if ":" in cidr else 4, cidr=cidr)


def act(client, router, name, body, **headers):
    return client.ask("PUT", f"/v2.0/routers/{router['id']}/{name}", body, **headers)


def joined(client, *cidrs):
    """A router with a subnet for each CIDR."""
    router = client.create("router", name="router")
    for cidr in cidrs:
        assert act(client, router, "add_router_interface", {"subnet_id": subnet(client, cidr)["id"]}).status == 200
    return router


def test_a_router_joins_and_leaves_subnets(ann):
    router = ann.create("router", name="first", admin_state_up=True)
    assert (router["status"], router["external_gateway_info"], router["routes"]) == ("ACTIVE", None, [])
    path, one = f"/v2.0/routers/{router['id']}", subnet(ann)
    answer = act(ann, router, "add_router_interface", {"subnet_id": one["id"]})
    assert answer.status == 200
    assert answer.body == {"id": router["id"], "tenant_id": "one", "project_id": "one", "port_id": answer.body["port_id"],
                           "network_id": one["network_id"], "subnet_id": one["id"], "subnet_ids": [one["id"]]}
    port = ann.get(f"/v2.0/ports/{answer.body['port_id']}")["port"]
    assert (port["device_owner"], port["device_id"]) == ("network:router_interface", router["id"])
    assert port["fixed_ips"] == [{"subnet_id": one["id"], "ip_address": "10.0.0.1"}]
    refused = ann.ask("DELETE", f"/v2.0/ports/{port['id']}")
    assert (refused.status, refused.error["type"]) == (409, "ServicePortInUse")
    refused = ann.ask("DELETE", path)
    assert (refused.status, refused.error["type"]) == (409, "RouterInUse")
    assert ann.get(path)["router"]["revision_number"] == router["revision_number"] + 1
    found = ann.get(f"/v2.0/ports?device_id={router['id']}&device_owner=network:router_interface")["ports"]
    assert [each["id"] for each in found] == [port["id"]]
    assert act(ann, router, "remove_router_interface", {"port_id": port["id"]}).body["subnet_id"] == one["id"]
    assert ann.ask("PUT", path, {"router": {"name": "second"}}).body["router"]["name"] == "second"
    assert ann.ask("DELETE", path).status == 204
    assert ann.ask("GET", path).status == 404


def test_a_router_has_extra_routes(ann):
    router = joined(ann, "10.0.0.0/24")
    path, route = f"/v2.0/routers/{router['id']}", {"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}
    assert ann.ask("PUT", path, {"router": {"routes": [route]}}).body["router"]["routes"] == [route]
    refused = ann.ask("PUT", path, {"router": {"routes": [{**route, "nexthop": "10.1.0.9"}]}})
    assert (refused.status, refused.error["type"]) == (400, "InvalidRoutes")
    assert ann.get(path)["router"]["routes"] == [route]
    assert ann.ask("PUT", path, {"router": {"routes": []}}).body["router"]["routes"] == []


def test_extra_routes_are_added_and_removed_one_by_one(ann):
    router = joined(ann, "10.0.0.0/24")
    one, two = ({"destination": f"10.{number}.0.0/16", "nexthop": "10.0.0.9"} for number in (8, 9))
    added = act(ann, router, "add_extraroutes", {"router": {"routes": [one]}})
    assert added.status == 200 and added.body["router"]["id"] == router["id"]
    added = act(ann, router, "add_extraroutes.json", {"router": {"routes": [two, one]}})
    assert added.body["router"]["routes"] == [one, two]
    removed = act(ann, router, "remove_extraroutes", {"router": {"routes": [one]}})
    assert removed.body["router"]["routes"] == [two]
    for wrong in ({"routes": [one]}, {"router": {}}, {"router": {"routes": [one], "name": "x"}}, None, {"router": []}):
        assert act(ann, router, "add_extraroutes", wrong).status == 400


def test_a_destination_has_several_next_hops(ann):
    router = joined(ann, "10.0.0.0/24")
    both = [{"destination": "10.9.0.0/16", "nexthop": f"10.0.0.{last}", "weight": last} for last in (8, 9)]
    assert ann.ask("PUT", f"/v2.0/routers/{router['id']}", {"router": {"routes": both}}).body["router"]["routes"] == both


def test_an_action_is_a_write_like_any_other(api, ann):
    router, one = ann.create("router"), subnet(ann)
    body = {"subnet_id": one["id"]}
    for who in ("bob", "eve"):
        assert act(api.client(who), router, "add_router_interface", body).status == 404
    refused = act(api.client("rob"), router, "add_router_interface", body)
    assert (refused.status, refused.error["type"]) == (403, "PolicyNotAuthorized")
    late = act(ann, router, "add_router_interface", body, If_Match="revision_number=7")
    assert (late.status, late.error["type"]) == (412, "RevisionNumberConstraintFailed")
    path = f"/v2.0/routers/{router['id']}/add_router_interface"
    assert ann.ask("PUT", path + "?colour=red", body).status == 400
    waited = ann.ask("PUT", path + "?wait=realized&timeout=0", body)
    assert waited.status == 200 and waited.headers["x-hadron-realized"] in ("true", "false")
    for method in ("GET", "POST", "DELETE"):
        assert ann.ask(method, path, body if method == "POST" else None).status == 405
    assert ann.ask("OPTIONS", path).headers["allow"] == "PUT, OPTIONS"
    for wrong in (f"/v2.0/routers/{UNKNOWN}/add_router_interface", f"{path}/more",
                  f"/v2.0/routers/{router['id']}/paint", f"/v2.0/networks/{one['network_id']}/add_router_interface"):
        assert ann.ask("PUT", wrong, body).status == 404


@pytest.mark.parametrize(("body", "type"), [
    (None, "HTTPBadRequest"), ({}, "BadRequest"), ([], "InvalidInput"), ({"subnet_id": 1}, "InvalidInput"),
    ({"subnet": UNKNOWN}, "InvalidInput"), (b"{", "HTTPBadRequest")])
def test_a_wrong_body_of_an_action_is_refused(ann, body, type):
    answer = act(ann, ann.create("router"), "add_router_interface", body)
    assert (answer.status, answer.error["type"]) == (400, type)


def test_routers_are_listed_by_their_project_only(api, ann):
    router = ann.create("router", name="listed")
    assert [one["id"] for one in ann.get("/v2.0/routers?name=listed")["routers"]] == [router["id"]]
    assert api.client("bob").get("/v2.0/routers?name=listed")["routers"] == []
    many = ann.ask("POST", "/v2.0/routers", {"routers": [{"name": "a"}, {"name": "b"}]}).body["routers"]
    assert [one["name"] for one in many] == ["a", "b"]
