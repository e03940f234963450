"""Statistics over REST: of ports and networks, by time, for bills, for Prometheus; and to whom they are told."""
from __future__ import annotations

import csv
import http.client
import io
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.store.ledger import Series
from tests.rest.fabric import TOKENS, Fabric


def text(cloud: Fabric, path: str, who: str = "acme") -> tuple[int, str, str]:
    """(status, type, text) of an answer that need not be JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", cloud.hadron.rest.port, timeout=30)
    connection.request("GET", path, headers={"X-Auth-Token": TOKENS[who]})
    answer = connection.getresponse()
    return answer.status, answer.headers.get_content_type(), answer.read().decode()


@pytest.fixture(scope="module")
def counted(cloud: Fabric) -> dict[str, Any]:
    """Three hours in which acme's web sent ten packets of 100 bytes a minute and received half of that; db sent one."""
    made, statistics = cloud.made, cloud.hadron.statistics
    now = int(statistics.now())
    hour = now - now % 3600 - 3 * 3600
    network = made["acme net"]["id"]
    numbers = {(name, what): statistics.ledger.number(Series("port", made[name]["id"], what, "", network, "acme"))
               for name in ("web", "db") for what in ("sent", "received")}
    for minute in range(180):
        statistics.ledger.save(hour + 60 * minute, [
            (numbers["web", "sent"], 10, 1000), (numbers["web", "received"], 5, 500), (numbers["db", "sent"], 1, 60)], {})
    return {"hour": hour, "network": network, "web": made["web"]["id"], "db": made["db"]["id"]}


def test_a_port_says_what_it_has_sent_and_received(cloud: Fabric, counted: dict[str, Any]) -> None:
    told = cloud.as_acme.get(f"/v2.0/ports/{counted['web']}/statistics")["statistics"]
    assert (told["tx_packets"], told["tx_bytes"], told["rx_packets"], told["rx_bytes"]) == (1800, 180_000, 900, 90_000)
    assert told["port_id"] == counted["web"] and told["network_id"] == counted["network"] and told["project_id"] == "acme"


def test_a_network_is_the_sum_of_its_ports(cloud: Fabric, counted: dict[str, Any]) -> None:
    told = cloud.as_acme.get(f"/v2.0/networks/{counted['network']}/statistics")["statistics"]
    assert sorted(one["port_id"] for one in told["ports"]) == sorted((counted["web"], counted["db"]))
    for name in ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes"):
        assert told[name] == sum(one[name] for one in told["ports"])
    only = cloud.as_acme.get(f"/v2.0/networks/{counted['network']}/statistics?port={counted['db']}&data=tx_packets")["statistics"]
    assert only["tx_packets"] == 180 and "tx_bytes" not in only and len(only["ports"]) == 1


def test_history_is_by_steps_of_a_time_range_and_adds_up(cloud: Fabric, counted: dict[str, Any]) -> None:
    where, hour = f"/v2.0/ports/{counted['web']}/statistics", counted["hour"]
    told = cloud.as_acme.get(f"{where}?since={hour}&until={hour + 3600}&step=600")["statistics"]
    assert told["tx_packets"] == 600 and len(told["history"]) == 6
    assert {one["tx_packets"] for one in told["history"]} == {100}
    assert told["history"][0]["at"] == told["since"]
    half = cloud.as_acme.get(f"{where}?since={hour + 1800}&until={hour + 5400}")["statistics"]
    assert half["tx_packets"] == 600, "an hour that begins in the middle of one"
    hours = cloud.as_acme.get(f"{where}?since={hour}&step=3600")["statistics"]["history"]
    assert [one["tx_bytes"] for one in hours] == [60_000] * 3


def test_what_is_older_than_two_days_is_told_by_whole_hours(cloud: Fabric, counted: dict[str, Any]) -> None:
    where, old = f"/v2.0/ports/{counted['web']}/statistics", counted["hour"] - 40 * 86400
    told = cloud.as_acme.get(f"{where}?since={old + 60}")["statistics"]
    assert told["tx_packets"] == 1800 and told["since"].endswith(":00:00Z") and told["until"].endswith(":00:00Z")
    assert cloud.as_acme.ask("GET", f"{where}?since={old}&step=600").status == 400
    days = cloud.as_acme.get(f"{where}?since={old}&step=86400")["statistics"]["history"]
    assert sum(one["tx_packets"] for one in days) == 1800


