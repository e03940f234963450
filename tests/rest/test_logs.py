"""Logs over REST and with the real `openstack` command; what they have written down, for whose ports it is about, by pages."""
from __future__ import annotations

import json
import time
from typing import Any

import pytest

from controller.journal import Journal
from controller.store import StoreError
from controller.store.entries import OF_PORT, Entries
from rest.cli import main as hadron
from tests.kit.served import Client
from tests.rest.fabric import TOKENS, Fabric

LOGS, ENTRIES = "/v2.0/log/logs", "/v2.0/log/entries"
NOBODY = "12345678-0000-4000-8000-000000000000"


def test_a_log_lives_and_dies(client: Client) -> None:
    assert client.get("/v2.0/log/loggable-resources") == {"loggable_resources": [{"type": "security_group"}]}
    group = client.create("security_group", name="web")
    made = client.create("log", "log/logs", name="all", description="of web", resource_type="security_group", resource_id=group["id"])
    assert (made["event"], made["enabled"], made["target_id"], made["resource_id"]) == ("ALL", True, None, group["id"])
    where = f"{LOGS}/{made['id']}"
    changed = client.ask("PUT", where, {"log": {"enabled": False, "name": "none"}}).body["log"]
    assert (changed["enabled"], changed["name"], changed["revision_number"]) == (False, "none", 1)
    assert client.ask("PUT", where, {"log": {"event": "DROP"}}).status == 400
    assert [one["id"] for one in client.get(f"{LOGS}?resource_id={group['id']}&enabled=false")["logs"]] == [made["id"]]
    assert client.ask("DELETE", where).status == 204 and client.ask("GET", where).status == 404


@pytest.mark.parametrize(("said", "status", "error"), [
    ({"resource_type": "snat"}, 400, "InvalidLogResourceType"), ({}, 400, "InvalidInput"),
    ({"resource_type": "security_group", "resource_id": NOBODY}, 404, "ResourceNotFound"),
    ({"resource_type": "security_group", "target_id": NOBODY}, 404, "TargetResourceNotFound"),
    ({"resource_type": "security_group", "event": "SOME"}, 400, "InvalidInput")])
def test_a_log_of_what_is_not_there_is_refused_as_neutron_does(client: Client, said: dict[str, Any], status: int, error: str) -> None:
    refused = client.ask("POST", LOGS, {"log": said})
    assert (refused.status, refused.error["type"]) == (status, error)


def test_the_command_makes_logs(openstack: Any, client: Client) -> None:
    assert openstack("network loggable resources list") == [{"Supported types": "security_group"}]
    group = client.create("security_group", name="logged")
    made = openstack("network log create --resource-type security_group --resource logged --event DROP --description refused denied")
    assert (made["Name"], made["Event"], made["Enabled"], made["Resource"]) == ("denied", "DROP", True, group["id"])
    assert [one["Name"] for one in openstack("network log list") if one["ID"] == made["ID"]] == ["denied"]
    openstack("network log set --disable --name quiet denied")
    assert openstack("network log show quiet")["Enabled"] is False
    openstack("network log delete quiet")
    assert made["ID"] not in [one["ID"] for one in openstack("network log list")]


# ---- what was written down

def refused(cloud: Fabric, port: str, destination_port: int, at: float, **more: Any) -> None:
    """As the flows of a log tell of it."""
    row = cloud.hadron.model.get("port", cloud.made[port]["id"])
    cloud.hadron.journal.note({
        "project_id": row.project_id, "port_id": row.id, "network_id": row.network_id, "security_group_ids": [], "log_ids": [NOBODY],
        "event": "DROP", "reason": f"no rule in group web allows tcp/{destination_port} from 10.0.0.7", "security_group_rule_id": None,
        "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "source_ip": "10.0.0.7", "source_port": 40000,
        "destination_ip": "10.0.0.9", "destination_port": destination_port, "icmp_type": None, "icmp_code": None, **more}, at)


@pytest.fixture(scope="module")
def denied(cloud: Fabric) -> list[dict[str, Any]]:
    """Thirty entries of acme's web, one of acme's db, one of the other tenant's."""
    for number in range(30):
        refused(cloud, "web", 1000 + number, 1_700_000_000 + number)
    refused(cloud, "db", 23, 1_700_000_100)
    refused(cloud, "theirs", 24, 1_700_000_100)
    cloud.until(lambda: len(cloud.as_ops.get(ENTRIES)["log_entries"]) == 32)
    return list(cloud.as_acme.get(ENTRIES)["log_entries"])


