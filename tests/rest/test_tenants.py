"""Projects are strangers to each other: what is another's is not there, and who may only read changes nothing."""
import pytest

from tests.kit.served import Client

KINDS = {"network": "networks", "subnet": "subnets", "port": "ports", "security_group": "security-groups",
         "security_group_rule": "security-group-rules"}
SERVED = {"tokens": True}


@pytest.fixture(scope="module")
def owned(people):
    """One object of each kind, of ann's."""
    ann = people["ann"]
    network = ann.create("network", name="anns")
    group = ann.create("security_group", name="anns")
    return {"network": network, "security_group": group,
            "subnet": ann.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24"),
            "port": ann.create("port", network_id=network["id"]),
            "security_group_rule": ann.create("security_group_rule", security_group_id=group["id"], direction="ingress")}


def writes(kind, path):
    """Every way of changing one object."""
    if kind != "security_group_rule":
        yield "PUT", path, {kind: {"description": "changed"}}
    yield "DELETE", path, None
    yield "PUT", f"{path}/tags", {"tags": ["x"]}
    yield "POST", f"{path}/tags", {"tags": ["x"]}
    yield "PUT", f"{path}/tags/x", None
    yield "DELETE", f"{path}/tags/x", None
    yield "DELETE", f"{path}/tags", None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("who", ["bob", "eve"])
def test_what_is_anothers_is_not_there(people, owned, kind, who):
    client, path = people[who], f"/v2.0/{KINDS[kind]}/{owned[kind]['id']}"
    seen = people["admin"].get(path)
    for method, address, body in [("GET", path, None), ("GET", f"{path}/tags", None), *writes(kind, path)]:
        answer = client.ask(method, address, body)
        assert answer.status == 404, (method, address, answer)
        assert answer.error["type"].endswith("NotFound")
    for query in ("", f"?id={owned[kind]['id']}", "?project_id=one", "?tenant_id=one", f"?name={owned[kind].get('name', '')}"):
        listed = client.ask("GET", f"/v2.0/{KINDS[kind]}{query if kind != 'security_group_rule' or 'name' not in query else ''}")
        assert owned[kind]["id"] not in [one["id"] for one in listed.body[kind + "s"]]
    assert client.ask("GET", f"/v2.0/{KINDS[kind]}?marker={owned[kind]['id']}&limit=1").status == 404
    assert people["admin"].get(path) == seen


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_only_read_reads_everything_of_the_project_and_changes_nothing(people, owned, kind):
    rob, path = people["rob"], f"/v2.0/{KINDS[kind]}/{owned[kind]['id']}"
    seen = people["ann"].get(path)
    assert rob.get(path) == seen
    for method, address, body in writes(kind, path):
        answer = rob.ask(method, address, body)
        assert (answer.status, answer.error["type"]) == (403, "PolicyNotAuthorized"), (method, address, answer)
    assert rob.ask("POST", f"/v2.0/{KINDS[kind]}", {kind: {}}).status == 403
    assert rob.ask("PUT", "/v2.0/quotas/one", {"quota": {"network": 1000}}).status == 403
    assert people["ann"].get(path) == seen


@pytest.mark.parametrize("kind", KINDS)
def test_an_administrator_sees_and_changes_everything(people, owned, kind):
    admin, path = people["admin"], f"/v2.0/{KINDS[kind]}/{owned[kind]['id']}"
    assert admin.get(path)[kind]["project_id"] == "one"
    assert admin.ask("PUT", f"{path}/tags", {"tags": ["looked-after"]}).status == 200
    assert admin.ask("DELETE", f"{path}/tags").status == 204


@pytest.mark.parametrize("method, path", [("GET", "/v2.0/"), ("GET", "/v2.0/networks"), ("POST", "/v2.0/networks"),
                                          ("GET", "/v2.0/extensions"), ("GET", "/v2.0/quotas"), ("DELETE", "/v2.0/networks/x"),
                                          ("GET", "/v2.0/nothing"), ("OPTIONS", "/v2.0/networks"), ("GET", "/inspect/flows")])
def test_without_a_token_everything_but_the_root_is_401(api, method, path):
    for token in (None, "wrong-token"):
        answer = Client(api.port, token).ask(method, path)
        assert (answer.status, answer.error["type"]) == (401, "HTTPUnauthorized")
        assert "www-authenticate" in answer.headers
    assert Client(api.port).ask("GET", "/").status == 200


ADMIN_ONLY = [("network", "shared", True), ("network", "provider:network_type", "gre"),
              ("network", "provider:segmentation_id", 77), ("port", "binding:host_id", "h1"),
              ("port", "binding:profile", {"a": 1})]


