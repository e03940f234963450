"""Flows as text for people to review: names instead of numbers that carry no meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from apps.guards import digest_of, groups_of
from apps.pipeline import METERS, PIPELINE, TUNNEL_KEY, TUNNEL_PORT, UPLINK
from controller.openflow.group import Entry
from controller.openflow.text import entry_text
from controller.values import ip_number
from tests.kit import frames
from tests.kit.net import Net


class Names:
    """What the numbers of a cloud stand for. A number that stands for nothing known is left as it is."""

    def __init__(self, net: Net, host: str) -> None:
        rows = net.model.rows
        ports = {row.key: _called(net, row) for row in rows["port"].values()}
        tunnels = {key: f"{kind} tunnel" for kind, key in TUNNEL_KEY.items()} | {UPLINK: "uplink"}
        here = net.model.find("interface", "host_id", host)
        ofports = {seen.ofport: seen.name for seen in here} | {
            port: f"{kind} tunnel" for kind, port in TUNNEL_PORT.items()
        }
        ofports |= {seen.ofport: f"uplink to {seen.physical_network}" for seen in net.model.find("uplink", "host_id", host)}
        registers = {
            "SENDER": ports,
            "RECEIVER": ports | tunnels,
            "REALM": {row.key: row.name for row in rows["network"].values()},
            "GROUPS": {digest_of(groups_of(row)): " and ".join(sorted(net.model.get("security_group", id).name
                                                                  for id in row.security_groups)) or "no group"
                       for row in rows["port"].values()},
            "NETWORK": {row.key: row.name for row in rows["network"].values()},
            "tun_id": {row.provider_segmentation_id: row.name for row in rows["network"].values()
                       if row.provider_network_type in TUNNEL_KEY},
            "ROUTER": {row.key: row.name for row in rows["router"].values()},
            "HOP": {ip_number(fixed.ip_address): fixed.ip_address
                    for row in rows["port"].values() for fixed in row.fixed_ips if ":" not in fixed.ip_address},
            "GUARDS": {0: "nobody", 1: "stateful", 2: "stateless"},
        }
        self.numbers = [(rf"(\b{name}=)(0x[0-9a-f]+)(?![0-9a-f/])", known) for name, known in registers.items()]
        self.numbers += [(rf"(set_field:)(0x[0-9a-f]+)(?=->{name}\b)", known) for name, known in registers.items()]
        groups = {row.key: f"{row.name} of {row.project_id}" for row in rows["security_group"].values()}
        self.numbers += [
            (r"(\bin_port=|\boutput:)(\d+)\b", ofports),
            (r"(\bmeter[:=])(\d+)\b", ports | {METERS["errors"] + row.key: row.name for row in rows["router"].values()}),
            (r"(\bconj_id=|\bconjunction\()(\d+)\b", groups),
        ]
        self.texts = {f"tun_dst={net.things['host', host].tunnel_ip},RECEIVER": "tun_dst=<its own>,RECEIVER"}
        for row in rows["port"].values():
            self.texts[row.mac_address] = f"<MAC of {_called(net, row)}>"
            self.texts[frames.link_local(row.mac_address)] = f"<link-local of {_called(net, row)}>"

    def say(self, line: str) -> str:
        """A line of ovs-ofctl text with names."""
        for pattern, known in self.numbers:
            line = re.sub(pattern, partial(_named, known), line)
        for text, name in self.texts.items():
            line = line.replace(text, name)
        return line


def _called(net: Net, port: Any) -> str:
    """A port's name; an interface of a router has none of its own."""
    router, network = net.model.get("router", port.device_id), net.model.get("network", port.network_id)
    first = "".join(fixed.ip_address for fixed in port.fixed_ips[:1])
    return port.name or (f"{router.name} in {network.name}, {first}" if router and network else "")


def _named(known: dict[int, str], found: re.Match[str]) -> str:
    name = known.get(int(found[2], 0))
    return found[0] if name is None else f"{found[1]}<{name}>"


def golden(net: Net, app: str) -> str:
    """The flows of one app: first those of every switch, then host by host."""
    hosts = [host.id for host in net.model.find("host", "all", True)]
    parts = [_part(net, hosts[0], app, "every switch", standing=True)]
    parts += [_part(net, host, app, host, standing=False) for host in hosts]
    return "\n".join(part for part in parts if part)


def _part(net: Net, host: str, app: str, title: str, *, standing: bool) -> str:
    names = Names(net, host)
    entries = list(_of(net, host, app, standing=standing))
    text = sorted_by_table([names.say(entry_text(entry, PIPELINE)) + _reason(entry) for entry in entries])
    return f"# {title}\n" + "".join(f"{line}\n" for line in text) if text else ""


def _reason(entry: Entry) -> str:
    return f"   # {entry.why.reason}" if entry.why and entry.why.reason else ""


def _of(net: Net, host: str, app: str, *, standing: bool) -> Iterator[Entry]:
    per_switch = {rule.name for rule, _ in net.compiler.units if rule.per == "switch"}
    for entry in net.flows(host).values():
        if entry.why.rule.startswith(f"apps.{app}.") and (entry.why.rule in per_switch) == standing:
            yield entry


def sorted_by_table(found: list[str]) -> list[str]:
    """The order a packet meets them in, and by their text where that leaves a choice."""

    def place(line: str) -> tuple[int, int, str]:
        table = re.match(r"table=(\w+), priority=(\d+)", line)
        numbers = {table.name: table.number for table in PIPELINE}
        return (numbers[table[1]], -int(table[2]), line) if table else (256, 0, line)

    return sorted(found, key=place)
