"""External gateways, floating IPs and port forwardings over HTTP."""
import pytest

UNKNOWN = "deadbeef-0000-4000-8000-000000000000"
SERVED = {"tokens": True}


@pytest.fixture(scope="module")
def people(people):
    for project in ("one", "two", "ops"):
        people["admin"].ask("PUT", f"/v2.0/quotas/{project}", {"quota": {"router": -1, "network": -1, "subnet": -1}})
    return people


@pytest.fixture(scope="module")
def outside(admin):
    return external(admin, "wan", "203.0.113.0/24")


def external(admin, wire, cidr):
    network = admin.create("network", provider__network_type="flat", provider__physical_network=wire, router__external=True)
    admin.create("subnet", network_id=network["id"], ip_version=4, cidr=cidr)
    return network


def behind(client, outside, cidr="10.0.0.0/24"):
    """A router that leads outside, and a port behind it."""
    network = client.create("network")
    subnet = client.create("subnet", network_id=network["id"], ip_version=4, cidr=cidr)
    router = client.create("router", external_gateway_info={"network_id": outside["id"]})
    assert client.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]}).status == 200
    return router, client.create("port", network_id=network["id"])


def put(client, plural, one, **attributes):
    member = plural.removesuffix("s")
    answer = client.ask("PUT", f"/v2.0/{plural}/{one['id']}", {member: attributes})
    return answer.body[member] if answer.status == 200 else answer


def test_a_router_leads_outside_with_and_without_snat(ann, admin, outside):
    router = ann.create("router")
    assert router["external_gateway_info"] is None
    info = put(ann, "routers", router, external_gateway_info={"network_id": outside["id"]})["external_gateway_info"]
    assert (info["network_id"], info["enable_snat"], set(info)) == (
        outside["id"], True, {"network_id", "enable_snat", "external_fixed_ips", "qos_policy_id"})
    assert [set(one) for one in info["external_fixed_ips"]] == [{"subnet_id", "ip_address"}]
    refused = put(ann, "routers", router, external_gateway_info={"network_id": outside["id"], "enable_snat": False})
    assert (refused.status, refused.error["type"]) == (403, "PolicyNotAuthorized")
    without = put(admin, "routers", router, external_gateway_info={"network_id": outside["id"], "enable_snat": False})
    assert without["external_gateway_info"] == {**info, "enable_snat": False}
    assert (router["enable_snat"], without["enable_snat"]) == (True, False)
    assert [one["id"] for one in admin.get("/v2.0/routers?enable_snat=false&sort_key=enable_snat")["routers"]] == [router["id"]]
    made = admin.create("router", external_gateway_info={
        "network_id": outside["id"], "enable_snat": False, "external_fixed_ips": [{"ip_address": "203.0.113.77"}]})
    assert made["external_gateway_info"]["external_fixed_ips"][0]["ip_address"] == "203.0.113.77"
    ports = admin.get(f"/v2.0/ports?device_id={made['id']}")["ports"]
    assert [(one["device_owner"], one["project_id"], one["status"]) for one in ports] == [
        ("network:router_gateway", "", "DOWN")]
    assert ann.get(f"/v2.0/ports?device_id={router['id']}")["ports"] == []
    refused = admin.ask("DELETE", f"/v2.0/ports/{ports[0]['id']}")
    assert (refused.status, refused.error["type"]) == (409, "ServicePortInUse")
    refused = admin.ask("DELETE", f"/v2.0/networks/{outside['id']}")
    assert (refused.status, refused.error["type"]) == (409, "NetworkInUse")
    assert put(ann, "routers", router, external_gateway_info={})["external_gateway_info"] is None
    for client, one in ((ann, router), (admin, made)):
        assert client.ask("DELETE", f"/v2.0/routers/{one['id']}").status == 204
    assert admin.get(f"/v2.0/ports?network_id={outside['id']}")["ports"] == []


@pytest.mark.parametrize(("info", "status", "type"), [
    ({"network_id": "{own}"}, 400, "BadRequest"), ({"network_id": UNKNOWN}, 404, "NetworkNotFound"),
    ({"enable_snat": True}, 400, "InvalidInput"), ([], 400, "InvalidInput"), ("x", 400, "InvalidInput"),
    ({"network_id": "{outside}", "external_fixed_ips": [{"ip_address": "203.0.113.9"}]}, 403, "PolicyNotAuthorized")])
