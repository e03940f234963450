"""`hadron topology` and `hadron what-if`: the two views, and what would be lost if something failed."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controller.errors import Missing
from rest.errors import bad_request
from rest.inspect_objects import Known
from topology import views, what_if

VIEWS = ("logical", "physical")


def viewed(model: Any, world: Any, known: Known, call: Callable[..., Any], view: str) -> dict[str, Any]:
    """One of the views. Refused if there is no such view."""
    if view not in VIEWS:
        raise bad_request(f"view: must be {' or '.join(VIEWS)}")
    if view == "physical":
        return {"view": view, **call(views.physical, model, world)}
    return {"view": view, **call(views.logical, model, world, known.sees, known.context.is_admin)}


def supposed(model: Any, world: Any, call: Callable[..., Any], params: Mapping[str, str],
             switch_of: Callable[[str], str]) -> dict[str, Any]:
    """What would be lost without these links, switches and hosts (several are separated by commas)."""
    links = {id for text in _words(params, "link") for id in _links(model, text, switch_of)}
    switches = {switch_of(text) for text in _words(params, "switch")}
    for text in _words(params, "host"):
        hosts = [row.id for row in model.find("host", "all", True) if text in (row.id, row.hostname)]
        if not hosts:
            raise Missing("host", text)
        switches |= {row.id for id in hosts for row in model.find("switch", "host_id", id)}
    if not links and not switches:
        raise bad_request("say what fails: link, switch or host")
    return {"without": {"links": sorted(links), "switches": sorted(switches)},
            **call(what_if.cut, world, model, frozenset(links), frozenset(switches))}


def _words(params: Mapping[str, str], name: str) -> list[str]:
    return [word.strip() for word in params.get(name, "").split(",") if word.strip()]


def _links(model: Any, text: str, switch_of: Callable[[str], str]) -> list[str]:
    """The wires that a person means: one by the id of either direction, or all between two switches as a:b."""
    if model.get("link", text) is not None:
        return [text]
    one, colon, other = text.rpartition(":")
    if not colon:
        raise bad_request(f"link: {text[:80]} must be SWITCH:SWITCH, or the id of a link")
    ends = switch_of(one), switch_of(other)
    found = [row.id for row in model.find("link", "source_switch_id", ends[0]) if row.target_switch_id == ends[1]]
    if not found:
        raise Missing("link", text)
    return found
