"""`hadron forget`: what was last seen of a host, or of a switch without one, that will not come back.

Facts are remembered across restarts, so a host that was taken away would be waited for, and sent to, for ever. One that
comes back with the certificate of somebody else would not be let in: that alone can be forgotten, too.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from controller.errors import Conflict, Missing
from rest.errors import bad_request

PLACES = ("switch_id", "source_switch_id", "target_switch_id")
"""Attributes of facts that name a switch."""
OF_A_SWITCH = ("switch", "loss")
"""Facts whose id is a switch's."""


def forget(control: Any, call: Callable[..., Any], text: str, hosts_connected: Iterable[str], *,
           certificate: bool = False) -> dict[str, Any]:
    """Let go of all that was seen of a host; says how much. Refused while it, or its switch, is connected. Of its
    certificate alone, if that is said, at any time.
    """
    connected = set(hosts_connected)
    return call(_forget_certificate, control, text) if certificate else call(_forget, control, text, connected)


def _forget_certificate(control: Any, text: str) -> dict[str, Any]:
    host, switches = _meant(control.model, text)
    return _said(text, host, switches, {"certificate": control.certificates.forget(host, switches)})


def _forget(control: Any, text: str, connected: set[str]) -> dict[str, Any]:
    model = control.model
    host, switches = _meant(model, text)
    if host in connected or any(switch in control.standing for switch in switches):
        raise Conflict("HostConnected", f"{text} is connected: stop it first (ovs-vsctl del-manager, and del-br of its integration "
                                        "bridge), or it would be seen again at once")
    gone = [(kind, row[0]) for kind, resource in model.resources.items() if resource.fact
            for row in list(model.rows[kind].values()) if _is_of(kind, row, host, switches)]
    control.writer.learn([], gone)
    counted = Counter(kind for kind, _ in gone)
    if certificates := control.certificates.forget(host, switches):
        counted["certificate"] = certificates
    return _said(text, host, switches, counted)


def _said(text: str, host: str | None, switches: set[str], counted: Mapping[str, int]) -> dict[str, Any]:
    return {"forgotten": text, "host_id": host, "switches": sorted(switches), "facts": dict(sorted(counted.items()))}


def _meant(model: Any, text: str) -> tuple[str | None, set[str]]:
    """The host that a person means, by id or name, and its switches; or a switch that is on none."""
    hosts = [row.id for row in model.rows["host"].values() if text in (row.id, row.hostname)]
    if text in hosts:
        hosts = [text]
    if len(hosts) > 1:
        raise bad_request(f"host: {len(hosts)} are called {text}; say which: {', '.join(sorted(hosts))}")
    if hosts:
        return hosts[0], {row.id for row in model.find("switch", "host_id", hosts[0])}
    switch = model.get("switch", text)
    if switch is None:
        raise Missing("host", text)
    if switch.host_id is not None:
        raise bad_request(f"host: {text} is the switch of {switch.host_id}; forget that host")
    return None, {switch.id}


def _is_of(kind: str, row: Any, host: str | None, switches: set[str]) -> bool:
    if kind == "host":
        return bool(row.id == host)
    if kind in OF_A_SWITCH:
        return row.id in switches
    return host is not None and getattr(row, "host_id", None) == host \
        or any(getattr(row, place, None) in switches for place in PLACES)
