"""Large mappings of which a change touches little: each says cheaply in what it differs from the one it was made from.

    now = Derived(before)               the same, to be changed by put() and drop()
    now.put(key, value)
    differing(now, before)                the keys under which the two may differ: only these need to be looked at
    differing(now, another)               None: who knows
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


class Derived(dict[Any, Any]):
    """Not to be changed any more once anybody else has it, and never but by put() and drop()."""

    __slots__ = ("_itself", "_once", "_touched")

    def __init__(self, once: Mapping[Any, Any]) -> None:
        super().__init__(once)
        self._itself = object()         # by which it is known again without being held on to
        self._once = once._itself if once.__class__ is Derived else None
        self._touched: dict[Any, None] = {}

    def put(self, key: Any, value: Any) -> None:
        if self._once is not None:
            self._touched[key] = None
        self[key] = value

    def drop(self, key: Any) -> None:
        """Take a key out, if it is there."""
        if self._once is not None:
            self._touched[key] = None
        self.pop(key, None)

    def __eq__(self, other: object) -> bool:
        keys = differing(self, other)
        if keys is None or not isinstance(other, dict):
            return dict.__eq__(self, other)
        for key in keys:  # noqa: SIM110  a loop and not all(): what differs does so with the first of them
            if self.get(key) != other.get(key):
                return False
        return len(self) == len(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


def differing(now: Any, once: Any) -> Collection[Any] | None:
    """The keys under which two mappings may differ; None if nothing is known of that."""
    if now.__class__ is not Derived or once.__class__ is not Derived:
        return None
    if now._itself is once._itself:
        return ()
    if now._once is once._itself:
        return now._touched
    return once._touched if once._once is now._itself else None
