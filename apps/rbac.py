"""RBAC policies: what may be shared, by whom, and until when it may not be taken back."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller import sharing
from controller.errors import Conflict, Invalid, Unsupported
from controller.policy import SYSTEM
from controller.resource import Share


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """The object must be the asker's, and of a kind that is shared in this way."""
    kinds = {kind: one for kind, one in write.resources.items() if one.shares}
    kind, action = document["object_type"], document["action"]
    if kind not in kinds:
        raise Invalid("object_type", f"must be one of {', '.join(kinds)}")
    if action not in kinds[kind].shares:
        raise Invalid("action", f"must be {' or '.join(kinds[kind].shares)} for {kind}", type="InvalidActionForType")
    whole = write.need(kind, document["object_id"])
    _check_target(document)
    if not write.context.is_admin and whole.project_id != write.context.project_id:
        raise Invalid("object_id", f"{kind} {whole.id} is of another project: only administrators share what is not their own")
    write.then(lambda: _set_mark(write, kind, document["object_id"], kinds[kind].shares[action], True))


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    _check_target(document)
    target = document["target_tenant"]
    if target != before.target_tenant and target != sharing.ALL:
        sharing.check_unused(write, before, new_target=target)


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """Nobody may lose what they use; the last sharing takes a mark that is kept with the object away."""
    sharing.check_unused(write, before)
    resource = write.resources[before.object_type]
    if len(sharing.policies_of(write, resource, before.object_id, before.action)) == 1:
        _set_mark(write, before.object_type, before.object_id, resource.shares[before.action], False)


def _check_target(document: Mapping[str, Any]) -> None:
    if not document["target_tenant"]:
        raise Invalid("target_tenant", "must be a project, or * for every project")


def _set_mark(write: Any, kind: str, id: str, share: Share, value: bool) -> None:
    """What is kept with the object says whether there is such a sharing at all."""
    whole, mark = write.get(kind, id), write.resources[kind].attributes[share.mark]
    if not mark.stored or getattr(whole, mark.field) == value:
        return
    try:
        write.update(kind, whole, {share.mark: value}, by=SYSTEM)
    except Unsupported as wrong:
        raise Invalid("action", str(wrong)) from None
    except Conflict as wrong:
        raise Conflict("RbacPolicyInUse", f"RBAC policy on object {id} cannot be removed because other objects depend on "
                                          f"it: {wrong}") from None
