"""A fabric to do harm to: a cloud of real Open vSwitch hosts under a Hadron in a process of its own.

    with Fabric(directory, hosts=2) as fabric:
        red = fabric.network("red")
        a, b = fabric.machines(red, a=1, b=2)
        fabric.host(2).restart_vswitchd(kill=True)
        fabric.until(lambda: fabric.installed(2) == before)
"""
from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from scenarios.cloud import VM, Cloud, Host, Plug
from scenarios.controller import Hadron, free_port, token_of
from scenarios.namespace import run

PATIENCE = 15.0         # seconds for what should take far less
TENANT = "red"
WRITES = re.compile(r"\|(?:tcp|ssl):\S+ received: OFPT_(?:FLOW_MOD|GROUP_MOD|METER_MOD|TABLE_MOD|PORT_MOD|BUNDLE)")


def until(condition: Callable[[], Any], *, within: float = PATIENCE, what: str = "") -> Any:
    """What the condition gives once it is true; AssertionError if that takes too long."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {what or condition}"
        time.sleep(0.005)
    return found


class Written:
    """What a controller has told a switch to change since this was made: the switch's own log of messages says."""

    def __init__(self, host: Host) -> None:
        host.appctl("vlog/set", "vconn:file:dbg")
        host.appctl("vlog/disable-rate-limit", "vconn")
        self._log, self._host = host.directory / "ovs-vswitchd.log", host
        self._from = self._log.stat().st_size

    def lines(self) -> list[str]:
        """The messages that change something, one line each."""
        with self._log.open("rb") as log:
            log.seek(self._from)
            return [line for line in log.read().decode(errors="replace").splitlines() if WRITES.search(line)]


