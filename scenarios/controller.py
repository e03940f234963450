"""A real Hadron in a process of its own, for scenarios and tests: started, waited for, killed and started again."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml


def token_of(project: str) -> str:
    """The token with which a project speaks; the project "admin" is the administrator's."""
    return f"{project}-token"


ADMIN = token_of("admin")


def _end_with_parent() -> None:
    """In the child: be told to end when the scenario that started it is gone, however it went."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class NotReady(Exception):
    """Hadron did not come up; the message holds the end of its log."""


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on just now."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


class Hadron:
    """`hadron serve` with a configuration of its own. Tokens: `token_of` each project, and of "admin".

    `address` is where switches connect; REST listens on loopback. The store is a SQLite file in `directory`, so that
    kill() and start() again is what a crash and a restart are. With `tls` (the files certificate, key and ca) all three
    listen with it, and requests are made under `trust`. `environment` is added to its environment.
    """

    def __init__(self, directory: Path, *, address: str = "127.0.0.1", projects: tuple[str, ...] = (),
                 openflow: int = 6653, ovsdb: int = 6640, rest: int | None = None, tls: Mapping[str, str] | None = None,
                 trust: ssl.SSLContext | None = None, environment: Mapping[str, str] = {}, **more: Any) -> None:
        self.directory, self.address, self._tls, self._trust = directory, address, tls, trust
        os.environ.update(no_proxy="*", NO_PROXY="*")       # it is on this machine, whatever proxy leads elsewhere
        self._environment = environment
        self.rest_port = rest or free_port()
        tokens = [{"token": ADMIN, "project_id": "admin", "roles": ["admin"], "user": "admin"}]
        tokens += [{"token": token_of(name), "project_id": name, "roles": ["member"], "user": name} for name in projects]
        self.config: dict[str, Any] = {
            "store": str(directory / "hadron.db"), "rest": self._listener(f"127.0.0.1:{self.rest_port}"),
            "openflow": self._listener(f"{address}:{openflow}"), "ovsdb": self._listener(f"{address}:{ovsdb}"),
            "auth": {"mode": "tokens", "tokens": tokens}, **more}
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def _listener(self, where: str) -> dict[str, Any]:
        return {"listen": where, "tls": dict(self._tls)} if self._tls else {"listen": where, "allow_plain": True}

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.rest_port}"

    @property
    def log(self) -> Path:
        return self.directory / "hadron.log"

    def launch(self) -> None:
        """Start it, and do not wait."""
        file = self.directory / "hadron.yaml"
        file.write_text(yaml.safe_dump(self.config))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controller", "serve", "--config", str(file)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, preexec_fn=_end_with_parent,
                env={**os.environ, **self._environment}, cwd=Path(__file__).resolve().parent.parent)

    def start(self, seconds: float = 30) -> Hadron:
        """Start it and wait until it answers. Raises NotReady."""
        self.launch()
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise NotReady("\n".join(self.log.read_text(errors="replace").splitlines()[-20:]))
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/", timeout=1, context=self._trust) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def computed(self) -> float:
        """Seconds of processor time that it has used since it was started."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """What a crash does: no chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process = None

    def __enter__(self) -> Hadron:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # ---- REST, as somebody
    def request(self, method: str, path: str, body: Any = None, *, token: str = ADMIN) -> tuple[int, Any]:
        """The status and the decoded answer of one request."""
        status, raw = self._exchange(method, path, body, token)
        return status, json.loads(raw or b"null")

    def text(self, path: str, *, token: str = ADMIN) -> str:
        """What is there that is no JSON. Raises RuntimeError if there is nothing."""
        status, raw = self._exchange("GET", path, None, token)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {raw.decode()}")
        return raw.decode()

    def _exchange(self, method: str, path: str, body: Any, token: str) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, {"X-Auth-Token": token}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60, context=self._trust) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def create(self, kind: str, *, token: str = ADMIN, **values: Any) -> dict[str, Any]:
        """POST one object, such as create("network", name="red"); returns it. Raises RuntimeError if it is refused."""
        plural = kind.replace("_", "-") + "s"
        status, answer = self.request("POST", f"/v2.0/{plural}", {kind: values}, token=token)
        if status != 201:
            raise RuntimeError(f"{kind}: {status} {answer}")
        return dict(answer[kind])

    def sdk(self, project: str) -> Any:
        """An openstacksdk connection as a project."""
        import openstack
        return openstack.connect(auth_type="admin_token", auth={"endpoint": self.url, "token": token_of(project)},
                                 load_envvars=False, load_yaml_config=False)