def test_a_wrong_gateway_is_refused(ann, outside, info, status, type):
    names = {"{outside}": outside["id"], "{own}": ann.create("network")["id"]}
    if isinstance(info, dict):
        info = {name: names.get(value, value) if isinstance(value, str) else value for name, value in info.items()}
    router = ann.create("router")
    answer = put(ann, "routers", router, external_gateway_info=info)
    assert (answer.status, answer.error["type"]) == (status, type)
    assert ann.get(f"/v2.0/routers/{router['id']}")["router"] == router


def test_a_floating_ip_stands_for_a_port_and_says_which(api, ann, admin, outside):
    router, port = behind(ann, outside)
    made = ann.create("floatingip", floating_network_id=outside["id"], description="web")
    path = f"/v2.0/floatingips/{made['id']}"
    assert set(made) == {
        "id", "project_id", "tenant_id", "description", "tags", "revision_number", "created_at", "updated_at",
        "floating_network_id", "floating_ip_address", "subnet_id", "port_id", "fixed_ip_address", "router_id", "status",
        "port_details", "distributed", "port_forwardings", "dns_name", "dns_domain", "qos_policy_id", "qos_network_policy_id"}
    one = put(ann, "floatingips", made, port_id=port["id"])
    assert (one["fixed_ip_address"], one["router_id"], one["status"]) == (port["fixed_ips"][0]["ip_address"], router["id"], "DOWN")
    assert one["port_details"] == {name: port[name] for name in (
        "name", "network_id", "mac_address", "admin_state_up", "device_id", "device_owner", "status")}
    wire = {"id": "h1/wan", "host_id": "h1", "switch_id": "0000000000000001", "physical_network": "wan", "ofport": 9}
    api.desk.call(api.writer.learn, [("uplink", wire)])
    assert ann.get(path)["floatingip"]["status"] == "ACTIVE"
    for key in ("port_id", "fixed_ip_address", "router_id", "floating_network_id", "floating_ip_address", "status", "id"):
        found = ann.get(f"/v2.0/floatingips?{key}={ann.get(path)['floatingip'][key]}&description=web")["floatingips"]
        assert [each["id"] for each in found] == [made["id"]], key
    assert api.client("bob").get("/v2.0/floatingips")["floatingips"] == []
    assert api.client("bob").ask("PUT", path, {"floatingip": {"port_id": None}}).status == 404
    assert ann.ask("PUT", f"{path}/tags/blue").status == 201
    refused = ann.ask("PUT", path, {"floatingip": {"port_id": None}}, If_Match="revision_number=0")
    assert (refused.status, refused.error["type"]) == (412, "RevisionNumberConstraintFailed")
    assert ann.ask("DELETE", f"/v2.0/ports/{port['id']}").status == 204
    free = ann.get(path)["floatingip"]
    assert [free[name] for name in ("port_id", "fixed_ip_address", "router_id", "port_details", "status")] == [None] * 4 + ["DOWN"]
    assert ann.ask("DELETE", path).status == 204
    refused = ann.ask("DELETE", path)
    assert (refused.status, refused.error["type"]) == (404, "FloatingIPNotFound")


def test_what_a_floating_ip_needs_stays(ann, outside):
    router, port = behind(ann, outside)
    one = ann.create("floatingip", floating_network_id=outside["id"], port_id=port["id"])
    subnet = port["fixed_ips"][0]["subnet_id"]
    for path, body, type in (
            (f"routers/{router['id']}", {"router": {"external_gateway_info": None}}, "RouterExternalGatewayInUseByFloatingIp"),
            (f"routers/{router['id']}/remove_router_interface", {"subnet_id": subnet}, "RouterInterfaceInUseByFloatingIP")):
        refused = ann.ask("PUT", f"/v2.0/{path}", body)
        assert (refused.status, refused.error["type"]) == (409, type)
    other = ann.create("floatingip", floating_network_id=outside["id"])
    refused = put(ann, "floatingips", other, port_id=port["id"])
    assert (refused.status, refused.error["type"]) == (409, "FloatingIPPortAlreadyAssociated")
    alone = ann.create("network")
    ann.create("subnet", network_id=alone["id"], ip_version=4, cidr="10.0.0.0/24")
    refused = put(ann, "floatingips", other, port_id=ann.create("port", network_id=alone["id"])["id"])
    assert (refused.status, refused.error["type"]) == (404, "ExternalGatewayForFloatingIPNotFound")
    assert put(ann, "floatingips", one, port_id=None)["router_id"] is None
    assert put(ann, "floatingips", other, port_id=port["id"])["router_id"] == router["id"]


