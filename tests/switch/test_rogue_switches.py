"""Whoever reaches the port may send anything: that connection ends within a second, and nobody else is touched."""
from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator

import pytest

from controller.switch.events import SwitchConfirmed, SwitchGone, SwitchGreeted
from tests.kit.fake_switch import FakeSwitches, packet_in
from tests.kit.fake_tables import pack, u32
from tests.kit.raw_peer import HELLO, RawPeer, features, message
from tests.switch.desk import Desk
from tests.switch.entries import entries, flow, flows, installed

GOOD, ROGUE = "00000000000000aa", "0000000000000666"
MATCH = pack("HHI", 1, 4, 0)


def flow_stats(instructions: bytes, *, length: int | None = None, match: bytes = MATCH) -> bytes:
    size = 48 + len(match) + len(instructions) if length is None else length
    return pack("HBBIIHHHHIQQQ", size, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0) + match + instructions


def group_desc(buckets: bytes, *, length: int | None = None) -> bytes:
    return pack("HBBI", 8 + len(buckets) if length is None else length, 0, 0, 1) + buckets


PORT = pack("IHH", 1, 40, 0) + bytes(32)

BEFORE_GREETING = {
    "hello element of length 0 (CVE-2024-34489)": message(0, pack("HH", 1, 0) + bytes(4)),
    "hello element past its end": message(0, pack("HH", 1, 64) + bytes(4)),
    "hello of 65535 bytes": message(0, length=65535),
    "length below the header's": message(0, length=4),
    "length 0": message(0, length=0),
    "garbage": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": bytes(64),
    "packet-in before the greeting": packet_in(b"x" * 60),
    "no common version": message(0, version=4),
    "features of 24 bytes": HELLO + message(6, bytes(16)),
    "features announcing 65535 bytes": HELLO + message(6, length=65535),
}
# Multipart replies by type and body, sent in answer to the question for flows and for no question at all.
PARTS: dict[str, tuple[int, bytes]] = {
    "flow of length 0 (CVE-2024-34488)": (1, flow_stats(b"", length=0)),
    "flow longer than its message": (1, flow_stats(b"", length=64)),
    "flow with a match past its end": (1, flow_stats(b"", match=pack("HHI", 1, 400, 0))),
    "instruction of length 0 (CVE-2024-34487)": (1, flow_stats(pack("HHI", 4, 0, 0))),
    "action of length 0": (1, flow_stats(pack("HHI", 4, 16, 0) + pack("HHI", 0, 0, 0))),
    "bucket of length 0 (CVE-2024-34483)": (7, group_desc(pack("HHII", 0, 0, 0, 0) + bytes(4))),
    "action of length 0 in a bucket (CVE-2024-34484)": (7, group_desc(pack("HHII", 24, 0, 0, 0) + bytes(4) + pack("HHI", 0, 0, 0))),
    "group-desc of length 0": (7, group_desc(b"", length=0)),
    "group-stats of length 0": (6, bytes(40)),
    "meter-stats of length 0": (9, bytes(40)),
    "meter-config of length 0": (10, bytes(8)),
    "meter band of length 0": (10, pack("HHI", 24, 0, 1) + bytes(16)),
    "table-features of length 0": (12, bytes(64)),
    "table-features property of length 0": (12, pack("H", 72) + bytes(62) + bytes(8)),
    "instruction of length 0 in table-features": (12, pack("H", 72) + bytes(62) + pack("HHHH", 0, 8, 1, 0)),
    "port-desc of length 0": (13, bytes(40)),
    "port property of length 0": (13, pack("IHH", 1, 48, 0) + bytes(32) + bytes(8)),
    "port-stats of length 0": (4, bytes(80)),
    "queue-stats of length 0": (5, bytes(48)),
    "table-desc of length 0": (14, bytes(8)),
    "queue-desc of length 0": (15, bytes(16)),
    "queue property of length 0 (CVE-2024-34486)": (15, pack("IIH", 1, 1, 24) + bytes(6) + bytes(8)),
    "flow update of length 0": (16, bytes(8)),
    "a part of no known type": (99, bytes(8)),
    "a description cut short": (0, bytes(100)),
}
AFTER_GREETING = {
    "OpenFlow 1.0 flow stats of length 0": message(17, pack("HH", 1, 0) + bytes(88), version=1),
    "OpenFlow 1.3 echo": message(2, version=4),
    "a second hello": HELLO,
    "a flow-mod from a switch": message(14, bytes(48)),
    "a message of no known type": message(77, bytes(8)),
    "length below the header's": message(2, length=7),
    "flow-mod with an instruction of length 0": message(14, bytes(40) + MATCH + pack("HHI", 4, 0, 0)),
    "configuration of queues, one of length 0 (CVE-2020-35141)": message(23, pack("II", 1, 0) + bytes(16)),
    "configuration of queues, a property of length 0 (CVE-2024-34486)": message(
        23, pack("II", 1, 0) + pack("IIH", 1, 1, 24) + bytes(6) + bytes(8)),
    "barrier reply of 65535 bytes": message(21, length=65535),
    "packet-in cut short": message(10, bytes(26)),
    "packet-in with a match past its end": message(10, pack("IHBBQ", 0, 60, 1, 0, 0) + pack("HH", 1, 600) + bytes(70)),
    "packet-in with a field past its match": message(
        10, pack("IHBBQ", 0, 60, 1, 0, 0) + pack("HHHBBI", 1, 12, 0x8000, 0, 200, 1) + bytes(66)),
    "port-status with a port of length 0": message(12, bytes(8) + pack("IHH", 1, 0, 0) + bytes(32)),
    "flow-removed with a match past its end": message(11, bytes(40) + pack("HHI", 1, 99, 0)),
    "role-status property of length 0": message(30, bytes(16) + bytes(8)),
    "table-status of length 0": message(31, bytes(16)),
    "forwarded group-mod with a bucket of length 0": message(
        32, message(15, bytes(8) + bytes(16))),
    "async property of length 0": message(27, bytes(8)),
    "bundle control with a property of length 0 (CVE-2020-35139)": message(33, bytes(8) + bytes(8)),
    "multipart reply of 12 bytes": message(19, bytes(4)),
    "garbage": bytes(range(256)),
}
# As they were first reported.
AFTER_GREETING |= {f"{what}, as OpenFlow 1.3": message(19, pack("HHI", kind, 0, 0) + body, version=4)
                   for what, (kind, body) in PARTS.items() if "CVE" in what}
