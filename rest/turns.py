"""Turns: whose request is served next. A party (a project, or an address as long as nobody has said who asks) that sends
hundreds at once waits behind itself and not before everybody else.

    whole requests ─► Turns ─► workers          each party in its turn, and never more than a part of the workers for one

Who writes mostly waits for the desk, and may have half of the workers; who reads computes, and more threads than a few would
only take Python's lock from each other, and from the one that hears of everybody's requests.

What a token was good for the last time says whose a request is, before anybody has looked at it: see `Parties`.
"""
from __future__ import annotations

import re
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from typing import Any

WHOSE = "hadron.project"
"""Where an application notes in its WSGI environment whose the request is."""
_SHOWN = re.compile(rb"\r\n(?:x-auth-token|authorization):[ \t]*([^\r\n]+)", re.IGNORECASE)
_MOST = 10_000
"""Tokens whose projects are remembered."""


class Parties:
    """Whose a request is. What is shown for the first time, or is not good, counts for the address that it comes from."""

    def __init__(self) -> None:
        self._projects: OrderedDict[int, Hashable] = OrderedDict()
        self._lock = threading.Lock()

    @staticmethod
    def shown(head: bytes | bytearray) -> int | None:
        """What stands for the token or the password in the first bytes of a request; nobody can go back from it."""
        found = _SHOWN.search(head)
        return hash(bytes(found[1])) if found else None

    def of(self, shown: int | None, address: Hashable) -> Hashable:
        """The project, if it is known; else the address."""
        return address if shown is None else self._projects.get(shown, address)

    def learn(self, shown: int, project: Hashable) -> None:
        """It was good for this project."""
        if self._projects.get(shown) != project:
            with self._lock:
                self._projects[shown] = project
                while len(self._projects) > _MOST:
                    self._projects.popitem(last=False)


class Turns:
    """Connections with a whole request: `put` and `get` as a queue.Queue has them. What has no `party` goes first (cheroot
    ends its workers so).

    So many requests of one party are served at once as it says itself, `at_once`; `done` tells that one is answered.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, deque[Any]] = OrderedDict()       # in the order of their turns
        self._served: Counter[Hashable] = Counter()
        self._first: deque[Any] = deque()
        self._changed = threading.Condition(threading.Lock())

    def put(self, conn: Any, block: bool = True, timeout: float | None = None) -> None:
        """Have a connection wait for its turn. Never blocks."""
        with self._changed:
            party = getattr(conn, "party", None)
            if party is None:
                self._first.append(conn)
            else:
                self._waiting.setdefault(party, deque()).append(conn)
            self._changed.notify()

    def get(self) -> Any:
        """The connection whose turn it is, once there is one."""
        with self._changed:
            while (found := self._next()) is None:
                self._changed.wait()
            return found

    def _next(self) -> Any:
        if self._first:
            return self._first.popleft()
        for party, waiting in self._waiting.items():
            if self._served[party] < waiting[0].at_once:
                conn = waiting.popleft()
                del self._waiting[party]
                if waiting:
                    self._waiting[party] = waiting             # behind all others
                self._served[party] += 1
                return conn
        return None

    def done(self, party: Hashable) -> None:
        """A request of a party has been answered."""
        with self._changed:
            self._served[party] -= 1
            if not self._served[party]:
                del self._served[party]
            if party in self._waiting:
                self._changed.notify()

    def qsize(self) -> int:
        """How many wait."""
        with self._changed:
            return len(self._first) + sum(map(len, self._waiting.values()))
