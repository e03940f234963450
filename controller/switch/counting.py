"""How much went through each flow of a switch: asked for when somebody looks, never kept."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from controller.openflow import stats
from controller.openflow.flow import FlowKey
from controller.openflow.messages import Malformed
from controller.switch import validate
from controller.switch.reading import ENTRY_LIMIT

PATIENCE = 30.0         # seconds after which an answer is not waited for any more, and the next who asks asks again

Counters = dict[FlowKey, stats.Held]


class Counting:
    """One question on its way at most: who asks meanwhile gets the same answer."""

    def __init__(self) -> None:
        self._xid, self._since = -1, 0.0
        self._found: Counters = {}
        self._answers: list[Future[Counters]] = []

    def ask(self, answer: Future[Counters], xid: int, now: float) -> bytes:
        """The message to send, if any; `answer` will hold the flows, or LookupError."""
        self._answers.append(answer)
        if self._xid >= 0 and now - self._since < PATIENCE:
            return b""
        self._xid, self._since, self._found = xid, now, {}
        return stats.flow_stats_request(xid)

    def concerns(self, xid: int) -> bool:
        """True if an answer with this number belongs here."""
        return xid == self._xid

    def part(self, whole: bytes) -> None:
        """Take one multipart reply. Raises Malformed if it is unsound."""
        found = stats.read_flows_held(whole)
        for body in {held.body for held in found.values()}:
            validate.instructions(body, 0, len(body))
        self._found.update(found)
        if len(self._found) > ENTRY_LIMIT:
            raise Malformed(f"more than {ENTRY_LIMIT} flows")
        if not stats.multipart_kind(whole)[1]:
            done, self._found, self._xid = self._found, {}, -1
            for answer in self._take():
                with suppress(InvalidStateError):       # who asked has given up
                    answer.set_result(done)

    def fail(self, reason: str) -> None:
        """There will be no answer."""
        self._xid, self._found = -1, {}
        for answer in self._take():
            with suppress(InvalidStateError):
                answer.set_exception(LookupError(reason))

    def _take(self) -> list[Future[Counters]]:
        answers, self._answers = self._answers, []
        return answers
