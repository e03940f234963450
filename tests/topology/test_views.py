"""What there is, as administrators, tenants and programs written for Ryu see it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import networkx
import pytest

from rest.cli import main
from rest.cli_rails import TooDense, drawn
from rest.cli_topology import graph_of, graphml
from tests.kit.frames import arp_request
from tests.rest.fabric import TOKENS, fabric
from tests.topology.plain import dpid, profile
from tests.topology.test_discovery import Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Two plain switches with a wire, a machine that nobody claims and a tenant's port; a host with a tenant's machine."""
    with fabric(default_network="flat") as net:
        site = Site(net)
        a, b = site.switch(1), site.switch(2)
        site.wires.join(a, 1, b, 1, speed=10_000)
        a.port(2), b.port(3, name="s2-eth3")
        net.host("host1")
        red = net.as_acme.create("network", name="red")
        net.as_acme.create("subnet", network_id=red["id"], cidr="10.0.0.0/24", ip_version=4)
        machine = net.machine(net.as_acme, red, "web", "host1")
        bound = net.as_ops.create("port", network_id=red["id"], project_id="acme", name="rack",
                                  binding__profile=profile(2, "s2-eth3"))
        site.see((1, 1, 2, 1))
        net.made |= {"red": red, "web": machine, "rack": bound}
        net.until(lambda: len(net.as_ops.get("/v2.0/ports")["ports"]) == 3)
        net.until(lambda: all(one["status"] == "ACTIVE" for one in net.as_ops.get("/v2.0/ports")["ports"]))
        arrive_at(site, a, 2, arp_request("02:00:00:00:00:01", "10.9.9.1", "10.9.9.2"))
        net.until(lambda: net.hadron.model.find("station", "all", True))
        net.until(net.settled)
        yield site


def arrive_at(site: Site, switch: Any, port: int, frame: bytes) -> None:
    """A frame that the flows of an edge port would send to us."""
    compiler = site.net.hadron.compiler
    (edge,) = [row.id for row in site.net.hadron.model.find("port", "switch_port", f"{switch.switch_id}:{port}")]
    cookie = next(cookie for cookie, (rule, args) in compiler.punts.items() if rule.name.endswith("stations.look") and args[0] == edge)
    switch.packet_in(frame, cookie=cookie, in_port=port)


def port(switch: str, number: int, name: str, mac: str | None = None) -> dict[str, str]:
    return {"dpid": switch, "port_no": f"{number:08x}", "hw_addr": mac or f"02:00:00:{switch[-2:]}:00:{number:02x}", "name": name}


# ---- as Ryu told of them

def test_switches_links_and_hosts_are_told_as_ryu_did(site: Site) -> None:
    ask = site.net.as_ops.get
    a, b = dpid(1), dpid(2)
    assert ask(f"/v1.0/topology/switches/{a}") == [{"dpid": a, "ports": [port(a, 1, "eth1"), port(a, 2, "eth2")]}]
    assert [one["dpid"] for one in ask("/v1.0/topology/switches")] == [a, b, "00000000000000a1"]
    there, back = ask("/v1.0/topology/links")
    assert there == {"src": port(a, 1, "eth1"), "dst": port(b, 1, "eth1")} == {"src": back["dst"], "dst": back["src"]}
    assert ask(f"/v1.0/topology/links/{b}") == [back]
    assert ask(f"/v1.0/topology/hosts/{a}") == [
        {"mac": "02:00:00:00:00:01", "ipv4": ["10.9.9.1"], "ipv6": [], "port": port(a, 2, "eth2")}]
    rack, web = site.net.made["rack"], site.net.made["web"]
    assert ask(f"/v1.0/topology/hosts/{b}")[0]["mac"] == rack["mac_address"]
    assert {one["mac"] for one in ask("/v1.0/topology/hosts")} == {"02:00:00:00:00:01", rack["mac_address"], web["mac_address"]}
    assert ask(f"/v1.0/topology/switches/{'f' * 16}") == []


