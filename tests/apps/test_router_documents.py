"""Routers as clients of Neutron know them: which subnets one may join, by which ports, and which routes it may have."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Forbidden, Invalid, Missing, Refused, Unsupported
from tests.derived.bodies import state
from tests.kit.outside import behind, external, leading, reached
from tests.kit.routers import act, ips, join, leave, subnet
from tests.kit.worlds import ADMIN, ANN, BOB, Context, World, refused

DEAD = "deadbeef-0000-4000-8000-000000000000"
INTERFACE = "network:router_interface"


def bad(text: str) -> Any:
    return pytest.raises(Invalid, match=f"Bad router request: {text}")


# ---- joining

def test_an_interface_is_a_port_with_the_gateways_address(world: World) -> None:
    router, one = world.make("router"), subnet(world, "10.0.0.0/24")
    answer = act(world, router, "add_router_interface", subnet_id=one.id)
    port = world.model.get("port", answer.pop("port_id"))
    assert answer == {"id": router.id, "tenant_id": ANN.project_id, "project_id": ANN.project_id,
                      "network_id": one.network_id, "subnet_id": one.id, "subnet_ids": [one.id]}
    assert (port.device_id, port.device_owner, ips(port)) == (router.id, INTERFACE, ["10.0.0.1"])
    assert (port.project_id, port.security_groups, port.port_security_enabled) == (ANN.project_id, (), False)
    assert world.show(port)["status"] == "ACTIVE"
    assert world.now(router).revision_number == router.revision_number + 1
    assert world.model.find("port", "device_id+device_owner", (router.id, INTERFACE)) == [port]
    assert world.model.find("port", "network_id+device_owner", (one.network_id, INTERFACE)) == [port]


def test_a_router_leaves_a_subnet_as_if_it_had_never_been_there(world: World) -> None:
    router, one = world.make("router"), subnet(world, "10.0.0.0/24")
    port = join(world, router, one)
    answer = leave(world, router, one)
    assert (answer["port_id"], answer["subnet_ids"]) == (port.id, [one.id])
    assert world.now(port) is None and world.now(router).revision_number == router.revision_number + 2
    assert ips(join(world, router, one)) == ["10.0.0.1"]
    act(world, router, "remove_router_interface", port_id=world.model.find("port", "device_id", router.id)[0].id)
    world.drop(one)
    world.drop(router)


def test_a_router_joins_by_a_port_of_ones_own(world: World) -> None:
    router, one = world.make("router"), subnet(world, "10.0.0.0/24")
    port = world.make("port", network_id=one.network_id)
    assert port.security_groups
    after = join(world, router, port)
    assert after.id == port.id and ips(after) == ips(port) == ["10.0.0.2"]
    assert (after.device_owner, after.security_groups, after.port_security_enabled) == (INTERFACE, (), False)
    leave(world, router, port)
    assert world.now(port) is None


def test_a_port_that_somebody_uses_is_not_taken(world: World) -> None:
    router, one = world.make("router"), subnet(world, "10.0.0.0/24")
    port = world.make("port", network_id=one.network_id, device_id="vm1")
    with pytest.raises(Conflict, match="already has an attached device vm1") as wrong:
        join(world, router, port)
    assert wrong.value.type == "PortInUse"


def test_a_port_without_addresses_joins_nothing(world: World) -> None:
    router, one = world.make("router"), subnet(world, "10.0.0.0/24")
    with bad("Router port must have at least one fixed IP"):
        join(world, router, world.make("port", network_id=one.network_id, fixed_ips=[]))


def test_a_port_with_two_ipv4_subnets_is_no_interface(world: World) -> None:
    router, network = world.make("router"), world.network("10.0.0.0/24", "10.0.1.0/24")
    two = [{"subnet_id": one.id} for one in world.model.find("subnet", "network_id", network.id)]
    with bad("Cannot have multiple IPv4 subnets on router port"):
        join(world, router, world.make("port", network_id=network.id, fixed_ips=two))


def test_two_subnets_of_one_network_are_joined_by_two_ports(world: World) -> None:
    router, network = world.make("router"), world.network("10.0.0.0/24", "10.0.1.0/24")
    ports = [join(world, router, one) for one in world.model.find("subnet", "network_id", network.id)]
    assert [ips(port) for port in ports] == [["10.0.0.1"], ["10.0.1.1"]] and ports[0].id != ports[1].id


def test_ipv6_subnets_of_one_network_share_a_port_and_leave_it_one_by_one(world: World) -> None:
    router, network = world.make("router"), world.network("fd00::/64", "fd01::/64", "10.0.0.0/24")
    one, two, four = world.model.find("subnet", "network_id", network.id)
    first, second, third = (join(world, router, each) for each in (one, two, four))
    assert first.id == second.id != third.id and ips(second) == ["fd00::1", "fd01::1"]
    assert leave(world, router, one)["subnet_ids"] == [one.id]
    assert ips(world.now(first)) == ["fd01::1"]
    leave(world, router, two)
    assert world.now(first) is None and world.now(third) is not None


def test_a_router_has_one_port_with_ipv6_on_a_network(world: World) -> None:
    router, network = world.make("router"), world.network("fd00::/64", "fd01::/64")
    one, two = world.model.find("subnet", "network_id", network.id)
    join(world, router, one)
    with bad("Router already contains IPv6 port .* Only one IPv6 port from the same network"):
        join(world, router, world.make("port", network_id=network.id, fixed_ips=[{"subnet_id": two.id}]))


def test_a_subnet_that_makes_its_own_addresses_gives_a_router_only_the_gateways(world: World) -> None:
    router = world.make("router")
    one = subnet(world, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    assert ips(join(world, router, one)) == ["fd00::1"]


@pytest.mark.parametrize(("cidr", "more", "text"), [
    ("10.0.0.0/24", {"gateway_ip": None}, "Subnet for router interface must have a gateway IP"),
    ("fd00::/64", {"ipv6_address_mode": "slaac"}, "IPv6 subnet .* configured to receive RAs from an external router"),
])
def test_some_subnets_cannot_be_joined(world: World, cidr: str, more: dict[str, Any], text: str) -> None:
    router, one = world.make("router"), subnet(world, cidr, **more)
    before = state(world)
    with bad(text):
        join(world, router, one)
    assert state(world) == before


def test_no_two_subnets_of_a_router_overlap(world: World) -> None:
    router = world.make("router")
    cidrs = "10.0.0.0/16", "10.0.0.0/16", "10.0.7.0/24", "10.1.0.0/16"
    one, same, inside, apart = (subnet(world, cidr) for cidr in cidrs)
    join(world, router, one)
    for each in (same, inside):
        with bad(f"Cidr {each.cidr} of subnet {each.id} overlaps with cidr 10.0.0.0/16 of subnet {one.id}"):
            join(world, router, each)
    with bad(f"Router already has a port on subnet {one.id}"):
        join(world, router, one)
    join(world, router, apart)
    join(world, world.make("router"), inside)


def test_a_gateways_address_that_is_taken_is_told(world: World) -> None:
    one = subnet(world, "10.0.0.0/24")
    join(world, world.make("router"), one)
    with refused("IpAddressInUse"):
        join(world, world.make("router"), one)


@pytest.mark.parametrize(("action", "asked", "text"), [
    ("add_router_interface", {}, "Either subnet_id or port_id must be specified"),
    ("remove_router_interface", {}, "Either subnet_id or port_id must be specified"),
    ("add_router_interface", {"subnet_id": DEAD, "port_id": DEAD}, "could not be found"),
    ("add_router_interface", {"subnet_id": "nonsense"}, "subnet_id: must be a UUID"),
    ("add_router_interface", {"subnet_id": None}, "subnet_id: must not be null"),
    ("add_router_interface", {"network_id": DEAD}, "network_id: is not known here"),
    ("add_router_interface", {"subnet_id": DEAD}, f"Subnet {DEAD} could not be found"),
    ("add_router_interface", {"port_id": DEAD}, f"Port {DEAD} could not be found"),
    ("remove_router_interface", {"port_id": DEAD}, f"does not have an interface with id {DEAD}"),
])
def test_what_joins_nothing_is_refused_and_changes_nothing(world: World, action: str, asked: dict[str, Any],
                                                           text: str) -> None:
    router = world.make("router")
    before = state(world)
    with pytest.raises(Refused, match=text):
        act(world, router, action, **asked)
    assert state(world) == before


def test_a_subnet_and_a_port_at_once_are_too_much(world: World) -> None:
    router, one = world.make("router"), subnet(world, "10.0.0.0/24")
    port = world.make("port", network_id=one.network_id)
    with bad("Cannot specify both subnet-id and port-id"):
        act(world, router, "add_router_interface", subnet_id=one.id, port_id=port.id)


def test_a_router_leaves_only_what_it_has_joined(world: World) -> None:
    router, one, other = world.make("router"), subnet(world, "10.0.0.0/24"), subnet(world, "10.1.0.0/24")
    port = join(world, router, one)
    with refused("RouterInterfaceNotFoundForSubnet"):
        leave(world, router, other)
    with refused("SubnetMismatchForPort"):
        act(world, router, "remove_router_interface", port_id=port.id, subnet_id=other.id)
    with refused("RouterInterfaceNotFound"):
        leave(world, world.make("router"), port)
    assert leave(world, router, port)["port_id"] == port.id


# ---- who may

def test_a_subnet_of_another_project_is_joined_only_if_its_network_is_shared(world: World) -> None:
    router = world.make("router")
    with refused("SubnetNotFound"):
        join(world, router, subnet(world, "10.0.0.0/24", by=BOB))
    network = world.make("network", ADMIN, shared=True)
    one = subnet(world, "10.0.0.0/24", network, by=ADMIN)
    port = join(world, router, one)
    assert port.project_id == ANN.project_id and ips(port) == ["10.0.0.1"]
    leave(world, router, one)


def test_a_router_of_another_project_does_nothing_for_one(world: World) -> None:
    router, one = world.make("router"), subnet(world, "10.0.0.0/24", by=BOB)
    with pytest.raises(Missing):
        join(world, router, one, by=BOB)
    reader = Context(project_id=ANN.project_id, roles=frozenset({"reader"}), user="rob")
    with pytest.raises(Forbidden):
        act(world, router, "add_router_interface", reader, subnet_id=DEAD)


def test_an_interface_does_not_count_for_the_quota_of_ports() -> None:
    world = World(quotas={"port": 0, "router": 1})
    join(world, world.make("router"), subnet(world, "10.0.0.0/24"))
    with refused("OverQuota"):
        world.make("router")


# ---- what an interface forbids

def test_an_interface_keeps_its_router_its_subnet_and_its_gateway(world: World) -> None:
    router, one = world.make("router"), subnet(world, "10.0.0.0/24")
    port = join(world, router, one)
    for type, work in (("RouterInUse", lambda: world.drop(router)), ("SubnetInUse", lambda: world.drop(one)),
                       ("ServicePortInUse", lambda: world.drop(port)),
                       ("ServicePortInUse", lambda: world.drop(port, ADMIN)),
                       ("NetworkInUse", lambda: world.drop(world.model.get("network", one.network_id))),
                       ("GatewayIpInUse", lambda: world.change(one, gateway_ip=None))):
        with pytest.raises(Conflict) as wrong:
            work()
        assert wrong.value.type == type and wrong.value.status == 409
    assert world.change(one, name="renamed", gateway_ip="10.0.0.1").name == "renamed"
    assert "cannot be deleted directly via the port API: has device owner network:router_interface" in str(
        pytest.raises(Conflict, world.drop, port).value)


def test_a_port_made_an_interface_by_hand_is_held_to_the_same_rules(world: World) -> None:
    router, one, other = world.make("router"), subnet(world, "10.0.0.0/24"), subnet(world, "10.0.0.0/16")
    join(world, router, one)
    asked = {"device_owner": INTERFACE, "network_id": other.network_id}
    with refused("RouterNotFound"):
        world.make("port", ADMIN, device_id=DEAD, **asked)
    with bad("Cidr 10.0.0.0/16 .* overlaps"):
        world.make("port", ADMIN, device_id=router.id, **asked)
    port = world.make("port", ADMIN, device_id=world.make("router").id, **asked)
    with bad("Cidr 10.0.0.0/16 .* overlaps"):
        world.change(port, ADMIN, device_id=router.id)
    with refused("RouterNotFound"):
        world.change(port, ADMIN, device_id="")
    revision = world.model.get("router", port.device_id).revision_number
    world.change(port, ADMIN, device_id="", device_owner="")
    assert world.model.get("router", port.device_id).revision_number == revision + 1
    world.drop(port, ADMIN)


# ---- the rest

def test_every_router_has_a_number_of_its_own(world: World) -> None:
    assert [world.make("router").key for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("attributes", [
    {"service_type_id": DEAD}, {"evpn_vni": 7}])
def test_what_is_not_served_is_refused_by_name(world: World, attributes: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match=f"^{next(iter(attributes))}"):
        world.make("router", ADMIN, **attributes)


def test_only_an_administrator_says_where_floating_ips_are_translated_and_whether_it_fails_over(world: World) -> None:
    router = world.make("router", ADMIN, distributed=False, ha=False, project_id=ANN.project_id)
    assert (router.distributed, router.ha) == (False, False)
    for name in ("distributed", "ha"):
        assert getattr(world.change(router, ADMIN, **{name: None}), name) is True, "null: as if nothing were said"
        with pytest.raises(Forbidden, match=name):
            world.change(router, **{name: False})


def test_only_an_administrator_sees_how_a_router_is_built(world: World) -> None:
    router = world.make("router")
    assert not {"distributed", "ha", "key"} & world.show(router).keys()
    shown = world.show(router, ADMIN)
    assert (shown["distributed"], shown["ha"]) == (True, True)
    assert (shown["status"], shown["external_gateway_info"]) == ("ACTIVE", None)


# ---- what is true of one

def test_its_status_is_what_the_switches_say_of_it(world: World) -> None:
    network = external(world)
    router, free = leading(world, network), world.make("router")

    def status(one: Any) -> str:
        return str(world.show(one)["status"])
    assert (status(router), status(free)) == ("DOWN", "ACTIVE"), "no host reaches outside yet"
    reached(world, network)
    assert status(router) == "ACTIVE"
    floating = world.make("floatingip", floating_network_id=network.id, port_id=behind(world, router).id)
    wrong: dict[tuple[str, str], str] = {}
    world.model.live["realized"] = lambda named: wrong.get(named, "ACTIVE")
    assert (status(router), status(floating)) == ("ACTIVE", "ACTIVE")
    wrong["floatingip", floating.id] = "BUILD"
    assert status(floating) == "DOWN", "the switches have not confirmed it yet"
    wrong["floatingip", floating.id] = wrong["router", router.id] = "ERROR"
    assert (status(router), status(floating)) == ("ERROR", "ERROR")
    wrong.clear()
    assert status(world.change(router, admin_state_up=False)) == "ACTIVE", "it is off, which admin_state_up says"
    assert status(world.now(floating)) == "DOWN"
