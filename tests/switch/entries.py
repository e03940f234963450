"""Entries for tests of sessions: plain flows, groups and meters in numbers."""
from __future__ import annotations

from controller.openflow import Entry, Flow, Group, Key, Meter, Pipeline, Why, drop, group, match, meter, output

PIPELINE = Pipeline()
FIRST = PIPELINE.table(0, "first", "Where does it come from?")
LATER = PIPELINE.table(10, "later", "Where does it go?")


def flow(number: int, port: int = 1, *, priority: int = 100) -> Flow:
    """The flow of this number: a destination address in the first table, sent out of a port."""
    fields = match(eth_type=0x0800, ipv4_dst=0x0A000000 + number)
    return Flow(FIRST, priority, fields, (output(port),), Why(1, f"resource {number}", "rule"))


def flows(count: int, *, first: int = 0, port: int = 1) -> dict[Key, Entry]:
    return {entry.key: entry for entry in (flow(number, port) for number in range(first, first + count))}


def blocked(number: int) -> Flow:
    return Flow(LATER, 5, match(eth_type=0x0800, ipv4_src=number), (drop("a test"),))


def to_group(number: int, group_id: int) -> Flow:
    return Flow(LATER, 50, match(eth_type=0x0800, ipv4_dst=0x0B000000 + number), (group(group_id),))


def to_meter(number: int, meter_id: int) -> Flow:
    return Flow(LATER, 60, match(eth_type=0x0800, ipv4_dst=0x0C000000 + number), (meter(meter_id), output(2)))


def flood(group_id: int, *ports: int) -> Group:
    return Group(group_id, "all", [(None, None, (output(port),)) for port in ports])


def limit(meter_id: int, pps: int) -> Meter:
    return Meter(meter_id, pps=pps, burst=pps)


def entries(*wanted: Entry) -> dict[Key, Entry]:
    return {entry.key: entry for entry in wanted}


def installed(wanted: dict[Key, Entry]) -> dict[Key, tuple[int, bytes]]:
    """What a switch that holds exactly these entries tells."""
    return {key: (entry.cookie, entry.body) for key, entry in wanted.items()}
