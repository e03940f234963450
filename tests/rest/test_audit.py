"""Audits by the clock."""
from __future__ import annotations

import time

import pytest

from controller.standing import Tick
from tests.rest.fabric import Fabric


def test_switches_whose_turn_it_is_are_read_one_after_the_other(cloud: Fabric, monkeypatch: pytest.MonkeyPatch) -> None:
    control = cloud.hadron.control
    cloud.until(cloud.settled)
    before = {id: one.audit for id, one in control.standing.items()}
    assert len(before) == 2

    def read_anew() -> set[str]:
        return {id for id, one in control.standing.items() if one.audit is not before[id]}

    monkeypatch.setattr(control, "audit_interval", 300.0)
    control._next_audit.clear()
    for second in (1, 2):
        cloud.hadron.desk.call(control.on_event, Tick(time.time(), time.monotonic()))
        cloud.until(lambda turn=second: len(read_anew()) == turn)
        assert sum(control._next_audit.get(id, 0) > time.monotonic() for id in before) == second
