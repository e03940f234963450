"""Gateways of routers with real packets: several of one router, each with its own way, addresses and connections."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from scenarios.outside import Outsider
from tests.scenarios.leading import Outside, Session, connect
from tests.scenarios.measure import measured, speed
from tests.scenarios.routed import traced
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
FAR, FAR6 = "192.0.2.7", "2001:db8:9::7"          # beyond either gateway, and at whoever is next hop there
# Another bridge to the same physical switch.
SECOND = """add-br br-two -- set Bridge br-two datapath_type=netdev fail_mode=standalone other_config:disable-in-band=true
  -- add-port br-two two -- set Interface two type=patch options:peer=one
  -- add-port br-ex one -- set Interface one type=patch options:peer=two"""
# Connects so many times, from ports of the kernel's choice; prints who answered.
WHO = """
import socket, sys
found = set()
for _ in range(int(sys.argv[3])):
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as one:
        found.add(one.recv(64).decode())
print(*sorted(found), sep=";")
"""


class Twice(Outside):
    """Two external networks on wires of their own, each with a next hop that also is somebody far away."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        for host in site.cloud.hosts:
            host.vsctl(*SECOND.split())
            mappings(host, "physnet1:br-ex", "physnet2:br-two")
        site.wait_uplinks(2 * len(site.cloud.hosts))
        self.beyond = site.create("network", **{"name": "beyond", "provider:network_type": "vlan", "router:external": True,
                                                "provider:physical_network": "physnet2", "provider:segmentation_id": 202})
        for network, cidr, hop in ((self.beyond, "198.51.100.0/24", "198.51.100.1"), (self.world, "2001:db8:f00d::/64",
                                   "2001:db8:f00d::1"), (self.beyond, "2001:db8:beef::/64", "2001:db8:beef::1")):
            site.create("subnet", network_id=network["id"], ip_version=6 if ":" in cidr else 4, cidr=cidr, gateway_ip=hop,
                        enable_dhcp=False)
        self.away2 = site.cloud.external("away2", "198.51.100.1/24", vlan=202)
        for away, block, six in ((self.away, "203.0.113.0/24", "2001:db8:f00d::1"), (self.away2, "198.51.100.0/24", "2001:db8:beef::1")):
            away.address(f"{six}/64")
            for far in (f"{FAR}/32", f"{FAR6}/128"):
                away.run(["ip", "addr", "replace", far, "dev", "lo"])
            away.run(["ip", "route", "replace", block, "dev", "eth0", "src", FAR])
            self.serve(away.start, 80, away.name)
            self.echo(away.start)
        self.router = site.create("router", name="twice", project_id="red", external_gateway_info={"network_id": self.world["id"]})
        self.act("add_external_gateways", self.world, self.beyond)

    def act(self, action: str, *networks: dict[str, Any]) -> None:
        gateways = [{"network_id": one["id"]} for one in networks if action != "add_external_gateways" or one is not self.world]
        self.site.ask("PUT", f"/v2.0/routers/{self.router['id']}/{action}", {"router": {"external_gateways": gateways}})

    def outside_address(self, network: dict[str, Any], v: int = 4) -> str:
        ports = self.site.ask("GET", f"/v2.0/ports?device_id={self.router['id']}&network_id={network['id']}")["ports"]
        return next(one["ip_address"] for one in ports[0]["fixed_ips"] if (":" in one["ip_address"]) == (v == 6))


def mappings(host: Any, *wires: str) -> None:
    """The physical networks that a host reaches, each by a bridge."""
    host.vsctl("set", "Open_vSwitch", ".", f'external_ids:hadron-bridge-mappings="{",".join(wires)}"')


@pytest.fixture(scope="module")
def outside() -> Iterator[Twice]:
    with Site(hosts=2, external=True) as site, Twice(site) as made:
        yield made


