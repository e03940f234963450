"""`hadron topology` and `hadron what-if`: the two views, and what would be lost if something failed."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controller.errors import Missing
from rest.errors import bad_request
from rest.inspect_objects import Known
from topology import between, views, what_if

VIEWS = ("logical", "physical")
MOST_PATHS = 32


def viewed(model: Any, world: Any, known: Known, call: Callable[..., Any], view: str) -> dict[str, Any]:
    """One of the views. Refused if there is no such view."""
    if view not in VIEWS:
        raise bad_request(f"view: must be {' or '.join(VIEWS)}")
    if view == "physical":
        return {"view": view, **call(views.physical, model, world)}
    return {"view": view, **call(views.logical, model, world, known.sees, known.context.is_admin)}


def paths(model: Any, world: Any, call: Callable[..., Any], params: Mapping[str, str], switch_of: Callable[[str], str]) -> dict[str, Any]:
    """The shortest paths between two switches, SWITCH:SWITCH, and so many (`count`, 5). What is looked at is read on the
    desk; the search keeps nobody waiting."""
    one, colon, other = params["paths"].rpartition(":")
    count = params.get("count", "5")
    if not colon:
        raise bad_request(f"paths: {params['paths'][:80]} must be SWITCH:SWITCH")
    if not count.isascii() or not count.isdigit() or not 0 < int(count) <= MOST_PATHS:
        raise bad_request(f"count: must be between 1 and {MOST_PATHS}")
    ends = switch_of(one), switch_of(other)
    if ends[0] == ends[1]:
        raise bad_request("paths: must be two switches")
    around, room_of, used = call(between.seen, world, *ends)
    return {"view": "paths", "by": model.settings["path_cost"], "between": ends,
            "paths": between.paths(around, room_of, used, *ends, int(count))}


def supposed(model: Any, world: Any, call: Callable[..., Any], params: Mapping[str, str],
             switch_of: Callable[[str], str]) -> dict[str, Any]:
    """What would be lost without these links, switches and hosts (several are separated by commas)."""
    links: dict[str, Any] = {}
    plugs: dict[str, Any] = {}
    for text in _words(params, "link"):
        wires, machines = _wire(model, text, switch_of)
        links |= {row.id: row for row in wires}
        plugs |= {row.id: row for row in machines}
    switches = {switch_of(text) for text in _words(params, "switch")}
    for text in _words(params, "host"):
        hosts = [row.id for row in model.find("host", "all", True) if text in (row.id, row.hostname)]
        if not hosts:
            raise Missing("host", text)
        switches |= {row.id for id in hosts for row in model.find("switch", "host_id", id)}
    if not links and not plugs and not switches:
        raise bad_request("say what fails: link, switch or host")
    ends = {end for row in links.values() for end in (
        (row.source_switch_id, row.source_port), (row.target_switch_id, row.target_port))}
    failure = what_if.Failure(frozenset(ends), frozenset(switches), frozenset(
        (row.switch_id, row.ofport) for row in plugs.values()))
    return {"without": {"links": sorted(links), "switches": sorted(switches), "machines": sorted(plugs)},
            **call(what_if.cut, world, model, failure)}


def _words(params: Mapping[str, str], name: str) -> list[str]:
    return [word.strip() for word in params.get(name, "").split(",") if word.strip()]


def _wire(model: Any, text: str, switch_of: Callable[[str], str]) -> tuple[list[Any], list[Any]]:
    """What a person means by a wire: a link by the id of either direction; all links between two switches as a:b; or what
    leads to a machine, by the interface's id, or as SWITCH:NAME. (links, interfaces)
    """
    link, seen = model.get("link", text), model.get("interface", text)
    if link is not None:
        return [link], []
    if seen is not None and seen.switch_id and seen.ofport:
        return [], [seen]
    one, colon, other = text.rpartition(":")
    if not colon:
        raise bad_request(f"link: {text[:80]} must be SWITCH:SWITCH, SWITCH:PORT, or the id of a link or interface")
    if named := model.find("interface", "switch_id+name", (switch_of(one), other)):
        return _wire(model, named[0].id, switch_of)
    ends = switch_of(one), switch_of(other)
    found = [row for row in model.find("link", "source_switch_id", ends[0]) if row.target_switch_id == ends[1]]
    if not found:
        raise Missing("link", text)
    return found, []
