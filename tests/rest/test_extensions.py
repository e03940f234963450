"""Each alias of the extensions list is proven by the test that rest/extensions.py names beside it, here or nearby."""
import re
from pathlib import Path

import pytest

from rest.extensions import EXTENSIONS
from tests.kit.openstack import Openstack

CHANGEABLE = ["network", "subnet", "port", "security_group", "router"]
KINDS = {"network": "networks", "subnet": "subnets", "port": "ports", "router": "routers", "security_group": "security-groups",
         "security_group_rule": "security-group-rules"}


@pytest.fixture(scope="module")
def client(client):
    client.ask("PUT", "/v2.0/quotas/ops", {"quota": {"security_group": -1, "security_group_rule": -1, "network": -1,
                                                         "router": -1}})
    return client


@pytest.fixture
def net(client):
    network = client.create("network", name="net")
    subnet = client.create("subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    return network, subnet


def made(client, net, kind):
    """One object of a kind, and its path."""
    if kind in ("network", "subnet"):
        one = net[kind == "subnet"]
    elif kind in ("port", "router"):
        one = client.create(kind, **({"network_id": net[0]["id"]} if kind == "port" else {}))
    else:
        one = client.create("security_group", name="group")
        if kind == "security_group_rule":
            one = client.create("security_group_rule", security_group_id=one["id"], direction="ingress", protocol="tcp",
                                port_range_min=22, port_range_max=22)
    return one, f"/v2.0/{KINDS[kind]}/{one['id']}"


def put(client, path, member, **attributes):
    answer = client.ask("PUT", path, {member: {name.replace("__", ":"): value for name, value in attributes.items()}})
    assert answer.status == 200, answer
    return answer.body[member]


def test_every_alias_is_listed_has_a_page_and_a_test_and_no_other_has(client):
    proofs = {name for file in Path(__file__).parent.glob("test_*.py")
              for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)}
    listed = client.get("/v2.0/extensions")["extensions"]
    assert {one["alias"] for one in listed} == set(EXTENSIONS)
    for one in listed:
        assert set(one) == {"alias", "name", "description", "updated", "links"}
        assert client.get(f"/v2.0/extensions/{one['alias']}") == {"extension": one}
        assert EXTENSIONS[one["alias"]].test in proofs
    unknown = client.ask("GET", "/v2.0/extensions/nonsense")
    assert (unknown.status, unknown.error["type"]) == (404, "ExtensionNotFound")


def test_a_security_group_and_its_rules_live_and_die(client):
    group = client.create("security_group", name="web", description="of the web")
    assert {(rule["direction"], rule["ethertype"]) for rule in group["security_group_rules"]} == \
        {("egress", "IPv4"), ("egress", "IPv6")}
    rule = client.create("security_group_rule", security_group_id=group["id"], direction="ingress", protocol="tcp",
                         port_range_min=80, port_range_max=81, remote_group_id=group["id"])
    path = f"/v2.0/security-groups/{group['id']}"
    assert rule["id"] in [one["id"] for one in client.get(path)["security_group"]["security_group_rules"]]
    assert put(client, path, "security_group", name="web2")["name"] == "web2"
    assert client.ask("DELETE", path).status == 204
    assert client.ask("GET", f"/v2.0/security-group-rules/{rule['id']}").status == 404


def test_a_rule_says_its_prefix_normalized(client, net):
    group = client.create("security_group", name="normalized")
    rule = client.create("security_group_rule", security_group_id=group["id"], direction="ingress",
                         remote_ip_prefix="10.1.2.3/8")
    assert (rule["remote_ip_prefix"], rule["normalized_cidr"]) == ("10.1.2.3/8", "10.0.0.0/8")
    found = client.get("/v2.0/security-group-rules?normalized_cidr=10.0.0.0/8")["security_group_rules"]
    assert [one["id"] for one in found] == [rule["id"]]


def test_a_rule_says_whether_its_group_is_the_default(client, net):
    own, _ = made(client, net, "security_group_rule")
    assert own["belongs_to_default_sg"] is False
    client.create("port", network_id=net[0]["id"])
    default = client.get("/v2.0/security-groups?name=default")["security_groups"][0]
    assert all(rule["belongs_to_default_sg"] for rule in default["security_group_rules"])


