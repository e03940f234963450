"""Subnet pools and address scopes as clients of Neutron know them."""
from __future__ import annotations

from typing import Any

import pytest

from controller import values
from controller.errors import Forbidden, Missing, Refused, Unsupported
from tests.derived.bodies import state
from tests.kit.worlds import ADMIN, ANN, BOB, Context, World, refused

DEAD = "deadbeef-0000-4000-8000-000000000000"


def pool(world: World, *prefixes: str, by: Context = ANN, **more: Any) -> Any:
    return world.make("subnetpool", by, **{"name": "pool", "prefixes": list(prefixes or ("10.0.0.0/16",)), **more})


def cut(world: World, source: Any, by: Context = ANN, network: Any = None, **more: Any) -> Any:
    """A subnet from a pool."""
    network = network or world.make("network", by)
    return world.make("subnet", by, network_id=network.id,
                      **{"ip_version": source.ip_version, "subnetpool_id": source.id, **more})


def act(world: World, source: Any, name: str, by: Context = ANN, **asked: Any) -> Any:
    return world.writer.act(by, "subnetpool", source.id, name, asked)[1]


# ---- pools

def test_a_pool_says_what_it_does_by_default(world: World) -> None:
    four, six = pool(world, "10.0.0.0/16"), pool(world, "fd00::/48")
    assert (four.ip_version, four.min_prefixlen, four.max_prefixlen, four.default_prefixlen) == (4, 8, 32, 8)
    assert (six.ip_version, six.min_prefixlen, six.max_prefixlen, six.default_prefixlen) == (6, 64, 128, 64)
    assert pool(world, min_prefixlen=20, max_prefixlen=28).default_prefixlen == 20
    assert (four.default_quota, four.is_default, world.show(four)["shared"], four.address_scope_id) == (None, False, False, None)


def test_blocks_that_touch_or_overlap_are_one(world: World) -> None:
    made = pool(world, "10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25", "10.0.4.0/24")
    assert made.prefixes == ("10.0.0.0/23", "10.0.4.0/24")


@pytest.mark.parametrize(("said", "type"), [
    ({"prefixes": []}, "EmptySubnetPoolPrefixList"),
    ({"prefixes": ["10.0.0.0/8", "fd00::/48"]}, "PrefixVersionMismatch"),
    ({"min_prefixlen": 25, "max_prefixlen": 24}, "IllegalSubnetPoolPrefixBounds"),
    ({"max_prefixlen": 33}, "IllegalSubnetPoolPrefixBounds"),
    ({"min_prefixlen": 16, "default_prefixlen": 15}, "IllegalSubnetPoolPrefixBounds"),
    ({"max_prefixlen": 24, "default_prefixlen": 25}, "IllegalSubnetPoolPrefixBounds"),
    ({"name": ""}, "InvalidInput"), ({"address_scope_id": DEAD}, "AddressScopeNotFound")])
def test_what_cannot_be_is_refused_and_changes_nothing(world: World, said: dict[str, Any], type: str) -> None:
    before = state(world)
    with refused(type):
        pool(world, **said)
    assert state(world) == before


def test_a_change_adds_blocks_and_takes_none_away(world: World) -> None:
    made = pool(world, "10.0.0.0/16")
    assert world.change(made, prefixes=["10.1.0.0/16", "10.0.0.0/16"]).prefixes == ("10.0.0.0/15",)
    for prefixes, type in ((["10.0.0.0/16"], "IllegalSubnetPoolPrefixUpdate"), (["fd00::/48"], "PrefixVersionMismatch"),
                           ([], "EmptySubnetPoolPrefixList")):
        with refused(type):
            world.change(made, prefixes=prefixes)
    with refused("IllegalSubnetPoolPrefixBounds"):
        world.change(made, max_prefixlen=7)
    changed = world.change(made, default_prefixlen=24, name="renamed", default_quota=512)
    assert (changed.default_prefixlen, changed.name, changed.default_quota) == (24, "renamed", 512)
    with refused("InvalidInput"):
        world.change(made, name="")


