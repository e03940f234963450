"""Segments of networks, and subnets on them, as documents."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Forbidden, Invalid, Missing, Unsupported
from tests.kit.worlds import ADMIN, ANN, World, refused

ONE = {"provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 101}
OTHER = {"provider:network_type": "vlan", "provider:physical_network": "physnet2", "provider:segmentation_id": 202}


def wired(world: World, vlan: int = 101, **more: Any) -> Any:
    return world.make("network", ADMIN, provider__network_type="vlan", provider__physical_network="physnet1",
                      provider__segmentation_id=vlan, **more)


def segment(world: World, network: Any, vlan: int | None = 202, wire: str = "physnet2", **more: Any) -> Any:
    said = {"network_type": "vlan", "physical_network": wire, **({"segmentation_id": vlan} if vlan else {}), **more}
    return world.make("segment", ADMIN, network_id=network.id, **said)


def segments(world: World, network: Any) -> list[tuple[Any, ...]]:
    return sorted((one.network_type, one.physical_network, one.segmentation_id)
                  for one in world.model.find("segment", "network_id", network.id))


def subnet(world: World, network: Any, cidr: str, on: Any = None, **more: Any) -> Any:
    placed = {"segment_id": on.id} if on is not None else {}
    return world.make("subnet", ADMIN, network_id=network.id, ip_version=4, cidr=cidr, **placed, **more)


# ---- segments


def test_every_network_begins_with_a_segment(world: World) -> None:
    tunnel, wire = world.make("network"), wired(world)
    assert segments(world, tunnel) == [("vxlan", None, tunnel.provider_segmentation_id)]
    assert segments(world, wire) == [("vlan", "physnet1", 101)]
    assert world.show(wire, ADMIN)["segments"] is None and world.now(wire).revision_number == 0
    world.drop(tunnel)
    world.drop(wire, ADMIN)
    assert not world.model.rows["segment"]


def test_a_network_is_made_of_several_at_once(world: World) -> None:
    network = world.make("network", ADMIN, segments=[OTHER, ONE])
    assert segments(world, network) == [("vlan", "physnet1", 101), ("vlan", "physnet2", 202)]
    assert world.show(network, ADMIN)["segments"] == [ONE, OTHER]
    assert "segments" not in world.show(network, ANN)
    with refused("SegmentsSetInConjunctionWithProviders"):
        world.make("network", ADMIN, segments=[OTHER], provider__network_type="vxlan")
    with pytest.raises(Forbidden, match="^segments"):
        world.make("network", ANN, segments=[ONE])


def test_a_segment_is_added_and_goes(world: World) -> None:
    network = wired(world)
    more = segment(world, network, name="rack 2")
    assert more.name == "rack 2" and len(segments(world, network)) == 2
    assert world.change(more, ADMIN, name="rack 3", description="d").name == "rack 3"
    world.drop(world.now(more), ADMIN)
    (last,) = world.model.find("segment", "network_id", network.id)
    with refused("SegmentInUse"):
        world.drop(last, ADMIN)


def test_when_the_first_goes_another_is_what_the_network_shows(world: World) -> None:
    network = wired(world)
    (first,) = world.model.find("segment", "network_id", network.id)
    segment(world, network)
    world.drop(first, ADMIN)
    now = world.now(network)
    assert (now.provider_physical_network, now.provider_segmentation_id) == ("physnet2", 202)
    assert wired(world, 101).provider_segmentation_id == 101
    with refused("VlanIdInUse"):
        world.make("network", ADMIN, **{name.replace(":", "__"): value for name, value in OTHER.items()})


def test_a_place_on_a_wire_is_one_networks(world: World) -> None:
    network, other = wired(world), wired(world, 102)
    segment(world, network, 202)
    with refused("VlanIdInUse"):
        segment(world, other, 202)
    with refused("VlanIdInUse"):
        world.make("network", ADMIN, segments=[OTHER])
    segment(world, network, None, "physnet3", network_type="flat")
    with refused("FlatNetworkInUse"):
        segment(world, other, None, "physnet3", network_type="flat")
    with refused("FlatNetworkInUse"):
        world.make("network", ADMIN, provider__network_type="flat", provider__physical_network="physnet3")


def test_vlans_of_segments_are_given_from_ranges_and_free_again() -> None:
    world = World(settings={"vlan_ranges": {"physnet2": [7, 7]}})
    network = wired(world)
    made = segment(world, network, None)
    assert made.segmentation_id == 7
    with refused("NoNetworkAvailable"):
        segment(world, wired(world, 102), None)
    world.drop(made, ADMIN)
    assert segment(world, network, None).segmentation_id == 7


@pytest.mark.parametrize(
    ("attributes", "error", "words"),
    [
        ({"wire": "physnet1"}, Invalid, "physical_network: the network has a segment on physnet1"),
        ({"vlan": 4095}, Invalid, "segmentation_id: must be between 1 and 4094"),
        ({"vlan": None}, Invalid, "segmentation_id: is required"),
        ({"network_type": "flat"}, Invalid, "segmentation_id: must be left out"),
        ({"network_type": "vxlan"}, Unsupported, "network_type: only vlan and flat segments are served"),
        ({"wire": None}, Invalid, "physical_network: is required"),
    ],
)
def test_what_is_no_segment_is_refused_by_name(world: World, attributes: dict, error: Any, words: str) -> None:
    network = wired(world)
    with pytest.raises(error, match=f"^{words}"):
        segment(world, network, **attributes)
    assert len(segments(world, network)) == 1


def test_networks_in_tunnels_and_external_ones_are_one_segment(world: World) -> None:
    with pytest.raises(Unsupported, match="^network_id: a vxlan network is one segment"):
        segment(world, world.make("network"))
    outside = wired(world, router__external=True)
    with pytest.raises(Unsupported, match="^network_id: an external network is one segment"):
        segment(world, outside)
    wide = wired(world, 102)
    segment(world, wide)
    with pytest.raises(Unsupported, match="^router:external: a network of several segments"):
        world.change(wide, ADMIN, router__external=True)


def test_segments_are_an_administrators_business(world: World) -> None:
    network = world.make("network")
    (made,) = world.model.find("segment", "network_id", network.id)
    with pytest.raises((Missing, Forbidden)):
        world.drop(made)
    with pytest.raises(Forbidden):
        world.make("segment", network_id=network.id, network_type="vlan")


# ---- subnets on segments


def test_subnets_are_all_on_segments_or_none_is(world: World) -> None:
    network = wired(world)
    (first,) = world.model.find("segment", "network_id", network.id)
    assert world.show(network)["l2_adjacency"] is True
    one = subnet(world, network, "10.1.0.0/24")
    with refused("SubnetsNotAllAssociatedWithSegments"):
        subnet(world, network, "10.2.0.0/24", first)
    world.change(one, ADMIN, segment_id=first.id)
    assert world.show(network)["l2_adjacency"] is False
    second = segment(world, network)
    subnet(world, network, "10.2.0.0/24", second)
    with refused("SubnetsNotAllAssociatedWithSegments"):
        subnet(world, network, "10.3.0.0/24")
    subnet(world, network, "10.4.0.0/24", service_types=["network:routed"])
    with refused("SubnetSegmentAssociationChangeNotAllowed"):
        world.change(world.now(one), ADMIN, segment_id=second.id)
    with refused("SegmentInUse"):
        world.drop(second, ADMIN)
    world.drop(network, ADMIN)
    assert not world.model.rows["segment"] and not world.model.rows["subnet"]


def test_a_subnets_segment_is_its_networks(world: World) -> None:
    network, other = wired(world), wired(world, 102)
    (foreign,) = world.model.find("segment", "network_id", other.id)
    with refused("NetworkIdsDontMatch"):
        subnet(world, network, "10.1.0.0/24", foreign)
    with refused("SegmentNotFound"):
        world.make("subnet", ADMIN, network_id=network.id, ip_version=4, cidr="10.1.0.0/24",
                   segment_id="deadbeef-0000-4000-8000-000000000000")
    one = subnet(world, network, "10.1.0.0/24")
    (first,) = world.model.find("segment", "network_id", network.id)
    segment(world, network)
    with refused("NoUpdateSubnetWhenMultipleSegmentsOnNetwork"):
        world.change(one, ADMIN, segment_id=first.id)


class Routed:
    """A network of two racks, each with a wire and a subnet of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.network = wired(world, shared=True)
        (first,) = world.model.find("segment", "network_id", self.network.id)
        second = segment(world, self.network)
        self.subnets = [subnet(world, self.network, f"10.{rack}.0.0/24", one) for rack, one in ((1, first), (2, second))]
        for rack, wire in ((1, "physnet1"), (2, "physnet2"), (3, "physnet9")):
            name, switch = f"host{rack}", world.host(f"host{rack}", f"192.0.2.{rack}", rack)
            world.writer.learn([("uplink", {"id": f"{name}/{wire}", "host_id": name, "switch_id": switch,
                                            "physical_network": wire, "ofport": 65100})])

    def port(self, **more: Any) -> Any:
        return self.world.make("port", ADMIN, network_id=self.network.id, **more)


