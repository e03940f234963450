"""One cloud with Hadron for each module: it starts once, its tests make networks and groups of their own."""

from collections.abc import Iterator

import pytest

from tests.scenarios.leading import Outside
from tests.scenarios.site import Site

KINDS = ("vxlan", "geneve", "gre")


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Hosts, two unless the module says `HOSTS`, and a Hadron that starts with an empty store."""
    with Site(hosts=getattr(request.module, "HOSTS", 2)) as made:
        yield made


@pytest.fixture(scope="module")
def outside(request: pytest.FixtureRequest) -> Iterator[Outside]:
    """Three hosts with a wire to an external network, and a machine out there, which says on port 80 who asks.

    A module may say more about it: `SITE`, Hadron's configuration; `SIX`, the external network has IPv6 too.
    """
    said = request.module
    with Site(hosts=3, external=True, **getattr(said, "SITE", {})) as site, Outside(site, six=getattr(said, "SIX", False)) as made:
        made.serve(made.away.start, 80, "away")
        yield made
