"""Names for new documents."""
from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import UUID

_BLOCK = 512               # names made of one reading


def random_ids() -> Iterator[str]:
    """Random UUIDs, as text, without end; for one thread.

    The bytes are read in blocks: each time that the system is asked for some, Python's lock is given up, and a desk with
    a hundred ports to make gets it back late when HTTP threads are busy.
    """
    while True:
        some = os.urandom(16 * _BLOCK)
        for at in range(0, len(some), 16):
            yield str(UUID(bytes=some[at:at + 16], version=4))
