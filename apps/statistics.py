"""Statistics: what ports have sent and received, in all or between two moments, by steps, and what that is in a second.

    tx    what a machine has sent into its port, before anything judges it
    rx    what was handed to a machine, after everything has judged it; with what its own limit of what it receives then drops,
          as Open vSwitch counts a packet for every flow of its way
    dropped    what was refused of either, by reason, of ports that are watched or that a log is about (`logs.py`)

The flows that count are others' (`count(...)` in `switching.py`, `limits.py`); `controller/stats.py` keeps what they count.
A network has what all ports that it ever had were counted. What is told apart by addresses is counted of ports that are
watched (`watches.py`). For rules of security groups that are watched it is every packet that passes by them, questions and answers
(`security_groups.py`); `connections` are packets that began one, each time that they were said. For metering labels it is what crosses gateways: ingress comes from outside, egress goes there.
"""
from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from controller.errors import Invalid
from controller.times import seconds, utc

BEGAN, FOLLOWED = "began", "followed"
DIRECTIONS = {"sent": "tx", "received": "rx", "ingress": "ingress", "egress": "egress"}
DROPPED = "dropped"
NAMES = tuple(f"{way}_{unit}" for way in ("rx", "tx") for unit in ("packets", "bytes"))
LABEL_NAMES = tuple(f"{way}_{unit}" for way in ("ingress", "egress") for unit in ("packets", "bytes"))
RULE_NAMES = ("packets", "bytes", "connections")
COUNTED = {"port": NAMES, "metering_label": LABEL_NAMES}
MINUTE, HOUR = 60, 3600
BY_MINUTES = 2 * 86400 - HOUR            # seconds for which minutes are kept
MOST_STEPS = 3000

Values = dict[str, int]


def of_port(model: Any, port: Any, format: str, asked: Mapping[str, Any]) -> str:
    """What went through a port, and if it is watched through each of its addresses, to and from whom."""
    return _said(model, {"port_id": port.id, "network_id": port.network_id, "project_id": port.project_id},
                 {"kind": "port", "id": port.id}, format, asked)


def of_network(model: Any, network: Any, format: str, asked: Mapping[str, Any]) -> str:
    """What went through all ports of a network, and through each."""
    of = {"kind": "port", "within": network.id, **({"id": asked["port"]} if asked.get("port") else {})}
    return _said(model, {"network_id": network.id, "project_id": network.project_id}, of, format, asked)


def of_label(model: Any, label: Any, format: str, asked: Mapping[str, Any]) -> str:
    """What was counted for a metering label."""
    return _said(model, {"metering_label_id": label.id, "project_id": label.project_id},
                 {"kind": "metering_label", "id": label.id}, format, asked, LABEL_NAMES)


def of_rule(model: Any, rule: Any, format: str, asked: Mapping[str, Any]) -> str:
    """What a rule has allowed, while its group was watched."""
    return _said(model, {"security_group_rule_id": rule.id, "security_group_id": rule.security_group_id, "project_id": rule.project_id},
                 {"kind": "security_group_rule", "id": rule.id}, format, asked, RULE_NAMES)


def of_group(model: Any, group: Any, format: str, asked: Mapping[str, Any]) -> str:
    """What all rules of a group have allowed, and each of them."""
    return _said(model, {"security_group_id": group.id, "project_id": group.project_id},
                 {"kind": "security_group_rule", "within": group.id}, format, asked, RULE_NAMES)


def _said(model: Any, about: dict[str, Any], of: dict[str, str], format: str, asked: Mapping[str, Any],
          names: tuple[str, ...] = NAMES) -> str:
    counts = model.live["statistics"](None)
    now = int(counts.now())
    wanted, picked = _wanted(asked.get("data"), names), _picking(asked)
    since, until, step = period(asked, now)
    everything = counts.sums(**of) if since is None and asked.get("until") is None else \
        counts.history(since or 0, until, until - (since or 0), **of)
    dropped = [one for one in everything if one.series.what == DROPPED]
    everything = [one for one in everything if one.series.what != DROPPED]
    found = picked(everything)
    steps = picked(counts.history(_first(since, until, step), until, step, **of)) if step else []
    if format == "csv":
        return table(steps or found, step, wanted)
    minute = now - now % MINUTE
    last = picked(counts.history(minute - MINUTE, minute, MINUTE, **of))
    told = {**about, "since": None if since is None else utc(since), "until": utc(until), **added(found, wanted),
            "rate": {name.replace("bytes", "bps").replace("packets", "pps"): value * (8 if "bytes" in name else 1) / MINUTE
                     for name, value in added(last, wanted).items()}}
    if of["kind"] == "port":
        told |= drops(dropped)
    if "within" in of:
        told["ports" if of["kind"] == "port" else "rules"] = [
            {f"{of['kind']}_id": id, **added(some, wanted)} for id, some in by(found, "id").items()]
    if of["kind"] == "port" and "within" not in of:
        told["addresses"] = [{**dict(zip(("address", "peer"), about.split(" "), strict=True)), **added(some, wanted)}
                             for about, some in by(everything, "about").items() if about]
    if step:
        told["step"] = step
        told["history"] = [{"at": utc(at), **added(some, wanted)} for at, some in by(steps, "at").items()]
    return json.dumps({"statistics": told})


