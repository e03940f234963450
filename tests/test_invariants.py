"""Whatever two tenants and an administrator try, in whatever order: what must always hold, holds."""
from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller import values
from controller.errors import Refused
from controller.sharing import is_shared
from tests.derived.bodies import state
from tests.kit.worlds import ADMIN, ANN, BOB, World

WHO = st.sampled_from([ANN, BOB, ADMIN])
PICK = st.integers(0, 9)
IPS = st.sampled_from(["10.0.0.2", "10.0.0.3", "10.0.0.6", "10.0.1.2", "192.0.2.1"])
MACS = st.sampled_from(["fa:16:3e:00:00:10", "fa:16:3e:00:00:11", "fa:16:3e:aa:00:01"])


def some(*parts: tuple[str, Any]) -> Any:
    return st.fixed_dictionaries({}, optional=dict(parts))


BODIES = {
    "network": some(("shared", st.booleans()), ("mtu", st.sampled_from([0, 1400, 9000])),
                    ("port_security_enabled", st.booleans()),
                    ("provider:network_type", st.sampled_from(["vxlan", "gre", "vlan", "flat"])),
                    ("provider:physical_network", st.sampled_from(["physnet1", "physnet1", "physnet2"])),
                    ("router:external", st.booleans()),
                    ("provider:segmentation_id", st.integers(1, 4))),
    "subnet": some(("network_id", PICK), ("cidr", st.sampled_from(["10.0.0.0/29", "10.0.1.0/30", "fd00::/64"])),
                   ("ip_version", st.sampled_from([4, 6])), ("gateway_ip", st.none() | IPS),
                   ("ipv6_address_mode", st.just("slaac"))),
    "port": some(("network_id", PICK), ("mac_address", MACS), ("port_security_enabled", st.booleans()),
                 ("fixed_ips", st.lists(some(("ip_address", IPS), ("subnet_id", PICK)), max_size=2)),
                 ("security_groups", st.none() | st.lists(PICK, max_size=2)), ("binding:host_id", st.just("h1")),
                 ("allowed_address_pairs", st.lists(st.builds(lambda ip: {"ip_address": ip}, IPS), max_size=1))),
    "security_group": some(("name", st.sampled_from(["web", "default"])), ("stateful", st.booleans())),
    "rbac_policy": st.fixed_dictionaries({
        "object_type": st.sampled_from(["network", "network", "security_group"]), "object_id": PICK,
        "action": st.sampled_from(["access_as_shared", "access_as_shared", "access_as_external"]),
        "target_tenant": st.sampled_from([ANN.project_id, BOB.project_id, BOB.project_id, "*"])}),
    "security_group_rule": some(("security_group_id", PICK), ("remote_group_id", PICK),
                                ("direction", st.just("ingress")),
                                ("protocol", st.sampled_from(["tcp", "icmp", None])))}
REFERS = {"network_id": "network", "subnet_id": "subnet", "security_groups": "security_group",
          "object_id": "network", "security_group_id": "security_group", "remote_group_id": "security_group"}
KINDS = st.sampled_from(list(BODIES))
STEPS = st.lists(KINDS.flatmap(lambda kind: st.tuples(st.sampled_from(["create", "create", "update", "delete"]),
                                                      st.just(kind), WHO, BODIES[kind], PICK)), max_size=25)


def picked(world: World, name: str, value: Any) -> Any:
    """References are drawn as numbers: the so-manyeth row there is."""
    if isinstance(value, list):
        return [picked(world, name, one) if not isinstance(one, dict) else
                {key: picked(world, key, part) for key, part in one.items()} for one in value]
    name = {"network": "object_id", "security_group": "security_groups"}.get(name, name)
    if name in REFERS and isinstance(value, int):
        rows = world.model.find(REFERS[name], "all", True)
        return rows[value % len(rows)].id if rows else "deadbeef-0000-4000-8000-000000000000"
    return value