def test_a_group_may_be_stateless_until_it_is_used(client, net):
    group = client.create("security_group", name="stateless", stateful=False)
    assert group["stateful"] is False
    path = f"/v2.0/security-groups/{group['id']}"
    assert put(client, path, "security_group", stateful=True)["stateful"] is True
    client.create("port", network_id=net[0]["id"], security_groups=[group["id"]])
    refused = client.ask("PUT", path, {"security_group": {"stateful": False}})
    assert (refused.status, refused.error["type"]) == (409, "SecurityGroupInUse")


def test_ports_are_found_by_their_group(client, net):
    group = client.create("security_group", name="members")
    port = client.create("port", network_id=net[0]["id"], security_groups=[group["id"]])
    client.create("port", network_id=net[0]["id"])
    found = client.get(f"/v2.0/ports?security_groups={group['id']}")["ports"]
    assert [one["id"] for one in found] == [port["id"]]


def test_port_security_is_taken_from_the_network_and_excludes_groups(client):
    network = client.create("network", port_security_enabled=False)
    port = client.create("port", network_id=network["id"])
    assert port["port_security_enabled"] is False and port["security_groups"] == []
    path = f"/v2.0/ports/{port['id']}"
    assert put(client, path, "port", port_security_enabled=True)["port_security_enabled"] is True
    group = client.create("security_group", name="excluded")
    refused = client.ask("PUT", path, {"port": {"port_security_enabled": False, "security_groups": [group["id"]]}})
    assert refused.status == 409


def test_a_port_has_allowed_address_pairs(client, net):
    port = client.create("port", network_id=net[0]["id"], allowed_address_pairs=[{"ip_address": "10.9.0.0/16"}])
    pair = port["allowed_address_pairs"][0]
    assert (pair["ip_address"], pair["mac_address"]) == ("10.9.0.0/16", port["mac_address"])
    assert put(client, f"/v2.0/ports/{port['id']}", "port", allowed_address_pairs=[])["allowed_address_pairs"] == []


def test_a_port_has_extra_dhcp_options(client, net):
    options = [{"opt_name": "bootfile-name", "opt_value": "pxelinux.0"}]
    port = client.create("port", network_id=net[0]["id"], extra_dhcp_opts=options)
    assert port["extra_dhcp_opts"] == [{"opt_name": "bootfile-name", "opt_value": "pxelinux.0", "ip_version": 4}]


def test_a_port_is_bound_to_a_host(client, net):
    port = client.create("port", network_id=net[0]["id"])
    assert (port["binding:vif_type"], port["binding:host_id"], port["binding:vnic_type"]) == ("unbound", "", "normal")
    bound = put(client, f"/v2.0/ports/{port['id']}", "port", binding__host_id="host1", binding__profile={"a": 1})
    assert (bound["binding:vif_type"], bound["binding:host_id"], bound["binding:profile"]) == ("ovs", "host1", {"a": 1})
    assert bound["binding:vif_details"]["bridge_name"] == "br-int"
    found = client.get("/v2.0/ports?binding:host_id=host1&binding:vif_type=ovs")["ports"]
    assert [one["id"] for one in found] == [port["id"]]


def test_a_port_gets_a_new_mac_address_for_null(client, net):
    port = client.create("port", network_id=net[0]["id"], mac_address="fa:16:3e:00:00:77")
    after = put(client, f"/v2.0/ports/{port['id']}", "port", mac_address=None)
    assert after["mac_address"] != port["mac_address"] and after["mac_address"].startswith("fa:16:3e:")


def test_an_administrator_sees_and_chooses_how_a_network_is_carried(client):
    chosen = client.create("network", provider__network_type="geneve", provider__segmentation_id=4242)
    assert (chosen["provider:network_type"], chosen["provider:segmentation_id"]) == ("geneve", 4242)
    again = client.ask("POST", "/v2.0/networks", {"network": {"provider:network_type": "geneve",
                                                              "provider:segmentation_id": 4242}})
    assert (again.status, again.error["type"]) == (409, "TunnelIdInUse")
    given = client.create("network")
    assert given["provider:network_type"] == "vxlan" and given["provider:segmentation_id"] > 0
    found = client.get("/v2.0/networks?provider:segmentation_id=4242")["networks"]
    assert [one["id"] for one in found] == [chosen["id"]]


