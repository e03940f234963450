"""Queues of links: what is committed to a circuit waits by itself, where the way on is a queue's to give.

On a host's interface that leads to another switch, and of which its administrator says external_ids:hadron-queues=true, the
switch has a queue for each circuit that passes, with the committed rate for its own, and one for all else: a twentieth
of the link is always its own, the rest whatever is not used, circuits first. Where there are no queues meters
hold all else to what circuits leave (bandwidth.py).
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.bandwidth import passing, room_at
from controller.app import PortQueues, Queue, furnishes
from controller.queues import REST
from topology.reservations import FREE

FIRST, LAST = 0, 7          # whose turn it is when something is left


@furnishes
def queues(world: Any, host: Any) -> Iterator[PortQueues]:
    for switch in world.find("switch", "host_id", host.id):
        circuits: Mapping[int, Mapping[int, int]] = world.ask(passing, switch.id)
        for one in world.find("interface", "switch_id+queues", (switch.id, True)):
            most = room_at(world, one)
            yield PortQueues(one.name, most, (
                Queue(REST, int(most * FREE), LAST),
                *(Queue(key, rate, FIRST) for key, rate in sorted(circuits.get(one.ofport, {}).items()))))
