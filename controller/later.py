"""Answers that take their time: those of services that are spoken to over TCP, and those that somebody outside must be
asked for first. They go only to where the machine still is.

    Heard(frame, service, mtu) ─► conversations ─► a whole request ─► the service's answer
    Ask(of, what, then)        ─► run(of, what, …) ─► Told, in a while ─► then(what was said, or None)
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from controller.announcements import leading
from controller.app import Ask
from controller.conversations import Conversations, Heard, Key, Place, Service

Whose = tuple[str, str]                 # kind and id
Run = Callable[[str, Any, Whose, Callable[[Any], None]], None]
At = Callable[[str, str], Place | None]


class Told(NamedTuple):
    """Somebody outside has answered, or not (None); for the desk."""
    done: Callable[[Any], None]
    answer: Any


class Means(NamedTuple):
    """What answers that take their time need: a clock in seconds that only goes forward, a secret for as long as the
    process lives, `run(of, what, whose, done)` to ask outside, `at(kind, id)` to know where an object is now."""
    clock: Callable[[], float]
    secret: bytes
    run: Run
    at: At | None = None


def nobody(of: str, what: Any, whose: Whose, done: Callable[[Any], None]) -> None:
    """There is nobody outside to be asked."""
    done(None)


class Later:
    """Lives on the desk thread. `send(switch, actions, frame)` as in Switches.send_packet."""

    def __init__(self, model: Any, world: Any, send: Callable[..., None], means: Means) -> None:
        self.model, self.world, self.send, self.means = model, world, send, means
        self.conversations = Conversations(means.secret, means.clock, self._send_to, self._serve)

    def hear(self, whose: Whose, place: Place, heard: Heard) -> None:
        """A segment for a service."""
        self.conversations.hear(whose, place, heard)

    def ask(self, whose: Whose, place: Place, asked: Ask, give: Callable[[Iterable[Any]], None]) -> None:
        """Have it asked; what follows from the answer is given, if the machine is still there."""
        def done(answer: Any) -> None:
            if self._is_at(whose, place):
                give(asked.then(answer))
        self.means.run(asked.of, asked.what, whose, done)

    def _is_at(self, whose: Whose, place: Place) -> bool:
        if self.model.get(*whose) is None:
            return False
        return self.means.at is None or self.means.at(*whose) == place

    def _serve(self, key: Key, service: Service, request: Any, asker: bytes) -> None:
        """A whole request: its answer, or whom to ask for it."""
        (kind, id), *_ = key
        row = self.model.get(kind, id)
        answer = service.answer(self.world, row, request, asker) if row is not None else b""
        if isinstance(answer, Ask):
            then = answer.then
            self.means.run(answer.of, answer.what, (kind, id), lambda told: self.conversations.say(key, then(told)))
        else:
            self.conversations.say(key, answer)

    def _send_to(self, place: Place, frame: bytes) -> None:
        self.send(place[0], leading(place[1]), frame)

    def tick(self) -> None:
        """A second or so has passed."""
        for key, place in list(self.conversations.places()):
            if not self._is_at(key[0], place):
                self.conversations.forget(key)
        self.conversations.tick()
