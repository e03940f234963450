"""Five roles, in the project that owns an object and in another, and everything that can be done: a table to review.

who_may.txt has a line for each verb and action of every kind: which roles may in their own project, and which elsewhere.
`pytest tests/derived/test_who_may.py --golden` writes it anew; read the difference.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.errors import Forbidden, Missing, Refused
from controller.policy import Context
from controller.resource import Resource
from tests.derived.bodies import right_body
from tests.kit.worlds import ADMIN, World, core

TABLE = Path(__file__).with_name("who_may.txt")
OWN, OTHER = "own-project", "other-project"
ROLES = ("admin", "manager", "member", "reader", "service")


class _Undone(Exception):
    """Nothing of what was tried is kept."""


def outcome(world: World, work: Callable[[], Any]) -> str:
    """yes, no (it may be seen, but that may not be done) or missing; nothing has changed afterwards."""
    found = "yes"
    try:
        with world.writer.group():
            try:
                work()
            except Forbidden:
                found = "no"
            except Missing:
                found = "missing"
            except Refused:                       # allowed, but wrong for other reasons
                pass
            raise _Undone
    except _Undone:
        return found


def everything_belongs_to(world: World, project: str) -> None:
    for kind, resource in world.resources.items():
        if resource.owner and not resource.fact and kind != "quota":
            for row in world.model.find(kind, "all", True):
                world.model.put(kind, row._replace(project_id=project))


def tries(world: World, resource: Resource, row: Any, body: dict[str, Any], who: Context) -> Iterator[tuple[str, str]]:
    """(what is done, outcome) for everything that can be done with an object."""
    kind, writer = resource.kind, world.writer

    def seen() -> None:
        if not writer.policy.may(who, resource, "get", world.now(row)):
            raise Missing(kind, row[0])
    yield "get", outcome(world, seen)
    if resource.fact:
        return
    yield "create", outcome(world, lambda: writer.create(who, kind, [body]))
    if any(one.settable in ("always", "update") for one in resource.attributes.values()):
        yield "update", outcome(world, lambda: (seen(), writer.update(who, kind, row[0], {})))
    yield "delete", outcome(world, lambda: (seen(), writer.delete(who, kind, row[0])))
    for name in resource.actions:
        yield name, outcome(world, lambda name=name: (seen(), writer.act(who, kind, row[0], name, {})))
    if "tags" in resource.attributes:
        yield "tag", outcome(world, lambda: (seen(), writer.tag(who, kind, row[0], ["x"])))


def made(world: World, resource: Resource) -> tuple[Any, dict[str, Any]]:
    """An object, and what another is made of; everything is of one project."""
    body = right_body(world, resource)
    row = world.writer.create(ADMIN, resource.kind, [body])[0]
    everything_belongs_to(world, OWN)
    body = {name: value for name, value in body.items() if name not in ("project_id", "tenant_id")}
    return world.now(row), body if resource.kind != "quota" else {"project_id": "further"}


def lines(resource: Resource) -> Iterator[str]:
    world = World()
    row, body = made(world, resource)
    table: dict[str, dict[str, dict[str, str]]] = {}
    for project in (OWN, OTHER):
        for role in ROLES:
            who = Context(project_id=project, roles=frozenset({role}), user=role)
            for verb, found in tries(world, resource, row, body, who):
                table.setdefault(verb, {}).setdefault(project, {})[role] = found
    system = Context(roles=frozenset({"reader"}), system=True, user="auditor")
    nobody = Context(user="nobody")
    for verb, found in tries(world, resource, row, body, nobody):
        assert found != "yes" or verb == "get" and resource.policies.get("get") == "rule:any", (resource.kind, verb)
    audits = dict(tries(world, resource, row, body, system))
    for verb, by_project in table.items():
        own, other = ([role for role, found in by_project[one].items() if found == "yes"] for one in (OWN, OTHER))
        if verb not in ("create", "get"):
            for role, found in by_project[OTHER].items():
                assert found != "no" or table["get"][OTHER][role] == "yes", (resource.kind, verb, role)
        auditor = ", auditor" if audits[verb] == "yes" else ""
        yield f"{resource.kind:26} {verb:24} {' '.join(own) or '-':38} elsewhere: {' '.join(other) or '-'}{auditor}"


KINDS = [one for one in core().values() if not one.fact]


def expected() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in TABLE.read_text().splitlines() if TABLE.exists() else []:
        found.setdefault(line.split()[0], []).append(line)
    return found


@pytest.mark.parametrize("resource", KINDS, ids=lambda one: one.kind)
def test_every_role_may_do_what_the_table_says(resource: Resource, pytestconfig: pytest.Config) -> None:
    found = [line.rstrip() for line in lines(resource)]
    if pytestconfig.getoption("--golden"):
        whole = {**expected(), resource.kind: found}
        TABLE.write_text("".join(f"{line}\n" for kind in sorted(whole) for line in whole[kind]))
    assert expected().get(resource.kind, usual(found)) == found, "who_may.txt: write it anew with --golden, and read it"


def usual(found: list[str]) -> list[str]:
    """What a kind that the table does not have yet is held to: its owner's roles, and administrators elsewhere."""
    ends = {"get": ("admin manager member reader", "admin, auditor"),
            "create": ("admin manager member", "admin manager member")}
    other = ("admin manager member", "admin")
    return [f"{line[:52]}{ends.get(line.split()[1], other)[0]:38} elsewhere: {ends.get(line.split()[1], other)[1]}"
            for line in found]


def test_the_table_has_no_kinds_that_are_gone() -> None:
    assert set(expected()) <= {one.kind for one in KINDS}


@pytest.mark.parametrize("resource", KINDS, ids=lambda one: one.kind)
def test_who_may_only_read_changes_nothing_and_who_is_nobody_sees_nothing(resource: Resource) -> None:
    for line in lines(resource):
        verb, may = line.split()[1], line[52:90].split()
        if verb != "get":
            assert "reader" not in may and "auditor" not in line, line
        assert {"admin", "manager", "member"} & set(may) == set(may) - {"reader", "service"}
        assert "admin" in may
