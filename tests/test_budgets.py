"""Flow entries as a quota: what a project's objects may cost every switch, known before anything is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

import tests.kit.net  # noqa: F401  declares rules
from apps import example
from controller.app import RULES, TALLIES
from controller.compile import Compiler
from controller.errors import Invalid, OverQuota
from controller.model import Model
from controller.types import freeze
from tests.kit.worlds import ADMIN, ANN, World, core

NETWORK = core()["network"].flows["own"]
DEFAULT_GROUP = 4 * 2                    # the rules of a project's default group
ASKED_BY = {"apps.watches.count_sent": "watch", "apps.watches.count_received": "watch", "apps.port_security.count_refused": "watch",
            "apps.access.count_denied": "watch", "apps.logs.log": "log"}
OWN_PORTS = ("network:router_interface", "network:router_gateway", "network:floatingip")


def entries_of_each_object() -> Iterator[tuple[str, Any, int]]:
    """(kind, row, entries on the switch that has most of them) of the example, in which every rule has something to say.

    What is counted and logged of a port is what a watch or a log means.
    """
    model = Model(core())
    compiler = Compiler(model, RULES, TALLIES)
    compiler.update([model.put(kind, model.make(kind, freeze({**core()[kind].defaults, **said})))
                     for kind, said in example.documents()])
    held: defaultdict[tuple[str, str], defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (rule, args), (entries, where) in compiler.units.items():
        for switch in [args[1]] if rule.each else where.switches():
            held[ASKED_BY.get(rule.name, rule.per), args[0]][switch] += len(entries)
    asking = {kind: model.find(kind, "all", True)[0] for kind in ASKED_BY.values()}
    for (kind, id), by_switch in held.items():
        yield kind, asking.get(kind) or model.get(kind, id), max(by_switch.values(), default=0)


def test_no_object_means_more_entries_on_any_switch_than_it_costs() -> None:
    seen = set()
    for kind, row, entries in entries_of_each_object():
        if core()[kind].flows and getattr(row, "device_owner", None) not in OWN_PORTS:       # those are their router's
            assert entries <= core()[kind].cost(row), f"{kind} {row}"
            seen.add(kind)
    assert seen >= {"port", "router", "network", "access_rule", "trunk", "floatingip", "circuit", "watch", "log"}


def limited(limit: int) -> World:
    world = World()
    world.make("quota", ADMIN, project_id=ANN.project_id, flow=limit)
    return world


def test_what_would_cost_more_than_is_left_is_refused_and_changes_nothing() -> None:
    world = limited(NETWORK + DEFAULT_GROUP + 20 + 2 * 10 + 2)       # a network, and a port with two addresses
    network = world.make("network")
    for cidr in ("10.0.0.0/24", "2001:db8::/64"):
        world.make("subnet", network_id=network.id, cidr=cidr, ip_version=6 if ":" in cidr else 4)
    port = world.make("port", network_id=network.id)
    before = dict(world.model.rows["port"])
    with pytest.raises(OverQuota, match="flow"):
        world.make("port", network_id=network.id)
    with pytest.raises(OverQuota, match="flow"):
        world.change(port, allowed_address_pairs=[{"ip_address": "10.0.0.99"}])
    assert world.model.rows["port"] == before
    world.change(port, fixed_ips=[{"ip_address": "10.0.0.50"}])
    world.change(world.now(port), allowed_address_pairs=[{"ip_address": "10.0.0.99"}])
    world.drop(world.now(port))
    world.make("port", network_id=network.id)


def test_a_project_without_a_limit_has_none_and_others_do_not_count() -> None:
    world = limited(NETWORK + DEFAULT_GROUP)
    world.make("network")
    world.make("network", ADMIN)
    with pytest.raises(OverQuota):
        world.make("network")
    with pytest.raises(Invalid, match="quotas.flows: has no quota"):
        World(quotas={"flows": 1})
    configured = World(quotas={"flow": NETWORK + DEFAULT_GROUP})
    configured.make("network")
    with pytest.raises(OverQuota):
        configured.make("network")


def test_those_of_one_request_count_together() -> None:
    world = limited(NETWORK * 3 + DEFAULT_GROUP)
    with pytest.raises(OverQuota):
        world.writer.create(ANN, "network", [{}] * 4)
    assert len(world.writer.create(ANN, "network", [{}] * 3)) == 3
