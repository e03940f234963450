"""Hosts with real ovsdb-server and ovs-vswitchd."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from scenarios.cloud import Cloud, Host
from tests.switch.on_host import forget


@pytest.fixture(scope="module")
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """One host, unless the module says `HOSTS`."""
    with Cloud(hosts=getattr(request.module, "HOSTS", 1)) as made:
        yield made


@pytest.fixture
def host(cloud: Cloud) -> Iterator[Host]:
    """A host that has never been under a controller."""
    host = cloud.host(1)
    yield host
    forget(host)
