"""What is known of a switch's keeping step, and the clock's word that a second has passed."""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Standing:
    """What is known of one switch's keeping step."""
    address: str = ""                        # where it has come from, and whose certificate it has shown
    certificate: str = ""
    asked: bool = False                      # its first read is on its way, or done
    in_step: bool = False                    # its first read is done and what differed is confirmed
    sent: int = 0                            # the last seq that changed it
    confirmed: int = 0
    first: int | None = None                 # the seq that brings it into step
    waiting: deque = field(default_factory=deque)          # (seq, object) for objects that it must confirm
    audit: dict[str, Any] = field(default_factory=dict)    # what the last read found


@dataclass(frozen=True)
class Tick:
    """A second has passed: when that was, for people and as seconds since some moment."""
    now: float
    passed: float


class Beat:
    """A part of a second has passed."""
