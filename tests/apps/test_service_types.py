"""Subnets for certain owners of ports."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Forbidden, Invalid
from tests.kit.worlds import ADMIN, World, refused


def network(world: World, *subnets: tuple[str, list[str]], **more: Any) -> Any:
    made = world.make("network")
    for cidr, types in subnets:
        world.make("subnet", ADMIN, network_id=made.id, ip_version=6 if ":" in cidr else 4, cidr=cidr, service_types=types, **more)
    return made


def address(world: World, there: Any, owner: str = "", **more: Any) -> list[str]:
    port = world.make("port", ADMIN, network_id=there.id, device_owner=owner, **more)
    return [fixed.ip_address for fixed in port.fixed_ips]


def test_an_owner_gets_an_address_of_its_subnet_and_others_of_one_for_all(world: World) -> None:
    there = network(world, ("10.1.0.0/24", ["compute:nova", "network:floatingip"]), ("10.2.0.0/24", []))
    assert address(world, there, "compute:nova") == ["10.1.0.2"]
    assert address(world, there) == ["10.2.0.2"]
    assert address(world, there, "compute:other") == ["10.2.0.3"]


def test_a_full_subnet_is_followed_by_one_for_all(world: World) -> None:
    there = network(world, ("10.1.0.0/30", ["compute:nova"]), ("10.2.0.0/24", []))
    assert [address(world, there, "compute:nova") for _ in range(2)] == [["10.1.0.2"], ["10.2.0.2"]]


def test_where_every_subnet_is_for_others_there_is_no_address(world: World) -> None:
    there = network(world, ("10.1.0.0/24", ["compute:nova"]))
    with refused("IpAddressGenerationFailureNoMatchingSubnet"):
        address(world, there)
    assert address(world, there, fixed_ips=[]) == []
    assert address(world, there, fixed_ips=[{"ip_address": "10.1.0.9"}]) == ["10.1.0.9"]
    assert address(world, there, "network:dhcp") == ["10.1.0.2"]


def test_machines_that_make_their_own_addresses_do_so_of_their_subnets_only(world: World) -> None:
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    there = network(world, ("2001:db8:1::/64", ["compute:nova"]), ("2001:db8:2::/64", []), **modes)
    assert len(address(world, there, "compute:nova")) == 2
    (own,) = address(world, there)
    assert own.startswith("2001:db8:2:")
    port = world.make("port", network_id=there.id)
    world.make("subnet", ADMIN, network_id=there.id, ip_version=6, cidr="2001:db8:3::/64", service_types=["compute:nova"], **modes)
    assert len(world.now(port).fixed_ips) == 1


def test_what_a_subnet_is_for_may_change(world: World) -> None:
    there = network(world, ("10.1.0.0/24", ["compute:nova"]))
    (subnet,) = world.model.find("subnet", "network_id", there.id)
    assert world.change(subnet, ADMIN, service_types=None).service_types == ()
    assert address(world, there) == ["10.1.0.2"]


def test_whom_a_subnet_is_for_is_for_administrators_to_say(world: World) -> None:
    there = world.make("network")
    with pytest.raises(Forbidden, match="^service_types"):
        world.make("subnet", network_id=there.id, ip_version=4, cidr="10.1.0.0/24", service_types=["compute:nova"])


@pytest.mark.parametrize(("types", "type"), [(["nova"], "InvalidSubnetServiceType"), ([5], "InvalidInputSubnetServiceType"),
                                             ("compute:nova", "InvalidInput"), (["compute:a", "compute:a"], "InvalidInput")])
def test_what_is_no_owner_is_refused_by_name(world: World, types: Any, type: str) -> None:
    with pytest.raises(Invalid, match="^service_types") as wrong:
        network(world, ("10.1.0.0/24", types))
    assert wrong.value.type == type
