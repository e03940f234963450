"""Security groups and their rules as clients of Neutron know them."""
from __future__ import annotations

from typing import Any

import pytest

from apps.protocols import NUMBERS
from controller.errors import Conflict, Invalid, Missing, Unsupported
from tests.kit.worlds import ADMIN, ANN, BOB, World


@pytest.fixture
def group(world: World) -> Any:
    return world.make("security_group", name="web")


def rule(world: World, group: Any, **attributes: Any) -> Any:
    return world.make("security_group_rule", **{"security_group_id": group.id, "direction": "ingress", **attributes})


def rules(world: World, group: Any) -> list[tuple]:
    return sorted((one.direction, one.ethertype, one.remote_group_id == group.id)
                  for one in world.model.find("security_group_rule", "security_group_id", group.id))


def default_of(world: World, who: Any = ANN) -> Any:
    found = world.model.find("security_group", "project_id+name", (who.project_id, "default"))
    assert len(found) == 1
    return found[0]


# ---- groups

def test_a_new_group_lets_everything_out(world: World, group: Any) -> None:
    assert rules(world, group) == [("egress", "IPv4", False), ("egress", "IPv6", False)]


def test_the_default_group_comes_with_the_first_write_that_needs_it_and_only_once(world: World) -> None:
    network = world.make("network")
    default = default_of(world)
    assert rules(world, default) == [("egress", "IPv4", False), ("egress", "IPv6", False),
                                     ("ingress", "IPv4", True), ("ingress", "IPv6", True)]
    world.make("security_group")
    world.make("port", network_id=network.id)
    assert default_of(world) == default
    assert not world.model.find("security_group", "project_id", BOB.project_id)
    world.make("security_group", BOB)
    assert default_of(world, BOB) != default


def test_a_port_made_for_a_project_is_in_that_projects_default_group(world: World) -> None:
    network = world.make("network", ADMIN, shared=True)
    port = world.make("port", ADMIN, network_id=network.id, project_id=BOB.project_id)
    assert port.security_groups == (default_of(world, BOB).id,)


def test_the_default_group_keeps_its_name_and_stays(world: World) -> None:
    world.make("security_group")
    default = default_of(world)
    for act, type in ((lambda: world.drop(default), "SecurityGroupCannotRemoveDefault"),
                      (lambda: world.change(default, name="mine"), "SecurityGroupCannotUpdateDefault"),
                      (lambda: world.make("security_group", name="default"), "SecurityGroupDefaultAlreadyExists"),
                      (lambda: world.change(world.make("security_group"), name="default"),
                       "SecurityGroupDefaultAlreadyExists")):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.type == type
    assert world.change(default, description="ours").description == "ours"
    world.drop(default, ADMIN)
    world.make("security_group")
    assert default_of(world).id != default.id


def test_a_group_in_use_stays_and_keeps_its_state(world: World, group: Any) -> None:
    port = world.make("port", network_id=world.make("network").id, security_groups=[group.id])
    for act in (lambda: world.drop(group), lambda: world.change(group, stateful=False)):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.type == "SecurityGroupInUse"
    world.change(port, security_groups=[])
    assert world.change(group, stateful=False).stateful is False
    other = world.make("security_group")
    named = rule(world, other, remote_group_id=group.id)
    world.drop(group)
    assert world.now(named) is None, "rules that name the group go with it"
    assert not [one for one in world.model.rows["security_group_rule"].values() if one.security_group_id == group.id]


def test_a_group_shows_its_rules(world: World, group: Any) -> None:
    shown = world.show(group)["security_group_rules"]
    assert len(shown) == 2
    assert {"id", "direction", "protocol", "tenant_id", "normalized_cidr", "belongs_to_default_sg"} <= shown[0].keys()
    assert "name" not in shown[0]


# ---- rules

@pytest.mark.parametrize("protocol", [*NUMBERS, *map(str, range(256)), 6, "TCP"])
def test_every_protocol_of_neutron_and_every_number_is_taken(protocol: Any) -> None:
    world = World()
    group = world.make("security_group")
    made = rule(world, group, protocol=protocol, ethertype="IPv6")
    assert made.protocol == str(protocol).lower()


def test_any_protocol_is_none(world: World, group: Any) -> None:
    assert rule(world, group, protocol="any").protocol is None
    assert rule(world, group, protocol=None, ethertype="ipv6").ethertype == "IPv6"


