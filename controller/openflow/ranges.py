"""A range of numbers as the few (value, mask) pairs that OpenFlow can match."""
from __future__ import annotations

from functools import lru_cache

_ALL = 0xFFFF


@lru_cache(4096)
def port_masks(least: int, most: int) -> tuple[tuple[int, int], ...]:
    """The fewest aligned blocks that together are the ports `least`..`most`, both included.

    1000..1003 is one block (1000, 0xfffc); 1..65535 is sixteen; a single port is one exact value.
    """
    blocks = []
    while least <= most:
        size = least & -least or _ALL + 1                # the largest block that may start here
        while size > most - least + 1:
            size >>= 1
        blocks.append((least, _ALL & ~(size - 1)))
        least += size
    return tuple(blocks)
