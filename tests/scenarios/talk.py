"""What machines say to each other through the sockets of a real kernel, and who was heard.

    settles(reached=[tcp(a, b, 80), ping(a, b, v=6)], refused=[udp(a, b, 53)])
    with Conversation(udp(a, b, 53)) as talk:               # an established connection
        assert talk.both_ways()

All sockets are this process's (scenarios/sockets.py), so a question takes a millisecond and many are asked at once.
"""

from __future__ import annotations

import itertools
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import NamedTuple

from scenarios.sockets import socket_in
from tests.kit.frames import checksum
from tests.scenarios.site import Machine

QUIET = 0.1                     # seconds in which what is not stopped would have arrived
AGAIN = 0.04                    # seconds after which a question is asked again
ONCE = 0.25                     # seconds for what is allowed, before it is tried again
PATIENCE = 3.0                  # seconds until it must have come about
REVIVAL = 60.0                  # … until TCP must have said again what was cut off: it waits twice as long each time
WORD = 16                       # octets; each is said once
ECHO = {4: (8, 0), 6: (128, 129)}
_numbers = itertools.count(1)


class Said(NamedTuple):
    """One question: who asks whom, how (tcp, udp, ping, icmp, protocol), and its port, ICMP type or protocol number."""

    sender: Machine
    receiver: Machine
    kind: str
    v: int = 4
    number: int = 0
    code: int = 0
    to: str = ""
    source: str = ""
    size: int = WORD

    def __str__(self) -> str:
        return f"{self.sender} -> {self.to or self.receiver}: {self.kind} {self.number}{f'/{self.code}' * bool(self.code)} IPv{self.v}"

    @property
    def family(self) -> int:
        return socket.AF_INET6 if self.v == 6 else socket.AF_INET

    @property
    def address(self) -> str:
        return self.to or self.receiver.address(self.v)

    @property
    def one_way(self) -> bool:
        """Nobody answers."""
        return self.kind in ("icmp", "protocol")


def tcp(sender: Machine, receiver: Machine, port: int, v: int = 4, *, to: str = "", source: str = "") -> Said:
    """A connection, with a word and its echo. `to`, `source`: other addresses than the machines' first."""
    return Said(sender, receiver, "tcp", v, port, to=to, source=source)


def udp(sender: Machine, receiver: Machine, port: int, v: int = 4, *, size: int = WORD) -> Said:
    """A datagram and its echo."""
    return Said(sender, receiver, "udp", v, port, size=size)


def ping(sender: Machine, receiver: Machine, v: int = 4, *, to: str = "", source: str = "", size: int = WORD) -> Said:
    """An echo request and its reply."""
    return Said(sender, receiver, "ping", v, to=to, source=source, size=size)


def icmp(sender: Machine, receiver: Machine, type: int, code: int = 0, v: int = 4) -> Said:
    """Any ICMP message, one way."""
    return Said(sender, receiver, "icmp", v, type, code)


def protocol(sender: Machine, receiver: Machine, number: int, v: int = 4) -> Said:
    """A packet of any other IP protocol, one way."""
    return Said(sender, receiver, "protocol", v, number)


class Service:
    """Listens in a machine, remembers the words that it hears, and says them again to who said them."""

    def __init__(self, said: Said) -> None:
        self.words: set[bytes] = set()
        self._connections: list[socket.socket] = []
        self._peer: tuple | None = None
        place = said.receiver.vm.namespace.name
        if said.kind in ("tcp", "udp"):
            kind = socket.SOCK_STREAM if said.kind == "tcp" else socket.SOCK_DGRAM
            self._socket = socket_in(place, said.family, kind)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if said.v == 6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.bind(("", said.number))
        else:
            self._socket = socket_in(place, said.family, socket.SOCK_RAW, _protocol_of(said))
        self._kind = said.kind
        if self._kind == "tcp":
            self._socket.listen(64)

    def step(self) -> None:
        """Take what has come."""
        if self._kind == "tcp":
            with suppress(BlockingIOError):
                while True:
                    connection, _ = self._socket.accept()
                    connection.setblocking(False)
                    self._connections.append(connection)
            for connection in self._connections:
                self._echo(connection)
            return
        with suppress(BlockingIOError):
            while True:
                data, self._peer = self._socket.recvfrom(65536)
                self._hear(data)
                if self._kind == "udp":
                    self._socket.sendto(data, self._peer)

    def _echo(self, connection: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionError):
            while data := connection.recv(WORD * 64):
                self._hear(data)
                connection.send(data)

    def _hear(self, data: bytes) -> None:
        at = data.find(b"hadron")
        while at >= 0:
            self.words.add(data[at:at + WORD])
            at = data.find(b"hadron", at + WORD)

    def say(self, word: bytes) -> None:
        """Say something unasked to the last who spoke."""
        with suppress(BlockingIOError, ConnectionError):
            if self._kind == "tcp":
                self._connections[-1].send(word)
            else:
                self._socket.sendto(word, self._peer or ())

    def close(self) -> None:
        for each in (*self._connections, self._socket):
            each.close()


