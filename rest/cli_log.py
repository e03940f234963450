"""`hadron log`: what security groups have let pass and what not, as logs have had it written down."""
from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from rest.cli_client import Client
from rest.cli_show import Page
from rest.cli_stats import id_of

FINE = 0


def words(one: argparse.ArgumentParser) -> None:
    """What it takes."""
    one.add_argument("--port", metavar="NAME|ID", help="only of this port")
    one.add_argument("--event", choices=("DROP", "ACCEPT"), help="only what was refused, or only what was allowed")
    one.add_argument("--since", metavar="TIME", help="only from this date and time on (UTC)")
    one.add_argument("--last", metavar="COUNT", default="20", help="so many at most, the newest (20)")


def log(arguments: argparse.Namespace, client: Client, page: Page) -> int:
    """The newest entries, the latest one last."""
    port = id_of(client, "port", arguments.port) if arguments.port else None
    answer = client.show("v2.0/log/entries", {
        "port_id": port, "event": arguments.event, "changed_since": arguments.since, "limit": arguments.last, "sort_key": "id", "sort_dir": "desc"})
    entries = answer["log_entries"][::-1]
    if arguments.json:
        print(json.dumps({"log_entries": entries}, indent=2))
        return FINE
    for one in entries:
        more = f" ({one['times']} times)" if one["times"] > 1 else ""
        page.text(f"{one['updated_at']}  {one['event']}  {_what(one)}{more}")
        page.text(f"port {one['port_id']}, {one['direction']}: {one['reason']}", indent="    ")
    return FINE


def _what(one: Mapping[str, Any]) -> str:
    ends = (_end(one[f"{end}_ip"], one[f"{end}_port"]) for end in ("source", "destination"))
    kind = "" if one["icmp_type"] is None else f" type {one['icmp_type']} code {one['icmp_code']}"
    return f"{one['protocol']}{kind} {' to '.join(ends)}"


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
