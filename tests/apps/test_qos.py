"""Quality of service: meters and marks of a port, by its own policy or its network's."""

from __future__ import annotations

from typing import Any

import pytest

from apps.limits import Limit
from controller.errors import Conflict, Invalid
from controller.openflow import Meter
from tests.kit.net import Net, Port
from tests.kit.talk import tcp
from tests.kit.worlds import ADMIN, World

RULES: dict[str, dict[str, Any]] = {
    "bandwidth_limit_rule": {"max_kbps": 10_000, "max_burst_kbps": 500},
    "packet_rate_limit_rule": {"max_kpps": 2},
}


def make(net: Net, kind: str, **attributes: Any) -> Any:
    (row,) = net.writer.create(ADMIN, kind, [attributes])
    net.settle()
    return row


def policy(net: Net, **rules: dict[str, Any]) -> Any:
    made = make(net, "qos_policy", name="gold")
    for kind, said in rules.items():
        make(net, kind, qos_policy_id=made.id, **said)
    return made


def meters(net: Net, port: Port) -> dict[str, Limit]:
    """The limits of a port by what they are on, as its switch holds them."""
    found = {}
    for entry in net.flows("host1").values():
        if isinstance(entry, Meter) and 2 <= entry.id >> 24 <= 5 and entry.id & 0xFFFFFF == port.key:
            unit = "kbps" if entry.kbps else "pps"
            found[f"{unit} {'in' if entry.id >> 24 > 3 else 'out'}"] = Limit(entry.kbps or entry.pps or 0, burst(entry))
    return found


def burst(entry: Meter) -> int:
    return int.from_bytes(entry.body[10:14], "big")


def test_a_port_without_a_policy_has_no_limits(net: Net) -> None:
    assert meters(net, net.port("a", on="host1")) == {}


@pytest.mark.parametrize("direction", ["egress", "ingress"])
def test_limits_of_a_policy_are_meters_of_its_ports(net: Net, direction: str) -> None:
    gold = policy(net, **{kind: {**said, "direction": direction} for kind, said in RULES.items()})
    port, other = net.port("a", on="host1", qos_policy_id=gold.id), net.port("b", on="host1")
    end = "out" if direction == "egress" else "in"
    assert meters(net, port) == {f"kbps {end}": Limit(10_000, 500), f"pps {end}": Limit(2000, 800)}
    assert meters(net, other) == {}
    first, second = (port, other) if direction == "egress" else (other, port)
    for journey, counted in ((net.send(tcp(first, second, 80)), 2), (net.send(tcp(second, first, 80)), 0)):
        journey.reaches(second if counted else first)
        assert sum(line.strip().startswith("meter:") for line in str(journey).splitlines()) == counted


def test_a_network_s_policy_counts_for_ports_without_one_of_their_own(net: Net) -> None:
    silver = policy(net, bandwidth_limit_rule={"max_kbps": 1000, "direction": "ingress"})
    gold = policy(net, bandwidth_limit_rule={"max_kbps": 2000, "direction": "ingress"})
    network = net.network("red", qos_policy_id=silver.id)
    plain = net.port("plain", on="host1", network=network)
    own = net.port("own", on="host1", network=network, qos_policy_id=gold.id)
    service = net.port("service", on="host1", network=network, device_owner="network:dhcp")
    assert [meters(net, port).get("kbps in") for port in (plain, own, service)] == [
        Limit(1000, 400), Limit(2000, 800), None]
    net.change(network, qos_policy_id=None)
    assert [meters(net, port).get("kbps in") for port in (plain, own)] == [None, Limit(2000, 800)]


def test_what_a_port_sends_is_marked_and_what_it_receives_is_not(net: Net) -> None:
    gold = policy(net, dscp_marking_rule={"dscp_mark": 46})
    marked, other = net.port("marked", on="host1", qos_policy_id=gold.id), net.port("other", on="host2")
    for v in (4, 6):
        assert "set_field:46->ip_dscp" in str(net.send(tcp(marked, other, 80, v=v)).reaches(other))
        assert "->ip_dscp" not in str(net.send(tcp(other, marked, 80, v=v)).reaches(marked))


def test_a_rule_that_changes_changes_the_meter_and_nothing_else(net: Net) -> None:
    gold = make(net, "qos_policy", name="gold")
    rule = make(net, "bandwidth_limit_rule", qos_policy_id=gold.id, max_kbps=1000)
    port = net.port("a", on="host1", qos_policy_id=gold.id)
    net.writer.update(ADMIN, "bandwidth_limit_rule", rule.id, {"max_kbps": 3000})
    net.settle()
    assert meters(net, port) == {"kbps out": Limit(3000, 1200)}
    assert [key[0] for key in net.last[net.switch_on("host1")]] == ["meter"]
    net.writer.delete(ADMIN, "bandwidth_limit_rule", rule.id)
    net.settle()
    assert meters(net, port) == {}


# ---- documents

def test_a_policy_has_one_rule_of_a_type_and_direction() -> None:
    world = World()
    gold = world.make("qos_policy", ADMIN, name="gold")
    world.make("bandwidth_limit_rule", ADMIN, qos_policy_id=gold.id, max_kbps=1)
    world.make("bandwidth_limit_rule", ADMIN, qos_policy_id=gold.id, max_kbps=1, direction="ingress")
    with pytest.raises(Conflict) as refused:
        world.make("bandwidth_limit_rule", ADMIN, qos_policy_id=gold.id, max_kbps=2)
    assert refused.value.type == "QoSRulesConflict"


def test_a_project_has_one_default_policy_and_its_new_networks_have_that() -> None:
    world = World()
    gold = world.make("qos_policy", ADMIN, name="gold", project_id="acme", is_default=True)
    with pytest.raises(Conflict) as refused:
        world.make("qos_policy", ADMIN, name="silver", project_id="acme", is_default=True)
    assert refused.value.type == "QoSPolicyDefaultAlreadyExists"
    world.make("qos_policy", ADMIN, name="silver", project_id="other", is_default=True)
    assert world.make("network", ADMIN, project_id="acme").qos_policy_id == gold.id
    assert world.make("network", ADMIN, project_id="acme", qos_policy_id=None).qos_policy_id is None
    assert world.make("network", ADMIN, project_id="third").qos_policy_id is None


def test_a_policy_that_is_used_stays_and_one_needs_a_name() -> None:
    world = World()
    gold = world.make("qos_policy", ADMIN, name="gold")
    network = world.make("network", ADMIN, qos_policy_id=gold.id)
    with pytest.raises(Conflict) as refused:
        world.writer.delete(ADMIN, "qos_policy", gold.id)
    assert refused.value.type == "QosPolicyInUse"
    world.writer.update(ADMIN, "network", network.id, {"qos_policy_id": None})
    world.make("dscp_marking_rule", ADMIN, qos_policy_id=gold.id, dscp_mark=10)
    world.writer.delete(ADMIN, "qos_policy", gold.id)
    assert not world.model.rows["dscp_marking_rule"]
    with pytest.raises(Invalid, match="^name: "):
        world.make("qos_policy", ADMIN)
