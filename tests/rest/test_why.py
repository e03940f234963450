"""Why a flow is there: rule, object, and the rows without which it would not be."""
from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from apps import guards
from tests.rest.fabric import Fabric, fabric, flows, two_tenants

ROOT = Path(__file__).resolve().parents[2]


def why(client: Any, flow: str, **params: str) -> dict:
    return client.get("/inspect/why?" + urlencode({"flow": flow, **params}))


def opening(cloud: Fabric) -> dict:
    """The flow that lets port 80 into web."""
    [found] = [one for one in flows(cloud.as_ops, port="web", table="in_rules") if "ct_tp_dst=80" in one["text"]]
    return found


def test_a_flow_leads_to_its_rule_its_object_and_the_security_group_rule_that_wants_it(cloud: Fabric) -> None:
    [one] = why(cloud.as_ops, opening(cloud)["text"])["flows"]
    assert one["rule"]["rule"] == "apps.security_groups.allow" and one["rule"]["file"] == "apps/security_groups.py"
    source = (ROOT / one["rule"]["file"]).read_text().splitlines()
    assert "def allow(" in "".join(source[one["rule"]["line"] - 1:one["rule"]["line"] + 1])
    assert one["object"]["id"] == cloud.made["group"]["id"] and one["object"]["user"] == "hadron"
    assert one["object"]["created_at"] == cloud.made["group"]["created_at"] and one["object"]["project_id"] == "acme"
    reasons = {(reason["kind"], reason["id"]) for reason in one["because"]}
    assert ("security_group_rule", cloud.made["rule"]["id"]) in reasons
    assert len([kind for kind, _ in reasons if kind == "security_group_rule"]) == 1
    rule = next(reason for reason in one["because"] if reason["id"] == cloud.made["rule"]["id"])
    assert rule["summary"] == "ingress IPv4 tcp 80 80" and rule["user"] == "acme-user" and rule["alone"]
    assert one["level"] == "rule" and one["purpose"].startswith("Do the rules of the port to which") and one["on"] == 2


def test_a_flow_is_found_by_its_text_with_names_or_with_numbers(cloud: Fabric) -> None:
    flow = opening(cloud)
    groups = f"{guards.digest_of((cloud.made['group']['id'],)):#x}"
    tracked = "ct_state=-inv+trk,ct_nw_proto=6,ct_tp_dst=80"
    asked = [flow["text"], flow["text"].partition(" actions=")[0],
             f"table=29,priority=100,ip,{tracked},reg8={groups}",
             f"table=in_rules,{tracked},GROUPS={groups},priority=100,ip",
             f" cookie=0x0, duration=3.2s, table=29, n_packets=0, n_bytes=0, priority=100,ip,reg8={groups},{tracked}"
             " actions=x"]
    for text in asked:
        assert [one["text"] for one in why(cloud.as_ops, text)["flows"]] == [flow["text"]], text
    assert flow["text"] in [one["text"] for one in why(cloud.as_ops, f" cookie={flow['cookie']}, table=0, actions=drop")["flows"]]
    assert cloud.as_ops.ask("GET", f"/inspect/why?flow=table=29,priority=99,ip,reg8={groups},{tracked}").status == 404


def test_all_flows_of_an_object_are_explained_by_its_id(cloud: Fabric) -> None:
    answer = why(cloud.as_ops, cloud.made["acme net"]["id"])
    assert {one["object"]["name"] for one in answer["flows"]} == {"blue"} and answer["found"] == len(answer["flows"])


def test_a_cookie_of_another_body_leads_to_the_flows_of_its_app_and_object(cloud: Fabric) -> None:
    cookie = int(opening(cloud)["cookie"], 16)
    answer = why(cloud.as_ops, f"{cookie ^ 1:#x}")
    assert not answer["exact"] and opening(cloud)["text"] in [one["text"] for one in answer["flows"]]


def test_a_flow_is_explained_as_it_is_on_one_switch(cloud: Fabric) -> None:
    web = cloud.hadron.model.get("port", cloud.made["web"]["id"])
    network = cloud.hadron.model.get("network", web.network_id)
    text = f"table=forward,priority=100,NETWORK={network.key:#x},dl_dst={web.mac_address}"
    both = why(cloud.as_ops, text)["flows"]
    assert {one["rule"]["rule"] for one in both} == {"apps.switching.deliver_here", "apps.switching.send_through_tunnel"}
    [there] = why(cloud.as_ops, text, switch="host2")["flows"]
    assert there["rule"]["rule"] == "apps.switching.send_through_tunnel"


def test_of_two_rules_that_allow_the_same_either_is_a_reason() -> None:
    with fabric() as running:
        made = two_tenants(running)
        twin = running.as_acme.create("security_group_rule", security_group_id=made["group"]["id"], direction="ingress",
                                      protocol="tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="0.0.0.0/0")
        running.until(running.settled)
        [one] = [one for one in flows(running.as_ops, port="web", table="in_rules") if "tp_dst=80" in one["text"]]
        [said] = why(running.as_ops, one["text"])["flows"]
        rules = {reason["id"]: reason["alone"] for reason in said["because"] if reason["kind"] == "security_group_rule"}
        assert rules == {made["rule"]["id"]: False, twin["id"]: False}


def test_a_tenant_is_told_the_reasons_it_may_know(cloud: Fabric) -> None:
    [admit] = [one for one in flows(cloud.as_acme, port="web") if one["rule"] == "apps.switching.admit"]
    said = next(one for one in why(cloud.as_acme, admit["cookie"])["flows"] if one["table"] == "admit")
    assert {reason["kind"] for reason in said["because"]} == {"network", "port"} and "on" not in said
    told = next(one for one in why(cloud.as_ops, admit["cookie"])["flows"] if one["table"] == "admit")
    assert {reason["kind"] for reason in told["because"]} == {"interface", "network", "port"}
