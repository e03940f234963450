"""Trunks, as documents: which ports go together, what is refused, and what a port says of its trunk."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Forbidden, Invalid, Missing
from controller.store.memory import MemoryStore
from tests.kit.worlds import ADMIN, ANN, BOB, World, refused

ONE, OTHER = {"segmentation_type": "vlan", "segmentation_id": 100}, {"segmentation_type": "vlan", "segmentation_id": 200}


def port(world: World, by: Any = ANN, network: Any = None, **more: Any) -> Any:
    return world.make("port", by, network_id=(network or world.make("network", by)).id, **more)


def trunk(world: World, parent: Any, *subs: tuple[Any, dict[str, Any]], by: Any = ANN, **more: Any) -> Any:
    return world.make("trunk", by, port_id=parent.id, sub_ports=[sub_port(*one) for one in subs], **more)


def sub_port(one: Any, tag: dict[str, Any] = ONE) -> dict[str, Any]:
    return {"port_id": one.id, **tag}


def act(world: World, one: Any, name: str, *subs: dict[str, Any], by: Any = ANN) -> Any:
    return world.writer.act(by, "trunk", one.id, name, {"sub_ports": list(subs)})[1]


def test_a_trunk_takes_its_sub_ports_and_lets_them_go(world: World) -> None:
    parent, sub, later = port(world), port(world), port(world)
    made = trunk(world, parent, (sub, ONE))
    assert world.show(made)["status"] == "DOWN"
    assert (world.now(sub).device_owner, world.now(sub).device_id) == ("trunk:subport", made.id)
    answer = act(world, made, "add_subports", sub_port(later, OTHER))
    assert [one["segmentation_id"] for one in answer["sub_ports"]] == [100, 200] and answer["id"] == made.id
    answer = act(world, made, "remove_subports", {"port_id": sub.id})
    assert [one["port_id"] for one in answer["sub_ports"]] == [later.id]
    assert (world.now(sub).device_owner, world.now(sub).device_id) == ("", "")
    world.drop(world.now(made))
    assert world.now(later).device_id == ""
    for one in (parent, sub, later):
        world.drop(world.now(one))


def test_the_parent_says_what_it_carries(world: World) -> None:
    parent, sub = port(world), port(world)
    assert world.show(parent)["trunk_details"] is None
    made = trunk(world, parent, (sub, ONE))
    assert world.show(parent)["trunk_details"] == {
        "trunk_id": made.id, "sub_ports": [{**sub_port(sub), "mac_address": sub.mac_address}]}
    assert world.show(sub)["trunk_details"] is None


def test_sub_ports_are_bound_where_their_parent_is(world: World) -> None:
    parent, sub, later = port(world), port(world), port(world)
    world.change(parent, ADMIN, binding__host_id="host1")
    made = trunk(world, parent, (sub, ONE))
    act(world, made, "add_subports", sub_port(later, OTHER))
    assert world.now(sub).binding_host_id == world.now(later).binding_host_id == "host1"
    world.change(world.now(parent), ADMIN, binding__host_id="host2")
    assert world.now(sub).binding_host_id == "host2"
    act(world, made, "remove_subports", {"port_id": sub.id})
    assert world.now(sub).binding_host_id == ""


def test_a_port_is_part_of_one_trunk_only(world: World) -> None:
    parent, sub, other = port(world), port(world), port(world)
    made = trunk(world, parent, (sub, ONE))
    with refused("TrunkPortInUse"):
        trunk(world, sub)
    with refused("ParentPortInUse"):
        trunk(world, parent)
    for one, type in ((parent, "ParentPortInUse"), (sub, "TrunkPortInUse")):
        with refused(type):
            trunk(world, other, (one, OTHER))
    with refused("ParentPortInUse"):
        trunk(world, other, (other, OTHER))
    with refused("TrunkPortInUse"):
        act(world, made, "add_subports", sub_port(sub, OTHER))
    assert len(world.model.rows["trunk"]) == 1 and world.now(other).device_id == ""


def test_a_port_that_is_used_for_something_else_is_no_sub_port(world: World) -> None:
    parent, used = port(world), port(world, device_id="vm")
    with refused("PortInUse"):
        trunk(world, parent, (used, ONE))
    network = world.network("10.0.0.0/24")
    router = world.make("router")
    joined = world.writer.act(ANN, "router", router.id, "add_router_interface", {
        "subnet_id": world.model.find("subnet", "network_id", network.id)[0].id})[1]
    with refused("ParentPortInUse"):
        world.make("trunk", port_id=joined["port_id"])


def test_a_tag_is_one_sub_ports(world: World) -> None:
    parent, sub, other = port(world), port(world), port(world)
    with pytest.raises(Invalid, match="^sub_ports: segmentation_id 100 is there twice"):
        trunk(world, parent, (sub, ONE), (other, ONE))
    with pytest.raises(Invalid, match=r"^sub_ports: port .* is there twice"):
        trunk(world, parent, (sub, ONE), (sub, OTHER))
    made = trunk(world, parent, (sub, ONE))
    with refused("DuplicateSubPort"):
        act(world, made, "add_subports", sub_port(other, ONE))


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ({}, "needs both"),
        ({"segmentation_type": "vlan"}, "needs both"),
        ({"segmentation_id": 5}, "needs both"),
        ({"segmentation_type": "vxlan", "segmentation_id": 5}, "segmentation_type"),
        ({"segmentation_type": "vlan", "segmentation_id": 0}, "segmentation_id"),
        ({"segmentation_type": "vlan", "segmentation_id": 4095}, "segmentation_id"),
        ({"segmentation_type": "vlan", "segmentation_id": "x"}, "segmentation_id"),
        ({"segmentation_type": "inherit"}, "has no VLAN to inherit"),
    ],
)
def test_a_sub_port_needs_a_tag_that_there_is(world: World, tag: dict[str, Any], words: str) -> None:
    parent, sub = port(world), port(world)
    with pytest.raises(Invalid, match=f"^sub_ports.*{words}"):
        trunk(world, parent, (sub, tag))
    made = trunk(world, parent)
    with pytest.raises(Invalid, match=f"^sub_ports.*{words}"):
        act(world, made, "add_subports", sub_port(sub, tag))


def test_a_tag_is_inherited_from_a_vlan_network(world: World) -> None:
    wire = {"provider__network_type": "vlan", "provider__physical_network": "physnet1"}
    networks = [world.make("network", ADMIN, **wire, provider__segmentation_id=vlan) for vlan in (101, 102)]
    parent, sub = (port(world, ADMIN, network) for network in networks)
    made = trunk(world, parent, (sub, {"segmentation_type": "inherit"}), by=ADMIN)
    assert [dict(one) for one in made.sub_ports] == [
        {"port_id": sub.id, "segmentation_type": "vlan", "segmentation_id": 102}]


def test_a_sub_ports_packets_fit_through_its_parent(world: World) -> None:
    parent = port(world, network=world.make("network", mtu=1400))
    with refused("SubPortMtuGreaterThanTrunkPortMtu"):
        trunk(world, parent, (port(world), ONE))
    trunk(world, parent, (port(world, network=world.make("network", mtu=1400)), ONE))


def test_a_port_of_a_trunk_stays(world: World) -> None:
    parent, sub = port(world), port(world)
    trunk(world, parent, (sub, ONE))
    with refused("PortInUseAsTrunkParent"):
        world.drop(world.now(parent))
    with refused("PortInUseAsSubPort"):
        world.drop(world.now(sub))


def test_a_trunk_that_is_off_stays_as_it_is(world: World) -> None:
    parent, sub, other = port(world), port(world), port(world)
    made = world.change(trunk(world, parent, (sub, ONE)), admin_state_up=False)
    with refused("TrunkDisabled"):
        act(world, made, "add_subports", sub_port(other, OTHER))
    with refused("TrunkDisabled"):
        act(world, made, "remove_subports", {"port_id": sub.id})
    with refused("TrunkDisabled"):
        world.drop(made)
    world.drop(world.change(made, admin_state_up=True))


def test_only_what_is_there_is_removed(world: World) -> None:
    parent, sub = port(world), port(world)
    made = trunk(world, parent, (sub, ONE))
    with refused("SubPortNotFound"):
        act(world, made, "remove_subports", {"port_id": parent.id})
    with pytest.raises(Invalid, match="is there twice"):
        act(world, made, "remove_subports", {"port_id": sub.id}, {"port_id": sub.id})


def test_a_trunk_is_made_of_ones_own_ports(world: World) -> None:
    """Who owns a shared network sees the ports of others on it: they are not his to carry."""
    theirs = port(world, BOB)
    with pytest.raises(Missing):
        trunk(world, theirs)
    with pytest.raises(Missing):
        trunk(world, port(world), (theirs, ONE))
    shared = world.make("network", ADMIN, shared=True, project_id=ANN.project_id)
    guest = port(world, BOB, shared)
    with pytest.raises(Forbidden, match="belongs to another project"):
        trunk(world, guest)
    with pytest.raises(Forbidden, match="belongs to another project"):
        trunk(world, port(world), (guest, ONE))
    assert world.now(guest).device_id == ""


def test_only_its_name_and_whether_it_is_up_may_change(world: World) -> None:
    parent, sub = port(world), port(world)
    made = trunk(world, parent)
    for attributes in ({"port_id": sub.id}, {"sub_ports": []}, {"status": "ACTIVE"}):
        with pytest.raises(Invalid, match=rf"^{next(iter(attributes))}"):
            world.change(made, **attributes)
    assert world.change(made, name="n", description="d").name == "n"


def test_the_status_is_that_of_its_ports(world: World) -> None:
    parent, sub = port(world), port(world)
    made, seen = trunk(world, parent, (sub, ONE)), {parent.id: "ACTIVE", sub.id: "ACTIVE"}
    world.model.live["port.status"] = lambda one: seen[one.id]

    def status() -> Any:
        return world.show(made)["status"]

    assert status() == "ACTIVE"
    for said, of_sub in (("DEGRADED", "DOWN"), ("BUILD", "BUILD"), ("ERROR", "ERROR")):
        seen[sub.id] = of_sub
        assert status() == said
    seen |= {parent.id: "DOWN"}
    assert status() == "DOWN"
    seen |= {parent.id: "ACTIVE", sub.id: "DOWN"}
    world.change(world.now(sub), admin_state_up=False)
    assert status() == "ACTIVE"
    world.change(world.now(made), admin_state_up=False)
    assert status() == "DOWN"


def test_a_trunk_is_the_same_after_a_restart() -> None:
    store = MemoryStore()
    world = World(store)
    made = trunk(world, port(world), (port(world), ONE))
    assert World(store).now(made) == world.now(made)
