"""Whose turn it is: each party's after the other's, and never too many of one."""
import threading
from types import SimpleNamespace
from typing import Any

from rest.throttle import Allowance
from rest.turns import Parties, Turns


def request(party: str, number: int = 0, at_once: int = 100) -> Any:
    return SimpleNamespace(party=party, number=number, at_once=at_once)


def test_parties_take_turns_however_many_requests_one_has_sent():
    turns = Turns()
    for number in range(5):
        turns.put(request("many", number))
    turns.put(request("few"))
    turns.put(request("other"))
    got = [turns.get() for _ in range(7)]
    assert [one.party for one in got] == ["many", "few", "other", "many", "many", "many", "many"]
    assert [one.number for one in got if one.party == "many"] == [0, 1, 2, 3, 4]
    assert turns.qsize() == 0


def test_one_party_is_served_so_many_times_at_once_and_goes_on_when_one_is_done():
    turns = Turns()
    for number in range(4):
        turns.put(request("many", number, at_once=2))
    turns.put(request("few"))
    assert [turns.get().party for _ in range(3)] == ["many", "few", "many"]
    got: list[Any] = []
    waiting = threading.Thread(target=lambda: got.append(turns.get()))
    waiting.start()
    waiting.join(0.05)
    assert not got and turns.qsize() == 2
    turns.done("many")
    waiting.join(10)
    assert got[0].number == 2


def test_what_belongs_to_nobody_goes_first():
    turns = Turns()
    turns.put(request("many"))
    turns.put("end")
    assert turns.get() == "end"


def test_a_token_counts_for_its_project_once_it_was_good_and_for_the_address_before():
    parties = Parties()
    one, other = (Parties.shown(b"GET / HTTP/1.1\r\nHost: a\r\nX-Auth-Token: %s\r\n\r\n" % token) for token in (b"right", b"wrong"))
    assert one is not None and one != other
    assert one == Parties.shown(b"GET /other HTTP/1.1\r\nx-auth-token:right\r\nHost: a\r\n\r\n")
    assert parties.of(one, "192.0.2.1") == parties.of(other, "192.0.2.1") == parties.of(None, "192.0.2.1") == "192.0.2.1"
    parties.learn(one, "acme")
    assert (parties.of(one, "192.0.2.1"), parties.of(other, "192.0.2.1")) == ("acme", "192.0.2.1")
    for number in range(20_000):
        parties.learn(number, "bolt")
    assert len(parties._projects) <= 10_000


def test_an_allowance_is_so_many_a_second_and_more_after_a_pause():
    now = [0.0]
    allowance = Allowance(2.0, now=lambda: now[0])
    assert [allowance.wait("acme") for _ in range(20)] == [0.0] * 20
    assert allowance.wait("acme") == 0.5
    assert allowance.wait("bolt") == 0.0
    now[0] = 0.5
    assert allowance.wait("acme") == 0.0 and allowance.wait("acme") > 0
    now[0] = 3600.0
    assert [allowance.wait("acme") for _ in range(21)].count(0.0) == 20