def test_a_project_has_fifty_floating_ips_unless_told_otherwise(api, admin, outside):
    eve = api.client("eve")
    assert eve.get("/v2.0/quotas/three")["quota"]["floatingip"] == 50
    admin.ask("PUT", "/v2.0/quotas/three", {"quota": {"floatingip": 1}})
    eve.create("floatingip", floating_network_id=outside["id"])
    refused = eve.ask("POST", "/v2.0/floatingips", {"floatingip": {"floating_network_id": outside["id"]}})
    assert (refused.status, refused.error["type"]) == (409, "OverQuota")
    assert eve.get("/v2.0/quotas/three/details.json")["quota"]["floatingip"]["used"] == 1


# ---- port forwardings

def forward(client, one, **attributes):
    return client.ask("POST", f"/v2.0/floatingips/{one['id']}/port_forwardings", {"port_forwarding": attributes})


def test_ports_of_a_floating_ip_are_forwarded(api, ann, outside):
    router, port = behind(ann, outside)
    one = ann.create("floatingip", floating_network_id=outside["id"])
    path = f"/v2.0/floatingips/{one['id']}/port_forwardings"
    given = {"protocol": "tcp", "internal_port_id": port["id"], "internal_ip_address": port["fixed_ips"][0]["ip_address"],
             "internal_port": 25, "external_port": 2225, "description": "mail"}
    answer = forward(ann, one, **given)
    assert answer.status == 201
    made = answer.body["port_forwarding"]
    assert made == {**given, "id": made["id"], "floatingip_id": one["id"], "internal_port_range": "25:25",
                    "external_port_range": "2225:2225"}
    assert ann.get(f"{path}/{made['id']}")["port_forwarding"] == made
    assert ann.get(path)["port_forwardings"] == [made]
    assert ann.get(f"{path}?external_port=2225&protocol=tcp&internal_port_id={port['id']}")["port_forwardings"] == [made]
    assert ann.get(f"{path}?external_port=1")["port_forwardings"] == []
    refused = forward(ann, one, **given)
    assert (refused.status, refused.error["type"]) == (400, "BadRequest")
    changed = ann.ask("PUT", f"{path}/{made['id']}", {"port_forwarding": {"external_port": 2226, "protocol": "udp"}})
    assert changed.body["port_forwarding"] == {**made, "external_port": 2226, "external_port_range": "2226:2226",
                                               "protocol": "udp"}
    assert api.client("bob").ask("GET", path).status == 404
    refused = ann.ask("DELETE", f"/v2.0/floatingips/{one['id']}")
    assert (refused.status, refused.error["type"]) == (409, "FipInUseByPortForwarding")
    assert ann.ask("DELETE", f"{path}/{made['id']}").status == 204
    refused = ann.ask("GET", f"{path}/{made['id']}")
    assert (refused.status, refused.error["type"]) == (404, "PortForwardingNotFound")
    assert ann.ask("DELETE", f"/v2.0/floatingips/{one['id']}").status == 204


def test_ranges_of_ports_are_forwarded(ann, outside):
    _, port = behind(ann, outside)
    one = ann.create("floatingip", floating_network_id=outside["id"])
    answer = forward(ann, one, protocol="udp", internal_port_id=port["id"], internal_port_range="80:85",
                     external_port_range="8080:8085")
    made = answer.body["port_forwarding"]
    assert (made["internal_port"], made["external_port"]) == (None, None)
    assert (made["internal_port_range"], made["external_port_range"]) == ("80:85", "8080:8085")
    for wrong in ({"internal_port_range": "80:90", "external_port_range": "90:95"},
                  {"internal_port_range": "80:85", "external_port_range": "8085:8090"},
                  {"internal_port_range": "85:80", "external_port_range": "90:95"}):
        assert forward(ann, one, protocol="udp", internal_port_id=port["id"], **wrong).status == 400


