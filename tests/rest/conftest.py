"""What several tests of this directory use. A module that wants its API served otherwise says so in SERVED."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit.served import TOKENS, Client, Served, served
from tests.rest.devstack import Devstack
from tests.rest.devstack import devstack as running_devstack
from tests.rest.fabric import Fabric, fabric, two_tenants

if TYPE_CHECKING:
    from tests.kit.openstack import Openstack


@pytest.fixture(scope="module")
def cloud() -> Iterator[Fabric]:
    """A whole Hadron in this process: two tenants on two hosts; `made` has their objects by name."""
    with fabric() as running:
        two_tenants(running)
        yield running


@pytest.fixture(scope="module")
def devstack() -> Iterator[Devstack]:
    """One with an identity endpoint and nothing in it."""
    with running_devstack() as one:
        yield one


@pytest.fixture(scope="module")
def api(request: pytest.FixtureRequest) -> Iterator[Served]:
    """An API of the module's own."""
    with served(**getattr(request.module, "SERVED", {})) as running:
        yield running


@pytest.fixture(scope="module")
def client(api: Served) -> Client:
    """A connection to it without a token."""
    return api.client()


@pytest.fixture(scope="module")
def people(api: Served) -> dict[str, Client]:
    """A connection for each of TOKENS, where SERVED has them."""
    return {name: api.client(name) for name in TOKENS}


@pytest.fixture(scope="module")
def admin(people: dict[str, Client]) -> Client:
    """The administrator's."""
    return people["admin"]


@pytest.fixture(scope="module")
def ann(people: dict[str, Client]) -> Client:
    """Ann's, a member of project one."""
    return people["ann"]


@pytest.fixture(scope="module")
def openstack(api: Served) -> Openstack:
    """The `openstack` command, told of the API."""
    from tests.kit.openstack import Openstack  # takes a second, which other modules need not wait for
    return Openstack.by_token(api.url)


@pytest.fixture(scope="module")
def library(api: Served) -> Iterator[Any]:
    """What openstacksdk does with networks."""
    from tests.kit.openstack import connection
    with closing(connection(api.url)) as one:
        yield one.network
