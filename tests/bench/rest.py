"""REST: ports made, shown, listed and deleted, by one client and by eight at once, against a real `hadron serve` on SQLite;
then 2 000 ports made by fifty clients at once, and a list of 50 000.

Every write is on the disk before it is answered (synchronous=FULL). The clients are processes of their own, so on a
machine of two cores they take time from the server, as they do for the peers; `server_ms` is what the server itself
computes for each request.
"""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from scenarios.controller import ADMIN, Hadron, free_port
from tests.bench.many import create_ports, make_network

CLIENTS = 8
CROWD, CREATES = 50, 2000
BULK = 100
MANY = 50_000


def run(*, quick: bool = False) -> list[dict[str, Any]]:
    sizes, scale = ((0, 200), 0.1) if quick else ((0, 1000, 5000), 1.0)
    found = []
    with tempfile.TemporaryDirectory() as directory, \
            Hadron(Path(directory), openflow=free_port(), ovsdb=free_port(), quotas={"port": -1}) as hadron:
        network = make_network(hadron)
        for before, size in zip((0, *sizes), sizes, strict=False):
            create_ports(hadron, network, size - before)
            with Crew(hadron) as crew:
                found.append({"ports": size, **measure(crew, hadron, network, size, scale)})
            print(f"  {size} ports: {json.dumps(found[-1])}", file=sys.stderr, flush=True)
        with Crew(hadron, CROWD) as crew:
            found.append(crowd(crew, hadron, network, sizes[-1], scale))
        create_ports(hadron, network, int(MANY * scale) - sizes[-1] - int(CREATES * scale))
        with Crew(hadron) as crew:
            found.append({"ports": int(MANY * scale), "list": crew.have(1, 5, "GET", ["/v2.0/ports"])[0]})
    return found


def crowd(crew: Crew, hadron: Hadron, network: str, size: int, scale: float) -> dict[str, Any]:
    """Ports made by fifty clients at once. RuntimeError if one was refused, or anything is there twice."""
    took, made = crew.have(CROWD, int(CREATES * scale), "POST", ["/v2.0/ports"], {"port": {"network_id": network}}, 201)
    _, answer = hadron.request("GET", "/v2.0/ports?fields=mac_address&fields=fixed_ips")
    for what in ("mac_address", "fixed_ips"):
        if len({str(port[what]) for port in answer["ports"]}) != size + len(made):
            raise RuntimeError(f"two ports have the same {what}")
    return {"ports": size, f"{CROWD}_clients": {"post": took}}


def measure(crew: Crew, hadron: Hadron, network: str, size: int, scale: float) -> dict[str, Any]:
    """The same questions by one client and by all."""
    _, answer = hadron.request("GET", "/v2.0/ports?limit=500&fields=id")
    some = [port["id"] for port in answer["ports"]]
    port, ports = {"port": {"network_id": network}}, {"ports": [{"network_id": network}] * BULK}
    found: dict[str, Any] = {}
    for clients in (1, CLIENTS):
        each = 1 if clients == 1 else 2              # eight clients: twice as many requests, shared by them
        here: dict[str, Any] = {}
        here["post"], made = crew.have(clients, int(400 * each * scale), "POST", ["/v2.0/ports"], port, 201)
        here["get"], _ = crew.have(clients, int(1000 * each * scale), "GET", [f"/v2.0/ports/{id}" for id in some or made])
        here["delete"], _ = crew.have(clients, len(made), "DELETE", [f"/v2.0/ports/{id}" for id in made], None, 204)
        if size:
            here["list"], _ = crew.have(clients, max(clients, int(24 * each * scale)), "GET", ["/v2.0/ports"])
        here["bulk_of_100"], made = crew.have(clients, max(clients, int(16 * each * scale)), "POST", ["/v2.0/ports"], ports, 201)
        crew.have(clients, len(made), "DELETE", [f"/v2.0/ports/{id}" for id in made], None, 204)
        found["one_client" if clients == 1 else f"{clients}_clients"] = here
    return found


class Crew:
    """Clients that are connected and wait for orders."""

    def __init__(self, hadron: Hadron, count: int = CLIENTS) -> None:
        self.hadron = hadron
        self.clients = [subprocess.Popen([sys.executable, "-m", "tests.bench.caller"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True) for _ in range(count)]
        for client in self.clients:
            self._tell(client, {"address": ["127.0.0.1", hadron.rest_port], "token": ADMIN})

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for client in self.clients:
            client.kill()
            client.communicate()

    @staticmethod
    def _tell(client: subprocess.Popen[str], what: Any) -> None:
        assert client.stdin is not None
        client.stdin.write(json.dumps(what) + "\n")
        client.stdin.flush()

    @staticmethod
    def _hear(client: subprocess.Popen[str]) -> str:
        assert client.stdout is not None
        line = client.stdout.readline()
        if not line:
            raise RuntimeError("a client failed; its words are above")
        return line

    def have(self, clients: int, count: int, method: str, paths: list[str], body: Any = None,
             wanted: int = 200) -> tuple[dict[str, Any], list[str]]:
        """Have so many requests made in all, by so many clients at once; what it took, and the ids that were made."""
        paths = (paths * (count // len(paths) + 1))[:count]
        crew = self.clients[:clients]
        for number, client in enumerate(crew):
            self._tell(client, {"method": method, "paths": paths[number::clients], "body": body, "wanted": wanted})
        for client in crew:
            self._hear(client)
        before = self.hadron.computed()
        for client in crew:
            self._tell(client, "go")
        told = [json.loads(self._hear(client)) for client in crew]
        used = self.hadron.computed() - before
        times = sorted(time for each in told for time in each["times"])
        took = max(each["ended"] for each in told) - min(each["began"] for each in told)
        made = [id for each in told for id in each["made"]]
        return {"p50_ms": ms(times, 0.5), "p95_ms": ms(times, 0.95), "max_ms": ms(times, 1.0),
                "a_second": round(len(times) / took, 1), "server_ms": round(1000 * used / len(times), 2)}, made


def ms(times: list[float], part: float) -> float:
    """The time in milliseconds that so large a part of the sorted `times` keeps below."""
    return round(1000 * times[min(len(times) - 1, int(len(times) * part))], 2)


if __name__ == "__main__":
    json.dump(run(quick="--quick" in sys.argv), sys.stdout, indent=1)
