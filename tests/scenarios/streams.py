"""Established connections of many kinds at once, whose far ends may speak by themselves.

    with streams(client, [near, far]) as all:               # udp, tcp and ping, over IPv4 and IPv6
        assert heard_back(all) == set(all)                   # only the servers speak
        assert soon(lambda: not heard_back(all))
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from scenarios.sockets import socket_in
from tests.kit.frames import checksum
from tests.scenarios.site import Machine
from tests.scenarios.talk import ECHO, PATIENCE, QUIET, Conversation, new_word, tcp, udp

IDENTIFIER = 4711


class Echoes:
    """An exchange of echo requests and replies. The kernels keep out of it: raw sockets say and hear everything."""

    def __init__(self, client: Machine, server: Machine, v: int) -> None:
        self.ends, self.v = (client, server), v
        self.said = f"{client} -> {server}: echo IPv{v}"

    def __enter__(self) -> Echoes:
        family = socket.AF_INET if self.v == 4 else socket.AF_INET6
        protocol = socket.IPPROTO_ICMP if self.v == 4 else socket.IPPROTO_ICMPV6
        self._sockets = [socket_in(end.vm.namespace.name, family, socket.SOCK_RAW, protocol) for end in self.ends]
        assert self.forward(PATIENCE), f"{self.said} was refused"
        return self

    def __exit__(self, *error: object) -> None:
        for each in self._sockets:
            each.close()

    def say(self, word: bytes, by: int) -> None:
        """End `by` (0 the client, 1 the server) says something: a request or a reply."""
        head = struct.pack("!BBHHH", ECHO[self.v][by], 0, 0, IDENTIFIER, 1)
        summed = checksum(head + word) if self.v == 4 else 0            # for IPv6 the kernel does it
        with suppress(OSError):
            self._sockets[by].sendto(head[:2] + struct.pack("!H", summed) + head[4:] + word,
                                     (self.ends[1 - by].address(self.v), 0))

    def hears(self, word: bytes, at: int) -> bool:
        """Whether an end has just heard a word."""
        with suppress(BlockingIOError):
            while True:
                if word in self._sockets[at].recv(65536):
                    return True
        return False

    def forward(self, seconds: float = QUIET) -> bool:
        """A request of the client gets to the server."""
        word, until = new_word(), time.monotonic() + seconds
        self.say(word, 0)
        while not self.hears(word, 1):
            if time.monotonic() > until:
                return False
            time.sleep(0.0005)
        return True

    def both_ways(self, seconds: float = PATIENCE) -> bool:
        """A request gets there, and a reply back."""
        return self.forward(seconds) and bool(heard_back([self], seconds))


Talk = Conversation | Echoes


@contextmanager
def streams(client: Machine, servers: Iterable[Machine], first_port: int) -> Iterator[list[Talk]]:
    """One of each kind from the client to each of the servers, all established."""
    with ExitStack() as stack:
        made: list[Talk] = []
        for v in (4, 6):
            for number, server in enumerate(servers):
                made += [Conversation(tcp(client, server, first_port + number, v)),
                         Conversation(udp(client, server, first_port + number, v)), Echoes(client, server, v)]
        for one in made:
            stack.enter_context(one)
        assert all(one.both_ways() for one in made)
        yield made


def heard_back(talks: Iterable[Talk], seconds: float = QUIET) -> set[Talk]:
    """The servers each say a word; those whose client hears it."""
    waiting: dict[Talk, Callable[[], bool]] = {}
    for one in talks:
        if isinstance(one, Echoes):
            word = new_word()
            one.say(word, 1)
            waiting[one] = lambda one=one, word=word: one.hears(word, 0)        # type: ignore[misc]
        else:
            waiting[one] = one.unasked()
    until, heard = time.monotonic() + seconds, set()
    while len(heard) < len(waiting) and time.monotonic() < until:
        heard |= {one for one, comes in waiting.items() if one not in heard and comes()}
        time.sleep(0.0005)
    return heard


def soon(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether it comes about in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
    return True
