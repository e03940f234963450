"""Several external gateways of a router over HTTP, and with the real `openstack` command and openstacksdk."""
import pytest

from tests.kit.openstack import Openstack, connection
from tests.kit.served import TOKENS
from tests.rest.test_floating_ips import external, put

SERVED = {"tokens": True}


def act(client, router, action, *gateways):
    return client.ask("PUT", f"/v2.0/routers/{router['id']}/{action}", {"router": {"external_gateways": list(gateways)}})


def to(network, **more):
    return {"network_id": network["id"], **more}


def networks(router):
    return [one["network_id"] for one in router["external_gateways"]]


def test_a_router_has_several_gateways(admin, ann):
    one, two = (external(admin, f"several{number}", f"198.18.{number}.0/24") for number in (1, 2))
    router = ann.create("router")
    assert router["external_gateways"] == []
    answer = act(ann, router, "add_external_gateways", to(one), to(two))
    assert answer.status == 200
    made = answer.body["router"]
    assert networks(made) == [one["id"], two["id"]] and made["external_gateway_info"] == made["external_gateways"][0]
    assert [info["enable_snat"] for info in made["external_gateways"]] == [True, True]
    assert len(admin.get(f"/v2.0/ports?device_id={router['id']}")["ports"]) == 2
    swapped = act(ann, router, "update_external_gateways", *reversed(made["external_gateways"])).body["router"]
    assert swapped["external_gateways"] == made["external_gateways"][::-1]
    assert swapped["external_gateway_info"] == made["external_gateways"][1]
    left = act(ann, router, "remove_external_gateways", to(two)).body["router"]
    assert networks(left) == [one["id"]] and left["external_gateway_info"] == made["external_gateways"][0]
    refused = admin.ask("DELETE", f"/v2.0/networks/{one['id']}")
    assert (refused.status, refused.error["type"]) == (409, "NetworkInUse")
    gone = act(ann, router, "update_external_gateways").body["router"]
    assert (gone["external_gateways"], gone["external_gateway_info"]) == ([], None)
    for network in (one, two):
        assert admin.ask("DELETE", f"/v2.0/networks/{network['id']}").status == 204
    assert ann.ask("DELETE", f"/v2.0/routers/{router['id']}").status == 204


def test_what_is_wrong_with_a_gateway_is_said_and_nothing_changes(admin, ann):
    one, two, own = external(admin, "wrong1", "198.18.3.0/24"), external(admin, "wrong2", "198.18.4.0/24"), ann.create("network")
    near = external(admin, "wrong3", "198.18.3.128/25")
    router = ann.create("router", external_gateway_info=to(one))
    unknown = {"network_id": "deadbeef-0000-4000-8000-000000000000"}
    for action, gateways, status, type in (
            ("add", [to(one)], 501, "NotImplemented"), ("add", [to(two), to(two, enable_snat=True)], 501, "NotImplemented"),
            ("add", [to(own)], 400, "BadRequest"), ("add", [unknown], 404, "NetworkNotFound"),
            ("add", [to(near)], 400, "BadRequest"), ("add", [{}], 400, "InvalidInput"),
            ("add", [to(two, enable_snat=False)], 403, "PolicyNotAuthorized"),
            ("add", [to(two, external_fixed_ips=[{"ip_address": "198.18.4.9"}])], 403, "PolicyNotAuthorized"),
            ("update", [to(one, enable_snat=False)], 403, "PolicyNotAuthorized"),
            ("remove", [to(two)], 400, "UnableToMatchGateways"),
            ("remove", [to(one, external_fixed_ips=[{"ip_address": "198.18.3.77"}])], 400, "UnableToMatchGateways")):
        refused = act(ann, router, f"{action}_external_gateways", *gateways)
        assert (refused.status, refused.error["type"]) == (status, type), (action, gateways, refused.body)
    for body in ({}, {"router": {}}, {"router": {"external_gateways": "x"}}, {"router": {"external_gateways": [1]}}):
        assert ann.ask("PUT", f"/v2.0/routers/{router['id']}/add_external_gateways", body).status == 400
    refused = put(ann, "routers", router, external_gateways=[to(two)])
    assert refused.status == 400 and "external_gateways" in refused.error["message"]
    assert ann.get(f"/v2.0/routers/{router['id']}")["router"] == router
    bare = ann.create("router")
    assert act(ann, bare, "remove_external_gateways", to(one)).error["type"] == "UnableToRemoveGateways"


def test_a_network_whose_floating_ips_a_router_serves_stays(admin, ann):
    one, two = external(admin, "floats1", "198.18.5.0/24"), external(admin, "floats2", "198.18.6.0/24")
    network = ann.create("network")
    subnet = ann.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    router = ann.create("router")
    act(ann, router, "add_external_gateways", to(one), to(two))
    assert ann.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]}).status == 200
    port = ann.create("port", network_id=network["id"])
    floats = [ann.create("floatingip", floating_network_id=outside["id"], port_id=port["id"]) for outside in (one, two)]
    assert {one["router_id"] for one in floats} == {router["id"]}
    for outside in (one, two):
        assert act(ann, router, "remove_external_gateways", to(outside)).error["type"] == "RouterExternalGatewayInUseByFloatingIp"
    ann.ask("DELETE", f"/v2.0/floatingips/{floats[0]['id']}")
    changed = put(ann, "routers", router, external_gateway_info=None)          # the next is the first, then
    assert networks(changed) == [two["id"]] and changed["external_gateway_info"] == changed["external_gateways"][0]


