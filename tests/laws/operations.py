"""Random changes to a small fabric: plain data, so that a history which breaks a law can be cut down to its core.

An operation holds a whole document and depends on nothing before it: any part of a history is a history.
`tests/laws/chance.py` draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from controller.model import Change, Model
from controller.types import freeze

_DIGITS = {"network": 0x10, "subnet": 0x20, "port": 0x30, "security_group": 0x40, "security_group_rule": 0x50,
           "router": 0x60, "route": 0x70, "floatingip": 0x80, "port_forwarding": 0x90, "trunk": 0xA0, "segment": 0xA1,
           "path_policy": 0xE0, "circuit": 0xE1, "address_group": 0xA2,
           "qos_policy": 0xB0, "bandwidth_limit_rule": 0xB1, "packet_rate_limit_rule": 0xB2, "dscp_marking_rule": 0xB3,
           "minimum_bandwidth_rule": 0xBE,
           "subnetpool": 0xC0, "address_scope": 0xC1, "access_rule": 0xB4, "port_binding": 0xB6, "port_isolation": 0xB5,
           "metering_label": 0xB8, "metering_label_rule": 0xB9,
           "ndp_proxy": 0xBA, "log": 0xBB, "local_ip": 0xBC, "local_ip_association": 0xBD,
           "watch": 0xB7}


class Operation(NamedTuple):
    """A document as it is from now on, or None if it is gone."""

    kind: str
    id: str
    document: dict[str, Any] | None

    def __repr__(self) -> str:
        if self.document is None:
            return f"remove {self.kind} {self.id}"
        return f"put {self.kind} {self.document}"


Batch = tuple[Operation, ...]


def name(kind: str, number: int) -> str:
    """An id: UUIDs of tenants' objects tell their kind and number at a glance."""
    if kind in _DIGITS:
        return f"{_DIGITS[kind]:02x}{number:06x}-0000-4000-8000-000000000000"
    return f"host{number}" if kind == "host" else f"{number + 1:016x}"


def apply(model: Model, operation: Operation) -> Change:
    """Make the change in a model."""
    if operation.document is None:
        return model.remove(operation.kind, operation.id)
    return model.put(operation.kind, model.make(operation.kind, {**freeze(operation.document), "id": operation.id}))


def shrink(history: Sequence[Batch], breaks: Callable[[Sequence[Batch]], bool]) -> list[Batch]:
    """The least part of a history that still breaks a law: first whole batches are left out, then operations."""
    kept = _shrink(list(history), breaks)
    for place in range(len(kept)):

        def with_batch(operations: Iterable[Operation], place: int = place) -> list[Batch]:
            return [*kept[:place], tuple(operations), *kept[place + 1 :]]

        kept[place] = tuple(_shrink(list(kept[place]), lambda operations: breaks(with_batch(operations))))
    return [batch for batch in kept if batch]


def _shrink(items: list, breaks: Callable[[list], bool]) -> list:
    """Leaves out runs of items, long ones first, as long as the rest still breaks the law."""
    size = max(1, len(items) // 2)
    while True:
        at, shorter = 0, False
        while at < len(items):
            rest = items[:at] + items[at + size :]
            if breaks(rest):
                items, shorter = rest, True
            else:
                at += size
        if size == 1 and not shorter:
            return items
        size = max(1, size // 2)


def operations(history: Iterable[Batch]) -> Iterator[Operation]:
    """All operations of a history, in order."""
    for batch in history:
        yield from batch
