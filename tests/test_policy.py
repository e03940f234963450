"""Rules mean what oslo.policy takes them to mean, are found by index where they can be, and a file may say them anew."""
from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_policy import _checks, _parser

from controller import rules
from controller.grants import NO, YES, Binder
from controller.policy import SYSTEM, BadRule, Context, Policy, defaults
from controller.resource import Resource
from tests.derived.bodies import right_body
from tests.kit.worlds import ADMIN, ANN, BOB, World, core, refused

PROJECTS = ("one", "two")
ASKERS = [Context(project_id=project, roles=frozenset(roles), user="ann", user_id="ann-id", system=system)
          for project, system in (("one", False), (None, True))
          for roles in ((), ("reader",), ("member",), ("manager",), ("admin",), ("service",))]


class _Field(_checks.Check):
    """An attribute of the object, or of its network, told to oslo.policy as a part of the target."""

    def __call__(self, target: dict, creds: dict, enforcer: Any, current_rule: Any = None) -> bool:
        return bool(target.get(f"field:{self.match}", False))


_checks.registered_checks.setdefault("field", _Field)


class Enforcer:
    """What oslo's checks ask for other rules."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.rules = {name: _parser.parse_rule(text) for name, text in texts.items()}
        self.registered_rules: dict[str, Any] = {}


@cache
def _enforcer() -> Enforcer:
    return Enforcer(dict(defaults(core())))


def creds(who: Context) -> dict[str, Any]:
    return {"project_id": who.project_id, "tenant_id": who.project_id, "roles": sorted(who.roles), "user_id": who.user_id,
            "system_scope": who.system_scope, "is_admin": who.is_admin}


def target(world: World, resource: Resource, row: Any) -> dict[str, Any]:
    """An object as oslo.policy sees it, with what others that it names say."""
    told: dict[str, Any] = {"project_id": getattr(row, resource.owner or "id"), "tenant_id": getattr(row, resource.owner or "id")}
    network = row if resource.kind == "network" else world.model.get("network", getattr(row, "network_id", "")) \
        if "network_id" in resource.attributes else None
    told["field:networks:shared=True"] = network is not None and given_to_one(world, network.id)
    told["field:networks:router:external=True"] = network is not None and given_to_one(world, network.id, "access_as_external")
    told[f"field:{resource.plural}:shared=True"] = bool(getattr(row, "shared", False)) or given_to_one(world, row[0])
    told["field:rbac_policy:target_tenant=*"] = getattr(row, "target_tenant", "") == "*"
    owner = getattr(row, "device_owner", None)
    told["field:port:device_owner=~^network:"] = bool(owner and owner.startswith("network:"))
    for name, attribute in resource.attributes.items():
        other = world.model.get(attribute.refers_to, getattr(row, attribute.field) or "") \
            if attribute.refers_to and attribute.stored else None
        if other is not None:
            told[f"{name.removesuffix('_id')}:project_id"] = getattr(other, "project_id", None)
            told[f"field:{attribute.refers_to}s:shared=True"] = given_to_one(world, other[0])
            if name == resource.parent_key:
                told["ext_parent:project_id"] = getattr(other, "project_id", None)
    return told


def given_to_one(world: World, id: str, action: str = "access_as_shared") -> bool:
    """Whether an object is shared with project one, or all."""
    return any(row.object_id == id and row.action == action and row.target_tenant in ("*", "one")
               for row in world.model.rows["rbac_policy"].values())


def share(world: World, kind: str, id: str, shared: bool) -> None:
    """Share an object with all, or take that back."""
    policy = {"id": f"{id[:-1]}f", "object_type": kind, "object_id": id, "action": "access_as_shared",
              "target_tenant": "*", "project_id": "two"}
    if shared:
        world.model.put("rbac_policy", world.model.make("rbac_policy", policy))
    else:
        world.model.remove("rbac_policy", policy["id"])


def worlds(resource: Resource) -> Iterator[tuple[World, Any]]:
    """The kind in every mixture of owners, shared and not."""
    world = World()
    row = world.writer.create(ADMIN, resource.kind, [right_body(world, resource)])[0]
    for own, others, shared in product(PROJECTS, PROJECTS, (False, True)):
        for kind, one in world.resources.items():
            for each in world.model.find(kind, "all", True) if one.owner and not one.fact and kind != "quota" else ():
                mine = own if each[0] == row[0] and kind == resource.kind else others
                more = {"shared": shared} if "shared" in one.row._fields else {}
                world.model.put(kind, each._replace(project_id=mine, **more))
                if one.shares:
                    share(world, kind, each[0], shared)
        yield world, world.model.get(resource.kind, row[0])


WRITTEN = [one for one in core().values() if not one.fact and one.kind != "quota"]


@pytest.mark.parametrize("resource", WRITTEN, ids=lambda one: one.kind)
def test_every_rule_says_what_oslo_policy_says(resource: Resource) -> None:
    policy = World().writer.policy
    mine = {name: text for name, text in policy.texts.items() if policy._of.get(name) is resource}
    enforcer, binder = _enforcer(), Binder(core(), policy.texts)
    compared = 0
    for world, row in worlds(resource):
        told = target(world, resource, row)
        for name, text in mine.items():
            grant, oracle = binder.bind(resource, text), enforcer.rules[name]
            for who in ASKERS:
                says = bool(oracle(told, creds(who), enforcer, name))
                assert grant.test(who, row, world.model) == says, (name, text, who, told)
                left = grant.known(who)
                assert (left is YES) <= says and (left is NO) <= (not says)
                compared += 1
    assert compared > 8 * len(mine) * len(ASKERS) - 1


_checks_said = st.sampled_from(["role:member", "role:Reader", "rule:owner", "rule:admin_only", "project_id:%(project_id)s", "@", "!",
                                "tenant_id:%(tenant_id)s", "system_scope:all", "project_id:one", "rule:shared", "user_id:ann-id",
                                "project_id:%(network:project_id)s", "field:networks:shared=True", "is_admin:True"])
_said = st.recursive(_checks_said, lambda inner: st.one_of(
    st.tuples(inner, st.sampled_from(["and", "or", "AND", "Or"]), inner).map(" ".join),
    inner.map("not {}".format), inner.map("({})".format), inner.map("( {} )".format)), max_leaves=8)


@settings(max_examples=150, deadline=None)
@given(text=_said, who=st.sampled_from(ASKERS), shared=st.booleans(), own=st.sampled_from(PROJECTS), others=st.sampled_from(PROJECTS))
def test_every_expression_means_what_oslo_policy_takes_it_to_mean(text, who, shared, own, others):
    world = WORLD
    network = world.model.find("network", "all", True)[0]._replace(project_id=others)
    world.model.put("network", network)
    share(world, "network", network.id, shared)
    port = world.model.find("port", "all", True)[0]._replace(project_id=own)
    world.model.put("port", port)
    port_kind = core()["port"]
    enforcer = Enforcer(dict(rules.BASE))
    oracle = _parser.parse_rule(text)
    said = {**creds(who), "is_admin": who.is_admin}
    assert Binder(core(), rules.BASE).bind(port_kind, text).test(who, port, world.model) == \
        bool(oracle(target(world, port_kind, port), said, enforcer, "x"))


def _a_port() -> World:
    world = World()
    world.writer.create(ADMIN, "port", [{"network_id": world.make("network", ADMIN).id}])
    return world


WORLD = _a_port()


@pytest.mark.parametrize("text", ["role:member or", "and role:member", "role:member role:reader", "(role:member", "role:member)", "nobody",
                                  "rule:nobody", "not", "()", "field:networks", "field:networks:shared", "field:port:name=~(",
                                  "project_id:%(project_id)", "http://example.org/%(id)s", "role:a or or role:b"])
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(BadRule):
        Policy(core(), WORLD.model, {"create_network": text})


def test_a_rule_that_is_made_of_itself_is_refused():
    for said in ({"owner": "rule:owner"}, {"a": "rule:b", "b": "rule:a", "get_port": "rule:a"}):
        with pytest.raises(BadRule, match="made of itself"):
            Policy(core(), WORLD.model, said)


def test_a_name_that_nothing_asks_for_is_refused():
    for name in ("create_netwrok", "get_port:nonsense", "update_network:id:x", "helper"):
        with pytest.raises(BadRule, match=f"{name}: nothing asks"):
            Policy(core(), WORLD.model, {name: "@"})
    Policy(core(), WORLD.model, {"helper": "@", "create_network": "rule:helper"})


def test_a_file_says_a_rule_anew():
    world = World(rules={"create_network": "rule:admin_only", "update_network:description": "role:manager",
                         "get_network:provider:network_type": "rule:admin_or_owner", "add_router_interface": "!",
                         "create_port:name": "not field:port:name=~^secret", "delete_network:tags": "rule:admin_only"})
    with refused("PolicyNotAuthorized"):
        world.make("network")
    network = world.make("network", ADMIN, project_id=ANN.project_id)
    with refused("PolicyNotAuthorized"):
        world.change(network, description="mine")
    assert world.change(network, name="mine").name == "mine"
    with refused("PolicyNotAuthorized"):
        world.make("port", network_id=network.id, name="secret thing")
    world.make("port", network_id=network.id, name="thing")
    router = world.make("router")
    for who in (ANN, ADMIN):
        with refused("PolicyNotAuthorized"):
            world.writer.act(who, "router", router.id, "add_router_interface", {"subnet_id": network.id})
    assert world.writer.tag(ANN, "network", network.id, ["a"]).tags == ("a",)
    with refused("PolicyNotAuthorized"):
        world.writer.tag(ANN, "network", network.id, [], verb="delete")


def test_what_may_be_seen_can_depend_on_the_object():
    world = World(rules={"get_network:provider:network_type": "rule:admin_or_owner"})
    mine, shared = world.make("network"), world.make("network", ADMIN, shared=True)
    audience = world.writer.policy.audience(ANN, world.resources["network"])
    assert "provider:network_type" in audience.hidden and "provider:segmentation_id" in audience.hidden
    [(name, grant)] = audience.conditional
    assert name == "provider:network_type"
    assert grant.test(ANN, mine, world.model) and not grant.test(ANN, shared, world.model)
    assert world.writer.policy.audience(ADMIN, world.resources["network"]).hidden == frozenset()


def test_no_rule_stands_against_hadron_itself():
    world = World(rules={"create_port": "!", "get_network": "!"})
    network = world.make("network")
    assert world.writer.create(SYSTEM, "port", [{"network_id": network.id}])


def test_every_verb_of_every_kind_has_a_rule_and_every_rule_holds_for_an_administrator():
    texts = defaults(core())
    for resource in WRITTEN:
        for verb in ("create", "get", "update", "delete"):
            grant = World().writer.policy.grant(resource, verb)
            assert grant.known(ADMIN) is YES, (resource.kind, verb)
    assert {"create_network:shared", "get_port:binding:host_id", "create_port:fixed_ips:ip_address", "add_router_interface",
            "update_router:external_gateway_info:enable_snat", "create_floatingip_port_forwarding"} <= set(texts)


def test_lists_find_rows_by_index_and_not_by_search():
    world = World()
    for number in range(30):
        world.make("network", BOB, name=str(number))
    mine = world.make("network")
    port = world.make("port", network_id=mine.id)
    for kind, row in (("network", mine), ("port", port)):
        left = world.writer.policy.grant(world.resources[kind], "get").known(ANN)
        assert left.ways(ANN, world.model) is not None
        assert world.writer.policy.visible(ANN, world.resources[kind]) == [row]


def test_roles_include_others_and_names_are_read_as_one():
    assert Context(roles=frozenset({"Manager"})).roles == {"manager", "member", "reader"}
    assert Context(is_admin=True).roles >= {"admin", "member"} and Context(roles=frozenset({"ADMIN"})).is_admin
    assert not Context(roles=frozenset({"service"})).roles & {"member", "reader", "admin"}
