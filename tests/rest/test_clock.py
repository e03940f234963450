"""The machine's clock is put right while Hadron runs: what has its time still comes."""
from __future__ import annotations

import time

import pytest

from tests.kit.served import Client
from tests.rest.fabric import SWITCHES, TOKENS, fabric, two_tenants

YEARS = 3 * 365 * 86400


@pytest.mark.parametrize("jump", [-YEARS, YEARS], ids=["back", "ahead"])
def test_audits_and_answers_go_on_when_the_clock_jumps(monkeypatch: pytest.MonkeyPatch, jump: int) -> None:
    real, off = time.time, [0]
    monkeypatch.setattr(time, "time", lambda: real() + off[0])
    with fabric(audit_interval=0.5) as running:
        made = two_tenants(running)
        switch = running.fakes.switches[SWITCHES["host1"]]
        off[0] = jump
        for _ in range(2):                      # the audit that was due, and one of those after it
            with running.fakes.lock:
                key = next(key for key in switch.tables.flows if key[0] == 60)
                del switch.tables.flows[key]
            running.until(lambda key=key: key in switch.tables.flows)
        before = made["web"]["revision_number"]
        again = Client(running.hadron.rest.port, TOKENS["acme"])        # connections that seem to be old are closed
        changed = again.ask("PUT", f"/v2.0/ports/{made['web']['id']}?wait=realized", {"port": {"admin_state_up": False}})
        assert changed.status == 200 and changed.body["port"]["revision_number"] == before + 1
        running.until(running.settled)
        assert Client(running.hadron.rest.port, TOKENS["ops"]).get("/inspect/alarms")["alarms"]
