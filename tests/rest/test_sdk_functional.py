"""openstacksdk's own functional tests, unmodified, against Hadron and its identity endpoint."""
from __future__ import annotations

import re
from pathlib import Path

import openstack
import pytest
import yaml

from rest.extensions import EXTENSIONS
from rest.unserved import UNSERVED
from tests.kit import sdk_suite
from tests.rest.devstack import PASSWORD, Devstack

TABLE = Path(__file__).with_name("sdk_functional.yaml")


@pytest.fixture(scope="module")
def outcomes(devstack: Devstack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    url = devstack.auth_url
    said = sdk_suite.clouds(url, PASSWORD)["clouds"]["devstack-admin"]
    with openstack.connect(load_envvars=False, load_yaml_config=False, **said) as cloud:
        public = cloud.network.create_network(name="public", is_router_external=True, provider_network_type="flat",
                                              provider_physical_network="public")
        cloud.network.create_subnet(network_id=public.id, ip_version=4, cidr="172.24.4.0/24", is_dhcp_enabled=False)
    return sdk_suite.run(tmp_path_factory.mktemp("sdk"), url, PASSWORD)


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
