"""Looking inside: what administrators and tenants are told of switches, ports, flows and their reasons."""
from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from controller.config import read
from controller.main import Hadron
from controller.openflow import Flow, match, output
from controller.switch.events import SwitchRefused
from tests.kit.fake_switch import FakeSwitches
from tests.rest.fabric import PATIENCE, SWITCHES, Fabric, fabric, flows, two_tenants

HOST1, HOST2 = SWITCHES["host1"], SWITCHES["host2"]


# ---- switches and ports

def test_every_switch_is_told_with_its_host_and_how_far_it_is(cloud: Fabric) -> None:
    first, second = cloud.as_ops.get("/inspect/switches")["switches"]
    assert (first["switch"], first["host"], first["bridge"], first["ovs_version"]) == (HOST1, "host1", "br-int", "3.1.0")
    assert first["state"] == second["state"] == "in step"
    assert first["last_read"]["first"] and first["last_read"]["wanted"] > 50 and first["waiting"] == 0
    tables = cloud.fakes.switches[HOST1].tables
    assert first["entries"] == len(tables.flows) + len(tables.groups) + len(tables.meters)


def test_the_queues_of_a_host_are_told_with_its_switch(cloud: Fabric) -> None:
    wire = {"id": f"{HOST1}:900", "host_id": "host1-id", "switch_id": HOST1, "name": "wire", "ofport": 900, "wire": True,
            "speed": 10, "queues": True}
    cloud.learn("host1", ("interface", wire))
    first, second = cloud.as_ops.get("/inspect/switches")["switches"]
    assert first["queues"] == [{"interface": "wire", "kbps": 10_000, "queues": {"0": 500}}] and second["queues"] == []
    cloud.learn("host1", removes=(("interface", wire["id"]),))
    assert not cloud.as_ops.get("/inspect/switches")["switches"][0]["queues"]


def test_a_switch_that_is_away_and_one_that_is_unknown_are_told_as_such() -> None:
    with fabric() as running:
        running.host("host1")
        running.until(running.settled)
        running.fakes.switches[HOST1].wanted = False
        running.fakes.switches[HOST1].disconnect()
        running.fakes.add(HOST2)
        states = running.until(lambda: (found := {
            one["switch"]: one["state"] for one in running.as_ops.get("/inspect/switches")["switches"]}).keys() == {HOST1, HOST2}
            and found[HOST1] == "away" and found)
        assert states == {HOST1: "away", HOST2: "unknown"}


def test_an_administrator_sees_every_port_with_its_place(cloud: Fabric) -> None:
    ports = {one["name"]: one for one in cloud.as_ops.get("/inspect/ports")["ports"]}
    assert ports.keys() == {"web", "db", "theirs"}
    web = ports["web"]
    assert (web["host"], web["switch"], web["interface"], web["ofport"]) == ("host1", HOST1, "tap1", 1)
    assert web["status"] == "ACTIVE" and web["network"]["name"] == "blue" and web["addresses"] == ["10.0.0.2"]
    assert {one["name"] for one in cloud.as_ops.get("/inspect/ports?host=host2")["ports"]} == {"db"}
    acme = cloud.made["acme net"]["id"]
    assert {one["name"] for one in cloud.as_ops.get(f"/inspect/ports?network={acme}")["ports"]} == {"web", "db"}


def test_a_tenant_sees_its_own_ports_without_places(cloud: Fabric) -> None:
    ports = cloud.as_acme.get("/inspect/ports?network=blue")["ports"]
    assert {one["name"] for one in ports} == {"web", "db"}
    assert not {"host", "switch", "ofport", "interface", "bound_to", "error"} & set(ports[0])


# ---- flows

