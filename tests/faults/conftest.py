"""Machines that several files have; each brings a fabric of its own."""
from __future__ import annotations

import pytest

from scenarios.vm import VM
from tests.faults.fabric import Fabric


@pytest.fixture(scope="module")
def machines(fabric: Fabric) -> list[VM]:
    """a on host 1, b and c on host 2."""
    return fabric.machines(fabric.network("red"), a=1, b=2, c=2)
