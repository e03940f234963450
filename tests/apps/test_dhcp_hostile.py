"""DHCP from guests that mean harm: crafted bytes get silence, soon, and never more than they sent (CVE-2026-5367)."""

from __future__ import annotations

import os
import struct
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps import dhcp
from controller.packet import dhcp as messages
from tests.kit import frames
from tests.kit.dhcp import DISCOVER, INFORM, REQUEST, ask, message, options, read
from tests.kit.frames import ethernet, ip, raw_ip
from tests.kit.tenant import Tenant

MAC, OURS = "fa:16:3e:00:00:05", "10.0.0.5"
NET = Tenant()
NET.put("network", "n", key=1, mtu=1450)
NET.put(
    "subnet", "s", network_id="n", ip_version=4, cidr="10.0.0.0/24", gateway_ip="10.0.0.1", dns_nameservers=["10.0.0.3"]
)
PORT = NET.put(
    "port",
    "p",
    network_id="n",
    mac_address=MAC,
    fixed_ips=[{"subnet_id": "s", "ip_address": OURS}],
    extra_dhcp_opts=[{"opt_name": "domain-search", "opt_value": "a.example,b.example", "ip_version": 4}],
)
GOOD = ask(MAC, DISCOVER, {61: b"\1" + bytes(6), 55: bytes((1, 3, 6, 121)), 57: b"\x05\xdc"})
SOON = 0.05  # seconds; an answer takes some twenty microseconds


def heard(frame: bytes) -> tuple[bytes, ...]:
    """What the port hears; fails if that takes long or is no right answer."""
    started = time.process_time()
    found = dhcp.offer(NET.world, PORT, frame)
    assert time.process_time() - started < SOON
    for answer in found:
        assert read(answer).size <= 1500
    return found


def sent(raw: bytes) -> bytes:
    return frames.udp(MAC, frames.TO_ALL, "0.0.0.0", "255.255.255.255", 68, 67, raw)


@given(st.binary(max_size=2000))
def test_any_bytes_get_silence_or_an_answer(raw: bytes) -> None:
    heard(raw)
    heard(GOOD[:14] + raw)
    heard(sent(raw))


@given(st.binary(max_size=1400), st.integers(0, 8), st.binary(max_size=64), st.binary(max_size=128))
def test_any_options_get_silence_or_an_answer(raw: bytes, kind: int, sname: bytes, file: bytes) -> None:
    heard(sent(message(MAC, options({53: bytes((kind,))}, end=False) + raw, sname=sname, file=file)))
    heard(sent(message(MAC, options({53: bytes((kind,)), 52: b"\3"}, end=False) + raw, sname=sname, file=file)))


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
@example([(42 + 28 + 16, 255)])
def test_a_good_question_with_changed_bytes_gets_silence_or_an_answer(changes: list[tuple[int, int]]) -> None:
    raw = bytearray(GOOD)
    for at, value in changes:
        raw[at] = value
    heard(bytes(raw))


def test_a_question_cut_anywhere_gets_silence() -> None:
    assert heard(GOOD)
    assert not any(heard(GOOD[:size]) for size in range(len(GOOD)))


