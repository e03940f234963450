"""Address groups, as documents."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Invalid, Missing
from tests.kit.worlds import ANN, BOB, World, refused


def act(world: World, group: Any, name: str, *addresses: str, by: Any = ANN) -> Any:
    return world.writer.act(by, "address_group", group.id, name, {"addresses": list(addresses)})[0]


def test_addresses_are_added_and_removed(world: World) -> None:
    group = world.make("address_group", name="g", addresses=["10.0.0.0/24"])
    assert act(world, group, "add_addresses", "2001:db8::/64", "10.1.0.7/32").addresses == (
        "10.0.0.0/24", "2001:db8::/64", "10.1.0.7/32")
    assert act(world, group, "remove_addresses", "10.0.0.0/24").addresses == ("2001:db8::/64", "10.1.0.7/32")
    with pytest.raises(Invalid, match="^addresses: .* already exist") as there:
        act(world, group, "add_addresses", "10.2.0.0/24", "10.1.0.7/32")
    assert there.value.type == "AddressesAlreadyExist"
    with refused("AddressesNotFound"):
        act(world, group, "remove_addresses", "10.1.0.7/32", "10.0.0.0/24")
    assert len(world.now(group).addresses) == 2
    with pytest.raises(Invalid, match="^addresses"):
        world.change(group, addresses=[])
    assert world.change(group, name="h").name == "h"


def test_a_group_has_so_many_blocks(world: World) -> None:
    group = world.make("address_group", addresses=[f"10.0.{number // 256}.{number % 256}/32" for number in range(999)])
    with pytest.raises(Invalid, match="^addresses: a group has 1000 blocks at most"):
        act(world, group, "add_addresses", "10.9.0.1/32", "10.9.0.2/32")
    act(world, group, "add_addresses", "10.9.0.1/32")


@pytest.mark.parametrize("wrong", ("10.0.0.1", "x", "10.0.0.0/33", "", None, 1))
def test_what_is_no_block_is_refused_by_name(world: World, wrong: Any) -> None:
    with pytest.raises(Invalid, match="^addresses"):
        world.make("address_group", addresses=[wrong])
    group = world.make("address_group")
    with pytest.raises(Invalid, match="^addresses"):
        world.writer.act(ANN, "address_group", group.id, "add_addresses", {"addresses": [wrong]})


def test_a_rule_names_one_thing_at_the_other_end(world: World) -> None:
    addresses, group = world.make("address_group"), world.make("security_group", name="s")
    rule = {"security_group_id": group.id, "direction": "ingress"}
    made = world.make("security_group_rule", **rule, remote_address_group_id=addresses.id)
    assert world.show(made)["remote_address_group_id"] == addresses.id
    with refused("SecurityGroupRuleExists"):
        world.make("security_group_rule", **rule, remote_address_group_id=addresses.id)
    world.make("security_group_rule", **rule, remote_address_group_id=addresses.id, ethertype="IPv6")
    for other in ({"remote_ip_prefix": "10.0.0.0/8"}, {"remote_group_id": group.id}):
        with refused("SecurityGroupMultipleRemoteEntites"):
            world.make("security_group_rule", **rule, remote_address_group_id=addresses.id, **other)


def test_a_group_stays_while_a_rule_names_it(world: World) -> None:
    addresses, group = world.make("address_group"), world.make("security_group", name="s")
    rule = world.make("security_group_rule", security_group_id=group.id, direction="egress",
                      remote_address_group_id=addresses.id)
    with refused("AddressGroupInUse"):
        world.drop(addresses)
    world.drop(rule)
    world.drop(addresses)


def test_a_group_is_its_projects(world: World) -> None:
    theirs, group = world.make("address_group", BOB), world.make("security_group", name="s")
    with pytest.raises(Missing):
        act(world, theirs, "add_addresses", "10.0.0.0/24")
    with refused("AddressGroupNotFound"):
        world.make("security_group_rule", security_group_id=group.id, direction="egress", remote_address_group_id=theirs.id)