def test_a_network_says_its_mtu(client):
    assert client.create("network", provider__network_type="vxlan")["mtu"] == 1450
    assert client.create("network", provider__network_type="geneve")["mtu"] == 1442
    assert client.create("network", provider__network_type="gre")["mtu"] == 1458


def test_a_network_has_the_mtu_that_was_asked_for(client):
    network = client.create("network", mtu=1400)
    assert network["mtu"] == 1400
    assert put(client, f"/v2.0/networks/{network['id']}", "network", mtu=1300)["mtu"] == 1300
    assert client.ask("POST", "/v2.0/networks", {"network": {"mtu": 9000}}).status == 400


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_says_its_project_by_both_names(client, net, kind):
    one, _ = made(client, net, kind)
    assert one["project_id"] == one["tenant_id"] == "ops"
    if kind == "network":
        by_old_name = client.ask("POST", "/v2.0/networks", {"network": {"tenant_id": "other"}}).body["network"]
        assert by_old_name["project_id"] == "other"
        differ = client.ask("POST", "/v2.0/networks", {"network": {"tenant_id": "a", "project_id": "b"}})
        assert differ.status == 400


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_description(client, net, kind):
    one, path = made(client, net, kind)
    assert one["description"] == ""
    if kind in CHANGEABLE:
        assert put(client, path, kind, description="said later")["description"] == "said later"
    else:
        one = client.create(kind, security_group_id=one["security_group_id"], direction="egress", protocol="udp",
                            description="said later")
    found = client.get(f"/v2.0/{KINDS[kind]}?description=said+later&id={one['id']}")
    assert [each["id"] for each in next(iter(found.values()))] == [one["id"]]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_when_it_was_created_and_changed(client, net, kind):
    one, _ = made(client, net, kind)
    assert one["created_at"] <= one["updated_at"] and one["created_at"].endswith("Z")
    since = client.get(f"/v2.0/{KINDS[kind]}?changed_since={one['updated_at']}")
    assert one["id"] in [each["id"] for each in next(iter(since.values()))]
    assert next(iter(client.get(f"/v2.0/{KINDS[kind]}?changed_since=2999-01-01T00:00:00").values())) == []


@pytest.mark.parametrize("kind", CHANGEABLE)
def test_every_kind_counts_its_changes(client, net, kind):
    _, path = made(client, net, kind)
    before = client.get(path)[kind]["revision_number"]
    assert put(client, path, kind, description="first change")["revision_number"] == before + 1
    assert put(client, path, kind, description="first change")["revision_number"] == before + 1


def test_a_part_that_changes_is_a_change_of_the_whole(client, net):
    network, subnet = net
    before = client.get(f"/v2.0/networks/{network['id']}")["network"]["revision_number"]
    assert before == network["revision_number"] + 1
    assert client.ask("DELETE", f"/v2.0/subnets/{subnet['id']}").status == 204
    assert client.get(f"/v2.0/networks/{network['id']}")["network"]["revision_number"] == before + 1


@pytest.mark.parametrize("kind", CHANGEABLE)
def test_a_write_can_insist_on_the_revision_that_was_seen(client, net, kind):
    _, path = made(client, net, kind)
    seen = client.get(path)[kind]["revision_number"]
    first = client.ask("PUT", path, {kind: {"description": "one"}}, If_Match=f"revision_number={seen}")
    assert first.status == 200
    for method, where, body in (("PUT", path, {kind: {"description": "two"}}), ("DELETE", path, None),
                                ("PUT", f"{path}/tags/late", None)):
        lost = client.ask(method, where, body, If_Match=f"revision_number={seen}")
        assert (lost.status, lost.error["type"]) == (412, "RevisionNumberConstraintFailed")
        assert client.ask(method, where, body, If_Match="nonsense").status == 400
    after = client.get(path)[kind]
    assert (after["description"], after["tags"]) == ("one", [])
    assert client.ask("DELETE", path, If_Match=f"revision_number={seen + 1}").status == 204


