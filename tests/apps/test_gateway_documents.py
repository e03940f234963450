"""Routers that lead outside, as clients of Neutron know them: which networks, which addresses, who may choose."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Forbidden, Invalid, Unsupported
from tests.derived.bodies import state
from tests.kit.outside import behind, external, leading, reached
from tests.kit.routers import ips, join, leave, routes, subnet
from tests.kit.worlds import ADMIN, ANN, BOB, World, refused

DEAD = "deadbeef-0000-4000-8000-000000000000"
GATEWAY = "network:router_gateway"


def gateway(world: World, router: Any) -> Any:
    return world.model.find("port", "device_id+device_owner", (router.id, GATEWAY))[0]


def info(world: World, router: Any) -> Any:
    return world.show(router)["external_gateway_info"]


def named(*addresses: str) -> list[dict[str, str]]:
    return [{"ip_address": one} for one in addresses]


# ---- making one

def test_a_gateway_is_a_port_of_nobodys_with_an_address_outside(world: World) -> None:
    network = external(world)
    router = leading(world, network)
    port = gateway(world, router)
    assert info(world, router) == {"network_id": network.id, "enable_snat": True, "external_fixed_ips": port.fixed_ips,
                                   "qos_policy_id": None}
    assert ips(port) == ["203.0.113.2"] and port.network_id == network.id
    assert (port.project_id, port.security_groups, port.port_security_enabled) == ("", (), False)
    assert port not in world.writer.policy.visible(ANN, world.resources["port"])
    with refused("PortNotFound"):
        world.make("floatingip", floating_network_id=network.id, port_id=port.id)


def test_a_router_gets_changes_and_loses_its_gateway(world: World) -> None:
    one, two = external(world), external(world, "198.51.100.0/24")
    router = world.make("router")
    assert info(world, router) is None
    world.change(router, external_gateway_info={"network_id": one.id})
    first = gateway(world, router)
    assert world.change(router, external_gateway_info={"network_id": one.id}) == world.now(router)
    assert gateway(world, router) == first and world.now(router).revision_number == 1
    world.change(router, external_gateway_info={"network_id": two.id})
    assert world.now(first) is None and ips(gateway(world, router)) == ["198.51.100.2"]
    assert info(world, router)["external_fixed_ips"][0]["ip_address"] == "198.51.100.2"
    for nothing in (None, {}):
        world.change(router, external_gateway_info=nothing)
        assert info(world, router) is None and not world.model.find("port", "device_id", router.id)
        world.change(router, external_gateway_info={"network_id": one.id})
    world.drop(router)
    assert not world.model.rows["port"]
    world.drop(one, ADMIN)


def test_a_gateway_has_an_address_of_each_ip_version(world: World) -> None:
    network = external(world, "203.0.113.0/24", "198.51.100.0/24", "2001:db8::/64")
    assert ips(gateway(world, leading(world, network))) == ["203.0.113.2", "2001:db8::2"]
    slaac = external(world)
    subnet(world, "2001:db8:1::/64", slaac, by=ADMIN, ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    port = gateway(world, leading(world, slaac))
    assert [one.rpartition("::")[0] or one for one in ips(port)][0] == "203.0.113.2" and len(port.fixed_ips) == 2


def test_an_administrator_chooses_the_addresses(world: World) -> None:
    network = external(world)
    router = leading(world, network, ADMIN, external_fixed_ips=named("203.0.113.9", "203.0.113.10"))
    port = gateway(world, router)
    assert ips(port) == ["203.0.113.9", "203.0.113.10"]
    one = world.model.find("subnet", "network_id", network.id)[0]
    asked = {"network_id": network.id, "external_fixed_ips": [{"subnet_id": one.id, "ip_address": "203.0.113.11"}]}
    world.change(router, ADMIN, external_gateway_info=asked)
    assert gateway(world, router).id == port.id and ips(world.now(port)) == ["203.0.113.11"]
    assert info(world, router)["external_fixed_ips"] == world.now(port).fixed_ips
    world.change(router, ADMIN, external_gateway_info={"network_id": network.id, "external_fixed_ips": []})
    assert ips(world.now(port)) == ["203.0.113.11"]


def test_only_an_administrator_switches_snat_and_chooses_addresses(world: World) -> None:
    network = external(world)
    router = leading(world, network, enable_snat=True)
    for more in ({"enable_snat": False}, {"external_fixed_ips": named("203.0.113.9")}):
        with pytest.raises(Forbidden, match=f"^external_gateway_info.{next(iter(more))}: is not for this project and these roles"):
            world.change(router, external_gateway_info={"network_id": network.id, **more})
    world.change(router, ADMIN, external_gateway_info={"network_id": network.id, "enable_snat": False})
    assert info(world, router)["enable_snat"] is False
    world.change(router, external_gateway_info=info(world, router))
    world.change(router, external_gateway_info={"network_id": network.id})
    assert info(world, router)["enable_snat"] is False
    with pytest.raises(Forbidden):
        world.change(router, external_gateway_info={"network_id": network.id, "enable_snat": True})
    world.change(router, external_gateway_info={"network_id": external(world, "192.0.2.0/24").id})
    assert info(world, router)["enable_snat"] is True


def test_outside_a_network_without_subnets_a_router_has_no_address_until_one_comes(world: World) -> None:
    empty = world.make("network", ADMIN, provider__network_type="flat", provider__physical_network="w", router__external=True)
    router = world.make("router", external_gateway_info={"network_id": empty.id})
    assert (info(world, router)["network_id"], info(world, router)["external_fixed_ips"]) == (empty.id, ())
    subnet = world.make("subnet", ADMIN, network_id=empty.id, ip_version=4, cidr="198.51.100.0/24")
    assert [one["subnet_id"] for one in info(world, router)["external_fixed_ips"]] == [subnet.id]


@pytest.mark.parametrize(("given", "words"), [
    ({"enable_snat": True}, "^external_gateway_info.network_id: is required"),
    ({"network_id": "nonsense"}, "^external_gateway_info.network_id: must be a UUID"),
    ({"network_id": "{ext}", "enable_snat": None}, "^external_gateway_info.enable_snat: must not be null"),
    ({"network_id": "{ext}", "nonsense": 1}, "^external_gateway_info.nonsense: is not known here"),
    ({"network_id": "{own}"}, "^Bad router request: Network .* is not an external network.$"),
    ({"network_id": "{ext}", "external_fixed_ips": named("203.0.113.1")},
     "^Bad router request: External IP 203.0.113.1 is the same as the gateway IP"),
    ({"network_id": "{ext}", "external_fixed_ips": named("10.7.7.7")}, "^external_gateway_info.external_fixed_ips: IP address"),
    ({"network_id": "{ext}", "external_fixed_ips": [{}]}, "^external_gateway_info.external_fixed_ips: each needs"),
])
def test_what_leads_nowhere_is_refused_and_changes_nothing(world: World, given: dict[str, Any], words: str) -> None:
    names = {"{ext}": external(world).id, "{own}": world.make("network", ADMIN).id}
    asked = {name: names.get(value, value) if isinstance(value, str) else value for name, value in given.items()}
    router = world.make("router", ADMIN)
    before = state(world)
    for work in (lambda: world.change(router, ADMIN, external_gateway_info=asked),
                 lambda: world.make("router", ADMIN, external_gateway_info=asked)):
        with pytest.raises((Invalid, Unsupported), match=words):
            work()
        assert state(world) == before


def test_a_network_that_one_does_not_see_leads_nowhere(world: World) -> None:
    network = world.make("network", BOB)
    for id in (network.id, DEAD):
        with refused("NetworkNotFound"):
            world.make("router", external_gateway_info={"network_id": id})


def test_an_external_network_without_free_addresses_says_so(world: World) -> None:
    network = external(world, "203.0.113.0/30")
    leading(world, network)
    before = state(world)
    with refused("IpAddressGenerationFailure"):
        leading(world, network, BOB)
    assert state(world) == before


def test_a_router_leads_to_no_subnet_that_overlaps_with_one_inside(world: World) -> None:
    network = external(world)
    router = world.make("router")
    join(world, router, subnet(world, "203.0.113.128/25"))
    with pytest.raises(Invalid, match="Cidr 203.0.113.0/24 .* overlaps with cidr 203.0.113.128/25"):
        world.change(router, external_gateway_info={"network_id": network.id})
    other = leading(world, network)
    with pytest.raises(Invalid, match="Cidr 203.0.113.0/25 .* overlaps with cidr 203.0.113.0/24"):
        join(world, other, subnet(world, "203.0.113.0/25"))
    with pytest.raises(Invalid, match="Router already has a port on subnet"):
        world.writer.act(ADMIN, "router", other.id, "add_router_interface",
                         {"subnet_id": world.model.find("subnet", "network_id", network.id)[0].id})


# ---- what it forbids, and what forbids it

def test_a_gateway_keeps_its_network_and_its_subnet(world: World) -> None:
    network = external(world)
    router = leading(world, network)
    port, one = gateway(world, router), world.model.find("subnet", "network_id", network.id)[0]
    for type, work in (("NetworkInUse", lambda: world.drop(network, ADMIN)), ("SubnetInUse", lambda: world.drop(one, ADMIN)),
                       ("ServicePortInUse", lambda: world.drop(port, ADMIN)),
                       ("ExternalNetworkInUse", lambda: world.change(network, ADMIN, router__external=False))):
        with pytest.raises(Conflict) as wrong:
            work()
        assert wrong.value.type == type, str(wrong.value)
    world.drop(router)
    world.drop(one, ADMIN)


def test_a_router_with_interfaces_is_not_deleted_and_keeps_its_gateway(world: World) -> None:
    router = leading(world, external(world))
    behind(world, router)
    with refused("RouterInUse"):
        world.drop(router)
    assert gateway(world, router)


def test_a_floating_ip_keeps_the_gateway_and_the_interface(world: World) -> None:
    network, other = external(world), external(world, "192.0.2.0/24")
    router = leading(world, network)
    port = behind(world, router)
    floating = world.make("floatingip", floating_network_id=network.id, port_id=port.id)
    for asked in (None, {}, {"network_id": other.id}):
        with refused("RouterExternalGatewayInUseByFloatingIp"):
            world.change(router, external_gateway_info=asked)
    inner = world.model.get("subnet", port.fixed_ips[0].subnet_id)
    with refused("RouterInterfaceInUseByFloatingIP"):
        leave(world, router, inner)
    world.change(router, external_gateway_info={"network_id": network.id})
    world.change(floating, port_id=None)
    world.change(router, external_gateway_info=None)
    world.drop(port)
    leave(world, router, inner)


def test_a_gateways_port_is_made_and_changed_with_its_router_only(world: World) -> None:
    network = external(world)
    router = leading(world, network)
    port = gateway(world, router)
    before = state(world)
    for work in (lambda: world.make("port", ADMIN, network_id=network.id, device_owner=GATEWAY, device_id=router.id),
                 lambda: world.change(world.make("port", ADMIN, network_id=network.id), ADMIN, device_owner=GATEWAY),
                 lambda: world.change(port, ADMIN, device_owner=""), lambda: world.change(port, ADMIN, device_id="")):
        with pytest.raises(Invalid, match="^device_owner: network:router_gateway comes and goes with external_gateway_info"):
            work()
    with pytest.raises(Invalid, match="at least one fixed IP"):
        world.change(port, ADMIN, fixed_ips=[])
    assert state(world)[0]["router"] == before[0]["router"]


def test_a_router_tells_the_addresses_that_its_port_was_given(world: World) -> None:
    router = leading(world, external(world))
    world.change(gateway(world, router), ADMIN, fixed_ips=named("203.0.113.77"))
    assert [one["ip_address"] for one in info(world, router)["external_fixed_ips"]] == ["203.0.113.77"]
    assert world.now(router).revision_number == router.revision_number + 1


def test_a_new_subnet_outside_adds_an_address_where_there_was_none_of_its_version(world: World) -> None:
    network = external(world)
    router = leading(world, network)
    subnet(world, "198.51.100.0/24", network, by=ADMIN)
    assert ips(gateway(world, router)) == ["203.0.113.2"]
    subnet(world, "2001:db8::/64", network, by=ADMIN)
    assert ips(gateway(world, router)) == ["203.0.113.2", "2001:db8::2"]
    assert info(world, router)["external_fixed_ips"] == gateway(world, router).fixed_ips
    assert world.now(router).revision_number == router.revision_number + 1


# ---- the rest

def test_a_route_may_lead_by_one_machine_outside(world: World) -> None:
    router = leading(world, external(world))
    changed = world.change(router, routes=routes("10.9.0.0/16 203.0.113.99"))
    assert [(one.destination, one.nexthop) for one in changed.routes] == [("10.9.0.0/16", "203.0.113.99")]
    with pytest.raises(Unsupported, match="^routes: 10.9.0.0/16 by 203.0.113.99: several next hops"):
        world.change(router, routes=routes("10.9.0.0/16 203.0.113.99", "10.9.0.0/16 203.0.113.98"))
    for wrong in ("203.0.113.2", "198.51.100.1"):               # the router itself; nowhere near
        with pytest.raises(Invalid, match="Invalid format for routes"):
            world.change(router, routes=routes(f"10.9.0.0/16 {wrong}"))


def test_a_zone_is_neither_another_gateways_nor_a_networks_and_comes_and_goes_with_its_gateway(world: World) -> None:
    network = external(world)
    rows = [network, *(world.make("network") for _ in range(2))]
    zones = [gateway(world, leading(world, network)) for _ in range(3)]
    numbers = [*(row.key for row in rows), *(port.zone for port in zones)]
    assert len(set(numbers)) == len(numbers)
    assert "zone" not in world.show(zones[0], ADMIN) and world.make("port", network_id=rows[1].id).zone is None
    pool = world.writer.numbers.pools["network_key"]
    assert set(pool.owners) == set(numbers)
    world.drop(world.model.get("router", zones[1].device_id))
    assert set(pool.owners) == set(numbers) - {zones[1].zone}


def test_a_gateway_is_up_where_the_router_is_and_some_host_has_the_wire(world: World) -> None:
    network = external(world)
    router = leading(world, network)
    port = gateway(world, router)
    assert world.show(port, ADMIN)["status"] == "DOWN"
    reached(world, network)
    assert world.show(port, ADMIN)["status"] == "ACTIVE"
    world.change(router, admin_state_up=False)
    assert world.show(port, ADMIN)["status"] == "DOWN"


def test_a_restarted_controller_knows_the_same_gateways(world: World) -> None:
    router = leading(world, external(world))
    again = World(world.store)
    assert again.now(router) == world.now(router)
    again.change(again.now(router), external_gateway_info=None)
