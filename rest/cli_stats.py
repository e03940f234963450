"""`hadron stats` and `hadron usage`: what ports and networks have sent and received, and what labels were counted."""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

from rest.cli_client import Client, Failed
from rest.cli_show import Page, size

FINE = 0


def words(one: argparse.ArgumentParser) -> None:
    """What `hadron stats` takes."""
    one.usage = "%(prog)s [options] --port NAME|ID\n       (or --network, --group, --rule, --label)"
    of = one.add_mutually_exclusive_group(required=True)
    of.add_argument("--port", metavar="NAME|ID", help="what this port has sent and received")
    of.add_argument("--network", metavar="NAME|ID", help="what all ports of this network have")
    of.add_argument("--group", metavar="NAME|ID", help="what the rules of this security group have allowed, if it is watched")
    of.add_argument("--rule", metavar="ID", help="what this rule of one has")
    of.add_argument("--label", metavar="NAME|ID", help="what this metering label was counted")
    _spans(one)


def usage_words(one: argparse.ArgumentParser) -> None:
    """What `hadron usage` takes."""
    _spans(one)
    one.add_argument("--kind", metavar="KIND", help="only these: port, metering_label")
    one.add_argument("--project", metavar="ID", help="only of this project; for administrators")
    one.add_argument("--csv", action="store_true", help="as lines of values separated by commas")


def _spans(one: argparse.ArgumentParser) -> None:
    one.add_argument("--since", metavar="TIME", help="from when on: a date and time, or seconds since 1970")
    one.add_argument("--until", metavar="TIME", help="until when")
    one.add_argument("--step", metavar="SECONDS", help="by so many seconds each")


def stats(arguments: argparse.Namespace, client: Client, page: Page) -> int:
    """Of one port, network, metering label, security group or rule of one; and of what they consist of."""
    kind = next(one for one in _PLACES if getattr(arguments, one))
    id = id_of(client, kind, getattr(arguments, kind))
    answer = client.show(f"v2.0/{_PLACES[kind]}/{id}/statistics", _period(arguments))
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return FINE
    told, (heads, cells) = answer["statistics"], _WORDS[kind]
    page.table((kind.upper(), *heads), [(id, *cells(told))])
    parts = (("PORT", "port_id", told.get("ports")), ("RULE", "security_group_rule_id", told.get("rules")), ("ADDRESS", "address", told.get("addresses")), ("FROM", "at", told.get("history")))
    for head, name, rows in parts:
        if rows:
            page.line()
            more = ("PEER",) if name == "address" else ()
            page.table((head, *more, *heads), [(one[name], *([one["peer"]] if more else []), *cells(one)) for one in rows])
    return FINE


def usage(arguments: argparse.Namespace, client: Client, page: Page) -> int:
    """Of each port and metering label, of a project or of all."""
    asked = {**_period(arguments), "kind": arguments.kind, "project_id": arguments.project}
    if arguments.csv:
        for line in client.lines("v2.0/usage", {**asked, "format": "csv"}):
            page.out.write(line + "\n")
        return FINE
    answer = client.show("v2.0/usage", asked)
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return FINE
    page.line(f"{answer['since']} to {answer['until']}")
    for kind, name in (("port", "PORT"), ("metering_label", "METERING LABEL")):
        heads, cells = _WORDS[kind.removeprefix("metering_")]
        rows = [(one["project_id"], one["id"], one["at"], *cells(one)) for one in answer["usage"] if one["kind"] == kind]
        if rows or kind == "port":
            page.line()
            page.table(("PROJECT", name, "FROM", *heads), rows)
    return FINE


def _cells(*ways: str) -> Callable[[Mapping[str, Any]], tuple[str, ...]]:
    """What is shown of what was counted in these directions."""
    return lambda told: tuple(text for way in ways for text in (f"{told[f'{way}_packets']} packets", size(told[f"{way}_bytes"])))


def _allowed(told: Mapping[str, Any]) -> tuple[str, ...]:
    return f"{told['connections']}", f"{told['packets']} packets", size(told["bytes"])


_PLACES = {"port": "ports", "network": "networks", "label": "metering/metering-labels", "group": "security-groups",
           "rule": "security-group-rules"}
_RULES = ("CONNECTIONS", "ALLOWED", ""), _allowed
_SENT = ("SENT", "", "RECEIVED", ""), _cells("tx", "rx")
_WORDS = {"port": _SENT, "network": _SENT, "group": _RULES, "rule": _RULES, "label": (("OUTSIDE", "", "FROM OUTSIDE", ""), _cells("egress", "ingress"))}


def _period(arguments: argparse.Namespace) -> dict[str, str | None]:
    return {name: getattr(arguments, name) for name in ("since", "until", "step")}


def id_of(client: Client, kind: str, text: str) -> str:
    """The id of what a person means, by id or by name. Raises Failed."""
    for name in ("id", "name") if kind != "rule" else ("id",):
        (found,) = client.show(f"v2.0/{_PLACES[kind]}", {name: text, "fields": "id"}).values()
        if len(found) > 1:
            raise Failed(f"{kind}: {len(found)} are called {text}; say which by its id", 2)
        if found:
            return str(found[0]["id"])
    raise Failed(f"{kind}: there is no {text}")
