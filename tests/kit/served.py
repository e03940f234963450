"""A whole API for tests: served on a port of its own, over a store in memory, with a desk of its own."""
import http.client
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from controller.desk import Desk
from controller.model import Model
from controller.particles import load_all
from controller.store.memory import MemoryStore
from controller.write import Writer
from rest.api import Api
from rest.auth import Anybody, Tokens
from rest.auto_allocation import AutoAllocation
from rest.server import Server

TOKENS = {name: f"token-of-{name}" for name in ("admin", "ann", "rob", "bob", "eve")}
"""ann and rob (who may only read) are of project one, bob of project two, eve of neither."""

_PEOPLE = [("admin", "ops", "admin"), ("ann", "one", "member"), ("rob", "one", "reader"), ("bob", "two", "member"),
           ("eve", "three", "member")]


class Answered(NamedTuple):
    """What the API said: status, JSON (None for no body), headers in lower case."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def error(self) -> dict[str, str]:
        """The NeutronError."""
        return self.body["NeutronError"]


class Client:
    """Speaks for one person over one kept connection."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"X-Auth-Token": token} if token else {}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """One request; a body that is no bytes is sent as JSON. Header names with `_` for `-`."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, raw, {**self._headers, **said})
        answer = self._connection.getresponse()
        data = answer.read()
        return Answered(answer.status, json.loads(data) if data else None,
                        {name.lower(): value for name, value in answer.getheaders()})

    def get(self, path: str, **headers: str) -> Any:
        """What is there; an AssertionError if nothing is."""
        answer = self.ask("GET", path, **headers)
        assert answer.status == 200, answer
        return answer.body

    def create(self, member: str, path: str | None = None, **attributes: Any) -> Any:
        """The object made; attribute names with `__` for `:`."""
        said = {name.replace("__", ":"): value for name, value in attributes.items()}
        answer = self.ask("POST", f"/v2.0/{path or member.replace('_', '-') + 's'}", {member: said})
        assert answer.status == 201, answer
        return answer.body[member]


def together(count: int, work: Callable[[int], Iterable[Any]]) -> list[Any]:
    """What `work(number)` gives in so many threads that begin together; what one raises is among it."""
    found: list[Any] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait()
            for one in work(number):
                found.append(one)
        except Exception as error:   # the thread's only way to say so
            found.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


class Served(NamedTuple):
    """A running API and what is behind it."""

    port: int
    model: Model
    writer: Writer
    desk: Desk

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, name: str | None = None) -> Client:
        """A new connection, for one of TOKENS or, without authentication, for anybody."""
        return Client(self.port, TOKENS[name] if name else None)


@contextmanager
def served(*, tokens: bool = False, store: Any = None, protons: Sequence[Path] = (), **options: Any) -> Iterator[Served]:
    """A running API, stopped at the end. `protons` are directories of users' model files; `options` go to the Api."""
    resources = load_all(["apps", "topology"], protons)
    model = Model(resources)
    writer = Writer(model, resources, store if store is not None else MemoryStore())
    writer.load()
    desk = Desk(on_event=lambda event: None, after_batch=writer.changes.clear, group=writer.group)
    people = [{"token": TOKENS[name], "project_id": project, "roles": [role], "user": name}
              for name, project, role in _PEOPLE]
    api = Api(model=model, writer=writer, call=desk.call, authenticate=Tokens(people) if tokens else Anybody("ops"),
              mounts={"v2.0/auto-allocated-topology": AutoAllocation(writer, desk.call, options.get("without", ())),
                      **options.pop("mounts", {})}, **options)
    server = Server(api, port=0, threads=16)
    desk.start()
    server.start()
    try:
        yield Served(server.port, model, writer, desk)
    finally:
        server.close()
        desk.close()