@pytest.mark.parametrize("kind, name, value", ADMIN_ONLY, ids=str)
def test_what_only_administrators_may_set_is_403_naming_it(people, owned, kind, name, value):
    right = {"network_id": owned["network"]["id"]} if kind == "port" else {}
    answers = [people["ann"].ask("POST", f"/v2.0/{KINDS[kind]}", {kind: {**right, name: value}})]
    if not name.startswith("provider:"):
        answers.append(people["ann"].ask("PUT", f"/v2.0/{KINDS[kind]}/{owned[kind]['id']}", {kind: {name: value}}))
    for answer in answers:
        assert (answer.status, answer.error["type"]) == (403, "PolicyNotAuthorized")
        assert name in answer.error["message"]


def test_what_only_administrators_see_is_not_shown_to_others(people, owned):
    for kind, names in (("network", {"provider:network_type", "provider:segmentation_id"}),
                        ("port", {"binding:host_id", "binding:vif_type", "binding:profile"})):
        path = f"/v2.0/{KINDS[kind]}/{owned[kind]['id']}"
        assert names <= set(people["admin"].get(path)[kind])
        assert not names & set(people["ann"].get(path)[kind])
        for name in names:
            assert people["ann"].get(f"{path}?fields={name}") == {kind: {}}
            assert people["ann"].ask("GET", f"/v2.0/{KINDS[kind]}?{name}=x").status == 400


def test_nobody_creates_for_another_project(people):
    for name in ("project_id", "tenant_id"):
        answer = people["ann"].ask("POST", "/v2.0/networks", {"network": {name: "two"}})
        assert answer.status == 403 and "project_id" in answer.error["message"]


@pytest.mark.parametrize("kind, body", [
    ("subnet", {"network_id": "network", "ip_version": 4, "cidr": "10.9.0.0/24"}), ("port", {"network_id": "network"}),
    ("security_group_rule", {"security_group_id": "security_group", "direction": "ingress"})])
def test_nobody_builds_on_what_is_anothers(people, owned, kind, body):
    said = {name: owned[value]["id"] if value in owned else value for name, value in body.items()}
    assert people["bob"].ask("POST", f"/v2.0/{KINDS[kind]}", {kind: said}).status == 404


def test_nobody_uses_anothers_group_or_subnet(people, owned):
    network = people["bob"].create("network")
    for extra in ({"security_groups": [owned["security_group"]["id"]]}, {"fixed_ips": [{"subnet_id": owned["subnet"]["id"]}]}):
        answer = people["bob"].ask("POST", "/v2.0/ports", {"port": {"network_id": network["id"], **extra}})
        assert answer.status in (400, 404), answer
    group = people["bob"].create("security_group", name="bobs")
    rule = {"security_group_id": group["id"], "direction": "ingress", "remote_group_id": owned["security_group"]["id"]}
    assert people["bob"].ask("POST", "/v2.0/security-group-rules", {"security_group_rule": rule}).status == 404


def test_a_shared_network_is_seen_and_used_by_all_but_changed_by_its_owner(people):
    network = people["admin"].create("network", name="shared", shared=True, project_id="one")
    subnet = people["ann"].create("subnet", network_id=network["id"], ip_version=4, cidr="10.7.0.0/24")
    bob, path = people["bob"], f"/v2.0/networks/{network['id']}"
    assert bob.get(path)["network"]["shared"] is True
    assert network["id"] in [one["id"] for one in bob.get("/v2.0/networks")["networks"]]
    assert subnet["id"] in [one["id"] for one in bob.get("/v2.0/subnets")["subnets"]]
    port = bob.create("port", network_id=network["id"])
    assert port["project_id"] == "two"
    for method, body in (("PUT", {"network": {"name": "mine"}}), ("DELETE", None)):
        assert bob.ask(method, path, body).status == 403
        assert bob.ask(method, f"/v2.0/subnets/{subnet['id']}", body and {"subnet": {"name": "mine"}}).status == 403
    assert bob.ask("POST", "/v2.0/subnets", {"subnet": {"network_id": network["id"], "ip_version": 4,
                                                        "cidr": "10.8.0.0/24"}}).status == 403
    assert bob.ask("PUT", f"{path}/tags/mine").status == 403
    assert people["ann"].get(f"/v2.0/ports/{port['id']}")["port"]["id"] == port["id"]
    assert people["eve"].ask("GET", f"/v2.0/ports/{port['id']}").status == 404


