"""`hadron topology` and `hadron what-if`: drawn for a terminal, or written for programs that draw."""
from __future__ import annotations

import argparse
import io
import subprocess
from collections.abc import Mapping
from typing import Any

from rest.cli_client import Failed
from rest.cli_rails import TooDense, drawn
from rest.cli_show import Page

FINE, FOUND = 0, 1
Answer = Mapping[str, Any]


def words(one: argparse.ArgumentParser) -> None:
    """What `hadron topology` takes."""
    one.add_argument("--logical", dest="view", action="store_const", const="logical", help="networks, routers and ports")
    one.add_argument("--physical", dest="view", action="store_const", const="physical", help="switches, links and what is "
                     "plugged in (what an administrator sees unless told otherwise)")
    one.add_argument("--paths", metavar="A:B", help="the shortest paths between two switches instead")
    one.add_argument("-k", dest="count", metavar="N", help="so many of them (5)")
    one.add_argument("--dot", action="store_true", help="as a graph for Graphviz: hadron topology --dot | dot -Tsvg")
    one.add_argument("--png", metavar="FILE", help="as a picture, drawn by Graphviz (apt install graphviz)")
    one.add_argument("--graphml", metavar="FILE", help="as GraphML, for networkx, Gephi, yEd; - is standard output")


def suppositions(one: argparse.ArgumentParser) -> None:
    """What `hadron what-if` takes."""
    one.add_argument("--link", metavar="A:B", action="append", help="the wires between two switches; or the id of a "
                     "link; or what leads to a machine, as SWITCH:PORT")
    one.add_argument("--switch", metavar="ID|NAME", action="append", help="a switch")
    one.add_argument("--host", metavar="ID|NAME", action="append", help="a host, with its switch")


def show(answer: Answer, page: Page, arguments: argparse.Namespace) -> int:
    """`hadron topology`."""
    if answer["view"] == "paths":
        return _list_paths(answer, page)
    graph = graph_of(answer)
    if arguments.dot:
        page.out.write(dot(graph))
    elif arguments.png:
        _picture(dot(graph), arguments.png)
    elif arguments.graphml:
        _write(graphml(graph), arguments.graphml, page)
    else:
        _draw(answer, graph, page)
    return FINE


def _list_paths(answer: Answer, page: Page) -> int:
    if not answer["paths"]:
        page.line("no path leads there")
        return FOUND
    page.table(("COST", "ROOM", "", "SWITCHES"), [
        (one["cost"], f"{one['room_kbps'] // 1000} Mbit/s", "in use" if one["in_use"] else "",
         ", ".join(id.lstrip("0") for id in one["switches"])) for one in answer["paths"]])
    return FINE


# ---- the graph

def graph_of(answer: Answer) -> Any:
    """networkx.MultiGraph of a view: nodes with `kind` and `label`, wires with what is known of them."""
    import networkx  # takes long to load: not for every command
    found = networkx.MultiGraph()
    (_physical if answer["view"] == "physical" else _logical)(answer, found)
    return found


def _physical(answer: Answer, found: Any) -> None:
    stations = {one["id"]: one for one in answer["stations"]}
    for switch in answer["switches"]:
        found.add_node(switch["id"], kind="switch", label=switch["name"] or switch["id"].lstrip("0"), at=switch["host"] or "")
        for seen in switch["interfaces"]:
            here = seen["stations"]
            machines = [(id, stations[id]["addresses"][0] if stations[id]["addresses"] else stations[id]["mac_address"])
                        for id in here] or [(port["id"], port["name"] or port["id"][:8]) for port in seen["ports"]]
            for id, label in machines:
                found.add_node(id, kind="machine", label=label)
                found.add_edge(switch["id"], id, kind="plug", port=seen["ofport"] or 0)
    known = {one["id"] for one in answer["links"]}
    for link in answer["links"]:
        source, target = link["source"], link["target"]
        back = f"{target['switch']}:{target['ofport']}"
        if link["two_way"] and back in known and back < link["id"]:
            continue
        found.add_edge(source["switch"], target["switch"], kind="link" if link["two_way"] else "one-way link",
                       port=source["ofport"], target_port=target["ofport"], speed=link["speed"] or 0,
                       latency=link["latency"] or 0)


def _logical(answer: Answer, found: Any) -> None:
    for network in answer["networks"]:
        found.add_node(network["id"], kind="network", label=network["name"] or network["id"][:8])
    for router in answer["routers"]:
        found.add_node(router["id"], kind="router", label=router["name"] or router["id"][:8])
        for network in {*router["networks"], *router["external_networks"]} & found.nodes:
            found.add_edge(router["id"], network, kind="interface")
    for port in answer["ports"]:
        if port["network"] in found and not port["device_owner"].startswith("network:router"):
            found.add_node(port["id"], kind="machine", label=port["name"] or port["id"][:8])
            found.add_edge(port["network"], port["id"], kind="plug")


_SHAPES = {"switch": "box", "network": "ellipse", "router": "diamond", "machine": "plaintext"}


