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
