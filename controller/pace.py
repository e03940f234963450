"""How much may be asked in a second: as much as is answered in time, found out as TCP does (additive increase,
multiplicative decrease).

Who asks faster than the fabric and this machine can follow hears everything late, and what is late proves nothing: nothing
would be found at all, however long it went on. So if a quarter of what comes back in a second has waited somewhere, half as
much is asked in the next one; if not, some more.
"""
from __future__ import annotations

LEAST = 100             # a second: 6 000 ports within the time for which a link holds
MORE = 50
ENOUGH = 8              # answers that say something about all of them


class Pace:
    """`most`: what is asked in a second if nothing keeps it back. For one thread."""

    def __init__(self, most: int) -> None:
        self.most = self.rate = most
        self._prompt = self._late = 0

    @property
    def behind(self) -> bool:
        """Whether much of what comes back is late, or was a moment ago: then it is nobody's fault alone."""
        return self.rate < self.most or self._much

    @property
    def _much(self) -> bool:
        return self._late >= ENOUGH and 3 * self._late > self._prompt

    def answered(self, late: bool) -> None:
        """Something has come back; `late` if it has waited."""
        if late:
            self._late += 1
        else:
            self._prompt += 1

    def tick(self) -> None:
        """A second has passed."""
        self.rate = max(LEAST, self.rate // 2) if self._much else min(self.most, self.rate + MORE)
        self._prompt = self._late = 0
