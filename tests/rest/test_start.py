"""A restart, as clients see it: who reads is answered as soon as the rows are there, who writes waits for the flows."""
from __future__ import annotations

import threading
from pathlib import Path

import pytest

from controller.config import read
from controller.control import Control
from controller.main import Hadron
from tests.kit.served import Answered, Client
from tests.rest.fabric import TOKENS, fabric, two_tenants


def test_clients_are_answered_while_flows_are_compiled_and_writes_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = str(tmp_path / "hadron.db")
    with fabric(store=store) as running:
        made = two_tenants(running)
        settings = {"auth": running.hadron.config.auth}
    begun, go, load = threading.Event(), threading.Event(), Control.load

    def later(control: Control) -> None:
        begun.set()
        assert go.wait(60)
        load(control)

    monkeypatch.setattr(Control, "load", later)
    hadron = Hadron(read({"store": store, "rest": "127.0.0.1:0", "openflow": "127.0.0.1:0", "ovsdb": "127.0.0.1:0", **settings}))
    starting = threading.Thread(target=hadron.start)
    starting.start()
    answers: list[Answered] = []
    try:
        assert begun.wait(60)
        reader, writer = (Client(hadron.rest.port, TOKENS["acme"]) for _ in range(2))
        body = {"network": {"name": "new"}}
        writing = threading.Thread(target=lambda: answers.append(writer.ask("POST", "/v2.0/networks", body)))
        writing.start()
        assert reader.get(f"/v2.0/ports/{made['web']['id']}")["port"]["status"] == "BUILD"
        assert len(reader.get("/v2.0/networks")["networks"]) == 1 and not answers
    finally:
        go.set()
        starting.join(60)
    writing.join(60)
    assert answers[0].status == 201
    hadron.close()
