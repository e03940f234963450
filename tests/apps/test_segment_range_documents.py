"""Ranges of tunnel keys and VLANs: whose networks get which numbers."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Exhausted, Forbidden, Invalid
from controller.store.memory import MemoryStore
from tests.kit.worlds import ADMIN, ANN, BOB, World, refused

KEYS = {"segmentation_ranges": {"vxlan": [1, 9], "geneve": [1, 9], "gre": [1, 9]}}


@pytest.fixture
def world() -> World:
    return World(settings=KEYS)


def span(world: World, first: int, last: int, *, project: Any = None, kind: str = "vxlan", **more: Any) -> Any:
    whose = {"shared": False, "project_id": project.project_id} if project else {}
    return world.make("network_segment_range", ADMIN, network_type=kind, minimum=first, maximum=last, **whose, **more)


def number(world: World, by: Any = ANN, **more: Any) -> int:
    return int(world.make("network", by, **more).provider_segmentation_id)


def vlan(world: World, project: Any, **more: Any) -> int:
    return number(world, ADMIN, provider__network_type="vlan", provider__physical_network="physnet1",
                  project_id=project.project_id, **more)


def test_a_projects_networks_get_its_own_numbers_then_shared_ones_then_the_configurations(world: World) -> None:
    span(world, 100, 101, project=ANN)
    span(world, 200, 200)
    assert [number(world) for _ in range(4)] == [100, 101, 200, 1]
    assert number(world, BOB) == 2


def test_nobody_gets_a_number_of_another_project(world: World) -> None:
    span(world, 2, 8, project=ANN)
    assert [number(world, BOB) for _ in range(2)] == [1, 9]
    with pytest.raises(Exhausted) as full:
        number(world, BOB)
    assert (full.value.type, full.value.status) == ("NoNetworkAvailable", 503)
    assert number(world, ANN) == 2


def test_a_number_that_is_asked_for_is_had_whatever_the_ranges(world: World) -> None:
    span(world, 100, 110, project=ANN)
    assert number(world, ADMIN, provider__network_type="vxlan", provider__segmentation_id=100) == 100
    assert number(world) == 101
    with refused("TunnelIdInUse"):
        number(world, ADMIN, provider__network_type="vxlan", provider__segmentation_id=101)


def test_a_number_is_free_again_when_its_network_goes(world: World) -> None:
    span(world, 100, 101, project=ANN)
    network = world.make("network")
    assert [network.provider_segmentation_id, number(world)] == [100, 101]
    world.drop(network)
    assert number(world) == 100


def test_other_kinds_of_tunnels_are_not_concerned(world: World) -> None:
    span(world, 100, 110)
    assert number(world, ADMIN, provider__network_type="gre") == 1


def test_vlans_are_given_from_ranges_of_their_physical_network() -> None:
    world = World(settings={"vlan_ranges": {"physnet1": [10, 12]}})
    span(world, 11, 11, project=BOB, kind="vlan", physical_network="physnet1")
    span(world, 50, 50, project=ANN, kind="vlan", physical_network="physnet1")
    span(world, 70, 80, kind="vlan", physical_network="physnet2")
    assert [vlan(world, ANN) for _ in range(3)] == [50, 10, 12]
    assert vlan(world, BOB) == 11
    with pytest.raises(Exhausted, match="all VLANs of physnet1"):
        vlan(world, ANN)


def test_vlans_need_no_configuration_where_there_is_a_range() -> None:
    world = World()
    with pytest.raises(Invalid, match="no VLANs of physnet1 are set aside"):
        vlan(world, ANN)
    span(world, 50, 51, kind="vlan", physical_network="physnet1")
    assert vlan(world, ANN) == 50


def test_a_range_says_what_is_used_and_what_is_left(world: World) -> None:
    made = span(world, 100, 102)
    number(world)
    shown = world.show(made, ADMIN)
    assert (shown["used"], shown["available"]) == ({"100": ANN.project_id}, [101, 102])
    assert (shown["default"], shown["shared"], shown["project_id"]) == (False, True, None)


def test_a_range_stays_while_networks_have_its_numbers(world: World) -> None:
    made, network = span(world, 100, 110), world.make("network")
    with refused("NetworkSegmentRangeReferencedByProject"):
        world.drop(made, ADMIN)
    with refused("NetworkSegmentRangeReferencedByProject"):
        world.change(made, ADMIN, minimum=101)
    assert world.change(made, ADMIN, maximum=105).maximum == 105
    world.drop(network)
    world.drop(world.now(made), ADMIN)


def test_ranges_do_not_overlap(world: World) -> None:
    made = span(world, 100, 110)
    with refused("NetworkSegmentRangeOverlaps"):
        span(world, 110, 120, project=ANN)
    later = span(world, 111, 120, project=ANN)
    with refused("NetworkSegmentRangeOverlaps"):
        world.change(later, ADMIN, minimum=110)
    span(world, 100, 110, kind="gre")
    for wire in ("physnet1", "physnet2"):
        span(world, 100, 110, kind="vlan", physical_network=wire)
    world.drop(made, ADMIN)
    world.change(later, ADMIN, minimum=100)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"kind": "vlan"}, "physical_network: is required for VLANs"),
        ({"physical_network": "physnet1"}, "physical_network: must be left out"),
        ({"first": 5, "last": 4}, "minimum: must not be larger than maximum"),
        ({"kind": "vlan", "physical_network": "p", "last": 4095}, "maximum: must be between 1 and 4094 for vlan"),
        ({"last": 1 << 24}, "maximum: must be between 1 and 16777215 for vxlan"),
        ({"last": 65537}, "maximum: a range has 65536 numbers at most"),
        ({"kind": "flat"}, "network_type"),
    ],
)
def test_what_is_no_range_is_refused_by_name(world: World, attributes: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=f"^{words}"):
        span(world, attributes.pop("first", 1), attributes.pop("last", 10), **attributes)
    assert not world.model.rows["network_segment_range"]


def test_ranges_are_an_administrators_business(world: World) -> None:
    with pytest.raises(Forbidden):
        world.make("network_segment_range", ANN, network_type="vxlan", minimum=1, maximum=5)
    made = span(world, 1, 5)
    assert made not in world.writer.policy.visible(ANN, world.resources["network_segment_range"])


def test_a_restart_goes_on_where_it_was() -> None:
    store = MemoryStore()
    world = World(store, settings=KEYS)
    span(world, 100, 110)
    assert number(world) == 100
    assert number(World(store, settings=KEYS)) == 101
