"""What counters of flows mean: how much has come since they were read last, whatever happened to flow and switch meanwhile.

A flow's counter begins at nothing, and is carried over when Hadron replaces the flow. It ends when the flow is taken out:
then the switch says it once more, a little after the order was carried out, perhaps when there is a new flow under the same
key already. And it is lost when the switch starts anew. A switch's tables are the same as before if the flow that is put
there first of all, and never again, is as old as it should be.

Pure: what was read last is in `bases`, what of that has changed since `saved()` in `dirty`; both are the ledger's, which
keeps them in one commit with what they add up to.
"""
from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from controller.openflow.counters import FIRST_FLOW, Count, Removed
from controller.openflow.flow import FlowKey

Whose = int                                     # a cookie without its checksum
Place = tuple[str, FlowKey, Whose]              # switch, key, owner


class Base(NamedTuple):
    """What a flow had counted when it was read last, and for which series."""

    series: int
    packets: int
    octets: int


class Delta(NamedTuple):
    """What has come for a series."""

    series: int
    packets: int
    octets: int


class Folding:
    """The last readings of all switches. `series_of` says for which series a flow counts; None for none that is known.

    `ages` are (seconds for which a switch's tables had been there, when that was so, in seconds since 1970).
    """

    def __init__(self, series_of: Callable[[Place], int | None], bases: Iterable[tuple[Place, Base]] = (),
                 ages: Mapping[str, tuple[float, float]] = {}) -> None:
        self._series_of = series_of
        self.bases: defaultdict[str, dict[tuple[FlowKey, Whose], Base]] = defaultdict(dict)
        for (switch, *place), base in bases:
            self.bases[switch][tuple(place)] = base         # type: ignore[index]
        self.ages = dict(ages)
        self.dirty: dict[Place, Base | None] = {}
        self._leaving: defaultdict[str, dict[tuple[FlowKey, Whose], deque[Base | None]]] = defaultdict(dict)
        self._met: set[str] = set()                         # switches that have been read since they came

    def gone(self, switch: str) -> None:
        """Its connection has ended: what it has not said of flows that went, it will not say."""
        self._met.discard(switch)
        self._leaving.pop(switch, None)

    def counted(self, switch: str, counts: Mapping[FlowKey, Count], now: float) -> list[Delta]:
        """All counting flows of a switch have been read."""
        age = counts[FIRST_FLOW].age if FIRST_FLOW in counts else None
        if switch not in self._met:
            self._meet(switch, counts, age, now)
        if age is not None:
            self.ages[switch] = age, now
        found = []
        for key, count in counts.items():
            delta = self._take(switch, key, count.cookie >> 24, count.packets, count.octets)
            if delta is not None:
                found.append(delta)
        return found

    def removed(self, switch: str, removed: Removed) -> list[Delta]:
        """A flow has gone. If it was taken out before, what is read under its key now is another's."""
        place = removed.key, removed.cookie >> 24
        leaving = self._leaving[switch].get(place)
        if leaving:
            base = leaving.popleft()
            if not leaving:
                del self._leaving[switch][place]
        else:
            base = self._drop(switch, place)
        series = base.series if base else self._series_of((switch, *place))
        return [] if series is None else [delta for delta in (_grown(series, base, removed.packets, removed.octets),) if delta]

    def taken_out(self, switch: str, places: Iterable[tuple[FlowKey, Whose]]) -> None:
        """The switch has carried out that these flows go: each will be told of once more."""
        for place in places:
            self._leaving[switch].setdefault(place, deque()).append(self._drop(switch, place))

    def ended(self, switch: str, places: Iterable[tuple[FlowKey, Whose]]) -> None:
        """What is read there from now on is another's, or begins anew; nothing is said of what was."""
        for place in places:
            self._drop(switch, place)

    def saved(self) -> None:
        """What is dirty has been kept."""
        self.dirty = {}

    def _meet(self, switch: str, counts: Mapping[FlowKey, Count], age: float | None, now: float) -> None:
        """A switch has come (back). Flows that are not there any more have been taken by somebody else; if its tables are
        younger than what was read of them, all counters have begun anew.

        Clocks may have been set meanwhile: so the tables must be younger by half of the age at which they were read last.
        """
        self._met.add(switch)
        before = self.ages.get(switch)
        begun = age is None or before is not None and age < (now - before[1]) + before[0] / 2
        here = {(key, count.cookie >> 24) for key, count in counts.items()}
        for place in list(self.bases[switch]):
            if begun or place not in here:
                self._drop(switch, place)

    def _take(self, switch: str, key: FlowKey, whose: Whose, packets: int, octets: int) -> Delta | None:
        bases, place = self.bases[switch], (key, whose)
        base = bases.get(place)
        if (packets, octets) == ((base.packets, base.octets) if base is not None else (0, 0)):
            return None
        series = base.series if base is not None else self._series_of((switch, key, whose))
        if series is None:
            return None
        bases[place] = self.dirty[switch, key, whose] = Base(series, packets, octets)
        return _grown(series, base, packets, octets)

    def _drop(self, switch: str, place: tuple[FlowKey, Whose]) -> Base | None:
        base = self.bases[switch].pop(place, None)
        if base is not None:
            self.dirty[(switch, *place)] = None
        return base


def _grown(series: int, base: Base | None, packets: int, octets: int) -> Delta | None:
    """What has come since; all of it if the counter has begun anew."""
    if base is not None and packets >= base.packets and octets >= base.octets:
        packets, octets = packets - base.packets, octets - base.octets
    return Delta(series, packets, octets) if packets or octets else None