@pytest.mark.parametrize(("query", "named"), [
    ("since=yesterday", "since"), ("since=200000&until=100000", "since"), ("step=61", "step"), ("step=0", "step"), ("step=x", "step"),
    ("since=0&step=60", "step"), ("data=colour", "data"), ("colour=red", "colour"), ("format=xml", "format")])
def test_what_cannot_be_meant_is_refused_by_name(cloud: Fabric, counted: dict[str, Any], query: str, named: str) -> None:
    refused = cloud.as_acme.ask("GET", f"/v2.0/ports/{counted['web']}/statistics?{query}")
    assert refused.status == 400 and named in refused.error["message"], refused


@pytest.fixture(scope="module")
def allowed(cloud: Fabric) -> dict[str, str]:
    """A group whose two rules have allowed 10 and 20 packets, of which one began a connection each; and a port with drops."""
    group = cloud.as_acme.create("security_group", name="counted")["id"]
    found, ledger = {"group": group}, cloud.hadron.statistics.ledger
    for number, protocol in enumerate(("tcp", "udp"), 1):
        rule = found[protocol] = cloud.as_acme.create("security_group_rule", security_group_id=group, direction="ingress", protocol=protocol)["id"]
        for what, packets in (("began", 1), ("followed", 10 * number - 1)):
            series = ledger.number(Series("security_group_rule", rule, what, "", group, "acme"))
            ledger.save(cloud.hadron.statistics.now(), [(series, packets, 100 * packets)], {})
    for reason, packets in (("not part of any connection", 2), ("no rule allows the port to say it", 3)):
        series = ledger.number(Series("port", cloud.made["web"]["id"], "dropped", reason, cloud.made["acme net"]["id"], "acme"))
        ledger.save(cloud.hadron.statistics.now(), [(series, packets, 60 * packets)], {})
    return found


def test_a_rule_says_what_it_has_allowed_and_a_group_what_each_of_its_rules_has(cloud: Fabric, allowed: dict[str, str]) -> None:
    told = cloud.as_acme.get(f"/v2.0/security-group-rules/{allowed['udp']}/statistics")["statistics"]
    assert (told["packets"], told["bytes"], told["connections"], told["security_group_id"]) == (20, 2000, 1, allowed["group"])
    assert set(told["rate"]) == {"pps", "bps", "connections"}
    whole = cloud.as_acme.get(f"/v2.0/security-groups/{allowed['group']}/statistics?step=60")["statistics"]
    assert (whole["packets"], whole["bytes"], whole["connections"]) == (30, 3000, 2) and whole["history"][-1]["packets"] in (0, 30)
    assert {one["security_group_rule_id"]: one["packets"] for one in whole["rules"]} == {allowed["tcp"]: 10, allowed["udp"]: 20}
    status, _, body = text(cloud, f"/v2.0/security-groups/{allowed['group']}/statistics?format=csv&data=connections,packets")
    assert status == 200 and sorted(body.splitlines())[1].endswith("acme,1,10") | sorted(body.splitlines())[1].endswith("acme,1,20")
    for path in (f"security-groups/{allowed['group']}", f"security-group-rules/{allowed['tcp']}"):
        assert cloud.as_bolt.ask("GET", f"/v2.0/{path}/statistics").status == 404
        assert cloud.as_acme.ask("GET", f"/v2.0/{path}/statistics?data=tx_bytes").status == 400
    assert not [one for one in cloud.as_acme.get("/v2.0/usage?since=0")["usage"] if one["id"] in allowed.values()], "bills do not tell of rules"


def test_a_port_says_what_was_dropped_and_why(cloud: Fabric, allowed: dict[str, str]) -> None:
    told = cloud.as_acme.get(f"/v2.0/ports/{cloud.made['web']['id']}/statistics")["statistics"]
    assert (told["dropped_packets"], told["dropped_bytes"]) == (5, 300)
    assert {one["reason"]: (one["packets"], one["bytes"]) for one in told["drops"]} == {
        "not part of any connection": (2, 120), "no rule allows the port to say it": (3, 180)}
    assert told["addresses"] == []
    network = cloud.as_acme.get(f"/v2.0/networks/{cloud.made['acme net']['id']}/statistics")["statistics"]
    assert network["dropped_packets"] == 5


