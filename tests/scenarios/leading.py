"""What leads outside with real packets: an external network, a machine out there, tenants behind routers, traffic.

    with Site(hosts=3, external=True) as site, Outside(site) as outside:
        router, (a, b) = outside.tenant("red", 1, 2)                # machines on hosts 1 and 2
        outside.serve(outside.away.start, 80, "away")
        assert connect(a.vm.run, "203.0.113.1", 80) == (1, f"away {outside.router_address(router)}")
"""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

from scenarios.host import Host
from tests.scenarios.site import Machine, Site, Wish

WORLD, WORLD6 = "203.0.113.0/24", "2001:db8:f00d::/64"
AWAY, AWAY6 = "203.0.113.1", "2001:db8:f00d::1"
# Says who it is to everybody who connects, and from which address they came.
SERVER = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])), backlog=256)
print("ready", flush=True)
while True:
    connection, (address, port) = listener.accept()
    connection.sendall(f"{sys.argv[2]} {address}".encode()); connection.close()
"""
# Connects so many times from the same source ports, round after round; prints how many were answered.
CLIENT = """
import socket, struct, sys
address, port, first, count, rounds = sys.argv[1], *map(int, sys.argv[2:6])
good, said = 0, b""
for _ in range(rounds):
    for number in range(count):
        with socket.socket() as one:
            one.settimeout(3)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if first: one.bind(("", first + number))
            try:
                one.connect((address, port)); said = one.recv(64); good += bool(said)
            except OSError as error:
                print(error, file=sys.stderr)
