from collections.abc import Iterator

import pytest

from tests.kit.net import Net, Thing


@pytest.fixture
def net() -> Iterator[Net]:
    """An empty cloud; at the end every switch must hold what compiling from scratch says."""
    made = Net()
    yield made
    made.check()


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