def test_nobody_sees_what_another_project_was_counted(cloud: Fabric, counted: dict[str, Any]) -> None:
    assert cloud.as_bolt.ask("GET", f"/v2.0/ports/{counted['web']}/statistics").status == 404
    assert cloud.as_bolt.ask("GET", f"/v2.0/networks/{counted['network']}/statistics").status == 404
    assert cloud.as_bolt.ask("GET", "/v2.0/usage?project_id=acme").status == 403
    shared = cloud.as_ops.create("network", name="everybodys", shared=True)
    refused = cloud.as_bolt.ask("GET", f"/v2.0/networks/{shared['id']}/statistics")
    assert refused.status == 403 and "statistics" in refused.error["message"]


def test_usage_of_a_period_is_each_projects_own(cloud: Fabric, counted: dict[str, Any]) -> None:
    period = f"since={counted['hour']}&until={counted['hour'] + 2 * 3600}"
    told = cloud.as_acme.get(f"/v2.0/usage?{period}")["usage"]
    assert {one["id"]: (one["tx_packets"], one["rx_packets"]) for one in told} == {counted["web"]: (1200, 600), counted["db"]: (120, 0)}
    assert {(one["project_id"], one["network_id"], one["kind"]) for one in told} == {("acme", counted["network"], "port")}
    assert cloud.as_bolt.get(f"/v2.0/usage?{period}")["usage"] == []
    assert cloud.as_ops.get(f"/v2.0/usage?{period}")["usage"] == told
    assert cloud.as_ops.get(f"/v2.0/usage?{period}&project_id=bolt")["usage"] == []
    by_hours = cloud.as_acme.get(f"/v2.0/usage?{period}&step=3600")["usage"]
    assert [one["tx_packets"] for one in by_hours if one["id"] == counted["web"]] == [600, 600]


def test_usage_is_exported_as_csv_for_bills(cloud: Fabric, counted: dict[str, Any]) -> None:
    status, kind, body = text(cloud, f"/v2.0/usage?since={counted['hour']}&until={counted['hour'] + 3600}&format=csv")
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(body))}
    assert (status, kind) == (200, "text/csv") and rows[counted["web"]]["tx_bytes"] == "60000"
    assert rows[counted["db"]]["project_id"] == "acme" and rows[counted["db"]]["at"].endswith(":00:00Z")


@pytest.fixture(scope="module")
def labelled(cloud: Fabric, counted: dict[str, Any]) -> dict[str, Any]:
    """A metering label of acme's, and one of bolt's, each with four packets out and one in, in the first minute of three hours."""
    found = {"hour": counted["hour"]}
    for who in ("acme", "bolt"):
        label = found[who] = cloud.as_ops.create("metering_label", "metering/metering-labels", name="world", project_id=who)["id"]
        for what, packets in (("egress", 4), ("ingress", 1)):
            series = cloud.hadron.statistics.ledger.number(Series("metering_label", label, what, "", "", who))
            for hour in range(3):
                cloud.hadron.statistics.ledger.save(counted["hour"] + 3600 * hour, [(series, packets, 100 * packets)], {})
    return found


def test_usage_says_what_metering_labels_were_counted(cloud: Fabric, labelled: dict[str, Any]) -> None:
    period = f"since={labelled['hour']}&until={labelled['hour'] + 2 * 3600}"
    told = {one["id"]: one for one in cloud.as_acme.get(f"/v2.0/usage?{period}")["usage"]}
    assert labelled["bolt"] not in told
    label = told[labelled["acme"]]
    assert {name: label[name] for name in ("kind", "project_id", "network_id")} == {
        "kind": "metering_label", "project_id": "acme", "network_id": ""}
    assert {name: value for name, value in label.items() if name.endswith(("packets", "bytes"))} == {
        "egress_packets": 8, "egress_bytes": 800, "ingress_packets": 2, "ingress_bytes": 200}
    everybodys = cloud.as_ops.get(f"/v2.0/usage?{period}&kind=metering_label")["usage"]
    assert {one["id"] for one in everybodys} == {labelled["acme"], labelled["bolt"]}
    bolts = cloud.as_ops.get(f"/v2.0/usage?{period}&kind=metering_label&project_id=bolt&step=3600")["usage"]
    assert [(one["id"], one["egress_packets"]) for one in bolts] == [(labelled["bolt"], 4)] * 2