def dot(graph: Any) -> str:
    """For Graphviz."""
    lines = ["graph hadron {", "  node [fontname=sans, fontsize=10]; edge [fontname=sans, fontsize=8];"]
    for id, data in graph.nodes(data=True):
        lines.append(f"  {_quoted(id)} [label={_quoted(data.get('label', id))}, shape={_SHAPES[data['kind']]}];")
    for one, other, data in graph.edges(data=True):
        said = [f"label={_quoted(_speed(data['speed']))}"] if data.get("speed") else []
        said += ["style=dashed, dir=forward"] if data["kind"] == "one-way link" else []
        lines.append(f"  {_quoted(one)} -- {_quoted(other)}{' [' + ', '.join(said) + ']' if said else ''};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def graphml(graph: Any) -> str:
    """GraphML, as networkx writes it."""
    import networkx
    file = io.BytesIO()
    networkx.write_graphml_xml(graph, file)
    return file.getvalue().decode()


def _picture(text: str, name: str) -> None:
    try:
        done = subprocess.run(["dot", "-Tpng", "-o", name], input=text, text=True, capture_output=True)
    except FileNotFoundError:
        raise Failed("--png: Graphviz draws the picture, and `dot` is not here: apt install graphviz; --dot writes what it "
                     "would draw") from None
    if done.returncode:
        raise Failed(f"--png: {done.stderr.strip()}")


def _write(text: str, name: str, page: Page) -> None:
    if name == "-":
        page.out.write(text)
        return
    try:
        with open(name, "w") as file:
            file.write(text)
    except OSError as error:
        raise Failed(f"--graphml: {name}: {error.strerror}") from None


# ---- for a terminal

def _draw(answer: Answer, graph: Any, page: Page) -> None:
    machines = {id for id, kind in graph.nodes(data="kind") if kind == "machine"}
    inner = graph.subgraph(set(graph) - machines)
    lines = {id: [_title(id, data), *_names(sorted(graph.nodes[each]["label"] for each in graph[id] if each in machines))]
             for id, data in inner.nodes(data=True)}
    try:
        for line in drawn(lines, inner.edges()):
            page.line(line)
    except TooDense as many:
        page.line(f"{many} wires side by side are too many for a drawing; --dot and --graphml have them all")
    if not lines:
        page.line("nothing yet")
    if answer["view"] == "physical" and answer["links"]:
        page.line()
        page.table(("LINK", "TO", "SPEED", "LATENCY", "HEARD"), [
            (f"{_end(one['source'], graph)}", f"{_end(one['target'], graph)}{'' if one['two_way'] else ' (one way)'}",
             _speed(one["speed"]), f"{one['latency']} µs" if one["latency"] is not None else "",
             f"{one['age']} s ago" if one["age"] is not None else "") for one in answer["links"]])


def _title(id: str, data: Mapping[str, Any]) -> str:
    at = f"  on {data['at']}" if data.get("at") else ""
    return f"{data['label']}{'' if data['kind'] == 'switch' else ' (' + data['kind'] + ')'}{'  ' + id if len(id) == 16 else ''}{at}"


def _names(names: list[str]) -> list[str]:
    shown = names if len(names) < 8 else [*names[:6], f"and {len(names) - 6} more"]
    return [", ".join(shown)] if shown else []


def _end(end: Mapping[str, Any], graph: Any) -> str:
    label = graph.nodes[end["switch"]].get("label", end["switch"]) if end["switch"] in graph else end["switch"]
    return f"{label} port {end['ofport']}"


def _speed(speed: int | None) -> str:
    if not speed:
        return ""
    return f"{speed // 1000} Gbit/s" if speed % 1000 == 0 else f"{speed} Mbit/s"


def suppose(answer: Answer, page: Page) -> int:
    """`hadron what-if`."""
    without = answer["without"]
    page.text("without " + ", ".join(f"{kind} {one}" for kind, name in (
        ("switch", "switches"), ("link", "links"), ("the machine at", "machines")) for one in without[name]))
    page.line(f"{answer['pairs_lost']} of {answer['pairs']} pairs of ports could not reach each other any more")
    page.line(f"{answer['pairs_moved']} would on another way, {answer['pairs_interrupted']} of them not before that is found")
    if answer["networks"]:
        page.line()
        page.table(("NETWORK", "PROJECT", "PAIRS LOST", "MOVED", "INTERRUPTED", "OF"), [
            (one["name"] or one["id"], one["project_id"], one["pairs_lost"], one["pairs_moved"], one["pairs_interrupted"],
             one["pairs"]) for one in answer["networks"]])
    if answer["ports"]:
        page.line()
        page.table(("PORT", "LOSES", "FOR A MOMENT"), [
            (one["name"] or one["id"], f"{one['lost']} others", f"{one['interrupted']} others") for one in answer["ports"]])
        if answer["ports_cut"] > len(answer["ports"]):
            page.line(f"and {answer['ports_cut'] - len(answer['ports'])} more ports")
    if answer["circuits"]:
        page.line()
        page.table(("CIRCUIT", "PROJECT", "THEN", "BY WAY OF"), [
            (one["name"] or one["id"], one["project_id"], one["then"], ", ".join(id.lstrip("0") for id in one["path"])
             or (f"no room on {one['full']}" if one["full"] else "")) for one in answer["circuits"]])
    for router in answer["routers"]:
        page.line(f"router {router['name'] or router['id']} loses the host where it leads outside")
    return FINE if answer["fine"] else FOUND