@pytest.mark.parametrize("kind", KINDS)
def test_tags_are_replaced_added_removed_and_filtered_by(client, net, kind):
    one, path = made(client, net, kind)
    assert client.ask("PUT", f"{path}/tags", {"tags": ["red", "green", "red"]}).body == {"tags": ["green", "red"]}
    assert client.ask("PUT", f"{path}/tags/blue").status == 201
    assert client.get(f"{path}/tags") == {"tags": ["blue", "green", "red"]}
    assert client.get(path)[kind]["tags"] == ["blue", "green", "red"]
    assert client.ask("GET", f"{path}/tags/blue").status == 204
    for query, found in (("tags=red,blue", True), ("tags=red,none", False), ("tags-any=none,blue", True),
                         ("not-tags=red,none", True), ("not-tags=red,blue", False), ("not-tags-any=none", True),
                         ("not-tags-any=none,red", False)):
        listed = next(iter(client.get(f"/v2.0/{KINDS[kind]}?id={one['id']}&{query}").values()))
        assert bool(listed) is found, query
    assert client.ask("DELETE", f"{path}/tags/red").status == 204
    missing = client.ask("DELETE", f"{path}/tags/red")
    assert (missing.status, missing.error["type"]) == (404, "TagNotFound")
    assert client.ask("GET", f"{path}/tags/red").status == 404
    assert client.ask("DELETE", f"{path}/tags").status == 204
    assert client.get(f"{path}/tags") == {"tags": []}


def test_a_policys_tags_are_at_neutrons_address_too(client):
    made = client.create("policy", "qos/policies", name="tagged")
    path = f"/v2.0/policies/{made['id']}/tags"
    assert client.ask("PUT", path, {"tags": ["blue"]}).body == {"tags": ["blue"]}
    assert client.get(f"/v2.0/qos/policies/{made['id']}")["policy"]["tags"] == ["blue"] == client.get(path)["tags"]
    assert client.ask("DELETE", f"{path}/blue").status == 204 and client.get(path) == {"tags": []}
    for wrong in (f"/v2.0/policies/{made['id']}", "/v2.0/policies", f"{path}/a/b", "/v2.0/speakers/x/tags"):
        assert client.ask("GET", wrong).status == 404


def test_who_watches_says_that_a_port_is_down(api, client, net):
    port = client.create("port", network_id=net[0]["id"], name="watched")
    assert port["data_plane_status"] is None
    command, path = Openstack.by_token(api.url), f"/v2.0/ports/{port['id']}"
    command("port set --data-plane-status DOWN watched")
    assert client.get(path)["port"]["data_plane_status"] == "DOWN"
    assert command("port show watched")["data_plane_status"] == "DOWN"
    command("port unset --data-plane-status watched")
    assert client.get(path)["port"]["data_plane_status"] is None
    assert client.ask("PUT", path, {"port": {"data_plane_status": "BROKEN"}}).status == 400
    assert client.ask("POST", "/v2.0/ports", {"port": {"network_id": net[0]["id"], "data_plane_status": "DOWN"}}).status == 400


def test_new_ports_have_tags_at_once(client, net):
    body = {"ports": [{"network_id": net[0]["id"], "tags": tags} for tags in (["warm", "blue", "warm"], [])]}
    made = client.ask("POST", "/v2.0/ports", body)
    assert made.status == 201 and [one["tags"] for one in made.body["ports"]] == [["blue", "warm"], []]
    warm = made.body["ports"][0]
    assert [one["id"] for one in client.get("/v2.0/ports?tags=blue,warm")["ports"]] == [warm["id"]]
    assert client.ask("PUT", f"/v2.0/ports/{warm['id']}/tags", {"tags": ["cold"]}).body == {"tags": ["cold"]}
    for wrong in (["a,b"], [""], ["x" * 256], [7], "warm", [f"{number}" for number in range(51)]):
        refused = client.ask("POST", "/v2.0/ports", {"port": {"network_id": net[0]["id"], "tags": wrong}})
        assert refused.status == 400 and "tags" in refused.error["message"], wrong
    assert client.ask("PUT", f"/v2.0/ports/{warm['id']}", {"port": {"tags": ["warm"]}}).status == 400
    assert client.ask("POST", "/v2.0/networks", {"network": {"tags": ["warm"]}}).status == 400


def test_several_tags_are_added_at_once(client, net):
    _, path = made(client, net, "port")
    client.ask("PUT", f"{path}/tags", {"tags": ["first"]})
    assert client.ask("POST", f"{path}/tags", {"tags": ["second", "first", "third"]}).status in (200, 201)
    assert client.get(f"{path}/tags") == {"tags": ["first", "second", "third"]}