def test_a_ports_flows_are_told_with_names_owner_rule_and_counters(cloud: Fabric) -> None:
    found = flows(cloud.as_ops, port="web")
    [deliver] = [one for one in found if one["table"] == "deliver" and not one["drop"]]
    key = cloud.hadron.model.get("port", cloud.made["web"]["id"]).key
    assert deliver["text"] == f"table=deliver, priority=100,RECEIVER={key:#x} actions=output:1"
    assert deliver["owner"]["id"] == cloud.made["web"]["id"] and deliver["owned_by"] == "port web"
    assert deliver["rule"] == "apps.switching.deliver_here" and deliver["names"] == {f"RECEIVER={key:#x}": "port web"}
    assert deliver["places"] == [{"switch": HOST1, "host": "host1", "state": "held", "packets": 0, "bytes": 0, "seconds": 0}]
    [peer] = [one for one in found if one["rule"] == "apps.switching.send_through_tunnel"]
    assert "tun_dst" in peer["text"] and [place["host"] for place in peer["places"]] == ["host2"]


def test_flows_are_chosen_by_switch_table_network_and_by_being_drops(cloud: Fabric) -> None:
    drops = flows(cloud.as_ops, switch="host1", drops="true")
    ends = {one["text"].rpartition("actions=")[2] for one in drops}
    assert "drop" in ends and all(end == "drop" or "CONTROLLER" in end and "output" not in end for end in ends)     # some are told of
    assert all(one["drop"] for one in drops)
    assert {one["table"] for one in flows(cloud.as_ops, switch=HOST1.lstrip("0"), table="guard")} == {"guard"}
    assert {one["table"] for one in flows(cloud.as_ops, switch=HOST1, table="10")} == {"guard"}
    network = flows(cloud.as_ops, network=cloud.made["acme net"]["id"])
    assert {one["owned_by"] for one in network} == {"port web", "port db", "network blue"}
    assert flows(cloud.as_ops, switch="host2", port="web") == [
        {**one, "places": [place for place in one["places"] if place["switch"] == HOST2]}
        for one in flows(cloud.as_ops, port="web") if HOST2 in {place["switch"] for place in one["places"]}]


def test_what_a_switch_lacks_and_what_nobody_asked_for_is_marked(cloud: Fabric) -> None:
    switch = cloud.fakes.switches[HOST1]
    lost = next(key for key in switch.tables.flows if key[0] == 60)
    bent = next(key for key in switch.tables.flows if key[0] == 28)
    stray = Flow(next(iter(_tables())), 7, match(in_port=9), (output(4),))
    with cloud.fakes.lock:
        was = dict(switch.tables.flows)
        del switch.tables.flows[lost]
        switch.tables.flows[bent] = (1, switch.tables.flows[bent][1])
        switch.tables.flows[stray.key] = (0x1234, stray.body)
    try:
        def wrong() -> set[tuple[str, str]]:
            said = {(one["places"][0]["state"], one["table"]) for one in flows(cloud.as_ops, switch="host1")}
            return {one for one in said if one[0] not in (None, "held")}

        assert cloud.until(wrong) == {("missing", "deliver"), ("altered", "out_rules"), ("alien", "admit")}
    finally:
        with cloud.fakes.lock:
            switch.tables.flows = was


def _tables():
    from apps.pipeline import PIPELINE
    return PIPELINE


def test_a_tenant_sees_flows_of_its_own_objects_and_nothing_of_the_fabric(cloud: Fabric) -> None:
    answer = cloud.as_acme.get("/inspect/flows")
    found = answer["flows"]
    assert set(answer) == {"flows"} and len(found) > 30
    assert {one["owner"]["project_id"] for one in found} == {"acme"}
    assert all(set(one) == {"text", "table", "priority", "cookie", "names", "owner", "owned_by", "rule", "drop", "packets",
                            "bytes"} for one in found)
    segment = cloud.hadron.model.get("network", cloud.made["acme net"]["id"]).provider_segmentation_id
    told = json.dumps(answer)
    for secret in (HOST1, HOST2, "host1", "host2", "192.0.2.", "tap1", f"{segment:#x}->tunnel_id", f"tun_id={segment:#x}",
                   cloud.made["theirs"]["id"], cloud.made["bolt net"]["id"], "theirs"):
        assert secret not in told, secret
    assert all(int(one["cookie"], 16) & 0xFFFFFF == 0 for one in found if one["cookie"])
    assert any("in_port=hidden" in one["text"] for one in found) and any("output:hidden" in one["text"] for one in found)
    assert not any("output:1" in one["text"] or "in_port=1" in one["text"] for one in found)


