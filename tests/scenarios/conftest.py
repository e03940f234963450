"""One cloud with Hadron for each module: it starts once, its tests make networks and groups of their own."""

import os
from collections.abc import Iterator

import pytest

from tests.scenarios.site import Site

KINDS = ("vxlan", "geneve", "gre")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Two hosts and a Hadron that starts with an empty store."""
    if os.geteuid() != 0:
        pytest.skip("makes network namespaces")
    with Site(hosts=2) as made:
        yield made
