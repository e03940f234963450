"""Much is asked for while switches, databases and the controller itself come and go: once it is quiet, all is as it should be."""
from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from scenarios.cloud import Host
from scenarios.namespace import CommandFailed
from tests.faults.fabric import Fabric, Written, until

pytestmark = pytest.mark.root

ROUNDS, SECONDS = 4, 2.5
HOSTS = 3
MOST = 30               # ports of one tenant


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fabric]:
    with Fabric(tmp_path_factory.mktemp("flapping"), hosts=HOSTS) as made:
        yield made


class Tenant:
    """Makes, plugs, moves, changes and deletes ports of its own network, and rules of its own group, at random."""

    def __init__(self, fabric: Fabric, number: int) -> None:
        self.fabric, self.random, self.count = fabric, random.Random(number), Counter[str]()
        self.network = fabric.network(f"tenant {number}", f"10.{number}.0.0/24")
        self.group = fabric.create("security_group", name=f"tenant {number}")["id"]
        self.ports: dict[str, int | None] = {}                  # id -> the host on which it is plugged
        self.rules: list[str] = []

    def work(self, stop: threading.Event) -> None:
        """Until it is told to stop; what the controller does not answer is tried no further."""
        acts = [self.create, self.create, self.delete, self.plug, self.plug, self.plug, self.unplug, self.change,
                self.allow, self.forbid]
        while not stop.is_set():
            act = self.random.choice(acts)
            try:
                act()
                self.count[act.__name__] += 1
            except (OSError, http.client.HTTPException, CommandFailed):
                self.count["in vain"] += 1
                self._look_again()

    def _look_again(self) -> None:
        """The controller, or a database, is away: what has been done is seen when it is back."""
        with suppress(OSError, http.client.HTTPException):
            _, answer = self.fabric.hadron.request("GET", f"/v2.0/ports?network_id={self.network}&fields=id")
            there = {port["id"] for port in answer["ports"]}
            self.ports = {id: self.ports.get(id) for id in there}

    def _ask(self, method: str, path: str, body: object = None) -> dict:
        status, answer = self.fabric.hadron.request(method, f"/v2.0/{path}", body)
        assert status in (200, 201, 204, 404, 409), answer
        return answer or {}

    def create(self) -> None:
        if len(self.ports) < MOST:
            bodies = [{"network_id": self.network, "security_groups": [self.group]} for _ in range(self.random.choice((1, 4)))]
            self.ports.update({port["id"]: None for port in self._ask("POST", "ports", {"ports": bodies})["ports"]})

    def delete(self) -> None:
        if id := self._any():
            self._ask("DELETE", f"ports/{id}")                  # its interface may stay behind
            self.ports.pop(id, None)

    def plug(self) -> None:
        """On any host, even on a second one: the first to be seen holds it."""
        if id := self._any():
            number = self.random.randint(1, HOSTS)
            plug(self.fabric.host(number), id, timeout=1)
            self.ports[id] = number

    def unplug(self) -> None:
        if (id := self._any()) and (number := self.ports[id]):
            self.fabric.host(number).vsctl("--no-wait", "--if-exists", "del-port", f"d{id[:11]}", timeout=1)
            self.ports[id] = None

    def change(self) -> None:
        if id := self._any():
            body = self.random.choice(({"admin_state_up": self.random.random() < 0.7}, {"port_security_enabled": True},
                                       {"binding:host_id": self.random.choice(("", self.fabric.host(1).name))},
                                       {"allowed_address_pairs": [{"ip_address": f"10.9.{self.random.randrange(99)}.1"}]}))
            self._ask("PUT", f"ports/{id}", {"port": body})

    def allow(self) -> None:
        remote = {"remote_group_id": self.group} if self.random.random() < 0.5 else {"remote_ip_prefix": "192.0.2.0/24"}
        first = self.random.randrange(1, 60000)
        body = {"security_group_id": self.group, "direction": "ingress", "protocol": "tcp", "port_range_min": first,
                "port_range_max": first + self.random.randrange(9), **remote}
        if rule := self._ask("POST", "security-group-rules", {"security_group_rule": body}).get("security_group_rule"):
            self.rules.append(rule["id"])

    def forbid(self) -> None:
        if self.rules:
            self._ask("DELETE", f"security-group-rules/{self.rules.pop()}")

    def _any(self) -> str | None:
        return self.random.choice(list(self.ports)) if self.ports else None