def act(world: World, verb: str, kind: str, who: Any, body: dict[str, Any], pick: int) -> None:
    body = {name: picked(world, body.get("object_type", "") if name == "object_id" else name, value)
            for name, value in body.items()}
    rows = world.model.find(kind, "all", True)
    if verb == "create":
        world.writer.create(who, kind, [body])
    elif rows:
        row = rows[pick % len(rows)]
        if verb == "update":
            settable = {name for name, one in world.resources[kind].attributes.items() if one.settable == "always"}
            world.writer.update(who, kind, row.id, {name: one for name, one in body.items() if name in settable})
        else:
            world.writer.delete(who, kind, row.id)


def check(world: World) -> None:
    model = world.model
    for kind, resource in world.resources.items():
        for row in model.rows[kind].values():
            for attribute in resource.attributes.values():
                if attribute.stored:
                    check_references(world, row, attribute)
    ports = list(model.rows["port"].values())
    assert max(Counter((port.network_id, port.mac_address) for port in ports).values(), default=1) == 1
    assert max(Counter((port.network_id, fixed.ip_address) for port in ports for fixed in port.fixed_ips).values(),
               default=1) == 1
    for port in ports:
        for fixed in port.fixed_ips:
            subnet = model.get("subnet", fixed.subnet_id)
            assert subnet.network_id == port.network_id and fixed.ip_address in values.prefix(subnet.cidr)
        assert port.port_security_enabled or not (port.security_groups or port.allowed_address_pairs)
        assert len({model.get("security_group", group).stateful for group in port.security_groups}) <= 1
        for group in port.security_groups:
            assert model.get("security_group", group).project_id == port.project_id or port.written_by == "root" or \
                is_shared(model, "access_as_shared", group, port.project_id)
    check_sharing(world)
    defaults = [row.project_id for row in model.rows["security_group"].values() if row.name == "default"]
    assert len(defaults) == len(set(defaults))
    check_numbers(world)


def check_sharing(world: World) -> None:
    """Nobody uses what is no more shared with them, and what is shared is there."""
    for row in world.model.rows["rbac_policy"].values():
        assert world.model.get(row.object_type, row.object_id) is not None
    for port in world.model.rows["port"].values():
        network = world.model.get("network", port.network_id)
        assert port.written_by == "root" or network.project_id == port.project_id or \
            is_shared(world.model, "access_as_shared", network.id, port.project_id)
    for network in world.model.rows["network"].values():
        given = {row.action for row in world.model.find("rbac_policy", "object_id", network.id)}
        assert ("access_as_external" in given) == network.router_external


def check_references(world: World, row: Any, attribute: Any) -> None:
    for index, kind in attribute.references:
        for key in world.model.keys[row.KIND][index](row):
            assert world.model.get(kind, key) is not None, (row.KIND, attribute.name, key)


def check_numbers(world: World) -> None:
    owned = {(name, number): owner for name, pool in world.writer.numbers.pools.items()
             for number, owner in pool.owners.items()}
    held = {("network_key", row.key): row.id for row in world.model.rows["network"].values()}
    networks = world.model.rows["network"].values()
    wires = [(row.provider_physical_network, row.provider_segmentation_id) for row in networks
             if row.provider_network_type in ("vlan", "flat")]
    assert len(wires) == len(set(wires)) and all(wire for wire, _ in wires)
    held |= {(f"segmentation_id/{row.provider_network_type}", row.provider_segmentation_id): row.id
             for row in networks if row.provider_physical_network is None}
    held |= {("port_key", row.key): row.id for row in world.model.rows["port"].values()}
    held |= {("group_key", row.key): row.id for row in world.model.rows["security_group"].values()}
    assert owned == held


@settings(max_examples=200, deadline=None)
@given(STEPS, st.booleans())
def test_what_must_always_hold_holds_and_a_restart_finds_the_same(steps: Any, grouped: bool) -> None:
    world = World(settings={"vlan_ranges": {"physnet1": [2, 3]}})
    network = world.network("10.0.0.0/29", by=ADMIN, shared=True)
    world.make("port", network_id=network.id)
    for step in steps:
        before = state(world)
        try:
            if grouped:
                with world.writer.group():
                    act(world, *step)
            else:
                act(world, *step)
        except Refused:
            assert state(world) == before, "what was refused changed something"
        check(world)
    again = World(world.store)
    assert again.model.rows == world.model.rows
    check(again)
