"""Ansible's modules for networks: a second run changes nothing, and what was made goes again."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import openstack
import pytest
import yaml

from tests.kit import ansible, sdk_suite
from tests.kit.servers import Servers
from tests.rest.devstack import PASSWORD, Devstack

pytestmark = pytest.mark.skipif(not ansible.there(), reason="no Ansible here: `make test` installs one")
BOOKS = Path(__file__).with_name("ansible")
SERVER = "5e17e7aa-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def clouds(devstack: Devstack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clouds.yaml; a compute manager has one server, with the ports that say so."""
    said = sdk_suite.clouds(devstack.auth_url, PASSWORD)
    admin = openstack.connect(load_envvars=False, load_yaml_config=False, **said["clouds"]["devstack-admin"])
    with closing(admin), closing(Servers(lambda path: admin.network.get(path).json(), {SERVER: "web-1"})) as servers:
        for one in said["clouds"].values():
            one["compute_endpoint_override"] = servers.url
        path = tmp_path_factory.mktemp("ansible") / "clouds.yaml"
        path.write_text(yaml.safe_dump(said))
        yield path


def test_what_is_made_twice_changes_once_and_goes_again(clouds: Path, devstack: Devstack) -> None:
    first = ansible.play(BOOKS / "made.yaml", clouds, server=SERVER)
    assert set(first.values()) == {"changed"} and len(first) == 12, first
    again = ansible.play(BOOKS / "made.yaml", clouds, server=SERVER)
    assert [name for name, came in again.items() if came != "ok"] == [] and again.keys() == first.keys()
    gone = ansible.play(BOOKS / "gone.yaml", clouds, again="false")
    assert gone.pop("what floating IPs there are") == "ok" and set(gone.values()) == {"changed"}, gone
    nothing = ansible.play(BOOKS / "gone.yaml", clouds, again="true")
    assert set(nothing.values()) == {"ok", "skipping"}, nothing
    assert not devstack.fabric.hadron.model.rows["network"]
