"""Logs as documents: what may be logged, and the entries that were written down."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from controller.errors import Conflict, Invalid, Missing

GROUP = "security_group"
TYPES = (GROUP,)


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """It is of what there is, and of a port that is in the group if it names both. The errors are Neutron's."""
    document["beyond"] = write.context.is_admin
    type, group_id, port_id = (document[name] for name in ("resource_type", "resource_id", "target_id"))
    if type not in TYPES:
        raise Invalid("resource_type", f"Invalid log resource_type: {type}. There is {', '.join(TYPES)}.",
                      type="InvalidLogResourceType")
    group = _seen(write, GROUP, group_id, "ResourceNotFound", "Resource")
    port = _seen(write, "port", port_id, "TargetResourceNotFound", "Target resource")
    if group is not None and port is not None and group_id not in port.security_groups:
        raise Invalid("target_id", f"Invalid resource constraint between resource ({type} {group_id}) and target resource "
                                   f"(port {port_id}): the port is not in the group.", type="InvalidResourceConstraint")
    if document["event"] == "ACCEPT" and group is not None and not group.stateful:
        raise Conflict("LoggingTypeNotSupported", f"event: security group {group_id} is stateless and knows no connections, of "
                                                  "which the first packet could be logged; ask for DROP")


def _seen(write: Any, kind: str, id: str | None, error: str, called: str) -> Any:
    if id is None:
        return None
    row = write.get(kind, id)
    if row is None or not write.sees(kind, row):
        raise Missing(kind, id, type=error, text=f"{called} {id} could not be found.")
    return row


def forget_group(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A group goes, and the logs of it."""
    _forget(write, "resource_id", before.id)


def forget_port(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A port goes, and the logs of it."""
    _forget(write, "target_id", before.id)


def _forget(write: Any, name: str, id: str) -> None:
    for log in list(write.find("log", name, id)):
        write.remove("log", log)


def loggable(model: Any) -> Iterator[dict[str, Any]]:
    """What logs may be of."""
    return ({"type": type} for type in TYPES)


def entries(model: Any, wanted: Mapping[str, frozenset]) -> Iterable[dict[str, Any]]:
    """What was written down, of certain projects and ports if it is known which are wanted."""
    known = model.live.get("journal")
    return known(None).entries(wanted.get("project_id"), wanted.get("port_id")) if known is not None else ()
