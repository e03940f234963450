"""On whose behalf something is done."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Context:
    """On whose behalf: a project (None for none), roles with those that they include, and a user."""

    project_id: str | None = None
    roles: frozenset[str] = frozenset()
    user: str = ""
    is_admin: bool = False
    user_id: str = ""
    system: bool = False                  # for the whole system, and no project in particular
    service_roles: frozenset[str] = frozenset()               # of a service that asks on the user's behalf

    def __post_init__(self) -> None:
        roles = with_implied(self.roles | {"admin"} if self.is_admin else self.roles)
        object.__setattr__(self, "roles", roles)
        object.__setattr__(self, "is_admin", "admin" in roles)

    @property
    def system_scope(self) -> str | None:
        """`all` for the whole system."""
        return "all" if self.system else None


_IMPLIED = {"admin": {"manager", "member", "reader"}, "manager": {"member", "reader"}, "member": {"reader"}}


def with_implied(roles: Iterable[str]) -> frozenset[str]:
    """The roles and those that they include: an admin is a manager, a manager a member, a member a reader."""
    given = frozenset(role.lower() for role in roles)
    return given.union(*(_IMPLIED.get(role, ()) for role in given))


def same_project(one: str | None, other: str | None) -> bool:
    """Whether two say the same project; as a UUID it may have dashes or not."""
    return one is not None and other is not None and (one == other or one.replace("-", "") == other.replace("-", ""))
