"""Minimums: what a port has for sure of what leaves its host is a queue there; where there is none it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from apps.queues import PORTS, queue_of, queues
from controller.errors import Conflict, Invalid
from tests.apps.test_qos import make
from tests.kit.leading import Leading
from tests.kit.net import Net, Port, Thing
from tests.kit.talk import tcp
from tests.kit.wires import vlan, wire
from tests.kit.worlds import ADMIN, refused


@pytest.fixture
def net() -> Net:
    """Hosts with tunnels and with a wire to a physical network; host1 has queues at both, of 1 Gbit/s and of 100 Mbit/s."""
    made = Net()
    for host in ("host1", "host2"):
        made.host(host)
    wire(made, "host1", "host2")
    with_queues(made)
    return made


def with_queues(net: Net, tunnels: str | None = "eth1", outside: str | None = "eth2") -> None:
    host, uplink = net.model.get("host", "host1"), net.model.get("uplink", "host1/physnet1")
    net.learn([("host", {**host._asdict(), "queues": tunnels, "speed": 1000}),
               ("uplink", {**uplink._asdict(), "queues": outside, "speed": 100})])


def promise(net: Net, kbps: int, **more: Any) -> Any:
    gold = make(net, "qos_policy", name="gold", **more)
    make(net, "minimum_bandwidth_rule", qos_policy_id=gold.id, min_kbps=kbps)
    return gold


def furnished(net: Net, host: str = "host1") -> dict[str, dict[int, int]]:
    """{interface: {number of a queue: what it has for sure}}, but for what is nobody's in particular."""
    return {one.interface: {queue.number: queue.least for queue in one.queues if queue.number}
            for one in net.compiler.world.ask(queues, host)}


def waits(net: Net, sender: Port, receiver: Thing) -> set[int]:
    """The queues in which waits what a port sends to another."""
    return {queue for _, _, queue in net.send(tcp(sender, receiver, 80)).queues}


def test_what_a_port_has_for_sure_is_a_queue_where_its_network_leaves(net: Net) -> None:
    gold, tunnelled, outside = promise(net, 8000), net.network("red"), vlan(net, "blue", 101)
    port, other = (net.port(name, on=host, network=tunnelled, qos_policy_id=policy)
                   for name, host, policy in (("a", "host1", gold.id), ("b", "host2", None)))
    wired = net.port("c", on="host1", network=outside, qos_policy_id=gold.id)
    plain = net.port("d", on="host1", network=tunnelled)
    assert furnished(net) == {"eth1": {queue_of(port): 8000}, "eth2": {queue_of(wired): 8000}}
    assert queue_of(port) >= PORTS and queue_of(port) != queue_of(wired)
    assert waits(net, port, other) == {queue_of(port)} and waits(net, plain, other) == waits(net, other, port) == set()
    net.check()


def test_a_network_s_policy_promises_to_each_of_its_ports_and_what_ends_leaves_no_queue(net: Net) -> None:
    gold = promise(net, 8000)
    red = net.network("red", qos_policy_id=gold.id)
    ports = [net.port(name, on="host1", network=red) for name in "ab"]
    net.port("service", on="host1", network=red, device_owner="network:dhcp")
    assert furnished(net)["eth1"] == {queue_of(port): 8000 for port in ports}
    net.unplug(ports[0], "host1")
    assert furnished(net)["eth1"] == {queue_of(ports[1]): 8000}
    rule, = net.model.find("minimum_bandwidth_rule", "qos_policy_id", gold.id)
    net.writer.update(ADMIN, "minimum_bandwidth_rule", rule.id, {"min_kbps": 9000})
    net.settle()
    assert furnished(net)["eth1"] == {queue_of(ports[1]): 9000}
    net.writer.delete(ADMIN, "minimum_bandwidth_rule", rule.id)
    net.settle()
    assert furnished(net) == {"eth1": {}, "eth2": {}} and waits(net, *ports[::-1]) == set()
    net.check()


def test_what_a_port_sends_outside_by_its_floating_address_waits_in_its_queue_there(net: Net) -> None:
    gold, cloud = promise(net, 8000), Leading(net, wires=("host1", "host2"))
    port = net.port("a", on="host1", network=cloud.inside, qos_policy_id=gold.id)
    assert furnished(net) == {"eth1": {queue_of(port): 8000}, "eth2": {}}
    floating = cloud.floating(port)
    assert furnished(net) == {"eth1": {queue_of(port): 8000}, "eth2": {queue_of(port): 8000}}
    uplink = net.model.get("uplink", "host1/physnet1")
    assert (uplink.switch_id, uplink.ofport, queue_of(port)) in net.send(cloud.out(port)).reaches(cloud.away).queues
    net.remove(floating)
    assert furnished(net)["eth2"] == {}
    net.check()


def test_what_is_promised_beyond_what_there_is_is_given_in_parts(net: Net) -> None:
    gold, outside = promise(net, 80_000), vlan(net, "blue", 101)
    ports = [net.port(name, on="host1", network=outside, qos_policy_id=gold.id) for name in "ab"]
    assert furnished(net)["eth2"] == {queue_of(port): 47_500 for port in ports}


def test_what_no_queue_can_keep_free_is_refused_and_says_where_one_would_be_needed(net: Net) -> None:
    gold, silver = promise(net, 8000), make(net, "qos_policy", name="silver")
    with_queues(net, tunnels=None)
    tunnelled, outside = net.network("red"), vlan(net, "blue", 101)
    port = net.port("a", network=tunnelled)
    for thing in (port, tunnelled):
        with refused("QosRuleNotSupported"):
            net.change(thing, qos_policy_id=gold.id)
    with pytest.raises(Conflict, match="hadron-queues=true"):
        net.network("green", qos_policy_id=gold.id)
    net.change(outside, qos_policy_id=gold.id)
    net.change(port, qos_policy_id=silver.id)
    with refused("QosRuleNotSupported"):
        make(net, "minimum_bandwidth_rule", qos_policy_id=silver.id, min_kbps=1)


def test_a_minimum_is_for_what_is_sent_and_is_no_more_than_the_limit(net: Net) -> None:
    gold = promise(net, 8000)
    with pytest.raises(Invalid, match="direction"):
        make(net, "minimum_bandwidth_rule", qos_policy_id=gold.id, min_kbps=1, direction="ingress")
    with refused("QoSRulesConflict"):
        make(net, "minimum_bandwidth_rule", qos_policy_id=gold.id, min_kbps=1)
    with refused("QoSRuleParameterConflict"):
        make(net, "bandwidth_limit_rule", qos_policy_id=gold.id, max_kbps=7999)
    make(net, "bandwidth_limit_rule", qos_policy_id=gold.id, max_kbps=7999, direction="ingress")
    make(net, "bandwidth_limit_rule", qos_policy_id=gold.id, max_kbps=8000)
    rule, = net.model.find("minimum_bandwidth_rule", "qos_policy_id", gold.id)
    with refused("QoSRuleParameterConflict"):
        net.writer.update(ADMIN, "minimum_bandwidth_rule", rule.id, {"min_kbps": 8001})


def test_floating_ips_and_gateways_have_no_minimum(net: Net) -> None:
    gold = promise(net, 8000)
    outside = vlan(net, "out", 102, subnets=("198.51.100.0/24",), **{"router:external": True})
    with refused("QosRuleNotSupported"):
        net.writer.create(ADMIN, "floatingip", [{"floating_network_id": outside.id, "qos_policy_id": gold.id}])
