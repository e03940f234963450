from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.net import Net, Thing
from tests.kit.outside import behind, external, leading
from tests.kit.worlds import World


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Iterator[Net]:
    """An empty cloud; at the end every switch must hold what compiling from scratch says.

    A module to which it matters what is said unasked says `NET = Told`.
    """
    made = getattr(request.module, "NET", Net)()
    yield made
    made.check()


# ---- documents alone

@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def network(world: World) -> Any:
    """One that leads outside."""
    return external(world)


@pytest.fixture
def port(world: World, network: Any) -> Any:
    """Behind a router that leads outside."""
    return behind(world, leading(world, network))


@pytest.fixture
def server(net: Net) -> Thing:
    """A group that lets everything out and nothing in."""
    return net.group("server")


@pytest.fixture
def red(net: Net) -> Thing:
    return net.network("red", subnets=("10.1.0.0/24", "2001:db8:1::/64"))


@pytest.fixture
def blue(net: Net) -> Thing:
    return net.network("blue", subnets=("10.2.0.0/24", "2001:db8:2::/64"))