def test_blocks_are_added_and_removed_one_by_one(world: World) -> None:
    made = pool(world, "10.0.0.0/16", default_prefixlen=24)
    assert act(world, made, "add_prefixes", prefixes=["10.2.0.0/16"]) == {"prefixes": ("10.0.0.0/16", "10.2.0.0/16")}
    subnet = cut(world, made, cidr="10.0.3.0/24")
    assert act(world, made, "remove_prefixes", prefixes=["10.0.0.0/23", "10.2.0.0/16"])["prefixes"] == (
        "10.0.2.0/23", "10.0.4.0/22", "10.0.8.0/21", "10.0.16.0/20", "10.0.32.0/19", "10.0.64.0/18", "10.0.128.0/17")
    assert world.now(made).revision_number == 2
    for gone, type in (("10.0.3.0/28", "IllegalSubnetPoolPrefixUpdate"),
                       ("10.9.0.0/16", "IllegalSubnetPoolPrefixUpdate"),
                       ("fd00::/48", "PrefixVersionMismatch")):
        with refused(type):
            act(world, made, "remove_prefixes", prefixes=[gone])
    world.drop(subnet)
    with refused("EmptySubnetPoolPrefixList"):
        act(world, made, "remove_prefixes", prefixes=list(world.now(made).prefixes))


def test_there_is_one_default_for_each_version(world: World) -> None:
    made = pool(world, by=ADMIN, is_default=True)
    pool(world, "fd00::/48", by=ADMIN, is_default=True)
    with refused("InvalidInput"):
        pool(world, "10.1.0.0/16", by=ADMIN, is_default=True)
    other = pool(world, "10.1.0.0/16", by=ADMIN)
    world.change(made, ADMIN, is_default=False)
    assert world.change(other, ADMIN, is_default=True).is_default
    for mark in ("is_default", "shared"):
        with pytest.raises(Forbidden):
            pool(world, **{mark: True})


def test_a_pool_with_subnets_stays(world: World) -> None:
    made = pool(world, default_prefixlen=24)
    subnet = cut(world, made)
    with refused("SubnetPoolDeleteError"):
        world.drop(made)
    world.drop(subnet)
    world.drop(made)


# ---- subnets

def test_subnets_are_cut_from_the_smallest_room_and_given_back(world: World) -> None:
    made = pool(world, "10.0.0.0/22", "10.9.0.0/25", default_prefixlen=24, min_prefixlen=20)
    small = {"prefixlen": 26}
    cidrs = [cut(world, made, **said).cidr for said in ({}, small, small, small, {})]
    assert cidrs == ["10.0.0.0/24", "10.9.0.0/26", "10.9.0.64/26", "10.0.1.0/26", "10.0.2.0/24"]
    world.drop(world.model.find("subnet", "cidr", "10.0.0.0/24")[0])
    assert cut(world, made).cidr == "10.0.0.0/24"
    assert cut(world, made).cidr == "10.0.3.0/24"
    with refused("SubnetAllocationError"):
        cut(world, made)
    assert cut(world, made, prefixlen=25).cidr == "10.0.1.128/25"


def test_a_subnet_from_a_pool_is_like_any_other(world: World) -> None:
    made = pool(world, "10.0.0.0/16", default_prefixlen=28)
    subnet = cut(world, made)
    assert (subnet.cidr, subnet.gateway_ip, subnet.subnetpool_id) == ("10.0.0.0/28", "10.0.0.1", made.id)
    assert [(one.start, one.end) for one in subnet.allocation_pools] == [("10.0.0.2", "10.0.0.14")]
    assert "prefixlen" not in world.show(subnet) and world.show(subnet)["subnetpool_id"] == made.id
    six = cut(world, pool(world, "fd00::/48"), ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    assert (six.cidr, six.gateway_ip) == ("fd00::/64", "fd00::1")


def test_a_certain_block_is_taken_if_it_is_free_and_in_the_pool(world: World) -> None:
    made = pool(world, "10.0.0.0/16", min_prefixlen=20, max_prefixlen=28)
    assert cut(world, made, cidr="10.0.32.0/24").cidr == "10.0.32.0/24"
    for cidr, type in (("10.0.32.0/25", "SubnetAllocationError"), ("10.0.32.0/20", "SubnetAllocationError"),
                       ("10.1.0.0/24", "SubnetAllocationError"), ("10.0.0.0/19", "MinPrefixSubnetAllocationError"),
                       ("10.0.0.0/29", "MaxPrefixSubnetAllocationError")):
        with refused(type):
            cut(world, made, cidr=cidr)


@pytest.mark.parametrize(("said", "type"), [
    ({"prefixlen": 7}, "MinPrefixSubnetAllocationError"), ({"prefixlen": 33}, "MaxPrefixSubnetAllocationError"),
    ({"prefixlen": 24, "cidr": "10.0.0.0/24"}, "BadRequest"), ({"ip_version": 6}, "BadRequest"),
    ({"use_default_subnetpool": True}, "BadRequest"), ({"subnetpool_id": DEAD}, "SubnetPoolNotFound"),
    ({"allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.9"}]}, "BadRequest"),
    ({"subnetpool_id": None, "prefixlen": 24}, "BadRequest"),
    ({"subnetpool_id": None, "use_default_subnetpool": True}, "BadRequest"),
    ({"subnetpool_id": "prefix_delegation"}, "NotImplemented")])
