"""`hadron stats` and `hadron usage`: what ports and networks have sent and received."""
from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from rest.cli_client import Client, Failed
from rest.cli_show import Page, size

FINE = 0
_WAYS = ("tx", "rx")


def stats(arguments: argparse.Namespace, client: Client, page: Page) -> int:
    """Of one port, or of one network and its ports."""
    kind = "port" if arguments.port else "network"
    id = _id(client, kind, arguments.port or arguments.network)
    answer = client.show(f"v2.0/{kind}s/{id}/statistics", _period(arguments))
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return FINE
    told = answer["statistics"]
    page.table((kind.upper(), *_HEADS), [(id, *_cells(told))])
    parts = (("PORT", "port_id", told.get("ports")), ("ADDRESS", "address", told.get("addresses")), ("FROM", "at", told.get("history")))
    for head, name, rows in parts:
        if rows:
            page.line()
            more = ("PEER",) if name == "address" else ()
            page.table((head, *more, *_HEADS), [(one[name], *([one["peer"]] if more else []), *_cells(one)) for one in rows])
    return FINE


def usage(arguments: argparse.Namespace, client: Client, page: Page) -> int:
    """Of each port, of a project or of all."""
    answer = client.show("v2.0/usage", _period(arguments))
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return FINE
    page.line(f"{answer['since']} to {answer['until']}")
    page.table(("PROJECT", "PORT", "FROM", *_HEADS),
               [(one["project_id"], one["id"], one["at"], *_cells(one)) for one in answer["usage"]])
    return FINE


_HEADS = ("SENT", "", "RECEIVED", "")


def _cells(told: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(text for way in _WAYS for text in (f"{told[f'{way}_packets']} packets", size(told[f"{way}_bytes"])))


def _period(arguments: argparse.Namespace) -> dict[str, str | None]:
    return {name: getattr(arguments, name) for name in ("since", "until", "step")}


def _id(client: Client, kind: str, text: str) -> str:
    """The id of what a person means, by id or by name. Raises Failed."""
    for name in ("id", "name"):
        found = client.show(f"v2.0/{kind}s", {name: text, "fields": "id"})[f"{kind}s"]
        if len(found) > 1:
            raise Failed(f"{kind}: {len(found)} are called {text}; say which by its id", 2)
        if found:
            return str(found[0]["id"])
    raise Failed(f"{kind}: there is no {text}")
