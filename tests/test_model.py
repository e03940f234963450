"""The model finds by index what a search would find, and a draft on it shows what it will be."""
from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.draft import Draft
from controller.model import Model
from controller.types import Record
from tests.kit.worlds import core

IDS = st.sampled_from(["p1", "p2", "p3", "p4"])
PORTS = st.fixed_dictionaries({
    "network_id": st.sampled_from(["n1", "n2"]), "mac_address": st.sampled_from(["m1", "m2", None]),
    "security_groups": st.lists(st.sampled_from(["g1", "g2"]), unique=True).map(tuple), "name": st.sampled_from("ab"),
    "fixed_ips": st.lists(st.sampled_from([Record(subnet_id="s1", ip_address="a1"),
                                           Record(subnet_id="s1", ip_address="a2"),
                                           Record(subnet_id="s2", ip_address="a3")]), unique=True).map(tuple)})
STEPS = st.lists(st.tuples(IDS, st.none() | PORTS), max_size=20)
LOOKUPS: list[tuple[str, list[Any], Any]] = [
    ("network_id", ["n1", "n2", "n3"], lambda row: [row.network_id]),
    ("security_groups", ["g1", "g2"], lambda row: row.security_groups),
    ("fixed_ips.subnet_id", ["s1", "s2"], lambda row: {fixed.subnet_id for fixed in row.fixed_ips}),
    ("fixed_ips.ip_address", ["a1", "a2", "a3"], lambda row: {fixed.ip_address for fixed in row.fixed_ips}),
    ("network_id+mac_address", [("n1", "m1"), ("n2", "m2")], lambda row: [(row.network_id, row.mac_address)]),
    ("network_id+ip_address", [("n1", "a1"), ("n2", "a3")],
     lambda row: [(row.network_id, fixed.ip_address) for fixed in row.fixed_ips]),
    ("all", [True], lambda row: [True])]


def check(rows: dict[str, Any], found: Any) -> None:
    for index, keys, of in LOOKUPS:
        for key in keys:
            right = [rows[id] for id in sorted(rows) if key in of(rows[id])]
            assert found.find("port", index, key) == right
            assert found.count("port", index, key) == len(right)


@settings(deadline=None)
@given(STEPS)
def test_an_index_finds_what_a_search_finds(steps: Any) -> None:
    model = Model(core())
    rows: dict[str, Any] = {}
    for id, document in steps:
        if document is None:
            model.remove("port", id)
            rows.pop(id, None)
        else:
            rows[id] = model.make("port", {"id": id, **document})
            model.put("port", rows[id])
    check(rows, model)


@settings(deadline=None)
@given(STEPS, STEPS, STEPS)
def test_a_draft_on_a_draft_shows_what_the_model_will_be_and_touches_nothing(one: Any, two: Any, three: Any) -> None:
    model = Model(core())
    rows: dict[str, Any] = {}
    below: Any = model
    for level, steps in enumerate((one, two, three)):
        if level:
            below = Draft(below)
        for id, document in steps:
            if document is None:
                below.remove("port", id)
                rows.pop(id, None)
            else:
                rows[id] = model.make("port", {"id": id, **document})
                below.put("port", rows[id])
        check(rows, below)
        if level == 0:
            first = dict(rows)
    check(first, model)
    below.merge_into(below.below)
    check(rows, below.below)
    for kind, id, row in below.below.changes():
        model.remove(kind, id) if row is None else model.put(kind, row)
    check(rows, model)


@settings(deadline=None)
@given(PORTS, PORTS)
def test_a_change_names_every_fact_of_before_and_after(before: Any, after: Any) -> None:
    model = Model(core())
    old, new = (model.make("port", {"id": "p1", **one}) for one in (before, after))
    model.put("port", old)
    change = model.put("port", new)
    assert (change.before, change.after) == (old, new)
    if old._replace(name="") == new._replace(name=""):
        assert change.facts == (), "only bookkeeping differs"
        return
    wanted = {("port", "p1"), ("port", "all", True)}
    for index, keys in model.keys["port"].items():
        wanted |= {("port", index, key) for key in (*keys(old), *keys(new))}
    assert set(change.facts) == wanted and len(change.facts) == len(wanted)


def test_what_is_not_there_can_be_removed_without_effect() -> None:
    change = Model(core()).remove("port", "p1")
    assert change == ("port", "p1", None, None, ())