def test_what_a_pool_does_not_give_is_refused(world: World, said: dict[str, Any], type: str) -> None:
    made = pool(world)
    with pytest.raises(Refused) as wrong:
        cut(world, made, **said)
    assert wrong.value.type == type


def test_prefix_delegation_is_refused_as_not_served(world: World) -> None:
    with pytest.raises(Unsupported, match="subnetpool_id: prefix delegation is not served"):
        world.make("subnet", network_id=world.make("network").id, ip_version=6, subnetpool_id="prefix_delegation")


def test_the_default_pool_is_for_those_who_may_see_it(world: World) -> None:
    mine = pool(world, "10.0.0.0/16", by=ADMIN, is_default=True, default_prefixlen=24)
    asked = {"ip_version": 4, "use_default_subnetpool": True}
    with refused("BadRequest"):
        world.make("subnet", network_id=world.make("network").id, **asked)
    world.drop(mine, ADMIN)
    shared = pool(world, "10.0.0.0/16", by=ADMIN, is_default=True, default_prefixlen=24, shared=True)
    made = world.make("subnet", network_id=world.make("network").id, **asked)
    assert (made.cidr, made.subnetpool_id) == ("10.0.0.0/24", shared.id)
    with pytest.raises(Missing):
        cut(world, pool(world, "10.1.0.0/16", by=BOB))


def test_a_project_has_so_much_of_a_pool(world: World) -> None:
    made = pool(world, "10.0.0.0/16", by=ADMIN, shared=True, default_quota=512, default_prefixlen=24)
    for who in (ANN, BOB):
        cut(world, made, who)
        cut(world, made, who, prefixlen=25)
        with refused("SubnetPoolQuotaExceeded"):
            cut(world, made, who)
        cut(world, made, who, prefixlen=25)
    six = pool(world, "fd00::/48", default_quota=2)
    cut(world, six, prefixlen=64)
    cut(world, six, prefixlen=65)
    with refused("SubnetPoolQuotaExceeded"):
        cut(world, six, prefixlen=64)
    cut(world, six, prefixlen=65)


def test_subnets_of_one_network_come_from_one_pool_or_one_scope(world: World) -> None:
    network, made = world.make("network"), pool(world, "10.0.0.0/16", default_prefixlen=24)
    cut(world, made, network=network)
    cut(world, made, network=network)
    cut(world, pool(world, "fd00::/48"), network=network)
    with refused("NetworkSubnetPoolAffinityError"):
        cut(world, pool(world, "10.1.0.0/16", default_prefixlen=24), network=network)
    scope = world.make("address_scope", ip_version=4)
    one, two = (pool(world, cidr, default_prefixlen=24, address_scope_id=scope.id)
                for cidr in ("10.2.0.0/16", "10.3.0.0/16"))
    network = world.make("network")
    assert [cut(world, each, network=network).cidr for each in (one, two)] == ["10.2.0.0/24", "10.3.0.0/24"]


def test_the_subnets_of_a_network_are_taken_in(world: World) -> None:
    network = world.network("10.0.0.0/24", "10.0.5.0/24", "fd00::/64")
    made = pool(world, "10.9.0.0/24", default_prefixlen=26)
    answer = act(world, made, "onboard_network_subnets", network_id=network.id)
    assert {one["cidr"] for one in answer} == {"10.0.0.0/24", "10.0.5.0/24"}
    assert world.now(made).prefixes == ("10.0.0.0/24", "10.0.5.0/24", "10.9.0.0/24")
    assert [one.cidr for one in world.model.find("subnet", "subnetpool_id", made.id)] == ["10.0.0.0/24", "10.0.5.0/24"]
    assert cut(world, made, network=network).cidr == "10.9.0.0/26"
    for other in (network, world.network("10.0.5.0/25"), world.network("10.1.0.0/16", by=ADMIN, shared=True)):
        with refused("IllegalSubnetPoolUpdate"):
            act(world, made, "onboard_network_subnets", network_id=other.id)
    theirs = world.network("10.1.0.0/16", by=BOB)
    with pytest.raises(Missing):
        act(world, made, "onboard_network_subnets", network_id=theirs.id)


