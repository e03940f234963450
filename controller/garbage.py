"""When Python looks for garbage: little at a time, and never among what was loaded.

Rows, entries and indexes form no circles: they go when nobody refers to them any more. A full collection walks over all
of them to find nothing, for a quarter of a second at 5 000 ports, and every thread waits. So what a controller loads or
makes much of is set apart, and the rest, where circles may be, is small enough to be walked over once a minute.
"""
from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW = 20_000               # objects more than went: look among the new ones, some milliseconds
NEVER = 1_000_000          # of the young collections, and of those of the middle: only `sweep` looks among the old
MUCH = 10                  # young collections since the last sweep: there is much that is new, and it stays
EVERY = 60                 # calls of `sweep`


def look_seldom() -> None:
    """Set Python's thresholds; once, by whoever runs a controller."""
    gc.set_threshold(NEW, NEVER, NEVER)


@contextmanager
def loading() -> Iterator[None]:
    """While all is loaded and compiled nothing is garbage; what is there at the end is set apart."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Sweeper:
    """Looks after what `look_seldom` leaves alone. Call `sweep` about once a second."""

    def __init__(self) -> None:
        self._calls = 0

    def sweep(self) -> None:
        """Set apart what was made in quantity; every now and then look for circles among the rest."""
        self._calls += 1
        if gc.get_count()[1] >= MUCH:
            gc.freeze()
        elif self._calls % EVERY == 0:
            gc.collect()
