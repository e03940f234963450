"""Two tenants with the same addresses on the same three hosts: the main job, from REST to packets.

    make demo            sets up what is missing, runs this, and stays up until Ctrl-C
    --once               measure, print, and end: exit status 0 if the matrix is the expected one
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios import matrix
from scenarios.cloud import Cloud, Plug
from scenarios.controller import ADMIN, Hadron, free_port, token_of
from scenarios.vm import VM

TENANTS = ("red", "blue")
PER_TENANT = (1, 1, 2, 3)                # the hosts of each tenant's machines: two share host 1
CIDR, CIDR6 = "10.0.0.0/24", "fd00:10::/64"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", action="store_true", help="end after measuring, instead of staying up")
    choice = parser.parse_args(words)
    if os.geteuid() != 0:
        print("demo: must be root, to make network namespaces", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)        # a shell has what it starts with `&` ignore it
    with tempfile.TemporaryDirectory(prefix="hadron-demo-") as directory, contextlib.suppress(KeyboardInterrupt):
        return run(Path(directory), stay=not choice.once)
    return 0


def run(directory: Path, *, stay: bool) -> int:
    """Bring everything up, measure, print; returns 0 if measured is expected."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {text}", flush=True)

    say("three hosts, each with an Open vSwitch of its own")
    with Cloud(hosts=3) as cloud:
        say("Hadron, on a SQLite store")
        address = cloud.controller_address
        ovsdb = _port(address, 6640)
        with Hadron(directory, address=address, projects=TENANTS, rest=_port("127.0.0.1", 9696),
                    openflow=_port(address, 6653), ovsdb=ovsdb) as hadron:
            cloud.set_manager(f"tcp:{address}:{ovsdb}")
            machines = [vm for tenant in TENANTS for vm in tenant_up(cloud, hadron, tenant, say)]
            wait_active(hadron, machines)
            say("machines take their addresses: IPv4 by DHCP, IPv6 from router advertisements")
            own = {vm.name: (vm.dhcp().address, *vm.slaac()) for vm in machines}
            say("measuring who receives whose packets")
            good = report(machines, own, say)
            print(where_next(hadron, cloud, machines))
            if stay:
                print("\nUp until Ctrl-C.", flush=True)
                signal.pause()
    return 0 if good else 1


def _port(address: str, usual: int) -> int:
    """The usual port if it is free, so that what is printed below is what one would type anywhere; else another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, usual))
        except OSError:
            return free_port(address)
    return usual


def tenant_up(cloud: Cloud, hadron: Hadron, tenant: str, say: Callable[[str], None]) -> list[VM]:
    """One tenant's network, subnets and machines, made with openstacksdk as that tenant."""
    say(f"tenant {tenant}: network, subnets {CIDR} and {CIDR6}, {len(PER_TENANT)} ports, with openstacksdk")
    sdk: Any = hadron.sdk(tenant)
    network = sdk.network.create_network(name=tenant)
    sdk.network.create_subnet(network_id=network.id, ip_version=4, cidr=CIDR, name=f"{tenant}-v4")
    sdk.network.create_subnet(network_id=network.id, ip_version=6, cidr=CIDR6, name=f"{tenant}-v6",
                              ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    plugs = []
    for number, host in enumerate(PER_TENANT, 1):
        port = sdk.network.create_port(network_id=network.id, name=f"{tenant}{number}")
        plugs.append(Plug(host, f"{tenant}{number}", port.id, port.mac_address, network.mtu or 1450))
    return cloud.plug_all(plugs)


def wait_active(hadron: Hadron, machines: Sequence[VM], seconds: float = 30) -> None:
    """Until every machine's port is ACTIVE: seen on its host, and confirmed by every switch concerned."""
    deadline = time.monotonic() + seconds
    while True:
        _, answer = hadron.request("GET", "/v2.0/ports")
        status = {port["id"]: port["status"] for port in answer["ports"]}
        waiting = [vm.name for vm in machines if status[vm.port_id] != "ACTIVE"]
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"ports not ACTIVE after {seconds:.0f} s: {', '.join(waiting)}")
        time.sleep(0.05)


def report(machines: Sequence[VM], own: Mapping[str, Sequence[str]], say: Callable[[str], None]) -> bool:
    """Measure, print the measured matrix against the expected one; says whether they are equal. `own`: addresses by name."""
    fours, sixes = ([one for some in own.values() for one in some if (":" in one) == six] for six in (False, True))
    by_four = matrix.measure(machines, sorted(set(fours)), broadcasts=["10.0.0.255"])
    by_six = matrix.measure(machines, sorted(set(sixes)))
    expected = {(a.name, b.name): a.name.rstrip("0123456789") == b.name.rstrip("0123456789")
                for a in machines for b in machines if a is not b}
    # Both must be as expected: all that should arrive, and nothing that should not.
    measured = {pair: (by_four[pair] and by_six[pair]) if wanted else (by_four[pair] or by_six[pair])
                for pair, wanted in expected.items()}
    for vm in machines:
        print(f"  {vm.name:6} host{vm.plug.host}  {own[vm.name][0]:12} {vm.mac}  {' '.join(own[vm.name][1:])}")
    print("\nrows send, columns receive, by IPv4 and by IPv6: + reached as expected, . silent as expected, ! wrong\n")
    print(matrix.draw(machines, measured, expected))
    crossed = sum(got for pair, got in measured.items() if not expected[pair])
    print(f"\nexpected {sum(expected.values())} of {len(expected)} pairs to hear each other, "
          f"measured {sum(measured.values())}; packets of one tenant seen by the other: {crossed or 'none'}")
    equal = measured == expected
    say("measured = expected" if equal else "MEASURED DIFFERS FROM EXPECTED")
    return equal


def where_next(hadron: Hadron, cloud: Cloud, machines: Sequence[VM]) -> str:
    return f"""
Where to look next (in another terminal):
  export PATH={Path(sys.executable).parent}:$PATH
  export HADRON_URL={hadron.url} HADRON_TOKEN={ADMIN}
  hadron switches                      the three switches, in step or not
  hadron ports                         every port: where it is, and its state
  hadron flows --port {machines[0].name:17}its flows, with names and owners
  hadron why COOKIE                    the rule and the objects behind a flow
  hadron pipeline                      the packet's path
  hadron-cloud exec --prefix {cloud.prefix} {machines[0].name} ping {CIDR.replace('0/24', '3')}
  openstack --os-auth-type admin_token --os-endpoint {hadron.url} --os-token {token_of('red')} network list"""


if __name__ == "__main__":
    sys.exit(main())
