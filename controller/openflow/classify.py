"""A switch's tables for looking packets up: which flow a packet meets, conjunctions included, as Open vSwitch finds it.

Flows of one mask lie together in a dictionary by value, so a lookup costs as many steps as there are masks.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from controller.openflow import buckets, decode
from controller.openflow.fields import FIELDS
from controller.openflow.flow import Flow, FlowKey
from controller.openflow.group import Entry, Key

_ETHERNET = frozenset({"eth_src", "eth_dst", "eth_type", "vlan_vid", "vlan_pcp"})
_CACHE = 262144

read_match = lru_cache(_CACHE)(decode.read_match)
read_body = lru_cache(_CACHE)(decode.read_body)
Signature = tuple[tuple[str, int], ...]


class Rule(NamedTuple):
    """A flow as the walk uses it. `reason` says why it drops, where that is known."""

    key: FlowKey
    cookie: int
    body: decode.Body
    conjunctions: tuple[decode.Conjunction, ...]
    reason: str

    @property
    def priority(self) -> int:
        """The flow's priority."""
        return self.key[1]


class _Masked:
    """The flows of a table that look at the same bits, by what those bits must be; the highest priority first."""

    __slots__ = ("signature", "chains")

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.chains: dict[tuple[int, ...], list[Rule]] = {}

    def find(self, packet: Mapping[str, Any]) -> list[Rule]:
        return self.chains.get(tuple([packet.get(name, 0) & mask for name, mask in self.signature]), [])


def _place(fields: bytes) -> tuple[Signature, tuple[int, ...]]:
    """Which bits a match looks at, and what they must be."""
    wanted = dict(read_match(fields))
    if "packet_type" not in wanted and not _ETHERNET.isdisjoint(wanted):
        wanted["packet_type"] = 0, FIELDS["packet_type"].full
    ordered = sorted(wanted.items())
    return tuple((name, mask) for name, (_, mask) in ordered), tuple(value & mask for _, (value, mask) in ordered)


class Tables:
    """Everything a switch holds, ready for lookups."""

    def __init__(self, held: Mapping[Any, Any] | Iterable[Entry] = ()) -> None:
        """`held`: entries, or {key: entry}, or {key: (cookie, body)}, or {key: body}.

        Raises Malformed if one cannot be read.
        """
        self.tables: defaultdict[int, dict[Signature, _Masked]] = defaultdict(dict)
        self.groups: dict[int, buckets.GroupBody] = {}
        self.meters: dict[int, buckets.MeterBody] = {}
        pairs = held.items() if isinstance(held, Mapping) else ((entry.key, entry) for entry in held)
        for key, what in pairs:
            if isinstance(what, bytes):
                self.put(key, 0, what)
            elif isinstance(what, tuple):
                self.put(key, *what)
            else:
                reason = what.why.reason if isinstance(what, Flow) and what.why else ""
                self.put(key, what.cookie, what.body, reason)

    def put(self, key: Key, cookie: int, body: bytes, reason: str = "") -> None:
        """Add an entry or replace the one under its key."""
        if key[0] == "group":
            self.groups[key[1]] = buckets.read_group(body)
        elif key[0] == "meter":
            self.meters[key[1]] = buckets.read_meter(body)
        else:
            self.remove(key)
            read = read_body(body)
            joined = tuple(each for each in read.actions if isinstance(each, decode.Conjunction))
            signature, values = _place(key[2])
            masked = self.tables[key[0]].setdefault(signature, _Masked(signature))
            chain = masked.chains.setdefault(values, [])
            chain.append(Rule(key, cookie, read, joined, reason))
            chain.sort(key=attrgetter("priority"), reverse=True)

    def remove(self, key: Key) -> None:
        """Forget the entry under a key, if there is one."""
        if key[0] == "group":
            self.groups.pop(key[1], None)
        elif key[0] == "meter":
            self.meters.pop(key[1], None)
        else:
            signature, values = _place(key[2])
            masked = self.tables[key[0]].get(signature)
            chain = masked.chains.get(values, []) if masked else []
            chain[:] = [rule for rule in chain if rule.key != key]

    def find(self, table: int, packet: Mapping[str, Any]) -> tuple[Rule | None, list[Rule]]:
        """The flow that a packet meets in a table, if any; and others of its priority that do something else with the
        same packet: which of them a switch would take is its own affair.
        """
        chains = [chain for masked in self.tables[table].values() if (chain := masked.find(packet))]
        hard = _best(chains)
        floor = hard.priority if hard else -1
        soft = [chain for chain in chains if chain[0].conjunctions and chain[0].priority > floor]
        while soft:
            top = max(chain[0].priority for chain in soft)
            here = [chain for chain in soft if chain[0].priority == top]
            for number in _satisfied([chain[0] for chain in here]):
                found = _best([chain for masked in self.tables[table].values()
                               if (chain := masked.find({**packet, "conj_id": number}))])
                if found:
                    return found, []
            # None of this priority: behind each of these flows may stand one of the same match and lower priority.
            soft = [chain if chain[0].priority < top else chain[1:] for chain in soft]
            hard = _best([chain for chain in soft if chain] + ([[hard]] if hard else []))
            floor = hard.priority if hard else -1
            soft = [chain for chain in soft if chain and chain[0].conjunctions and chain[0].priority > floor]
        rivals = [chain[0] for chain in chains if hard and chain[0].priority == hard.priority
                  and not chain[0].conjunctions and chain[0].body != hard.body]
        return hard, rivals


def _best(chains: Iterable[list[Rule]]) -> Rule | None:
    """The first of the highest priority among those that are no part of a conjunction."""
    plain = [chain[0] for chain in chains if not chain[0].conjunctions]
    return max(plain, key=attrgetter("priority")) if plain else None


def _satisfied(rules: list[Rule]) -> list[int]:
    """The conjunctions all of whose clauses are among these flows, the smallest number first.

    As in Open vSwitch 3.1, there must be as many flows as clauses: one flow that holds them all is not enough.
    """
    clauses: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for rule in rules:
        for each in rule.conjunctions:
            clauses[each.id, each.of].add(each.clause)
    return sorted(number for (number, of), met in clauses.items() if len(met) == of <= len(rules))
