"""Filling a switch that has come up empty, by several connections at once.

Open vSwitch takes fifty messages of a connection between two rounds over all its ports, so with many ports an entry costs
it mostly its share of a round: by four connections a third of the time of one.

    1  meters by all, groups by the session        what flows refer to
    2  flows of all tables but the first, by all   no packet meets them yet: the first table drops all
    3  the first table, by the session             and what was asked meanwhile

Each step waits for the end of the one before. If anything goes wrong, the session reads what the switch has, and goes on alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from controller.openflow.group import Entry, Key
from controller.switch.flight import Item
from controller.switch.lanes import Lane
from controller.switch.sender import Sender

WORTH = 4000                # changes from which it is done this way
BUNDLE = 4000               # changes in a bundle meanwhile: nothing is forwarded that a long commit could delay
UNNUMBERED = -1             # what is confirmed to nobody: only the whole is

Changes = dict[Key, Entry | None]


class Filling:
    """One filling with these changes. `make` gives a sender for a lane; `moved` is called when a lane has got on, `failed`
    with the reason if it cannot be finished."""

    def __init__(self, session: Sender, lanes: list[Lane], make: Callable[[Lane], Sender], moved: Callable[[], None],
                 failed: Callable[[str], None]) -> None:
        self._session, self._usual, self._lanes = session, session.limit, lanes
        session.limit = BUNDLE
        self._senders = [session, *(lane.take(make(lane), moved, failed) for lane in lanes)]
        self._steps: deque[list[Changes]] = deque()
        self._rest: Changes = {}            # what the session itself is to be told in the end
        self._seq = UNNUMBERED

    def begin(self, changes: Mapping[Key, Entry | None], seq: int) -> None:
        """Sort the changes into steps."""
        self._seq = seq
        meters: list[Item] = []
        flows: list[Item] = []
        groups: Changes = {}
        for item in changes.items():
            where = item[0][0]
            if where == 0:
                self._rest[item[0]] = item[1]
            elif where == "meter":
                meters.append(item)
            elif where == "group":
                groups[item[0]] = item[1]
            else:
                flows.append(item)
        several = len(self._senders)
        first = [dict(meters[place::several]) for place in range(several)]
        first[0] |= groups
        self._steps += [first, [dict(flows[place::several]) for place in range(several)]]

    def defer(self, changes: Mapping[Key, Entry | None], seq: int) -> None:
        """What is asked meanwhile comes last: the latest for a key wins."""
        self._rest.update(changes)
        self._seq = seq

    def keys(self) -> set[Key]:
        """Keys that are waiting or on their way."""
        found = set(self._rest)
        for step in self._steps:
            found.update(*step)
        return found.union(*(sender.keys() for sender in self._senders))

    def go(self, now: float) -> bool:
        """Begin the next step if one is done. False if all are, and the session is to go on alone."""
        while all(sender.idle and not sender.pending for sender in self._senders):
            if not self._steps:
                for sender in self._senders[1:]:
                    self._session.take_over(sender)
                self.stop()
                self._session.merge(self._rest, self._seq)
                return False
            for sender, share in zip(self._senders, self._steps.popleft(), strict=True):
                sender.merge(share, UNNUMBERED)
                sender.go(now)
        return True

    def stop(self) -> None:
        """Let go of the lanes."""
        self._session.limit = self._usual
        for lane in self._lanes:
            lane.rest()
