"""Who wants an entry under a key, where more than one does.

Units that are on one switch are kept by switch: hundreds of switches may have one each under the same key (a standing
flow, a port with the same number), and none has to look at the others'.
"""
from __future__ import annotations

from collections.abc import Iterator

Unit = tuple            # (rule, args); of a rule with a unit for each switch, args are (id, switch)


class Several:
    """The units that claim one key, in the order in which they came."""

    __slots__ = ("_anywhere", "_on", "_places")

    def __init__(self) -> None:
        self._places: dict[Unit, str | None] = {}
        self._anywhere: dict[Unit, None] = {}
        self._on: dict[str, dict[Unit, None]] = {}

    def add(self, unit: Unit, switch: str | None) -> None:
        """A unit claims the key, or does so elsewhere from now on: on one switch, or on any number of them (None)."""
        self.discard(unit)
        self._places[unit] = switch
        if switch is None:
            self._anywhere[unit] = None
        else:
            self._on.setdefault(switch, {})[unit] = None

    def discard(self, unit: Unit) -> None:
        if unit not in self._places:
            return
        switch = self._places.pop(unit)
        if switch is None:
            del self._anywhere[unit]
        else:
            there = self._on[switch]
            del there[unit]
            if not there:
                del self._on[switch]

    def only(self) -> Unit | None:
        """The unit that is left, if just one is."""
        return next(iter(self._places)) if len(self._places) == 1 else None

    def at(self, switch: str) -> Iterator[Unit]:
        """Those that may want their entry on a switch."""
        yield from self._anywhere
        yield from self._on.get(switch, ())

    def __iter__(self) -> Iterator[Unit]:
        return iter(self._places)


def units(held: Unit | Several | None) -> list[Unit]:
    """All units of what is kept under a key: one unit, or several."""
    return [] if held is None else list(held) if isinstance(held, Several) else [held]