@pytest.fixture(scope="module")
def machines(outside: Twice) -> list[Machine]:
    site = outside.site
    network = site.network("red", subnets=("10.0.0.0/24", "2001:db8:1::/64"))
    for subnet in site.ask("GET", f"/v2.0/subnets?network_id={network['id']}")["subnets"]:
        site.ask("PUT", f"/v2.0/routers/{outside.router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    group = site.open_group("red")
    found = site.machines(*(Wish(f"red{host}", network, host, 0, {"security_groups": [group], "fixed_ips": [
        {"ip_address": f"10.0.0.{10 + host}"}, {"ip_address": f"2001:db8:1::{10 + host}"}]}) for host in (1, 2)))
    for machine in found:
        for family, hop in (("-4", "10.0.0.1"), ("-6", "2001:db8:1::1")):
            machine.vm.run(["ip", family, "route", "replace", "default", "via", hop, "dev", "eth0"])
        outside.serve(machine.vm.start, 22, machine.name)
        for to in (FAR, "198.51.100.1"):
            wait(lambda vm=machine.vm, to=to: vm.ping(to), f"{machine} does not reach {to}", 20)
    for away, network in ((outside.away, outside.world), (outside.away2, outside.beyond)):
        away.run(["ip", "-6", "route", "replace", "2001:db8:1::/64", "via", outside.outside_address(network, 6), "src", FAR6])
    return found


def who(machine: Machine, address: str, count: int = 1) -> str:
    return str(machine.vm.run([sys.executable, "-c", WHO, address, "80", str(count)], timeout=60).stdout.strip())


def test_connections_leave_by_the_first_gateway_or_by_the_one_that_is_near_with_its_address(outside, machines):
    for machine in machines:
        assert connect(machine.vm.run, FAR, 80) == (1, f"away {outside.outside_address(outside.world)}")
        assert connect(machine.vm.run, "198.51.100.1", 80) == (1, f"away2 {outside.outside_address(outside.beyond)}")


@pytest.mark.parametrize("place", [0, 1])
def test_a_machine_with_a_floating_address_of_each_gateway_answers_where_it_was_asked(outside, machines, place):
    """The one who asks is far away for both, so that only the connection tells by which gateway to answer."""
    machine = machines[place]
    made = [outside.site.create("floatingip", floating_network_id=network["id"], project_id="red", port_id=machine.id)
            for network in (outside.world, outside.beyond)]
    one, two = (floating["floating_ip_address"] for floating in made)
    for away, address in ((outside.away, one), (outside.away2, two)):
        wait(lambda away=away, to=address: connect(away.run, to, 22) == (1, f"{machine.name} {FAR}"), f"{address} is not reached")
    assert connect(machine.vm.run, FAR, 80) == (1, f"away {one}")
    assert connect(machine.vm.run, "198.51.100.1", 80) == (1, f"away2 {two}")
    for floating in made:
        outside.site.delete("floatingip", floating["id"])


def test_ipv6_answers_leave_by_the_gateway_where_the_question_came_in(outside, machines):
    for machine in machines:
        for away in (outside.away, outside.away2):
            wait(lambda away=away, to=machine.ip6: away.ping(to), f"{machine} does not answer {away.name}")
        sniffed = heard_by(outside.away, machine.ip6, lambda to=machine.ip6: outside.away2.ping(to, 3))
        assert not sniffed, "an answer went out by the other gateway"


def heard_by(away: Outsider, address: str, work: Any) -> list[bytes]:
    with away.capture(f"src host {address}") as seen:
        assert work()
    return list(seen.frames())


def test_connections_are_spread_over_both_gateways_and_go_on_by_theirs(outside, machines):
    outside.site.change("router", outside.router["id"], enable_default_route_ecmp=True)
    expected = ";".join(f"{away} {outside.outside_address(network)}" for away, network in (
        ("away", outside.world), ("away2", outside.beyond)))
    for machine in machines:
        assert who(machine, FAR, 30) == expected
    sessions = [Session(machine, FAR) for machine in machines for _ in range(3)]
    outside.site.change("router", outside.router["id"], enable_default_route_ecmp=False)
    assert who(machines[0], FAR, 10) == expected.partition(";")[0]
    for session in sessions:
        heard, silence = session.stop()
        assert heard and silence < 1.5


@pytest.fixture
def policy(outside) -> Iterator[str]:
    """10 Mbit/s out of the first gateway, 5 Mbit/s in."""
    id = outside.site.ask("POST", "/v2.0/qos/policies", {"policy": {"name": "gold"}})["policy"]["id"]
    for direction, kbps in (("egress", 10_000), ("ingress", 5_000)):
        outside.site.ask("POST", f"/v2.0/qos/policies/{id}/bandwidth_limit_rules", {"bandwidth_limit_rule": {
            "max_kbps": kbps, "direction": direction}})
    info = {"network_id": outside.world["id"], "qos_policy_id": id}
    outside.site.change("router", outside.router["id"], external_gateway_info=info)
    yield id
    outside.site.change("router", outside.router["id"], external_gateway_info={**info, "qos_policy_id": None})
    outside.site.ask("DELETE", f"/v2.0/qos/policies/{id}")


@pytest.mark.parametrize(("kbps", "how"), [(10_000, ()), (5_000, ("-R",)), (10_000, ("-u", "-b", "20M", "-l", "1200"))])
def test_what_passes_a_gateway_is_held_to_ten_percent_of_its_limit(outside, machines, policy, kbps, how):
    """By iperf3, out and in; it counts payload, the meter whole frames."""
    listening = outside.away.start(["iperf3", "-s", "-1"])
    try:
        wait(lambda: ":5201" in outside.away.run(["ss", "-ltn"]).stdout, "iperf3 does not listen")
        end = measured(machines[1], FAR, *how)
    finally:
        listening.kill()
        listening.wait()
    share = 1200 / 1242 if "-u" in how else 1398 / 1464
    assert 0.9 <= speed(end) / share / kbps / 1000 <= 1.1, f"{speed(end) / 1e6:.2f} Mbit/s"


def test_the_second_gateway_takes_over_when_the_wire_of_the_first_is_gone_and_gives_back(outside, machines):
    first, second = (outside.outside_address(network) for network in (outside.world, outside.beyond))
    for host in outside.site.cloud.hosts:
        mappings(host, "physnet2:br-two")
    for machine in machines:
        wait(lambda one=machine: connect(one.vm.run, FAR, 80) == (1, f"away2 {second}"), f"{machine} does not get outside", 30)
    for host in outside.site.cloud.hosts:
        mappings(host, "physnet1:br-ex", "physnet2:br-two")
    for machine in machines:
        wait(lambda one=machine: connect(one.vm.run, FAR, 80) == (1, f"away {first}"), f"{machine} does not get outside", 30)


# ---- machines on a wire, whose gateway is a router of ours

@pytest.fixture(scope="module")
def desk(outside: Twice, machines: list[Machine]) -> Outsider:
    """A machine in a VLAN, which the router joins."""
    site = outside.site
    office = site.create("network", **{"name": "office", "project_id": "red", "provider:network_type": "vlan",
                                       "provider:physical_network": "physnet1", "provider:segmentation_id": 105})
    subnet = site.create("subnet", network_id=office["id"], project_id="red", ip_version=4, cidr="10.5.0.0/24")
    site.ask("PUT", f"/v2.0/routers/{outside.router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    made = site.cloud.external("desk", "10.5.0.99/24", vlan=105)
    made.address("10.5.0.99/24", gateway="10.5.0.1")
    outside.serve(made.start, 22, "desk")
    outside.office = office
    return made


def sources(host: Any) -> Any:
    """What a host says on the wire in VLAN 105."""
    return host.capture("vlan 105", device="eth2", direction="out")


def test_a_machine_on_the_wire_has_the_router_as_its_gateway(outside, machines, desk):
    first = outside.outside_address(outside.world)
    wait(lambda: desk.ping("10.5.0.1"), "the router does not answer on the wire")
    for machine in machines:
        wait(lambda to=machine.ip: desk.ping(to), f"{machine} is not reached from the wire", 20)
        assert connect(desk.run, machine.ip, 22) == (1, f"{machine.name} 10.5.0.99")
        assert connect(machine.vm.run, "10.5.0.99", 22) == (1, f"desk {machine.ip}")
    assert connect(desk.run, FAR, 80) == (1, f"away {first}")
    assert traced(desk, machines[0].ip) == ["10.5.0.1", machines[0].ip]


def test_one_host_answers_for_the_router_and_no_mac_is_at_two_places(outside, machines, desk):
    hosts = outside.site.cloud.hosts
    with sources(hosts[0]) as one, sources(hosts[1]) as two:
        desk.run(["ip", "neigh", "flush", "dev", "eth0"])
        for machine in machines:
            assert desk.ping(machine.ip, 3) and machine.vm.ping("10.5.0.99", 3)
        seen = [list(each.frames()) for each in (one, two)]
    answers = [frame for frames in seen for frame in frames if frame[16:18] == b"\x08\x06" and frame[25] == 2]
    assert len({frame[6:12] for frame in answers}) == 1 and len(answers) >= 1
    macs = [{frame[6:12] for frame in frames} for frames in seen]
    assert all(macs) and not macs[0] & macs[1]
    own = {port["mac_address"] for port in outside.site.ask("GET", f"/v2.0/ports?device_id={outside.router['id']}")["ports"]}
    assert not {mac.hex(":") for mac in macs[0] | macs[1]} & own


def default_router(desk: Outsider) -> str:
    """The default route that the kernel has learned, if it also made itself an address."""
    own = desk.run(["ip", "-6", "addr", "show", "dev", "eth0", "scope", "global", "-tentative"]).stdout
    return str(desk.run(["ip", "-6", "route", "show", "default"]).stdout) if "inet6 2001:db8:5:" in own else ""


def test_a_machine_on_the_wire_configures_itself_by_what_the_router_advertises(outside, machines, desk):
    site = outside.site
    subnet = site.create("subnet", network_id=outside.office["id"], project_id="red", ip_version=6, cidr="2001:db8:5::/64",
                         ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    site.ask("PUT", f"/v2.0/routers/{outside.router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    wait(lambda: "proto ra" in default_router(desk), "it has not heard unasked", 20)
    reached = [f"2001:db8:1::{10 + host}" for host in (1, 2)]
    for ip in reached:
        wait(lambda to=ip: desk.ping(to), f"{ip} is not reached from the wire", 20)
    assert [ip for ip in desk.slaac(seconds=20) if ip.startswith("2001:db8:5:")], "it has forgotten all, and asks"
    for ip in reached:
        wait(lambda to=ip: desk.ping(to), f"{ip} is not reached from the wire", 20)
    site.ask("PUT", f"/v2.0/routers/{outside.router['id']}/remove_router_interface", {"subnet_id": subnet["id"]})
    wait(lambda: not default_router(desk), "it still has the router as its gateway", 20)


def test_tenants_in_a_vlan_get_outside_from_every_host_without_a_floating_address(outside, machines, desk):
    site, group = outside.site, outside.site.open_group("red")
    made = site.machines(*(Wish(f"office{host}", outside.office, host, 0, {"security_groups": [group], "fixed_ips": [
        {"ip_address": f"10.5.0.{10 + host}"}]}) for host in (1, 2)))
    for machine in made:
        machine.vm.run(["ip", "route", "replace", "default", "via", "10.5.0.1"])
        wait(lambda one=machine: one.vm.ping(FAR), f"{machine} does not get outside", 20)
        assert connect(machine.vm.run, FAR, 80) == (1, f"away {outside.outside_address(outside.world)}")
        assert connect(machine.vm.run, "198.51.100.1", 80) == (1, f"away2 {outside.outside_address(outside.beyond)}")
        assert connect(machine.vm.run, machines[0].ip, 22) == (1, f"{machines[0].name} {machine.ip}")
