"""Networks on physical networks, as documents: who may make them, which numbers they have, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Exhausted, Forbidden, Invalid, Unsupported
from controller.store.memory import MemoryStore
from tests.kit.worlds import ADMIN, ANN, BOB, World, refused


def on_wire(
    world: World, kind: str = "vlan", key: int | None = None, wire: str | None = "physnet1", **more: Any
) -> Any:
    given = {"provider__network_type": kind, "provider__physical_network": wire, "provider__segmentation_id": key}
    return world.make("network", ADMIN, **{name: value for name, value in given.items() if value is not None}, **more)


def place(network: Any) -> tuple[str, str | None, int | None]:
    return network.provider_network_type, network.provider_physical_network, network.provider_segmentation_id


def test_a_vlan_network_and_a_flat_one_live_on_a_physical_network() -> None:
    world = World()
    assert place(on_wire(world, "vlan", 101)) == ("vlan", "physnet1", 101)
    assert place(on_wire(world, "flat")) == ("flat", "physnet1", None)
    assert place(world.make("network")) == ("vxlan", None, 1)


def test_an_external_network_that_says_no_more_is_a_vlan_of_the_wire_that_is_set_for_that() -> None:
    world = World(settings={"external_physical_network": "outer", "vlan_ranges": {"outer": [100, 101]}})
    outside = {"router__external": True}
    assert place(world.make("network", ADMIN, **outside)) == ("vlan", "outer", 100)
    assert place(world.make("network", ADMIN, **outside)) == ("vlan", "outer", 101)
    with pytest.raises(Exhausted, match="all VLANs of outer"):
        world.make("network", ADMIN, **outside)
    assert place(world.make("network"))[0] == "vxlan"
    assert place(on_wire(world, "flat", wire="other", **outside)) == ("flat", "other", None)
    with pytest.raises(Unsupported, match="router:external: .*external_physical_network"):
        World().make("network", ADMIN, **outside)


@pytest.mark.parametrize("kind", ("vlan", "flat"))
def test_the_mtu_is_that_of_the_wire(kind: str) -> None:
    world = World(settings={"underlay_mtu": 9000, "tunnel_overhead_ipv6": True})
    network = on_wire(world, kind, 7 if kind == "vlan" else None)
    assert network.mtu == 9000
    with pytest.raises(Invalid, match="mtu: must be between 68 and 9000"):
        world.change(network, ADMIN, mtu=9001)
    assert world.change(network, ADMIN, mtu=1500).mtu == 1500


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"kind": "vlan", "key": 7, "wire": None}, "provider:physical_network: is required for vlan networks"),
        ({"kind": "flat", "wire": None}, "provider:physical_network: is required for flat networks"),
        ({"kind": "vlan", "key": 7, "wire": ""}, "provider:physical_network: is required"),
        ({"kind": "vlan", "key": None}, "provider:segmentation_id: is required"),
        ({"kind": "vlan", "key": 4095}, "provider:segmentation_id: must be between 1 and 4094 for vlan"),
        ({"kind": "vlan", "key": 0}, "provider:segmentation_id: must be between 1"),
        ({"kind": "flat", "key": 7}, "provider:segmentation_id: must be left out"),
        (
            {"kind": "vxlan", "key": 7},
            "provider:physical_network: must be left out: vxlan networks are carried in tunnels",
        ),
        ({"kind": None, "key": None}, "provider:network_type: is needed together with provider:physical_network"),
        (
            {"kind": "vlan", "key": 7, "wire": "physnet9"},
            "provider:physical_network: physnet9 is not known; there are physnet1",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(attributes: dict[str, Any], words: str) -> None:
    world = World(settings={"physical_networks": ["physnet1"]})
    with pytest.raises(Invalid, match=f"^{words}") as wrong:
        on_wire(world, **attributes)
    assert wrong.value.status == 400 and not world.model.rows["network"]


def test_any_physical_network_will_do_if_none_are_named_and_none_if_the_list_is_empty() -> None:
    assert on_wire(World(), "flat", wire="anything").provider_physical_network == "anything"
    with pytest.raises(Invalid, match="there are none"):
        on_wire(World(settings={"physical_networks": []}), "flat")


def test_a_vlan_is_one_networks_on_each_physical_network() -> None:
    world = World()
    first = on_wire(world, key=101)
    with refused("VlanIdInUse"):
        on_wire(world, key=101)
    on_wire(world, key=102)
    on_wire(world, key=101, wire="physnet2")
    world.make("network", ADMIN, provider__network_type="vxlan", provider__segmentation_id=101)
    world.drop(first, ADMIN)
    assert on_wire(world, key=101).id != first.id


def test_a_physical_network_carries_one_flat_network() -> None:
    world = World()
    first = on_wire(world, "flat")
    with refused("FlatNetworkInUse"):
        on_wire(world, "flat")
    on_wire(world, "flat", wire="physnet2")
    on_wire(world, key=1)
    world.drop(first, ADMIN)
    on_wire(world, "flat")


def test_two_networks_of_one_request_do_not_get_one_vlan() -> None:
    world = World(settings={"vlan_ranges": {"physnet1": [5, 6]}})
    body = {"provider:network_type": "vlan", "provider:physical_network": "physnet1"}
    made = world.writer.create(ADMIN, "network", [body, body])
    assert [one.provider_segmentation_id for one in made] == [5, 6]
    with pytest.raises(Conflict, match="VLAN 9 on physical network physnet1 is in use"):
        world.writer.create(ADMIN, "network", [{**body, "provider:segmentation_id": 9}] * 2)
    assert len(world.model.rows["network"]) == 2


def test_vlans_are_given_from_the_range_of_the_physical_network_and_reused_last() -> None:
    world = World(settings={"vlan_ranges": {"physnet1": [100, 102], "physnet2": [7, 7]}})
    on_wire(world, key=101)
    made = [on_wire(world), on_wire(world), on_wire(world, wire="physnet2")]
    assert [one.provider_segmentation_id for one in made] == [100, 102, 7]
    with pytest.raises(Exhausted) as full:
        on_wire(world)
    assert (full.value.type, full.value.status) == ("NoNetworkAvailable", 503)
    world.drop(made[1], ADMIN)
    world.drop(made[0], ADMIN)
    assert [on_wire(world).provider_segmentation_id for _ in range(2)] == [102, 100]
    assert on_wire(world, key=500).provider_segmentation_id == 500


def test_a_restart_changes_no_number_and_gives_flat_networks_none() -> None:
    store = MemoryStore()
    world = World(store)
    kept = [on_wire(world, "flat"), on_wire(world, key=9), world.make("network")]
    revision = store.load()[0]
    again = World(store)
    assert [again.now(one) for one in kept] == kept and store.load()[0] == revision
    with refused("VlanIdInUse"):
        on_wire(again, key=9)


@pytest.mark.parametrize(
    "attributes",
    [
        {"provider__network_type": "vlan", "provider__physical_network": "physnet1", "provider__segmentation_id": 7},
        {"provider__physical_network": "physnet1"},
        {"router__external": True},
    ],
)
def test_tenants_may_not_choose_the_wire(attributes: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        World().make("network", **attributes)


@pytest.mark.parametrize("ranges", [[], {"a": 1}, {"a": [0, 1]}, {"a": [1, 4095]}, {"a": [5, 4]}, {"a": [1, 2, 3]}])
def test_wrong_ranges_are_refused_at_the_start(ranges: Any) -> None:
    with pytest.raises(Invalid, match="^vlan_ranges"):
        World(settings={"vlan_ranges": ranges})


# ---- external networks


def test_only_a_network_on_a_wire_leads_outside() -> None:
    world = World()
    assert on_wire(world, "flat", router__external=True).router_external
    with pytest.raises(Unsupported, match="^router:external: only flat and vlan networks"):
        world.make("network", ADMIN, router__external=True)
    with pytest.raises(Unsupported, match="^router:external"):
        world.change(world.make("network"), ADMIN, router__external=True)


def test_an_external_network_may_become_internal_while_no_gateway_is_on_it() -> None:
    world = World()
    network = on_wire(world, "flat", router__external=True)
    world.make("subnet", ADMIN, network_id=network.id, ip_version=4, cidr="203.0.113.0/24")
    router = world.make("router", external_gateway_info={"network_id": network.id})
    with refused("ExternalNetworkInUse"):
        world.change(network, ADMIN, router__external=False)
    world.drop(router)
    assert not world.change(network, ADMIN, router__external=False).router_external


def test_machines_on_an_external_network_are_for_its_owner_to_plug_in() -> None:
    world = World()
    network = on_wire(world, "flat", router__external=True, project_id=ANN.project_id)
    world.make("port", network_id=network.id)
    with pytest.raises(Forbidden, match="^port: this project may not create one here"):
        world.make("port", BOB, network_id=network.id)
    assert network in world.writer.policy.visible(BOB, world.resources["network"])
    world.change(network, ADMIN, shared=True)
    world.make("port", BOB, network_id=network.id)
