"""Logs: what the security groups of a port refuse, and which connections they let begin, is told to the controller.

    out_rules, in_rules, out_free, in_free    what no rule allows
    opened                                    what is part of no connection
    allowed                                   what is new and allowed, before the other side has its say

Only of ports that a log is about, through a meter for each: of the rest it is counted, and not told; of ports that are watched it
is only counted. What becomes of a packet does not depend on it. The entries are read over REST (`log_documents.entries`); `controller/journal.py` keeps them.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.guards import guard_of
from apps.log_reasons import deciding, ethertype, refusal
from apps.pipeline import (
    ALLOWED,
    COMMIT,
    FORWARD,
    IN_FREE,
    IN_RULES,
    METERS,
    OPENED,
    OUT_FREE,
    OUT_RULES,
    RECEIVER,
    SENDER,
    STATEFUL,
    STATELESS,
)
from apps.places import homes_of
from apps.protocols import name_of
from apps.watched import peers_of, where_watched
from controller.app import AsSeen, Entry, answers, flows, query, tally
from controller.openflow.actions import count, drop, tell
from controller.openflow.group import Meter
from controller.openflow.match import match
from controller.openflow.packet_in import PacketIn
from controller.packet.conversation import read

APP = 54
FAMILIES = 0x800, 0x86dd
NEW, INVALID = (0x21, 0x21), (0x30, 0x30)
TOLD, AT_ONCE = 5, 20           # packets a second of one port, and in a burst
HEADERS = 128                   # bytes of a packet that say who speaks with whom
ACCEPT, DROP, ALL = "ACCEPT", "DROP", "ALL"


# ---- of which ports

@tally(per="log")
def logged(world: Any, log: Any) -> Iterator[tuple[str, str]]:
    """A log is about ports of its own project; an administrator's also of the project whose group or port it names."""
    if log.enabled:
        said = (("security_group", log.resource_id), ("port", log.target_id)) if log.beyond else ()
        named = [world.get(kind, id) for kind, id in said if id]
        for project in {log.project_id, *(row.project_id for row in named if row is not None)}:
            yield project, log.id


@query
def logs_of(world: Any, port_id: str) -> tuple[tuple[str, str], ...]:
    """(id, event) of the logs that are about a port."""
    port = world.need("port", port_id)
    if not port.port_security_enabled:
        return ()
    found = [world.get("log", id) for id in sorted(world.gathered(logged, port.project_id))]
    return tuple((log.id, log.event) for log in found if log is not None and log.target_id in (None, port.id) and
                 (log.resource_id is None or log.resource_id in port.security_groups))


def where_told(world: Any, port: Any) -> tuple:
    """Where a port is, if a log is about it, or it is watched."""
    if world.gathered(logged, port.project_id) and world.ask(logs_of, port.id):
        return homes_of(world, port)
    return where_watched(world, port)


# ---- what is told

@flows(per="port", on=where_told)
def log(world: Any, port: Any) -> Any:
    events = {event for _, event in world.ask(logs_of, port.id)}
    meter_id = METERS["log"] + port.key
    told = tell(meter_id, HEADERS)
    if events:
        yield Meter(meter_id, pps=TOLD, burst=AT_ONCE)
    if events & {DROP, ALL} or world.ask(peers_of, port.id) is not None:
        yield from _refused(world, port, (told,) if events & {DROP, ALL} else ())
    if events & {ACCEPT, ALL}:
        yield ALLOWED, "logged", match({SENDER: port.key, RECEIVER: 0, "ct_state": NEW}), (told, FORWARD)
        yield ALLOWED, "logged", match({RECEIVER: port.key, "ct_state": NEW}), (told, COMMIT)


def _refused(world: Any, port: Any, told: tuple[bytes, ...]) -> Any:
    """Of what its groups refuse each packet is counted, and some are told of."""
    refusals = {STATELESS: _free, STATEFUL: _tracked}.get(world.ask(guard_of, port.id))
    for table, level, fields, reason in refusals(port) if refusals is not None else ():
        counted = count("dropped", "port", port.id, within=port.network_id, about=reason)
        yield table, level, match(fields), (counted, *told, drop(reason))


NO_RULE_OUT, NO_RULE_IN = "no rule allows the port to say it", "no rule allows it to be said to the port"
WENT = "a rule that allowed the connection went"
NO_CONNECTION = "not part of any connection"


def _tracked(port: Any) -> Iterator[tuple[Any, str, dict[str, Any], str]]:
    leaving: dict[str, Any] = {SENDER: port.key, RECEIVER: 0}
    arriving: dict[str, Any] = {RECEIVER: port.key}
    yield OUT_RULES, "logged", leaving, NO_RULE_OUT
    yield IN_RULES, "logged", leaving, WENT
    yield IN_RULES, "logged", arriving, NO_RULE_IN
    yield OUT_RULES, "logged", arriving, WENT
    for way in (leaving, arriving):
        yield OPENED, "logged", {**way, "ct_state": INVALID}, NO_CONNECTION


def _free(port: Any) -> Iterator[tuple[Any, str, dict[str, Any], str]]:
    yield OUT_FREE, "logged", {SENDER: port.key}, NO_RULE_OUT
    for family in FAMILIES:
        yield IN_FREE, "logged", {RECEIVER: port.key, "eth_type": family}, NO_RULE_IN


# ---- what is written down

@answers(of=log, flood=2 * AT_ONCE)             # more than its meter lets by: it is asked for, and no alarm
def write_down(world: Any, port: Any, frame: bytes) -> Any:
    """An entry, unless the port is gone or not logged any more."""
    def told(packet: PacketIn) -> Iterator[Entry]:
        logs = world.ask(logs_of, port.id) or ()
        entry = _entry(world, port, packet)
        ids = [id for id, event in logs if entry is not None and event in (ALL, entry["event"])]
        if entry is not None and ids:
            yield Entry({**entry, "log_ids": ids})
    return (AsSeen(told),)


def _entry(world: Any, port: Any, packet: PacketIn) -> dict[str, Any] | None:
    seen = read(packet.data)
    if seen is None:
        return None
    direction = "ingress" if packet.registers.get(RECEIVER) else "egress"
    event = ACCEPT if packet.table == ALLOWED.number else DROP
    rule = deciding(world, port, direction, seen) if event == ACCEPT else None
    return {
        "project_id": port.project_id, "port_id": port.id, "network_id": port.network_id,
        "security_group_ids": sorted(port.security_groups), "event": event, "direction": direction,
        "security_group_rule_id": rule.id if rule is not None else None,
        "reason": _reason(world, port, direction, seen, packet.table, rule),
        "ethertype": ethertype(seen), "protocol": name_of(seen.protocol), "source_ip": seen.source,
        "destination_ip": seen.destination, **_details(seen)}


def _details(seen: Any) -> dict[str, int | None]:
    icmp = seen.protocol in (1, 58)
    return {"source_port": None if icmp else seen.first, "destination_port": None if icmp else seen.second,
            "icmp_type": seen.first if icmp else None, "icmp_code": seen.second if icmp else None}


def _reason(world: Any, port: Any, direction: str, seen: Any, table: int, rule: Any) -> str:
    """Why, in words; a rule that is not found has just gone."""
    if table == ALLOWED.number:
        return f"rule {rule.id} of its groups" if rule is not None else "a rule of its groups"
    if table == OPENED.number:
        return NO_CONNECTION
    if table == (OUT_RULES if direction == "ingress" else IN_RULES).number:
        return WENT
    return refusal(world, port, direction, seen)
