"""The write path: all or nothing, on disk when it returns, and never beyond what the asker may do."""
from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from controller.errors import Conflict, Forbidden, Invalid, Missing, OverQuota, Stale
from controller.store import StoreError
from controller.store.memory import MemoryStore
from controller.write import Context
from tests.derived.bodies import state
from tests.kit.worlds import ADMIN, ANN, BOB, World, two_tenants

READER = Context(project_id=ANN.project_id, roles=frozenset({"reader"}), user="rea")


class Failing(MemoryStore):
    """A store whose disk is full at will."""

    full = False

    def commit(self, writes: Any, expecting: Any = MappingProxyType({})) -> int:
        if self.full:
            raise StoreError("disk full")
        return super().commit(writes, expecting)


# ---- revisions and time

def test_each_change_counts_and_is_dated() -> None:
    world = World()
    network = world.make("network", name="blue")
    assert (network.revision_number, network.created_at, network.updated_at) == (
        0, "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z")
    world.clock.tick(5)
    network = world.change(network, name="green")
    assert (network.revision_number, network.created_at, network.updated_at) == (
        1, "2024-01-01T00:00:00Z", "2024-01-01T00:00:05Z")
    assert network.written_by == "ann"


def test_a_change_of_nothing_is_no_revision() -> None:
    world = World()
    network = world.make("network", name="blue")
    revision = world.store.revision
    assert world.change(network, name="blue") == network and world.store.revision == revision


def test_who_has_seen_another_revision_is_refused() -> None:
    world = World()
    network = world.make("network")
    world.writer.update(ANN, "network", network.id, {"name": "a"}, revision=0)
    with pytest.raises(Stale):
        world.writer.update(ANN, "network", network.id, {"name": "b"}, revision=0)
    with pytest.raises(Stale):
        world.writer.delete(ANN, "network", network.id, revision=0)
    assert world.now(network).name == "a"
    world.writer.delete(ANN, "network", network.id, revision=1)


def test_a_new_part_revises_the_whole() -> None:
    world = World()
    group = world.make("security_group", name="web")
    rule = world.make("security_group_rule", security_group_id=group.id, direction="ingress")
    assert world.now(group).revision_number == group.revision_number + 1
    world.drop(rule)
    assert world.now(group).revision_number == group.revision_number + 2


def test_tags_are_set_by_themselves() -> None:
    world = World()
    network = world.make("network")
    assert world.writer.tag(ANN, "network", network.id, ["a", "b"]).tags == ("a", "b")
    with pytest.raises(Invalid, match="tags: must not have more than 50"):
        world.writer.tag(ANN, "network", network.id, [str(number) for number in range(51)])
    with pytest.raises(Missing):
        world.writer.tag(BOB, "network", network.id, [])


# ---- whose

def test_another_projects_objects_are_not_there() -> None:
    world, ports = two_tenants()
    mine, theirs = ports[ANN][0], ports[BOB][0]
    for act in (lambda: world.change(theirs, name="x"), lambda: world.drop(theirs),
                lambda: world.make("port", network_id=theirs.network_id),
                lambda: world.change(mine, security_groups=list(theirs.security_groups)),
                lambda: world.make("subnet", network_id=theirs.network_id, ip_version=4, cidr="10.9.0.0/24")):
        before = state(world)
        with pytest.raises(Missing):
            act()
        assert state(world) == before


def test_only_administrators_write_for_others() -> None:
    world = World()
    with pytest.raises(Forbidden, match="project_id"):
        world.make("network", project_id=BOB.project_id)
    with pytest.raises(Forbidden, match="project_id"):
        world.make("network", tenant_id=BOB.project_id)
    assert world.make("network", ADMIN, project_id=BOB.project_id).project_id == BOB.project_id
    assert world.make("network", tenant_id=ANN.project_id).project_id == ANN.project_id


def test_the_two_names_of_a_project_must_agree() -> None:
    world = World()
    with pytest.raises(Invalid, match="^(tenant|project)_id: must be the same as"):
        world.make("network", ADMIN, project_id="a", tenant_id="b")
    assert world.make("network", ADMIN, project_id="a", tenant_id="a").project_id == "a"


def test_readers_only_read() -> None:
    world = World()
    network = world.make("network")
    for act in (lambda: world.make("network", READER), lambda: world.change(network, READER, name="x"),
                lambda: world.drop(network, READER)):
        with pytest.raises(Forbidden):
            act()
    assert world.writer.policy.visible(READER, world.resources["network"]) == [world.now(network)]


def test_what_is_for_administrators_is_refused_to_others_unless_it_is_the_default() -> None:
    world = World()
    for name, value in (("shared", True), ("provider:network_type", "gre"), ("provider:segmentation_id", 7)):
        with pytest.raises(Forbidden, match=name):
            world.writer.create(ANN, "network", [{name: value}])
    network = world.make("network", shared=False)
    with pytest.raises(Forbidden, match="binding:host_id"):
        world.make("port", network_id=network.id, binding__host_id="host1")
    assert "provider:network_type" not in world.show(network) and "provider:network_type" in world.show(network, ADMIN)


