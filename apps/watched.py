"""Who is watched: of which ports it is counted which of their addresses speak with whom, and what flows say to count."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.pipeline import COUNT_IN
from apps.places import homes_of
from controller.app import query, tally
from controller.errors import Invalid
from controller.openflow.actions import count


def settle(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """It is of a port, of a network or of a group, and of one's own."""
    named = [name for name in ("port", "network", "security_group") if document[f"{name}_id"] is not None]
    if len(named) != 1:
        raise Invalid("port_id", "say one of port_id, network_id and security_group_id")
    kind = named[0]
    if kind == "security_group" and document["peers"]:
        raise Invalid("peers", "are told apart for ports; leave them out for a security group")
    whole = write.need(kind, document[f"{kind}_id"])
    if before is None and not write.context.is_admin and whole.project_id != write.context.project_id:
        raise Invalid(f"{kind}_id", "belongs to another project; only its own project watches it")


@query
def peers_of(world: Any, port_id: str) -> tuple[str, ...] | None:
    """The blocks of addresses that a port's counts are told apart by; None if nobody watches it."""
    port = world.get("port", port_id)
    found = [*world.find("watch", "port_id", port_id), *(world.find("watch", "network_id", port.network_id) if port else ())]
    return tuple(sorted({block for watch in found for block in watch.peers})) if found else None


@tally(per="watch")
def watched_in(world: Any, watch: Any) -> Iterator[tuple[str, str]]:
    """Networks gather the watches that are about them or about ports of theirs."""
    port = world.get("port", watch.port_id) if watch.port_id else None
    network_id = watch.network_id or (port.network_id if port is not None else None)
    if network_id:
        yield network_id, watch.id


def where_watched(world: Any, port: Any) -> tuple:
    """Where a port is and may come to, if it is watched."""
    return () if world.ask(peers_of, port.id) is None else homes_of(world, port)


def account(port: Any, what: str, about: str = "") -> Any:
    """What a flow does of which a port's account is kept: what it has `sent`, or `received`."""
    return count(what, "port", port.id, within=port.network_id, about=about)


def handed(world: Any, port: Any, out: tuple) -> tuple:
    """How a port is given what nothing holds back any more; `out` are the actions that do it."""
    return (account(port, "received"), *(out if world.ask(peers_of, port.id) is None else (COUNT_IN,)))