@pytest.mark.parametrize(("path", "status"), [
    ("/v1.0", 404), ("/v1.0/topology", 404), ("/v1.0/topology/switches/1", 404), ("/v1.0/topology/routers", 404),
    ("/v1.0/topology/switches/000000000000000G", 404), ("/v1.0/topology/switches/0000000000000001/ports", 404)])
def test_other_addresses_are_not_there(site: Site, path: str, status: int) -> None:
    assert site.net.as_ops.ask("GET", path).status == status
    assert site.net.as_ops.ask("DELETE", "/v1.0/topology/switches").status == 405


def test_tenants_see_nothing_of_the_fabric(site: Site) -> None:
    for path in ("/v1.0/topology/switches", "/v1.0/topology/links", "/inspect/topology?view=physical", "/inspect/what-if?switch=1"):
        assert site.net.as_acme.ask("GET", path).status == 403
    text = json.dumps(site.net.as_acme.get("/inspect/topology"))
    for secret in (dpid(1), dpid(2), "00000000000000a1", "host1", "tap1", "s2-eth3", "interface", "key", "segmentation", "ofport"):
        assert secret not in text, secret


# ---- two views that lead to each other

def test_a_tenant_sees_what_it_has_asked_for(site: Site) -> None:
    own = site.net.as_acme.get("/inspect/topology")
    assert [one["name"] for one in own["networks"]] == ["red"] and {one["name"] for one in own["ports"]} == {"web", "rack"}
    assert {one["status"] for one in own["ports"]} == {"ACTIVE"}
    assert own["networks"][0]["subnets"][0]["cidr"] == "10.0.0.0/24"
    assert site.net.as_bolt.get("/inspect/topology")["ports"] == []


def test_every_link_between_the_views_leads_back(site: Site) -> None:
    logical = site.net.as_ops.get("/inspect/topology?view=logical")
    physical = site.net.as_ops.get("/inspect/topology?view=physical")
    interfaces = {one["id"]: one for switch in physical["switches"] for one in switch["interfaces"]}
    ports = {one["id"]: one for one in logical["ports"]}
    assert all(id in {one["id"] for one in interfaces[port["interface"]]["ports"]} for id, port in ports.items())
    assert {one["id"] for seen in interfaces.values() for one in seen["ports"]} == ports.keys()
    for seen in interfaces.values():
        assert all(ports[one["id"]]["interface"] == seen["id"] and ports[one["id"]]["network"] == one["network"] for one in seen["ports"])
    stations = {one["id"]: one for one in physical["stations"]}
    assert {id for seen in interfaces.values() for id in seen["stations"]} == stations.keys()
    assert all(id in interfaces[one["interface"]]["stations"] and one["port"] in ports for id, one in stations.items())
    networks = {one["id"]: one for one in logical["networks"]}
    assert all(id in networks[port["network"]]["ports"] for id, port in ports.items())
    links = {one["id"]: one for one in physical["links"]}
    assert {seen["link"] for seen in interfaces.values()} - {None} == links.keys() and all(one["two_way"] for one in links.values())


# ---- drawn

@pytest.fixture
def hadron(site: Site, capsys: Any) -> Any:
    def run(*words: str, who: str = "ops") -> tuple[int, str]:
        status = main([words[0], "--url", site.net.url, "--token", TOKENS[who], *words[1:]])
        return status, capsys.readouterr().out
    return run


def test_the_physical_view_is_drawn_in_80_columns(hadron: Any) -> None:
    status, text = hadron("topology")
    assert status == 0 and all(len(line) <= 80 for line in text.splitlines())
    assert re.search(r"● br-int  0+a1  on host1-id\n +web\n┌─● 1  0+1\n│ +10\.9\.9\.1\n└─● 2  0+2\n +rack\n", text), text
    assert "10 Gbit/s" in text


def test_the_logical_view_is_what_a_project_sees(hadron: Any) -> None:
    assert "● red (network)\n    rack, web\n" in hadron("topology", who="acme")[1]
    assert hadron("topology", who="bolt")[1] == "nothing yet\n"


