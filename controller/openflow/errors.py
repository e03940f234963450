"""What a switch says when it refuses a message, in words."""
from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from controller.openflow.frame import ERROR, Malformed, expect, xid_of


class Refusal(NamedTuple):
    """An error of a switch: `xid` of the refused message, type and code, the message's first bytes, and words."""

    xid: int
    type: int
    code: int
    data: bytes
    text: str


_TYPES: Mapping[int, str] = dict(enumerate((
    "hello failed", "bad request", "bad action", "bad instruction", "bad match", "flow refused", "group refused",
    "port change refused", "table change refused", "queue operation refused", "switch config refused", "role refused",
    "meter refused", "table features refused", "bad property", "async config refused", "flow monitor refused",
    "bundle refused")))
_CODES: Mapping[int, tuple[str, ...]] = {
    0: ("no common version", "not permitted"),
    1: ("bad version", "bad type", "bad multipart type", "bad experimenter", "bad experimenter type", "not permitted",
        "bad length", "buffer empty", "buffer unknown", "bad table", "we are slave", "bad port", "bad packet",
        "multipart buffer overflow", "multipart request timeout", "multipart reply timeout"),
    2: ("bad type", "bad length", "bad experimenter", "bad experimenter type", "bad output port", "bad argument",
        "not permitted", "too many", "bad queue", "bad output group", "inconsistent with the match",
        "unsupported order", "bad tag", "bad set type", "bad set length", "bad set argument"),
    3: ("unknown instruction", "unsupported instruction", "bad table", "unsupported metadata",
        "unsupported metadata mask", "bad experimenter", "bad experimenter type", "bad length", "not permitted",
        "duplicate instruction"),
    4: ("bad type", "bad length", "bad tag", "bad data link mask", "bad network mask", "bad wildcards", "bad field",
        "bad value", "bad mask", "missing prerequisite", "duplicate field", "not permitted"),
    5: ("unknown", "table full", "bad table", "overlap", "not permitted", "bad timeout", "bad command", "bad flags",
        "cannot synchronise", "bad priority"),
    6: ("group exists", "invalid group", "weight unsupported", "out of groups", "out of buckets",
        "chaining unsupported", "watch unsupported", "loop", "unknown group", "chained group", "bad type",
        "bad command", "bad bucket", "bad watch", "not permitted"),
    11: ("stale generation", "unsupported", "bad role"),
    12: ("unknown", "meter exists", "invalid meter", "unknown meter", "bad command", "bad flags", "bad rate",
         "bad burst", "bad band", "bad band value", "out of meters", "out of bands"),
    17: ("unknown", "not permitted", "bad id", "bundle exists", "bundle closed", "out of bundles", "bad type",
         "bad flags", "message bad length", "message bad xid", "message unsupported", "message conflict",
         "too many messages", "message failed", "timeout", "bundle in progress"),
}
_EXPERIMENTER = 0xFFFF


def read_error(whole: bytes) -> Refusal:
    """What an ERROR says. Raises Malformed if it is cut short."""
    expect(whole, ERROR, 12)
    kind, code = struct.unpack_from("!HH", whole, 8)
    if kind == _EXPERIMENTER:
        if len(whole) < 16:
            raise Malformed("an experimenter's error without its experimenter")
        words = f"experimenter {int.from_bytes(whole[12:16], 'big'):#x}: {code}"
        return Refusal(xid_of(whole), kind, code, whole[16:], words)
    return Refusal(xid_of(whole), kind, code, whole[12:], in_words(kind, code))


def in_words(kind: int, code: int) -> str:
    """"bad action: inconsistent with the match"; numbers where OpenFlow 1.4 has no name."""
    codes = _CODES.get(kind, ())
    what = codes[code] if code < len(codes) else f"code {code}"
    return f"{_TYPES.get(kind, f'error {kind}')}: {what}"