class Chaos:
    """Breaks one thing after another, and puts it right again."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric, self.random, self.count = fabric, random.Random(4), Counter[str]()

    def work(self, stop: threading.Event) -> None:
        acts: list[Callable[[], None]] = [self.cut_openflow, self.cut_openflow, self.cut_ovsdb, self.freeze, self.freeze,
                                          self.vanish, self.restart_switch]
        while not stop.is_set():
            act = self.random.choice(acts)
            act()
            self.count[act.__name__.replace("_", " ")] += 1
            stop.wait(self.random.uniform(0, 0.1))

    def restart_controller(self) -> None:
        self.fabric.hadron.kill()
        self.fabric.hadron.start()
        self.count["kill the controller"] += 1

    def cut_openflow(self) -> None:
        self._cut(self.fabric.openflow)

    def cut_ovsdb(self) -> None:
        self._cut(self.fabric.ovsdb)

    def _cut(self, port: int) -> None:
        address = self.fabric.cloud.controller_address
        self._host().run(["ss", "-K", "dst", address, "dport", "=", str(port)])

    def freeze(self) -> None:
        """ovs-vswitchd or ovsdb-server hangs for a moment."""
        if pid := self._host().pid(self.random.choice(("ovs-vswitchd", "ovsdb-server"))):
            os.kill(pid, signal.SIGSTOP)
            self._moment()
            os.kill(pid, signal.SIGCONT)

    def vanish(self) -> None:
        with self.fabric.unreachable(self._host().number):
            self._moment()

    def restart_switch(self) -> None:
        self._host().restart_vswitchd(kill=True)

    def _host(self) -> Host:
        return self.random.choice(self.fabric.cloud.hosts)

    def _moment(self) -> None:
        end = time.monotonic() + self.random.uniform(0, 0.4)
        until(lambda: time.monotonic() > end)


def wait_for_quiet(fabric: Fabric, network: str) -> None:
    """Until every host has told all: a new interface on each, which comes after all that it had to say, is served."""
    body = {"ports": [{"network_id": network} for _ in fabric.cloud.hosts]}
    until(lambda: all(host.pid() for host in fabric.cloud.hosts))
    status, answer = fabric.hadron.request("POST", "/v2.0/ports", body)
    assert status == 201, answer
    last = [port["id"] for port in answer["ports"]]
    for host, id in zip(fabric.cloud.hosts, last, strict=True):
        plug(host, id)

    def served() -> bool:
        _, answer = fabric.hadron.request("GET", f"/v2.0/ports?network_id={network}")
        return {port["status"] for port in answer["ports"] if port["id"] in last} == {"ACTIVE"} and fabric.in_step()

    until(served, within=30, what="all hosts have told all")


def plug(host: Host, id: str, timeout: int = 10) -> None:
    """An interface that is a port's; no machine is behind it."""
    device = f"d{id[:11]}"
    host.vsctl("--no-wait", "--may-exist", "add-port", "br-int", device, "--", "set", "Interface", device, "type=dummy",
               f"external_ids:iface-id={id}", timeout=timeout)


def test_once_it_is_quiet_every_switch_holds_what_it_should(fabric: Fabric) -> None:
    tenants, chaos = [Tenant(fabric, number) for number in (1, 2)], Chaos(fabric)
    last = fabric.network("last")
    for round in range(ROUNDS):
        stop = threading.Event()
        threads = [threading.Thread(target=each.work, args=(stop,)) for each in (*tenants, chaos)]
        for thread in threads:
            thread.start()
        if round % 2:
            end = time.monotonic() + SECONDS / 2
            until(lambda end=end: time.monotonic() > end)
            chaos.restart_controller()
        end = time.monotonic() + SECONDS
        until(lambda end=end: time.monotonic() > end)
        stop.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        wait_for_quiet(fabric, last)
        written = [Written(host) for host in fabric.cloud.hosts]
        status, found = fabric.hadron.request("POST", "/inspect/audit?recompute=1")
        assert status == 200 and found["recompute"]["differ"] == 0, found["recompute"]
        assert fabric.wrong_in(found) == []
        assert [each.lines() for each in written] == [[]] * HOSTS
    held = {one["host"]: one["held"] for one in found["switches"]}
    print(f"\n{dict(sum((tenant.count for tenant in tenants), Counter()))}\n{dict(chaos.count)}\n{held}")
