"""What many tests of features have in common."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.net import Net, Port, Thing

HOSTS = pytest.mark.parametrize("there", ("host1", "host2"), ids=("same host", "other host"))
FAMILIES = pytest.mark.parametrize("v", (4, 6), ids=("IPv4", "IPv6"))
TYPES = pytest.mark.parametrize("type", ("vxlan", "geneve", "gre"))


def pair(net: Net, there: str, *, groups: list[Thing] | None = None, **more: Any) -> tuple[Port, Port]:
    """A client, which may open any connection, and a server in these groups."""
    return net.port("client", on="host1"), net.port("server", on=there, groups=groups, **more)
