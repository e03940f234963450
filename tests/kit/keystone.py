"""A real Keystone for tests, as a process of its own, and what an administrator does with it."""
from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scenarios.controller import free_port

VENV = Path(os.environ.get("KEYSTONE_VENV", Path(__file__).parents[2] / ".venv-keystone"))
PASSWORD = "password-of-{}"
SECONDS = 90.0


def there() -> bool:
    """Whether `make test` has installed one."""
    return (VENV / "bin" / "python").exists() and any(VENV.glob("lib/python3*/site-packages/keystone"))


class Keystone:
    """A running Keystone; `admin` is a token of its administrator."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.admin = self.token("admin", {"project": {"name": "admin", "domain": {"id": "default"}}})
        self.ids: dict[str, str] = {}           # of projects
        self.users: dict[str, str] = {}
        self.roles = {one["name"]: one["id"] for one in self.ask("GET", "/roles")["roles"]}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request of the administrator's."""
        return self._ask(method, path, body, {"X-Auth-Token": self.admin, **headers})[0]

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[Any, Any]:
        request = urllib.request.Request(f"{self.url}/v3{path}", None if body is None else json.dumps(body).encode(),
                                         {"Content-Type": "application/json", **headers}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = answer.read()
            return json.loads(said) if said else None, answer.headers

    def token(self, name: str, scope: Any = None) -> str:
        """A token; `scope` may be the id of a project."""
        user = {"name": name, "domain": {"id": "default"}, "password": PASSWORD.format(name)}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if scope is not None:
            auth["scope"] = {"project": {"id": scope}} if isinstance(scope, str) else scope
        return str(self._ask("POST", "/auth/tokens", {"auth": auth}, {})[1]["X-Subject-Token"])

    def network(self, url: str) -> None:
        """The network service is there."""
        service = self.ask("POST", "/services", {"service": {"type": "network", "name": "hadron"}})["service"]["id"]
        for interface in ("public", "internal", "admin"):
            self.ask("POST", "/endpoints", {"endpoint": {
                "service_id": service, "interface": interface, "region_id": "RegionOne", "url": url}})

    def project(self, name: str) -> str:
        """A new project; its id."""
        made = self.ask("POST", "/projects", {"project": {"name": name, "domain_id": "default"}})
        self.ids[name] = made["project"]["id"]
        return self.ids[name]

    def user(self, name: str, role: str, project: str | None = None) -> str:
        """A user, new or not, with a role in a project, or in the system; the id."""
        if name not in self.users:
            made = self.ask("POST", "/users", {"user": {"name": name, "domain_id": "default",
                                                        "password": PASSWORD.format(name)}})
            self.users[name] = made["user"]["id"]
        where = f"/projects/{project}" if project else "/system"
        self.ask("PUT", f"{where}/users/{self.users[name]}/roles/{self.roles[role]}")
        return self.users[name]


def options(url: str) -> dict[str, str]:
    """What Hadron's configuration says of a Keystone, where it is the user hadron of project services."""
    return {"auth_url": url, "username": "hadron", "password": PASSWORD.format("hadron"),
            "project_name": "services", "user_domain_id": "default", "project_domain_id": "default"}


@contextmanager
def keystone(directory: Path) -> Iterator[Keystone]:
    """A Keystone with an empty database, stopped at the end."""
    port = free_port()
    with open(directory / "output", "wb") as output:
        process = subprocess.Popen(
            [str(VENV / "bin" / "python"), "-P", str(Path(__file__).with_name("keystone_process.py")), str(directory), str(port),
             PASSWORD.format("admin")], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={"PATH": os.environ["PATH"], "HOME": str(directory)})
    try:
        deadline = time.monotonic() + SECONDS
        while not _answers(f"http://127.0.0.1:{port}/v3"):
            assert process.poll() is None and time.monotonic() < deadline, (directory / "output").read_text()[-2000:]
            time.sleep(0.1)
        yield Keystone(port)
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False
