"""Routes as documents: which routers they are made of, and what cannot be routed."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Forbidden, Invalid, Missing
from tests.derived.bodies import state
from tests.kit.worlds import ADMIN, ANN, BOB, World, refused

INTERFACE = "network:router_interface"


def subnets(world: World, *cidrs: str, by: Any = ANN) -> list[Any]:
    """Each on a network of its own."""
    return [world.make("subnet", by, network_id=world.make("network", by).id, cidr=cidr,
                       ip_version=6 if ":" in cidr else 4) for cidr in cidrs]


def join(world: World, one: Any, other: Any, by: Any = ANN) -> Any:
    return world.make("route", by, subnet_a_id=one.id, subnet_b_id=other.id)


def routers(world: World) -> set[frozenset[str]]:
    """The subnets of each router, which its routes name and its interfaces are on."""
    found = set()
    for router in world.model.rows["router"].values():
        named = frozenset(id for one in world.model.find("route", "router_id", router.id)
                          for id in (one.subnet_a_id, one.subnet_b_id))
        ports = world.model.find("port", "device_id+device_owner", (router.id, INTERFACE))
        assert named == {fixed.subnet_id for port in ports for fixed in port.fixed_ips}
        found.add(frozenset(world.model.get("subnet", id).cidr for id in named))
    return found


def test_routes_with_a_subnet_in_common_have_a_router_in_common_as_long_as_they_hang_together(world: World) -> None:
    a, b, c, d = subnets(world, *(f"10.{number}.0.0/24" for number in range(4)))
    ab, cd = join(world, a, b), join(world, c, d)
    assert routers(world) == {frozenset({a.cidr, b.cidr}), frozenset({c.cidr, d.cidr})}
    macs = {port.fixed_ips[0].ip_address: port.mac_address for port in world.model.rows["port"].values()}
    bc, ad = join(world, b, c), join(world, a, d)
    assert routers(world) == {frozenset({a.cidr, b.cidr, c.cidr, d.cidr})}
    world.drop(bc)
    assert len(routers(world)) == 1
    world.drop(ad)
    assert routers(world) == {frozenset({a.cidr, b.cidr}), frozenset({c.cidr, d.cidr})}
    assert macs == {port.fixed_ips[0].ip_address: port.mac_address for port in world.model.rows["port"].values()}
    world.drop(ab)
    assert routers(world) == {frozenset({c.cidr, d.cidr})}
    world.drop(cd)
    assert routers(world) == set() and not world.model.rows["port"]


def test_ipv6_subnets_that_share_a_port_share_a_router(world: World) -> None:
    network = world.network("fd00::/64", "fd01::/64")
    one, two = world.model.find("subnet", "network_id", network.id)
    x, y = subnets(world, "fd02::/64", "fd03::/64")
    first, second, both = join(world, one, x), join(world, x, two), join(world, two, y)
    world.drop(second)
    assert len(routers(world)) == 1
    for each in (first, both):
        world.drop(each)
    assert routers(world) == set()


def test_what_cannot_be_routed_is_refused_and_changes_nothing(world: World) -> None:
    one, other, six, same = subnets(world, "10.0.0.0/24", "10.1.0.0/24", "fd00::/64", "10.0.0.0/16")
    bare = world.make("subnet", network_id=world.make("network").id, ip_version=4, cidr="10.7.0.0/24", gateway_ip=None)
    made = join(world, one, other)
    before = state(world)
    for a, b, type in ((one, one, "InvalidInput"), (one, six, "InvalidInput"), (one, other, "RouteExists"),
                       (other, one, "RouteExists"), (one, same, "BadRequest"), (one, bare, "BadRequest")):
        with refused(type):
            join(world, a, b)
        assert state(world) == before
    with pytest.raises(Invalid, match="cannot be changed"):
        world.change(made, subnet_a_id=same.id)


def test_a_route_is_between_subnets_of_one_project(world: World) -> None:
    mine, (theirs,) = subnets(world, "10.0.0.0/24", "10.9.0.0/24"), subnets(world, "10.1.0.0/24", by=BOB)
    with pytest.raises(Missing):
        join(world, mine[0], theirs)
    shared = world.make("subnet", ADMIN, network_id=world.make("network", ADMIN, shared=True).id, ip_version=4,
                        cidr="10.2.0.0/24")
    with pytest.raises(Forbidden):
        join(world, mine[0], shared)
    with pytest.raises(Forbidden):
        join(world, mine[0], theirs, by=ADMIN)
    made = join(world, *mine, by=ADMIN)
    assert made.project_id == world.model.get("router", made.router_id).project_id == ANN.project_id
    world.drop(made)


def test_a_subnet_with_a_router_of_its_own_is_joined_there(world: World) -> None:
    one, other, third = subnets(world, "10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24")
    router = world.make("router")
    world.writer.act(ANN, "router", router.id, "add_router_interface", {"subnet_id": one.id})
    with pytest.raises(Conflict, match=f"Router {router.id} is the gateway of subnet {one.id} already"):
        join(world, other, one)
    join(world, other, third)
    with refused("IpAddressInUse"):
        world.writer.act(ANN, "router", router.id, "add_router_interface", {"subnet_id": third.id})


def test_a_router_of_routes_changes_with_these_only(world: World) -> None:
    one, other, third = subnets(world, "10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24")
    router = world.model.get("router", join(world, one, other).router_id)
    port = world.model.find("port", "device_id", router.id)[0]
    loose = world.make("port", network_id=third.network_id)
    owned = {"device_owner": INTERFACE, "device_id": router.id}
    for work in (lambda: world.drop(router),
                 lambda: world.change(router, routes=[{"destination": "0.0.0.0/0", "nexthop": "10.0.0.9"}]),
                 lambda: world.writer.act(ANN, "router", router.id, "add_extraroutes", {
                     "routes": [{"destination": "0.0.0.0/0", "nexthop": "10.0.0.9"}]}),
                 lambda: world.writer.act(ANN, "router", router.id, "add_router_interface", {"subnet_id": third.id}),
                 lambda: world.writer.act(ANN, "router", router.id, "remove_router_interface", {"subnet_id": one.id}),
                 lambda: world.make("port", ADMIN, network_id=third.network_id, **owned),
                 lambda: world.change(loose, ADMIN, **owned),
                 lambda: world.change(port, ADMIN, device_owner="", device_id=""),
                 lambda: world.change(port, ADMIN, fixed_ips=[{"ip_address": "10.0.0.7"}])):
        with pytest.raises(Conflict) as wrong:
            work()
        assert wrong.value.type == "RouterInUse"
    with refused("SubnetInUse"):
        world.drop(one)
    assert world.change(router, name="mine", routes=[]).name == "mine"
    assert world.change(port, name="gate").name == "gate"
