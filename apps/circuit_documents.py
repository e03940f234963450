"""Circuits as documents: what may be asked for, and whether it fits."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from apps.bandwidth import asked_for, queued, reserved, seat
from controller.errors import Conflict, Invalid
from controller.types import Type
from controller.world import Glance
from topology.reservations import Asked

NEWEST = 1 << 30                    # in place of the number of a circuit that is being made


def _switch_port(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{16}:[1-9][0-9]{0,9}", value):
        raise Invalid("", "must be <switch>:<port>, 16 hexadecimal digits and an OpenFlow port number")
    return value


SWITCH_PORT = Type("switch_port", _switch_port, {"type": "string"}, ("00000000000000a1:3",),
                   (1, "", "a1:3", "00000000000000a1", "00000000000000A1:1", "00000000000000a1:0", ["1"]))


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    for end in "az":
        names = f"{end}_port_id", f"{end}_switch_port"
        if sum(document[name] is not None for name in names) != 1:
            raise Invalid(names[0], f"give this or {names[1]}, and not both")
        _check_end(write, document, end)
    if _ends(document)[0] == _ends(document)[1]:
        raise Invalid("z_port_id", "must differ from the other end")
    _check_rates(document)
    _check_room(write, document, document["id"], NEWEST)


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    _check_rates(document)
    if {"committed_kbps", "protected", "priority", "admin_state_up"} & asked.keys():
        _check_room(write, document, before.id, before.key)


def _ends(document: Mapping[str, Any]) -> tuple[tuple, tuple]:
    return tuple((document[f"{end}_port_id"], document[f"{end}_switch_port"]) for end in "az")      # type: ignore[return-value]


def _check_end(write: Any, document: Mapping[str, Any], end: str) -> None:
    """One end is of one circuit, and a switch port is nobody's port or link."""
    for name in (f"{end}_port_id", f"{end}_switch_port"):
        value, kind = document[name], name[2:]
        if value is None:
            continue
        for index in (f"a_{kind}", f"z_{kind}"):
            for other in write.find("circuit", index, value):
                raise Conflict("CircuitEndInUse", f"{name}: {value} is an end of circuit {other.id} already.")
        if kind == "switch_port" and (write.find("port", "switch_port", value) or write.get("link", value)):
            raise Conflict("CircuitEndInUse", f"{name}: {value} is a port's or a link's already.")


def _check_rates(document: Mapping[str, Any]) -> None:
    if document["peak_kbps"] is not None and document["peak_kbps"] < document["committed_kbps"]:
        raise Invalid("peak_kbps", "must not be below committed_kbps")


def _check_room(write: Any, document: dict[str, Any], id: str, key: int) -> None:
    """There is a path with room for it, and nobody of its priority loses theirs by it."""
    world = Glance(write)
    mine = asked_for(world, write.writer.model.make("circuit", {**document, "key": key}))
    others = [(row.id, one) for row in _all(write) if row.id != id and (one := asked_for(world, row)) is not None]
    if mine is None:                                            # an end that is not there yet has no path to reserve
        return
    was, now = (reserved(world, tuple(sorted(asked))) for asked in (
        [one for _, one in others] + _as_it_was(world, write, id), [*(one for _, one in others), mine]))
    got = now.given[key]
    if got.path is None or mine.protected and got.spare is None:
        raise _no_room(mine, got)
    for other, one in others:
        if one.priority >= mine.priority and was.given[one.key].path is not None and now.given[one.key].path is None:
            raise Conflict("CircuitDoesNotFit", f"committed_kbps: circuit {other} would lose its path.")


def _as_it_was(world: Any, write: Any, id: str) -> list[Asked]:
    row = write.get("circuit", id)
    one = asked_for(world, row) if row is not None else None
    return [one] if one is not None else []


def _no_room(mine: Asked, got: Any) -> Conflict:
    if got.path is not None:
        return Conflict("CircuitDoesNotFit", f"protected: no two paths from switch {mine.source} to switch {mine.target} have "
                                             f"room for {mine.committed} kbit/s and no link in common.")
    if got.full is None:
        return Conflict("CircuitDoesNotFit", f"No path leads from switch {mine.source} to switch {mine.target}.")
    full = got.full
    return Conflict("CircuitDoesNotFit", f"committed_kbps: the link {full.source}:{full.port} to {full.target}:"
                                         f"{full.target_port} has no room for {mine.committed} kbit/s more; ask for less, or "
                                         "for a higher priority.")


def _all(rows: Any) -> Iterable[Any]:
    return [row for priority in range(8) for row in rows.find("circuit", "priority", priority)]


# ---- what is computed

def _given(model: Any, row: Any) -> Any:
    world = Glance(model)
    mine = asked_for(world, row)
    if mine is None:
        return None
    all = tuple(sorted(one for other in _all(model) if (one := asked_for(world, other)) is not None))
    return reserved(world, all).given[mine.key]


def status(model: Any, row: Any) -> str:
    world = Glance(model)
    there = all(seat(world, row, end) is not None for end in "az")
    given = _given(model, row)
    return "ACTIVE" if there and given is not None and given.path is not None else "DOWN"


def held_by(model: Any, row: Any) -> tuple[str, ...]:
    """Each end of a link by itself: queues where there are some, meters elsewhere."""
    given, world = _given(model, row), Glance(model)
    ends = given.path.links if given is not None and given.path is not None else ()
    found = {"queues" if port in queued(world, switch) else "meters" for switch, port in ends}
    return tuple(sorted(found, reverse=True))


def path(model: Any, row: Any) -> tuple[str, ...]:
    given = _given(model, row)
    return given.path.switches if given is not None and given.path is not None else ()
