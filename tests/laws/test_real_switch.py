"""Law 5: what the features want is what Open vSwitch takes and gives back, so a second sync has nothing to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controller.switch.sync import difference
from tests.kit.dummy_ovs import Bridge, DummyOvs, dummy_ovs
from tests.kit.mirror import tell
from tests.laws.chance import Chance, furnish
from tests.laws.fabric import Fabric

__all__ = ["dummy_ovs"]
SEEDS, LENGTH = 3, 60


@pytest.fixture
def bridge(dummy_ovs: DummyOvs, request: pytest.FixtureRequest) -> Iterator[Bridge]:
    name = f"br{request.node.callspec.params['seed']}"
    yield dummy_ovs.add_bridge(name)
    dummy_ovs.vsctl("del-br", name)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_real_switch_holds_exactly_what_is_wanted_after_every_change(bridge: Bridge, seed: int) -> None:
    fabric = Fabric().follow(furnish(seed, tame=True))
    switch = max(fabric.compiler.switches(), key=lambda each: len(fabric.compiler.desired(each)))
    tell(bridge, fabric.compiler.desired(switch), {})
    assert not difference(fabric.compiler.desired(switch), bridge.held())
    for batch in Chance(seed, tame=True).history(LENGTH):
        if changes := fabric.follow([batch]).told.get(switch):
            tell(bridge, changes, bridge.held())
            assert not difference(fabric.compiler.desired(switch), bridge.held())
