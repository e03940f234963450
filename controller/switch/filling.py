"""Filling a switch that has come up empty, by several connections at once.

Open vSwitch takes fifty messages of a connection between two rounds over all its ports, so with many ports an entry costs
it mostly its share of a round: by four connections a third of the time of one.

    1  groups by the session, meters by all        what flows refer to
    2  flows of all tables but the first           no packet meets them yet: the first table drops all
    3  the first table, by the session alone       and what was asked meanwhile

Each connection is given a bundle of the usual size, to have something to do, and then one with all the rest of its share:
a commit costs Open vSwitch a look at every port, and delays no packets while none pass. Each step waits for the end of the
one before. It may begin before the switch has been read, if that has no flow; what the reading finds is put right in the
end. If anything goes wrong, the session reads what the switch has, and goes on alone.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

from controller.openflow.group import Entry, Key
from controller.switch.flight import Flight, Item
from controller.switch.lanes import Lane
from controller.switch.sender import Sender

WORTH = 4000                # changes from which it is done this way
UNNUMBERED = -1             # what is confirmed to nobody: only the whole is

Changes = dict[Key, Entry | None]


class Filling:
    """One filling with these changes. `make` gives a sender for a lane; `moved` is called when a lane has got on, `failed`
    with the reason if it cannot be finished. It ends when it has heard by defer() which number is to be confirmed."""

    def __init__(self, changes: Mapping[Key, Entry | None], session: Sender, lanes: list[Lane],
                 make: Callable[[Lane], Sender], moved: Callable[[], None], failed: Callable[[str], None]) -> None:
        self.changes = changes
        self._session, self._lanes = session, lanes
        self._senders = [session, *(lane.take(make(lane), moved, failed) for lane in lanes)]
        self._steps: deque[list[Flight | list[Item]]] = deque()
        self._rest: Changes = {}            # what the session itself is to be told in the end
        self._seq = UNNUMBERED
        self._sort()

    def _sort(self) -> None:
        """Steps of batches, each of which any connection may carry; the first of each as bytes already."""
        of: defaultdict[Any, list[Item]] = defaultdict(list)
        for item in self.changes.items():
            of[item[0][0]].append(item)
        self._rest = dict(of.pop(0, ()))
        meters, groups = of.pop("meter", []), of.pop("group", [])
        flows = [item for table in sorted(of, reverse=True) for item in of[table]]
        several, usual = len(self._senders), self._session.limit
        first, others = flows[:several * usual], flows[several * usual:]
        for batches in ([groups] * bool(groups) + _shares(meters, several),
                        _shares(first, several) + _shares(others, several)):
            step: list[Flight | list[Item]] = [sender.packed(each) or [] for sender, each in zip(self._senders, batches, strict=False)]
            self._steps.append([*step, *batches[len(step):]])

    def defer(self, changes: Mapping[Key, Entry | None], seq: int) -> None:
        """What is asked meanwhile comes last: the latest for a key wins."""
        self._rest.update(changes)
        self._seq = seq

    def keys(self) -> set[Key]:
        """Keys that are waiting or on their way."""
        found = set(self._rest)
        for step in self._steps:
            found.update(key for batch in step for key, _ in (batch.items if isinstance(batch, Flight) else batch))
        return found.union(*(sender.keys() for sender in self._senders))

    def go(self, now: float) -> bool:
        """Begin the next step if one is done. False if all are, and the session is to go on alone."""
        while all(sender.idle and not sender.pending for sender in self._senders):
            if not self._steps:
                return self._seq == UNNUMBERED or self._end()
            batches = self._steps.popleft()
            for place, sender in enumerate(self._senders):
                sender.give(batches[place::len(self._senders)])
                sender.go(now)
        return True

    def _end(self) -> bool:
        for sender in self._senders[1:]:
            self._session.take_over(sender)
        for lane in self._lanes:
            lane.rest()
        self._session.merge(self._rest, self._seq)
        return False

    def stop(self) -> None:
        """Forget it, whatever has become of it: the switch is read again."""
        self._session.drop()
        for lane in self._lanes:
            lane.rest()


def _shares(items: list[Item], several: int) -> list[list[Item]]:
    size = -(-len(items) // several)
    return [items[at:at + size] for at in range(0, len(items), size or 1)]
