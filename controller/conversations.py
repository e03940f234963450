"""TCP for the services that machines reach at an address of the controller's own, such as metadata.

    a segment ─► no conversation: SYN → SYN with a cookie; the ACK that fits a cookie → a conversation; others → reset
               ─► a conversation: its machine hears it; a whole request → the service's answer, now or later

Nothing is kept of who has only begun (SYN cookies, RFC 4987 §3.6), and of the others only so much: EACH for an object,
ALL of them, BYTES in them. Whoever wants more loses its own oldest one, and nobody else's.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2s
from typing import Any, NamedTuple

from controller.conversation import Conversation, reset
from controller.packet import tcp
from controller.packet.tcp import ACK, FIN, RST, SYN, Segment, answer

EACH, ALL, BYTES = 8, 2048, 64 << 20
SILENCE = 20.0              # seconds without getting on after which a conversation ends
LIFE = 120.0                # seconds that one lasts at most
SIZES = (536, 1000, 1220, 1340, 1400, 1440, 1460, 8900)     # of segments: what a cookie has room to say
AGE = 64                    # seconds of a cookie's clock; the one before is still good

Place = tuple[str, int | bytes]         # switch, and OpenFlow port or the actions that lead to who is there
Key = tuple[Any, bytes, int, int]       # of whom (kind and id), its address, its port, ours


class Heard(NamedTuple):
    """A segment for a service, as an app hands it over; `mtu`: the largest packet that its sender takes; `out`: the
    actions that lead to it, if it is not simply where the segment came from."""
    frame: bytes
    service: Service
    mtu: int
    out: bytes | None = None


class Service(NamedTuple):
    """What is behind a port. `read(bytes)` makes a request of what has come so far, None: it is not whole yet; when
    `most` bytes have come it must make something of them. `answer(world, row, request, asker)` gives the bytes to send,
    or an Ask; `asker` is the address that asks, raw."""
    read: Callable[[bytes], Any]
    answer: Callable[..., Any]
    most: int


class Open(NamedTuple):
    """A conversation, where its machine is, since when it goes on."""
    talk: Conversation
    place: Place
    service: Service
    begun: float


class Conversations:
    """`send(place, frame)` hands a frame to a port; `ask(key, service, request, asker)` gets the answer, and says it
    with `say(key, bytes)`, then or later. `secret` makes cookies; it lasts as long as the process."""

    def __init__(self, secret: bytes, now: Callable[[], float], send: Callable[[Place, bytes], None],
                 ask: Callable[[Key, Service, Any, bytes], None]) -> None:
        self._secret, self._now, self._send, self._ask = secret, now, send, ask
        self._open: dict[Key, Open] = {}
        self._of: dict[Any, dict[Key, None]] = {}           # whose they are, the oldest first
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._open)

    # ---- from machines
    def hear(self, whose: Any, place: Place, heard: Heard) -> None:
        """A segment from an object's port."""
        segment = tcp.read(heard.frame)
        if segment is None:
            return
        key = whose, segment.from_ip, segment.from_port, segment.to_port
        known = self._open.get(key)
        if segment.flags & RST:
            if known is not None and segment.seq == known.talk.rcv:
                self.forget(key)
        elif segment.flags & SYN:
            self._begin(key, place, segment, heard)
        elif known is not None:
            self._open[key] = known._replace(place=place)
            self._go_on(key, segment)
        elif segment.flags & ACK and (mss := self._confirmed(key, segment)):
            self._make_room(whose)
            talk = Conversation(segment, mss, heard.service.most, self._now())
            self._open[key] = Open(talk, place, heard.service, self._now())
            self._of.setdefault(whose, {})[key] = None
            self._go_on(key, segment)
        elif segment.flags & FIN and segment.flags & ACK:       # of one that we have ended and forgotten
            self._tell(place, [answer(segment, ACK, segment.ack, segment.seq + segment.length)])
        elif (refusal := reset(segment)) is not None:
            self._tell(place, [refusal])

    def _begin(self, key: Key, place: Place, segment: Segment, heard: Heard) -> None:
        known = self._open.get(key)
        if known is not None:                               # the machine forgot: it will reset what we remember
            self._tell(place, [answer(segment, ACK, known.talk.nxt, known.talk.rcv)])
            return
        if segment.flags & (ACK | FIN):
            return
        room = heard.mtu - (40 if len(segment.from_ip) == 4 else 60)
        size = max((number for number, size in enumerate(SIZES) if size <= min(segment.mss, room)), default=0)
        cookie = self._cookie(key, segment.seq, size, int(self._now()) // AGE)
        self._tell(place, [answer(segment, SYN | ACK, cookie, segment.seq + 1, window=min(heard.service.most, 0xFFFF),
                                  mss=max(SIZES[0], room))])

    def _cookie(self, key: Key, first: int, size: int, age: int) -> int:
        told = f"{key} {first} {size} {age}".encode()
        digest = blake2s(told, key=self._secret, digest_size=4).digest()
        return (age & 1) << 31 | size << 28 | int.from_bytes(digest, "big") & 0xFFFFFFF

    def _confirmed(self, key: Key, segment: Segment) -> int:
        """The size of segments that the cookie says which a segment confirms; 0: it confirms none of ours."""
        cookie = segment.ack - 1 & 0xFFFFFFFF
        age = int(self._now()) // AGE
        size = cookie >> 28 & 7
        for each in (age, age - 1):
            if cookie == self._cookie(key, segment.seq - 1 & 0xFFFFFFFF, size, each):
                return SIZES[size]
        return 0

    def _go_on(self, key: Key, segment: Segment) -> None:
        talk, place, service, _ = self._open[key]
        before = talk.held
        self._tell(place, talk.hear(segment, self._now()))
        self.bytes += talk.held - before
        if talk.done:
            self.forget(key)
        elif not talk.asked and talk.request:
            request = service.read(bytes(talk.request))
            if request is not None:
                talk.asked = True
                self._ask(key, service, request, segment.from_ip)
            elif talk.ended:
                self._break_off(key)
        elif not talk.asked and talk.ended:
            self._break_off(key)

    # ---- to machines
    def say(self, key: Key, text: bytes) -> None:
        """The answer to a request; if nobody waits for it any more, nothing."""
        known = self._open.get(key)
        if known is None or known.talk.told:
            return
        before = known.talk.held
        self._tell(known.place, known.talk.say(text, self._now()))
        self.bytes += known.talk.held - before
        while self.bytes > BYTES:
            self._break_off(next(iter(self._of[max(self._of, key=self._weight)])))

    def _weight(self, whose: Any) -> int:
        return sum(self._open[key].talk.held for key in self._of[whose])

    def tick(self) -> None:
        """Time has passed: what was lost is sent again, who does not get on is given up."""
        now = self._now()
        for key, (talk, place, _, begun) in list(self._open.items()):
            silent = not talk.told and now - talk.moved > SILENCE
            if silent or talk.given_up or now - begun > LIFE:
                self._break_off(key)
            else:
                self._tell(place, talk.again(now))

    def _tell(self, place: Place, segments: list[Segment]) -> None:
        for segment in segments:
            self._send(place, tcp.write(segment))

    # ---- room
    def _make_room(self, whose: Any) -> None:
        mine = self._of.get(whose, {})
        if len(mine) >= EACH:
            self._break_off(next(iter(mine)))
        elif len(self._open) >= ALL:
            most = max(self._of, key=lambda one: len(self._of[one]))
            self._break_off(next(iter(self._of[most])))

    def _break_off(self, key: Key) -> None:
        talk, place, *_ = self._open[key]
        self._tell(place, [answer(talk.last, RST | ACK, talk.highest, talk.rcv)])
        self.forget(key)

    def forget(self, key: Key) -> None:
        """Its machine is not there any more."""
        self.bytes -= self._open.pop(key).talk.held
        mine = self._of[key[0]]
        del mine[key]
        if not mine:
            del self._of[key[0]]

    def places(self) -> Iterator[tuple[Key, Place]]:
        """Where the machines are."""
        return ((key, known.place) for key, known in self._open.items())
