"""Metering labels and their rules over REST, and with the real `openstack` command."""
from __future__ import annotations

from typing import Any

import pytest

from tests.kit.served import Client

LABELS, RULES = "/v2.0/metering/metering-labels", "/v2.0/metering/metering-label-rules"


@pytest.fixture
def label(client: Client) -> dict[str, Any]:
    return dict(client.create("metering_label", "metering/metering-labels", name="world"))


def rule(client: Client, label: dict[str, Any], **said: Any) -> Any:
    return client.ask("POST", RULES, {"metering_label_rule": {"metering_label_id": label["id"], "direction": "egress", **said}})


def test_a_metering_label_and_its_rules_live_and_die(client: Client, label: dict[str, Any]) -> None:
    assert (label["name"], label["description"], label["shared"]) == ("world", "", False)
    made = rule(client, label, remote_ip_prefix="203.0.113.0/24")
    assert made.status == 201
    one = made.body["metering_label_rule"]
    assert (one["direction"], one["excluded"], one["remote_ip_prefix"]) == ("egress", False, "203.0.113.0/24")
    assert one["project_id"] == label["project_id"]
    assert rule(client, label, remote_ip_prefix="203.0.113.0/25", excluded=True).status == 201
    overlaps = rule(client, label, remote_ip_prefix="203.0.0.0/16")
    assert (overlaps.status, overlaps.error["type"]) == (409, "MeteringLabelRuleOverlaps")
    assert rule(client, label, remote_ip_prefix="203.0.0.0/16", direction="ingress").status == 201
    assert len(client.get(f"{RULES}?metering_label_id={label['id']}")["metering_label_rules"]) == 3
    assert client.ask("PUT", f"{LABELS}/{label['id']}", {"metering_label": {"name": "other"}}).status in (400, 405)
    assert client.ask("DELETE", f"{LABELS}/{label['id']}").status == 204
    assert client.get(f"{RULES}?metering_label_id={label['id']}")["metering_label_rules"] == []


def test_a_metering_rule_says_from_where_or_to_where(client: Client, label: dict[str, Any]) -> None:
    made = rule(client, label, source_ip_prefix="10.0.0.0/24", destination_ip_prefix="203.0.113.0/24")
    assert made.status == 201
    where = f"{RULES}/{made.body['metering_label_rule']['id']}"
    changed = client.ask("PUT", where, {"metering_label_rule": {"source_ip_prefix": "10.0.1.0/24"}})
    assert changed.body["metering_label_rule"]["source_ip_prefix"] == "10.0.1.0/24"
    for said in ({}, {"remote_ip_prefix": "10.0.0.0/8", "source_ip_prefix": "10.0.0.0/8"},
                 {"source_ip_prefix": "10.0.0.0/8", "destination_ip_prefix": "2001:db8::/32"}):
        refused = rule(client, label, **said)
        assert refused.status == 400 and "ip_prefix" in refused.error["message"]


def test_the_command_makes_labels_and_rules(openstack: Any) -> None:
    made = openstack("network meter create --description all --share metered")
    assert (made["name"], made["description"], made["shared"]) == ("metered", "all", True)
    assert "metered" in [one["Name"] for one in openstack("network meter list")]
    one = openstack("network meter rule create --egress --remote-ip-prefix 203.0.113.0/24 metered")
    other = openstack("network meter rule create --ingress --exclude --source-ip-prefix 203.0.113.0/24 metered")
    assert (one["direction"], other["direction"]) == ("egress", "ingress")
    assert {one["id"], other["id"]} <= {line["ID"] for line in openstack("network meter rule list")}
    assert openstack(f"network meter rule show {other['id']}")["source_ip_prefix"] == "203.0.113.0/24"
    openstack(f"network meter rule delete {one['id']}")
    assert openstack("network meter show metered")["id"] == made["id"]
    openstack("network meter delete metered")
    assert other["id"] not in {line["ID"] for line in openstack("network meter rule list")}
