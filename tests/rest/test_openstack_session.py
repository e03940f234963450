"""A long session of the real `openstack` command over all that is served: exit codes, columns, what is shown and refused."""
from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from rest.extensions import EXTENSIONS
from tests.kit.openstack import Openstack
from tests.rest.devstack import PASSWORD, Devstack

COMMANDS = Path(__file__).with_name("openstack_commands.yaml")
COLUMNS = Path(__file__).with_name("openstack_columns.yaml")
UNTRIED = Path(__file__).with_name("openstack_untried.yaml")
_SORTED = "Name", "Network Name", "Type"


def lines() -> list[dict[str, Any]]:
    """The commands, each as a mapping."""
    said = [one if isinstance(one, dict) else {"do": one} for one in yaml.safe_load(COMMANDS.read_text())]
    return [one for one in said if one.get("with", "quotas") in EXTENSIONS]


class Session:
    """Says the commands one after the other and remembers what they have shown."""

    def __init__(self, openstack: Openstack) -> None:
        self._openstack = openstack
        self._named: dict[str, Any] = {}
        self.columns: dict[str, list[str]] = {}

    def say(self, line: dict[str, Any]) -> str:
        """What is wrong with how one was answered; nothing if it is right."""
        words = shlex.split(re.sub(r"{([\w .]+)}", lambda found: self._value(found[1]), line["do"]))
        status, shown, wrong = self._openstack.run(*words)
        if "fails" in line:
            return "" if status and line["fails"] in wrong else f"status {status}, {wrong or shown}"
        if status:
            return f"status {status}: {wrong}"
        self._named[line.get("as", "")] = shown
        self._note(words, shown)
        return self._differs(line, shown)

    def _value(self, path: str) -> str:
        value: Any = self._named
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return str(value)

    def _note(self, words: list[str], shown: Any) -> None:
        """The columns of what is shown, under what was asked for."""
        row = shown[0] if isinstance(shown, list) and shown else shown
        if not row or isinstance(row, str):
            return
        plain = words[:next((n for n, word in enumerate(words) if word in ("create", "show", "list", "issue")), 0)]
        kind = " ".join([*plain, "list" if isinstance(shown, list) else "show", *(["--long"] if "--long" in words else [])])
        self.columns.setdefault(kind, list(row))

    def _differs(self, line: dict[str, Any], shown: Any) -> str:
        for name, value in line.get("says", {}).items():
            if name not in shown or shown[name] != value:
                return f"{name}: {shown.get(name)!r}, not {value!r}"
        for column, values in line.get("rows", {}).items():
            found = [row[column] for row in shown]
            if (sorted(found) if column in _SORTED else found) != values:
                return f"{column}: {found!r}, not {values!r}"
        return ""


@pytest.fixture(scope="module")
def session(devstack: Devstack) -> Session:
    return Session(Openstack.by_password(f"{devstack.auth_url}/v3", "root", PASSWORD, "admin"))


def test_every_command_of_a_long_session_is_answered_as_the_table_says(session: Session) -> None:
    assert len(lines()) >= 200
    wrong = {}
    for line in lines():
        try:
            if said := session.say(line):
                wrong[line["do"]] = said
        except KeyError as missing:
            wrong[line["do"]] = f"there is no {missing}"
    assert wrong == {}


def test_what_is_shown_and_listed_has_the_columns_that_clients_know(session: Session, request: pytest.FixtureRequest) -> None:
    assert session.columns, "the session comes first"
    if request.config.getoption("--golden"):
        COLUMNS.write_text(yaml.safe_dump(dict(sorted(session.columns.items())), default_flow_style=None, width=120,
                                          sort_keys=False))
    known = yaml.safe_load(COLUMNS.read_text())
    assert {kind: [one for one in session.columns.get(kind, ()) if one in columns] for kind, columns in known.items()} == known


def test_no_command_about_networks_is_left_out_but_those_of_extensions_that_are_not_served() -> None:
    known = {one.name.replace("_", " ") for one in entry_points(group="openstack.network.v2")}
    said = [line["do"] + " " for line in lines()]
    left_out = {one for one in known if not any(each.startswith(one + " ") for each in said)}
    unserved = tuple(yaml.safe_load(UNTRIED.read_text()))
    assert sorted(one for one in left_out if not one.startswith(unserved)) == []


@pytest.mark.parametrize(("words", "status", "columns"), [
    ("network create seen", 0, {"id", "name", "mtu"}), ("network list", 0, {"ID", "Name", "Subnets"}),
    ("quota show --network", 0, {"Resource", "Limit"}), ("network show none", 1, None), ("network create", 2, None)])
def test_the_command_as_it_is_installed_says_the_same(devstack: Devstack, words: str, status: int, columns: Any) -> None:
    environment = {**os.environ, "OS_AUTH_TYPE": "password", "OS_AUTH_URL": f"{devstack.auth_url}/v3", "OS_USERNAME": "demo",
                   "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "demo", "OS_USER_DOMAIN_ID": "default",
                   "OS_PROJECT_DOMAIN_ID": "default", "OS_IDENTITY_API_VERSION": "3"}
    command = [str(Path(sys.executable).with_name("openstack")), *words.split()]
    done = subprocess.run([*command, *(["-f", "json"] if columns else [])], capture_output=True, text=True, timeout=120,
                          env=environment)
    assert done.returncode == status, done.stderr
    if columns:
        shown = json.loads(done.stdout)
        assert columns <= set(shown[0] if isinstance(shown, list) else shown)