def test_a_flow_of_a_shared_network_names_the_ports_of_others_to_nobody_but_its_owner() -> None:
    with fabric() as running:
        for host in SWITCHES:
            running.host(host)
        network = running.as_ops.create("network", name="all", shared=True)
        running.as_ops.create("subnet", network_id=network["id"], cidr="10.9.0.0/24", ip_version=4)
        running.machine(running.as_acme, network, "mine", "host1")
        running.machine(running.as_bolt, network, "other", "host1")
        running.until(running.settled)
        told = flows(running.as_acme, network="all")
        assert {one["owned_by"] for one in told} == {"port mine"}
        assert {one["name"] for one in running.as_acme.get("/inspect/ports")["ports"]} == {"mine"}


@pytest.mark.parametrize("question", ["switches", "doctor", "flows?switch=host1", "ports?host=host1", "why?flow=0x1&switch=host1"])
def test_the_fabric_is_for_administrators(cloud: Fabric, question: str) -> None:
    assert cloud.as_ops.ask("GET", f"/inspect/{question}").status in (200, 404)
    answer = cloud.as_acme.ask("GET", f"/inspect/{question}")
    assert answer.status == 403 and "administrators only" in answer.error["message"]


def test_another_tenants_objects_are_not_there(cloud: Fabric) -> None:
    theirs = cloud.made["theirs"]["id"]
    assert cloud.as_acme.ask("GET", f"/inspect/flows?port={theirs}").status == 404
    cookie = flows(cloud.as_ops, port=theirs)[0]["cookie"]
    assert cloud.as_ops.ask("GET", f"/inspect/why?flow={cookie}").status == 200
    assert cloud.as_acme.ask("GET", f"/inspect/why?flow={cookie}").status == 404
    assert cloud.as_acme.ask("GET", f"/inspect/why?flow={theirs}").status == 404


@pytest.mark.parametrize("question,field", [
    ("flows", "switch"), ("flows?switch=host1&table=nowhere", "table"), ("flows?switch=host1&drops=maybe", "drops"),
    ("flows?switch=host1&colour=red", "colour"), ("flows?switch=host1&switch=host2", "switch"), ("ports?network=blue", "network"),
    ("why", "flow"), ("why?flow=nonsense", "flow"), ("why?flow=table=nowhere", "flow"), ("why?flow=priority=x", "flow"),
    ("why?flow=99999999999999999999", "flow"), ("why?flow=%00", "query"), ("switches?x=1", "x")])
def test_a_wrong_question_is_refused_by_name(cloud: Fabric, question: str, field: str) -> None:
    answer = cloud.as_ops.ask("GET", f"/inspect/{question}")
    assert answer.status == 400 and answer.error["message"].startswith(f"{field}: ")


def test_unknown_addresses_and_methods_are_refused(cloud: Fabric) -> None:
    assert cloud.as_ops.ask("GET", "/inspect/nothing").status == 404
    assert cloud.as_ops.ask("GET", "/inspect/flows/more").status == 404
    answer = cloud.as_ops.ask("DELETE", "/inspect/flows")
    assert answer.status == 405 and answer.headers["allow"].startswith("GET")
    assert cloud.as_ops.ask("GET", "/inspect/audit").status == 405
    assert cloud.as_ops.ask("POST", "/inspect/audit", {"switch": "host1"}).status == 400
    assert cloud.as_ops.ask("HEAD", "/inspect/switches").status == 200
    assert {one["name"] for one in cloud.as_ops.get("/inspect")["inspect"]} >= {"flows", "why", "audit"}


# ---- audit, alarms, doctor

