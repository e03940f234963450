"""The tests of connections, neighbours, groups, port security and routing again, on a real Open vSwitch beside the walk.

Where all ports are on one host each frame goes through both, connection tracking included.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apps.test_allowed_address_pairs import *  # noqa: F403
from tests.apps.test_connections import *  # noqa: F403
from tests.apps.test_neighbours import *  # noqa: F403
from tests.apps.test_port_security import *  # noqa: F403
from tests.apps.test_questions import *  # noqa: F403
from tests.apps.test_remote_groups import *  # noqa: F403
from tests.apps.test_routes import *  # noqa: F403
from tests.apps.test_routing import *  # noqa: F403
from tests.apps.test_routing_answers import *  # noqa: F403
from tests.apps.test_security_groups import *  # noqa: F403
from tests.apps.test_services import *  # noqa: F403
from tests.apps.test_stateless_groups import *  # noqa: F403
from tests.kit.dummy_ovs import DummyOvs, dummy_ovs
from tests.kit.mirror import MirroredNet, RealSwitch

__all__ = ["dummy_ovs"]


@pytest.fixture(scope="module")
def real(dummy_ovs: DummyOvs) -> RealSwitch:
    return RealSwitch(dummy_ovs)


@pytest.fixture
def net(real: RealSwitch) -> Iterator[MirroredNet]:
    made = MirroredNet(real)
    yield made
    made.check()


def test_many_frames_have_been_through_both(real: RealSwitch) -> None:
    print(f"{real.agreed} frames through both")
    assert real.agreed > 400
