"""What a restarted controller finds, what was seen of the fabric, and what a configuration may say."""
from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import Exhausted, Invalid
from controller.model import Model
from controller.store import Write
from controller.store.memory import MemoryStore
from controller.store.sqlite import SqliteStore
from tests.kit.worlds import ADMIN, ANN, BOB, World, two_tenants


def restarted(world: World) -> World:
    return World(world.store)


def indexes(model: Model) -> dict:
    return {(kind, name): {key: dict(bucket) for key, bucket in model._indexes[kind, name].items()}
            for kind, names in model.keys.items() for name in names}


def test_a_restart_finds_everything_as_it_was() -> None:
    world, ports = two_tenants(ports=3)
    world.drop(ports[ANN][1])
    switch = world.host("host1")
    world.plug(ports[BOB][0], "host1", switch, 5)
    world.writer.flush()
    again = restarted(world)
    assert again.model.rows == world.model.rows
    assert indexes(again.model) == indexes(world.model)
    for name, pool in world.writer.numbers.pools.items():
        assert again.writer.numbers.pools[name].owners == pool.owners
        assert list(again.writer.numbers.pools[name].free) == list(pool.free)
    assert again.writer.changes == []
    assert again.store.revision == world.store.revision


def test_a_number_is_reused_last_also_after_a_restart() -> None:
    world = World()
    first, second = world.make("network"), world.make("network")
    world.drop(first)
    again = restarted(world)
    third = again.make("network")
    assert (first.key, second.key, third.key) == (1, 2, 3)


def test_rows_that_lack_a_number_get_one_when_a_release_first_asks_for_it() -> None:
    world = World()
    network = world.make("network")
    document = next(one for one in world.store.load()[1] if one.id == network.id).body
    older = MemoryStore()
    older.commit([Write("network", network.id, {name: value for name, value in document.items()
                                                    if name != "key"})])
    again = World(older)
    assert again.model.get("network", network.id).key == 1
    assert restarted(again).model.get("network", network.id).key == 1


def test_the_store_may_know_kinds_that_no_model_file_declares_any_more() -> None:
    store = MemoryStore()
    store.commit([Write("wormhole", "w1", {"name": "x"})])
    world = World(store)
    world.make("network")
    assert ("wormhole", "w1") in {(one.kind, one.id) for one in store.load()[1]}


def test_the_same_on_disk(tmp_path: Path) -> None:
    world, ports = two_tenants(store=SqliteStore(tmp_path / "hadron.db"))
    rows = world.model.rows
    world.store.close()
    again = World(SqliteStore(tmp_path / "hadron.db"))
    assert again.model.rows == rows
    assert again.show(ports[ANN][0], ADMIN) == world.show(ports[ANN][0], ADMIN)
    again.store.close()


# ---- facts

def test_facts_are_in_the_model_at_once_and_in_the_store_with_the_next_commit() -> None:
    world = World()
    before = world.store.revision
    world.host("host1")
    assert world.model.get("host", "host1").tunnel_ip == "192.0.2.1"
    assert world.store.revision == before
    world.make("network")
    assert ("host", "host1") in {(one.kind, one.id) for one in world.store.load()[1]}
    world.writer.learn([], [("host", "host1")])
    world.writer.flush()
    assert ("host", "host1") not in {(one.kind, one.id) for one in world.store.load()[1]}


def test_what_is_seen_again_changes_nothing() -> None:
    world = World()
    world.host("host1")
    world.writer.changes.clear()
    world.host("host1")
    world.writer.learn([], [("host", "nobody")])
    assert world.writer.changes == []


def test_when_a_host_was_last_seen_concerns_no_flow() -> None:
    world = World()
    world.host("host1")
    row = {"id": "host1", "hostname": "host1", "tunnel_ip": "192.0.2.1", "last_seen": "2024-01-01T00:00:00Z"}
    assert [change.facts for change in world.writer.learn([("host", row)])] == [()]


def test_a_fact_must_be_what_it_is_declared_to_be() -> None:
    world = World()
    wrong: list = [("host", {"id": "h", "colour": 1}), ("host", {"id": "h", "tunnel_ip": "x"}),
                   ("network", {"id": "n"})]
    for kind, row in wrong:
        with pytest.raises((ValueError, Invalid)):
            world.writer.learn([(kind, row)])
    assert world.model.rows["host"] == {}


# ---- settings

def test_settings_are_read_like_attributes() -> None:
    with pytest.raises(Invalid, match="underlay_mtu: must be between"):
        World(settings={"underlay_mtu": 5})
    with pytest.raises(Invalid, match="colour: is no setting"):
        World(settings={"colour": "red"})
    assert World(settings={"underlay_mtu": 9000}).make("network").mtu == 8950


def test_quotas_are_of_kinds_that_have_one() -> None:
    for wrong in ({"host": 1}, {"network": "many"}, {"network": -2}):
        with pytest.raises(Invalid, match=f"^quotas.{next(iter(wrong))}"):
            World(quotas=wrong)


def test_when_all_numbers_are_in_use_it_says_so() -> None:
    world = World(settings={"segmentation_ranges": {"vxlan": [1, 2]}})
    world.make("network")
    world.make("network")
    with pytest.raises(Exhausted) as refused:
        world.make("network")
    assert (refused.value.type, refused.value.status) == ("NoNetworkAvailable", 503)