CRAFTED = {
    "an option that claims more than is there": options({53: b"\1"}, end=False) + b"\x3d\xff\1",
    "an option without its length": options({53: b"\1"}, end=False) + b"\x3d",
    "a message type of no length": options({53: b""}),
    "a message type of two bytes": options({53: b"\1\1"}),
    "a message type twice": options([(53, b"\1"), (53, b"\1")]),
    "no message type": options({50: raw_ip(OURS)}),
    "no options": b"",
    "nothing but padding": bytes(900),
    "an address of three bytes": options({53: b"\3", 50: b"\x0a\0\0"}),
    "an address of eight bytes in two pieces": options([(53, b"\3"), (50, raw_ip(OURS)), (50, raw_ip(OURS))]),
    "a server of one byte": options({53: b"\3", 54: b"\x0a", 50: raw_ip(OURS)}),
    "a size of one byte": options({53: b"\1", 57: b"\5"}),
    "an overload of an unknown kind": options({53: b"\1", 52: b"\4"}),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_options_get_silence(name: str) -> None:
    assert heard(sent(message(MAC, CRAFTED[name]))) == ()


def test_options_in_the_fields_for_names_are_read_but_not_beyond_them() -> None:
    asked = options({53: bytes((REQUEST,)), 52: b"\3"})
    good = message(MAC, asked, file=options({50: raw_ip(OURS)}), sname=options({61: b"\0me"}))
    answer = read(heard(sent(good))[0])
    assert answer.kind == 5 and answer.options[61] == b"\0me"
    for file, sname in ((bytes(120) + b"\x3d\x07", b""), (b"", bytes(63) + b"\x3d"), (b"", b"\x3d\xff" + bytes(62))):
        assert heard(sent(message(MAC, asked, file=file, sname=sname))) == ()


def test_an_option_in_pieces_is_put_together() -> None:
    pieces = options([(53, b"\1"), (61, b"one "), (55, b"\6"), (61, b"two")])
    assert read(heard(sent(message(MAC, pieces)))[0]).options[61] == b"one two"


def test_no_answer_echoes_more_than_was_sent() -> None:
    for claimed in range(256):
        raw = message(MAC, options({53: b"\1"}, end=False) + bytes((61, claimed)) + bytes(4))
        found = heard(sent(raw))
        assert bool(found) == (claimed <= 4)
        if found:
            assert len(read(found[0]).options.get(61, b"")) == claimed


@pytest.mark.parametrize(
    "raw",
    [
        message(MAC, options({53: b"\1"}), op=2),
        message(MAC, options({53: b"\1"}), hardware=(6, 6)),
        message(MAC, options({53: b"\1"}), hardware=(1, 16)),
        message(MAC, options({53: b"\1"}), hardware=(1, 0)),
        message(MAC, options({53: b"\1"}), cookie=b"\0\0\0\0"),
        message(MAC, options({53: b"\1"}) + bytes(1472)),
    ],
    ids=["an answer", "another hardware", "a longer address", "no address", "no cookie", "too long"],
)
def test_what_is_no_clients_message_gets_silence(raw: bytes) -> None:
    assert heard(sent(raw)) == ()


RAW = message(MAC, options({53: b"\1"}))
UDP = struct.pack("!HHHH", 68, 67, 8 + len(RAW), 0) + RAW
AT = ("0.0.0.0", "255.255.255.255", 17)


def _ipv4(**changed: int) -> bytes:
    """The good question with bytes of its IPv4 header changed and the header's checksum made right again."""
    packet = bytearray(ip(*AT, UDP))
    for at, value in changed.items():
        packet[int(at[1:])] = value
    packet[10:12] = b"\0\0"
    packet[10:12] = struct.pack("!H", frames.checksum(bytes(packet[:20])))
    return ethernet(MAC, frames.TO_ALL, 0x800, bytes(packet))


@pytest.mark.parametrize(
    "frame",
    [
        _ipv4(_0=0x65),
        _ipv4(_0=0x44),
        _ipv4(_0=0x4F),
        _ipv4(_2=255),
        _ipv4(_2=0, _3=19),
        _ipv4(_2=0, _3=27),
        _ipv4(_9=6),
        ethernet(MAC, frames.TO_ALL, 0x800, ip(*AT, UDP, more=True)),
        ethernet(MAC, frames.TO_ALL, 0x800, ip(*AT, UDP, offset=1)),
        ethernet(MAC, frames.TO_ALL, 0x86DD, ip(*AT, UDP)),
        frames.tagged(ethernet(MAC, frames.TO_ALL, 0x800, ip(*AT, UDP))),
        ethernet(MAC, frames.TO_ALL, 0x800, ip(*AT, UDP[:4] + b"\0\7" + UDP[6:])),
        ethernet(MAC, frames.TO_ALL, 0x800, ip(*AT, UDP[:4] + b"\xff\xff" + UDP[6:])),
        ethernet(MAC, frames.TO_ALL, 0x800, ip(*AT, UDP)[:10] + b"\1\1" + ip(*AT, UDP)[12:]),
        frames.udp(MAC, frames.TO_ALL, *AT[:2], 67, 67, RAW),
        frames.udp(MAC, frames.TO_ALL, *AT[:2], 68, 68, RAW),
    ],
    ids=[
        "version 6",
        "short header",
        "header of options",
        "longer than the frame",
        "shorter than itself",
        "without UDP",
        "TCP",
        "first fragment",
        "later fragment",
        "called IPv6",
        "tagged",
        "UDP of 7 bytes",
        "UDP beyond the end",
        "wrong checksum",
        "from a server",
        "to a client",
    ],
)
def test_wrong_headers_get_silence(frame: bytes) -> None:
    assert heard(frame) == ()


def test_padding_behind_the_packet_and_a_checksum_left_to_the_card_do_no_harm() -> None:
    assert heard(_ipv4()) and heard(_ipv4() + bytes(40))
    assert heard(ethernet(MAC, frames.TO_ALL, 0x800, ip(*AT, UDP[:6] + b"\x12\x34" + UDP[8:])))


def test_the_longest_crafted_question_is_as_quick_as_any() -> None:
    room = 1472 - 240
    for body in (
        bytes(room),
        b"\x3d\0" * (room // 2),
        b"\0\xfe\0" * (room // 3),
        os.urandom(room),
        b"\x37\1\6" * (room // 3),
    ):
        frame = sent(message(MAC, options({53: bytes((INFORM,))}, end=False) + body[: room - 3]))
        started = time.process_time()
        for _ in range(100):
            dhcp.offer(NET.world, PORT, frame)
        assert time.process_time() - started < 100 * 0.002


def test_reading_takes_no_more_than_one_ethernet_frame() -> None:
    assert messages.read(message(MAC, options({53: b"\1"}) + bytes(1472 - 244))) is not None
    assert messages.read(message(MAC, options({53: b"\1"}) + bytes(1473 - 244))) is None