class Asking:
    """The other end: says a word, and waits for it to come back."""

    def __init__(self, said: Said, service: Service, *, once: bool = False) -> None:
        self.said, self.service, self.word, self._once = said, service, new_word(), once
        self.answers = b""
        self._open()

    def _open(self) -> None:
        said, self._sent, self._tried = self.said, False, time.monotonic()
        kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}.get(said.kind, socket.SOCK_RAW)
        self.socket = socket_in(said.sender.vm.namespace.name, said.family, kind,
                                0 if said.kind in ("tcp", "udp") else _protocol_of(said))
        if said.source:
            self.socket.bind((said.source, 0))
        if said.kind == "tcp":
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.connect_ex((said.address, said.number))
        else:
            with suppress(OSError):                            # the sender's own kernel may have no route
                self.socket.connect((said.address, said.number if said.kind == "udp" else 0))
                self._say()

    def _again(self) -> None:
        """Say it once more, as clients do; kernels wait a second before they do so for TCP."""
        if self.said.kind == "tcp":
            self.socket.close()
            self._open()
        else:
            self._tried = time.monotonic()
            with suppress(OSError):
                self._say()

    def close(self) -> None:
        self.socket.close()

    def _say(self) -> None:
        padded = self.word + bytes(max(0, self.said.size - WORD))
        if self.said.kind in ("ping", "icmp"):
            kind, code = (ECHO[self.said.v][0], 0) if self.said.kind == "ping" else (self.said.number, self.said.code)
            head = struct.pack("!BBHHH", kind, code, 0, 77, 1)
            summed = checksum(head + padded) if self.said.v == 4 else 0        # for IPv6 the kernel does it
            padded = head[:2] + struct.pack("!H", summed) + head[4:] + padded
        self.socket.send(padded)
        self._sent = True

    def step(self) -> bool:
        """Go on; true once it is answered (or heard, if it is one way)."""
        with suppress(OSError):
            if not self._sent and self.said.kind == "tcp" and not self.socket.connect_ex((self.said.address, self.said.number)):
                self._say()
        if not self._once and time.monotonic() - self._tried > AGAIN and not (self._sent and self.said.kind == "tcp"):
            self._again()
        if self.said.one_way:
            return self.heard
        with suppress(OSError):                                # nothing yet; or an ICMP error has said that it is in vain
            while data := self.socket.recv(65536):
                if self.said.kind != "ping" or data[20 if self.said.v == 4 else 0] == (0 if self.said.v == 4 else 129):
                    self.answers = self.answers[-65536:] + data
        return self.word in self.answers

    @property
    def heard(self) -> bool:
        """The receiver got it, whether or not it was answered."""
        return self.word in self.service.words


def new_word() -> bytes:
    return b"hadron%010d" % next(_numbers)


def _protocol_of(said: Said) -> int:
    if said.kind == "protocol":
        return said.number
    return socket.IPPROTO_ICMP if said.v == 4 else socket.IPPROTO_ICMPV6


def _service_of(said: Said, known: dict[tuple, Service], stack: ExitStack) -> Service:
    key = (said.receiver.name, "icmp" if said.kind == "ping" else said.kind, said.v,
           0 if said.kind in ("ping", "icmp") else said.number)
    if key not in known:
        known[key] = Service(said)
        stack.callback(known[key].close)
    return known[key]


