"""A cloud whose announcements are heard."""
from __future__ import annotations

from typing import Any

from controller.announcements import Announcements
from controller.app import SAYINGS
from tests.kit.net import Net

NOW = 1_700_000_000


class Told(Net):
    """A cloud without services, whose announcements are heard. `sent` has what was sent since it was last asked: (switch, port, frame)."""

    def __init__(self) -> None:
        super().__init__(dns={"enabled": False}, metadata={"enabled": False})
        self.now, self._sent = NOW, []  # type: int, list[tuple[str, int, bytes]]
        self.announcements = Announcements(self.model, self.compiler.world, SAYINGS, self._send)

    def _send(self, *what: Any) -> None:
        self._sent.append(what)

    def settle(self) -> None:
        changes = self.writer.changes[:]
        update = self.compiler.update

        def remembered(taken: Any, tell: bool = True) -> Any:
            delta = update(taken, tell)
            self.announcements.take(changes, delta.news)
            self.announcements.hurry()
            return delta

        self.compiler.update = remembered  # type: ignore[method-assign]
        try:
            super().settle()
        finally:
            self.compiler.update = update  # type: ignore[method-assign]

    def heard(self) -> list[tuple[str, int, bytes]]:
        """What has been sent at once."""
        sent, self._sent = self._sent, []
        return sent

    def pass_by(self, seconds: int = 1) -> list[tuple[str, int, bytes]]:
        """What is sent in so many seconds."""
        for _ in range(seconds):
            self.now += 1
            self.announcements.tick(self.now)
        return self.heard()
