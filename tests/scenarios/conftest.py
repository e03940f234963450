"""One cloud with Hadron for each module: it starts once, its tests make networks and groups of their own."""

import os
from collections.abc import Iterator

import pytest

from tests.scenarios.leading import Outside
from tests.scenarios.site import Site

KINDS = ("vxlan", "geneve", "gre")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Two hosts and a Hadron that starts with an empty store."""
    if os.geteuid() != 0:
        pytest.skip("makes network namespaces")
    with Site(hosts=2) as made:
        yield made


@pytest.fixture(scope="module")
def outside(request: pytest.FixtureRequest) -> Iterator[Outside]:
    """Three hosts with a wire to an external network, and a machine out there, which says on port 80 who asks.

    A module may say more about it: `SITE`, Hadron's configuration; `SIX`, the external network has IPv6 too.
    """
    if os.geteuid() != 0:
        pytest.skip("makes network namespaces")
    said = request.module
    with Site(hosts=3, external=True, **getattr(said, "SITE", {})) as site, Outside(site, six=getattr(said, "SIX", False)) as made:
        made.serve(made.away.start, 80, "away")
        yield made
