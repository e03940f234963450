"""Slows down whoever guesses: after some failures each further try has to wait, twice as long every time."""
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

_MOST = 20_000
"""Names and addresses remembered at once; the ones that failed longest ago are forgotten first."""


class Throttle:
    """Failures by key (a name, an address). The first `free` cost nothing; then 1, 2, 4 … seconds, `longest` at most.

    A key is forgotten when it succeeds, or after `memory` seconds without a failure.
    """

    def __init__(self, free: int, *, longest: float = 60.0, memory: float = 900.0,
                 now: Callable[[], float] = time.monotonic) -> None:
        self._free, self._longest, self._memory, self._now = free, longest, memory, now
        self._failed: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()       # how often, when last
        self._lock = threading.Lock()

    def wait(self, key: Hashable) -> float:
        """Seconds until the key may try again; 0 for at once."""
        with self._lock:
            count, last = self._failed.get(key, (0, 0.0))
        if count <= self._free:
            return 0.0
        return max(0.0, last + min(self._longest, 2.0 ** min(count - self._free - 1, 30)) - self._now())

    def failed(self, key: Hashable) -> None:
        """It was wrong."""
        moment = self._now()
        with self._lock:
            count, last = self._failed.pop(key, (0, moment))
            self._failed[key] = (count + 1 if moment - last < self._memory else 1, moment)
            while len(self._failed) > _MOST:
                self._failed.popitem(last=False)

    def worked(self, key: Hashable) -> None:
        """It was right."""
        with self._lock:
            self._failed.pop(key, None)