AFTER_GREETING |= {f"{what}, as OpenFlow 1.3": b"\4" + said[1:] for what, said in AFTER_GREETING.items() if said[:2] == b"\5\x17"}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Desk, FakeSwitches]]:
    """A desk with one good switch, which every test of this module uses; os-ken's parser reads all it is ever given."""
    with Desk(apps=["tests.switch.watching_app"]) as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(GOOD, flows(20))
        desk.know(ROGUE)
        fakes.add(GOOD)
        desk.until(lambda: desk.settled(GOOD))
        yield desk, fakes


def assert_still_served(desk: Desk, fakes: FakeSwitches) -> None:
    """The good switch takes a change at once."""
    seq = desk.order(GOOD, entries(flow(3, port=desk.seq % 60000 + 1)))
    desk.until(lambda: desk.seen(SwitchConfirmed, switch_id=GOOD, seq=seq), within=1.0)
    assert fakes.switches[GOOD].held() == installed(desk.desired[GOOD])
    assert fakes.switches[GOOD].connections == 1


@pytest.mark.parametrize("what", BEFORE_GREETING)
def test_nonsense_before_the_greeting_ends_the_connection(served: tuple[Desk, FakeSwitches], what: str) -> None:
    desk, fakes = served
    with RawPeer(desk.address) as rogue:
        rogue.send(BEFORE_GREETING[what])
        assert_still_served(desk, fakes)
        assert rogue.seconds_until_closed() < 1.0


