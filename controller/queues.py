"""Queues: what waits where a port cannot send all at once, and how much of what it sends each of them has for sure.

Apps say which there are (`@furnishes` in controller/app.py); the host's database holds them (controller/switch/queueing.py).
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

LAST_QUEUE = 61_439         # that Open vSwitch numbers classes for (lib/netdev-linux.c)
REST = 0                    # the queue of whatever no flow puts into another


class Queue(NamedTuple):
    """One queue of a port: `least` kilobits a second are its own; what others leave, the lowest `turn` gets first (0 to 7)."""
    number: int
    least: int
    turn: int = 0


class PortQueues(NamedTuple):
    """The queues of an interface, and the kilobits a second that it sends in all."""
    interface: str
    most: int
    queues: tuple[Queue, ...]


class Furnishing:
    """Tells hosts their queues when these become others: `hand(host, queues)`. For the desk thread."""

    def __init__(self, model: Any, world: Any, rules: Iterable[Any], hand: Callable[[str, tuple[PortQueues, ...]], None]) -> None:
        self.model, self.world, self._hand = model, world, hand
        self._rules = list(rules)
        self._told: dict[str, tuple[PortQueues, ...]] = {}

    def take(self, changes: Iterable[Any], news: Iterable[tuple]) -> None:
        """Rows changed, and the hosts that are furnished otherwise now, as the compiler took and gave them."""
        hosts = dict.fromkeys(id for (rule, (id, *_)) in news if rule.role == "furnished")
        hosts.update(dict.fromkeys(id for kind, id, *_ in changes if kind == "host"))
        for host in hosts:
            now = self._wished(host)
            if now != self._told.get(host, ()):
                self._told[host] = now
                self._hand(host, now)

    def of(self, host: str) -> tuple[PortQueues, ...]:
        """What a host was told last; any thread may ask."""
        return self._told.get(host, ())

    def _wished(self, host: str) -> tuple[PortQueues, ...]:
        if self.model.get("host", host) is not None:
            return tuple(one for rule in self._rules for one in self.world.ask(rule, host))
        for rule in self._rules:
            self.world.forget((rule, (host,)))
        return ()
