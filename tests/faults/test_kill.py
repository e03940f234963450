"""kill -9 at random moments under writes: what was acknowledged is there, what was not is there whole or not at all."""
from __future__ import annotations

import http.client
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgpack
import pytest

from scenarios.controller import Hadron
from tests.faults.fabric import until

pytestmark = pytest.mark.root

ROUNDS = 60
WRITERS = 4
BULK = 7
FEW, MANY = 10, 40      # ports of a writer: below it does not delete, above it does not create
KINDS = {"network": "networks", "port": "ports", "security_group_rule": "security-group-rules"}
MOVING = {"status"}     # what changes without a write
# A network's subnets and revision are written with its subnets.
PASSED_OVER = {"network": {"subnets", "revision_number", "updated_at"}}
POOLS = {"network_key": "network", "port_key": "port", "group_key": "security_group"}

Body = dict[str, Any]


class Writer:
    """Writes without pause until the controller is gone. `known`: what was acknowledged, by kind and id."""

    def __init__(self, hadron: Hadron, number: int) -> None:
        self.hadron, self.tag, self.random = hadron, f"writer {number}", random.Random(number)
        self.known: dict[tuple[str, str], Body] = {}
        self.doubt: tuple[str, str, list[Body]] | None = None       # what was asked for when the controller died
        self.count: Counter[str] = Counter()
        self.names = 0
        self.network = hadron.create("network", name=self.tag)["id"]
        hadron.create("subnet", network_id=self.network, cidr=f"10.{number}.0.0/22", ip_version=4)
        self.group = hadron.create("security_group", name=self.tag)["id"]

    # ---- writing

    def write(self) -> None:
        """Until it is gone."""
        while self.doubt is None:
            ports = [id for kind, id in self.known if kind == "port"]
            choices: list[Callable[[], None]] = [self.update, self.rule]
            if len(ports) < MANY:
                choices += [self.create, self.bulk, self.create]
            if len(ports) > FEW:
                choices += [self.delete, self.delete, self.delete]
            self.random.choice(choices)()

    def create(self) -> None:
        if self.random.random() < 0.2:
            self._ask("create", "network", [{"name": self._name(), "description": self.tag}])
        else:
            self._ask("create", "port", [self._port()])

    def bulk(self) -> None:
        self._ask("create", "port", [self._port() for _ in range(BULK)])

    def rule(self) -> None:
        first = self.random.randrange(1, 60000)
        self._ask("create", "security_group_rule", [{
            "security_group_id": self.group, "direction": "ingress", "protocol": "tcp", "port_range_min": first,
            "port_range_max": first + self.names % 5000, "description": self.tag}])

    def update(self) -> None:
        if ports := [id for kind, id in self.known if kind == "port"]:
            self._ask("update", "port", [{"id": self.random.choice(ports), "name": self._name()}])

    def delete(self) -> None:
        kind, id = self.random.choice(list(self.known))
        self._ask("delete", kind, [{"id": id}])

    def _port(self) -> Body:
        return {"network_id": self.network, "name": self._name(), "description": self.tag, "security_groups": [self.group]}

    def _name(self) -> str:
        self.names += 1
        return f"{self.tag}, {self.names}"

    def _ask(self, verb: str, kind: str, bodies: list[Body]) -> None:
        """One request; if no answer comes it is the one in doubt."""
        try:
            self._take(verb, kind, bodies, *self._request(verb, kind, bodies))
            self.count[verb] += len(bodies)
        except (OSError, http.client.HTTPException):
            self.doubt = verb, kind, bodies

    def _request(self, verb: str, kind: str, bodies: list[Body]) -> tuple[int, Any]:
        path = f"/v2.0/{KINDS[kind]}"
        if verb == "create":
            many = {f"{kind}s": bodies} if len(bodies) > 1 else {kind: bodies[0]}
            return self.hadron.request("POST", path, many)
        body, = bodies
        if verb == "delete":
            return self.hadron.request("DELETE", f"{path}/{body['id']}")
        return self.hadron.request("PUT", f"{path}/{body['id']}", {kind: {"name": body["name"]}})

    def _take(self, verb: str, kind: str, bodies: list[Body], status: int, answer: Any) -> None:
        assert status == {"create": 201, "update": 200, "delete": 204}[verb], answer
        if verb == "delete":
            del self.known[kind, bodies[0]["id"]]
            return
        for body in answer[f"{kind}s"] if len(bodies) > 1 else [answer[kind]]:
            self.known[kind, body["id"]] = body

    # ---- holding it against what is there

    def hold(self, found: dict[tuple[str, str], Body]) -> None:
        """`found`: all that is there after the restart."""
        mine = {key: body for key, body in found.items() if body["description"] == self.tag}
        wanted, came = dict(self.known), {key: body for key, body in mine.items() if key not in self.known}
        if self.doubt is not None:
            verb, kind, bodies = self.doubt
            if verb == "create":
                assert len(came) in (0, len(bodies)) and all(one == kind for one, _ in came), f"half of {bodies}: {came}"
            else:
                self._judge_one(verb, (kind, bodies[0]["id"]), bodies[0], wanted, mine)
            self.count["done, not acknowledged" if came or wanted != self.known else "not done"] += 1
        wanted.update(came)
        assert mine.keys() == wanted.keys(), f"lost {wanted.keys() - mine.keys()}, back again {mine.keys() - wanted.keys()}"
        for key, body in wanted.items():
            assert _steady(key[0], mine[key]) == _steady(key[0], body)
        self.known, self.doubt = mine, None

    @staticmethod
    def _judge_one(verb: str, key: tuple[str, str], asked: Body, wanted: dict, mine: dict[tuple[str, str], Body]) -> None:
        """An update or a delete in doubt was done or not: then that is what is wanted."""
        if verb == "delete" and key not in mine:
            del wanted[key]
        elif verb == "update" and key in mine and mine[key]["name"] == asked["name"]:
            wanted[key] = {**wanted[key], **{name: mine[key][name] for name in ("name", "revision_number", "updated_at")}}


