"""The OpenAPI document says what is served: every path answers, every attribute that is shown is described."""
from tests.kit.served import Client, served

KINDS = {"network": "networks", "subnet": "subnets", "port": "ports", "router": "routers", "security_group": "security-groups",
         "security_group_rule": "security-group-rules"}


def test_every_path_and_method_of_the_document_is_served_and_no_other_method_is(api):
    client = api.client()
    paths = client.get("/openapi.json")["paths"]
    assert {f"/v2.0/{path}" for path in KINDS.values()} <= set(paths)
    assert "/v2.0/routers/{id}/add_router_interface" in paths
    for path, said in paths.items():
        if "/quotas" in path or "_id}" in path:          # inside an object that is not there
            continue
        allowed = client.ask("OPTIONS", path.replace("{id}", "x")).headers["allow"].split(", ")
        assert {one.upper() for one in said if one != "parameters"} == set(allowed) - {"HEAD", "OPTIONS"}


def test_every_attribute_that_is_shown_is_described(api):
    client = api.client()
    schemas = client.get("/openapi.json")["components"]["schemas"]
    network = client.create("network")
    subnet = client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    port = client.create("port", network_id=network["id"])
    router = client.create("router")
    group = client.get("/v2.0/security-groups")["security_groups"][0]
    shown = {"network": network, "subnet": subnet, "port": port, "router": router,
             "security_group": group, "security_group_rule": group["security_group_rules"][0]}
    for kind, one in shown.items():
        described = schemas[kind]["properties"]
        assert set(one) - {"tenant_id"} == {name for name, schema in described.items() if "writeOnly" not in schema}, kind
        for name, schema in described.items():
            assert schema["description"], (kind, name)


def test_it_is_for_those_who_may_ask():
    with served(tokens=True) as api:
        assert Client(api.port).ask("GET", "/openapi.json").status == 401
        assert api.client("eve").ask("GET", "/openapi.json").status == 200
        assert api.client("eve").ask("POST", "/openapi.json").status == 405
