"""What separates a switch from what it should be: pure comparison of two sets of entries, as bytes."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from controller.openflow.group import Entry, Key
from controller.switch.events import Have

Owned = Callable[[Key, int], bool]


class Difference(dict[Key, Entry | None]):
    """The changes that make a switch right (key -> entry to put, or None to delete), and why each is needed.

    missing: the switch lacks it. altered: it holds something else under that key. alien: nobody asked for it.
    """

    __slots__ = ("missing", "altered", "alien")

    def __init__(self) -> None:
        super().__init__()
        self.missing: list[Key] = []
        self.altered: list[Key] = []
        self.alien: list[Key] = []


def difference(
    desired: Mapping[Key, Entry],
    have: Have,
    *,
    owned: Owned | None = None,
    changed: Container[Key] = (),
) -> Difference:
    """Changes that turn `have` into `desired`; empty if the switch is right.

    `owned(key, cookie)` says whether an entry that is not desired may be deleted (all may, if not given).
    Keys in `changed` are passed over: an order about them is newer than `have` (an audit must not count them).
    """
    found = Difference()
    if not have and not changed:            # it has come up again, and forwards nothing until it is told
        found.missing = list(desired)
        found.update(desired)
        return found
    get = have.get
    # Nearly always nothing differs: first of all that is found out, as fast as Python can.
    wrong = [(key, entry) for key, entry in desired.items()
             if (held := get(key)) is None or held[1] != entry.body or held[0] != entry.cookie]
    for key, entry in wrong:
        if key not in changed:
            (found.altered if key in have else found.missing).append(key)
            found[key] = entry
    if len(have) == len(desired) and not found.missing and not changed:
        return found
    for key in have.keys() - desired.keys():
        if key not in changed and (owned is None or owned(key, have[key][0])):
            found.alien.append(key)
            found[key] = None
    return found


def agrees(have: Have, entries: Mapping[Key, Entry | None]) -> bool:
    """Whether a switch holds nothing that is not among these entries, as they are."""
    return all((entry := entries.get(key)) is not None and (entry.cookie, entry.body) == held for key, held in have.items())


def held(entries: Mapping[Key, Entry | None]) -> dict[Key, tuple[int, bytes]]:
    """What a switch will hold that is told to hold these entries."""
    return {key: (entry.cookie, entry.body) for key, entry in entries.items() if entry is not None}


def examples(found: Difference, have: Have, most: int) -> list[tuple[str, tuple, int, bytes]]:
    """Some of what a reading found wrong: (alien, missing or altered; key, and the cookie and body that are held)."""
    return [(what, key, *have.get(key, (0, b""))) for what in ("alien", "missing", "altered")
            for key in getattr(found, what)[:most]]
