"""Slows down whoever guesses, where each further try has to wait twice as long; and whoever asks for too much for too long."""
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

_MOST = 20_000
"""Names, addresses and projects remembered at once; those that were heard of longest ago are forgotten first."""
_BURST = 10.0
"""Seconds' worth that may come at once after a pause."""


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


class Allowance:
    """So many requests a second for each key (a project), ten seconds' worth at once after a pause."""

    def __init__(self, rate: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most, self._now = rate, max(1.0, _BURST * rate), now
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()       # how many, and when that was so
        self._lock = threading.Lock()

    def wait(self, key: Hashable) -> float:
        """Take one: 0 if there was one, else the seconds until there is."""
        moment = self._now()
        with self._lock:
            left, then = self._left.pop(key, (self._most, moment))
            left = min(self._most, left + (moment - then) * self._rate)
            taken = left >= 1
            self._left[key] = left - taken, moment
            while len(self._left) > _MOST:
                self._left.popitem(last=False)
        return 0.0 if taken else (1 - left) / self._rate
