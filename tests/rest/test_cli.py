"""The `hadron` command: what it prints, in how many columns, and what its exit status means."""
from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from controller.app import RULES
from controller.config import Config, entries
from controller.store.ledger import Series
from rest import cli, cli_answers
from rest.cli_pipeline import ascii_only, drawing
from rest.cli_show import Page, size
from tests.rest.fabric import SWITCHES, TOKENS, Fabric

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hadron(cloud: Fabric, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command as the operator, or as `who`: (exit status, standard output, standard error)."""
    monkeypatch.setenv("HADRON_URL", cloud.url)

    def run(*arguments: str, who: str = "ops") -> tuple[int, str, str]:
        monkeypatch.setenv("HADRON_TOKEN", TOKENS[who])
        try:
            status = cli.main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


QUESTIONS = [("switches",), ("ports",), ("ports", "--host", "host1"), ("flows", "--port", "web"), ("flows", "--switch", "host1"),
             ("flows", "--switch", "host2", "--drops"), ("audit",), ("alarms",), ("doctor",), ("pipeline",),
             ("stats", "--port", "web"), ("usage",), ("topology",), ("what-if", "--host", "host1"), ("policy",)]


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_every_answer_fits_80_columns_and_is_json_if_asked(hadron: Run, question: tuple[str, ...]) -> None:
    status, text, complaint = hadron(*question)
    assert status in (0, 1) and not complaint and text
    assert max(map(len, text.splitlines())) <= 80 and not any(line != line.rstrip() for line in text.splitlines())
    again, said, _ = hadron(*question, "--json")
    assert again == status and json.loads(said)


def test_switches_and_ports_are_tables(hadron: Run) -> None:
    _, text, _ = hadron("switches")
    assert text.splitlines()[0].split()[:5] == ["SWITCH", "HOST", "BRIDGE", "OVS", "STATE"]
    assert text.splitlines()[1].startswith(f"{SWITCHES['host1']}  host1  br-int  3.1.0  in step")
    _, text, _ = hadron("ports", "--network", "blue", who="acme")
    assert "10.0.0.2" in text and "web" in text and "host1" not in text and "WHERE" not in text


def test_queues_are_told_below_the_switches(hadron: Run, cloud: Fabric) -> None:
    wire = {"id": f"{SWITCHES['host1']}:900", "host_id": "host1-id", "switch_id": SWITCHES["host1"], "name": "wire", "ofport": 900,
            "wire": True, "speed": 10, "queues": True}
    cloud.learn("host1", ("interface", wire))
    assert "queues of host1 wire, of 10000 kbit/s: 0: 500" in hadron("switches")[1]
    cloud.learn("host1", removes=(("interface", wire["id"]),))
    assert "queues" not in hadron("switches")[1]


def test_stats_and_usage_tell_what_was_sent_and_received(hadron: Run, cloud: Fabric) -> None:
    statistics, port = cloud.hadron.statistics, cloud.made["web"]
    number = statistics.ledger.number(Series("port", port["id"], "sent", "", port["network_id"], "acme"))
    statistics.ledger.save(1_700_000_000, [(number, 1200, 100_000)], {})
    period = ("--since", "1699999200", "--until", "1700002800")
    for which in (("--port", "web"), ("--port", port["id"]), ("--network", cloud.made["acme net"]["id"])):
        status, text, _ = hadron("stats", *which, *period, "--step", "3600", "--wide", who="acme")
        assert status == 0 and "1200 packets" in text and "2023-11-14T22:00:00Z" in text
    assert json.loads(hadron("stats", "--port", "web", "--json", who="acme")[1])["statistics"]["tx_bytes"] >= 100_000
    _, text, _ = hadron("usage", *period, "--wide", who="acme")
    assert port["id"] in text and "1200 packets" in text
    assert port["id"] not in hadron("usage", *period, who="bolt")[1]
    label = cloud.as_ops.create("metering_label", "metering/metering-labels", name="world", project_id="acme")
    out = statistics.ledger.number(Series("metering_label", label["id"], "egress", "", "", "acme"))
    statistics.ledger.save(1_700_000_000, [(out, 7, 7000)], {})
    for told in (hadron("usage", *period, "--kind", "metering_label", "--wide", who="acme")[1],
                 hadron("stats", "--label", "world", *period, "--wide", who="acme")[1]):
        assert label["id"] in told and "7 packets" in told and "7.0 kB" in told
    assert f"metering_label,{label['id']}" in hadron("usage", *period, "--csv", who="acme")[1]
    assert hadron("stats", "--port", "nobody", who="acme")[0] == 1
    assert "CONNECTIONS" in hadron("stats", "--group", "default", who="acme")[1]
    assert hadron("stats", "--rule", cloud.made["rule"]["id"], "--json", who="acme")[0] == 0
    assert hadron("stats", "--rule", "nobody", who="acme")[0] == 1
    assert hadron("usage", "--since", "x", who="acme")[0] == 2


def test_events_are_followed_from_a_place_on(hadron: Run, cloud: Fabric) -> None:
    place = str(cloud.hadron.writer.revision)
    network = cloud.as_acme.create("network", name="eventful")
    status, text, _ = hadron("events", "--since", place, "--resource", "network", "--count", "1", who="acme")
    assert status == 0 and text.split()[1:] == ["created", "network", network["id"], "eventful"]
    cloud.as_acme.ask("DELETE", f"/v2.0/networks/{network['id']}")
    told = json.loads(hadron("events", "--since", text.split()[0], "--resource", "network", "--count", "1", "--json", who="acme")[1])
    assert (told["event"], told["network"]["name"]) == ("deleted", "eventful")
    assert hadron("events", "--since", "x", who="acme")[0] == 2


def test_events_say_how_a_port_does(hadron: Run, cloud: Fabric) -> None:
    place = str(cloud.hadron.writer.revision)
    port = cloud.machine(cloud.as_acme, cloud.made["acme net"], "late", "host1")
    cloud.until(lambda: cloud.hadron.writer.facts.told.get(("port", port["id"], "status")) == "ACTIVE")
    _, text, _ = hadron("events", "--since", place, "--resource", "port", "--count", "2", who="acme")
    created, status = (line.split()[1:] for line in text.splitlines())
    assert created == ["created", "port", port["id"], "late"] and status[:4] == ["status", "port", port["id"], "DOWN"]
    assert max(map(len, text.splitlines())) <= 80


def test_flows_are_ovs_ofctls_text_with_owners(hadron: Run) -> None:
    status, text, _ = hadron("flows", "--port", "web", "--table", "deliver", "--wide")
    assert status == 0 and text.splitlines()[1].startswith(
        "table=deliver, priority=100,RECEIVER=0x10 actions=output:1  # port web, switching.deliver_here; 0 packets 0 B")
    _, wrapped, _ = hadron("flows", "--port", "web", "--table", "guard")
    assert "  # port web, port_security.guard" in wrapped


def test_what_flows_prints_can_be_pasted_behind_why(hadron: Run) -> None:
    _, text, _ = hadron("flows", "--port", "web", "--table", "answer")
    flow = text.partition("  #")[0]
    assert "\n" in flow
    for asked in ([flow], flow.split()):
        status, said, _ = hadron("why", *asked)
        assert status == 0 and "  rule " in said and "apps/" in said and "by acme-user" in said


def test_why_tells_who_wrote_what_and_when(hadron: Run, cloud: Fabric) -> None:
    rule = cloud.made["rule"]
    flows = json.loads(hadron("flows", "--port", "web", "--table", "in_rules", "--json")[1])["flows"]
    flow = next(one["text"] for one in flows if "tp_dst=80" in one["text"])
    status, text, _ = hadron("why", flow)
    assert status == 0 and max(map(len, text.splitlines())) <= 80
    assert f"because  security_group_rule {rule['id']}" in text and "ingress IPv4 tcp 80 80" in text.replace("\n           ", " ")
    assert f"project acme, created {rule['created_at']}" in text
    status, text, _ = hadron("why", next(one["cookie"] for one in flows if one["table"] == "in_rules"))
    assert status == 0 and "conj_id=0x1 is security_group default" in text
    status, _, complaint = hadron("why", "0x0500000000000000")
    assert status == 1 and complaint.startswith("hadron: No flow that is wanted now")


def test_an_audit_that_finds_nothing_ends_well_and_one_that_finds_something_does_not(hadron: Run, cloud: Fabric) -> None:
    status, text, _ = hadron("audit", "--recompute")
    assert status == 0 and "0 differ" in text and text.endswith("all is as it should be\n"), text
    switch = cloud.fakes.switches[SWITCHES["host1"]]
    with cloud.fakes.lock:
        del switch.tables.flows[next(key for key in switch.tables.flows if key[0] == 60)]
    status, text, _ = hadron("audit", "--switch", "host1")
    assert status == 1 and "missing on host1: table=deliver" in text and "repaired" in text
    status, text, _ = hadron("alarms")
    assert status == 1 and "drift" in text and "host1" in text


def test_the_doctor_names_the_remedy(hadron: Run) -> None:
    status, text, _ = hadron("doctor")
    assert status == 1 and "BAD   host host1, host host2: its database is not connected" in text
    assert "NOTE  host host1, host host2: Open vSwitch 3.1.0 drops connections" in text
    assert "> upgrade Open vSwitch to 3.1.1 or later" in text


@pytest.mark.parametrize("arguments,status,said", [
    ((), 2, "the following arguments are required"), (("nonsense",), 2, "invalid choice"), (("why",), 2, "required: FLOW"),
    (("flows", "--switch", "nowhere"), 1, "could not be found"), (("flows",), 2, "say which switch"),
    (("ports", "--network", "blue"), 2, "2 are called blue"), (("flows", "--switch", "host1", "--table", "x"), 2, "table: x is none"),
    (("switches", "--url", "http://127.0.0.1:1"), 1, "Is `hadron serve` running there?"),
    (("switches", "--url", "ftp://x"), 2, "--url: must be like"), (("switches", "--cacert", "/nowhere"), 2, "--cacert"),
    (("switches", "--token", "unknown-token"), 1, "HADRON_TOKEN"), (("pipeline", "--config", "/nowhere"), 2, "/nowhere"),
    (("pipeline", "--into", "/nowhere"), 1, "/nowhere"), (("serve", "--config", "/nowhere"), 2, "/nowhere"),
    (("serve", "--rest", "192.0.2.1:80"), 2, "is not loopback"), (("serve", "--openflow", "x"), 2, "openflow.listen")])
def test_what_goes_wrong_is_said_in_a_line_and_in_the_exit_status(hadron: Run, arguments, status, said) -> None:
    found, text, complaint = hadron(*arguments)
    assert found == status and not text and said in complaint and "Traceback" not in complaint


def test_an_address_that_is_in_use_is_said_in_a_line(hadron: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([sys.executable, "-m", "controller", "serve", "--store", "memory", "--rest", f"127.0.0.1:{port}",
                               "--openflow", "127.0.0.1:0", "--ovsdb", "127.0.0.1:0"], cwd=ROOT, capture_output=True,
                              text=True, timeout=60)
    assert done.returncode == 1 and "hadron: cannot start" in done.stderr and "Traceback" not in done.stderr


def test_serve_gives_what_flags_say_to_the_controller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "hadron.yaml"
    file.write_text("store: other.db\nrest: 127.0.0.1:1111\naudit_interval: 7\n")
    given: list[Config] = []
    monkeypatch.setattr("controller.main.serve", given.append)
    assert cli.main(["serve", "--config", str(file), "--rest", "[::1]:2222", "--openflow", "127.0.0.1:3333", "--auth", "none"]) == 0
    [config] = given
    assert (config.store, config.rest.address, config.rest.port, config.openflow.port, config.audit_interval) == (
        "other.db", "::1", 2222, 3333, 7)
    assert config.auth == {"mode": "none"}


@pytest.mark.parametrize("name", ["rest", "openflow", "ovsdb", "identity"])
def test_another_address_leaves_a_listener_its_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    file = tmp_path / "hadron.yaml"
    tls = {what: str(tmp_path / what) for what in ("certificate", "key")}
    for path in tls.values():
        Path(path).touch()
    file.write_text(yaml.safe_dump({name: {"listen": "127.0.0.1:1", "tls": tls}}))
    given: list[Config] = []
    monkeypatch.setattr("controller.main.serve", given.append)
    assert cli.main(["serve", "--config", str(file), "--auth", "none", f"--{name}", "127.0.0.1:2"]) == 0
    listener = getattr(given[0], name)
    assert listener.port == 2 and listener.tls and listener.tls.certificate == tls["certificate"]


@pytest.mark.parametrize("name", ["rest", "openflow", "ovsdb", "identity"])
def test_a_plain_listener_off_loopback_must_be_asked_for(monkeypatch: pytest.MonkeyPatch, hadron: Run, tmp_path: Path,
                                                         name: str) -> None:
    given: list[Config] = []
    monkeypatch.setattr("controller.main.serve", given.append)
    file = tmp_path / "hadron.yaml"
    for words in (("--auth", "none"), ("--config", str(file))):
        file.write_text(f"auth: {{mode: tokens}}\n{name}: {{listen: '0.0.0.0:1'}}\n")
        status, _, complaint = hadron("serve", *words, f"--{name}", "0.0.0.0:1")
        assert status == 2 and "is not loopback" in complaint and f"--insecure-{name}" in complaint
    assert cli.main(["serve", "--config", str(file), f"--insecure-{name}"]) == 0
    assert getattr(given[0], name).allow_plain and getattr(given[0], name).address == "0.0.0.0"
    others = {"rest", "openflow", "ovsdb", "identity"} - {name}
    assert not any(getattr(given[0], other).allow_plain for other in others)


def test_what_listens_without_being_told_where_listens_on_loopback() -> None:
    config = Config()
    assert {one.address for one in (config.rest, config.openflow, config.ovsdb, config.identity)} == {"127.0.0.1"}


def test_rules_are_listed_as_a_policy_file_and_those_of_one_are_marked(hadron: Run, tmp_path: Path) -> None:
    status, text, _ = hadron("policy")
    assert status == 0 and yaml.safe_load(text)["create_network:shared"] == "rule:admin_only"
    rules, config = tmp_path / "policy.yaml", tmp_path / "hadron.yaml"
    rules.write_text("create_network: rule:admin_only\n")
    config.write_text(f"policy: {rules}\n")
    marked = [line for line in hadron("policy", "--config", str(config))[1].splitlines() if "#" in line]
    assert marked == ['"create_network": "rule:admin_only"      # of the policy file']
    for wrong in ("create_netwrok: '@'", "create_network: 'role:'x", "create_network: nobody", "- a", "create_network: [a]"):
        rules.write_text(wrong + "\n")
        status, text, complaint = hadron("policy", "--config", str(config))
        assert status == 2 and not text and "Traceback" not in complaint and ("create_net" in complaint or "by name" in complaint)


def test_rules_as_json_and_as_a_policy_file_say_the_same_in_80_columns(hadron: Run) -> None:
    _, text, _ = hadron("policy")
    rules = json.loads(hadron("policy", "--json")[1])["policy"]
    assert yaml.safe_load(text) == {name: one["rule"] for name, one in rules.items()} == yaml.safe_load(hadron("policy", "--wide")[1])
    assert max(map(len, text.splitlines())) <= 80 and not any(one["of_the_file"] for one in rules.values())


@pytest.mark.parametrize("command", ["", *next(iter(one.choices for one in cli.parser()._actions if one.choices))])
def test_the_help_of_every_command_says_what_it_is_in_80_columns(hadron: Run, command: str) -> None:
    status, text, _ = hadron(*filter(None, [command]), "--help")
    assert status == 0 and max(map(len, text.splitlines())) <= 80
    assert "--json" in text or command in ("", "password"), "its answer can be read by programs"


def test_all_that_can_be_configured_is_listed(hadron: Run) -> None:
    listed = json.loads(hadron("serve", "--settings", "--json")[1])
    assert set(listed["entries"]) == {name for name, *_ in entries()} and listed["settings"]["underlay_mtu"]["meaning"]
    status, text, _ = hadron("serve", "--settings")
    assert {name for name, _, meaning in entries() if meaning} <= set(text.split())
    assert status == 0 and "underlay_mtu" in text and max(map(len, text.splitlines())) <= 80


def test_a_reader_that_has_seen_enough_ends_it_quietly(cloud: Fabric) -> None:
    environment = os.environ | {"HADRON_URL": cloud.url, "HADRON_TOKEN": TOKENS["ops"]}
    done = subprocess.run(f"{sys.executable} -m controller flows --switch host1 | head -1", shell=True, cwd=ROOT,
                          env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.count("\n") == 1 and "Traceback" not in done.stderr


# ---- the pipeline

def test_every_rule_of_every_app_has_something_to_show_in_the_pipeline(hadron: Run) -> None:
    found = json.loads(hadron("pipeline", "--json")[1])
    assert found["silent"] == [], "give apps/example.py something for these rules to say"
    shown = {rule["rule"] for table in found["tables"] for rule in table["rules"]}
    assert shown == {rule.name for rule in RULES if rule.name.startswith(("apps.", "topology."))}


def test_the_drawing_has_every_table_its_question_and_its_ways_on(hadron: Run) -> None:
    status, text, _ = hadron("pipeline")
    found = json.loads(hadron("pipeline", "--json")[1])
    assert status == 0
    flat = re.sub(r"[│\s]+", " ", text)                      # a long list goes on in the next line
    for table in found["tables"]:
        assert f" {table['number']} {table['name']}" in text
        assert not table["to"] or f"─── to {', '.join(table['to'])}" in flat
    number = {table["name"]: table["number"] for table in found["tables"]}
    # A line leads down to each table; one that is only entered from below (a router's) is named there.
    below = {target for table in found["tables"] for target in table["to"] if number[target] > table["number"]}
    assert text.count("└") == len(below)
    assert ascii_only(text).isascii() and ascii_only(drawing(found)).splitlines()[2].strip() == "v"


def test_the_pipeline_is_the_same_from_a_server_as_without_one(hadron: Run, cloud: Fabric) -> None:
    assert hadron("pipeline", "--url", cloud.url) == hadron("pipeline")


def test_the_graph_has_every_way_on(hadron: Run) -> None:
    text, found = hadron("pipeline", "--dot")[1], json.loads(hadron("pipeline", "--json")[1])
    assert text.startswith("digraph hadron {") and text.endswith("}\n") and text.count("{") == text.count("}")
    for table in found["tables"]:
        for target in table["to"]:
            assert f'"{table["name"]}" -> "{target}";' in text


@pytest.mark.parametrize("name, options", [("architecture.md", ("--brief",)), ("pipeline.md", ())])
def test_the_pages_show_the_pipeline_as_it_is(hadron: Run, tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    page, copy = ROOT / "docs" / name, tmp_path / "page.md"
    copy.write_text(page.read_text())
    for _ in range(2):
        assert hadron("pipeline", *options, "--into", str(copy))[0] == 0
        assert copy.read_text() == page.read_text(), f"run: python -m controller pipeline {' '.join(options)} --into docs/{name}"
    (tmp_path / "empty.md").write_text("nothing here\n")
    status, _, complaint = hadron("pipeline", "--into", str(tmp_path / "empty.md"))
    assert status == 1 and "<!-- pipeline -->" in complaint


# ---- on a terminal

class Terminal(io.StringIO):
    """Text that says it is one."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_tables_and_no_command_that_a_name_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    evil = "a\x9b31mb\x1b[2J[red]c"
    port = {"id": "3fa2c1d0-0000", "name": evil, "project_id": "acme", "network": {"name": evil}, "mac_address": "fa:16:3e:0:0:1",
            "addresses": ["10.0.0.1"], "status": "ACTIVE", "packets": 0}
    for out in (Terminal(), io.StringIO()):
        assert cli_answers.ports({"ports": [port]}, Page(out)) == 0
        assert "\x9b" not in out.getvalue() and "\x1b[2J" not in out.getvalue()
        assert not out.isatty() or "[red]c" in out.getvalue()
    out = Terminal()
    Page(out).line(evil)
    assert "\x1b" not in out.getvalue()


def test_long_words_are_cut_rather_than_let_over_the_edge() -> None:
    out = io.StringIO()
    page = Page(out)
    page.text("x" * 200 + "," + "y" * 100, indent="    ", first="")
    page.table(("A", "B"), [("a" * 100, "b" * 100), ("", None)])
    assert max(map(len, out.getvalue().splitlines())) <= 80
    joined = "".join(line.strip() for line in out.getvalue().splitlines()[:4])
    assert joined.startswith("x" * 200 + "," + "y" * 40)
    assert [size(n) for n in (None, 0, 999, 1500, 10**13)] == ["?", "0 B", "999 B", "1.5 kB", "10.0 TB"]


def test_forget_says_why_not(hadron: Run) -> None:
    status, _, complaint = hadron("forget", "host2")
    assert status == 1 and "host2 is connected: stop it first" in complaint
