"""A host with many ports: its entries are so many that they are shared out to lanes when ovs-vswitchd comes up empty."""
from __future__ import annotations

from pathlib import Path

import pytest

from controller.switch.filling import WORTH
from tests.bench.many import create_ports, make_network, plug_dummies
from tests.faults.fabric import Fabric, until

pytestmark = pytest.mark.root


def test_a_full_switch_whose_vswitchd_dies_is_filled_by_its_lanes_and_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    with Fabric(tmp_path, hosts=1) as fabric:
        plug_dummies(fabric.host(1), create_ports(fabric.hadron, make_network(fabric.hadron), WORTH // 20))
        until(lambda: len(fabric.installed(1)["flows"]) > WORTH, what="flows of all ports", within=60)
        until(lambda: fabric.in_step(1) and fabric.whole(), within=60)
        before = fabric.installed(1)
        fabric.host(1).restart_vswitchd(kill=True)
        until(lambda: fabric.in_step(1) and fabric.installed(1) == before, within=60)
        assert fabric.wrong() == []
