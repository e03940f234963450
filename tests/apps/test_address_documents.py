"""Addresses of ports as clients of Neutron know them: chosen, asked for, made of the MAC, and given again last."""
from __future__ import annotations

from typing import Any

import pytest

from controller import values
from controller.errors import Invalid
from tests.kit.worlds import ADMIN, ANN, MIA, World, refused

SLAAC: dict[str, Any] = {"ip_version": 6, "cidr": "fd00::/64", "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}


def ips(port: Any) -> list[str]:
    return [fixed.ip_address for fixed in port.fixed_ips]


@pytest.fixture
def network(world: World) -> Any:
    return world.network("10.0.0.0/24")


def test_a_port_gets_one_address_of_each_version_and_those_it_makes_itself(world: World) -> None:
    network = world.network("10.0.0.0/24", "10.0.1.0/24", "fd01::/64")
    world.make("subnet", network_id=network.id, **SLAAC)
    port = world.make("port", network_id=network.id)
    assert ips(port) == ["10.0.0.2", "fd01::2", values.eui64("fd00::/64", port.mac_address)]


def test_a_network_without_subnets_gives_none(world: World) -> None:
    port = world.make("port", network_id=world.make("network").id)
    assert port.fixed_ips == () and world.show(port)["ip_allocation"] == "none"


def test_addresses_can_be_asked_for(world: World) -> None:
    network = world.network("10.0.0.0/24", "10.0.1.0/24")
    first, second = world.model.find("subnet", "network_id", network.id)

    def asked(*fixed: dict[str, str]) -> list[str]:
        return ips(world.make("port", network_id=network.id, fixed_ips=list(fixed)))

    assert asked() == []
    assert asked({"subnet_id": second.id}) == ["10.0.1.2"]
    assert asked({"ip_address": "10.0.1.77"}) == ["10.0.1.77"]
    assert asked({"subnet_id": first.id, "ip_address": "10.0.0.200"}) == ["10.0.0.200"]
    assert asked({"subnet_id": first.id}, {"subnet_id": first.id}, {"subnet_id": second.id}) == [
        "10.0.0.2", "10.0.0.3", "10.0.1.3"]
    assert asked({"subnet_id": first.id}, {"ip_address": "10.0.0.4"}) == ["10.0.0.5", "10.0.0.4"]


@pytest.mark.parametrize(("fixed", "type"), [
    ({"ip_address": "192.0.2.1"}, "InvalidIpForNetwork"), ({"ip_address": "10.0.0.0"}, "InvalidIpForNetwork"),
    ({"ip_address": "10.0.0.255"}, "InvalidIpForNetwork"), ({"ip_address": "fd00::1"}, "InvalidIpForNetwork"),
    ({"ip_address": "192.0.2.1", "subnet_id": "mine"}, "InvalidIpForSubnet"),
    ({"ip_address": "10.0.0.255", "subnet_id": "mine"}, "InvalidIpForSubnet"),
    ({"subnet_id": "other"}, "InvalidInput"), ({}, "InvalidInput"), ({"ip_address": "10.0.0.9"}, "IpAddressInUse")])
def test_addresses_that_cannot_be_had_are_refused(world: World, network: Any, fixed: dict, type: str) -> None:
    world.make("port", network_id=network.id, fixed_ips=[{"ip_address": "10.0.0.9"}])
    known = {"mine": world.model.find("subnet", "network_id", network.id)[0].id,
             "other": world.make("subnet", network_id=world.make("network").id, ip_version=4, cidr="10.7.0.0/24").id}
    asked = {name: known.get(value, value) for name, value in fixed.items()}
    port = world.make("port", network_id=network.id)
    with refused(type):
        world.make("port", network_id=network.id, fixed_ips=[asked])
    with refused(type):
        world.change(port, fixed_ips=[asked])
    assert world.now(port) == port


def test_the_same_address_twice_is_refused(world: World, network: Any) -> None:
    with pytest.raises(Invalid, match="fixed_ips: the same ip_address is there twice"):
        world.make("port", network_id=network.id, fixed_ips=[{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.9"}])


def test_when_all_addresses_are_given_it_says_so_and_a_released_one_is_given_again(world: World) -> None:
    network = world.network("10.0.0.0/29")
    made = [world.make("port", network_id=network.id) for _ in range(5)]
    assert [ips(one)[0] for one in made] == [f"10.0.0.{number}" for number in range(2, 7)]
    for _ in range(3):
        with refused("IpAddressGenerationFailure"):
            world.make("port", network_id=network.id)
    world.drop(made[3])
    world.change(made[1], fixed_ips=[])
    assert ips(world.make("port", network_id=network.id)) == ["10.0.0.5"]
    assert ips(world.make("port", network_id=network.id)) == ["10.0.0.3"]
    with refused("IpAddressGenerationFailure"):
        world.writer.create(ANN, "port", [{"network_id": network.id}])


def test_an_address_is_reused_last(world: World, network: Any) -> None:
    world.drop(world.make("port", network_id=network.id))
    assert ips(world.make("port", network_id=network.id)) == ["10.0.0.3"]


def test_many_ports_in_one_request_get_different_addresses_or_none_is_made(world: World) -> None:
    network = world.network("10.0.0.0/28")
    made = world.writer.create(ANN, "port", [{"network_id": network.id}] * 10)
    assert len({ips(one)[0] for one in made}) == 10
    with refused("IpAddressGenerationFailure"):
        world.writer.create(ANN, "port", [{"network_id": network.id}] * 4)
    assert world.model.count("port", "network_id", network.id) == 10


def test_an_update_keeps_what_is_asked_for_by_subnet(world: World) -> None:
    network = world.network("10.0.0.0/24", "10.0.1.0/24")
    first, second = world.model.find("subnet", "network_id", network.id)
    port = world.make("port", network_id=network.id)
    changed = world.change(port, fixed_ips=[{"subnet_id": second.id}, {"subnet_id": first.id}])
    assert ips(changed) == ["10.0.1.2", "10.0.0.2"]
    assert ips(world.change(port, fixed_ips=[{"ip_address": "10.0.0.2"}])) == ["10.0.0.2"]
    assert world.change(port, name="x").fixed_ips == world.now(port).fixed_ips


def test_addresses_made_of_the_mac_follow_it_and_cannot_be_chosen(world: World) -> None:
    network = world.network("10.0.0.0/24")
    made = world.make("subnet", network_id=network.id, **SLAAC)
    port = world.make("port", network_id=network.id, mac_address="fa:16:3e:00:00:01")
    assert ips(port) == ["10.0.0.2", "fd00::f816:3eff:fe00:1"]
    assert ips(world.change(port, MIA, mac_address="fa:16:3e:00:00:02")) == ["10.0.0.2", "fd00::f816:3eff:fe00:2"]
    with pytest.raises(Invalid, match="fixed_ips: fd00::7 cannot be chosen"):
        world.make("port", network_id=network.id, fixed_ips=[{"subnet_id": made.id, "ip_address": "fd00::7"}])
    asked = [{"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address} for fixed in world.now(port).fixed_ips]
    assert world.change(port, fixed_ips=asked).fixed_ips == world.now(port).fixed_ips
    assert ips(world.make("port", network_id=network.id, fixed_ips=[{"subnet_id": made.id}]))[0].startswith("fd00::f8")


def test_a_router_may_have_the_first_address_of_an_ipv6_subnet(world: World) -> None:
    network = world.network("fd01::/64", by=ADMIN)
    with refused("InvalidIpForNetwork"):
        world.make("port", ADMIN, network_id=network.id, fixed_ips=[{"ip_address": "fd01::"}])
    made = world.make("port", ADMIN, network_id=network.id, device_owner="network:router_ha_interface",
                      fixed_ips=[{"ip_address": "fd01::"}])
    assert ips(made) == ["fd01::"] and made.security_groups == () and not made.port_security_enabled
