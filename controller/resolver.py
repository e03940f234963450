"""Other resolvers, asked on behalf of machines: by UDP first and by TCP where the answer is too long for that.

One thread has all questions that are on their way. Each has a socket of its own, connected to the one who is asked, and
a number by chance, so that nobody else can answer it (RFC 5452). Who says nothing is followed by the next; when nobody
has answered, there is no answer.
"""
from __future__ import annotations

import contextlib
import logging
import secrets
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from controller.errands import Done, Workers
from controller.later import Whose
from controller.packet import dns

log = logging.getLogger("hadron.resolver")

PATIENCE = 2.0              # seconds for one of them
MOST, EACH = 512, 32        # questions on their way in all, and of one object
Server = tuple[str, int]
What = tuple[dns.Query, bool]           # a question, and whether by TCP


class _Asked:
    """A question on its way."""

    def __init__(self, query: dns.Query, whose: Whose, done: Done, left: deque[Server]) -> None:
        self.query, self.whose, self.done, self.left = query, whose, done, left
        self.socket: socket.socket | None = None
        self.server: Server | None = None
        self.number = b""
        self.until = 0.0


class Resolver:
    """`servers` are asked in turn, the first first."""

    def __init__(self, servers: Sequence[Server], *, patience: float = PATIENCE,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.servers, self.patience, self.clock = tuple(servers), patience, clock
        self._by_tcp = Workers("dns-tcp", self._ask_by_tcp, threads=4, waiting=64, each=4)
        self._good = 0                          # which of them answered last
        self._of: Counter = Counter()
        self._lock = threading.Lock()
        self._new: deque[_Asked] = deque()
        self._asked: dict[Any, _Asked] = {}
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None
        self._closed = False

    # ---- from the desk
    def take(self, what: What, whose: Whose, done: Done) -> bool:
        """Ask; `done` is called with the answer's bytes or None, by another thread. False: too many are on their way."""
        query, by_tcp = what
        if not self.servers:
            return False
        if by_tcp:
            return self._by_tcp.take((query, self._in_order()), whose, done)
        with self._lock:
            if self._closed or self._of[whose] >= EACH or sum(self._of.values()) >= MOST:
                return False
            self._of[whose] += 1
            self._new.append(_Asked(query, whose, done, deque(self._in_order())))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="resolver", daemon=True)
                self._thread.start()
        with contextlib.suppress(BlockingIOError):
            self._bell.send(b"!")
        return True

    def _in_order(self) -> tuple[Server, ...]:
        """All of them, first the one that answered last."""
        return self.servers[self._good:] + self.servers[:self._good]

    def close(self) -> None:
        self._by_tcp.close()
        with self._lock:
            self._closed = True
        with contextlib.suppress(OSError):
            self._bell.send(b"!")
        if self._thread is not None:
            self._thread.join(timeout=5)

    # ---- the thread
    def _run(self) -> None:
        while not self._closed:
            try:
                self._turn()
            except Exception:
                log.exception("a question could not be asked")
        for one in list(self._asked.values()):
            self._hang_up(one)

    def _turn(self) -> None:
        now = self.clock()
        soonest = min((one.until for one in self._asked.values()), default=now + 60)
        for key, _ in self._selector.select(max(0.0, soonest - now)):
            if key.fileobj is self._ear:
                with contextlib.suppress(BlockingIOError):
                    self._ear.recv(4096)
            elif (one := self._asked.get(key.fileobj)) is not None:
                self._heard(one)
        while self._new:
            self._ask_next(self._new.popleft())
        now = self.clock()
        for one in [one for one in self._asked.values() if one.until <= now]:
            self._ask_next(one)

    def _ask_next(self, one: _Asked) -> None:
        self._hang_up(one)
        while one.left:
            one.server = one.left.popleft()
            one.number = secrets.token_bytes(2)
            try:
                family = socket.AF_INET6 if ":" in one.server[0] else socket.AF_INET
                one.socket = socket.socket(family, socket.SOCK_DGRAM)
                one.socket.setblocking(False)
                one.socket.connect(one.server)
                one.socket.send(one.number + dns.question(one.query)[2:])
            except OSError:
                self._hang_up(one)
                continue
            one.until = self.clock() + self.patience
            self._asked[one.socket] = one
            self._selector.register(one.socket, selectors.EVENT_READ)
            return
        self._finish(one, None)

    def _heard(self, one: _Asked) -> None:
        assert one.socket is not None
        try:
            said = one.socket.recv(65535)
        except BlockingIOError:
            return
        except OSError:                         # nobody listens there
            self._ask_next(one)
            return
        if said[:2] != one.number or not dns.answers(one.query, said):
            return                              # nobody's answer to this: go on listening
        assert one.server is not None
        self._good = self.servers.index(one.server)
        if dns.is_truncated(said):
            self._hang_up(one)
            if self._by_tcp.take((one.query, (one.server,)), one.whose, lambda answer: self._finish(one, answer or said)):
                return
        self._finish(one, said)

    def _hang_up(self, one: _Asked) -> None:
        if one.socket is not None:
            if self._asked.pop(one.socket, None) is not None:
                self._selector.unregister(one.socket)
            one.socket.close()
            one.socket = None

    def _finish(self, one: _Asked, answer: bytes | None) -> None:
        self._hang_up(one)
        with self._lock:
            self._of[one.whose] -= 1
            if not self._of[one.whose]:
                del self._of[one.whose]
        one.done(answer)

    # ---- by TCP, in threads of its own
    def _ask_by_tcp(self, what: tuple[dns.Query, Sequence[Server]]) -> bytes | None:
        query, servers = what
        for server in servers:
            until = self.clock() + self.patience
            number = secrets.token_bytes(2)
            text = number + dns.question(query)[2:]
            try:
                with socket.create_connection(server, timeout=self.patience) as to:
                    to.sendall(len(text).to_bytes(2, "big") + text)
                    length = int.from_bytes(self._receive(to, 2, until), "big")
                    said = self._receive(to, length, until)
            except OSError:
                continue
            if said[:2] == number and dns.answers(query, said):
                return said
        return None

    def _receive(self, sock: socket.socket, size: int, until: float) -> bytes:
        found = b""
        while len(found) < size:
            left = until - self.clock()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
            piece = sock.recv(size - len(found))
            if not piece:
                raise ConnectionError("it hung up")
            found += piece
        return found
