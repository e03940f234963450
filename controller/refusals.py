"""Refusals: entries that switches do not take, and the objects that want them. They are not sent again as they are."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Key = tuple


class Refusals:
    """`why(switch, key)` gives the units that want an entry; `differs` is told of objects that do otherwise than before. For
    the desk thread; others may look.
    """

    def __init__(self, why: Callable[[str, Key], Any], alarm: Callable[..., None],
                 differs: Callable[[Iterable[tuple[str, str]]], None]) -> None:
        self._why, self._alarm, self._differs = why, alarm, differs
        self.entries: dict[tuple[str, Key], str] = {}                    # (switch, key) -> the switch's words
        self.objects: dict[tuple[str, str], str] = {}                    # object -> why a switch refuses it

    def refused(self, event: Any) -> None:
        """A switch does not take an entry (SwitchRefused)."""
        self.entries[event.switch_id, event.key] = event.text
        for rule, args in self._why(event.switch_id, event.key)[:1]:
            self.objects[rule.per, args[0]] = event.text
            self._differs([(rule.per, args[0])])
            self._alarm("refused", switch=event.switch_id, rule=rule.name, object=f"{rule.per} {args[0]}", said=event.text)

    def accepted(self, event: Any) -> None:
        """It takes it after all (SwitchAccepted)."""
        self.forgive(event.switch_id, event.key)

    def forgive(self, switch: str, key: Key) -> None:
        """The entry is another now, or wanted no more."""
        if self.entries and self.entries.pop((switch, key), None) is not None:
            for rule, args in self._why(switch, key)[:1]:
                self.objects.pop((rule.per, args[0]), None)
                self._differs([(rule.per, args[0])])

    def forgive_all(self, switch: str) -> None:
        """The switch has gone: when it comes back it may be another version."""
        for at, key in [refused for refused in self.entries if refused[0] == switch]:
            self.forgive(at, key)