def test_the_graph_is_written_for_other_programs(hadron: Any, site: Site, tmp_path: Any) -> None:
    assert hadron("topology", "--dot")[1].startswith("graph hadron {")
    assert json.loads(hadron("topology", "--json")[1])["view"] == "physical"
    file = tmp_path / "fabric.graphml"
    assert hadron("topology", "--graphml", str(file))[0] == 0
    read = networkx.read_graphml(file)
    assert read.number_of_nodes() == 6 and read.number_of_edges() == 4
    assert hadron("topology", "--graphml", "-")[1] == file.read_text()
    for view in ("logical", "physical"):
        graphml(graph_of(site.net.as_ops.get(f"/inspect/topology?view={view}")))


def test_a_picture_needs_graphviz_and_says_so(hadron: Any, tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hadron("topology", "--png", str(tmp_path / "x.png"))[0] == 1
    (tmp_path / "dot").write_text("#!/bin/sh\n/bin/cat > \"$3\"\n")
    (tmp_path / "dot").chmod(0o755)
    assert hadron("topology", "--png", str(tmp_path / "x.png"))[0] == 0
    assert (tmp_path / "x.png").read_text().startswith("graph hadron {")


def test_the_shortest_paths_between_two_switches_are_listed(hadron: Any, site: Site) -> None:
    """By whatever people call them, with what they cost and what circuits have left; one wire is the only path here."""
    status, text = hadron("topology", "--paths", "1:2", "-k", "3")
    assert status == 0 and re.search(r"^COST +ROOM +SWITCHES\n1 +9000 Mbit/s +in use +1, 2$", text, re.M), text
    (path,) = json.loads(hadron("topology", "--paths", "2:1", "--json")[1])["paths"]
    assert path == {"cost": 1, "switches": [dpid(2), dpid(1)], "links": [f"{dpid(2)}:1"], "room_kbps": 9_000_000, "in_use": True}
    assert hadron("topology", "--paths", "1:a1") == (1, "no path leads there\n")
    ask = site.net.as_ops.ask
    for wrong in ("1", "1:1", "1:2&count=0", "1:2&count=x"):
        assert ask("GET", f"/inspect/topology?paths={wrong}").status == 400
    assert ask("GET", "/inspect/topology?paths=1:9").status == 404
    assert site.net.as_acme.ask("GET", "/inspect/topology?paths=1:2").status == 403


RAILS = """\
┌─────● a
└─┬─┬─● b
  │ │     more
┌─┴─┼─● c
└───┴─● d"""


def test_rails_lead_from_each_node_to_its_neighbours() -> None:
    nodes = {"a": ["a"], "b": ["b", "more"], "c": ["c"], "d": ["d"]}
    assert "\n".join(drawn(nodes, [("a", "b"), ("b", "c"), ("c", "d"), ("b", "d"), ("a", "a")])) == RAILS


@pytest.mark.parametrize("number", range(0, 1253, 17))
def test_a_drawing_has_every_wire_of_a_graph(number: int) -> None:
    """Rails are followed by eye here: from where one begins, down to where it ends."""
    graph = networkx.graph_atlas(number)
    lines = list(drawn({node: [str(node), "x"] for node in graph}, graph.edges()))
    followed, open_rails = set(), {}
    for line in lines:
        rails, dot, node = line.partition("● ")
        for place in range(0, len(rails), 2):
            if dot and rails[place] in "└┴":
                followed.add(frozenset((open_rails.pop(place), int(node))))
            elif dot and rails[place] in "┌┬":
                open_rails[place] = int(node)
            elif place in open_rails:
                assert rails[place] in "│┼"
    assert not open_rails and followed == {frozenset(edge) for edge in graph.edges()}


def test_what_nobody_could_follow_is_not_drawn() -> None:
    with pytest.raises(TooDense):
        list(drawn({node: [str(node)] for node in range(12)}, networkx.complete_graph(12).edges()))
