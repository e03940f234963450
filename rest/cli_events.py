"""`hadron events`: what happens, as it happens."""
from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from rest.cli_client import Client, Failed
from rest.cli_show import Page

FINE, AGAIN = 0, 1.0        # seconds after which it is tried again when a stream has ended


def words(one: argparse.ArgumentParser) -> None:
    """What the command takes."""
    one.add_argument("--since", metavar="PLACE", help="go on after this event: its place is the first word of its line")
    one.add_argument("--resource", metavar="NAME[,NAME]", help="only these, as port,network")
    one.add_argument("--count", metavar="N", type=int, help="end after so many")


def events(arguments: argparse.Namespace, client: Client, page: Page) -> int:
    """Follow them until interrupted; after a break goes on where it was."""
    left, place = arguments.count, arguments.since
    while True:
        for id, verb, data in _told(client, place, arguments.resource):
            place = id or place
            if verb == "lost":
                raise Failed(data["message"])
            if verb == "begin":
                continue
            if arguments.json:
                page.line(json.dumps({"id": id, "event": verb, **data}))
            else:
                page.text(f"{id}  {verb:8}{' ' if len(verb) > 7 else ''}{data['resource']} {data['id']}  {_more(verb, data)}".rstrip(),
                          indent="    ", first="")
            page.out.flush()
            left = left - 1 if left else left
            if left == 0:
                return FINE
        time.sleep(AGAIN)


def _more(verb: str, data: Any) -> str:
    """What is said of the object: its name, or how it does now and did before."""
    told = data.get(data["resource"])
    return told.get("name") or "" if told is not None else f"{_word(data['was'])} -> {_word(data[verb])}"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _told(client: Client, place: str | None, resource: str | None) -> Iterator[tuple[str, str, Any]]:
    """(place, event, data) of one stream, until it ends."""
    said: dict[str, str] = {}
    for line in client.lines("v2.0/events", {"since": place, "resource": resource}):
        name, colon, value = line.partition(": ")
        if line and name:
            said[name] = value if colon else ""
        elif "data" in said:
            yield said.get("id", ""), said.get("event", ""), json.loads(said["data"])
            said = {}
