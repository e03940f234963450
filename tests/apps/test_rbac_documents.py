"""Sharing with some projects or with all: who sees and uses what, and that nobody loses what they use."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Forbidden, Invalid
from controller.policy import Context
from controller.store import Write
from controller.store.memory import MemoryStore
from tests.kit.net import Net
from tests.kit.outside import external
from tests.kit.talk import tcp, udp
from tests.kit.worlds import ADMIN, ANN, BOB, World, core, refused

EVE = Context(project_id="e" * 32, roles=frozenset({"member"}), user="eve")
SHARED = [one.kind for one in core().values() if one.shares]


def share(world: World, row: Any, target: str, by: Context = ANN, action: str = "access_as_shared") -> Any:
    return world.make("rbac_policy", by, object_type=row.KIND, object_id=row.id, action=action, target_tenant=target)


def sees(world: World, who: Context, row: Any) -> bool:
    """Whether somebody sees an object, in both ways to look."""
    resource = world.resources[row.KIND]
    one = world.writer.policy.may(who, resource, "get", world.now(row))
    assert (world.now(row) in world.writer.policy.visible(who, resource)) == one
    return one


def made(world: World, kind: str) -> Any:
    more = {"subnetpool": {"prefixes": ["10.0.0.0/16"], "default_prefixlen": 24, "name": "pool"}, "address_scope": {"ip_version": 4},
            "qos_policy": {"name": "gold"}, "address_group": {"name": "some"}}.get(kind, {})
    return world.make(kind, ADMIN, project_id=ANN.project_id, **more)


@pytest.mark.parametrize("kind", SHARED)
def test_what_is_shared_with_a_project_is_seen_by_it_and_by_no_other_until_it_is_taken_back(world: World, kind: str) -> None:
    row = made(world, kind)
    assert not sees(world, BOB, row)
    policy = share(world, row, BOB.project_id)
    assert sees(world, BOB, row) and not sees(world, EVE, row)
    with pytest.raises(Forbidden):
        world.change(row, BOB, name="mine")
    with pytest.raises(Forbidden):
        world.drop(row, BOB)
    moved = world.change(policy, target_tenant=EVE.project_id)
    assert moved.target_tenant == EVE.project_id and sees(world, EVE, row) and not sees(world, BOB, row)
    world.drop(policy)
    assert not sees(world, EVE, row)


@pytest.mark.parametrize("kind", SHARED)
def test_sharing_with_all_is_for_administrators_and_is_the_attribute(world: World, kind: str) -> None:
    row = made(world, kind)
    with pytest.raises(Forbidden, match="target_tenant"):
        share(world, row, "*")
    mine = share(world, row, BOB.project_id)
    with pytest.raises(Forbidden, match="target_tenant"):
        world.change(mine, target_tenant="*")
    policy = share(world, row, "*", ADMIN)
    assert sees(world, EVE, row) and world.show(row)["shared"] is True
    world.drop(mine)
    assert sees(world, BOB, row)
    world.drop(policy, ADMIN)
    assert not sees(world, EVE, row) and world.show(row)["shared"] is False


def test_setting_the_attribute_makes_and_removes_the_policy(world: World) -> None:
    network = world.make("network", ADMIN, shared=True, project_id=ANN.project_id)
    [policy] = world.model.rows["rbac_policy"].values()
    assert (policy.object_id, policy.action, policy.target_tenant, policy.project_id) == (
        network.id, "access_as_shared", "*", ANN.project_id)
    world.change(network, ADMIN, shared=True)
    assert len(world.model.rows["rbac_policy"]) == 1
    with pytest.raises(Forbidden, match="shared"):
        world.change(network, shared=False)
    assert world.change(network, shared=True).revision_number == 0         # anybody may repeat what is
    kept = share(world, network, BOB.project_id)
    changed = world.change(network, ADMIN, shared=False, name="renamed")
    assert changed.name == "renamed" and changed.revision_number > 0
    assert list(world.model.rows["rbac_policy"].values()) == [kept]
    world.drop(network)
    assert not world.model.rows["rbac_policy"]


def test_ports_of_others_keep_a_network_shared_with_them(world: World) -> None:
    network = world.network("10.0.0.0/24")
    policy = share(world, network, BOB.project_id)
    port = world.make("port", BOB, network_id=network.id)
    for attempt in (lambda: world.drop(policy), lambda: world.change(policy, target_tenant=EVE.project_id)):
        with refused("RbacPolicyInUse"):
            attempt()
    wider = share(world, network, "*", ADMIN)
    world.drop(policy)
    with refused("RbacPolicyInUse"):
        world.drop(wider, ADMIN)
    with refused("InvalidSharedSetting"):
        world.change(network, ADMIN, shared=False)
    narrower = share(world, network, BOB.project_id)
    world.change(network, ADMIN, shared=False)
    world.drop(port, BOB)
    world.drop(narrower)


def test_a_subnet_of_a_shared_network_is_seen_with_it(world: World) -> None:
    network = world.network("10.0.0.0/24")
    [subnet] = world.model.find("subnet", "network_id", network.id)
    assert not sees(world, BOB, subnet)
    share(world, network, BOB.project_id)
    assert sees(world, BOB, subnet) and not sees(world, EVE, subnet)
    with pytest.raises(Forbidden):
        world.make("subnet", BOB, network_id=network.id, ip_version=4, cidr="10.1.0.0/24")


def test_groups_pools_scopes_and_policies_are_kept_shared_by_those_who_use_them(world: World) -> None:
    mine, empty = world.network("10.9.0.0/24", by=BOB), world.make("network", BOB)
    group, pool, scope, qos = (made(world, kind) for kind in ("security_group", "subnetpool", "address_scope", "qos_policy"))
    policies = {row.KIND: share(world, row, BOB.project_id) for row in (group, pool, scope, qos)}
    users = {"security_group": world.make("port", BOB, network_id=mine.id, security_groups=[group.id]),
             "subnetpool": world.make("subnet", BOB, network_id=empty.id, ip_version=4, subnetpool_id=pool.id),
             "address_scope": world.make("subnetpool", BOB, name="bobs", prefixes=["10.5.0.0/16"], address_scope_id=scope.id),
             "qos_policy": world.make("network", BOB, qos_policy_id=qos.id)}
    for kind, user in users.items():
        with refused("RbacPolicyInUse"):
            world.drop(policies[kind])
        world.drop(user, BOB)
        world.drop(policies[kind])
    with refused("SecurityGroupNotFound"):
        world.make("port", BOB, network_id=mine.id, security_groups=[group.id])


def test_an_external_network_may_be_for_one_project_only(world: World) -> None:
    network = external(world)
    [everybody] = [row for row in world.model.rows["rbac_policy"].values() if row.action == "access_as_external"]
    assert everybody.target_tenant == "*" and sees(world, BOB, network)
    own = share(world, network, ANN.project_id, ADMIN, "access_as_external")
    world.drop(everybody, ADMIN)
    assert sees(world, ANN, network) and not sees(world, BOB, network) and world.now(network).router_external
    with refused("NetworkNotFound"):
        world.make("router", BOB, external_gateway_info={"network_id": network.id})
    router = world.make("router", external_gateway_info={"network_id": network.id})
    with refused("RbacPolicyInUse"):
        world.drop(own, ADMIN)
    world.drop(router)
    world.drop(own, ADMIN)
    assert not world.now(network).router_external
    again = share(world, network, BOB.project_id, ADMIN, "access_as_external")
    assert world.now(network).router_external and sees(world, BOB, network) and not sees(world, ANN, network)
    world.change(network, ADMIN, router__external=False)
    assert world.now(again) is None


def test_a_network_in_tunnels_leads_nowhere_and_cannot_be_shared_as_external(world: World) -> None:
    network = world.make("network")
    with pytest.raises(Invalid, match="^action: .*flat and vlan"):
        share(world, network, BOB.project_id, ANN, "access_as_external")
    assert not world.model.rows["rbac_policy"]


@pytest.mark.parametrize(("more", "type", "words"), [
    ({"object_type": "port"}, "InvalidInput", "^object_type: must be one of .*network"),
    ({"object_type": "nonsense"}, "InvalidInput", "^object_type: "), ({"action": "access_as_king"}, "InvalidActionForType", "^action: "),
    ({"object_type": "security_group"}, "SecurityGroupNotFound", ""),
    ({"object_id": "deadbeef-0000-4000-8000-000000000000"}, "NetworkNotFound", ""), ({"target_tenant": ""}, "InvalidInput", "^target_tenant: "),
    ({"object_id": "x"}, "InvalidInput", "^object_id: "), ({"action": None}, "InvalidInput", "^action: "),
    ({"nonsense": 1}, "InvalidInput", "^nonsense: ")])
def test_a_wrong_policy_is_refused_and_changes_nothing(world: World, more: dict, type: str, words: str) -> None:
    network = world.make("network")
    right = {"object_type": "network", "object_id": network.id, "action": "access_as_shared", "target_tenant": BOB.project_id}
    with refused(type):
        world.make("rbac_policy", **{**right, **more})
    if words:
        with pytest.raises(Invalid, match=words):
            world.make("rbac_policy", **{**right, **more})
    assert not world.model.rows["rbac_policy"]


def test_a_policy_is_there_once_and_for_its_owner_to_see(world: World) -> None:
    network = world.make("network")
    policy = share(world, network, BOB.project_id)
    with refused("DuplicateRbacPolicy"):
        share(world, network, BOB.project_id, ADMIN)
    assert sees(world, ANN, policy) and sees(world, ADMIN, policy) and not sees(world, BOB, policy)
    with refused("RbacPolicyNotFound"):
        world.drop(policy, BOB)


def test_only_the_owner_and_administrators_share_what_others_may_merely_use(world: World) -> None:
    network = world.make("network")
    share(world, network, BOB.project_id)
    with pytest.raises(Invalid, match="^object_id: .*another project"):
        share(world, network, EVE.project_id, BOB)
    with refused("NetworkNotFound"):
        share(world, network, BOB.project_id, EVE)
    assert share(world, network, EVE.project_id, ADMIN).project_id == ADMIN.project_id


def test_policies_count_in_the_quota() -> None:
    world = World(quotas={"rbac_policy": 1})
    network = world.make("network")
    share(world, network, BOB.project_id)
    with refused("OverQuota"):
        share(world, network, EVE.project_id)


def test_a_store_from_before_there_were_policies_is_understood() -> None:
    store = MemoryStore()
    store.commit([Write("network", "n1", {"id": "n1", "project_id": ANN.project_id, "name": "old", "shared": True, "key": 1,
                                          "provider:network_type": "vxlan", "provider:segmentation_id": 5}),
                  Write("network", "n2", {"id": "n2", "project_id": ANN.project_id, "shared": False, "router:external": True, "key": 2,
                                          "provider:network_type": "flat", "provider:physical_network": "wan"}),
                  Write("network", "n3", {"id": "n3", "project_id": ANN.project_id, "shared": False, "key": 3,
                                          "provider:network_type": "vxlan", "provider:segmentation_id": 6})])
    for _ in range(2):
        world = World(store)
        found = sorted((row.object_id, row.action, row.target_tenant) for row in world.model.rows["rbac_policy"].values())
        assert found == [("n1", "access_as_shared", "*"), ("n2", "access_as_external", "*")]
        assert {row.id for row in world.writer.policy.visible(BOB, world.resources["network"])} == {"n1", "n2"}


def test_a_group_of_another_project_guards_the_ports_that_use_it(net: Net) -> None:
    net.network("red", shared=True)
    group = net.group("web")
    net.rule(group, protocol="tcp", ports=80)
    net.rule(group, protocol="udp", remote=group)
    ours, theirs = net.port("ours", on="host1", groups=[group]), net.port("theirs", on="host2", groups=[group], project_id="other")
    for said in (tcp(ours, theirs, 80), tcp(theirs, ours, 80), udp(ours, theirs, 53), udp(theirs, ours, 53)):
        net.passes(said)
    for said in (tcp(ours, theirs, 81), tcp(theirs, ours, 81)):
        net.send(said).reaches_nobody("no rule of the receiver's groups allows it")
