"""/v2.0/events tells how objects do, and what is seen of the fabric: each change once, to whom it may be told, also across a
restart; and what a bulk of them costs."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.fake_peer import FakeSwitch
from tests.rest.fabric import SWITCHES, Fabric, fabric
from tests.rest.listening import Listener, Told

MANY = 2000
DIGEST = ("status", "gateway_host", "alive")


@pytest.fixture
def cloud(request: pytest.FixtureRequest) -> Iterator[Fabric]:
    """Two hosts that are soon lost, and soon trusted again."""
    with fabric(failover_seconds=1, settle_seconds=1, quotas={"port": -1}) as running:
        for host in SWITCHES:
            running.host(host)
        running.until(lambda: running.settled() and len(running.hadron.control.standing) == 2)
        yield running


def next_of(listener: Listener, *names: str) -> Told:
    """The next event of these."""
    return next(one for one in listener if one.event in (names or DIGEST))


def stay_away(cloud: Fabric, host: str) -> FakeSwitch:
    """A host's switch goes, and does not come back by itself."""
    switch = cloud.fakes.switches[SWITCHES[host]]
    switch.wanted = False
    switch.disconnect()
    return switch


def words(one: Told) -> tuple[Any, ...]:
    return one.data["id"], one.data["was"], one.data[one.event]


def unplug(cloud: Fabric, *links: str) -> None:
    """These links are seen no more."""
    cloud.hadron.desk.call(cloud.hadron.writer.learn, [], [("link", one) for one in links])


def net(cloud: Fabric) -> dict[str, Any]:
    network = cloud.as_acme.create("network", name="blue")
    cloud.as_acme.create("subnet", network_id=network["id"], cidr="10.0.0.0/16", ip_version=4)
    return dict(network)


def test_a_port_is_told_to_become_active_and_down_again(cloud: Fabric) -> None:
    network = net(cloud)
    own, others = Listener(cloud, "acme", "?resource=port"), Listener(cloud, "bolt", "?resource=port,network")
    port = cloud.machine(cloud.as_acme, network, "web", "host1")
    told = [next_of(own)]
    while told[-1].data["status"] != "ACTIVE":
        told.append(next_of(own))
    assert (told[0].data["id"], told[0].data["was"]) == (port["id"], "DOWN") and len(told) <= 2
    assert cloud.as_acme.get(f"/v2.0/ports/{port['id']}")["port"]["status"] == "ACTIVE"
    cloud.learn("host1", removes=[("interface", f"host1-id/tap{cloud.ofport}")])
    assert words(next_of(own)) == (port["id"], "ACTIVE", "DOWN")
    cloud.as_bolt.create("network", name="theirs")
    assert (others.next().event, others.next().data["network"]["name"]) == ("begin", "theirs"), "nothing of acme's between"


def test_a_port_is_not_said_to_be_active_while_its_flows_are_being_made(cloud: Fabric, monkeypatch: pytest.MonkeyPatch) -> None:
    port = cloud.as_acme.create("port", network_id=net(cloud)["id"])
    control, said = cloud.hadron.control, []
    make = control.compiler.update

    def made(changes: Any, **how: Any) -> Any:
        delta = make(changes, **how)
        said.append(control.status(port["id"]))              # flows are there, and nobody has been told of them yet
        return delta

    monkeypatch.setattr(control.compiler, "update", made)
    cloud.plug(port, "host1")
    cloud.until(lambda: cloud.settled() and control.status(port["id"]) == "ACTIVE")
    assert said[0] == "BUILD" and "ACTIVE" not in said


def test_a_switch_that_is_lost_and_comes_back_is_told_to_administrators_and_its_ports_to_their_own(cloud: Fabric) -> None:
    port = cloud.machine(cloud.as_acme, net(cloud), "web", "host1")
    cloud.until(lambda: cloud.hadron.writer.facts.told.get(("port", port["id"], "status")) == "ACTIVE")
    place = str(cloud.hadron.writer.revision)
    ops, acme = Listener(cloud, "ops", f"?resource=switch,loss&since={place}"), Listener(cloud, "acme")
    switch = stay_away(cloud, "host1")
    gone = [next_of(ops, "created", "alive") for _ in range(2)]
    assert {one.event for one in gone} == {"created", "alive"}
    assert words(next(one for one in gone if one.event == "alive")) == (SWITCHES["host1"], True, False)
    assert words(next_of(acme)) == (port["id"], "ACTIVE", "BUILD")
    switch.wanted = True
    assert words(next_of(ops, "alive")) == (SWITCHES["host1"], False, True)
    assert words(next_of(acme)) == (port["id"], "BUILD", "ACTIVE")


