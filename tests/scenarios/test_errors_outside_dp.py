"""What routers and machines say of packets that do not arrive, across NAT in both directions, with real packets.

A kernel believes an ICMP error only if what it quotes is a packet of its own: so each of these shows that the quoted packet
is translated too.
"""
from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from tests.scenarios.leading import AWAY, AWAY6, Outside
from tests.scenarios.routed import Place, Tenant, complaint, traced
from tests.scenarios.site import Machine, wait

pytestmark = pytest.mark.root
SIX = True
BOTH = pytest.mark.parametrize("v", [4, 6], ids=["IPv4", "IPv6"])
NOBODY, NOBODY6 = "198.51.100.9", "2001:db8:bad::9"          # behind the machine outside, which knows no way there
SMALL, SMALL6 = "192.0.2.9", "2001:db8:cafe::9"              # … and here by a link for packets of 1300 bytes
# Sends datagrams to a closed port until the kernel reports an error about one: prints who sent it, its type and its code.
PROBE = """
import socket, struct, sys
address, port, left = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
six = ":" in address
level, report, hops = (41, 25, 16) if six else (0, 11, 2)
with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.setsockopt(level, report, 1)
    one.setsockopt(level, hops, left)
    one.settimeout(1)
    one.connect((address, port))
    for _ in range(10):
        try:
            one.send(b"hadron"); one.recv(64)
        except OSError:
            pass
        try:
            _, told, _, _ = one.recvmsg(512, 512, socket.MSG_ERRQUEUE)
        except OSError:
            continue
        error = told[0][2]
        who = error[24:40] if six else error[20:24]
        print(socket.inet_ntop(socket.AF_INET6 if six else socket.AF_INET, who), error[5], error[6])
        break
"""


class World(NamedTuple):
    outside: Outside
    away: Machine
    a: Machine                  # with a floating address
    b: Machine                  # … and without
    address: str                # the floating address
    forwarded: str              # an address of which UDP port 5353 leads to b's 53 and TCP port 2200 to its 22
    router: dict[int, str]      # the router's addresses outside

    def own(self, machine: Machine, v: int) -> str:
        """By what a machine is known outside."""
        return machine.ip6 if v == 6 else self.address


