"""Sharing over HTTP and by the `openstack` command: who is shown what, and what `shared` says to whom."""
from __future__ import annotations

import pytest

from tests.kit.openstack import Openstack
from tests.kit.people import PASSWORD, town

PATHS = {"network": "networks", "security_group": "security-groups", "address_scope": "address-scopes", "subnetpool": "subnetpools",
         "qos_policy": "qos/policies", "address_group": "address-groups"}
MEMBERS = {"qos_policy": "policy"}
BODIES = {"address_scope": {"ip_version": 4}, "subnetpool": {"prefixes": ["10.0.0.0/16"]}}
SERVED = {"tokens": True}


def made(people, kind):
    member = MEMBERS.get(kind, kind)
    return people["admin"].create(member, PATHS[kind], name="shared", project_id="one", **BODIES.get(kind, {}))


def share(client, kind, id, target, action="access_as_shared"):
    return client.create("rbac_policy", "rbac-policies", object_type=kind, object_id=id, action=action, target_tenant=target)


def test_a_network_is_shared_with_one_project_and_taken_back(people):
    ann, bob, eve = people["ann"], people["bob"], people["eve"]
    network = ann.create("network", name="for two")
    path = f"/v2.0/networks/{network['id']}"
    assert bob.ask("GET", path).status == 404
    policy = share(ann, "network", network["id"], "two")
    assert set(policy) == {"id", "project_id", "tenant_id", "object_type", "object_id", "action", "target_tenant"}
    assert bob.get(path)["network"]["shared"] is True and ann.get(path)["network"]["shared"] is False
    assert eve.ask("GET", path).status == 404 and network["id"] in [one["id"] for one in bob.get("/v2.0/networks")["networks"]]
    port = bob.create("port", network_id=network["id"])
    kept = ann.ask("DELETE", f"/v2.0/rbac-policies/{policy['id']}")
    assert (kept.status, kept.error["type"]) == (409, "RbacPolicyInUse") and port["id"] in kept.error["message"]
    assert bob.ask("GET", f"/v2.0/rbac-policies/{policy['id']}").status == 404
    assert bob.ask("DELETE", f"/v2.0/ports/{port['id']}").status == 204
    moved = ann.ask("PUT", f"/v2.0/rbac-policies/{policy['id']}", {"rbac_policy": {"target_tenant": "three"}})
    assert moved.body["rbac_policy"]["target_tenant"] == "three" and eve.get(path)["network"]["shared"] is True
    assert ann.ask("DELETE", f"/v2.0/rbac-policies/{policy['id']}").status == 204
    assert eve.ask("GET", path).status == bob.ask("GET", path).status == 404


@pytest.mark.parametrize("kind", PATHS)
def test_every_kind_that_can_be_shared_is(people, kind):
    one = made(people, kind)
    path = f"/v2.0/{PATHS[kind]}/{one['id']}"
    member = MEMBERS.get(kind, kind)
    assert people["bob"].ask("GET", path).status == 404
    policy = share(people["ann"], kind, one["id"], "two")
    assert people["bob"].get(path)[member]["shared"] is True
    assert people["eve"].ask("GET", path).status == 404
    assert people["bob"].ask("PUT", path, {member: {"name": "mine"}}).status == 403
    assert people["rob"].ask("DELETE", f"/v2.0/rbac-policies/{policy['id']}").status == 403
    found = people["ann"].get(f"/v2.0/rbac-policies?object_type={kind}&object_id={one['id']}")["rbac_policies"]
    assert [each["id"] for each in found] == [policy["id"]]
    assert people["admin"].ask("DELETE", path).status == 204
    assert people["ann"].ask("GET", f"/v2.0/rbac-policies/{policy['id']}").status == 404


def test_what_is_shared_with_the_asker_is_marked_and_found_by_that(people):
    ann, bob = people["ann"], people["bob"]
    group, own = ann.create("security_group", name="lent"), bob.create("security_group", name="own")
    share(ann, "security_group", group["id"], "two")

    def found(client, shared):
        groups = client.get(f"/v2.0/security-groups?shared={shared}")["security_groups"]
        assert {one["shared"] for one in groups} <= {shared == "true"}
        return {one["id"] for one in groups}
    assert group["id"] in found(bob, "true") and own["id"] in found(bob, "false")
    assert group["id"] not in found(bob, "false") | found(ann, "true")
    assert bob.get(f"/v2.0/security-groups/{group['id']}?fields=shared") == {"security_group": {"shared": True}}
    assert bob.get(f"/v2.0/security-groups?id={group['id']}&fields=shared&fields=id")["security_groups"] == [
        {"id": group["id"], "shared": True}]
    listed = bob.get("/v2.0/security-groups?sort_key=shared&sort_dir=desc")["security_groups"]
    assert [one["shared"] for one in listed] == sorted((one["shared"] for one in listed), reverse=True)
    for client, shown in ((bob, True), (ann, False), (bob, True)):           # rendered once, and not for the wrong one
        assert client.get(f"/v2.0/security-groups/{group['id']}")["security_group"]["shared"] is shown


def test_sharing_with_all_is_for_administrators(people):
    network = people["ann"].create("network")
    refused = people["ann"].ask("POST", "/v2.0/rbac-policies", {"rbac_policy": {
        "object_type": "network", "object_id": network["id"], "action": "access_as_shared", "target_tenant": "*"}})
    assert (refused.status, refused.error["type"]) == (403, "PolicyNotAuthorized")
    policy = share(people["admin"], "network", network["id"], "*")
    assert people["eve"].get(f"/v2.0/networks/{network['id']}")["network"]["shared"] is True
    unshared = people["admin"].ask("PUT", f"/v2.0/networks/{network['id']}", {"network": {"shared": False}})
    assert unshared.body["network"]["shared"] is False
    assert people["admin"].ask("GET", f"/v2.0/rbac-policies/{policy['id']}").status == 404
    shared = people["admin"].ask("PUT", f"/v2.0/networks/{network['id']}", {"network": {"shared": True}})
    assert shared.body["network"]["shared"] is True


def test_the_command_shares_a_network():
    with town() as place:
        def command(name, project):
            return Openstack.by_password(f"{place.url}/v3", name, PASSWORD.format(name), project)
        ann, bob = command("ann", "red"), command("bob", "blue")
        network = ann("network create by-command")
        made = ann("network rbac create --type network --action access_as_shared --target-project blue by-command")
        assert (made["object_type"], made["object_id"], made["target_project_id"], made["action"]) == (
            "network", network["id"], "blue", "access_as_shared")
        assert bob("network show by-command")["shared"] is True
        assert [one["Name"] for one in bob("network list --share")] == ["by-command"]
        assert made["id"] in [one["ID"] for one in ann("network rbac list --long")]
        assert ann(f"network rbac show {made['id']}")["project_id"] == "red"
        ann(f"network rbac set --target-project service {made['id']}")
        assert ann(f"network rbac show {made['id']}")["target_project_id"] == "service"
        assert bob("network list") == [] == ann("network rbac list --type security_group")
        assert "403" in ann.fails("network rbac create --type network --action access_as_shared --target-all-projects by-command")
        command("root", "admin")(f"network rbac create --type network --action access_as_shared --target-all-projects {network['id']}")
        assert [one["Name"] for one in bob("network list")] == ["by-command"]
        ann(f"network rbac delete {made['id']}")
