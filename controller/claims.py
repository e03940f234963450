"""Who wants an entry under a key, where more than one does.

Units of rules with flows of their own on each switch are kept by switch: hundreds of switches may have one each under the
same key, and none has to look at the others'.
"""
from __future__ import annotations

from collections.abc import Iterator

Unit = tuple            # (rule, args); of a rule with a unit for each switch, args are (id, switch)


class Several:
    """The units that claim one key, in the order in which they came."""

    __slots__ = ("_anywhere", "_on")

    def __init__(self, *units: Unit) -> None:
        self._anywhere: dict[Unit, None] = {}
        self._on: dict[str, dict[Unit, None]] = {}
        for unit in units:
            self.add(unit)

    def add(self, unit: Unit) -> None:
        if unit[0].each:
            self._on.setdefault(unit[1][1], {})[unit] = None
        else:
            self._anywhere[unit] = None

    def discard(self, unit: Unit) -> None:
        if not unit[0].each:
            self._anywhere.pop(unit, None)
        elif (there := self._on.get(unit[1][1])) is not None:
            there.pop(unit, None)
            if not there:
                del self._on[unit[1][1]]

    def only(self) -> Unit | None:
        """The unit that is left, if just one is."""
        if len(self._anywhere) + len(self._on) != 1:
            return None
        left = self._anywhere or next(iter(self._on.values()))
        return next(iter(left)) if len(left) == 1 else None

    def at(self, switch: str) -> Iterator[Unit]:
        """Those that may want their entry on a switch."""
        yield from self._anywhere
        yield from self._on.get(switch, ())

    def __iter__(self) -> Iterator[Unit]:
        yield from self._anywhere
        for there in self._on.values():
            yield from there


def units(held: Unit | Several | None) -> list[Unit]:
    """All units of what is kept under a key: one unit, or several."""
    return [] if held is None else list(held) if isinstance(held, Several) else [held]
