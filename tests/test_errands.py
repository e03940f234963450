"""Answers that take their time: threads that do errands, and to whom what they bring goes."""

from __future__ import annotations

import queue
import threading
from types import SimpleNamespace
from typing import Any

from controller.app import Ask
from controller.errands import Errands, Workers
from controller.fetching import fetch
from controller.later import Later, Means, Told
from tests.kit.nova import FakeNova

WHO, OTHER = ("port", "a"), ("port", "b")


def test_an_errand_is_done_elsewhere_and_its_answer_goes_to_the_desk() -> None:
    posted: queue.SimpleQueue[Told] = queue.SimpleQueue()
    errands = Errands(posted.put, {"double": Workers("double", lambda what: (what * 2, threading.current_thread().name))})
    found: list[Any] = []
    errands.run("double", 21, WHO, found.append)
    told = posted.get(timeout=10)
    assert not found
    told.done(told.answer)
    assert found == [(42, "double-0")]
    errands.run("nothing of the kind", 1, WHO, found.append)
    assert found[-1] is None
    errands.close()


def test_one_that_fails_has_no_answer_and_the_next_is_done() -> None:
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    workers = Workers("divide", lambda what: 1 // what, threads=1)
    for what in (0, 1):
        assert workers.take(what, WHO, answers.put)
    assert [answers.get(timeout=10) for _ in range(2)] == [None, 1]
    workers.close()


def test_each_may_have_so_many_on_their_way_and_all_so_many() -> None:
    go, answers = threading.Event(), queue.SimpleQueue[Any]()
    workers = Workers("wait", lambda what: go.wait(30), threads=2, waiting=6, each=4)
    assert [workers.take(0, WHO, answers.put) for _ in range(6)] == [True] * 4 + [False] * 2
    taken = [workers.take(0, OTHER, answers.put) for _ in range(4)]
    assert taken == [True] * 4                                  # two are being done, six wait
    assert not workers.take(0, ("port", "c"), answers.put)
    go.set()
    assert [answers.get(timeout=10) for _ in range(8)] == [True] * 8
    assert workers.take(0, WHO, answers.put) and answers.get(timeout=10)
    workers.close()


def test_what_comes_late_goes_only_to_who_is_still_there() -> None:
    rows, at, asked = {WHO: "row"}, {WHO: ("s1", 1)}, []
    model = SimpleNamespace(get=lambda kind, id: rows.get((kind, id)))
    later = Later(model, None, print, Means(lambda: 0.0, b"s", lambda *said: asked.append(said[3]),
                                            lambda kind, id: at.get((kind, id))))
    given: list[Any] = []
    for _ in range(3):
        later.ask(WHO, ("s1", 1), Ask("x", "y", lambda told: [told]), given.extend)
    asked[0]("first")
    at[WHO] = ("s2", 1)
    asked[1]("second")
    at[WHO] = ("s1", 1)
    rows.clear()
    asked[2]("third")
    assert given == ["first"]


def test_a_service_outside_is_asked_and_what_it_may_not_say_is_kept_from_machines() -> None:
    nova = FakeNova("secret")

    def ask(url: str, path: str = "/x") -> Any:
        return fetch(SimpleNamespace(url=url, method="GET", target=path, headers=(("X-A", "b"),), body=b""))

    try:
        assert ask(nova.url).status == 400                      # nobody says whose it is
        assert ask("http://127.0.0.1:1") is None and ask("http://name.invalid") is None
    finally:
        nova.close()