def test_a_routers_gateway_that_moves_to_another_host_is_told_to_administrators_only(cloud: Fabric) -> None:
    for number, host in enumerate(SWITCHES, 1):
        cloud.learn(host, ("uplink", {"id": f"{host}-id/physnet1", "host_id": f"{host}-id", "switch_id": SWITCHES[host],
                                      "physical_network": "physnet1", "ofport": 900 + number}))
    outside = cloud.as_ops.create("network", name="outside", router__external=True, provider__network_type="flat",
                                  provider__physical_network="physnet1")
    cloud.as_ops.create("subnet", network_id=outside["id"], cidr="203.0.113.0/24", ip_version=4)
    ops, acme = Listener(cloud, "ops", "?resource=router"), Listener(cloud, "acme", "?resource=router")
    router = cloud.as_acme.create("router", external_gateway_info={"network_id": outside["id"]})
    first = next_of(ops)
    assert first.data["id"] == router["id"] and first.data["was"] is None and first.data["gateway_host"] in SWITCHES
    stay_away(cloud, first.data["gateway_host"])
    (other,) = SWITCHES.keys() - {first.data["gateway_host"]}
    assert words(next_of(ops)) == (router["id"], first.data["gateway_host"], other)
    cloud.as_acme.ask("DELETE", f"/v2.0/routers/{router['id']}")
    assert [acme.next().event for _ in range(3)] == ["begin", "created", "deleted"], "where it is, is no tenant's business"


def test_what_is_seen_of_the_fabric_is_told_to_administrators_once_and_not_for_nothing(cloud: Fabric) -> None:
    ops, acme = Listener(cloud, "ops", "?resource=link,host,network"), Listener(cloud, "acme", "?resource=link,host,network")
    link = {"id": f"{SWITCHES['host1']}:7", "source_switch_id": SWITCHES["host1"], "source_port": 7,
            "target_switch_id": SWITCHES["host2"], "target_port": 7}
    host = {"id": "host1-id", "hostname": "host1", "tunnel_ip": "192.0.2.1", "ovs_version": "3.1.0"}
    cloud.learn("host1", ("link", link))
    for moment in ("2030-01-01T00:00:00Z", "2030-01-01T00:00:05Z"):
        cloud.learn("host1", ("host", {**host, "last_seen": moment}))
    cloud.learn("host1", ("host", {**host, "ovs_version": "3.5.0", "last_seen": "2030-01-01T00:00:07Z"}))
    unplug(cloud, link["id"])
    cloud.as_acme.create("network", name="last")
    assert ops.next().event == "begin"
    told = [ops.next()]
    while told[-1].data["resource"] != "network":
        told.append(ops.next())
    hosts = [one for one in told if one.data["resource"] == "host"]
    assert [(one.event, one.data["id"]) for one in told if one.data["resource"] == "link"] == [("created", link["id"]), ("deleted", link["id"])]
    assert hosts[-1].data["host"]["ovs_version"] == "3.5.0" and len(hosts) <= 2, "when it was seen last is no event"
    assert [acme.next().event for _ in range(2)] == ["begin", "created"], "nothing of it is a tenant's"


def test_a_circuit_is_told_to_be_up_and_down(cloud: Fabric) -> None:
    def ends(*ports: int) -> None:
        for host in SWITCHES:
            cloud.learn(host, *(("interface", {"id": f"{SWITCHES[host]}:{port}", "switch_id": SWITCHES[host], "name": f"p{port}",
                                               "ofport": port, "host_id": f"{host}-id", "link_state": "up"}) for port in ports))

    def links() -> list[tuple[str, dict[str, Any]]]:
        one, other = SWITCHES.values()
        return [("link", {"id": f"{source}:7", "source_switch_id": source, "source_port": 7, "target_switch_id": target,
                          "target_port": 7, "speed": 1000}) for source, target in ((one, other), (other, one))]
    ends(7, 8)
    cloud.learn("host1", *links())
    ops = Listener(cloud, "ops", "?resource=circuit")
    circuit = cloud.as_ops.create("circuit", name="c", committed_kbps=1000, a_switch_port=f"{SWITCHES['host1']}:8",
                                  z_switch_port=f"{SWITCHES['host2']}:8")
    assert words(next_of(ops)) == (circuit["id"], "DOWN", "ACTIVE")
    unplug(cloud, *(one["id"] for _, one in links()))
    assert words(next_of(ops)) == (circuit["id"], "ACTIVE", "DOWN")
    cloud.learn("host1", *links())
    assert words(next_of(ops)) == (circuit["id"], "DOWN", "ACTIVE")