def period(asked: Mapping[str, Any], now: int) -> tuple[int | None, int, int | None]:
    """(since, until, step) in whole minutes, or whole hours for what is old; Invalid if they contradict each other."""
    since, step = (None if asked.get("since") is None else seconds(asked["since"])), asked.get("step")
    until = -(-(now + 1 if asked.get("until") is None else seconds(asked["until"])) // MINUTE) * MINUTE
    if since is not None:
        since -= since % MINUTE
        if since >= until:
            raise Invalid("since", "must be before until")
    if step and step % MINUTE:
        raise Invalid("step", "must be whole minutes: a multiple of 60 seconds")
    if since is not None and since < now - BY_MINUTES:
        if step and step % HOUR:
            raise Invalid("step", "must be whole hours, as since is more than two days ago")
        since, until = since - since % HOUR, -(-until // HOUR) * HOUR
    if step and (until - _first(since, until, step)) // step > MOST_STEPS:
        raise Invalid("step", f"gives more than {MOST_STEPS} steps; choose longer ones, or a later since")
    return since, until, step


def _first(since: int | None, until: int, step: int) -> int:
    """When history begins: an hour or ten steps ago, if nobody says."""
    begin = until - max(60 * MINUTE, 10 * step) if since is None else since
    return begin - begin % min(step, HOUR)


def _picking(asked: Mapping[str, Any]) -> Callable[[Iterable[Any]], list[Any]]:
    """What leaves of counts those that are meant: of an address and a peer if they are named, else those of everything."""
    ip, peer = asked.get("ip"), asked.get("peer")

    def meant(about: str) -> bool:
        if ip is None and peer is None:
            return not about
        own, _, other = about.partition(" ")
        return bool(about) and ip in (None, own) and peer in (None, other)
    return lambda sums: [one for one in sums if meant(one.series.about)]


def _wanted(data: str | None, names: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(data.split(",")) if data else names
    for name in found:
        if name not in names:
            raise Invalid("data", f"must be some of {','.join(names)}")
    return found


def added(sums: Iterable[Any], wanted: Iterable[str] = NAMES) -> Values:
    """What was counted together, by direction."""
    found = dict.fromkeys(wanted, 0)
    for one in sums:
        for name, value in _named(one):
            if name in found:
                found[name] += value
    return found


def _named(one: Any) -> tuple[tuple[str, int], ...]:
    """What a sum is of, by the names of answers."""
    what = one.series.what
    if what in DIRECTIONS:
        return (f"{DIRECTIONS[what]}_packets", one.packets), (f"{DIRECTIONS[what]}_bytes", one.octets)
    if what in (BEGAN, FOLLOWED):
        return ("packets", one.packets), ("bytes", one.octets), ("connections", one.packets if what == BEGAN else 0)
    return ()


def drops(sums: Iterable[Any]) -> dict[str, Any]:
    """What was dropped, and why."""
    why = [{"reason": reason, "packets": sum(one.packets for one in some), "bytes": sum(one.octets for one in some)}
           for reason, some in by(sums, "about").items()]
    return {**{f"dropped_{unit}": sum(one[unit] for one in why) for unit in ("packets", "bytes")}, "drops": why}


def by(sums: Iterable[Any], what: str) -> dict[Any, list[Any]]:
    """Those that belong together: by `at`, or by an attribute of their series; in the order in which they come."""
    found: dict[Any, list[Any]] = {}
    for one in sums:
        found.setdefault(one.at if what == "at" else getattr(one.series, what), []).append(one)
    return found


def table(sums: Iterable[Any], step: int | None, wanted: Iterable[str] = NAMES) -> str:
    """The same as CSV, an object and a step in each line; empty is what is not counted of its kind."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    wanted = tuple(wanted)
    rows.writerow(["kind", "id", "network_id", "project_id", *(["at"] if step else []), *wanted])
    for at, some in by(sums, "at").items():
        for id, own in by(some, "id").items():
            of = own[0].series
            counted = added(own, [name for name in wanted if name in COUNTED.get(of.kind, wanted)])
            rows.writerow([of.kind, id, of.within, of.project, *([utc(at)] if step else []),
                           *(counted.get(name, "") for name in wanted)])
    return out.getvalue()
