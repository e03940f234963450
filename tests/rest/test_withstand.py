"""What a whole Hadron withstands of its clients: thousands of writes at once, thousands of silent connections, guesses, floods.

Slow, half-open and malformed ones, and the limits of headers and bodies: `test_server.py`.
"""
from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import pytest

from scenarios.controller import Hadron, free_port, token_of
from tests.kit.served import Answered, Client, together
from tests.rest.fabric import TOKENS, Fabric, fabric

HERE = Path(__file__).resolve().parent.parent.parent
CLIENTS, CREATES = 50, 2000
QUOTAS = {"port": 800, "network": 70}             # for each of two projects: both are passed
IDLE = 10_000


def test_two_thousand_creates_of_fifty_clients_give_nothing_twice_and_keep_to_the_quotas() -> None:
    with fabric(quotas=QUOTAS) as running:
        networks = {who: client.create("network") for who, client in (("acme", running.as_acme), ("bolt", running.as_bolt))}
        for who, network in networks.items():
            Client(running.hadron.rest.port, TOKENS[who]).create(
                "subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/20")

        def work(number: int) -> Iterator[Answered]:
            who = ("acme", "bolt")[number % 2]
            client = Client(running.hadron.rest.port, TOKENS[who])
            port = {"port": {"network_id": networks[who]["id"]}}
            for turn in range(CREATES // CLIENTS):
                yield client.ask("POST", *(("/v2.0/networks", {"network": {}}) if turn % 10 == 9 else ("/v2.0/ports", port)))

        answers = together(CLIENTS, work)
        assert len(answers) == CREATES
        assert {one.status for one in answers} == {201, 409}
        assert {one.error["type"] for one in answers if one.status == 409} == {"OverQuota"}
        for kind, most in QUOTAS.items():
            made = [one.body[kind] for one in answers if one.status == 201 and kind in one.body]
            extra = 2 if kind == "network" else 0
            assert Counter(one["project_id"] for one in made) == {"acme": most - extra // 2, "bolt": most - extra // 2}
        nothing_is_there_twice(running)


def nothing_is_there_twice(running: Fabric) -> None:
    rows = running.hadron.model.rows
    for values in ([port.mac_address for port in rows["port"].values()],
                   [(port.network_id, port.fixed_ips[0].ip_address) for port in rows["port"].values()],
                   [port.key for port in rows["port"].values()],
                   [(one.provider_network_type, one.provider_segmentation_id) for one in rows["network"].values()]):
        assert max(Counter(values).values()) == 1


@contextmanager
def crowd(port: int, count: int, token: str, path: str, *how: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """So many clients of another process, who have all been answered once; and what makes them go and tell."""
    process = subprocess.Popen([sys.executable, "-m", "tests.kit.crowd", str(port), str(count), token, path, *how], cwd=HERE,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stdout.readline() == "ready\n"
        yield lambda: json.loads(process.communicate(timeout=60)[0])
    finally:
        process.kill()
        process.communicate()


SERVER = """
import sys
from rest.server import Server
from tests.kit.crowd import allow_files
allow_files(int(sys.argv[1]))
def app(environ, start):
    start("200 OK", [("Content-Length", "2")])
    return [b"{}"]
server = Server(app, port=0)
server.start()
print(server.port, flush=True)
sys.stdin.read()
"""


def test_ten_thousand_connections_that_say_nothing_are_kept_while_others_are_served() -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(2 * IDLE)], cwd=HERE, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        port = int(server.stdout.readline())
        with crowd(port, IDLE, "a-token", "/") as told:
            times = []
            for _ in range(50):
                began = monotonic()
                assert Client(port).ask("GET", "/").status == 200
                times.append(monotonic() - began)
            found = told()
        assert found["connected"] == IDLE and found["statuses"] == {"200": IDLE}
        assert median(times) < 1
    finally:
        server.kill()
        server.communicate()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hadron]:
    """A controller of its own process, with two tenants who have ports."""
    with Hadron(tmp_path_factory.mktemp("town"), projects=("acme", "bolt"), openflow=free_port(), ovsdb=free_port(),
                store="memory") as hadron:
        for who in ("acme", "bolt"):
            network = hadron.create("network", token=token_of(who))["id"]
            hadron.create("subnet", token=token_of(who), network_id=network, ip_version=4, cidr="10.0.0.0/20")
            status, _ = hadron.request("POST", "/v2.0/ports", {"ports": [{"network_id": network}] * 100}, token=token_of(who))
            assert status == 201
        yield hadron


def test_a_tenant_who_floods_waits_behind_itself_and_not_before_others(town: Hadron) -> None:
    client, times = Client(town.rest_port, token_of("bolt")), []
    with crowd(town.rest_port, 400, token_of("acme"), "/v2.0/ports", "flood") as told:
        for _ in range(20):
            began = monotonic()
            assert client.ask("GET", "/v2.0/ports").status == 200
            times.append(monotonic() - began)
        found = told()
    assert set(found["statuses"]) <= {"200", "429"}
    assert median(times) < found["median"] / 2


def test_a_tenant_who_asks_more_than_its_share_for_long_is_told_to_wait_and_nobody_else_is() -> None:
    with fabric(requests_per_second=0.5) as running:
        answers = [running.as_acme.ask("GET", "/v2.0/networks") for _ in range(30)]
        refused = [one for one in answers if one.status == 429]
        assert answers[0].status == 200 and refused
        assert refused[0].error["type"] == "TooManyRequests" and int(refused[0].headers["retry-after"]) >= 1
        assert running.as_bolt.ask("GET", "/v2.0/networks").status == 200
        assert {running.as_ops.ask("GET", "/v2.0/networks").status for _ in range(30)} == {200}


def test_who_guesses_tokens_is_slowed_down_and_who_has_one_goes_on(town: Hadron) -> None:
    guesser = [Client(town.rest_port, f"guess-number-{number}") for number in range(40)]
    right = Client(town.rest_port, token_of("bolt"))
    assert right.ask("GET", "/v2.0/networks").status == 200
    answers = [client.ask("GET", "/v2.0/networks") for client in guesser]
    assert answers[0].status == 401 and answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert right.ask("GET", "/v2.0/networks").status == 200