def test_an_audit_finds_and_repairs_what_others_did() -> None:
    with fabric() as running:
        two_tenants(running)
        switch = running.fakes.switches[HOST1]
        stray = Flow(next(iter(_tables())), 7, match(in_port=9), (output(4),))
        with running.fakes.lock:
            right = switch.tables.held()
            del switch.tables.flows[next(key for key in switch.tables.flows if key[0] == 60)]
            switch.tables.flows[stray.key] = (0x1234, stray.body)
        answer = running.as_ops.ask("POST", "/inspect/audit?recompute=true").body
        first, second = answer["switches"]
        assert (first["alien"], first["missing"], first["altered"], first["repaired"]) == (1, 1, 0, True)
        assert {(one["what"], one["text"].partition(",")[0]) for one in first["examples"]} == {
            ("alien", "table=admit"), ("missing", "table=deliver")}
        missing = next(one for one in first["examples"] if one["what"] == "missing")
        assert missing["rule"].startswith("apps.") and missing["called"]
        assert second["state"] == "read" and second["repaired"] is None and second["alien"] == 0
        assert not answer["fine"] and switch.held() == right
        assert answer["recompute"]["differ"] == 0 and answer["recompute"]["units"] > 30
        again = running.as_ops.ask("POST", "/inspect/audit?switch=host1").body
        assert again["fine"] and [one["switch"] for one in again["switches"]] == [HOST1]
        [drift] = running.as_ops.get("/inspect/alarms")["alarms"]
        assert (drift["alarm"], drift["host"], drift["alien"], drift["missing"]) == ("drift", "host1", 1, 1)
        assert running.as_acme.get("/inspect/alarms") == {"alarms": []}
        assert running.as_acme.ask("POST", "/inspect/audit").status == 403


def test_recomputing_finds_what_the_running_compiler_has_wrong() -> None:
    with fabric() as running:
        two_tenants(running)

        def spoil() -> None:
            compiler = running.hadron.compiler
            unit = next(unit for unit in compiler.units if unit[0].name == "apps.switching.deliver_here")
            entries, where = compiler.units[unit]
            wrong = next(iter(entries.values()))
            stale = Flow(wrong.table, wrong.priority, wrong.match, (output(77),), wrong.why)
            compiler.units[unit] = {**entries, stale.key: stale}, where

        running.hadron.desk.call(spoil)
        found = running.as_ops.ask("POST", "/inspect/audit?recompute=1").body
        assert not found["fine"] and found["recompute"]["differ"] == 1
        [one] = found["recompute"]["differences"]
        assert "output:77" in one["only_running"][0]
        assert one["rule"] == "apps.switching.deliver_here" and len(one["only_fresh"]) == len(one["only_running"]) == 1


def test_an_audit_says_what_is_refused_and_who_is_away() -> None:
    with fabric() as running:
        made = two_tenants(running)
        key = next(key for key in running.hadron.compiler.claims if key[0] == 60 and key[1] == 100 and
                   running.hadron.compiler.why(HOST1, key)[0][1][0] == made["web"]["id"])
        running.hadron.desk.call(running.hadron.control.on_event, SwitchRefused(HOST1, key, "bad port"))
        running.fakes.switches[HOST2].wanted = False
        running.fakes.switches[HOST2].disconnect()
        running.until(lambda: HOST2 not in running.hadron.control.standing)
        answer = running.as_ops.ask("POST", "/inspect/audit").body
        assert {one["switch"]: one["state"] for one in answer["switches"]} == {HOST1: "read", HOST2: "away"}
        [refused] = answer["refused"]
        assert (refused["host"], refused["said"], refused["called"]) == ("host1", "bad port", "port web") and not answer["fine"]
        port = next(one for one in running.as_ops.get("/inspect/ports")["ports"] if one["name"] == "web")
        assert port["status"] == "ERROR" and port["error"] == "bad port"
        findings = running.as_ops.get("/inspect/doctor")["findings"]
        assert any("refuses its flow: bad port" in one["text"] for one in findings)
        assert any("is known but not connected" in one["text"] and HOST2 in one["about"] for one in findings)
        [alarm] = running.as_acme.get("/inspect/alarms")["alarms"]
        assert alarm["called"] == "port web" and not {"switch", "host", "said"} & set(alarm)


def test_the_pipeline_is_told_to_everybody(cloud: Fabric) -> None:
    tables = cloud.as_acme.get("/inspect/pipeline")["tables"]
    assert [table["name"] for table in tables][0] == "admit" and len(tables) > 20


