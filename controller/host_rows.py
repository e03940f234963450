"""What follows from what a host says of itself (`HostFacts`): which other rows go. It speaks only of what is its own."""
from __future__ import annotations

from typing import Any

FactId = tuple[str, str]
PARTS = ("interface", "uplink")


def gone(model: Any, event: Any) -> list[FactId]:
    """The host's rows that it no longer has: those that it names, and if it has told all, those that it does not."""
    rows = model.rows
    found = [(kind, id) for kind, id in event.removes
             if id in rows[kind] and getattr(rows[kind][id], "host_id", id) == event.host_id]
    if event.complete:
        seen = {(kind, row["id"]) for kind, row in event.puts}
        found += [(kind, row.id) for kind in (*PARTS, "switch")
                  for row in model.find(kind, "host_id", event.host_id) if (kind, row.id) not in seen]
    return found


def taken_over(model: Any, event: Any) -> list[Any]:
    """The switches that are the host's now and were known as another's, or as nobody's."""
    known = [model.rows["switch"].get(row["id"]) for kind, row in event.puts if kind == "switch"]
    return [row for row in known if row is not None and row.host_id != event.host_id]


def left_behind(model: Any, switch: Any, host_id: str) -> list[FactId]:
    """What others have on a switch that is this host's now."""
    return [(kind, row.id) for kind in PARTS for row in model.find(kind, "switch_id", switch.id) if row.host_id != host_id]