def test_a_tenant_reads_what_is_about_its_own_ports(cloud: Fabric, denied: list[dict[str, Any]]) -> None:
    assert len(denied) == 31 and {one["project_id"] for one in denied} == {"acme"}
    (one,) = cloud.as_acme.get(f"{ENTRIES}?port_id={cloud.made['db']['id']}")["log_entries"]
    assert one["reason"] == "no rule in group web allows tcp/23 from 10.0.0.7" and one["created_at"] == "2023-11-14T22:15:00Z"
    assert cloud.as_acme.get(f"{ENTRIES}/{one['id']}")["log_entry"] == one
    foreign = next(each for each in cloud.as_ops.get(ENTRIES)["log_entries"] if each["project_id"] != "acme")
    assert cloud.as_acme.ask("GET", f"{ENTRIES}/{foreign['id']}").status == 404
    assert cloud.as_acme.get(f"{ENTRIES}?project_id={foreign['project_id']}")["log_entries"] == []
    assert cloud.as_acme.ask("POST", ENTRIES, {"log_entry": {}}).status == 405


def test_entries_are_read_by_pages_in_the_order_in_which_they_came(cloud: Fabric, denied: list[dict[str, Any]]) -> None:
    assert [one["id"] for one in denied] == sorted(one["id"] for one in denied)
    page = cloud.as_acme.get(f"{ENTRIES}?limit=10&marker={denied[9]['id']}")
    assert page["log_entries"] == denied[10:20] and {one["rel"] for one in page["log_entries_links"]} == {"next", "previous"}
    newest = cloud.as_acme.get(f"{ENTRIES}?limit=2&sort_key=id&sort_dir=desc&fields=id&fields=reason")["log_entries"]
    assert newest == [{"id": one["id"], "reason": one["reason"]} for one in reversed(denied[-2:])]
    assert len(cloud.as_acme.get(f"{ENTRIES}?changed_since=2023-11-14T22:13:45")["log_entries"]) == 6
    assert [one["destination_port"] for one in cloud.as_acme.get(f"{ENTRIES}?destination_port=1007&event=DROP")["log_entries"]] == [1007]


def test_hadron_log_tells_them(cloud: Fabric, denied: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    asking = ["log", "--url", f"http://127.0.0.1:{cloud.hadron.rest.port}", "--token", TOKENS["acme"]]
    assert hadron([*asking, "--port", "db"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said == (f"2023-11-14T22:15:00Z DROP tcp 10.0.0.7:40000 to 10.0.0.9:23 port {cloud.made['db']['id']}, ingress: "
                    "no rule in group web allows tcp/23 from 10.0.0.7")
    assert hadron([*asking, "--last", "3", "--event", "DROP", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["log_entries"] == denied[-3:]


# ---- what is kept

def note(journal: Journal, at: float, **said: Any) -> None:
    document = dict.fromkeys(("reason", "direction", "protocol", "source_ip", "destination_ip", "icmp_type", "icmp_code"), None)
    journal.note({**document, "project_id": "acme", "port_id": "p", "event": "DROP", "source_port": 1, "destination_port": 23, **said}, at)


def test_packets_alike_within_a_minute_are_one_entry_that_counts_them(tmp_path: Any) -> None:
    journal = Journal(Entries(tmp_path / "entries"))
    for second in range(100):
        note(journal, 1000.0 + second, source_port=second)
        note(journal, 1000.0 + second, event="ACCEPT", source_port=second)
    journal.close()
    kept = [document for _, document in Entries(tmp_path / "entries").find(None, None)]
    drops = [one for one in kept if one["event"] == "DROP"]
    assert [(one["times"], one["source_port"]) for one in drops] == [(61, 60), (39, 99)]
    assert (drops[0]["created_at"], drops[0]["updated_at"]) == ("1970-01-01T00:16:40Z", "1970-01-01T00:17:40Z")
    assert len(kept) == 102, "each connection that was allowed is one"


def test_a_disk_that_takes_nothing_stops_neither_the_journal_nor_who_notes(tmp_path: Any) -> None:
    class Full(Entries):
        """Takes nothing at first."""

        refusing = True

        def save(self, *what: Any) -> list[int]:
            if self.refusing:
                self.refusing = False
                raise StoreError("disk full")
            return super().save(*what)

    journal = Journal(Full(tmp_path / "entries"))
    note(journal, 1000.0)
    deadline = time.monotonic() + 20
    while not list(journal.entries()) and time.monotonic() < deadline:
        note(journal, 1001.0)
    assert list(journal.entries()), "what comes later is kept"
    journal.close()
    kept = Entries(tmp_path / "entries")
    (tmp_path / "other").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError):
        Entries(tmp_path / "other")
    assert kept.find(None, None)


def test_the_newest_of_each_port_are_kept_over_a_restart_and_other_ports_lose_nothing(tmp_path: Any) -> None:
    for start in (0, 400):
        journal = Journal(Entries(tmp_path / "entries"))
        note(journal, 1000.0, port_id="quiet", destination_port=start)
        for number in range(start, start + 400):
            note(journal, 1000.0, destination_port=number)
        journal.close()
    kept = Entries(tmp_path / "entries")
    assert [one["destination_port"] for _, one in kept.find(None, ["p"])] == list(range(800 - OF_PORT, 800))
    assert [one["destination_port"] for _, one in kept.find(["acme"], ["quiet"])] == [0, 400]
    assert kept.find(["other"], None) == []
    kept.save(1000.0 + 31 * 86400, [], {})
    assert kept.find(None, None) == [], "nothing for longer than a month"
