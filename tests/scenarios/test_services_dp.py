"""Metadata and names with real machines: real resolvers and HTTP clients, two tenants with the same addresses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from scenarios.lease6 import addresses6
from tests.kit import cloud_init, frames
from tests.kit.nova import USER_DATA, FakeNova
from tests.kit.resolver import FakeResolver
from tests.scenarios.routed import Router
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
IP, IP6 = "169.254.169.254", "fe80::a9fe:a9fe"
SECRET = "only nova knows"
ID = "/latest/meta-data/instance-id"


class World(NamedTuple):
    """red and blue have the same addresses and names; `web` and `db` are red's, on two hosts, `twin` is blue's."""

    site: Site
    outside: FakeResolver
    nova: FakeNova
    web: Machine
    db: Machine
    twin: Machine


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    outside, nova = FakeResolver(), FakeNova(SECRET)
    with Site(hosts=2, dns={"forwarders": [f"127.0.0.1:{outside.port}"]}) as site:
        red, blue = site.network("red"), site.network("blue", kind="geneve", dns_domain="blue.example.")
        machines = site.machines(
            Wish("web", red, 1, 11, {"dns_name": "web", "device_id": "vm-web"}),
            Wish("db", red, 2, 12, {"dns_name": "db", "device_id": "vm-db"}),
            Wish("twin", blue, 1, 11, {"dns_name": "web", "device_id": "vm-twin"}))
        for machine in machines:
            machine.vm.run(["ip", "route", "add", "default", "via", "10.0.0.1"])
        yield World(site, outside, nova, *machines)
    outside.close()
    nova.close()


# ---- names

def dig(machine: Machine, *words: str, server: str = IP, timeout: int = 3) -> str:
    """What dig prints in short: the status if there is no record."""
    done = machine.vm.run(["dig", f"@{server}", f"+timeout={timeout}", "+tries=2", "+noall", "+answer", "+comments", *words],
                          timeout=40)
    answers = [line.split("\t")[-1].split()[-1] for line in done.stdout.splitlines() if line and line[0] != ";"]
    status = next((line.split("status: ")[1].split(",")[0] for line in done.stdout.splitlines() if "status: " in line), "none")
    return " ".join(sorted(answers)) or status


@pytest.mark.parametrize("server", [IP, f"{IP6}%eth0"], ids=["IPv4", "IPv6"])
def test_names_of_the_network_are_answered(world: World, server: str) -> None:
    assert dig(world.web, "db", server=server) == world.db.ip
    assert dig(world.web, "db.openstacklocal", "AAAA", server=server) == world.db.ip6
    assert dig(world.web, "-x", world.db.ip, server=server) == "db.openstacklocal."
    assert dig(world.web, "-x", world.db.ip6, server=server) == "db.openstacklocal."
    assert dig(world.web, "nobody.openstacklocal", server=server) == "NXDOMAIN"
    assert dig(world.web, "db.openstacklocal", "MX", server=server) == "NOERROR"
    assert dig(world.web, "+tcp", "db", server=server) == world.db.ip


def test_two_tenants_with_the_same_names_and_addresses_hear_of_their_own(world: World) -> None:
    assert world.web.ip == world.twin.ip
    assert dig(world.twin, "-x", world.twin.ip) == "web.blue.example."
    assert dig(world.web, "-x", world.web.ip) == "web.openstacklocal."
    assert dig(world.twin, "db") == "NXDOMAIN" and dig(world.twin, "web.blue.example") == world.twin.ip


def test_names_of_others_are_asked_for_outside(world: World) -> None:
    assert dig(world.web, "example.org") == "192.0.2.80"
    assert dig(world.web, "nothing.example.org") == "NXDOMAIN"
    assert len(dig(world.web, "long.example.org").split()) == 200                   # by TCP, all the way
    assert not [name for name in world.outside.asked if "openstacklocal" in name]


def test_a_resolver_outside_that_is_silent_holds_up_only_who_asks_for_it(world: World) -> None:
    world.outside.silent = True
    try:
        waiting = world.web.vm.start(["dig", f"@{IP}", "+timeout=8", "+tries=1", "example.org"])
        began = time.monotonic()
        assert dig(world.db, "web") == world.web.ip
        world.site.update(world.db, name="written meanwhile")
        assert time.monotonic() - began < 2
        assert b"SERVFAIL" in waiting.communicate(timeout=20)[0]
    finally:
        world.outside.silent = False
    assert dig(world.web, "example.org") == "192.0.2.80"


def test_names_across_a_router_and_of_floating_ips_are_answered(world: World) -> None:
    """For a machine of its own project only; and what is known no more is not."""
    site = world.site
    far = site.network("red", subnets=("10.0.3.0/24",), name="far")
    (machine,) = site.machines(Wish("far", far, 2, 0, {"dns_name": "far", "fixed_ips": [{"ip_address": "10.0.3.9"}]}))
    outside = site.create("network", **{"name": "world", "provider:network_type": "flat", "provider:physical_network": "physnet1",
                                        "router:external": True})
    site.create("subnet", network_id=outside["id"], ip_version=4, cidr="203.0.113.0/24")
    router = Router(site, site.create("router", name="names", project_id="red", external_gateway_info={"network_id": outside["id"]}))
    assert dig(world.web, "far.openstacklocal") == "NXDOMAIN"
    nets = [far["id"], world.web.port["network_id"]]
    subnets = [site.ask("GET", f"/v2.0/subnets?network_id={network}&ip_version=4")["subnets"][0]["id"] for network in nets]
    for subnet in subnets:
        router.act("add_router_interface", {"subnet_id": subnet})
    floating = site.create("floatingip", floating_network_id=outside["id"], project_id="red", port_id=machine.id, dns_name="www",
                           dns_domain="red.example.")["floating_ip_address"]
    for name, address in (("far", machine.ip), ("www.red.example", floating)):
        assert dig(world.web, name) == address
    assert dig(world.web, "-x", machine.ip) == "far.openstacklocal." and dig(world.web, "-x", floating) == "www.red.example."
    assert dig(world.twin, "far.openstacklocal") == "NXDOMAIN" and dig(world.twin, "www.red.example") == "NXDOMAIN"
    router.act("remove_router_interface", {"subnet_id": subnets[1]})
    assert dig(world.web, "far.openstacklocal") == "NXDOMAIN" and dig(world.web, "www.red.example") == floating


@pytest.mark.parametrize("client", ["udhcpc", "dhclient"])
def test_a_machine_is_told_of_it_by_dhcp_with_and_without_a_gateway(world: World, client: str) -> None:
    site = world.site
    network = site.network(f"told-{client}", subnets=())
    site.create("subnet", network_id=network["id"], project_id=network["project_id"], cidr="10.0.0.0/24", ip_version=4,
                **({"gateway_ip": None} if client == "udhcpc" else {}))
    port = {"dns_name": "me", "fixed_ips": [{"ip_address": "10.0.0.11"}]}
    (machine,) = site.machines(Wish(f"told{client[0]}", network, 1, 0, port), addresses=False)
    lease = machine.vm.dhcp(client=client)
    assert lease.dns == (IP,) and (f"{IP}/32", "0.0.0.0") in lease.routes
    assert dig(machine, "me") == "10.0.0.11"
    site.cloud.unplug(machine.vm)


# ---- metadata

def curl(machine: Machine, path: str, *words: str, host: str = IP, seconds: float = 5) -> tuple[int, str]:
    """Status and body; (0, why) if there is no answer."""
    done = machine.vm.run(["curl", "-sS", "-g", "-m", str(seconds), "-w", "\n%{http_code}", *words, f"http://{host}{path}"],
                          check=False, timeout=seconds + 30)
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("host", [IP, f"[{IP6}%25eth0]"], ids=["IPv4", "IPv6"])
def test_a_machine_hears_of_itself_and_another_tenants_with_its_address_of_itself(world: World, host: str) -> None:
    assert curl(world.web, ID, host=host) == (200, "vm-web")
    assert curl(world.twin, ID, host=host) == (200, "vm-twin")
    assert curl(world.db, ID, host=host) == (200, "vm-db")
    assert curl(world.web, "/latest/meta-data/local-ipv4", host=host) == (200, world.web.ip)
    assert curl(world.web, "/nothing", host=host)[0] == 404
    assert curl(world.web, ID, "-X", "DELETE", host=host)[0] == 405


def test_cloud_init_reads_it(world: World) -> None:
    program = ("import sys, json; sys.path.insert(0, sys.argv[1]); from cloudinit.sources.helpers.openstack import MetadataReader; "
               "found = MetadataReader(sys.argv[2]).read_v2(); print(json.dumps([found['metadata'], found['networkdata'], "
               "found['ec2-metadata']], default=str))")
    done = world.web.vm.run([sys.executable, "-c", program, str(cloud_init.HERE), f"http://{IP}"], timeout=60)
    metadata, networkdata, ec2 = json.loads(done.stdout.splitlines()[-1])
    assert (metadata["uuid"], metadata["hostname"]) == ("vm-web", "web.openstacklocal")
    assert networkdata["links"][0]["ethernet_mac_address"] == world.web.mac
    assert (ec2["instance-id"], ec2["local-ipv4"]) == ("vm-web", world.web.ip)


def test_it_is_there_beside_a_router_and_without_any_address(world: World) -> None:
    site = world.site
    router = Router(site, site.create("router", name="r", project_id="red"))
    subnets = site.ask("GET", f"/v2.0/subnets?network_id={world.web.port['network_id']}")["subnets"]
    for subnet in subnets:
        router.act("add_router_interface", {"subnet_id": subnet["id"]})
    world.web.vm.run(["ip", "neigh", "flush", "all"])
    assert curl(world.web, ID) == (200, "vm-web") and dig(world.web, "db") == world.db.ip
    for subnet in subnets:
        router.act("remove_router_interface", {"subnet_id": subnet["id"]})
    bare = site.network("bare", subnets=())
    (machine,) = site.machines(Wish("bare", bare, 2, 0, {"device_id": "vm-bare"}), addresses=False)
    wait(lambda: addresses6(machine.vm.namespace, "link"), "its own address is not ready")
    assert curl(machine, ID, host=f"[{IP6}%25eth0]") == (200, "vm-bare")
    site.cloud.unplug(machine.vm)


def test_nothing_but_requests_comes_to_the_controller(world: World) -> None:
    def packets() -> int:
        ports = world.site.ask("GET", "/inspect/ports")["ports"]
        return int(next(one["packets"] for one in ports if one["id"] == world.web.id))

    before = packets()
    assert curl(world.web, ID)[0] == 200 and dig(world.web, "db") == world.db.ip
    asked = packets()
    assert 0 < asked - before <= 14
    assert world.web.vm.ping(world.db.ip, count=5) and packets() == asked


HOSTILE = """
import sys
from scenarios.sockets import Nic
from tests.kit import frames
nic, mac, ip, count = Nic(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
service = "fa:16:3f:ff:a9:fe"
def tcp(port, flags, payload=b""):
    return frames.tcp(mac, service, ip, "169.254.169.254", port, 80, flags, payload)
burst = [tcp(1024 + number, frames.SYN) for number in range(100)]
burst += [tcp(2000 + number, frames.ACK, b"garbage") for number in range(50)]
burst += [frames.udp(mac, service, ip, "169.254.169.254", 4000, 53, bytes((number,)) * 40) for number in range(50)]
print("go", flush=True)
for number in range(count // len(burst)):
    nic.send(*burst)
print("done", flush=True)
"""


def test_who_floods_holds_up_nobody_else_and_is_named(world: World) -> None:
    process = world.site.hadron.process
    assert process is not None
    before = memory(process.pid)
    root = Path(__file__).resolve().parents[2]
    flood = subprocess.Popen([sys.executable, "-c", HOSTILE, world.web.vm.namespace.name, world.web.mac, world.web.ip, "40000"],
                             stdout=subprocess.PIPE, cwd=root)
    try:
        assert flood.stdout and flood.stdout.readline() == b"go\n"
        began = time.monotonic()
        assert curl(world.twin, ID) == (200, "vm-twin") and dig(world.db, "web") == world.web.ip
        world.site.update(world.db, name="written under a flood")
        assert time.monotonic() - began < 5
        assert flood.stdout.readline() == b"done\n"
    finally:
        flood.kill()
        flood.wait()
    alarms = wait(lambda: [one for one in world.site.alarms() if one["alarm"] == "flood"], "nobody is named")
    assert {one["object"] for one in alarms} == {f"port {world.web.id}"}
    assert memory(process.pid) - before < 40 << 20
    wait(lambda: curl(world.web, ID) == (200, "vm-web"), "the meter lets nothing more through")


def test_half_requests_and_endless_ones_are_ended(world: World) -> None:
    program = ("import socket, sys; some = [socket.create_connection(('169.254.169.254', 80), 5) for _ in range(20)]\n"
               "some[-1].sendall(b'GET / HTTP/1.1\\r\\nX: ')\n"
               "try:\n"
               "    for _ in range(1000): some[-1].sendall(b'a' * 1000)\n"
               "except OSError: pass\n"
               "print(some[-1].recv(100)[:12])")
    done = world.web.vm.run([sys.executable, "-c", program], timeout=40, check=False)
    assert "431" in done.stdout or "ConnectionResetError" in done.stderr, done.stdout + done.stderr
    assert curl(world.twin, ID) == (200, "vm-twin") and curl(world.web, ID) == (200, "vm-web")


def memory(process: int) -> int:
    """Bytes of it that are in memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# ---- metadata of a compute manager; last, because Hadron is started anew for it

def no_rules_linger(site: Site) -> bool:
    """Whether groups have rules only where a port is in them: those of ports that have gone stay for seconds (rollout.py)."""
    for host in site.cloud.hosts:
        held = "\n".join(host.dump_flows())
        if set(re.findall(r"table=28,.*reg8=(0x\w+)", held)) - set(re.findall(r"set_field:(0x\w+)->reg8", held)):
            return False
    return True


@pytest.fixture(scope="module")
def with_nova(world: World) -> World:
    site = world.site
    wait(lambda: no_rules_linger(site), "rules of no port are still there")
    flows = [host.dump_flows() for host in site.cloud.hosts]
    site.hadron.stop()
    site.hadron.config["metadata"] = {"url": world.nova.url, "shared_secret": SECRET}
    site.hadron.start()
    site.wait_active(world.web, world.db, world.twin)
    assert [host.dump_flows() for host in site.cloud.hosts] == flows
    return world


@pytest.mark.parametrize("host", [IP, f"[{IP6}%25eth0]"], ids=["IPv4", "IPv6"])
def test_a_compute_managers_service_is_asked_with_whose_it_is(with_nova: World, host: str) -> None:
    world = with_nova
    world.nova.seen.clear()
    assert curl(world.web, "/openstack/x?y=1", "-H", "X-Instance-ID: forged", host=host) == (200, "of vm-web")
    assert curl(world.twin, "/openstack", host=host) == (200, "of vm-twin")
    first, second = world.nova.seen
    assert (first["x-instance-id"], first["x-tenant-id"], first["path"]) == ("vm-web", "red", "/openstack/x?y=1")
    assert first["x-forwarded-for"] == (world.web.ip if host == IP else frames.link_local(world.web.mac))
    assert (second["x-instance-id"], second["x-tenant-id"]) == ("vm-twin", "blue")
    assert curl(world.db, "/openstack/latest/password", "--data", "secret", host=host) == (200, "secret")
    assert SECRET not in world.site.hadron.log.read_text()


def test_user_data_of_64_kb_come_whole_and_soon(with_nova: World) -> None:
    began = time.monotonic()
    assert curl(with_nova.web, "/openstack/latest/user_data", seconds=20) == (200, USER_DATA.decode())
    assert time.monotonic() - began < 5


def test_a_service_that_is_dead_stops_nobody(with_nova: World) -> None:
    world = with_nova
    world.nova.silent.set()
    try:
        waiting = [world.web.vm.start(["curl", "-s", "-m", "25", "-w", "%{http_code}", f"http://{IP}/x"]) for _ in range(6)]
        began = time.monotonic()
        assert dig(world.twin, "web.blue.example") == world.twin.ip and dig(world.web, "db") == world.db.ip
        world.site.update(world.db, name="written meanwhile too")
        assert time.monotonic() - began < 3
        assert all(one.communicate(timeout=40)[0].endswith(b"503") for one in waiting)
    finally:
        world.nova.silent.clear()
    assert curl(world.web, "/openstack") == (200, "of vm-web")