@pytest.mark.parametrize("what", AFTER_GREETING)
def test_a_malformed_message_ends_the_connection(served: tuple[Desk, FakeSwitches], what: str) -> None:
    desk, fakes = served
    with RawPeer(desk.address) as rogue:
        rogue.greet(ROGUE)
        desk.until(lambda: desk.row(ROGUE).get("state") == "reading")
        rogue.send(AFTER_GREETING[what])
        assert rogue.seconds_until_closed() < 1.0
        desk.until(lambda: ROGUE not in desk.present)
        assert_still_served(desk, fakes)


@pytest.mark.parametrize("what", PARTS)
@pytest.mark.parametrize("asked", [True, False], ids=["asked", "unasked"])
def test_a_malformed_multipart_reply_ends_the_connection(
        served: tuple[Desk, FakeSwitches], what: str, asked: bool) -> None:
    desk, fakes = served
    kind, body = PARTS[what]
    with RawPeer(desk.address) as rogue:
        rogue.greet(ROGUE)
        desk.until(lambda: desk.row(ROGUE).get("state") == "reading")
        question = rogue.read_until(18, part=kind if asked and kind in (1, 7, 10, 13, 0) else 1)
        rogue.send(message(19, pack("HHI", kind, 0, 0) + body, xid=u32(question, 4) if asked else 0x12345))
        assert rogue.seconds_until_closed() < 1.0
        desk.until(lambda: ROGUE not in desk.present)
        assert_still_served(desk, fakes)


def test_random_bytes_after_the_greeting_never_stop_the_controller(served: tuple[Desk, FakeSwitches]) -> None:
    desk, fakes = served
    source = random.Random(7)
    kinds = [kind for kind in range(35) if kind not in (2, 3, 21)]
    for _ in range(150):
        with RawPeer(desk.address) as rogue:
            rogue.greet(ROGUE)
            body = source.randbytes(source.randrange(200))
            rogue.send(message(source.choice(kinds), body) + message(77))
            rogue.seconds_until_closed(within=2.0)
    assert_still_served(desk, fakes)


def test_every_mutation_of_a_sound_answer_is_survived(served: tuple[Desk, FakeSwitches]) -> None:
    desk, fakes = served
    source = random.Random(11)
    sound = b"".join((
        message(19, pack("HHI", 13, 0, 0) + PORT, xid=9), packet_in(b"y" * 60),
        message(19, pack("HHI", 1, 0, 0) + flow_stats(pack("HHIHHIHHI", 4, 24, 0, 0, 16, 1, 0, 0, 0)), xid=9),
        message(19, pack("HHI", 7, 0, 0) + group_desc(pack("HHII", 16, 0, 1, 1) + bytes(4)), xid=9)))
    for _ in range(60):
        broken = bytearray(sound)
        for _ in range(source.randrange(1, 5)):
            broken[source.randrange(len(broken))] = source.choice((0, 1, 255, source.randrange(256)))
        with RawPeer(desk.address) as rogue:
            rogue.greet(ROGUE)
            rogue.send(bytes(broken) + message(77))
            with contextlib.suppress(AssertionError):      # a length has grown: the controller waits for the rest
                rogue.seconds_until_closed(within=0.3)
    assert_still_served(desk, fakes)


def test_a_stranger_that_greets_for_ever_costs_nothing_and_is_forgotten(served: tuple[Desk, FakeSwitches]) -> None:
    desk, fakes = served
    for _ in range(50):
        with RawPeer(desk.address) as rogue:
            rogue.greet(os.urandom(8).hex())
    desk.until(lambda: len(desk.seen(SwitchGreeted)) - len(desk.seen(SwitchGone)) <= len(desk.present))
    desk.until(lambda: desk.present == {GOOD})
    assert_still_served(desk, fakes)


def test_an_auxiliary_connection_is_refused(served: tuple[Desk, FakeSwitches]) -> None:
    desk, fakes = served
    with RawPeer(desk.address) as rogue:
        rogue.send(HELLO + message(6, pack("QIBBHII", 5, 0, 254, 1, 0, 0, 0)))
        assert rogue.seconds_until_closed() < 1.0
    assert features(GOOD)[8:16].hex() == GOOD
    assert_still_served(desk, fakes)