# ---- address scopes

def test_no_two_pools_of_a_scope_overlap(world: World) -> None:
    scope = world.make("address_scope", ip_version=4, name="scope")
    one = pool(world, "10.0.0.0/16", address_scope_id=scope.id)
    with refused("AddressScopePrefixConflict"):
        pool(world, "10.0.7.0/24", address_scope_id=scope.id)
    other = pool(world, "10.0.7.0/24", "10.8.0.0/16")
    with refused("AddressScopePrefixConflict"):
        world.change(other, address_scope_id=scope.id)
    two = pool(world, "10.1.0.0/16", address_scope_id=scope.id)
    for work in (lambda: world.change(two, prefixes=["10.0.0.0/15"]),
                 lambda: act(world, two, "add_prefixes", prefixes=["10.0.3.0/24"]),
                 lambda: act(world, two, "onboard_network_subnets", network_id=world.network("10.0.4.0/24").id)):
        with refused("AddressScopePrefixConflict"):
            work()
    with refused("IllegalSubnetPoolIpVersionAssociationToAddressScope"):
        pool(world, "fd00::/48", address_scope_id=scope.id)
    with refused("AddressScopeInUse"):
        world.drop(scope)
    for each in (one, two):
        world.change(each, address_scope_id=None)
    world.drop(scope)


def test_a_network_says_which_scopes_it_is_in(world: World) -> None:
    scopes = {version: world.make("address_scope", ip_version=version) for version in (4, 6)}
    network, plain = world.make("network"), world.network("10.0.0.0/24")
    cut(world, pool(world, "10.0.0.0/16", default_prefixlen=24, address_scope_id=scopes[4].id), network=network)
    assert [world.show(network)[name] for name in ("ipv4_address_scope", "ipv6_address_scope")] == [scopes[4].id, None]
    cut(world, pool(world, "fd00::/48", address_scope_id=scopes[6].id), network=network)
    assert world.show(network)["ipv6_address_scope"] == scopes[6].id
    assert world.show(plain)["ipv4_address_scope"] is None


def test_a_scope_that_is_shared_stays_so_and_is_not_for_others_to_grow(world: World) -> None:
    scope = world.make("address_scope", ADMIN, ip_version=4, shared=True)
    made = pool(world, "10.0.0.0/16", address_scope_id=scope.id)
    with refused("AddressScopeUpdateError"):
        world.change(scope, ADMIN, shared=False)
    with refused("IllegalSubnetPoolUpdate"):
        world.change(made, prefixes=["10.0.0.0/15"])
    assert world.change(made, ADMIN, prefixes=["10.0.0.0/15"]).prefixes == ("10.0.0.0/15",)
    with refused("AddressScopeNotFound"):
        pool(world, "10.0.0.0/16", address_scope_id=world.make("address_scope", BOB, ip_version=4).id)
    with pytest.raises(Forbidden):
        world.make("address_scope", ip_version=4, shared=True)


# ---- sets of addresses

def test_ranges_and_blocks_agree_with_sets_of_addresses() -> None:
    texts = ("10.0.0.0/29", "10.0.0.4/30", "10.0.0.16/28", "10.0.0.9/32", "255.255.255.248/29", "0.0.0.0/31")
    blocks = [values.prefix(text) for text in texts]

    def members(ranges: list[tuple[int, int]]) -> set[int]:
        return {number for first, last in ranges for number in range(first, last + 1)}

    for some in (blocks[:1], blocks[:4], blocks, blocks[::-1]):
        ranges = values.joined(some)
        assert members(ranges) == {number for one in some for number in range(one.first, one.last + 1)}
        made = values.blocks(4, ranges)
        assert members([(one.first, one.last) for one in made]) == members(ranges)
        assert [values.prefix(one.text) for one in made] == made
        for gone in (blocks[1:3], blocks[3:], blocks[:0], blocks):
            left = values.without(ranges, values.joined(gone))
            assert members(left) == members(ranges) - members(values.joined(gone))
    assert [one.text for one in values.blocks(6, [(0, (1 << 128) - 1)])] == ["::/0"]
    assert [one.text for one in values.blocks(4, [(1, 6)])] == ["0.0.0.1/32", "0.0.0.2/31", "0.0.0.4/31", "0.0.0.6/32"]
