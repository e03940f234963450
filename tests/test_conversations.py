"""TCP with machines: what comes whole is answered whole whatever is lost; who is hostile harms only itself."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from controller.conversations import ALL, EACH, LIFE, SILENCE, Conversations, Heard, Service
from tests.kit.frames import ACK, FIN, RST, SYN
from tests.kit.tcp import Machine, read

WHO, OTHER = ("port", "a"), ("port", "b")
PLACE = ("switch", 1)
BIG = bytes(random.Random(1).randbytes(64 << 10))


class Wire:
    """Conversations and the machines that have them; frames go one by one, and may be lost. Requests end in a newline."""

    def __init__(self, *, most: int = 8192, mtu: int = 1450, lose: Callable[[bytes], bool] = lambda frame: False,
                 answer: bytes | None = BIG) -> None:
        self.now, self.answer, self.lose, self.mtu = 1000.0, answer, lose, mtu
        self.service = Service(lambda data: data if data.endswith(b"\n") or len(data) >= most else None, self._never, most)
        self.talks = Conversations(b"secret", lambda: self.now, self._to_machine, self._ask)
        self.asked: list[tuple[Any, bytes]] = []
        self.machines: dict[int, Machine] = {}
        self.sent: list[bytes] = []
        self._queue: deque[Callable[[], None]] = deque()
        self._busy = False

    def _never(self, *_: object) -> bytes:
        raise AssertionError

    def _ask(self, key: Any, service: Service, request: bytes, asker: bytes) -> None:
        self.asked.append((key, request))
        if self.answer is not None:
            self.talks.say(key, self.answer)

    def machine(self, *, whose: Any = WHO, **more: Any) -> Machine:
        number = 40000 + len(self.machines)
        made = Machine(lambda frame: self._do(lambda: self.hear(frame, whose)), own=number, **more)
        self.machines[number] = made
        return made

    def hear(self, frame: bytes, whose: Any = WHO) -> None:
        if not self.lose(frame):
            self.talks.hear(whose, PLACE, Heard(frame, self.service, self.mtu))

    def _to_machine(self, place: Any, frame: bytes) -> None:
        assert place == PLACE and len(frame) - 14 <= self.mtu
        self.sent.append(frame)
        start = 54 if frame[12:14] == b"\x86\xdd" else 34
        machine = self.machines.get(int.from_bytes(frame[start + 2:start + 4], "big"))
        if machine is not None and not self.lose(frame):
            self._do(lambda: machine.take(frame))

    def _do(self, work: Callable[[], None]) -> None:
        """In order, one after the other: no answer comes while its question is being sent."""
        self._queue.append(work)
        if not self._busy:
            self._busy = True
            while self._queue:
                self._queue.popleft()()
            self._busy = False

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self._do(self.talks.tick)


@pytest.mark.parametrize("address", [("10.0.0.5", "169.254.169.254"), ("fe80::5", "fe80::a9fe:a9fe")], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("answer", [b"", b"x", BIG], ids=["nothing", "a byte", "64 KB"])
def test_a_request_is_answered_whole_and_nothing_stays(address: tuple[str, str], answer: bytes) -> None:
    wire = Wire(answer=answer)
    machine = wire.machine(ip=address[0], to=address[1])
    machine.open()
    machine.say(b"question\n")
    assert machine.text == answer and machine.ended and not machine.reset
    assert wire.asked[0][1] == b"question\n" and len(wire.talks) == 0 and wire.talks.bytes == 0
    machine._send(machine.segment(FIN | ACK))
    last = machine.heard[-1]
    assert last.flags == ACK and last.ack == machine.seq + 1


@pytest.mark.parametrize(("mss", "mtu", "most"), [(1460, 1450, 1400), (536, 1450, 536), (None, 1450, 536), (9000, 9000, 8900),
                                                  (1, 1450, 536), (1400, 576, 536)])
def test_segments_are_no_longer_than_the_machine_and_its_network_take(mss: int | None, mtu: int, most: int) -> None:
    wire = Wire(mtu=mtu)
    machine = wire.machine()
    machine.open(mss)
    assert machine.mss == max(536, mtu - 40)
    machine.say(b"question\n", size=400)
    assert machine.text == BIG and max(len(one.payload) for one in machine.heard) == most


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_lost_the_answer_comes_whole(seed: int) -> None:
    chance = random.Random(seed)
    wire = Wire()
    machine = wire.machine()
    machine.open()
    wire.lose = lambda frame: chance.random() < 0.2
    question = b"a question in pieces\n" * 40 if seed % 2 else b"question\n"
    wire.service = wire.service._replace(read=lambda data: data if len(data) == len(question) else None)
    begun = machine.seq
    for _ in range(100):
        if not wire.asked:                                          # the machine sends again what is not acknowledged
            acked = max((seen.ack for seen in machine.heard), default=begun)
            machine.seq = max(acked, begun)
            machine.say(question[machine.seq - begun:], size=300)
        wire.wait(1)
        if machine.ended:
            break
        assert not machine.reset
    assert machine.text == BIG and wire.asked[0][1] == question


def test_a_small_window_is_kept_and_a_closed_one_is_asked_about() -> None:
    wire = Wire()
    machine = wire.machine(window=1000)
    machine.open()
    machine.say(b"question\n")
    assert machine.text == BIG and max(len(one.payload) for one in machine.heard) <= 1000
    shut = wire.machine(window=0)
    shut.open()
    shut.say(b"question\n")
    assert not shut.text
    wire.wait(1)
    assert len(shut.text) == 1
    shut.window = 65535
    wire.wait(4)
    assert shut.text == BIG


def test_nothing_is_kept_of_who_only_begins() -> None:
    wire = Wire()
    for number in range(5000):
        begun = Machine(wire.hear, own=1024 + number % 60000, first=number * 7919)
        wire.hear(begun.segment(SYN, mss=1460))
    assert len(wire.talks) == 0 and len(wire.sent) == 5000 and all(read(frame).flags == SYN | ACK for frame in wire.sent)


def test_a_cookie_is_good_for_its_own_connection_and_for_a_while() -> None:
    wire = Wire()
    wire.hear(Machine(wire.hear).segment(SYN, mss=1460))
    cookie = read(wire.sent[-1]).seq
    for wrong in ({"ack": cookie + 2}, {"ack": cookie}, {"ack": cookie + 1, "seq": 1002}):
        wire.hear(Machine(wire.hear).segment(ACK, **{"seq": 1001, **wrong}))
        assert read(wire.sent[-1]).flags == RST and len(wire.talks) == 0
    wire.hear(Machine(wire.hear, own=40001).segment(ACK, seq=1001, ack=cookie + 1))
    assert len(wire.talks) == 0
    wire.now += 300
    wire.hear(Machine(wire.hear).segment(ACK, seq=1001, ack=cookie + 1))
    assert len(wire.talks) == 0
    wire.now -= 280
    wire.hear(Machine(wire.hear).segment(ACK, seq=1001, ack=cookie + 1))
    assert len(wire.talks) == 1


def test_each_has_so_many_and_all_have_so_many_and_who_wants_more_loses_its_own() -> None:
    wire = Wire(answer=None)
    quiet = wire.machine(whose=OTHER)
    quiet.open()
    greedy = []
    for _ in range(EACH + 3):
        greedy.append(wire.machine())
        greedy[-1].open()
    assert len(wire.talks) == EACH + 1 and [one.reset for one in greedy] == [True] * 3 + [False] * EACH
    for number in range(ALL + 10):
        wire.machine(whose=("port", str(number // EACH))).open()
    assert len(wire.talks) == ALL and not quiet.reset


def test_who_holds_most_loses_when_too_much_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.conversations.BYTES", 300_000)
    wire = Wire()
    modest = wire.machine(whose=OTHER, window=100)
    modest.acks = False
    modest.open()
    modest.say(b"question\n")
    greedy = [wire.machine(window=100) for _ in range(6)]
    for one in greedy:
        one.acks = False
        one.open()
        one.say(b"question\n")
    assert wire.talks.bytes <= 300_000 and not modest.reset and [one.reset for one in greedy].count(True) == 3


def test_who_is_silent_or_slow_is_given_up() -> None:
    wire = Wire(answer=None)
    half, piece, deaf = (wire.machine() for _ in range(3))
    half.open()
    piece.open()
    piece.say(b"half a quest")
    wire.wait(int(SILENCE) + 2)
    assert half.reset and piece.reset and len(wire.talks) == 0
    wire.answer = BIG
    deaf.acks = False
    deaf.open()
    deaf.say(b"question\n")
    wire.wait(int(LIFE))
    assert deaf.reset and len(wire.talks) == 0 and wire.talks.bytes == 0
    assert len([one for one in deaf.heard if one.payload]) < 100


def test_a_request_that_never_ends_takes_only_so_much() -> None:
    wire = Wire(most=8192, answer=b"too long")
    machine = wire.machine()
    machine.open()
    machine.say(b"x" * (1 << 20))
    assert wire.asked[0][1] == b"x" * 8192 and machine.text == b"too long"


def test_an_answer_that_comes_late_goes_to_who_still_waits() -> None:
    wire = Wire(answer=None)
    patient, gone = wire.machine(), wire.machine()
    for one in (patient, gone):
        one.open()
        one.say(b"question\n")
    gone._send(gone.segment(RST))
    for key, _ in wire.asked:
        wire._do(lambda key=key: wire.talks.say(key, b"late"))
        wire._do(lambda key=key: wire.talks.say(key, b"again"))
    assert patient.text == b"late" and not gone.text and len(wire.talks) == 0


def test_a_machine_that_ends_before_its_request_is_whole_is_let_go_and_one_that_ends_after_it_answered() -> None:
    wire = Wire()
    early, late = wire.machine(), wire.machine()
    early.open()
    early._send(early.segment(FIN | ACK, b"half"))
    assert early.reset and len(wire.talks) == 0
    late.open()
    late._send(late.segment(FIN | ACK, b"question\n"))
    assert late.text == BIG and late.ended and not late.reset


def test_what_belongs_to_nothing_is_reset_and_a_reset_is_not_answered() -> None:
    wire = Wire()
    stray = Machine(wire.hear)
    for flags in (ACK, 0, FIN, SYN | FIN, SYN | ACK):
        wire.sent.clear()
        wire.hear(stray.segment(flags, b"" if flags & SYN else b"data"))
        assert [read(frame).flags & RST for frame in wire.sent] in ([RST], [])
    wire.sent.clear()
    wire.hear(stray.segment(RST))
    assert not wire.sent and len(wire.talks) == 0


def test_no_bytes_make_trouble() -> None:
    chance, wire = random.Random(3), Wire(answer=b"x" * 3000)
    machine = Machine(wire.hear, first=0)
    good = [machine.segment(SYN, mss=1460), machine.segment(ACK, b"hello\n"), machine.segment(FIN | ACK)]
    for number in range(20_000):
        raw = bytearray(chance.choice(good))
        for _ in range(chance.randint(0, 6)):
            raw[chance.randrange(12, len(raw))] = chance.randrange(256)
        wire.hear(bytes(raw[:chance.randint(0, len(raw))]) if chance.random() < 0.2 else bytes(raw), (WHO, OTHER)[number % 2])
    assert len(wire.talks) <= 2 * EACH
    wire.wait(int(LIFE) + 2)
    assert len(wire.talks) == 0 and wire.talks.bytes == 0