def test_a_floating_ip_names_its_router(ann, people, outside):
    """The router of the port's subnet need not be the one that leads outside."""
    inner = ann.create("router")
    network = ann.create("network")
    subnet = ann.create("subnet", network_id=network["id"], ip_version=4, cidr="10.20.0.0/24")
    assert ann.ask("PUT", f"/v2.0/routers/{inner['id']}/add_router_interface", {"subnet_id": subnet["id"]}).status == 200
    port, outer = ann.create("port", network_id=network["id"]), behind(ann, outside, "10.21.0.0/24")[0]
    said = {"floating_network_id": outside["id"], "port_id": port["id"]}
    for router, status, error in ((None, 404, "ExternalGatewayForFloatingIPNotFound"), (inner["id"], 409, "FloatingIPRouterWithoutGateway"),
                                  (UNKNOWN, 404, "RouterNotFound"), (people["bob"].create("router")["id"], 404, "RouterNotFound")):
        refused = ann.ask("POST", "/v2.0/floatingips", {"floatingip": {**said, **({"router_id": router} if router else {})}})
        assert (refused.status, refused.error["type"]) == (status, error)
    made = ann.create("floatingip", **said, router_id=outer["id"])
    assert (made["router_id"], made["fixed_ip_address"]) == (outer["id"], port["fixed_ips"][0]["ip_address"])
    freed = put(ann, "floatingips", made, port_id=None)
    assert freed["router_id"] is None
    assert put(ann, "floatingips", made, port_id=port["id"], router_id=outer["id"])["router_id"] == outer["id"]
    assert put(ann, "floatingips", made, description="kept")["router_id"] == outer["id"]


def test_a_floating_ip_says_what_it_forwards(ann, outside):
    router, port = behind(ann, outside)
    one = ann.create("floatingip", floating_network_id=outside["id"])
    made = forward(ann, one, protocol="tcp", internal_port_id=port["id"], internal_port=80, external_port=80)
    shown = ann.get(f"/v2.0/floatingips/{one['id']}")["floatingip"]
    listed = {name: value for name, value in made.body["port_forwarding"].items() if name not in ("floatingip_id", "description")}
    assert shown["port_forwardings"] == [listed] and listed["internal_port_id"] == port["id"]
    assert (shown["router_id"], shown["port_id"], shown["status"]) == (router["id"], None, "ACTIVE")


# ---- where it is done

def test_a_router_is_distributed_unless_an_administrator_says_otherwise(admin, ann):
    router = admin.create("router", project_id="ann")
    assert router["distributed"] is True
    assert put(admin, "routers", router, distributed=False)["distributed"] is False
    assert admin.get("/v2.0/routers?distributed=false")["routers"][0]["id"] == router["id"]
    assert put(ann, "routers", ann.create("router"), distributed=False).status == 403


def test_a_router_fails_over_unless_an_administrator_says_otherwise(admin, ann):
    router = admin.create("router")
    assert router["ha"] is True
    assert put(admin, "routers", router, ha=False)["ha"] is False
    assert put(ann, "routers", ann.create("router"), ha=False).status == 403


def test_a_floating_ip_may_say_itself_whether_it_is_distributed(ann, outside):
    floating = ann.create("floatingip", floating_network_id=outside["id"])
    assert floating["distributed"] is None
    assert put(ann, "floatingips", floating, distributed=False)["distributed"] is False
    assert [one["id"] for one in ann.get("/v2.0/floatingips?distributed=false")["floatingips"]] == [floating["id"]]


def test_floating_ips_go_with_a_network_that_leads_outside_no_more(ann, admin):
    network = admin.create("network", provider__network_type="flat", provider__physical_network="soon", router__external=True)
    admin.create("subnet", network_id=network["id"], ip_version=4, cidr="198.51.100.0/24")
    one = ann.create("floatingip", floating_network_id=network["id"])
    assert put(admin, "networks", network, **{"router:external": False})["router:external"] is False
    assert ann.ask("GET", f"/v2.0/floatingips/{one['id']}").status == 404
