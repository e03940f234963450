"""Uplinks: where a host's integration bridge reaches the physical networks that its administrator has named.

    ovs-vsctl set Open_vSwitch . external_ids:hadron-bridge-mappings=physnet1:br-ex,physnet2:br-data

Each such bridge is joined with the integration bridge by a pair of patch ports. On bridges that are not ours nothing
else is touched, and of two things with a name of ours only what is marked as ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from controller.switch.changes import OWNER, Plan, is_ours, map_of, port_of, set_of
from controller.switch.ovsdb_rows import Database, Row

KEYS = ("hadron-bridge-mappings", "ovn-bridge-mappings", "bridge-mappings")
"""Of external_ids; the first that is there counts."""
NAME = re.compile(r"[!-+\-.0-9;-~]{1,64}\Z")  # of a physical network: part of ids and URLs, so no slash
FIRST_PORT, LAST_PORT = 65100, 65279  # OpenFlow port numbers of uplinks; 65280 is the first reserved one
OURS, WIRE = "hv-to-", "hv-from-"  # patch ports: on the integration bridge, on the other one


def mapped(root: Row, bridge: str, problems: list[str]) -> dict[str, str]:
    """{physical network: bridge} as the host says it. What cannot be is left out, and added to the problems."""
    given = root["external_ids"]
    key = next((each for each in KEYS if each in given), KEYS[0])
    found: dict[str, str] = {}
    for pair in filter(None, map(str.strip, given.get(key, "").split(","))):
        name, _, other = map(str.strip, pair.partition(":"))
        if not NAME.match(name) or not other:
            problems.append(
                f"external_ids:{key} must be like physnet1:br-ex,physnet2:br-data, and {pair[:80]!r} is not"
            )
        elif name in found or other in found.values() or other == bridge:
            problems.append(
                f"external_ids:{key}: each physical network needs a bridge of its own, and {pair[:80]!r} has none"
            )
        else:
            found[name] = other
    return found


def joined(database: Database, root: Row, bridge: Row) -> dict[str, int]:
    """{physical network: OpenFlow port number} of the uplinks that are ready for use.

    The error of a patch port says nothing: Open vSwitch 3.1 leaves "No usable peer" there after the peer has come.
    """
    found = {}
    for name, other in mapped(root, bridge["name"], []).items():
        wire = database.named("Bridge", other)
        number = _number(database, OURS, WIRE, name, bridge)
        if number and wire and _number(database, WIRE, OURS, name, wire[1]):
            found[name] = number
    return found


def _number(database: Database, own: str, peer: str, name: str, bridge: Row) -> int | None:
    """The OpenFlow port number of one end of a pair, if it is as it should be."""
    found = database.named("Interface", own + name)
    if (
        port_of(database, own + name) not in bridge["ports"]
        or not found
        or found[1]["options"].get("peer") != peer + name
    ):
        return None
    number = found[1]["ofport"]
    return number if number is not None and 0 < number < 0xFF00 else None


def repair(made: Plan, database: Database, root: Row, uuid: str, bridge: Row) -> None:
    """Make the pairs as they should be: those of a mapping that went are removed, those that lack are added."""
    wanted = {
        name: found
        for name, other in mapped(root, bridge["name"], made.problems).items()
        if (found := _usable(made, database, root, bridge, name, other))
    }
    for name in _known(database) - wanted.keys():
        _remove(made, database, name)
    numbers = _numbers(made, database, wanted)
    for name, (other, row) in sorted(wanted.items()):
        if name not in numbers:
            continue
        ends = ((OURS, WIRE, uuid, bridge, numbers[name]), (WIRE, OURS, other, row, None))
        for own, peer, place, on, number in ends:
            _repair_end(made, database, own + name, peer + name, place, on, number)


def _usable(made: Plan, database: Database, root: Row, bridge: Row, name: str, other: str) -> tuple[str, Row] | None:
    """The bridge of a physical network, if it can be joined."""
    found = database.named("Bridge", other)
    if found is None or found[0] not in root["bridges"]:
        made.problems.append(f"physical network {name}: there is no bridge {other} yet")
        return None
    if (found[1]["datapath_type"] or "system") != (bridge["datapath_type"] or "system"):
        made.problems.append(
            f"physical network {name}: {other} must have datapath_type {bridge['datapath_type'] or 'system'}, "
            f"as {bridge['name']} has: between datapaths nothing passes"
        )
        return None
    strangers = [
        end + name for end in (OURS, WIRE) if port_of(database, end + name) and not is_ours(database, end + name)
    ]
    if strangers:
        made.problems.append(f"physical network {name}: {strangers[0]} belongs to someone else and is left alone")
        return None
    return found


def _known(database: Database) -> set[str]:
    """The physical networks of which a port of ours is there."""
    return {
        port.removeprefix(end)
        for end in (OURS, WIRE)
        for port in database.own("Port")
        if port.startswith(end) and is_ours(database, port)
    }


def _numbers(made: Plan, database: Database, wanted: Mapping[str, Any]) -> dict[str, int]:
    """The OpenFlow port number of each uplink: the one that it has, else the lowest that none of them has."""
    taken: dict[int, str] = {}
    for name in sorted(wanted):
        found = database.named("Interface", OURS + name)
        if found and FIRST_PORT <= (found[1]["ofport_request"] or 0) <= LAST_PORT:
            taken.setdefault(found[1]["ofport_request"], name)
    free = (number for number in range(FIRST_PORT, LAST_PORT + 1) if number not in taken)
    numbers = {name: number for number, name in taken.items()}
    for name in sorted(wanted.keys() - numbers.keys()):
        number = next(free, None)
        if number is None:
            made.problems.append(
                f"physical network {name}: there is room for {LAST_PORT - FIRST_PORT + 1} uplinks only"
            )
        else:
            numbers[name] = number
    return numbers


def _repair_end(
    made: Plan, database: Database, name: str, peer: str, uuid: str, bridge: Row, number: int | None
) -> None:
    """One patch port of a pair. One that is on another bridge is removed first, and made anew by the next plan."""
    port, found = port_of(database, name), database.named("Interface", name)
    columns: dict[str, Any] = {"type": "patch", "options": {"peer": peer}}
    if number is not None:
        columns["ofport_request"] = number
    if port is None:
        if found:
            made.problems.append(f"{name}: an interface of this name belongs to a port of another name")
            return
        made.changes.append(f"add {name} to {bridge['name']}")
        tag = f"uplink_{len(made.operations)}"
        interface = made.insert(
            "Interface", {"name": name, **columns, "options": map_of(columns["options"])}, f"{tag}i"
        )
        row = {"name": name, "interfaces": interface, "external_ids": map_of(OWNER)}
        made.mutate("Bridge", uuid, ["ports", "insert", set_of([made.insert("Port", row, tag)])])
    elif port not in bridge["ports"] or found is None:
        _detach(made, database, name)
    elif wrong := {column: value for column, value in columns.items() if found[1][column] != value}:
        made.changes.append(f"{', '.join(sorted(wrong))} of {name}")
        if "options" in wrong:
            wrong["options"] = map_of(wrong["options"])
        made.update("Interface", found[0], wrong)


def _remove(made: Plan, database: Database, name: str) -> None:
    for end in (OURS, WIRE):
        if is_ours(database, end + name):
            _detach(made, database, end + name)


def _detach(made: Plan, database: Database, name: str) -> None:
    """Take a port off whichever bridge it is on; with that it is gone."""
    port = port_of(database, name)
    for uuid, row in database.tables["Bridge"].items():
        if port in row["ports"]:
            made.changes.append(f"remove {name} from {row['name']}")
            made.mutate("Bridge", uuid, ["ports", "delete", set_of([["uuid", port]])])