def _steady(kind: str, body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in MOVING | PASSED_OVER.get(kind, set())}


def all_there(hadron: Hadron) -> dict[tuple[str, str], Body]:
    found = {}
    for kind, plural in KINDS.items():
        status, answer = hadron.request("GET", f"/v2.0/{plural}")
        assert status == 200
        found.update({(kind, body["id"]): body for body in answer[f"{kind}s"]})
    return found


def assert_unique(found: Iterable[Any]) -> None:
    twice = {one: times for one, times in Counter(found).items() if times > 1}
    assert not twice


def assert_nothing_is_given_twice(found: dict[tuple[str, str], Body]) -> None:
    assert_unique(body["provider:segmentation_id"] for (kind, _), body in found.items() if kind == "network")
    ports = [body for (kind, _), body in found.items() if kind == "port"]
    assert_unique((port["network_id"], fixed["ip_address"]) for port in ports for fixed in port["fixed_ips"])
    assert_unique(port["mac_address"] for port in ports)


def assert_numbers_fit(file: Path) -> None:
    """In the store: every number has the owner that holds it, and nobody else holds it."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
        rows = [(kind, id, msgpack.unpackb(body)) for kind, id, body in db.execute("SELECT kind, id, body FROM documents")]
    owned = {id: body["owner"] for kind, id, body in rows if kind == "number" and body["owner"]}
    held = [(number, id) for kind, id, body in rows for number in _numbers(kind, body)]
    assert_unique(number for number, _ in held)
    assert held and dict(held) == owned


def _numbers(kind: str, body: Body) -> list[str]:
    found = [f"{pool}/{body['key']}" for pool, owner in POOLS.items() if owner == kind]
    if kind == "network":
        found.append(f"segmentation_id/{body['provider:network_type']}/{body['provider:segmentation_id']}")
    return found


def round_of_writes(hadron: Hadron, writers: list[Writer], seconds: float) -> bool:
    """All write at once, and the controller is killed (or, now and then, asked to end) after so many seconds: was it?"""
    threads = [threading.Thread(target=writer.write) for writer in writers]
    for thread in threads:
        thread.start()
    moment = time.monotonic() + seconds
    until(lambda: time.monotonic() > moment)
    killed = int(1000 * seconds) % 7 > 0
    if killed:
        hadron.kill()
    else:
        hadron.stop()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    return killed


@pytest.mark.timeout(900)
def test_what_was_acknowledged_survives_any_kill(tmp_path: Path) -> None:
    chance, starts, kills = random.Random(5), [], 0
    free = dict.fromkeys(("network", "port", "security_group", "security_group_rule", "subnet"), -1)
    hadron = Hadron(tmp_path, openflow=0, ovsdb=0, quotas=free)
    with hadron:
        writers = [Writer(hadron, number) for number in range(1, WRITERS + 1)]
        for _ in range(ROUNDS):
            kills += round_of_writes(hadron, writers, chance.uniform(0, 0.3))
            if chance.random() < 0.1:
                hadron.launch()                     # and killed while it starts
                moment = time.monotonic() + chance.uniform(0, 0.6)
                until(lambda moment=moment: time.monotonic() > moment)
                hadron.kill()
            began = time.monotonic()
            hadron.start()
            starts.append(time.monotonic() - began)
            found = all_there(hadron)
            for writer in writers:
                writer.hold(found)
            assert_nothing_is_given_twice(found)
        objects = len(all_there(hadron))
    assert_numbers_fit(tmp_path / "hadron.db")
    count = sum((writer.count for writer in writers), Counter())
    print(f"\n{kills} kills under writes, {dict(count)}; {objects} objects at the end; start {min(starts):.2f} to {max(starts):.2f} s")
    assert kills >= 50
    assert count["done, not acknowledged"] and count["not done"], "no kill fell between a commit and its answer, or before one"
