"""Queues: what is for sure somebody's waits by itself where frames leave a host for others.

At an interface of which its host's administrator says external_ids:hadron-queues=true there is a queue for all that is
nobody's in particular, with a twentieth of what the interface carries, and others with what they have for sure:

    a wire to another switch          one for each circuit that passes, with its committed rate
    an interface of a bridge          one for each port of this host that a policy promises a minimum, if its network, or that
                                      of its floating IP, is carried by the bridge's physical network; by tunnels, if the
                                      bridge has none

What is not used is anybody's, of circuits first. Where a wire has no queues meters hold all else to what circuits leave
(bandwidth.py).
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.bandwidth import passing, room_at, speed_of
from apps.limits import policy_of
from apps.places import home
from apps.uplinks import on_wire, wire_at
from controller.app import PortQueues, Queue, furnishes, query
from controller.queues import LAST_QUEUE, REST
from topology.reservations import FREE

FIRST, LAST = 0, 7                  # whose turn it is when something is left
PORTS = LAST_QUEUE // 2 + 1         # numbers of circuits end below, those of ports begin here
TUNNELS = None                      # in place of a physical network


@furnishes
def queues(world: Any, host: Any) -> Iterator[PortQueues]:
    for switch in world.find("switch", "host_id", host.id):
        circuits: Mapping[int, Mapping[int, int]] = world.ask(passing, switch.id)
        for one in world.find("interface", "switch_id+queues", (switch.id, True)):
            yield _queues(one.name, room_at(world, one), circuits.get(one.ofport, {}), FIRST)
        ways = [(one, one.physical_network) for one in world.find("uplink", "switch_id", switch.id)]
        for way, network in [*ways, (host, TUNNELS)]:
            if way.queues:
                promised = world.ask(promised_at, switch.id, network)
                yield _queues(way.queues, speed_of(world, way.speed), promised, LAST)


def _queues(interface: str, most: int, least: Mapping[int, int], turn: int) -> PortQueues:
    """If more is promised than there is, everybody gets a part of it."""
    free = int(most * FREE)
    part = min(1.0, (most - free) / max(1, sum(least.values())))
    return PortQueues(interface, most, (Queue(REST, free, LAST), *(
        Queue(number, max(1, int(kbps * part)), turn) for number, kbps in sorted(least.items()))))


def queue_of(port: Any) -> int:
    """The number of a port's queue. Of ports whose numbers coincide on a host the queue is one, with what both have."""
    number: int = PORTS + port.key % PORTS
    return number


@query
def promises(world: Any) -> dict[tuple[str, str | None], dict[int, int]]:
    """{(switch, physical network or None): {queue: kbit/s}} of all ports that have a minimum."""
    found: dict[tuple[str, str | None], dict[int, int]] = {}
    for rule in world.find("minimum_bandwidth_rule", "direction", "egress"):
        for port in _users(world, rule.qos_policy_id):
            networks = {port.network_id, *(one.floating_network_id for one in world.find("floatingip", "port_id", port.id))}
            for switch in home(world, port):
                for way in {_way(world, network, switch) for network in networks}:
                    there = found.setdefault((switch, way), {})
                    there[queue_of(port)] = there.get(queue_of(port), 0) + rule.min_kbps
    return found


@query
def promised_at(world: Any, switch_id: str, physical_network: str | None) -> dict[int, int]:
    """The part of one way out of a switch."""
    found: dict[int, int] = world.ask(promises).get((switch_id, physical_network), {})
    return found


def _users(world: Any, policy: str) -> Iterator[Any]:
    """The ports that a policy applies to."""
    yield from world.find("port", "qos_policy_id", policy)
    for network in world.find("network", "qos_policy_id", policy):
        for port in world.find("port", "network_id", network.id):
            if port.qos_policy_id is None and policy_of(world, port) == policy:
                yield port


def _way(world: Any, network_id: str, switch: str) -> str | None:
    """The physical network by which a network leaves a switch; None for tunnels, "" if it does not."""
    network = world.get("network", network_id)          # not needed: the others' queues are there without it
    if network is not None and not on_wire(network):
        return TUNNELS
    wire = world.ask(wire_at, network_id, switch)
    return wire[0].physical_network if wire else ""