# ---- asking

class Outcome(NamedTuple):
    answered: set[Said]
    heard: set[Said]


def ask(first: Sequence[Said], last: Sequence[Said], seconds: float = ONCE) -> Outcome:
    """Ask all at once. The last are expected to be answered; the first not, and would have been by then."""
    with ExitStack() as stack:
        services: dict[tuple, Service] = {}
        going: dict[Said, Asking] = {}
        for said in (*first, *last):
            going[said] = Asking(said, _service_of(said, services, stack))
            stack.callback(going[said].close)
        answered: set[Said] = set()
        began = time.monotonic()
        until, decided = began + seconds, False
        while time.monotonic() < until and len(answered) < len(going):
            for service in services.values():
                service.step()
            answered |= {said for said, asking in going.items() if said not in answered and asking.step()}
            if not decided and answered >= set(last):
                decided, until = True, max(began + QUIET, time.monotonic() + QUIET / 4)
            time.sleep(0.0005)
        return Outcome(answered, {said for said, asking in going.items() if asking.heard})


def settles(*, reached: Sequence[Said] = (), refused: Sequence[Said] = (), seconds: float = PATIENCE) -> float:
    """Those reached are answered and those refused not even heard, soon; returns the seconds until it was so.

    Soon: packets for which Open vSwitch has cached a decision follow a new flow some milliseconds after it is confirmed.
    """
    began = time.monotonic()
    while True:
        asked = time.monotonic()
        found = ask(refused, reached)
        wrong = [f"{said} was refused" for said in reached if said not in found.answered]
        wrong += [f"{said} got through" for said in refused if said in found.heard]
        if not wrong:
            return asked - began
        assert time.monotonic() - began < seconds, "; ".join(wrong)


class Conversation:
    """An established connection (tcp or udp) whose both ends may speak at any time."""

    def __init__(self, said: Said) -> None:
        self.said = said

    def __enter__(self) -> Conversation:
        self._stack = ExitStack()
        self._service = Service(self.said)
        self._stack.callback(self._service.close)
        self._asking = Asking(self.said, self._service, once=True)
        self._stack.callback(self._asking.close)
        assert self._within(self._asking.step, QUIET) or self.both_ways(), f"{self.said} was refused"
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _within(self, condition, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while True:
            self._service.step()
            if condition():
                return True
            if time.monotonic() > until:
                return False
            time.sleep(0.0005)

    def both_ways(self, seconds: float = PATIENCE) -> bool:
        """A word gets there and its echo back."""
        until = time.monotonic() + seconds
        while True:
            self._asking.word = new_word()
            self._speak()
            # What was said over TCP is said again by the kernel; a lost datagram is lost.
            if self._within(self._asking.step, seconds if self.said.kind == "tcp" else QUIET):
                return True
            if time.monotonic() > until:
                return False

    def once(self, seconds: float = PATIENCE) -> bool:
        """A single word, which nobody says again, gets there and its echo back; for datagrams."""
        self._asking.word = new_word()
        self._speak()
        return self._within(self._asking.step, seconds)

    def forward(self, seconds: float = QUIET) -> bool:
        """A word of the client gets to the server."""
        self._asking.word = new_word()
        self._speak()
        return self._within(lambda: self._asking.heard, seconds)

    def back(self, seconds: float = QUIET) -> bool:
        """A word that the server says of itself gets to the client."""
        return self._within(self.unasked(), seconds)

    def unasked(self) -> Callable[[], bool]:
        """The server says a word of itself; whether the client has it by now."""
        self._asking.word = new_word()
        self._service.say(self._asking.word)
        return self._asking.step

    def _speak(self) -> None:
        with suppress(BlockingIOError, ConnectionError):
            self._asking.socket.send(self._asking.word)

    def is_cut(self, seconds: float = PATIENCE) -> bool:
        """Soon nothing passes any more, in either direction."""
        until = time.monotonic() + seconds
        while self.forward() or self.back():
            if time.monotonic() > until:
                return False
        return True