print(good, said.decode())
"""
# Hears words on any number of connections and says them again.
ECHO = """
import selectors, socket
wait = selectors.DefaultSelector()
listener = socket.create_server(("", 7), backlog=256)
wait.register(listener, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in wait.select():
        if key.fileobj is listener:
            wait.register(listener.accept()[0], selectors.EVENT_READ)
        else:
            try:
                word = key.fileobj.recv(4096)
                if not word: raise OSError
                key.fileobj.sendall(word)
            except OSError:
                wait.unregister(key.fileobj); key.fileobj.close()
"""
SESSION = """
import signal, socket, sys, time
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
with socket.create_connection((sys.argv[1], 7), timeout=60) as peer:
    print("begun", flush=True)
    heard, longest, last = 0, 0.0, time.monotonic()
    while not stop:
        word = b"%8d" % heard
        peer.sendall(word)
        back = b""
        while len(back) < 8:
            more = peer.recv(8 - len(back))
            if not more: sys.exit("closed")
            back += more
        assert back == word
        now = time.monotonic()
        heard, longest, last = heard + 1, max(longest, now - last), now
        time.sleep(0.02)
print(heard, round(longest, 3), flush=True)
"""


class Outside:
    """A site whose external network leads to one machine outside, `away`; with `six`, by IPv6 too."""

    def __init__(self, site: Site, *, six: bool = False) -> None:
        self.site = site
        self.world = site.create("network", **{"name": "world", "provider:network_type": "flat",
                                               "provider:physical_network": "physnet1", "router:external": True})
        site.create("subnet", network_id=self.world["id"], ip_version=4, cidr=WORLD, gateway_ip="203.0.113.1", enable_dhcp=False)
        self.away = site.cloud.external("away", f"{AWAY}/24")
        if six:
            site.create("subnet", network_id=self.world["id"], ip_version=6, cidr=WORLD6, gateway_ip=AWAY6, enable_dhcp=False)
            self.away.address(f"{AWAY6}/64")
        self._servers: list[subprocess.Popen[bytes]] = []
        self._echoing = False

    def tenant(self, project: str, *places: int, **more: Any) -> tuple[dict[str, Any], list[Machine]]:
        """A network behind a router that leads outside, and a machine on each of these hosts; they know their gateway."""
        router = self.site.create("router", name=project, project_id=project,
                                  external_gateway_info={"network_id": self.world["id"]})
        return self.join(router, project, *places, **more)

    def join(self, router: dict[str, Any], project: str, *places: int, **more: Any) -> tuple[dict[str, Any], list[Machine]]:
        """The same behind a router that is there."""
        network = self.site.network(project, subnets=("10.0.0.0/24",))
        (subnet,) = self.site.ask("GET", f"/v2.0/subnets?network_id={network['id']}")["subnets"]
        self.site.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
        wishes = [Wish(f"{project}{place}", network, host, 0, {"fixed_ips": [{"ip_address": f"10.0.0.{10 + place}"}], **more})
                  for place, host in enumerate(places)]
        machines = self.site.machines(*wishes)
        for machine in machines:
            machine.vm.run(["ip", "route", "replace", "default", "via", "10.0.0.1"])
        return router, machines

    def router_address(self, router: dict[str, Any]) -> str:
        info = self.site.ask("GET", f"/v2.0/routers/{router['id']}")["router"]["external_gateway_info"]
        return str(info["external_fixed_ips"][0]["ip_address"])

    def floating(self, machine: Machine, project: str = "red") -> dict[str, Any]:
        return self.site.create("floatingip", floating_network_id=self.world["id"], project_id=project, port_id=machine.id)

    def forward(self, machine: Machine, project: str, *ports: tuple[str, int, int]) -> str:
        """A new address outside, of which these ports lead to some of a machine's: (protocol, outside, within) each."""
        made = self.site.create("floatingip", floating_network_id=self.world["id"], project_id=project)
        for protocol, port, within in ports:
            self.lead(made, machine, protocol, port, within)
        return str(made["floating_ip_address"])

    def lead(self, address: dict[str, Any], machine: Machine, protocol: str, port: int, within: int) -> None:
        """A port of an address outside leads to one of a machine's."""
        self.site.ask("POST", f"/v2.0/floatingips/{address['id']}/port_forwardings", {"port_forwarding": {
            "protocol": protocol, "external_port": port, "internal_port": within, "internal_port_id": machine.id,
            "internal_ip_address": machine.ip}})

    def serve(self, start: Callable[..., subprocess.Popen[bytes]], port: int, name: str) -> None:
        server = start([sys.executable, "-c", SERVER, str(port), name])
        self._servers.append(server)
        assert server.stdout and b"ready" in server.stdout.readline()

    def echo(self, start: Callable[..., subprocess.Popen[bytes]]) -> None:
        """Start what long connections speak to."""
        self._servers.append(start([sys.executable, "-c", ECHO]))
        said = self._servers[-1].stdout
        assert said and b"ready" in said.readline()

    def gateway_host(self, router: dict[str, Any]) -> Host:
        """The host that holds the flows of the router's address outside."""
        wanted = f"nw_dst={self.router_address(router)} "
        (found,) = [host for host in self.site.cloud.hosts if host.pid()
                    and any("table=33" in line and wanted in f"{line.replace(',', ' ')} " for line in host.dump_flows())]
        return found

    def session(self, machine: Machine) -> Session:
        """A long TCP connection from a machine to the one outside."""
        if not self._echoing:
            self.echo(self.away.start)
        self._echoing = True
        return Session(machine, "203.0.113.1")

    def __enter__(self) -> Outside:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.kill()
            server.wait(5)


class Session:
    """Says a word every 20 ms on one TCP connection, and hears it again, until stop()."""

    def __init__(self, machine: Machine, address: str) -> None:
        self._process = machine.vm.start([sys.executable, "-c", SESSION, address])
        assert self._process.stdout and b"begun" in self._process.stdout.readline()

    def stop(self) -> tuple[int, float]:
        """How many words were heard again, and the longest silence in seconds; AssertionError if the connection broke."""
        self._process.terminate()
        said = self._process.communicate(timeout=30)[0].decode()
        assert self._process.returncode == 0, said
        heard, longest = said.split()
        return int(heard), float(longest)


def connect(run: Callable[..., Any], address: str, port: int, *, first: int = 0, count: int = 1, rounds: int = 1) -> tuple[int, str]:
    """How many connections were answered, and what the last one heard."""
    done = run([sys.executable, "-c", CLIENT, address, str(port), str(first), str(count), str(rounds)], timeout=240)
    good, _, said = done.stdout.strip().partition(" ")
    return int(good), said
