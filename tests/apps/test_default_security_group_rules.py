"""What new security groups begin with: as ever until an administrator changes it, and never anything of groups that are there."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Forbidden, Invalid, Missing
from controller.policy import Context
from controller.store.memory import MemoryStore
from tests.kit.net import Net
from tests.kit.talk import tcp, udp
from tests.kit.worlds import ADMIN, ANN, World

KIND = "default_security_group_rule"


def template(world: World, **said: Any) -> Any:
    return world.make(KIND, ADMIN, **{"direction": "ingress", **said})


def begins_with(world: World, name: str = "web", by: Context = ANN) -> list[tuple]:
    """What the rules of a new group say."""
    group = world.make("security_group", by, name=name)
    found = world.model.find("security_group_rule", "security_group_id", group.id)
    return sorted((rule.direction, rule.ethertype, rule.protocol, rule.port_range_min, rule.remote_group_id == group.id,
                   rule.remote_address_group_id) for rule in found) if found else []


def without_any(world: World) -> World:
    for row in world.model.find(KIND, "all", True):
        world.writer.delete(ADMIN, KIND, row.id)
    return world


LEGACY = [("egress", "IPv4", None, None, False, None), ("egress", "IPv6", None, None, False, None)]


def test_at_first_members_may_open_any_connection_and_those_of_the_default_group_accept_each_others(world: World) -> None:
    assert begins_with(world) == LEGACY
    (default,) = world.model.find("security_group", "project_id+name", (ANN.project_id, "default"))
    rules = world.model.find("security_group_rule", "security_group_id", default.id)
    assert sorted((one.direction, one.ethertype, one.remote_group_id) for one in rules) == [
        ("egress", "IPv4", None), ("egress", "IPv6", None), ("ingress", "IPv4", default.id), ("ingress", "IPv6", default.id)]


def test_a_new_group_begins_with_what_is_used_in_it_and_one_that_is_there_keeps_what_it_has(world: World) -> None:
    old = world.make("security_group", ANN, name="old")
    had = world.model.find("security_group_rule", "security_group_id", old.id)
    without_any(world)
    addresses = world.make("address_group", ADMIN, addresses=["10.9.0.0/16"])
    template(world, protocol="tcp", port_range_min=22, port_range_max=22)
    template(world, ethertype="IPv6", remote_group_id="PARENT")
    template(world, protocol="udp", used_in_default_sg=True, used_in_non_default_sg=False)
    template(world, direction="egress", remote_address_group_id=addresses.id)
    assert begins_with(world, "new") == [
        ("egress", "IPv4", None, None, False, addresses.id), ("ingress", "IPv4", "tcp", 22, False, None),
        ("ingress", "IPv6", None, None, True, None)]
    assert world.model.find("security_group_rule", "security_group_id", old.id) == had


def test_default_rules_decide_what_passes_between_machines(net: Net) -> None:
    for row in net.model.find(KIND, "all", True):
        if row.direction == "ingress":
            net.writer.delete(ADMIN, KIND, row.id)
    net.writer.create(ADMIN, KIND, [{"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80,
                                     "used_in_default_sg": True}])
    a, b = net.port("a", on="host1"), net.port("b", on="host2")
    net.send(tcp(a, b, 80)).reaches(b)
    net.send(tcp(a, b, 81)).reaches_nobody()
    net.send(udp(a, b, 80)).reaches_nobody()


def test_what_was_removed_does_not_come_back_with_a_restart() -> None:
    store = MemoryStore()
    world = without_any(World(store=store))
    assert World(store=store).model.find(KIND, "all", True) == []
    assert begins_with(world) == []


def test_the_same_rule_is_there_once_for_each_use(world: World) -> None:
    said = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    template(world, **said, used_in_default_sg=True)
    for uses in ({"used_in_default_sg": True, "used_in_non_default_sg": False}, {}):
        with pytest.raises(Conflict) as refused:
            template(world, **{**said, "protocol": "6"}, **uses)
        assert refused.value.type == "DefaultSecurityGroupRuleExists"
    template(world, **{**said, "port_range_max": 23})
    template(world, **said, remote_ip_prefix="10.0.0.0/8", used_in_default_sg=True, used_in_non_default_sg=False)
    template(world, **said, remote_ip_prefix="10.0.0.0/8")


def test_what_makes_no_sense_is_refused(world: World) -> None:
    for wrong, field in (({"port_range_min": 1}, "protocol"),
                         ({"remote_ip_prefix": "2001:db8::/32"}, "remote_ip_prefix")):
        with pytest.raises(Invalid, match=field):
            template(world, **wrong)
    with pytest.raises(Missing):
        template(world, remote_group_id="12345678-0000-4000-8000-000000000000")
    with pytest.raises(Forbidden):
        world.make(KIND, ANN, direction="ingress")


def test_with_a_group_go_the_default_rules_that_name_it(world: World) -> None:
    group = world.make("security_group", ADMIN, name="trusted")
    rule = template(world, remote_group_id=group.id)
    world.drop(group, ADMIN)
    assert world.model.get(KIND, rule.id) is None
    assert begins_with(world) == LEGACY
