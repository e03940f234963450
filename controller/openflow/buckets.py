"""Groups and meters read back from bytes, as `decode` reads flows."""
from __future__ import annotations

import struct
from typing import NamedTuple

from controller.openflow.decode import (
    Action,
    Decap,
    Encap,
    Move,
    Output,
    Plain,
    Resubmit,
    SetField,
    ToGroup,
    Track,
    Untrack,
    read_actions,
)
from controller.openflow.frame import Malformed

_ANY_PORT = 0xFFFFFFFF
_TYPES = ("all", "select", "indirect", "ff")


class Bucket(NamedTuple):
    """One set of actions of a group; `watch_port` is None where none is watched."""

    weight: int
    watch_port: int | None
    actions: tuple[Action, ...]


class GroupBody(NamedTuple):
    """A group: all, select, indirect or ff, and its buckets."""

    type: str
    buckets: tuple[Bucket, ...]


def read_group(body: bytes) -> GroupBody:
    """What a group does."""
    if len(body) < 2 or body[0] >= len(_TYPES):
        raise Malformed(f"not a group: {body[:8].hex()}")
    buckets, at, end = [], 2, len(body)
    while at < end:
        if end - at < 16:
            raise Malformed(f"{end - at} bytes left over after the last bucket")
        length, weight, watch = struct.unpack_from("!HHI", body, at)
        if length < 16 or at + length > end:
            raise Malformed(f"a bucket of {length} bytes where {end - at} are left")
        watch_port = None if watch == _ANY_PORT else watch
        buckets.append(Bucket(weight, watch_port, read_actions(body, at + 16, at + length)))
        at += length
    return GroupBody(_TYPES[body[0]], tuple(buckets))


_FIRST = ("pop_vlan", "pop_mpls", Decap, Encap, "push_mpls", "push_vlan", "dec_ttl", "dec_mpls_ttl")
_LAST = (ToGroup, Output, Resubmit, Untrack, Track)


def action_set(actions: tuple[Action, ...]) -> list[Action]:
    """A bucket's actions in the order of an action set (OpenFlow 1.4, 5.10, as Open vSwitch extends it): one of each
    kind, changes before what sends the packet on, and only one thing that does.
    """
    last = next((each for kind in _LAST for each in reversed(actions) if isinstance(each, kind)), None)
    if last is None:
        return []
    first: list[Action] = []
    for wanted in _FIRST:
        found = [each for each in actions if (each.name == wanted if isinstance(each, Plain) else
                                              isinstance(wanted, type) and isinstance(each, wanted))]
        first += found[-1:]
    return first + [each for each in actions if isinstance(each, SetField | Move)] + [last]


class MeterBody(NamedTuple):
    """A meter: unit is "pps" or "kbps"; rate and burst in that unit."""

    unit: str
    rate: int
    burst: int


def read_meter(body: bytes) -> MeterBody:
    """What a meter limits. Raises Malformed unless it has exactly one band, of type drop."""
    if len(body) != 18 or body[2:6] != b"\0\1\0\x10":
        raise Malformed(f"not a meter with one drop band: {body[:8].hex()}")
    flags, rate, burst = struct.unpack_from("!H4xII", body, 0)
    return MeterBody("pps" if flags & 2 else "kbps", rate, burst)
