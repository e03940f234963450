"""What a project may have: so many objects of each kind, and so many flow entries for all of them.

What an object costs says its model file (`flows`): the entries that it may mean on the switch that has most of it, so that
a limit of a project holds for each switch. It is known before anything is compiled, and is summed up only for projects that
have a limit.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.draft import Rows
from controller.resource import FLOWS, Invalid, Resource, Resources
from controller.rows import plain

QUOTA = "quota"


def read(resources: Resources, given: Mapping[str, Any]) -> dict[str, int]:
    """The limits of a project that has none of its own, as configured. Invalid names what is wrong."""
    known = resources.limits
    for name, limit in given.items():
        if name not in known:
            raise Invalid(f"quotas.{name}", f"has no quota; there are {', '.join(sorted(known))}")
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < -1:
            raise Invalid(f"quotas.{name}", "must be a whole number, or -1 for any number")
    return {**known, **given}


def limit(rows: Rows, defaults: Mapping[str, int], name: str, project: str) -> int:
    """How much of something a project may have; -1 for any amount."""
    row = rows.get(QUOTA, project) if QUOTA in rows.keys else None
    own: int | None = getattr(row, plain(name), None) if row is not None else None
    return own if own is not None else defaults[name]


def used(rows: Rows, resources: Resources, name: str, project: str) -> int:
    """How much of it a project has."""
    if name != FLOWS:
        return rows.count(name, owner(resources[name]), project)
    return sum(resource.cost(row) for resource in resources.values() if resource.flows and resource.owner
               for row in rows.find(resource.kind, owner(resource), project))


def owner(resource: Resource) -> str:
    """The field that says whose an object is."""
    return resource.attributes[str(resource.owner)].field
