"""A compute manager that knows servers by their ports, for clients that ask it before they give one a floating IP."""
from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Get = Callable[[str], Any]


class Servers:
    """Serves on a port of loopback until it is closed: `get` asks the network, `names` are the servers by id."""

    def __init__(self, get: Get, names: dict[str, str]) -> None:
        self._get, self._names = get, names
        servers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = servers.answer(self.path.partition("?")[0].rstrip("/").removeprefix("/v2.1"))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v2.1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> tuple[int, Any]:
        """Status and JSON, as Nova's API says them."""
        if not path:
            return 200, {"version": {"id": "v2.1", "status": "CURRENT", "version": "2.1", "min_version": "2.1",
                                     "links": [{"rel": "self", "href": self.url}]}}
        if path in ("/servers", "/servers/detail"):
            return 200, {"servers": [self._shown(id) for id in self._names]}
        id = path.removeprefix("/servers/")
        return (200, {"server": self._shown(id)}) if id in self._names else (404, {"itemNotFound": {"code": 404, "message": ""}})

    def _shown(self, id: str) -> dict[str, Any]:
        addresses: dict[str, list[dict[str, Any]]] = {}
        for port in self._get(f"/ports?device_id={id}")["ports"]:
            network = self._get(f"/networks/{port['network_id']}")["network"]["name"]
            floating = self._get(f"/floatingips?port_id={port['id']}")["floatingips"]
            said = [("fixed", one["ip_address"]) for one in port["fixed_ips"]]
            said += [("floating", one["floating_ip_address"]) for one in floating]
            addresses[network] = [{"addr": address, "version": 6 if ":" in address else 4, "OS-EXT-IPS:type": kind,
                                   "OS-EXT-IPS-MAC:mac_addr": port["mac_address"]} for kind, address in said]
        return {"id": id, "name": self._names[id], "status": "ACTIVE", "addresses": addresses}

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
