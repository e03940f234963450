"""What several tests of this directory use."""
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rest.fabric import Fabric, fabric, two_tenants


@pytest.fixture(scope="module")
def cloud() -> Iterator[Fabric]:
    """A whole Hadron in this process: two tenants on two hosts; `made` has their objects by name."""
    with fabric() as running:
        two_tenants(running)
        yield running
