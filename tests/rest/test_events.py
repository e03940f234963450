"""/v2.0/events: what happens, to whom it may be told, in order, without gap or repeat."""
from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rest.feed import place_of
from tests.rest.fabric import TOKENS, Fabric, fabric
from tests.rest.listening import Listener


@pytest.fixture
def listen(cloud: Fabric) -> Iterator[Any]:
    made: list[Listener] = []

    def start(who: str = "acme", query: str = "", **headers: str) -> Listener:
        made.append(Listener(cloud, who, query, **headers))
        assert made[-1].answer.status == 200, made[-1].answer.read()
        return made[-1]
    yield start
    for one in made:
        one.close()


def test_what_is_created_changed_and_deleted_is_told_in_order(cloud: Fabric, listen: Any) -> None:
    listener = listen()
    assert listener.answer.headers.get_content_type() == "text/event-stream"
    assert listener.next().event == "begin"
    network = cloud.as_acme.create("network", name="one")
    cloud.as_acme.ask("PUT", f"/v2.0/networks/{network['id']}", {"network": {"name": "two"}})
    cloud.as_acme.ask("DELETE", f"/v2.0/networks/{network['id']}")
    told = [listener.next() for _ in range(3)]
    assert [(one.event, one.data["resource"], one.data["id"]) for one in told] == [
        (verb, "network", network["id"]) for verb in ("created", "updated", "deleted")]
    assert [one.data["network"]["name"] for one in told] == ["one", "two", "two"]
    assert told[0].data["network"]["project_id"] == "acme"
    places = [place_of(one.id) for one in told]
    assert places == sorted(set(places))


def test_a_project_hears_of_its_own_and_of_what_is_shared_with_it(cloud: Fabric, listen: Any) -> None:
    bolt, ops = listen("bolt"), listen("ops")
    assert bolt.next().event == ops.next().event == "begin"
    secret = cloud.as_acme.create("network", name="secret")
    shared = cloud.as_ops.create("network", name="everybodys", shared=True)
    own = cloud.as_bolt.create("network", name="own")
    assert [(one := bolt.next()).event, one.data["network"]["name"]] == ["created", "everybodys"]
    assert bolt.next().data["network"]["name"] == "own"
    cloud.as_ops.ask("DELETE", f"/v2.0/networks/{shared['id']}")
    gone = bolt.next()
    assert (gone.event, gone.data["id"]) == ("deleted", shared["id"])
    heard = [ops.next() for _ in range(3)]
    assert [one.data["id"] for one in heard if one.data["resource"] == "network"][0] == secret["id"]
    assert own["id"] not in (secret["id"], shared["id"])
    assert "provider:segmentation_id" not in gone.data["network"] and "provider:segmentation_id" in heard[0].data["network"]


def test_who_comes_back_goes_on_where_it_was(cloud: Fabric, listen: Any) -> None:
    first = listen()
    begin = first.next()
    group = cloud.as_acme.create("security_group", name="many")          # a commit with several events
    ids = [cloud.as_acme.create("network", name=f"n{number}")["id"] for number in range(5)]
    whole = []
    while not whole or whole[-1].data["id"] != ids[-1]:
        whole.append(first.next())
    assert len(whole) > 6 and any(one.data["id"] == group["id"] for one in whole)
    for at, seen in enumerate([begin, *whole[:-1]]):
        for again in (listen(query=f"?since={seen.id}"), listen(**{"Last-Event-ID": seen.id})):
            assert again.next().event == "begin"
            assert [again.next() for _ in whole[at:]] == whole[at:]
            again.close()


def test_only_some_kinds_are_told_if_asked_for(cloud: Fabric, listen: Any) -> None:
    listener = listen(query="?resource=subnet,port")
    assert listener.next().event == "begin"
    network = cloud.as_acme.create("network")
    cloud.as_acme.create("port", network_id=network["id"])
    assert listener.next().data["resource"] == "port"


@pytest.mark.parametrize(("query", "named"), [("?since=x", "since"), ("?since=999999999", "since"), ("?resource=unicorn", "resource"),
                                              ("?colour=red", "colour"), ("?resource=agent", "resource")])
def test_what_cannot_be_meant_is_refused(cloud: Fabric, query: str, named: str) -> None:
    refused = cloud.as_acme.ask("GET", f"/v2.0/events{query}")
    assert refused.status == 400 and named in refused.error["message"]


def test_only_reading_is_allowed_and_only_to_who_is_somebody(cloud: Fabric) -> None:
    assert cloud.as_acme.ask("POST", "/v2.0/events").status == 405
    assert cloud.as_acme.ask("GET", "/v2.0/events/x").status == 404
    connection = http.client.HTTPConnection("127.0.0.1", cloud.hadron.rest.port, timeout=20)
    connection.request("GET", "/v2.0/events")
    assert connection.getresponse().status == 401


def test_a_reader_that_reads_nothing_holds_up_nobody(cloud: Fabric, listen: Any) -> None:
    """Its socket is full, and the others hear at once; it loses nothing when it reads again."""
    silent = socket.create_connection(("127.0.0.1", cloud.hadron.rest.port))
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    silent.sendall(f"GET /v2.0/events HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {TOKENS['acme']}\r\n\r\n".encode())
    cloud.until(lambda: len(cloud.hadron.events._streams) > 0)
    network = cloud.as_acme.create("network", name="talked of")
    listener = listen(query="?resource=network")
    assert listener.next().event == "begin"
    count = 150
    for number in range(count):
        changed = cloud.as_acme.ask("PUT", f"/v2.0/networks/{network['id']}", {"network": {"description": f"{number} {'x' * 200}"}})
        assert changed.status == 200
    heard = [listener.next() for _ in range(count)]
    assert [one.data["network"]["description"].split(" ")[0] for one in heard] == [str(number) for number in range(count)]
    most = max(len(stream.out) for stream in cloud.hadron.events._streams)
    assert most < 1 << 18, "what waits for one reader is bounded"
    silent.settimeout(20)
    text = b""
    while f"{count - 1} xxx".encode() not in text:
        text += silent.recv(1 << 16)
    assert text.count(b"event: updated") == count
    silent.close()


def test_streams_take_no_thread_of_the_listener(cloud: Fabric, listen: Any) -> None:
    streams = [listen(query="?resource=network") for _ in range(60)]
    assert all(one.next().event == "begin" for one in streams)
    network = cloud.as_acme.create("network", name="for all")
    assert {one.next().data["id"] for one in streams} == {network["id"]}


def test_a_restart_of_the_controller_makes_no_gap_and_no_repeat(tmp_path: Path) -> None:
    store = str(tmp_path / "hadron.db")
    with fabric(store=store) as cloud:
        first = Listener(cloud, "acme", "?resource=network")
        assert first.next().event == "begin"
        ids = [cloud.as_acme.create("network", name=f"n{number}")["id"] for number in range(3)]
        seen = [first.next() for _ in range(2)]
        cloud.as_acme.ask("DELETE", f"/v2.0/networks/{ids[0]}")
        first.close()
    with fabric(store=store) as cloud:
        again = Listener(cloud, "acme", "?resource=network", **{"Last-Event-ID": seen[1].id})
        assert again.next().event == "begin"
        later = cloud.as_acme.create("network", name="later")["id"]
        told = [again.next() for _ in range(3)]
        assert [(one.event, one.data["id"]) for one in told] == [("created", ids[2]), ("deleted", ids[0]), ("created", later)]
        again.close()
