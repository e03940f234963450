"""Agents: switches and the controller, as clients of Neutron ask for them."""

from __future__ import annotations

from apps.agents import agents
from tests.kit.net import Net


def test_every_switch_is_an_agent_that_is_alive_while_it_is_heard(net: Net) -> None:
    net.host("host1")
    net.host("host2")
    heard = {net.switch_on("host1"): "2026-01-01T00:00:07Z"}
    net.model.live["switch.heard"] = lambda switch: heard.get(switch.id)
    first, second = agents(net.model)
    assert (first["host"], first["alive"], first["heartbeat_timestamp"]) == ("host1.example", True, "2026-01-01T00:00:07Z")
    assert (second["host"], second["alive"]) == ("host2.example", False)
    assert first["configurations"]["tunnel_ip"] == "192.0.2.1"
    assert first["id"] != second["id"] and [one["id"] for one in agents(net.model)] == [first["id"], second["id"]]