RIGHT: list[dict[str, Any]] = [
    {"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535},
    {"protocol": "17", "port_range_min": "53", "port_range_max": 53},
    {"protocol": "sctp", "port_range_min": 7, "port_range_max": 9},
    {"protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
    {"protocol": "icmp", "port_range_min": 255}, {"protocol": "icmp"}, {"protocol": "dccp"},
    {"protocol": "ipv6-icmp", "ethertype": "IPv6", "port_range_min": 128}]


@pytest.mark.parametrize("attributes", RIGHT, ids=str)
def test_ports_and_icmp_types_are_kept(world: World, group: Any, attributes: dict[str, Any]) -> None:
    made = rule(world, group, **attributes)
    for name in ("port_range_min", "port_range_max"):
        assert getattr(made, name) == (int(attributes[name]) if name in attributes else None)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"protocol": "tcp", "port_range_min": 9, "port_range_max": 8}, "SecurityGroupInvalidPortRange"),
    ({"protocol": "tcp", "port_range_min": 9}, "SecurityGroupInvalidPortRange"),
    ({"protocol": "udp", "port_range_max": 9}, "SecurityGroupInvalidPortRange"),
    ({"protocol": "tcp", "port_range_min": 0, "port_range_max": 9}, "SecurityGroupInvalidPortValue"),
    ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}, "InvalidInput"),
    ({"port_range_min": 1, "port_range_max": 9}, "SecurityGroupProtocolRequiredWithPorts"),
    ({"protocol": "gre", "port_range_min": 1, "port_range_max": 9}, "SecurityGroupInvalidProtocolForPort"),
    ({"protocol": "50", "port_range_max": 9}, "SecurityGroupInvalidProtocolForPort"),
    ({"protocol": "icmp", "port_range_min": 256}, "SecurityGroupInvalidIcmpValue"),
    ({"protocol": "icmp", "port_range_min": 3, "port_range_max": 256}, "SecurityGroupInvalidIcmpValue"),
    ({"protocol": "icmp", "port_range_max": 0}, "SecurityGroupMissingIcmpType"),
    ({"protocol": "ipv6-icmp"}, "SecurityGroupEthertypeConflictWithProtocol"),
    ({"protocol": "58"}, "SecurityGroupEthertypeConflictWithProtocol"),
    ({"remote_ip_prefix": "fd00::/64"}, "SecurityGroupRuleParameterConflict"),
    ({"remote_ip_prefix": "10.0.0.0/8", "ethertype": "IPv6"}, "SecurityGroupRuleParameterConflict"),
    ({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "own"}, "SecurityGroupMultipleRemoteEntites")]


@pytest.mark.parametrize(("attributes", "type"), WRONG, ids=str)
def test_rules_that_make_no_sense_are_refused(world: World, group: Any, attributes: dict[str, Any], type: str) -> None:
    if "remote_group_id" in attributes:
        attributes = {**attributes, "remote_group_id": group.id}
    with pytest.raises(Invalid) as refused:
        rule(world, group, **attributes)
    assert (refused.value.type, refused.value.status) == (type, 400)


@pytest.mark.parametrize("protocol", ["dccp", "udplite"])
def test_ports_that_openflow_cannot_match_are_not_served(world: World, group: Any, protocol: str) -> None:
    with pytest.raises(Unsupported, match="port_range_min"):
        rule(world, group, protocol=protocol, port_range_min=1, port_range_max=9)


@pytest.mark.parametrize(("given", "kept", "normal"), [
    ("10.1.2.3/8", "10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3/32", "10.1.2.3/32"),
    ("0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0")])
def test_a_prefix_is_kept_as_given_and_shown_as_it_is_used(
        world: World, group: Any, given: str, kept: str, normal: str) -> None:
    made = rule(world, group, remote_ip_prefix=given)
    assert (made.remote_ip_prefix, made.normalized_cidr) == (kept, normal)


def test_the_same_rule_twice_is_refused_however_it_is_said(world: World, group: Any) -> None:
    first = rule(world, group, protocol="tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="10.0.0.0/8")
    for protocol, prefix in (("tcp", "10.0.0.0/8"), ("6", "10.0.0.0/8"), ("TCP", "10.1.2.3/8")):
        with pytest.raises(Conflict, match=first.id) as refused:
            rule(world, group, protocol=protocol, port_range_min=80, port_range_max=80, remote_ip_prefix=prefix)
        assert refused.value.type == "SecurityGroupRuleExists"
    with pytest.raises(Conflict):
        world.writer.create(ANN, "security_group_rule", [{"security_group_id": group.id, "direction": "ingress"}] * 2)
    rule(world, group, protocol="tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="10.0.0.0/9")
    rule(world, world.make("security_group"), protocol="tcp", port_range_min=80, port_range_max=80)


def test_a_rule_belongs_to_the_project_of_its_group(world: World, group: Any) -> None:
    made = world.make("security_group_rule", ADMIN, security_group_id=group.id, direction="egress", protocol="tcp")
    assert made.project_id == ANN.project_id
    with pytest.raises(Invalid, match="^project_id"):
        world.make("security_group_rule", ADMIN, security_group_id=group.id, direction="egress", project_id="x")
    other = world.make("security_group", BOB)
    for attributes in ({"security_group_id": other.id}, {"remote_group_id": other.id}):
        with pytest.raises(Missing):
            rule(world, group, **attributes)


def test_rules_cannot_be_changed(world: World, group: Any) -> None:
    made = rule(world, group)
    for name in ("direction", "protocol", "description", "remote_ip_prefix"):
        with pytest.raises(Invalid, match=f"^{name}: cannot be changed"):
            world.writer.update(ANN, made.KIND, made.id, {name: "x"})


def test_a_rule_says_whether_it_is_a_default_groups(world: World, group: Any) -> None:
    assert world.show(rule(world, default_of(world), protocol="tcp"))["belongs_to_default_sg"] is True
    assert world.show(rule(world, group))["belongs_to_default_sg"] is False
