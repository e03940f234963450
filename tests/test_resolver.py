"""Asking other resolvers: who does not answer is followed by the next, and nobody waits for anybody else's."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator

import dns.message
import pytest

from controller.packet import dns as wire
from controller.resolver import EACH, Resolver
from tests.kit.resolver import FakeResolver

WHO, OTHER = ("port", "a"), ("port", "b")


@pytest.fixture
def good() -> Iterator[FakeResolver]:
    made = FakeResolver()
    yield made
    made.close()


def question(name: str = "example.org") -> wire.Query:
    query = wire.read(dns.message.make_query(name, "A").to_wire())
    assert isinstance(query, wire.Query)
    return query


def ask(resolver: Resolver, name: str = "example.org", *, tcp: bool = False) -> bytes | None:
    answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    assert resolver.take((question(name), tcp), WHO, answers.put)
    return answers.get(timeout=20)


def silent() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


@pytest.mark.parametrize("tcp", [False, True])
def test_the_answer_comes_and_a_forged_one_is_not_taken(good: FakeResolver, tcp: bool) -> None:
    resolver = Resolver([("127.0.0.1", good.port)], patience=5)
    answer = ask(resolver, tcp=tcp)
    assert answer is not None and wire.answers(question(), answer) and dns.message.from_wire(answer).answer
    resolver.close()


def test_what_is_too_long_for_a_datagram_is_asked_for_again_by_tcp(good: FakeResolver) -> None:
    resolver = Resolver([("127.0.0.1", good.port)], patience=5)
    answer = ask(resolver, "long.example.org")
    assert answer is not None and len(dns.message.from_wire(answer).answer[0]) == 200
    resolver.close()


def test_who_is_silent_or_not_there_is_followed_by_the_next_who_is_asked_first_from_then_on(good: FakeResolver) -> None:
    mute = silent()
    nobody = silent()
    gone = nobody.getsockname()
    nobody.close()
    resolver = Resolver([mute.getsockname(), gone, ("127.0.0.1", good.port)], patience=0.2)
    assert ask(resolver) is not None
    mute.setblocking(False)
    assert mute.recv(512)
    assert ask(resolver) is not None
    with pytest.raises(BlockingIOError):
        mute.recv(512)
    resolver.close()
    mute.close()


def test_when_nobody_answers_there_is_no_answer_and_only_so_much_is_asked() -> None:
    mute = silent()
    resolver = Resolver([mute.getsockname()], patience=0.3)
    answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    taken = [resolver.take((question(), False), WHO, answers.put) for _ in range(EACH + 5)]
    assert taken == [True] * EACH + [False] * 5
    assert resolver.take((question(), False), OTHER, answers.put)
    assert [answers.get(timeout=20) for _ in range(EACH + 1)] == [None] * (EACH + 1)
    assert resolver.take((question(), False), WHO, answers.put) and answers.get(timeout=20) is None
    resolver.close()
    mute.close()


def test_without_resolvers_nothing_is_asked_and_no_thread_waits() -> None:
    before = threading.active_count()
    resolver = Resolver([])
    assert not resolver.take((question(), False), WHO, print)
    assert threading.active_count() == before
    resolver.close()
