"""A Hadron with users of its own, for tests: who they are, their passwords, and how they ask for tokens."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controller.config import read
from controller.main import Hadron
from rest.passwords import hashed
from tests.kit.served import Answered, Client

CHEAP = (10, 8, 1)
PASSWORD = "correct horse of {}"
_PEOPLE: dict[str, dict[str, Any]] = {
    "root": {"projects": {"admin": ["admin"]}, "system": ["admin"]},
    "auditor": {"system": ["reader"]},
    "mia": {"projects": {"red": ["manager"]}},
    "ann": {"projects": {"red": ["member"], "blue": ["reader"]}},
    "rob": {"projects": {"red": ["reader"]}},
    "bob": {"projects": {"blue": ["member"]}},
    "nova": {"projects": {"service": ["service"]}}}


def users() -> list[dict[str, Any]]:
    """The entries of the configuration."""
    return [{"name": name, "password": hashed(PASSWORD.format(name), CHEAP), **entry} for name, entry in _PEOPLE.items()]


class Town:
    """A running Hadron whose users are _PEOPLE."""

    def __init__(self, hadron: Hadron) -> None:
        assert hadron.identity is not None
        self.hadron, self.port, self.rest_port = hadron, hadron.identity.port, hadron.rest.port
        self.url = f"http://127.0.0.1:{self.port}"

    def client(self, token: str | None = None) -> Client:
        """A connection to the identity endpoint."""
        return Client(self.port, token)

    def log_in(self, name: str, scope: Any = None, password: str | None = None) -> Answered:
        """The answer to a request for a token; `scope` may be the name of a project."""
        user = {"name": name, "domain": {"name": "Default"}, "password": PASSWORD.format(name) if password is None else password}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if scope is not None:
            named = {"project": {"name": scope, "domain": {"id": "default"}}}
            auth["scope"] = named if isinstance(scope, str) and scope != "unscoped" else scope
        return self.client().ask("POST", "/v3/auth/tokens", {"auth": auth})

    def token(self, name: str, scope: Any = None) -> str:
        """A token."""
        answer = self.log_in(name, scope)
        assert answer.status == 201, answer
        return answer.headers["x-subject-token"]

    def network(self, name: str, scope: Any = None) -> Client:
        """A connection to the network API with a token."""
        return Client(self.rest_port, self.token(name, scope))


@contextmanager
def town(store: str = "memory", **auth: Any) -> Iterator[Town]:
    """A Town on free ports, stopped at the end."""
    config = {"store": store, "rest": "127.0.0.1:0", "openflow": "127.0.0.1:0", "ovsdb": "127.0.0.1:0",
              "identity": "127.0.0.1:0", "auth": {"mode": "identity", "users": users(), "projects": ["empty"], **auth}}
    hadron = Hadron(read(config)).start()
    try:
        yield Town(hadron)
    finally:
        hadron.close()
