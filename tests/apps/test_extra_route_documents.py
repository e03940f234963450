"""Extra routes of routers (extraroute, extraroute-atomic): what a nexthop must be, and what a route keeps in place."""
from __future__ import annotations

import pytest

from controller.errors import Invalid
from tests.kit.routers import act, join, leave, routes, subnet
from tests.kit.worlds import ADMIN, World, refused


def test_routes_are_set_added_and_removed(world: World) -> None:
    router = world.make("router")
    join(world, router, subnet(world, "10.0.0.0/24"))
    join(world, router, subnet(world, "fd00::/64"))
    a, b, six = routes("10.9.0.0/16 10.0.0.9", "0.0.0.0/0 10.0.0.8", "::/0 fd00::9")
    assert world.change(router, routes=[a, six]).routes == (a, six)
    assert act(world, router, "add_extraroutes", routes=[b, a]) is None
    assert world.now(router).routes == (a, six, b)
    act(world, router, "remove_extraroutes", routes=[a, *routes("10.77.0.0/16 10.0.0.7")])
    assert world.now(router).routes == (six, b)
    assert world.change(router, name="x").routes == (six, b)
    assert world.change(router, routes=None).routes == ()


def test_one_destination_may_have_several_nexthops(world: World) -> None:
    router = world.make("router")
    join(world, router, subnet(world, "10.0.0.0/24"))
    both = routes("10.9.0.0/16 10.0.0.8", "10.9.0.0/16 10.0.0.9")
    assert world.change(router, routes=both).routes == tuple(both)


def test_next_hops_have_a_distance_and_a_weight(world: World) -> None:
    router = world.make("router")
    join(world, router, subnet(world, "10.0.0.0/24"))
    near, far = routes("10.9.0.0/16 10.0.0.8", "10.9.0.0/16 10.0.0.9")
    asked = [{**near, "weight": 3}, {**far, "distance": 200}]
    assert world.change(router, routes=asked).routes == tuple(asked)
    act(world, router, "add_extraroutes", routes=[{**near, "weight": 5}])
    assert world.now(router).routes == ({**near, "weight": 5}, {**far, "distance": 200})
    act(world, router, "remove_extraroutes", routes=[far])
    assert world.now(router).routes == ({**near, "weight": 5},)
    with refused("InvalidRoutes"):
        world.change(router, routes=[{**near, "weight": 3}, near])
    for wrong in ({"weight": 0}, {"weight": 65536}, {"distance": 0}, {"distance": 256}, {"weight": None}, {"cost": 1}):
        with pytest.raises(Invalid, match=r"^routes\[0\]"):
            world.change(router, routes=[{**near, **wrong}])


@pytest.mark.parametrize(("route", "text"), [
    ("10.9.0.0/16 10.1.0.9", "the nexthop is not connected with router"),
    ("10.9.0.0/16 10.0.0.1", "the nexthop is used by router"),
    ("fd00::/64 10.0.0.9", "the destination and the nexthop are not of one IP version"),
])
def test_a_nexthop_is_a_neighbour(world: World, route: str, text: str) -> None:
    router = world.make("router")
    join(world, router, subnet(world, "10.0.0.0/24"))
    for work in (lambda: world.change(router, routes=routes(route)),
                 lambda: act(world, router, "add_extraroutes", routes=routes(route))):
        with pytest.raises(Invalid, match=text) as wrong:
            work()
        assert (wrong.value.type, wrong.value.status) == ("InvalidRoutes", 400)


def test_thirty_routes_are_the_most(world: World) -> None:
    router = world.make("router")
    join(world, router, subnet(world, "10.0.0.0/24"))
    many = routes(*(f"10.9.{number}.0/24 10.0.0.9" for number in range(31)))
    world.change(router, routes=many[:30])
    for work in (lambda: world.change(router, routes=many),
                 lambda: act(world, router, "add_extraroutes", routes=many[30:])):
        with refused("RoutesExhausted"):
            work()


def test_a_subnet_that_a_route_leads_through_is_not_left(world: World) -> None:
    router, one, other = world.make("router"), subnet(world, "10.0.0.0/24"), subnet(world, "10.1.0.0/24")
    port = join(world, router, one)
    join(world, router, other)
    world.change(router, routes=routes("10.9.0.0/16 10.0.0.9"))
    for work in (lambda: leave(world, router, one), lambda: leave(world, router, port),
                 lambda: world.change(port, ADMIN, device_id="", device_owner="")):
        with refused("RouterInterfaceInUseByRoute"):
            work()
    leave(world, router, other)
    world.change(router, routes=[])
    leave(world, router, one)


def test_a_route_is_given_once_the_router_is_there(world: World) -> None:
    with pytest.raises(Invalid, match="routes: cannot be set at creation"):
        world.make("router", routes=[])
