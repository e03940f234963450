"""From plugging a machine in to its first answered ping, with many ports existing on five hosts; then what a rule and a
member of a large group take until every host has confirmed.

The same machine is plugged into a bridge with the one flow NORMAL on the same host, turn by turn: Open vSwitch needs
longer for each port the more it has. `share_ms` is the difference, in the middle of all rounds. `after_add_port_ms` is how
long after the return of `ovs-vsctl add-port` the answer came, which is when Open vSwitch has done its own part.
"""
from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from scenarios.cloud import Cloud, Plug
from scenarios.controller import ADMIN, Hadron
from scenarios.vm import VM, attach, build
from tests.bench.caller import Caller
from tests.bench.many import NORMAL, create_ports, make_network, plug_everywhere, wait_active
from tests.kit import frames

HOSTS = 5
ROUNDS = 15
PROBER = Path(__file__).parent / "prober.py"


def run(*, quick: bool = False) -> dict[str, Any]:
    sizes, members = ((10, 50), 20) if quick else ((10, 200, 1000, 3000), 1000)
    with tempfile.TemporaryDirectory() as directory, Cloud(hosts=HOSTS) as cloud, \
            Hadron(Path(directory), address=cloud.controller_address, quotas={"port": -1}, audit_interval=0) as hadron:
        cloud.set_manager()
        for host in cloud.hosts:
            host.vsctl("add-br", NORMAL, "--", "set", "Bridge", NORMAL, "datapath_type=netdev")
        bench = _Bench(cloud, hadron, members)
        found: dict[str, Any] = {"bind_to_ping": []}
        for size in sizes:
            bench.grow(size)
            found["bind_to_ping"].append(bench.measure(size))
            print(f"  {found['bind_to_ping'][-1]}", file=sys.stderr, flush=True)
        found["entries_of_a_port"] = bench.entries()
        found["entries_on_a_host"] = len(cloud.host(1).dump_flows())
        found["groups"] = bench.groups(2 if quick else ROUNDS)
    return found