def test_a_tag_may_hold_what_an_address_must_encode(client, net):
    _, path = made(client, net, "network")
    assert client.ask("PUT", f"{path}/tags/a%2Fb%20%C3%A9%2525").status == 201
    assert client.get(f"{path}/tags") == {"tags": ["a/b é%25"]}
    assert client.ask("DELETE", f"{path}/tags/a%2Fb%20%C3%A9%2525").status == 204


@pytest.mark.parametrize("tags", [["x" * 256], [f"t{n}" for n in range(51)], [""], [1], [None], "red", ["a,b"], ["a\nb"],
                                  ["a\0b"], [["a"]], {}])
def test_wrong_tags_are_refused_and_nothing_changes(client, net, tags):
    _, path = made(client, net, "network")
    client.ask("PUT", f"{path}/tags", {"tags": ["kept"]})
    for method in ("PUT", "POST"):
        refused = client.ask(method, f"{path}/tags", {"tags": tags})
        assert refused.status == 400 and "tags" in refused.error["message"]
    assert client.get(f"{path}/tags") == {"tags": ["kept"]}


def test_a_list_is_walked_in_pages_by_its_links(api, client):
    network = client.create("network", project_id="paged")
    client.ask("PUT", "/v2.0/quotas/paged", {"quota": {"port": -1}})
    made = client.ask("POST", "/v2.0/ports", {"ports": [{"network_id": network["id"], "project_id": "paged"}] * 100}).body
    assert len(made["ports"]) == 100
    path, seen = f"/v2.0/ports?limit=7&network_id={network['id']}&sort_key=mac_address&sort_dir=desc", []
    while path:
        page = client.get(path)
        assert 0 < len(page["ports"]) <= 7
        seen += page["ports"]
        links = {link["rel"]: link["href"] for link in page.get("ports_links", [])}
        path = links.get("next", "").removeprefix(api.url)
        last = links.get("previous", "").removeprefix(api.url)
    assert [one["mac_address"] for one in seen] == sorted((one["mac_address"] for one in made["ports"]), reverse=True)
    before = client.get(last)["ports"]
    assert [one["id"] for one in before] == [one["id"] for one in seen[-len(before) - 2:-2]]


def test_a_list_is_sorted_by_several_keys(client):
    for name, mtu in (("b", 1300), ("a", 1300), ("a", 1400)):
        client.create("network", name=name, mtu=mtu, project_id="sorted")
    listed = client.get("/v2.0/networks?project_id=sorted&sort_key=name&sort_dir=asc&sort_key=mtu&sort_dir=desc")
    assert [(one["name"], one["mtu"]) for one in listed["networks"]] == [("a", 1400), ("a", 1300), ("b", 1300)]


def test_an_unknown_sort_key_is_refused(client):
    for query in ("sort_key=nonsense&sort_dir=asc", "sort_key=key", "sort_key=name&sort_dir=up",
                  "sort_key=name&sort_dir=asc&sort_dir=desc"):
        refused = client.ask("GET", f"/v2.0/networks?{query}")
        assert (refused.status, refused.error["type"]) == (400, "HTTPBadRequest")


def test_an_unknown_filter_is_refused(client):
    for query in ("nonsense=1", "key=1", "written_by=x", "admin_state_up=maybe"):
        refused = client.ask("GET", f"/v2.0/networks?{query}")
        assert refused.status == 400 and query.partition("=")[0] in refused.error["message"]


def test_an_empty_filter_finds_what_is_empty(client, net):
    plain = client.create("port", network_id=net[0]["id"])
    used = client.create("port", network_id=net[0]["id"], device_id="vm")
    found = client.get(f"/v2.0/ports?device_id=&network_id={net[0]['id']}")["ports"]
    assert [one["id"] for one in found] == [plain["id"]]
    either = client.get(f"/v2.0/ports?device_id=&device_id=vm&network_id={net[0]['id']}")["ports"]
    assert {one["id"] for one in either} == {plain["id"], used["id"]}


