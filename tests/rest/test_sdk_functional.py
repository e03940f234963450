"""openstacksdk's own functional tests, unmodified, against Hadron and its identity endpoint."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openstack
import pytest
import yaml

from rest.extensions import EXTENSIONS
from rest.unserved import UNSERVED
from tests.kit import keystone, sdk_suite
from tests.rest.devstack import PASSWORD, Devstack
from tests.rest.devstack import devstack as running_devstack

WITH_KEYSTONE = "passes_with_keystone"
TABLE = Path(__file__).with_name("sdk_functional.yaml")


@pytest.fixture(scope="module")
def outcomes(devstack: Devstack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    with operator(devstack.auth_url, PASSWORD) as network:
        lead_outside(network)
    return sdk_suite.run(tmp_path_factory.mktemp("sdk"), devstack.auth_url, PASSWORD)


@contextmanager
def operator(url: str, password: str) -> Iterator[Any]:
    """What openstacksdk does with networks on the operator's behalf."""
    said = sdk_suite.clouds(url, password)["clouds"]["devstack-admin"]
    with openstack.connect(load_envvars=False, load_yaml_config=False, **said) as cloud:
        yield cloud.network


def lead_outside(network: Any, **more: Any) -> None:
    """There is an external network."""
    public = network.create_network(name="public", is_router_external=True, provider_network_type="flat",
                                    provider_physical_network="public", **more)
    network.create_subnet(network_id=public.id, ip_version=4, cidr="172.24.4.0/24", is_dhcp_enabled=False)


@pytest.fixture(scope="module")
def with_keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., dict[str, list[str]]]]:
    """Runs tests with a real Keystone beside; before each run there are no ranges that another has left behind."""
    folder = tmp_path_factory.mktemp("keystone")
    with keystone.keystone(folder) as real, running_devstack(auth={"mode": "keystone", "keystone": people(real)}) as cloud:
        real.network(cloud.fabric.url)
        with operator(real.url + "/v3", keystone.PASSWORD) as network:
            lead_outside(network, is_default=True)
            network.create_subnet_pool(name="default", is_default=True, is_shared=True, prefixes=["10.64.0.0/10"], default_prefix_length=24)

            def run(*only: str, user: str) -> dict[str, list[str]]:
                for one in network.network_segment_ranges(name="test_name"):
                    network.delete_network_segment_range(one)
                return sdk_suite.run(folder, real.url + "/v3", keystone.PASSWORD, *(f"{sdk_suite.SUITE}.{one}" for one in only), user=user)
            yield run


def people(real: keystone.Keystone) -> dict[str, str]:
    """The users that the tests want, and Hadron's own; what Hadron's configuration says."""
    real.user("hadron", "service", real.project("services"))
    admin = next(one["id"] for one in real.ask("GET", "/projects?name=admin")["projects"])
    for name in ("demo", "alt"):
        real.user(name, "member", real.project(name))
    for project in (admin, real.ids["demo"], None):
        real.user("root", "admin", project)
    return keystone.options(real.url)


@pytest.mark.skipif(not keystone.there(), reason="`make test` installs a Keystone; it is not there")
@pytest.mark.parametrize("row", yaml.safe_load(TABLE.read_text())[WITH_KEYSTONE], ids=lambda row: row["tests"][0])
def test_what_is_keystones_or_the_operators_to_do_works_with_them(with_keystone: Callable[..., dict[str, list[str]]], row: dict[str, Any]) -> None:
    found = with_keystone(*row["tests"], user=row["user"])
    assert found and {name: why for name, (came, why) in found.items() if came != "passed"} == {}


def expected(outcome: str) -> list[tuple[re.Pattern[str], str]]:
    """The rows of the table for an outcome that hold now: which tests, and why."""
    rows = yaml.safe_load(TABLE.read_text())[outcome]
    return [(re.compile(row["tests"]), row.get("because") or UNSERVED.get(row["without"], "not served"))
            for row in rows if row.get("without") not in EXTENSIONS and row.get("with", "quotas") in EXTENSIONS]


@pytest.mark.parametrize(("outcome", "part"), [("failed", "fails"), ("skipped", "skips")])
def test_what_the_library_tests_itself_works_but_for_what_the_table_says_and_why(
        outcomes: dict[str, list[str]], outcome: str, part: str) -> None:
    rows = expected(part)
    found = {name: why for name, (came, why) in outcomes.items() if came == outcome}
    surprising = {name: why for name, why in found.items() if not any(tests.match(name) for tests, _ in rows)}
    assert surprising == {}, f"{outcome}, and {TABLE.name} does not say why"
    assert [tests.pattern for tests, _ in rows if not any(map(tests.match, found))] == [], f"not {outcome} any more"
    if outcome == "failed":
        passing = {name for name, (came, _) in outcomes.items() if came == "passed"}
        assert [name for name in passing if any(tests.match(name) for tests, _ in rows)] == [], "passes now"


def test_most_of_what_the_library_tests_is_passed(outcomes: dict[str, list[str]]) -> None:
    assert sum(came == "passed" for came, _ in outcomes.values()) >= 150


def test_no_rule_has_failed_over_what_the_library_asked_for(devstack: Devstack, outcomes: dict[str, list[str]]) -> None:
    assert outcomes and devstack.fabric.hadron.compiler.world.broken == {}
    devstack.fabric.until(devstack.fabric.settled)
