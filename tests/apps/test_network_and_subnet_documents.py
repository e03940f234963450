"""Networks and subnets as clients of Neutron know them: what they get by default and what does not go together."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Forbidden, Invalid, Refused, Unsupported
from tests.kit.worlds import ADMIN, ANN, World

DEAD = "deadbeef-0000-4000-8000-000000000000"


def subnet(world: World, network: Any = None, **attributes: Any) -> Any:
    network = network or world.make("network")
    attributes = {"ip_version": 6 if ":" in (attributes.get("cidr") or "") else 4, "cidr": "10.0.0.0/24", **attributes}
    return world.make("subnet", network_id=network.id, **attributes)


def pools(row: Any) -> list[tuple[str, str]]:
    return [(pool.start, pool.end) for pool in row.allocation_pools]


# ---- networks

@pytest.mark.parametrize(("kind", "mtu"), [("vxlan", 1450), ("geneve", 1442), ("gre", 1458)])
def test_the_mtu_leaves_room_for_the_tunnel(kind: str, mtu: int) -> None:
    world = World()
    network = world.make("network", ADMIN, provider__network_type=kind)
    assert network.mtu == mtu
    assert world.make("network", ADMIN, provider__network_type=kind, mtu=mtu).mtu == mtu
    with pytest.raises(Invalid, match=f"mtu: must be between 68 and {mtu}"):
        world.make("network", ADMIN, provider__network_type=kind, mtu=mtu + 1)
    assert world.change(network, ADMIN, mtu=1400).mtu == 1400
    assert world.change(network, ADMIN, mtu=0).mtu == mtu


def test_a_network_with_an_ipv6_subnet_needs_1280_bytes() -> None:
    world = World()
    network = world.network("fd00::/64")
    with pytest.raises(Invalid, match="between 1280"):
        world.change(network, mtu=1279)
    assert world.change(network, mtu=1280).mtu == 1280


def test_each_kind_of_tunnel_has_keys_of_its_own() -> None:
    world = World(settings={"segmentation_ranges": {"geneve": [100, 200]}})
    made = [world.make("network", ADMIN, provider__network_type=kind) for kind in ("vxlan", "geneve", "vxlan", "gre")]
    assert [one.provider_segmentation_id for one in made] == [1, 100, 2, 1]
    assert [one.key for one in made] == [1, 2, 3, 4]


def test_a_tunnel_key_asked_for_is_given_once() -> None:
    world = World()
    asked = {"provider__network_type": "vxlan", "provider__segmentation_id": 1}
    network = world.make("network", ADMIN, **asked)
    with pytest.raises(Conflict) as refused:
        world.make("network", ADMIN, **asked)
    assert refused.value.type == "TunnelIdInUse"
    assert world.make("network").provider_segmentation_id == 2
    world.drop(network, ADMIN)
    assert world.make("network", ADMIN, **asked).provider_segmentation_id == 1


@pytest.mark.parametrize(("attributes", "field"), [
    ({"provider__segmentation_id": 7}, "provider:network_type"),
    ({"provider__network_type": "vxlan", "provider__segmentation_id": 1 << 24}, "provider:segmentation_id"),
    ({"provider__network_type": "geneve", "provider__segmentation_id": 1 << 24}, "provider:segmentation_id")])
def test_tunnel_keys_fit_their_tunnel(attributes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid, match=f"^{field}"):
        World().make("network", ADMIN, **attributes)
    assert World().make("network", ADMIN, provider__network_type="gre", provider__segmentation_id=1 << 24)


@pytest.mark.parametrize("attributes", [
    {"provider__network_type": "local"}, {"router__external": True}, {"qinq": True},
    {"availability_zone_hints": ["az1"]}])
def test_what_is_not_served_is_refused_by_name(attributes: dict[str, Any]) -> None:
    name = next(iter(attributes)).replace("__", ":")
    with pytest.raises(Unsupported, match=f"^{name}: .*") as refused:
        World().make("network", ADMIN, **attributes)
    assert refused.value.status == 501


def test_a_network_in_use_stays() -> None:
    world = World()
    network = world.network("10.0.0.0/24")
    port = world.make("port", network_id=network.id)
    with pytest.raises(Conflict) as refused:
        world.drop(network)
    assert refused.value.type == "NetworkInUse" and port.id in str(refused.value)
    world.drop(port)
    world.drop(network)
    assert not world.model.rows["subnet"] and not world.model.rows["network"]


def test_a_network_shows_its_subnets() -> None:
    world = World()
    network = world.network("10.0.0.0/24", "10.0.1.0/24")
    assert world.show(network)["subnets"] == [one.id for one in world.model.find("subnet", "network_id", network.id)]
    assert world.show(network)["status"] == "ACTIVE"
    assert world.now(network).revision_number == 2


# ---- subnets

@pytest.mark.parametrize(("cidr", "gateway", "ranges"), [
    ("10.0.0.0/24", "10.0.0.1", [("10.0.0.2", "10.0.0.254")]),
    ("10.0.0.77/24", "10.0.0.1", [("10.0.0.2", "10.0.0.254")]),
    ("10.0.0.0/30", "10.0.0.1", [("10.0.0.2", "10.0.0.2")]),
    ("fd00::/64", "fd00::1", [("fd00::2", "fd00::ffff:ffff:ffff:ffff")]),
    ("FD00:0::/120", "fd00::1", [("fd00::2", "fd00::ff")])])
def test_the_first_address_is_the_gateways_and_the_others_are_for_ports(cidr: str, gateway: str, ranges: list) -> None:
    made = subnet(World(), cidr=cidr)
    assert (made.gateway_ip, pools(made)) == (gateway, ranges)


@pytest.mark.parametrize(("cidr", "gateway", "ranges"), [
    ("10.0.0.0/31", "10.0.0.1", [("10.0.0.0", "10.0.0.0")]), ("10.0.0.1/32", None, [("10.0.0.1", "10.0.0.1")]),
    ("fd00::/127", "fd00::1", [("fd00::", "fd00::")])])
def test_the_smallest_subnets_have_no_broadcast_address(cidr: str, gateway: str | None, ranges: list) -> None:
    made = subnet(World(), cidr=cidr, enable_dhcp=False)
    assert (made.gateway_ip, pools(made)) == (gateway, ranges)
    with pytest.raises(Invalid, match="cidr: must be /(30|126) or larger for DHCP"):
        subnet(World(), cidr=cidr)


def test_a_subnet_may_have_no_gateway_or_another() -> None:
    world = World()
    assert pools(subnet(world, gateway_ip=None)) == [("10.0.0.1", "10.0.0.254")]
    made = subnet(world, gateway_ip="10.0.0.254")
    assert pools(made) == [("10.0.0.1", "10.0.0.253")]
    assert pools(subnet(world, gateway_ip="10.0.0.9")) == [("10.0.0.1", "10.0.0.8"), ("10.0.0.10", "10.0.0.254")]
    assert world.change(made, gateway_ip=None).gateway_ip is None
    assert subnet(world, cidr="fd00::/64", gateway_ip="fe80::1").gateway_ip == "fe80::1"
    far = subnet(world, gateway_ip="192.0.2.1")
    assert far.gateway_ip == "192.0.2.1" and pools(far) == [("10.0.0.1", "10.0.0.254")]
    assert world.change(far, gateway_ip="169.254.1.1").gateway_ip == "169.254.1.1"


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"cidr": None}, "cidr", "is required"),
    ({"cidr": "fd00::/64", "ip_version": 4}, "cidr", "must be a block of IPv4"),
    ({"cidr": "0.0.0.0/0"}, "cidr", "must not be all"), ({"cidr": "224.0.0.0/24"}, "cidr", "multicast"),
    ({"cidr": "127.0.0.0/24"}, "cidr", "loopback"), ({"cidr": "fe80::/64"}, "cidr", "link-local"),
    ({"gateway_ip": "fd00::1"}, "gateway_ip", "must be an IPv4 address"),
    ({"cidr": "fd00::/64", "gateway_ip": "fd00:1::1"}, "gateway_ip", "must be within cidr, or a link-local address"),
    *(({"gateway_ip": wrong}, "gateway_ip", f"must be an address that a router can have, and {wrong}")
      for wrong in ("224.0.0.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "169.254.169.254")),
    ({"gateway_ip": "10.0.0.0"}, "gateway_ip", "must not be the first"),
    ({"gateway_ip": "10.0.0.255"}, "gateway_ip", "or the last"),
    ({"dns_nameservers": ["fd00::1"]}, "dns_nameservers", "must be IPv4"),
    ({"dns_nameservers": ["10.0.0.1"] * 2}, "dns_nameservers", "is there twice"),
    ({"host_routes": [{"destination": "fd00::/64", "nexthop": "10.0.0.1"}]}, "host_routes", "must be IPv4"),
    ({"host_routes": [{"destination": "10.9.0.0/24"}]}, "host_routes", "nexthop: is required"),
    ({"ipv6_ra_mode": "slaac"}, "ipv6_ra_mode", "for IPv6 subnets only"),
    ({"cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"}, "ipv6_address_mode",
     "must be the same as ipv6_ra_mode"),
    ({"cidr": "fd00::/64", "ipv6_address_mode": "slaac", "enable_dhcp": False}, "ipv6_address_mode",
     "needs enable_dhcp"),
    ({"cidr": "fd00::/80", "ipv6_address_mode": "slaac"}, "cidr", "must be a /64"),
    ({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.2"}]}, "allocation_pools", "must be a range"),
    ({"allocation_pools": [{"start": "10.0.0.9", "end": "fd00::1"}]}, "allocation_pools", "must be a range"),
    ({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.255"}]}, "allocation_pools",
     "within the host addresses"),
    ({"allocation_pools": [{"start": "10.0.0.9"}]}, "allocation_pools", "end: is required")]


@pytest.mark.parametrize(("attributes", "field", "why"), WRONG, ids=[f"{field}: {why}" for _, field, why in WRONG])
def test_what_does_not_go_together_is_refused_by_name(attributes: dict[str, Any], field: str, why: str) -> None:
    with pytest.raises(Invalid, match=f"^{field}.*{why}"):
        subnet(World(), **attributes)


@pytest.mark.parametrize(("given", "type"), [
    ([{"start": "10.0.0.2", "end": "10.0.0.9"}, {"start": "10.0.0.9", "end": "10.0.0.20"}],
     "OverlappingAllocationPools"),
    ([{"start": "10.0.0.1", "end": "10.0.0.9"}], "GatewayConflictWithAllocationPools")])
def test_pools_overlap_neither_each_other_nor_the_gateway(given: list, type: str) -> None:
    world = World()
    with pytest.raises(Conflict) as refused:
        subnet(world, allocation_pools=given)
    assert refused.value.type == type
    made = subnet(world)
    with pytest.raises(Conflict) as refused:
        world.change(made, allocation_pools=given)
    assert refused.value.type == type
    with pytest.raises(Conflict, match="GatewayConflict|conflicts with allocation pool"):
        world.change(made, gateway_ip="10.0.0.7")


def test_subnets_of_one_network_do_not_overlap_those_of_others_may() -> None:
    world = World()
    network = world.make("network")
    subnet(world, network)
    for cidr in ("10.0.0.0/24", "10.0.0.0/16", "10.0.0.128/25"):
        with pytest.raises(Invalid, match="cidr: must not overlap with 10.0.0.0/24"):
            subnet(world, network, cidr=cidr)
    subnet(world, network, cidr="10.0.1.0/24")
    subnet(world, cidr="10.0.0.0/24")


def test_null_lists_are_empty_ones() -> None:
    made = subnet(World(), dns_nameservers=None, host_routes=None)
    assert (made.dns_nameservers, made.host_routes) == ((), ())


def test_a_subnet_whose_addresses_are_in_use_stays() -> None:
    world = World()
    network = world.make("network")
    made = subnet(world, network)
    port = world.make("port", network_id=network.id)
    with pytest.raises(Conflict) as refused:
        world.drop(made)
    assert refused.value.type == "SubnetInUse"
    world.change(port, fixed_ips=[])
    world.drop(made)


def test_hosts_that_make_their_own_addresses_get_and_lose_them_with_the_subnet() -> None:
    world = World()
    network = world.network("10.0.0.0/24")
    port = world.make("port", network_id=network.id, mac_address="fa:16:3e:00:00:01")
    made = subnet(world, network, cidr="fd00::/64", ipv6_address_mode="slaac", ipv6_ra_mode="slaac")
    assert [fixed.ip_address for fixed in world.now(port).fixed_ips] == ["10.0.0.2", "fd00::f816:3eff:fe00:1"]
    assert world.now(port).revision_number == port.revision_number + 1
    world.drop(made)
    assert [fixed.ip_address for fixed in world.now(port).fixed_ips] == ["10.0.0.2"]


def test_prefix_delegation_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="^subnetpool_id"):
        subnet(World(), subnetpool_id="prefix_delegation")


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateless"])
def test_hosts_that_are_told_to_make_their_own_addresses_have_those_on_their_ports(mode: str) -> None:
    """By router advertisements alone, too: another address would not be let through."""
    world = World()
    network = world.make("network")
    port = world.make("port", network_id=network.id, mac_address="fa:16:3e:00:00:01")
    made = subnet(world, network, cidr="fd00::/64", ipv6_ra_mode=mode)
    for one in (world.now(port), world.make("port", network_id=network.id, mac_address="fa:16:3e:00:00:02")):
        assert [fixed.ip_address for fixed in one.fixed_ips] == [f"fd00::f816:3eff:fe00:{one.mac_address[-1]}"]
    world.drop(made)
    assert not world.now(port).fixed_ips
    with pytest.raises(Invalid, match="^cidr: must be a /64 for ipv6_ra_mode"):
        subnet(world, network, cidr="fd01::/65", ipv6_ra_mode=mode)


def test_an_administrator_adds_subnets_to_others_networks() -> None:
    world = World()
    network = world.make("network")
    made = world.make("subnet", ADMIN, network_id=network.id, ip_version=4, cidr="10.0.0.0/24")
    assert world.writer.policy.may(ANN, world.resources["subnet"], "get", made)


def test_every_refusal_has_a_type_and_a_status() -> None:
    for kind in (Refused, Invalid, Unsupported, Conflict, Forbidden):
        assert 400 <= kind.status < 600
