"""The real `openstack` command, run in this process: its own shell and plugins, loaded once instead of for each line."""
from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from openstackclient.shell import OpenStackShell
from osc_lib.clientmanager import ClientCache, ClientManager

_SHOWS = ("create", "show", "list", "issue")


class Openstack:
    """Runs the command against one endpoint; without a url, against the one of the catalog."""

    def __init__(self, url: str, *auth: str) -> None:
        self._words = [*(["--os-endpoint", url] if url else []), *auth]

    def __call__(self, line: str, *more: str) -> Any:
        """What a command prints, as JSON where it shows or lists something."""
        words = [*line.split(), *more]
        shows = any(one in words for one in _SHOWS)
        status, out, wrong = self._run([*words, *(["-f", "json"] if shows else [])])
        assert status == 0, f"{line}: {wrong}"
        return json.loads(out) if shows and out.strip() else out

    def fails(self, line: str) -> str:
        """What a command that fails says."""
        status, out, wrong = self._run(line.split())
        assert status != 0, out
        return wrong

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