def test_quotas_of_another_project_are_not_shown_and_limits_hold(people):
    ann, admin = people["ann"], people["admin"]
    assert ann.ask("GET", "/v2.0/quotas/two").status == 403
    assert ann.ask("GET", "/v2.0/quotas").status == 403
    assert ann.get("/v2.0/quotas/one")["quota"]["network"] == 100
    assert ann.get("/v2.0/quotas/one/details")["quota"]["network"]["used"] >= 1
    assert ann.ask("PUT", "/v2.0/quotas/one", {"quota": {"network": 500}}).status == 403
    assert ann.ask("DELETE", "/v2.0/quotas/one").status == 403
    assert admin.ask("PUT", "/v2.0/quotas/three", {"quota": {"network": 2}}).status == 200
    eve = people["eve"]
    statuses = [eve.ask("POST", "/v2.0/networks", {"network": {}}).status for _ in range(3)]
    assert statuses == [201, 201, 409]
    assert eve.ask("POST", "/v2.0/networks", {"networks": [{}] * 2}).status == 409


def test_facts_of_the_fabric_are_for_administrators(people):
    for path in ("hosts", "switches", "interfaces"):
        assert people["ann"].get(f"/v2.0/{path}") == {path: []}
        assert people["admin"].get(f"/v2.0/{path}") == {path: []}
        assert people["admin"].ask("POST", f"/v2.0/{path}", {path[:-1]: {}}).status == 405


def test_listing_groups_of_a_project_nobody_has_creates_none(api, people):
    """CVE-2022-3277: reading never writes."""
    before = dict(api.model.rows["security_group"])
    for query in ("", "?project_id=ghost", "?tenant_id=ghost&name=default"):
        people["admin"].get(f"/v2.0/security-groups{query}")
    assert api.model.rows["security_group"] == before


def test_an_external_network_is_seen_by_all_and_used_by_its_owner(people):
    admin, bob = people["admin"], people["bob"]
    before = bob.get("/v2.0/networks?router:external=false")["networks"]
    outside = admin.create("network", provider__network_type="flat", provider__physical_network="wan", router__external=True)
    admin.create("subnet", network_id=outside["id"], ip_version=4, cidr="198.51.100.0/24")
    seen = bob.get("/v2.0/networks?router:external=true")["networks"]
    assert [one["id"] for one in seen] == [outside["id"]] and seen[0]["router:external"] is True
    assert bob.get(f"/v2.0/networks/{outside['id']}")["network"] == seen[0]
    assert {one["id"] for one in bob.get("/v2.0/networks")["networks"]} == {one["id"] for one in before + seen}
    subnets = bob.get(f"/v2.0/subnets?network_id={outside['id']}")["subnets"]
    assert [(one["cidr"], one["router:external"]) for one in subnets] == [("198.51.100.0/24", True)]
    assert outside["id"] not in {one["id"] for one in admin.get("/v2.0/networks?router:external=false")["networks"]}
    block = {"network_id": outside["id"], "ip_version": 4, "cidr": "10.0.0.0/8"}
    for method, path, body in (("POST", "ports", {"port": {"network_id": outside["id"]}}),
                               ("POST", "subnets", {"subnet": block}),
                               ("PUT", f"networks/{outside['id']}", {"network": {"name": "mine"}}),
                               ("DELETE", f"networks/{outside['id']}", None),
                               ("POST", "networks", {"network": {"router:external": True}})):
        refused = bob.ask(method, f"/v2.0/{path}", body)
        assert (refused.status, refused.error["type"]) == (403, "PolicyNotAuthorized"), (method, path)
    assert admin.ask("PUT", f"/v2.0/networks/{outside['id']}", {"network": {"shared": True}}).status == 200
    assert bob.create("port", network_id=outside["id"])["project_id"] == "two"


def test_an_administrator_puts_networks_on_a_physical_network(people):
    client = people["admin"]
    flat = client.create("network", provider__network_type="flat", provider__physical_network="rack")
    vlan = client.create("network", provider__network_type="vlan", provider__physical_network="rack",
                         provider__segmentation_id=101)
    assert (flat["provider:physical_network"], flat["provider:segmentation_id"], flat["mtu"]) == ("rack", None, 1500)
    assert (vlan["provider:network_type"], vlan["provider:segmentation_id"]) == ("vlan", 101)
    found = client.get("/v2.0/networks?provider:physical_network=rack&provider:network_type=vlan")["networks"]
    assert [one["id"] for one in found] == [vlan["id"]]
    assert client.ask("PUT", f"/v2.0/networks/{vlan['id']}", {"network": {"provider:segmentation_id": 102}}).status == 400