class _Bench:
    def __init__(self, cloud: Cloud, hadron: Hadron, members: int) -> None:
        self.cloud, self.hadron, self.members = cloud, hadron, members
        self.made: list[dict[str, Any]] = []
        self.addresses: dict[str, str] = {}
        self.network = make_network(hadron)
        self.group = hadron.create("security_group", name="big")["id"]
        default = hadron.request("GET", "/v2.0/security-groups?name=default")[1]["security_groups"][0]["id"]
        for group in (default, self.group):              # five rules, as a tenant may have
            hadron.create("security_group_rule", security_group_id=group, direction="ingress", protocol="tcp",
                          port_range_min=22, port_range_max=22)
        for family in ("IPv4", "IPv6"):
            hadron.create("security_group_rule", security_group_id=self.group, direction="ingress", ethertype=family,
                          remote_group_id=self.group)
        self.peer = cloud.plug_all([self._plug(2, "peer")])[0]
        self.peer.address(f"{self.addresses['peer']}/16")
        self.other = cloud.plug_all([Plug(1, "other", "00000000-0000-0000-0000-00000000000f", "fa:16:3e:ff:00:0f")],
                                    bridge=NORMAL)[0]
        self.other.address("10.0.255.15/16")

    def _plug(self, host: int, name: str) -> Plug:
        port = self.hadron.create("port", network_id=self.network, name=name)
        self.addresses[name] = port["fixed_ips"][0]["ip_address"]
        return Plug(host, name, port["id"], port["mac_address"])

    def grow(self, size: int) -> None:
        """Bring the number of bound ports to `size`, evenly over the hosts; the first ones are in the large group."""
        before = len(self.made)
        new: list[dict[str, Any]] = []
        if before < self.members:
            new += create_ports(self.hadron, self.network, min(size, self.members) - before, security_groups=[self.group])
        new += create_ports(self.hadron, self.network, size - before - len(new))
        plug_everywhere(self.cloud, new)
        self.made += new
        wait_active(self.hadron, size)

    def measure(self, size: int) -> dict[str, Any]:
        ours, plain = [], []
        for number in range(ROUNDS):
            ours.append(self._round(f"a{size}x{number}", self.peer, "br-int"))
            plain.append(self._round(f"n{size}x{number}", self.other, NORMAL))
        total, normal = (statistics.median(one for one, _ in each) for each in (ours, plain))
        share = statistics.median(one - other for (one, _), (other, _) in zip(ours, plain, strict=True))
        return {"ports": size, "ms": round(total, 1), "normal_ms": round(normal, 1), "share_ms": round(share, 1),
                "after_add_port_ms": round(statistics.median(after for _, after in ours), 1),
                "normal_after_add_port_ms": round(statistics.median(after for _, after in plain), 1)}

    def _round(self, name: str, target: VM, bridge: str) -> tuple[float, float]:
        """Milliseconds to the first answer, from the beginning and from the end of `ovs-vsctl add-port`."""
        if bridge == NORMAL:
            plug = Plug(1, name, str(uuid4()), "fa:16:3e:ff:00:01")
            mine, theirs = "10.0.255.1", "10.0.255.15"
        else:
            plug = self._plug(1, name)
            mine, theirs = self.addresses[name], self.addresses[target.name]
        build(self.cloud.prefix, [plug])
        vm = VM(self.cloud.prefix, plug, self.cloud.host(1), self.cloud.directory)
        vm.address(f"{mine}/16")
        frame = frames.echo(plug.mac, target.mac, mine, theirs)
        prober = vm.start([sys.executable, str(PROBER), frame.hex(), plug.mac.replace(":", ""), "20"])
        assert prober.stdout and b"ready" in prober.stdout.readline()
        began = time.monotonic()
        attach(vm.host, [plug], bridge=bridge)
        added = time.monotonic()
        answered = float(prober.stdout.readline())
        prober.wait(5)
        self.cloud.vms[name] = vm
        self.cloud.unplug(vm)
        if bridge != NORMAL:
            self.hadron.request("DELETE", f"/v2.0/ports/{plug.port_id}?wait=realized")
        return (answered - began) * 1000, (answered - added) * 1000

    def entries(self) -> dict[str, int]:
        """What one dual-stack port with five rules in its group costs: flows on its own host, and on another."""
        before = [len(host.dump_flows()) for host in self.cloud.hosts]
        extra = create_ports(self.hadron, self.network, HOSTS)
        plug_everywhere(self.cloud, extra[:1])
        wait_active(self.hadron, len(self.made) + 2)
        own, *others = [len(host.dump_flows()) - was for host, was in zip(self.cloud.hosts, before, strict=True)]
        return {"own_host": own, "other_host": max(others)}

    def groups(self, rounds: int) -> dict[str, Any]:
        """Milliseconds until every host has confirmed: a rule of the large group comes and goes, a member joins and leaves."""
        caller = Caller(("127.0.0.1", self.hadron.rest_port), ADMIN)
        times: dict[str, list[float]] = {"rule_comes": [], "rule_goes": [], "member_joins": [], "member_leaves": []}
        bystander = self.made[-1]
        for number in range(rounds):
            rule = {"security_group_id": self.group, "direction": "ingress", "protocol": "tcp",
                    "port_range_min": 8000 + number, "port_range_max": 8000 + number}
            took, answer = realized(caller, "POST", "/v2.0/security-group-rules", {"security_group_rule": rule})
            times["rule_comes"].append(took)
            took, _ = realized(caller, "DELETE", f"/v2.0/security-group-rules/{answer['security_group_rule']['id']}")
            times["rule_goes"].append(took)
            for what, groups in (("member_joins", [*bystander["security_groups"], self.group]),
                                 ("member_leaves", bystander["security_groups"])):
                took, _ = realized(caller, "PUT", f"/v2.0/ports/{bystander['id']}", {"port": {"security_groups": groups}})
                times[what].append(took)
        return {"members": min(self.members, len(self.made)), "ports": len(self.made),
                **{f"{name}_ms": round(statistics.median(each), 1) for name, each in times.items()}}


def realized(caller: Caller, method: str, path: str, body: Any = None) -> tuple[float, Any]:
    """Milliseconds until every switch has confirmed a write, and its answer."""
    request = caller.request(method, f"{path}?wait=realized", json.dumps(body).encode() if body else b"")
    began = time.monotonic()
    status, answer = caller.call(request)
    took = (time.monotonic() - began) * 1000
    if status >= 300 or b"x-hadron-realized: true" not in caller.head:
        raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
    return took, json.loads(answer) if answer else None


if __name__ == "__main__":
    json.dump(run(quick="--quick" in sys.argv), sys.stdout, indent=1)
