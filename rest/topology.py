"""/v1.0/topology/...: switches, links and hosts in the form in which Ryu's rest_topology told of them.

    GET /v1.0/topology/switches[/DPID]     [{"dpid", "ports": [port]}]
    GET /v1.0/topology/links[/DPID]        [{"src": port, "dst": port}], each direction by itself
    GET /v1.0/topology/hosts[/DPID]        [{"mac", "ipv4": [], "ipv6": [], "port": port}]

A port is {"dpid", "port_no", "hw_addr", "name"}: the numbers are hexadecimal text of 16 and 8 digits. For administrators.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from webob import Request, Response

from controller.errors import Forbidden
from controller.policy import Context
from rest.errors import no_such_address, not_allowed
from topology.binding import EDGE
from topology.views import seat_of

DPID = re.compile(r"[0-9a-f]{16}\Z")
Port = dict[str, str]


class RyuTopology:
    """A mount of rest.api.Api. `ports` gives (number, name, MAC address) of the ports of a switch that is connected."""

    def __init__(self, model: Any, world: Any, ports: Callable[[str], list[tuple[int, str, str]]]) -> None:
        self.model, self.world, self.ports = model, world, ports
        self._answers = {"switches": self._switches, "links": self._links, "hosts": self._hosts}

    def __call__(self, request: Request, context: Context, path: list[str]) -> Response:
        """One request below /v1.0. Raises Refused."""
        if len(path) not in (2, 3) or path[0] != "topology" or path[1] not in self._answers or \
                (len(path) == 3 and not DPID.match(path[2])):
            raise no_such_address()
        if request.method not in ("GET", "HEAD"):
            raise not_allowed(request.method, ("GET",))
        if not context.is_admin:
            raise Forbidden("topology: administrators only; a project's own is at /inspect/topology")
        found = list(self._answers[path[1]](path[2] if len(path) == 3 else None))
        return Response(body=orjson.dumps(found), content_type="application/json", charset="UTF-8")

    def _port(self, switch: str, number: int) -> Port:
        known = next(((name, mac) for at, name, mac in self._ports(switch) if at == number), ("", ""))
        return {"dpid": switch, "port_no": f"{number:08x}", "hw_addr": known[1], "name": known[0]}

    def _ports(self, switch: str) -> list[tuple[int, str, str]]:
        """Those it tells of now; or else, while it is away, those remembered."""
        return self.ports(switch) or [(seen.ofport, seen.name, seen.hw_address or "")
                                      for seen in self.model.find("interface", "switch_id", switch) if seen.ofport]

    def _switches(self, only: str | None) -> Iterator[dict[str, Any]]:
        for row in self.model.find("switch", "all", True):
            if only in (None, row.id):
                yield {"dpid": row.id, "ports": [self._port(row.id, number) for number, _, _ in sorted(self._ports(row.id))]}

    def _links(self, only: str | None) -> Iterator[dict[str, Any]]:
        for row in self.model.find("link", "all", True) if only is None else self.model.find("link", "source_switch_id", only):
            yield {"src": self._port(row.source_switch_id, row.source_port),
                   "dst": self._port(row.target_switch_id, row.target_port)}

    def _hosts(self, only: str | None) -> Iterator[dict[str, Any]]:
        for port in self.model.find("port", "all", True):
            seat = seat_of(self.world, port)
            if seat is not None and port.device_owner != EDGE and only in (None, seat[0]):
                yield self._host(port.mac_address, [fixed.ip_address for fixed in port.fixed_ips], *seat)
        for row in self.model.find("station", "all", True):
            if only in (None, row.switch_id):
                yield self._host(row.mac_address, row.ip_addresses, row.switch_id, row.ofport)

    def _host(self, mac: str, addresses: Any, switch: str, number: int) -> dict[str, Any]:
        return {"mac": mac, "ipv4": [one for one in addresses if ":" not in one],
                "ipv6": [one for one in addresses if ":" in one], "port": self._port(switch, number)}