@pytest.fixture
def routed(world: World) -> Routed:
    return Routed(world)


def ips(port: Any) -> list[str]:
    return [fixed.ip_address for fixed in port.fixed_ips]


def test_a_port_gets_an_address_of_the_segment_of_its_host(routed: Routed) -> None:
    assert ips(routed.port(binding__host_id="host1")) == ["10.1.0.2"]
    assert ips(routed.port(binding__host_id="host2")) == ["10.2.0.2"]


def test_without_a_host_it_gets_none_until_it_has_one(routed: Routed) -> None:
    world, port = routed.world, routed.port()
    assert ips(port) == [] and world.show(port)["ip_allocation"] == "deferred"
    port = world.change(port, ADMIN, binding__host_id="host2")
    assert ips(port) == ["10.2.0.2"] and world.show(port)["ip_allocation"] == "immediate"


def test_it_does_not_move_to_a_host_where_its_addresses_are_of_no_use(routed: Routed) -> None:
    port = routed.port(binding__host_id="host1")
    with refused("HostNotCompatibleWithFixedIps"):
        routed.world.change(port, ADMIN, binding__host_id="host2")
    with refused("HostNotCompatibleWithFixedIps"):
        routed.port(binding__host_id="host2", fixed_ips=[{"ip_address": "10.1.0.9"}])
    moved = routed.world.change(port, ADMIN, binding__host_id="host2", fixed_ips=[{"subnet_id": routed.subnets[1].id}])
    assert ips(moved) == ["10.2.0.2"]


def test_a_host_that_reaches_no_segment_gets_no_port(routed: Routed) -> None:
    for host in ("host3", "nowhere"):
        with refused("HostNotConnectedToAnySegment"):
            routed.port(binding__host_id=host)


def test_who_asks_for_certain_addresses_gets_them_and_who_wants_none_gets_none(routed: Routed) -> None:
    port = routed.port(fixed_ips=[{"ip_address": "10.2.0.9"}])
    assert ips(port) == ["10.2.0.9"]
    none = routed.port(fixed_ips=[])
    assert routed.world.show(none)["ip_allocation"] == "none"
    assert ips(routed.world.change(none, ADMIN, binding__host_id="host1")) == []


def test_a_host_of_two_segments_uses_the_first(routed: Routed) -> None:
    routed.world.writer.learn([("uplink", {"id": "host2/physnet1", "host_id": "host2", "switch_id": f"{2:016x}",
                                           "physical_network": "physnet1", "ofport": 65101})])
    assert ips(routed.port(binding__host_id="host2")) == ["10.1.0.2"]