def test_counters_of_a_switch_that_does_not_answer_are_missing_and_nothing_else() -> None:
    with fabric() as running:
        two_tenants(running)
        running.fakes.switches[HOST2].wanted = False
        running.fakes.switches[HOST2].disconnect()
        running.until(lambda: HOST2 not in running.hadron.control.standing)
        answer = running.as_ops.get("/inspect/flows?port=db")
        assert {one["switch"]: one["read"] for one in answer["switches"]} == {HOST1: True, HOST2: False}
        assert {place["state"] for one in answer["flows"] for place in one["places"] if place["switch"] == HOST2} == {None}


# ---- forgetting

def test_a_host_that_is_connected_cannot_be_forgotten_and_one_that_is_gone_can() -> None:
    with fabric() as running:
        made = two_tenants(running)
        ask = running.as_ops.ask
        answer = ask("POST", "/inspect/forget?host=host2")
        assert (answer.status, answer.body["NeutronError"]["type"]) == (409, "HostConnected")
        running.fakes.switches[HOST2].wanted = False
        running.fakes.switches[HOST2].disconnect()
        running.until(lambda: HOST2 not in running.hadron.control.standing)
        other = running.fakes.switches[HOST1]
        before = len(other.tables.flows)
        said = ask("POST", "/inspect/forget?host=host2").body
        assert said["host_id"] == "host2-id" and said["switches"] == [HOST2] and said["facts"] == {
            "host": 1, "interface": 1, "switch": 1}
        model = running.hadron.model
        assert [row.id for row in model.find("host", "all", True)] == ["host1-id"] and model.get("switch", HOST2) is None
        running.until(lambda: running.settled() and len(other.tables.flows) < before)     # nothing is sent there any more
        assert running.as_ops.get(f"/v2.0/ports/{made['db']['id']}")["port"]["status"] == "DOWN"
        assert ask("POST", "/inspect/forget?host=host2").status == 404
        running.fakes.add(HOST2)                        # it was not gone for good: it is as new
        running.host("host2")
        running.plug(made["db"], "host2")
        running.until(lambda: running.as_ops.get(f"/v2.0/ports/{made['db']['id']}")["port"]["status"] == "ACTIVE")


def test_who_may_not_forget_and_what_cannot_be_forgotten(cloud: Fabric) -> None:
    assert cloud.as_acme.ask("POST", "/inspect/forget?host=host2").status == 403
    for query, status in (("", 400), ("?host=", 404), ("?host=nobody", 404), (f"?host={HOST1}", 400), ("?switch=x", 400)):
        assert cloud.as_ops.ask("POST", f"/inspect/forget{query}").status == status, query
    assert cloud.as_ops.ask("GET", "/inspect/forget?host=host2").status == 405


# ---- a restart

def test_switches_are_read_once_and_while_a_restarted_controller_compiles(tmp_path, monkeypatch) -> None:
    with fabric(store=str(tmp_path / "hadron.db")) as running:
        two_tenants(running)
    hadron = Hadron(read({"store": str(tmp_path / "hadron.db"), "rest": "127.0.0.1:0", "openflow": "127.0.0.1:0",
                          "ovsdb": "127.0.0.1:0", "auth": {"mode": "none"}, "audit_interval": 0}))
    compile_all, told = hadron.control.load, threading.Event()

    def load() -> None:
        compile_all()
        assert told.wait(20)

    monkeypatch.setattr(hadron.control, "load", load)
    starting = threading.Thread(target=hadron.start)
    starting.start()
    try:
        until(lambda: hadron.switches.addresses)
        with FakeSwitches("127.0.0.1", hadron.switches.addresses[0][1]) as fakes:
            for id in SWITCHES.values():
                fakes.add(id)
            until(lambda: [one["reads"] for one in hadron.switches.report()] == [1, 1])
            assert not hadron.control.standing, "the desk has not begun"
            told.set()
            starting.join(20)
            until(lambda: sum(one.in_step for one in list(hadron.control.standing.values())) == 2)
            assert [one["reads"] for one in hadron.switches.report()] == [1, 1]
    finally:
        told.set()
        starting.join(20)
        hadron.close()


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)
