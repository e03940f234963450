"""Confirmations: which objects wait for switches to say that they hold what was wanted, and who waits for that."""
from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Thing = tuple[str, str]             # kind and id of an object


class Confirmations:
    """`standing` is what is known of each connected switch; `behind()` whether changes still wait to be sent; `differs` is
    told of objects for which nobody waits any more.

    For the desk thread, but for the two that wait, which any other may call.
    """

    def __init__(self, standing: Mapping[str, Any], behind: Callable[[], bool],
                 differs: Callable[[Iterable[Thing]], None]) -> None:
        self._standing, self._behind, self._differs = standing, behind, differs
        self.pending: defaultdict[Thing, set[str]] = defaultdict(set)
        self._changed = threading.Condition()

    def sent(self, concerned: Mapping[Thing, set[str]], sent: Mapping[str, int]) -> None:
        """Switches were told, each by this number, of what concerns these objects."""
        for thing, switches in concerned.items():
            for switch in switches & sent.keys():
                self._standing[switch].waiting.append((sent[switch], thing))
                self.pending[thing].add(switch)

    def release(self, switch: str, standing: Any, seq: int | None) -> None:
        """The switch has confirmed up to `seq` (None: it is gone): nobody waits for that any more."""
        kept: set = set()
        if seq is not None:
            kept = {thing for at, thing in standing.waiting if at > seq}
        while standing.waiting and (seq is None or standing.waiting[0][0] <= seq):
            _, thing = standing.waiting.popleft()
            if thing in kept:
                continue
            waited = self.pending.get(thing)
            if waited is not None:
                waited.discard(switch)
                if not waited:
                    del self.pending[thing]
                    self._differs([thing])

    def notify(self) -> None:
        """What is known of a switch has changed: who waits may look again."""
        with self._changed:
            self._changed.notify_all()

    def wait_realized(self, timeout: float) -> bool:
        """Wait until every connected switch has confirmed all that was wanted when this was called."""
        wanted: dict[str, int] = {}

        def confirmed() -> bool:
            if self._behind():
                return False
            if not wanted:
                wanted.update({id: one.sent for id, one in list(self._standing.items()) if one.first is not None})
            return all(id not in self._standing or self._standing[id].confirmed >= seq for id, seq in wanted.items())

        with self._changed:
            return self._changed.wait_for(confirmed, timeout)

    def wait_read(self, before: Mapping[str, Any], timeout: float) -> bool:
        """Wait until each of these switches has been read anew: `before` is what `audit` was in its standing."""
        def read() -> bool:
            return all(id not in self._standing or self._standing[id].audit is not was for id, was in before.items())

        with self._changed:
            return self._changed.wait_for(read, timeout)
