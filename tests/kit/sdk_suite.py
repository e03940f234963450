"""openstacksdk's own functional tests of networks, as they are in its package: run, and what came of each.

    OS_CLIENT_CONFIG_FILE=clouds.yaml python -m tests.kit.sdk_suite out.json [NAME ...]

They want clouds devstack, devstack-alt, devstack-admin and devstack-system-admin, and an external network. They read
the configuration when they are imported, so they have a process of their own.
"""
from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SUITE = "openstack.tests.functional"
CLOUDS = {"devstack": ("demo", "demo"), "devstack-alt": ("alt", "alt"), "devstack-admin": ("root", "admin"),
          "devstack-system-admin": ("root", None)}
"""Names by which the tests know clouds: user, and project or else the system."""


class Outcomes(unittest.TestResult):
    """What came of each test, by name: passed, or failed or skipped and why."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}

    def _note(self, test: Any, outcome: str, why: str = "") -> None:
        self.found[test.id().removeprefix(f"{SUITE}.")] = [outcome, why]

    def addSuccess(self, test: Any) -> None:
        self._note(test, "passed")

    def addFailure(self, test: Any, err: Any) -> None:
        self._note(test, "failed", str(err[1]).strip().rpartition("\n")[2][-500:])

    addError = addFailure

    def addSkip(self, test: Any, reason: str) -> None:
        self._note(test, "skipped", reason)


def names() -> list[str]:
    """The modules with tests of networks."""
    package = importlib.import_module(f"{SUITE}.network.v2")
    inside = [one.name for one in pkgutil.iter_modules(package.__path__) if one.name.startswith("test_")]
    return [*(f"{SUITE}.network.v2.{one}" for one in inside), f"{SUITE}.cloud.test_network"]


def clouds(auth_url: str, password: str) -> dict[str, Any]:
    """The configuration of clients (clouds.yaml) that the tests want; `password` is everybody's, with {} for the name."""
    found = {}
    for cloud, (user, project) in CLOUDS.items():
        scope = {"project_name": project, "project_domain_id": "default"} if project else {"system_scope": "all"}
        found[cloud] = {"region_name": "RegionOne", "auth": {
            "auth_url": auth_url, "username": user, "password": password.format(user), "user_domain_id": "default", **scope}}
    return {"clouds": found}


def run(folder: Path, auth_url: str, password: str, *only: str, user: str = "devstack") -> dict[str, list[str]]:
    """[outcome, why] by test; `only` names modules, classes or tests; `user` is the cloud of who is no operator."""
    config, told = folder / "clouds.yaml", folder / "outcomes.json"
    config.write_text(yaml.safe_dump(clouds(auth_url, password)))
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("OS_")},
                   "OS_CLIENT_CONFIG_FILE": str(config), "OPENSTACKSDK_DEMO_CLOUD": user, "OS_TEST_TIMEOUT": "120", "OS_LOG_CAPTURE": "1",
                   "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-m", "tests.kit.sdk_suite", str(told), *only], cwd=ROOT, env=environment,
                          capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, list[str]] = json.loads(told.read_text())
    return found


if __name__ == "__main__":
    outcomes = Outcomes()
    unittest.defaultTestLoader.loadTestsFromNames(sys.argv[2:] or names()).run(outcomes)
    Path(sys.argv[1]).write_text(json.dumps(outcomes.found))