def test_a_restart_tells_nothing_that_is_not_so_and_leaves_nothing_out(tmp_path: Path) -> None:
    """What was so before is not told again; what has changed meanwhile is told, once the switch is in step again."""
    store = str(tmp_path / "hadron.db")
    with fabric(store=store) as cloud:
        first = Listener(cloud, "acme", "?resource=port")
        cloud.host("host1")
        ports = [cloud.machine(cloud.as_acme, net(cloud), f"m{number}", "host1") for number in range(5)]
        active: set[str] = set()
        while len(active) < len(ports):
            last = next_of(first)
            active |= {last.data["id"]} if last.data["status"] == "ACTIVE" else set()
        first.close()
    with fabric(store=store) as cloud:
        again = Listener(cloud, "acme", f"?resource=port&since={last.id}")
        cloud.fakes.add(SWITCHES["host1"])
        cloud.until(lambda: len(cloud.hadron.control.standing) == 1 and cloud.settled())
        beats(cloud, 3)
        cloud.learn("host1", removes=[("interface", "host1-id/tap2")])
        assert again.next().event == "begin"
        told = again.next()
        assert (told.event, *words(told)) == ("status", ports[1]["id"], "ACTIVE", "DOWN")
        again.close()


def test_what_was_told_of_what_is_gone_is_not_kept(cloud: Fabric) -> None:
    port = cloud.machine(cloud.as_acme, net(cloud), "web", "host1")
    told = cloud.hadron.writer.facts.told
    cloud.until(lambda: told.get(("port", port["id"], "status")) == "ACTIVE")
    assert cloud.as_acme.ask("DELETE", f"/v2.0/ports/{port['id']}").status == 204
    cloud.until(lambda: ("port", port["id"], "status") not in told)


def beats(cloud: Fabric, count: int) -> None:
    """So many beats of the clock pass that the desk hears."""
    tidings, seen = cloud.hadron.control.tidings, [0]
    work: Callable[[], None] = tidings.work

    def counted() -> None:
        work()
        seen[0] += 1
    tidings.work = counted          # type: ignore[method-assign]
    cloud.until(lambda: seen[0] >= count)
    tidings.work = work             # type: ignore[method-assign]


def test_many_ports_at_once_are_all_told_and_cost_little(cloud: Fabric) -> None:
    """Ports plugged in together: what is told of them is a small part of what they cost."""
    made: list[dict[str, Any]] = []
    while len(made) < MANY:
        network = cloud.as_ops.create("network", port_security_enabled=False)
        body = {"ports": [{"network_id": network["id"], "fixed_ips": [], "project_id": "acme"}] * 100}
        made += cloud.as_ops.ask("POST", "/v2.0/ports", body).body["ports"]
    tidings, spent = cloud.hadron.control.tidings, [0.0]

    def timed(run: Callable[..., None]) -> Callable[..., None]:
        def whole(*given: Any) -> None:
            began = time.thread_time()
            run(*given)
            spent[0] += time.thread_time() - began
        return whole
    for name in ("take", "may_differ", "work"):
        setattr(tidings, name, timed(getattr(tidings, name)))
    began = time.process_time()
    cloud.learn("host1", *(("interface", {
        "id": f"host1-id/tap{at}", "host_id": "host1-id", "switch_id": SWITCHES["host1"], "name": f"tap{at}",
        "port_id": one["id"], "ofport": at, "mac_address": one["mac_address"], "link_state": "up"}) for at, one in enumerate(made, 1)))
    told = cloud.hadron.writer.facts.told
    cloud.until(lambda: sum(value == "ACTIVE" for value in told.values()) == MANY)
    whole = time.process_time() - began
    print(f"{spent[0]:.2f} s of {whole:.2f} s")
    assert spent[0] < 0.2 * whole, f"{spent[0]:.2f} s of {whole:.2f} s"