@pytest.fixture(scope="module")
def world(outside: Outside) -> World:
    site = outside.site
    tenant = Tenant(site, "acme")
    red = tenant.network(1)
    router = tenant.router("edge", external_gateway_info={"network_id": outside.world["id"]}).join(red)
    a, b = tenant.machines(Place("a", red, 1), Place("b", red, 2, 11))
    said = site.ask("GET", f"/v2.0/routers/{router.id}")["router"]["external_gateway_info"]["external_fixed_ips"]
    own = {6 if ":" in one["ip_address"] else 4: one["ip_address"] for one in said}
    address = outside.floating(a, "acme")["floating_ip_address"]
    forwarded = outside.forward(b, "acme", ("tcp", 2200, 22), ("udp", 5353, 53))
    away = outside.away
    away.run(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
    for vm in (away, a.vm, b.vm):            # kernels count their errors too
        vm.run(["sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0"])
    away.run(["ip", "-6", "route", "replace", red.cidr(6), "via", own[6]])
    for family, block, small, by in (("-4", "198.51.100.0/24", "192.0.2.0/24", "203.0.113.240"),
                                     ("-6", "2001:db8:bad::/48", "2001:db8:cafe::/48", "2001:db8:f00d::240")):
        away.run(["ip", family, "route", "add", "unreachable", block])
        away.run(["ip", family, "route", "add", small, "via", by, "dev", "eth0", "mtu", "1300"])
        away.run(["ip", family, "neigh", "replace", by, "lladdr", "02:00:00:00:00:99", "dev", "eth0"])
    for machine in (a, b):
        for to in (AWAY, AWAY6):
            wait(lambda vm=machine.vm, to=to: vm.ping(to), f"{machine} does not reach {to}", 30)
    outer = Machine(away, {"mac_address": away.mac, "fixed_ips": [{"ip_address": AWAY}, {"ip_address": AWAY6}]})
    return World(outside, outer, a, b, address, forwarded, own)


def error(machine: Machine, address: str, port: int, left: int = 64) -> str:
    """What a machine hears of a datagram: who said it, ICMP type and code."""
    return machine.vm.run([sys.executable, "-c", PROBE, address, str(port), str(left)], timeout=60).stdout.strip()


@BOTH
@pytest.mark.parametrize("how", [(), ("-I",), ("-T", "-p", "22")], ids=["UDP", "ICMP", "TCP"])
def test_traceroute_from_outside_to_a_machine_names_the_router(world: World, v: int, how: tuple[str, ...]) -> None:
    to = world.own(world.a, v)
    assert traced(world.away, to, *how) == [world.router[v], to]


def test_traceroute_from_outside_to_a_forwarded_port_names_the_router(world: World) -> None:
    assert traced(world.away, world.forwarded, "-T", "-p", "2200") == [world.router[4], world.forwarded]


@BOTH
def test_traceroute_from_within_names_every_router_on_both_sides_of_nat(world: World, v: int) -> None:
    nobody, by = (NOBODY6, AWAY6) if v == 6 else (NOBODY, AWAY)
    for machine in (world.a, world.b):
        gateway = "2001:db8:1::1" if v == 6 else "10.1.0.1"
        assert traced(machine, nobody)[:2] == [gateway, by], f"{machine}, of what is beyond"
        assert traced(machine, by) == [gateway, by]


@BOTH
def test_a_closed_port_outside_is_said_so_to_who_shares_an_address_and_to_who_has_one(world: World, v: int) -> None:
    to, unreachable = (AWAY6, "1 4") if v == 6 else (AWAY, "3 3")
    for machine in (world.a, world.b):
        assert error(machine, to, 9) == f"{to} {unreachable}", machine


@BOTH
def test_a_closed_port_within_is_said_so_outside(world: World, v: int) -> None:
    to, unreachable = (world.a.ip6, "1 4") if v == 6 else (world.address, "3 3")
    assert error(world.away, to, 9) == f"{to} {unreachable}"
    if v == 4:
        assert error(world.away, world.forwarded, 5353) == f"{world.forwarded} 3 3"


@BOTH
def test_errors_of_routers_outside_come_in(world: World, v: int) -> None:
    nobody, beyond, by = (NOBODY6, SMALL6, AWAY6) if v == 6 else (NOBODY, SMALL, AWAY)
    for machine in (world.a, world.b):
        assert error(machine, beyond, 9, left=2) == f"{by} {'3 0' if v == 6 else '11 0'}", "its time has ended"
        wait(lambda one=machine: complaint(one, nobody).startswith(f"{by}: "), f"{machine} does not hear that there is no way")


@BOTH
def test_the_size_that_a_link_outside_takes_is_heard_through_nat(world: World, v: int) -> None:
    to, by = (SMALL6, AWAY6) if v == 6 else (SMALL, AWAY)
    for machine in (world.a, world.b):
        said = machine.vm.run(["ping", "-n", "-M", "do", "-s", "1400", "-c", "1", "-W", "3", to], check=False)
        assert by in said.stdout and "mtu = 1300" in said.stdout.replace("mtu=1300", "mtu = 1300"), said.stdout + said.stderr


@BOTH
def test_the_size_that_a_tenants_network_takes_is_told_outside(world: World, v: int) -> None:
    """By the router, that who has sent a packet of 1460 bytes may believe it: it quotes what was sent."""
    to, size = world.own(world.a, v), 1460 - (48 if v == 6 else 28)
    said = world.away.vm.run(["ping", "-n", "-M", "do", "-s", str(size), "-c", "1", "-W", "3", to], check=False).stdout
    assert "mtu = 1450" in said.replace("mtu=1450", "mtu = 1450"), said
