"""Flavors: kinds of routers that an administrator offers, and what a router of one is."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Exhausted, Forbidden, Invalid, Missing
from tests.derived.bodies import state
from tests.kit.leading import WORLD, Leading
from tests.kit.net import Net
from tests.kit.worlds import ADMIN, World, refused

DVR = "neutron.services.l3_router.service_providers.dvr.DvrDriver"


def profile(world: World, metainfo: str = "", driver: str = "", **more: Any) -> Any:
    return world.make("service_profile", ADMIN, metainfo=metainfo, driver=driver, **more)


def flavor(world: World, *profiles: Any, **more: Any) -> Any:
    return world.make("flavor", ADMIN, service_type="L3_ROUTER_NAT", service_profiles=[one.id for one in profiles], **more)


@pytest.mark.parametrize(("said", "distributed", "ha"), [
    ({"driver": DVR}, True, False), ({"driver": "single_node"}, False, False), ({"driver": "ha"}, False, True),
    ({"metainfo": '{"ha": false}'}, True, False), ({"metainfo": "{}"}, True, True),
    ({"driver": "dvr", "metainfo": '{"ha": false, "enable_default_route_ecmp": true}'}, True, False)])
def test_a_router_of_a_flavor_is_what_its_profile_says(world: World, said: dict[str, str], distributed: bool, ha: bool) -> None:
    """… whoever makes it: a member, who may not say so himself."""
    kind = flavor(world, profile(world, **said))
    router = world.make("router", flavor_id=kind.id)
    assert (router.flavor_id, router.distributed, router.ha) == (kind.id, distributed, ha)
    assert bool(router.enable_default_route_ecmp) == ("ecmp" in said.get("metainfo", ""))
    with pytest.raises(Forbidden):
        world.make("router", ha=False)


def test_nobody_chooses_otherwise_then_or_later(world: World) -> None:
    kind = flavor(world, profile(world, '{"ha": false}'))
    before = state(world)
    with pytest.raises(Invalid, match="^ha: flavor .* makes it false; leave it out"):
        world.make("router", ADMIN, flavor_id=kind.id, ha=True)
    assert state(world) == before
    router = world.make("router", ADMIN, flavor_id=kind.id, ha=False)
    for change in ({"ha": True}, {"distributed": False}):
        with pytest.raises(Invalid, match="Changing the 'ha' and 'distributed' attributes"):
            world.change(router, ADMIN, **change)
    assert not world.change(router, ADMIN, ha=False, name="same").ha
    assert world.change(world.make("router", ADMIN), ADMIN, ha=False).ha is False


def test_the_first_profile_that_is_enabled_makes_a_router(world: World) -> None:
    off, first, second = profile(world, driver="ha", enabled=False), profile(world, driver="dvr"), profile(world, driver="single_node")
    kind = flavor(world, off, first)
    world.make("flavor_service_profile_binding", ADMIN, flavor_id=kind.id, service_profile_id=second.id)
    assert world.show(kind)["service_profiles"] == [off.id, first.id, second.id]
    made = world.make("router", flavor_id=kind.id)
    assert (made.distributed, made.ha) == (True, False)
    world.change(kind, ADMIN, service_profiles=[second.id, off.id])
    assert world.show(kind)["service_profiles"] == [off.id, second.id]
    made = world.make("router", flavor_id=kind.id)
    assert (made.distributed, made.ha) == (False, False)


def test_what_cannot_make_a_router_is_refused_as_neutron_does(world: World) -> None:
    empty, off = flavor(world), flavor(world, profile(world, "{}"), enabled=False)
    disabled, label = flavor(world, profile(world, "{}", enabled=False)), world.make("flavor", ADMIN, service_type="FLAVORS")
    before = state(world)
    for kind, error, case in ((off, Exhausted, "FlavorDisabled"), (disabled, Exhausted, "ServiceProfileDisabled"),
                              (empty, Missing, "FlavorServiceProfileBindingNotFound"), (label, Invalid, "InvalidInput")):
        with pytest.raises(error) as found:
            world.make("router", flavor_id=kind.id)
        assert found.value.type == case
    with refused("FlavorNotFound"):
        world.make("router", flavor_id="deadbeef-0000-4000-8000-000000000000")
    assert state(world) == before
    world.change(off, ADMIN, enabled=True)
    assert world.make("router", flavor_id=off.id).ha


def test_a_profile_says_something_that_there_is(world: World) -> None:
    before = state(world)
    with refused("ServiceProfileEmpty"):
        profile(world)
    with refused("ServiceProfileDriverNotFound"):
        profile(world, driver="hardware")
    assert state(world) == before
    made = profile(world, driver="ha")
    with refused("ServiceProfileEmpty"):
        world.change(made, ADMIN, driver="")


@pytest.mark.parametrize(("metainfo", "said"), [
    ("anything", "must be a JSON object"), ("[]", "must be a JSON object"), ('{"size": 7}', "size is nothing that a profile"),
    ('{"ha": "perhaps"}', "metainfo.ha"), ('{"ha": true, "distributed": true}', "ha is not what the driver dvr makes")])
def test_of_a_flavor_of_routers_every_profile_makes_a_router(world: World, metainfo: str, said: str) -> None:
    """A profile may say what it likes, as in Neutron, until a router would be made of it."""
    odd = profile(world, metainfo, driver="dvr" if "true" in metainfo else "")
    kind, label = flavor(world), world.make("flavor", ADMIN, service_type="FLAVORS", service_profiles=[odd.id])
    before = state(world)
    with pytest.raises(Invalid, match=said):
        world.make("flavor_service_profile_binding", ADMIN, flavor_id=kind.id, service_profile_id=odd.id)
    with pytest.raises(Invalid, match=said):
        world.change(kind, ADMIN, service_profiles=[odd.id])
    assert state(world) == before and world.show(label)["service_profiles"] == [odd.id]


def test_what_is_in_use_stays(world: World) -> None:
    one = profile(world, driver="dvr")
    kind = flavor(world, one)
    router = world.make("router", flavor_id=kind.id)
    before = state(world)
    with refused("FlavorInUse"):
        world.drop(kind, ADMIN)
    with refused("ServiceProfileInUse"):
        world.drop(one, ADMIN)
    with refused("ServiceProfileInUse"):
        world.change(one, ADMIN, driver="ha")
    with refused("FlavorServiceProfileBindingExists"):
        world.make("flavor_service_profile_binding", ADMIN, flavor_id=kind.id, service_profile_id=one.id)
    assert state(world) == before
    world.drop(router)
    world.drop(kind, ADMIN)
    assert not world.model.rows["flavor_service_profile_binding"]
    world.change(one, ADMIN, driver="ha")
    world.drop(one, ADMIN)


def test_a_flavor_may_choose_the_zone(world: World) -> None:
    east = flavor(world, profile(world, '{"availability_zone_hints": ["east"]}'))
    with refused("AvailabilityZoneNotFound"):
        world.make("router", flavor_id=east.id)
    world.writer.learn([("host", {"id": "h1", "hostname": "h1", "availability_zone": "east"})])
    assert world.make("router", flavor_id=east.id).availability_zone_hints == ("east",)


def test_a_router_of_a_flavor_without_ha_stays_on_its_host(net: Net) -> None:
    """What a flavor says is what flows do."""
    hosts = ("host1", "host2", "host3")
    (one,) = net.writer.create(ADMIN, "service_profile", [{"driver": "dvr"}])
    (kind,) = net.writer.create(ADMIN, "flavor", [{"service_type": "L3_ROUTER_NAT", "service_profiles": [one.id]}])
    cloud = Leading(net, cidrs=("10.1.0.0/24",), hosts=hosts, wires=hosts, world=(WORLD,), flavor_id=kind.id)
    a = net.port("a", on="host1", network=cloud.inside)
    first = cloud.host()
    net.learn([("loss", {"id": net.switch_on(first)})])
    assert cloud.host() == first
    net.send(cloud.out(a)).reaches(cloud.away)
