"""Queues of a host's interfaces as rows of its database: for each interface a QoS, and in it a Queue for each number.

A QoS that is not marked as ours is left alone, and so is its port; what is marked and not wanted any more is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from controller.queues import PortQueues, Queue
from controller.switch.changes import OWNER, Plan, map_of, owns, set_of
from controller.switch.ovsdb_rows import Database, Row

KIND = "linux-htb"
BIT = 1000          # bits in a kilobit


def is_free(database: Database, name: str) -> bool:
    """Whether the queues of a port are ours to make: it is there, and has none of somebody else's."""
    found = database.named("Port", name)
    held = database.row("QoS", found[1]["qos"]) if found and found[1]["qos"] else None
    return bool(found) and (held is None or owns(held))


def repair(made: Plan, database: Database, wanted: Iterable[PortQueues]) -> None:
    """Make the queues as they should be."""
    kept: set[str] = set()
    for one in wanted:
        found = database.named("Port", one.interface)
        if found is not None and is_free(database, one.interface):
            kept |= _repair_port(made, database, one, *found)
    _sweep(made, database, kept)


def _repair_port(made: Plan, database: Database, wanted: PortQueues, uuid: str, port: Row) -> set[str]:
    """The rows of one port; returns those that are there already and stay."""
    qos = port["qos"]
    row = database.row("QoS", qos) if qos else None
    columns = {"type": KIND, "other_config": {"max-rate": str(wanted.most * BIT)}, "external_ids": OWNER}
    has = row["queues"] if row else {}
    queues: dict[int, Any] = {queue.number: _repaired(made, database, wanted.interface, queue, has.get(queue.number))
                              for queue in wanted.queues}
    kept = {uuid for number, uuid in has.items() if queues.get(number) == ["uuid", uuid]}
    if row is None:
        made.changes.append(f"queues of {wanted.interface}")
        new = made.insert("QoS", {**_written(columns), "queues": map_of(queues)}, f"qos_{len(made.operations)}")
        made.update("Port", uuid, {"qos": new})
        return kept
    wrong: dict[str, Any] = _written({name: value for name, value in columns.items() if row[name] != value})
    if {number: ["uuid", one] for number, one in has.items()} != queues:
        wrong["queues"] = map_of(queues)
    if wrong:
        made.changes.append(f"{', '.join(sorted(wrong))} of the queues of {wanted.interface}")
        made.update("QoS", qos, wrong)
    return kept | {qos}


def _repaired(made: Plan, database: Database, interface: str, queue: Queue, uuid: str | None) -> list[str]:
    """A reference to the row of one queue, as it should be."""
    config = {"min-rate": str(queue.least * BIT), "priority": str(queue.turn)}
    row = database.row("Queue", uuid) if uuid else None
    if uuid is None or row is None or not owns(row):
        return made.insert("Queue", _written({"other_config": config, "external_ids": OWNER}), f"queue_{len(made.operations)}")
    if row["other_config"] != config:
        made.changes.append(f"queue {queue.number} of {interface}")
        made.update("Queue", uuid, _written({"other_config": config}))
    return ["uuid", uuid]


def _written(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: map_of(value) if isinstance(value, dict) else value for name, value in columns.items()}


def _sweep(made: Plan, database: Database, kept: set[str]) -> None:
    """Delete what is ours and is not wanted; a QoS comes off its port first. A Queue that others use stays."""
    kept |= {uuid for row in database.tables["QoS"].values() if not owns(row) for uuid in row["queues"].values()}
    for table in ("QoS", "Queue"):
        for uuid, row in database.tables[table].items():
            if uuid in kept or not owns(row):
                continue
            for port, held in database.tables["Port"].items() if table == "QoS" else ():
                if held["qos"] == uuid:
                    made.update("Port", port, {"qos": set_of([])})
            made.changes.append(f"delete a {table} that is not wanted")
            made.delete(table, uuid)

