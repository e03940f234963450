"""A reader of /v2.0/events."""
from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.rest.fabric import TOKENS, Fabric


class Told(NamedTuple):
    id: str
    event: str
    data: Any


class Listener:
    """Reads a stream of events."""

    def __init__(self, cloud: Fabric, who: str, query: str = "", **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", cloud.hadron.rest.port, timeout=20)
        self.connection.request("GET", f"/v2.0/events{query}", headers={"X-Auth-Token": TOKENS[who], **headers})
        self.answer = self.connection.getresponse()

    def __iter__(self) -> Iterator[Told]:
        said: dict[str, str] = {}
        while line := self.answer.readline().decode():
            if line == "\n" and said:
                yield Told(said.get("id", ""), said.get("event", ""), json.loads(said["data"]))
                said = {}
            elif line != "\n" and not line.startswith(":"):
                name, _, value = line.rstrip("\n").partition(": ")
                said[name] = value

    def next(self) -> Told:
        return next(iter(self))

    def close(self) -> None:
        self.connection.close()