def test_usage_is_of_the_kinds_objects_and_networks_that_are_asked_for(
        cloud: Fabric, counted: dict[str, Any], labelled: dict[str, Any]) -> None:
    def ids(query: str) -> set[str]:
        return {one["id"] for one in cloud.as_acme.get(f"/v2.0/usage?since={counted['hour']}&{query}")["usage"]}
    everything = {counted["web"], counted["db"], labelled["acme"]}
    assert ids("kind=port") == everything - {labelled["acme"]} and ids("kind=metering_label") == {labelled["acme"]}
    assert everything <= ids("kind=port,metering_label")
    assert ids(f"id={counted['web']}") == {counted["web"]} and ids(f"id={labelled['acme']}") == {labelled["acme"]}
    assert ids(f"id={labelled['bolt']}") == set(), "another project's"
    assert ids(f"network_id={counted['network']}") == {counted["web"], counted["db"]}


def test_labels_and_ports_are_exported_as_csv_together(cloud: Fabric, counted: dict[str, Any], labelled: dict[str, Any]) -> None:
    _, _, body = text(cloud, f"/v2.0/usage?since={counted['hour']}&until={counted['hour'] + 3600}&format=csv")
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(body))}
    assert (rows[labelled["acme"]]["egress_bytes"], rows[labelled["acme"]]["tx_bytes"]) == ("400", "")
    assert (rows[counted["web"]]["tx_bytes"], rows[counted["web"]]["egress_bytes"]) == ("60000", "")
    _, _, body = text(cloud, f"/v2.0/usage?since={counted['hour']}&until={counted['hour'] + 3600}&format=csv&kind=metering_label")
    assert body.splitlines()[0] == "kind,id,network_id,project_id,at,ingress_packets,ingress_bytes,egress_packets,egress_bytes"


def test_usage_is_in_the_document_of_the_api(cloud: Fabric) -> None:
    said = cloud.as_acme.get("/openapi.json")["paths"]["/v2.0/usage"]["get"]
    assert [one["name"] for one in said["parameters"]] == ["since", "until", "step", "kind", "id", "network_id", "project_id", "format"]
    assert set(said["responses"]["200"]["content"]) == {"application/json", "text/csv"}


@pytest.mark.parametrize("query", ["kind=", "kind=network", "kind=port,x", "since=x", "step=x", "step=90", "format=xml", "colour=red", "since=100&until=50", "since=1&since=2"])
def test_a_period_that_cannot_be_meant_is_refused(cloud: Fabric, query: str) -> None:
    assert cloud.as_acme.ask("GET", f"/v2.0/usage?{query}").status == 400


def test_metrics_are_prometheus_text_for_operators_only(cloud: Fabric, counted: dict[str, Any]) -> None:
    assert text(cloud, "/metrics")[0] == 403
    status, kind, body = text(cloud, "/metrics", "ops")
    assert (status, kind) == (200, "text/plain")
    found = {family.name: family for family in text_string_to_metric_families(body)}
    sent = {sample.labels["port"]: sample.value for sample in found["hadron_port_bytes"].samples if sample.labels["direction"] == "tx"}
    assert sent[counted["web"]] == 180_000
    assert {sample.value for sample in found["hadron_switch_in_step"].samples} == {1.0}
    assert len(found["hadron_switch_changes"].samples) == 2


def test_what_a_deleted_port_was_counted_stays_with_its_network(cloud: Fabric, counted: dict[str, Any]) -> None:
    network = cloud.as_acme.create("network", name="passing")
    port = cloud.as_acme.create("port", network_id=network["id"])
    statistics = cloud.hadron.statistics
    number = statistics.ledger.number(Series("port", port["id"], "sent", "", network["id"], "acme"))
    statistics.ledger.save(statistics.now(), [(number, 3, 300)], {})
    assert cloud.as_acme.ask("DELETE", f"/v2.0/ports/{port['id']}").status == 204
    assert cloud.as_acme.get(f"/v2.0/networks/{network['id']}/statistics")["statistics"]["tx_packets"] == 3
