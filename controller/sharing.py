"""Objects that other projects may use: what `shares` in a model file means.

    shares:
      access_as_shared: {mark: shared}
      access_as_external: {mark: "router:external", used_by: [router.external_gateway_info.network_id]}

Who shares what with whom are rows of kind rbac_policy: an object, an action and a project, or `*` for all. A mark is the
boolean attribute that stands for it: one that is not stored says whether the object is shared with whoever asks, and
setting it shares with all; one that is stored says that there is such a sharing at all. `used_by` are references for
which an action is needed; those that no action names need the first.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from controller.draft import Rows
from controller.errors import Conflict
from controller.resource import Resource, Share
from controller.rows import Row, plain

KIND, ALL, _BY_OBJECT = Share.KIND, Share.ALL, Share.BY_OBJECT
_BY_TARGET = "object_type+action+target_tenant"


def targets(project: str | None) -> tuple[str, ...]:
    """The names under which a project has been given something."""
    return (ALL,) if not project else tuple(dict.fromkeys((ALL, project, project.replace("-", ""))))


def is_shared(rows: Rows, action: str, id: str, project: str | None) -> bool:
    """Whether an object is shared with a project, or with all."""
    return any(rows.count(KIND, _BY_OBJECT, (id, action, target)) for target in targets(project))


def shared_ids(rows: Rows, kind: str, action: str, project: str | None) -> frozenset[str]:
    """The objects of a kind that are shared with a project, or with all."""
    return frozenset(row.object_id for target in targets(project)
                     for row in rows.find(KIND, _BY_TARGET, (kind, action, target)))


def mark_of(resource: Resource, attribute: str) -> str | None:
    """The action that an attribute is the mark of."""
    return next((action for action, share in resource.shares.items() if share.mark == attribute), None)


def policies_of(rows: Rows, resource: Resource, id: str, action: str | None = None) -> list[Row]:
    """Who an object is shared with."""
    return [row for row in rows.find(KIND, "object_id", id)
            if row.object_type == resource.kind and action in (None, row.action)]


# ---- what writes do

def settle(write: Any, resource: Resource, id: str, asked: Mapping[str, Any], *, new: bool = False) -> None:
    """Make what a request says of the marks true: share with all, or no more. That is a change of the object."""
    before = len(policies_of(write.draft, resource, id)) if resource.shares else 0
    for action, share in resource.shares.items():
        if share.mark not in asked:
            continue
        stored, wanted = resource.attributes[share.mark].stored, bool(asked[share.mark])
        given = policies_of(write.draft, resource, id, action)
        if wanted and not any(row.target_tenant == ALL or stored for row in given):
            _give(write, resource, id, action)
        for row in given if not wanted else ():
            if stored or row.target_tenant == ALL:
                if not stored:
                    check_unused(write, row, error="InvalidSharedSetting")
                write.draft.remove(KIND, row[0])
    if resource.shares and not new and len(policies_of(write.draft, resource, id)) != before:
        write.revise(resource.kind, id)


def _give(write: Any, resource: Resource, id: str, action: str) -> None:
    owner = getattr(write.get(resource.kind, id), plain(resource.owner or "id"))
    write.draft.put(KIND, write.writer.model.make(KIND, {
        "id": write.writer.new_id(), "project_id": owner, "object_type": resource.kind, "object_id": id, "action": action,
        "target_tenant": ALL}))


def forget(write: Any, resource: Resource, id: str) -> None:
    """An object goes, and with it what was said of whom it is shared with."""
    for row in policies_of(write.draft, resource, id) if resource.shares else ():
        write.draft.remove(KIND, row[0])


def check_unused(write: Any, policy: Row, *, new_target: str | None = None, error: str = "RbacPolicyInUse") -> None:
    """Conflict if a project uses the object that may no more once the policy is gone, or has another target."""
    resource = write.resources[policy.object_type]
    whole = write.get(policy.object_type, policy.object_id)
    left = {row.target_tenant for row in policies_of(write.draft, resource, policy.object_id, policy.action)
            if row[0] != policy[0]} | ({new_target} if new_target else set())
    for user in _users(write, resource, policy.object_id, policy.action):
        project = getattr(user, "project_id", None)
        own = whole is not None and project == getattr(whole, "project_id", None)
        lost = policy.target_tenant in targets(project)
        if project and not own and lost and not left.intersection(targets(project)):
            raise Conflict(error, f"RBAC policy on object {policy.object_id} cannot be removed because other objects depend "
                                  f"on it: {user.KIND} {user[0]} of project {project}.")


def _users(write: Any, resource: Resource, id: str, action: str) -> Iterator[Row]:
    """The rows that refer to an object and need an action for it."""
    named = {use: name for name, share in resource.shares.items() for use in share.used_by}
    first = next(iter(resource.shares))
    uses = {f"{kind}.{index}": (kind, index) for kind, _, index in write.resources.referrers.get(resource.kind, ())}
    uses |= {use: (use.partition(".")[0], use.partition(".")[2]) for use in named}
    for use, (kind, index) in uses.items():
        if named.get(use, first) == action and write.resources[kind].owner:
            yield from write.find(kind, index, id)


# ---- stores from before there were policies

def adopt(write: Any, kind: str, body: Mapping[str, Any]) -> None:
    """An object that is marked as shared with all, as older stores have it, and has no policy for it yet."""
    resource = write.resources[kind]
    row = write.get(kind, str(body[resource.key]))
    for action, share in resource.shares.items():
        if body.get(share.mark) is True and row is not None and not policies_of(write.draft, resource, row[0], action):
            _give(write, resource, row[0], action)
            write.draft.put(kind, row)