def test_ports_are_found_by_a_part_of_their_address(client):
    network = client.create("network")
    client.create("subnet", network_id=network["id"], ip_version=4, cidr="192.168.7.0/24")
    for last in (17, 117, 20):
        client.create("port", network_id=network["id"], fixed_ips=[{"ip_address": f"192.168.7.{last}"}])
    found = client.get(f"/v2.0/ports?fixed_ips=ip_address_substr=17&network_id={network['id']}")["ports"]
    assert {one["fixed_ips"][0]["ip_address"] for one in found} == {"192.168.7.17", "192.168.7.117"}
    exact = client.get(f"/v2.0/ports?fixed_ips=ip_address=192.168.7.17&network_id={network['id']}")["ports"]
    assert len(exact) == 1


# ---- quality of service

def test_a_policy_with_its_rules_lives_and_dies(client):
    gold = client.create("policy", "qos/policies", name="gold", description="the best")
    assert gold["rules"] == [] and not gold["shared"]
    base = f"/v2.0/qos/policies/{gold['id']}"
    made = client.create("bandwidth_limit_rule", f"{base[6:]}/bandwidth_limit_rules", max_kbps=3000, direction="ingress")
    assert client.get(base)["policy"]["rules"] == [{**made, "type": "bandwidth_limit", "qos_policy_id": gold["id"]}]
    port = client.create("port", network_id=client.create("network", qos_policy_id=gold["id"])["id"])
    assert (port["qos_policy_id"], port["qos_network_policy_id"]) == (None, gold["id"])
    assert client.ask("DELETE", base).error["type"] == "QosPolicyInUse"
    client.ask("PUT", f"/v2.0/networks/{port['network_id']}", {"network": {"qos_policy_id": None}})
    changed = client.ask("PUT", f"{base}/bandwidth_limit_rules/{made['id']}", {"bandwidth_limit_rule": {"max_kbps": 4000}})
    assert changed.body["bandwidth_limit_rule"]["max_kbps"] == 4000
    assert client.ask("DELETE", base).status == 204


def test_packets_are_limited_too(client):
    gold = client.create("policy", "qos/policies", name="gold")
    path = f"qos/policies/{gold['id']}/packet_rate_limit_rules"
    made = client.create("packet_rate_limit_rule", path, max_kpps=3)
    assert (made["max_kpps"], made["max_burst_kpps"], made["direction"]) == (3, 0, "egress")
    again = client.ask("POST", f"/v2.0/{path}", {"packet_rate_limit_rule": {"max_kpps": 4}})
    assert (again.status, again.error["type"]) == (409, "QoSRulesConflict")


def test_a_project_has_a_default_policy(client):
    gold = client.create("policy", "qos/policies", name="gold", project_id="rich", is_default=True)
    assert client.create("network", project_id="rich")["qos_policy_id"] == gold["id"]


def test_types_of_rules_say_what_they_may_say(client):
    types = {one["type"]: one for one in client.get("/v2.0/qos/rule-types")["rule_types"]}
    assert types.keys() == {"bandwidth_limit", "dscp_marking", "minimum_bandwidth", "packet_rate_limit"}
    (driver,) = client.get("/v2.0/qos/rule-types/bandwidth_limit")["rule_type"]["drivers"]
    said = {one["parameter_name"]: one for one in driver["supported_parameters"]}
    assert said["max_kbps"]["parameter_values"] == {"start": 1, "end": 2147483647}
    assert set(said["direction"]["parameter_values"]) == {"egress", "ingress"}
    assert client.ask("GET", "/v2.0/qos/rule-types/nonsense").status == 404


def test_types_of_rules_are_those_that_are_served_or_all(client):
    served = [one["type"] for one in client.get("/v2.0/qos/rule-types")["rule_types"]]
    assert [one["type"] for one in client.get("/v2.0/qos/rule-types?all_supported=true")["rule_types"]] == served
    found = client.get("/v2.0/qos/rule-types?all_rules=true")["rule_types"]
    assert {one["type"] for one in found} - set(served) == {"minimum_packet_rate"}
    assert {one["type"] for one in found if not one["drivers"]} == {"minimum_packet_rate"}
    assert [one["type"] for one in client.get("/v2.0/qos/rule-types?all_rules=false")["rule_types"]] == served
    assert "all_rules" not in found[0]