class Fabric:
    """Everything a test of faults needs; `hadron` and `cloud` are there to be broken."""

    def __init__(self, directory: Path, *, hosts: int = 2, manage: bool = True, **config: Any) -> None:
        self._stack = ExitStack()
        try:
            self.cloud = self._stack.enter_context(Cloud(hosts=hosts))
            config = {"audit_interval": 0, **config}
            address = self.cloud.controller_address
            self.openflow, self.ovsdb = free_port(address), free_port(address)      # others may use the usual ones
            self.hadron = Hadron(directory, address=address, projects=(TENANT,), openflow=self.openflow, ovsdb=self.ovsdb,
                                 **config)
            self._stack.callback(self.hadron.stop)
            self.hadron.start()
            if manage:
                for host in self.cloud.hosts:
                    self.manage(host.number)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Fabric:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def host(self, number: int) -> Host:
        return self.cloud.host(number)

    def manage(self, number: int) -> None:
        """Put a host under the controller. Unlike by default it tries again every second, not only every eight."""
        target = f"tcp:{self.cloud.controller_address}:{self.ovsdb}"
        self.host(number).vsctl("set-manager", target, "--", "set", "Manager", target, "max_backoff=1000")

    # ---- what tenants want

    def create(self, kind: str, **values: Any) -> dict[str, Any]:
        return self.hadron.create(kind, token=token_of(TENANT), **values)

    def network(self, name: str, cidr: str = "10.0.0.0/24") -> str:
        """A network with a subnet; returns its id."""
        network = self.create("network", name=name)
        self.create("subnet", network_id=network["id"], cidr=cidr, ip_version=4)
        return str(network["id"])

    def machines(self, network: str, *, active: bool = True, **hosts: int) -> list[VM]:
        """Machines by name, each on its host, with an address; all ports ACTIVE, unless that is not waited for."""
        ports = {name: self.create("port", network_id=network, name=name) for name in hosts}
        made = self.cloud.plug_all([Plug(host, name, ports[name]["id"], ports[name]["mac_address"])
                                    for name, host in hosts.items()])
        for vm in made:
            vm.address(f"{ports[vm.name]['fixed_ips'][0]['ip_address']}/24")
        if active:
            self.active(*made)
        return made

    def remove(self, *machines: VM) -> None:
        """Unplug machines and delete their ports; returns once every switch that is there has confirmed."""
        self.cloud.unplug(*machines)
        for vm in machines:
            status, answer = self.hadron.request("DELETE", f"/v2.0/ports/{vm.port_id}?wait=realized")
            assert status == 204, answer

    def address(self, vm: VM) -> str:
        """The IPv4 address of a machine's port."""
        _, answer = self.hadron.request("GET", f"/v2.0/ports/{vm.port_id}")
        return str(answer["port"]["fixed_ips"][0]["ip_address"])

    def active(self, *machines: VM, within: float = PATIENCE) -> None:
        """Wait until the machines' ports are ACTIVE."""
        def status() -> bool:
            _, answer = self.hadron.request("GET", "/v2.0/ports?fields=id&fields=status")
            found = {port["id"]: port["status"] for port in answer["ports"]}
            return all(found[vm.port_id] == "ACTIVE" for vm in machines)

        until(status, within=within, what="ports ACTIVE")

    # ---- what switches hold

    def installed(self, number: int) -> dict[str, list[str]]:
        """Flows, groups and meters of a host's integration bridge, as it says itself."""
        host = self.host(number)
        flows = [line.replace("reset_counts ", "") for line in host.dump_flows()]      # how it came to be there
        return {"flows": flows, "groups": _lines(host.ofctl("dump-groups", "br-int")),
                "meters": _lines(host.ofctl("dump-meters", "br-int"))}

    def snapshot(self) -> list[dict[str, list[str]]]:
        """`installed` of every host."""
        return [self.installed(host.number) for host in self.cloud.hosts]

    def audit(self) -> dict[str, Any]:
        """POST /inspect/audit: read every switch, repair, and say what was found."""
        status, answer = self.hadron.request("POST", "/inspect/audit")
        assert status == 200, answer
        return dict(answer)

    def becomes(self, *wanted: dict[str, list[str]], first: int = 1) -> None:
        """Wait until the hosts, from this one on, hold again what `installed` said; AssertionError tells the difference."""
        now: list[tuple[str, str]] = []

        def differences() -> list[tuple[str, str]]:
            found = [self.installed(number) for number in range(first, first + len(wanted))]
            return [(f"host {first + place}", f"{'+' if line in new[what] else '-'} {line}")
                    for place, (old, new) in enumerate(zip(wanted, found, strict=True)) for what in old
                    for line in sorted(set(old[what]) ^ set(new[what]))]

        def same() -> bool:
            now[:] = differences()
            return not now

        try:
            until(same)
        except AssertionError:
            raise AssertionError(f"not as before: {now}") from None

    def wrong(self) -> list[Any]:
        """What an audit finds: nothing if every host is there and holds exactly what it should.

        What is wrong is repaired by that, so to ask again says something else.
        """
        return self.wrong_in(self.audit())

    def wrong_in(self, found: dict[str, Any]) -> list[Any]:
        """What is wrong, of what an audit has found."""
        here = {one["host"]: one for one in found["switches"]}
        wrong = [(name, found[name]) for name in ("conflicts", "broken", "refused") if found[name]]
        for host in self.cloud.hosts:
            one = here.get(host.name)
            if one is None or one["state"] != "read" or one["alien"] or one["missing"] or one["altered"]:
                wrong.append((host.name, one))
        return wrong

    def whole(self) -> bool:
        """Whether an audit finds nothing."""
        return not self.wrong()

    def switches(self) -> dict[str, dict[str, Any]]:
        """GET /inspect/switches, by host's name."""
        _, answer = self.hadron.request("GET", "/inspect/switches")
        return {one["host"]: one for one in answer["switches"]}

    def connection(self, number: int) -> str | None:
        """Where a host's OpenFlow connection comes from, if there is one."""
        return self.switches().get(self.host(number).name, {}).get("address")

    def in_step(self, *numbers: int) -> bool:
        """Whether these hosts' switches (all, if none is said) are there and have confirmed what was wanted."""
        found = self.switches()
        return all(found.get(name, {}).get("state") == "in step"
                   for name in [self.host(number).name for number in numbers] or [host.name for host in self.cloud.hosts])

    # ---- harm

    def cut(self, number: int, *, port: int) -> None:
        """Reset a host's connection with the controller on a port (self.ovsdb, self.openflow); wait for the next one."""
        host = self.host(number)
        before = self._peer(host, port)
        assert before and "ESTAB" in host.run(["ss", "-K", "dst", self.cloud.controller_address, "dport", "=", str(port)]).stdout
        until(lambda: self._peer(host, port) not in (before, None), what="connected again")
        until(lambda: self.in_step(number), what="in step again")

    def _peer(self, host: Host, port: int) -> str | None:
        """Where a host's latest connection with one of the controller's ports comes from."""
        if port == self.openflow:
            return self.connection(host.number)
        found = re.findall(rf"host {host.name}: connected from (\S+)", self.hadron.log.read_text())
        return found[-1] if found else None

    @contextmanager
    def unreachable(self, number: int) -> Iterator[None]:
        """No packet passes between the controller and a host; tunnels between hosts are not touched."""
        wires = f"{self.cloud.prefix}-ul"
        run(["ip", "-n", wires, "link", "set", f"m{number}", "down"])
        try:
            yield
        finally:
            run(["ip", "-n", wires, "link", "set", f"m{number}", "up"])

    def reached(self, source: VM, *targets: VM, within: float = PATIENCE) -> None:
        """Wait until each target answers the source's ping."""
        source.run(["ip", "neigh", "flush", "dev", "eth0"])     # an address may have had another owner a moment ago
        for target in targets:
            address = self.address(target)
            until(lambda address=address: source.ping(address, wait=0.2), within=within,
                  what=f"{source.name} reaches {target.name}")


def _lines(text: str) -> list[str]:
    return sorted(line.strip() for line in text.splitlines() if line.strip() and "reply" not in line)