def test_connections_outside_are_spread_over_gateways_if_an_administrator_says_so(admin, ann):
    router = ann.create("router")
    assert router.get("enable_default_route_ecmp") is None
    assert put(ann, "routers", router, enable_default_route_ecmp=True).status == 403
    assert put(admin, "routers", router, enable_default_route_ecmp=True)["enable_default_route_ecmp"] is True
    assert put(admin, "routers", router, enable_default_route_ecmp=False)["enable_default_route_ecmp"] is False
    refused = put(admin, "routers", router, enable_default_route_bfd=True)
    assert refused.status == 501 and "enable_default_route_bfd" in refused.error["message"]


def test_a_gateway_has_a_policy(admin, ann):
    outside = external(admin, "limited", "198.18.30.0/24")
    gold, silver = (admin.create("policy", "qos/policies", name=name, shared=True) for name in ("gold", "silver"))
    admin.create("bandwidth_limit_rule", f"qos/policies/{gold['id']}/bandwidth_limit_rules", max_kbps=1000)
    admin.create("dscp_marking_rule", f"qos/policies/{silver['id']}/dscp_marking_rules", dscp_mark=10)
    router = ann.create("router", external_gateway_info=to(outside, qos_policy_id=gold["id"]))
    assert router["external_gateway_info"]["qos_policy_id"] == gold["id"] == router["external_gateways"][0]["qos_policy_id"]
    kept = put(ann, "routers", router, external_gateway_info=to(outside))
    assert kept["external_gateway_info"]["qos_policy_id"] == gold["id"]
    for policy, status, type in ((silver, 409, "QosRuleNotSupported"),
                                 ({"id": "deadbeef-0000-4000-8000-000000000000"}, 404, "QosPolicyNotFound")):
        refused = put(ann, "routers", router, external_gateway_info=to(outside, qos_policy_id=policy["id"]))
        assert (refused.status, refused.error["type"]) == (status, type)
        refused = act(ann, router, "update_external_gateways", to(outside, qos_policy_id=policy["id"]))
        assert (refused.status, refused.error["type"]) == (status, type)
    refused = admin.ask("POST", f"/v2.0/qos/policies/{gold['id']}/dscp_marking_rules", {"dscp_marking_rule": {"dscp_mark": 8}})
    assert (refused.status, refused.error["type"]) == (409, "QosRuleNotSupported")
    refused = admin.ask("DELETE", f"/v2.0/qos/policies/{gold['id']}")
    assert (refused.status, refused.error["type"]) == (409, "QosPolicyInUse")
    assert put(ann, "routers", router, external_gateway_info=to(outside, qos_policy_id=None))["external_gateway_info"][
        "qos_policy_id"] is None
    assert admin.ask("DELETE", f"/v2.0/qos/policies/{gold['id']}").status == 204


@pytest.fixture(scope="module")
def openstack(api):
    return Openstack.by_token(api.url, TOKENS["admin"])


def test_the_command_adds_and_removes_gateways(openstack):
    for number in (1, 2, 3):
        openstack("network create --external --provider-network-type flat "
                  f"--provider-physical-network command{number} command{number}")
        openstack(f"subnet create --network command{number} --subnet-range 198.18.{10 + number}.0/24 command{number}-sub")
    openstack("router create --external-gateway command1 --external-gateway command2 --enable-default-route-ecmp r")
    shown = openstack("router show r")
    assert [one["network_id"] for one in shown["external_gateways"]] == [
        openstack(f"network show command{number}")["id"] for number in (1, 2)]
    assert shown["enable_default_route_ecmp"] is True
    openstack("router add gateway --fixed-ip subnet=command3-sub,ip-address=198.18.13.77 r command3")
    assert openstack("router show r")["external_gateways"][2]["external_fixed_ips"][0]["ip_address"] == "198.18.13.77"
    assert "there is one to" in openstack.fails("router add gateway r command3")
    openstack("router remove gateway r command1")
    assert len(openstack("router show r")["external_gateways"]) == 2
    openstack("router set --external-gateway command3 --disable-default-route-ecmp r")
    shown = openstack("router show r")
    assert [one["network_id"] for one in shown["external_gateways"]] == [openstack("network show command3")["id"]]
    openstack("network qos policy create gilded")
    openstack("router set --qos-policy gilded --external-gateway command3 r")
    assert openstack("router show r")["external_gateway_info"]["qos_policy_id"] == openstack("network qos policy show gilded")["id"]
    openstack("router unset --qos-policy r")
    assert openstack("router show r")["external_gateway_info"]["qos_policy_id"] is None
    assert "default_route_bfd" in openstack.fails("router set --enable-default-route-bfd r")
    openstack("router unset --external-gateway r")
    assert openstack("router show r")["external_gateways"] == []
    openstack("router delete r")


def test_the_library_adds_and_removes_gateways(admin, api):
    library = connection(api.url, TOKENS["admin"]).network
    outside = [external(admin, f"library{number}", f"198.18.{20 + number}.0/24") for number in (1, 2)]
    router = library.create_router()

    def body(*some):
        return {"router": {"external_gateways": [to(one) for one in some]}}
    library.add_external_gateways(router, body(outside[0]))
    library.add_external_gateways(router, body(outside[1]))
    assert networks(admin.get(f"/v2.0/routers/{router.id}")["router"]) == [one["id"] for one in outside]
    library.update_external_gateways(router, body(*reversed(outside)))
    library.remove_external_gateways(router, body(outside[1]))
    assert networks(admin.get(f"/v2.0/routers/{router.id}")["router"]) == [outside[0]["id"]]
    library.delete_router(router, ignore_missing=False)