def test_a_rule_is_found_without_its_policy(client):
    gold = client.create("policy", "qos/policies", name="gold")
    made = client.create("dscp_marking_rule", f"qos/policies/{gold['id']}/dscp_marking_rules", dscp_mark=10)
    path = f"/v2.0/qos/alias_dscp_marking_rules/{made['id']}"
    assert client.get(path)["alias_dscp_marking_rule"] == made
    changed = client.ask("PUT", path, {"alias_dscp_marking_rule": {"dscp_mark": 12}})
    assert changed.body["alias_dscp_marking_rule"]["dscp_mark"] == 12
    assert client.ask("DELETE", path).status == 204


# ---- what clients ask about the service itself

def test_the_controller_is_an_agent_that_is_alive(api, client):
    api.model.live["controller"] = lambda _: {"host": "here", "since": "2026-01-01T00:00:00Z", "now": "2026-01-01T00:01:00Z"}
    (agent,) = client.get("/v2.0/agents?binary=hadron&sort_key=host&sort_dir=desc")["agents"]
    assert (agent["alive"], agent["host"], agent["heartbeat_timestamp"]) == (True, "here", "2026-01-01T00:01:00Z")
    assert client.get(f"/v2.0/agents/{agent['id']}")["agent"] == agent
    assert client.get("/v2.0/agents?alive=false")["agents"] == []
    assert client.ask("DELETE", f"/v2.0/agents/{agent['id']}").status == 405


def test_subnets_of_external_networks_are_pools_of_floating_ips(client):
    outside = client.create("network", provider__network_type="flat", provider__physical_network="pools", router__external=True)
    subnet = client.create("subnet", network_id=outside["id"], ip_version=4, cidr="203.0.113.0/24", name="pool")
    found = [one for one in client.get("/v2.0/floatingip_pools")["floatingip_pools"] if one["network_id"] == outside["id"]]
    assert [(one["subnet_id"], one["subnet_name"], one["cidr"]) for one in found] == [(subnet["id"], "pool", "203.0.113.0/24")]


def test_a_port_says_how_it_came_to_its_addresses(client, net):
    assert client.create("port", network_id=net[0]["id"])["ip_allocation"] == "immediate"
    assert client.create("port", network_id=net[0]["id"], fixed_ips=[])["ip_allocation"] == "none"


def test_a_network_says_that_its_ports_are_neighbours(client, net):
    assert client.get(f"/v2.0/networks/{net[0]['id']}")["network"]["l2_adjacency"] is True


def test_a_multicast_address_is_no_allowed_address(client, net):
    refused = client.ask("POST", "/v2.0/ports", {"port": {
        "network_id": net[0]["id"], "allowed_address_pairs": [{"ip_address": "224.0.0.5"}]}})
    assert refused.status == 400 and "allowed_address_pairs" in refused.error["message"]


def test_a_floating_ip_has_a_policy(client):
    outside = client.create("network", provider__network_type="flat", provider__physical_network="limited", router__external=True)
    client.create("subnet", network_id=outside["id"], ip_version=4, cidr="203.0.113.0/24")
    gold, silver = (client.create("policy", "qos/policies", name=name) for name in ("gold", "silver"))
    client.create("bandwidth_limit_rule", f"qos/policies/{gold['id']}/bandwidth_limit_rules", max_kbps=1000)
    client.create("dscp_marking_rule", f"qos/policies/{silver['id']}/dscp_marking_rules", dscp_mark=10)
    client.ask("PUT", f"/v2.0/networks/{outside['id']}", {"network": {"qos_policy_id": silver["id"]}})
    floating = client.create("floatingip", floating_network_id=outside["id"], qos_policy_id=gold["id"])
    assert (floating["qos_policy_id"], floating["qos_network_policy_id"]) == (gold["id"], silver["id"])
    refused = client.ask("PUT", f"/v2.0/floatingips/{floating['id']}", {"floatingip": {"qos_policy_id": silver["id"]}})
    assert (refused.status, refused.error["type"]) == (409, "QosRuleNotSupported")
    refused = client.ask("POST", f"/v2.0/qos/policies/{gold['id']}/dscp_marking_rules", {"dscp_marking_rule": {"dscp_mark": 8}})
    assert (refused.status, refused.error["type"]) == (409, "QosRuleNotSupported")
