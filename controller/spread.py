"""Where a unit's flows belong: sets of switches, shared by all that are there."""
from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple


class Spread(NamedTuple):
    """Where a unit's flows belong: on all switches of these sets but those.

    The sets are usually shared (the switches of a network, of a group's users), so placing ten thousand ports on
    five hundred switches costs ten thousand steps and not five million.
    """
    sets: tuple[frozenset, ...] = ()
    but: frozenset = frozenset()

    def __contains__(self, switch: object) -> bool:
        if switch in self.but:
            return False
        for one in self.sets:  # noqa: SIM110  a loop and not any(): asked for every claim on every switch
            if switch in one:
                return True
        return False

    def switches(self) -> frozenset:
        if not self.sets:
            return frozenset()
        together = self.sets[0] if len(self.sets) == 1 else self.sets[0].union(*self.sets[1:])
        return together - self.but if self.but else together

    @property
    def only(self) -> str | None:
        """The switch, if it is just one."""
        return next(iter(self.sets[0])) if len(self.sets) == 1 and len(self.sets[0]) == 1 else None


@cache
def alone(switch: str) -> Spread:
    """One switch. There is one such spread for each, shared by all that is there."""
    return Spread((frozenset((switch,)),))


def spread(*sets: Iterable[str], but: Iterable[str] = ()) -> Spread:
    """The switches of these sets but those; empty sets do not count."""
    return Spread(tuple([one if isinstance(one, frozenset) else frozenset(one) for one in sets if one]), frozenset(but))


NOWHERE = Spread()
