"""The real `openstack` command, run in this process: its own shell and plugins, loaded once instead of for each line."""
from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import openstack
from openstackclient.shell import OpenStackShell
from osc_lib.clientmanager import ClientCache, ClientManager

_SHOWS = ("create", "show", "list", "issue")


class Openstack:
    """Runs the command against one endpoint; without a url, against the one of the catalog."""

    def __init__(self, url: str, *auth: str) -> None:
        self._words = [*(["--os-endpoint", url] if url else []), *auth]

    @classmethod
    def by_token(cls, url: str, token: str | None = None) -> Openstack:
        """Speaks to a network endpoint, with a token or without any authentication."""
        return cls(url, *(["--os-auth-type", "admin_token", "--os-token", token] if token else ["--os-auth-type", "none"]))

    @classmethod
    def by_password(cls, auth_url: str, name: str, password: str, project: str | None = None, *more: str) -> Openstack:
        """Logs in first, and finds the network in the catalog."""
        scope = ["--os-project-name", project, "--os-project-domain-name", "Default"] if project else []
        return cls("", "--os-auth-type", "password", "--os-auth-url", auth_url, "--os-username", name,
                   "--os-password", password, "--os-user-domain-name", "Default", *scope, *more)

    def __call__(self, line: str, *more: str) -> Any:
        """What a command prints, as JSON where it shows or lists something."""
        status, shown, wrong = self.run(*line.split(), *more)
        assert status == 0, f"{line}: {wrong}"
        return shown

    def fails(self, line: str) -> str:
        """What a command that fails says."""
        status, shown, wrong = self.run(*line.split())
        assert status != 0, shown
        return wrong

    def run(self, *words: str) -> tuple[int, Any, str]:
        """Exit status, what it prints (as JSON where it shows or lists something), and what it says is wrong."""
        shows = any(one in words for one in _SHOWS)
        status, out, wrong = self._run([*words, *(["-f", "json"] if shows else [])])
        return status, json.loads(out) if shows and not status and out.strip() else out, wrong

    def _run(self, words: list[str]) -> tuple[int, str, str]:
        for known in vars(ClientManager).values():
            if isinstance(known, ClientCache):           # a client of whom the last command spoke to
                known._handle = None
        out, wrong = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(wrong):
            try:
                status = OpenStackShell().run([*self._words, *words])
            except SystemExit as left:                   # the parser's way to say that the words are wrong
                status = left.code if isinstance(left.code, int) else 1
        return status, out.getvalue(), wrong.getvalue()


def connection(url: str, token: str | None = None) -> Any:
    """openstacksdk's connection to a network endpoint, with a token or without any authentication."""
    auth = {"endpoint": url, **({"token": token} if token else {})}
    return openstack.connect(auth_type="admin_token" if token else "none", auth=auth, load_envvars=False, load_yaml_config=False)