def test_visible_rows_are_those_that_may_be_seen_one_by_one() -> None:
    world, _ = two_tenants()
    shared = world.network("10.5.0.0/24", by=ADMIN, shared=True)
    world.make("port", network_id=shared.id)
    for who in (ANN, BOB, ADMIN, READER, Context()):
        for kind, resource in world.resources.items():
            allowed = [row for row in world.model.find(kind, "all", True)
                       if world.writer.policy.may(who, resource, "list", row)]
            assert world.writer.policy.visible(who, resource) == allowed, (who, kind)


def test_a_shared_network_is_used_by_all_and_changed_by_its_owner() -> None:
    world = World()
    shared = world.network("10.5.0.0/24", by=ADMIN, shared=True)
    port = world.make("port", network_id=shared.id)
    assert port.fixed_ips[0].ip_address == "10.5.0.2"
    subnet = world.model.find("subnet", "network_id", shared.id)[0]
    for act in (lambda: world.change(shared, name="mine"), lambda: world.drop(shared), lambda: world.drop(subnet),
                lambda: world.make("subnet", network_id=shared.id, ip_version=4, cidr="10.6.0.0/24"),
                lambda: world.make("port", network_id=shared.id, mac_address="fa:16:3e:11:11:11"),
                lambda: world.make("port", network_id=shared.id, port_security_enabled=False),
                lambda: world.make("port", network_id=shared.id, allowed_address_pairs=[{"ip_address": "10.5.0.9"}]),
                lambda: world.make("port", network_id=shared.id, fixed_ips=[{"ip_address": "10.5.0.9"}])):
        with pytest.raises(Forbidden):
            act()
    assert world.make("port", network_id=shared.id, fixed_ips=[{"subnet_id": subnet.id}]).fixed_ips
    with pytest.raises(Conflict) as refused:
        world.change(shared, ADMIN, shared=False)
    assert refused.value.type == "InvalidSharedSetting"


# ---- quotas

def test_a_quota_is_exact_also_within_one_request() -> None:
    world = World(quotas={"network": 3})
    world.make("network")
    with pytest.raises(OverQuota):
        world.writer.create(ANN, "network", [{}, {}, {}])
    assert world.model.count("network", "project_id", ANN.project_id) == 1
    world.writer.create(ANN, "network", [{}, {}])
    with pytest.raises(OverQuota):
        world.make("network")
    world.make("network", BOB)
    world.drop(world.model.find("network", "project_id", ANN.project_id)[0])
    world.make("network")


def test_a_project_may_have_a_quota_of_its_own() -> None:
    world = World()
    quota = world.make("quota", ADMIN, project_id=ANN.project_id, network=1)
    world.make("network")
    with pytest.raises(OverQuota):
        world.make("network")
    world.change(quota, ADMIN, network=-1)
    for _ in range(120):
        world.make("network")
    with pytest.raises(Forbidden):
        world.change(quota, ANN, network=5)
    assert world.writer.quota("network", str(ANN.project_id)) == -1
    assert world.writer.quota("network", str(BOB.project_id)) == 100


# ---- all or nothing

def test_a_commit_that_fails_leaves_nothing_and_what_follows_works() -> None:
    store = Failing()
    world = World(store)
    network = world.network("10.0.0.0/24")
    before = state(world)
    store.full = True
    with pytest.raises(StoreError):
        world.make("port", network_id=network.id)
    with pytest.raises(StoreError):
        world.drop(network)
    assert state(world) == before
    store.full = False
    assert world.make("port", network_id=network.id).key == 16


def test_a_refused_body_leaves_no_number_taken() -> None:
    world = World()
    with pytest.raises(Invalid):
        world.make("network", mtu=9000)
    network = world.make("network")
    assert (network.key, network.provider_segmentation_id) == (1, 1)


def test_writes_of_a_group_are_committed_together_and_refusals_hinder_none() -> None:
    world = World()
    network = world.network("10.0.0.0/29")
    revision = world.store.revision
    with world.writer.group():
        made = [world.make("port", network_id=network.id) for _ in range(3)]
        with pytest.raises(Invalid):
            world.make("port", network_id=network.id, fixed_ips=[{"ip_address": "192.0.2.1"}])
        world.drop(made[1])
        assert world.store.revision == revision and not world.model.rows["port"]
        made.append(world.make("port", network_id=network.id, name="later"))
    assert world.store.revision == revision + 1
    assert sorted(world.model.rows["port"]) == sorted(one.id for one in (made[0], made[2], made[3]))
    assert len({one.fixed_ips[0].ip_address for one in made}) == 4
    assert len({one.key for one in made}) == 4


def test_a_group_whose_commit_fails_has_done_nothing() -> None:
    store = Failing()
    world = World(store)
    network = world.network("10.0.0.0/24")
    before = state(world)
    store.full = True
    with pytest.raises(StoreError), world.writer.group():
        world.make("port", network_id=network.id)
        world.make("network")
    assert state(world) == before


def test_a_group_that_is_left_by_an_error_has_done_nothing() -> None:
    world = World()
    before = state(world)
    with pytest.raises(RuntimeError, match="boom"), world.writer.group():
        world.make("network")
        raise RuntimeError("boom")
    assert state(world) == before
    assert world.make("network").key == 1


def test_a_row_made_and_removed_in_one_group_is_never_seen() -> None:
    world = World()
    world.writer.changes.clear()
    with world.writer.group():
        network = world.make("network")
        world.drop(network)
    assert {change.kind for change in world.writer.changes} == {"security_group", "security_group_rule"}
    assert world.writer.numbers.pools["network_key"].owners == {}
