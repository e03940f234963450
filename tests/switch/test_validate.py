"""What the validator lets pass, os-ken's parser gets through: held against mutations of every message of a switch."""
from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from os_ken import exception
from os_ken.ofproto import ofproto_parser, ofproto_protocol

from controller.openflow.messages import Malformed
from controller.switch import validate
from tests.kit.fake_tables import pack
from tests.kit.raw_peer import message

MATCH = pack("HHHBBI", 1, 12, 0x8000, 0, 4, 1) + bytes(4)
OUTPUT = pack("HHIH", 0, 16, 1, 0) + bytes(6)
APPLY = pack("HHI", 4, 24, 0) + OUTPUT
FLOW = pack("HBBIIHHHHIQQQ", 48 + 16 + 24, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0) + MATCH + APPLY
BUCKET = pack("HHIII", 32, 0, 1, 1, 0) + OUTPUT
PORT = pack("IHH", 1, 72, 0) + bytes(32) + pack("HHI", 0, 32, 0) + bytes(24)
FEATURES = (pack("HB", 64 + 16 + 16 + 8 + 16, 1) + bytes(61) + pack("HH", 0, 12) + pack("HHHH", 1, 4, 4, 4) + bytes(4)
            + pack("HH", 4, 12) + pack("HHHH", 0, 4, 22, 4) + bytes(4)
            + pack("HHBB", 2, 6, 3, 4) + bytes(2)
            + pack("HH", 8, 12) + pack("HBBHBB", 0x8000, 0, 4, 0x8000, 10, 2) + bytes(4))


def part(kind: int, body: bytes) -> bytes:
    return message(19, pack("HHI", kind, 0, 0) + body)


SOUND = {
    "description": part(0, bytes(1056)), "flows": part(1, FLOW + FLOW), "aggregate": part(2, bytes(24)),
    "tables": part(3, bytes(48)),
    "port counters": part(4, pack("HH", 120, 0) + bytes(76) + pack("HHI", 0, 40, 0) + bytes(32)),
    "queue counters": part(5, pack("H", 64) + bytes(46) + pack("HHII", 0xFFFF, 16, 1, 1) + bytes(4)),
    "group counters": part(6, pack("H", 72) + bytes(70)), "groups": part(7, pack("HBBI", 40, 0, 0, 1) + BUCKET),
    "group features": part(8, bytes(40)), "meter counters": part(9, pack("IH", 1, 56) + bytes(50)),
    "meters": part(10, pack("HHI", 24, 1, 1) + pack("HHIII", 1, 16, 9, 9, 0)), "meter features": part(11, bytes(16)),
    "table features": part(12, FEATURES), "ports": part(13, PORT + PORT),
    "table descriptions": part(14, pack("HBBI", 16, 1, 0, 0) + pack("HHI", 2, 8, 0)),
    "queues": part(15, pack("IIH", 1, 1, 32) + bytes(6) + pack("HHHH", 1, 8, 5, 0) + pack("HHHH", 2, 8, 5, 0)),
    # A flow update of event 0: os-ken reads no other whole one.
    "monitor": part(16, pack("HHBBHHHIQ", 24 + 16 + 24, 0, 0, 0, 0, 0, 5, 0, 7) + MATCH + APPLY + pack("HHI", 8, 4, 9)),
    "port status": message(12, bytes(8) + PORT), "flow removed": message(11, bytes(40) + MATCH),
    "role status": message(30, pack("IIQ", 3, 0, 1)),
    "table status": message(31, bytes((3,)) + bytes(7) + pack("HBBI", 16, 1, 0, 0) + pack("HHI", 2, 8, 0)),
    "forwarded group": message(32, message(15, pack("HBBI", 0, 0, 0, 1) + BUCKET)),
    "forwarded meter": message(32, message(29, pack("HHI", 0, 1, 1) + pack("HHIII", 1, 16, 9, 9, 0))),
    "async config": message(27, pack("HHI", 0, 8, 1) + pack("HHI", 1, 8, 1)),
    "bundle control": message(33, pack("IHH", 1, 1, 3)), "hello": message(0, pack("HHI", 1, 8, 32)),
}


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """AssertionError if the block takes longer (os-ken's parser swallows any exception, so it is noted as well)."""
    fired: list[float] = []

    def late(*_: object) -> None:
        fired.append(seconds)
        raise TimeoutError(f"longer than {seconds} s")
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not fired, f"longer than {seconds} s"


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_message_passes(name: str) -> None:
    whole = SOUND[name]
    validate.header(5, whole[1], len(whole), greeted=whole[1] != 0)
    validate.body(whole, whole[1])
    parsed = ofproto_parser.msg(ofproto_protocol.ProtocolDesc(5), 5, whole[1], len(whole), 0, bytearray(whole))
    assert parsed is not None and parsed.msg_type == whole[1]


@pytest.mark.parametrize("name", SOUND)
def test_every_two_bytes_that_hold_a_length_are_judged(name: str) -> None:
    """Whatever stands in any 16 bits: the validator ends at once, and what it passes os-ken's parser ends at once."""
    for at in range(8, len(SOUND[name]) - 1, 2):
        for value in (0, 1, 3, 7, 8, 0xFFFF):
            broken = bytearray(SOUND[name])
            broken[at:at + 2] = value.to_bytes(2, "big")
            parse_if_passed(bytes(broken))


@pytest.mark.parametrize("name", SOUND)
def test_random_mutations_and_truncations_are_judged(name: str) -> None:
    source = random.Random(name)
    for _ in range(400):
        broken = bytearray(SOUND[name])
        for _ in range(source.randrange(1, 4)):
            broken[source.randrange(8, len(broken))] = source.choice((0, 1, 4, 8, 255, source.randrange(256)))
        del broken[source.choice((len(broken), source.randrange(8, len(broken) + 1))):]
        broken[2:4] = len(broken).to_bytes(2, "big")
        parse_if_passed(bytes(broken))


def parse_if_passed(whole: bytes) -> None:
    desc = ofproto_protocol.ProtocolDesc(5)
    with at_most(2.0):
        try:
            validate.header(5, whole[1], len(whole), greeted=whole[1] != 0)
            validate.body(whole, whole[1])
        except Malformed:
            return
        try:
            ofproto_parser.msg(desc, 5, whole[1], len(whole), 0, bytearray(whole))
        except exception.OFPTruncatedMessage:
            return
