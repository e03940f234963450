"""Bundles (OpenFlow 1.4, 7.3.9): many changes that a switch carries out together or not at all."""
from __future__ import annotations

import struct
from typing import NamedTuple

from controller.openflow.flow import VERSION
from controller.openflow.frame import BUNDLE_ADD_MESSAGE, BUNDLE_CONTROL, expect, message

(OPEN_REQUEST, OPEN_REPLY, CLOSE_REQUEST, CLOSE_REPLY, COMMIT_REQUEST, COMMIT_REPLY, DISCARD_REQUEST,
 DISCARD_REPLY) = range(8)
ATOMIC, ORDERED = 1, 2
_ADD = struct.Struct("!BBHIIHH")
_LONGEST = 0xFFFF - 16


def _control(bundle: int, step: int, xid: int) -> bytes:
    return message(BUNDLE_CONTROL, struct.pack("!IHH", bundle, step, ATOMIC | ORDERED), xid)


def bundle_open(bundle: int, xid: int = 0) -> bytes:
    """Begin a bundle; it is atomic and keeps the order of its messages."""
    return _control(bundle, OPEN_REQUEST, xid)


def bundle_add(bundle: int, inner: bytes, xid: int = 0) -> bytes:
    """Put a flow, group or port message into the bundle; a refusal comes back under `xid`.

    Raises ValueError if the message is too long to be put into another.
    """
    if len(inner) > _LONGEST:
        raise ValueError(f"a message of {len(inner)} bytes does not fit into a bundle")
    number = xid.to_bytes(4, "big")
    return _ADD.pack(VERSION, BUNDLE_ADD_MESSAGE, 16 + len(inner), xid, bundle, 0, ATOMIC | ORDERED) \
        + inner[:4] + number + inner[8:]


def bundle_close(bundle: int, xid: int = 0) -> bytes:
    """Say that nothing more follows."""
    return _control(bundle, CLOSE_REQUEST, xid)


def bundle_commit(bundle: int, xid: int = 0) -> bytes:
    """Carry the bundle out. Send it only after the answer to bundle_close has come without refusals before it."""
    return _control(bundle, COMMIT_REQUEST, xid)


def bundle_discard(bundle: int, xid: int = 0) -> bytes:
    """Forget the bundle."""
    return _control(bundle, DISCARD_REQUEST, xid)


class BundleReply(NamedTuple):
    """A switch's answer about a bundle: `step` is OPEN_REPLY, CLOSE_REPLY, COMMIT_REPLY or DISCARD_REPLY."""

    bundle: int
    step: int


def read_bundle_reply(whole: bytes) -> BundleReply:
    """What a BUNDLE_CONTROL from a switch says. Raises Malformed if it is cut short."""
    expect(whole, BUNDLE_CONTROL, 16)
    bundle, step = struct.unpack_from("!IH", whole, 8)
    return BundleReply(bundle, step)
