"""The way outside with real packets: SNAT, floating addresses, port forwarding, and who may not come in."""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from scenarios.host import ovs_version
from scenarios.sockets import Nic
from tests.kit import frames
from tests.scenarios.leading import Outside, connect
from tests.scenarios.routed import TUNNELS, between
from tests.scenarios.site import Machine, Wish, wait

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def red(outside: Outside) -> tuple[dict[str, Any], list[Machine]]:
    group = outside.site.group("red", "ssh")
    outside.site.rule(group, protocol="tcp", port_range_min=22, port_range_max=22)
    outside.site.rule(group, protocol="icmp")
    return outside.tenant("red", 1, 2, 3, security_groups=[group])


@pytest.fixture(scope="module")
def blue(outside: Outside) -> tuple[dict[str, Any], list[Machine]]:
    return outside.tenant("blue", 1, 2)


def test_machines_of_all_hosts_share_the_routers_address_outside_and_overlapping_tenants_do_not_meet(outside, red, blue):
    for router, machines in (red, blue):
        own = outside.router_address(router)
        for machine in machines:
            wait(lambda vm=machine.vm: vm.ping("203.0.113.1"), f"{machine} does not reach outside")
            assert connect(machine.vm.run, "203.0.113.1", 80) == (1, f"away {own}")
    assert outside.router_address(red[0]) != outside.router_address(blue[0])


def test_twenty_machines_share_one_address_outside_from_one_source_port_at_the_same_time(outside):
    router, machines = outside.tenant("crowd", *(number % 3 + 1 for number in range(20)))
    for machine in machines:
        wait(lambda vm=machine.vm: vm.ping("203.0.113.1"), f"{machine} does not reach outside")
    with ThreadPoolExecutor(len(machines)) as pool:
        said = list(pool.map(lambda machine: connect(machine.vm.run, "203.0.113.1", 80, first=40000), machines))
    assert said == [(1, f"away {outside.router_address(router)}")] * 20


def test_the_router_answers_echo_from_outside(outside, red):
    assert outside.away.ping(outside.router_address(red[0]), 3)


@pytest.fixture(scope="module")
def floating(outside: Outside, red: Any) -> list[str]:
    """The floating addresses of red's three machines, each of which says its name on port 22."""
    for machine in red[1]:
        outside.serve(machine.vm.start, 22, machine.name)
    return [outside.floating(machine)["floating_ip_address"] for machine in red[1]]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_floating_address_is_the_machines_both_ways_takes_no_detour_and_its_groups_judge(outside, red, floating, place):
    machine, address = red[1][place], floating[place]
    wait(lambda: outside.away.ping(address), f"{address} is not reached")
    wait(lambda: machine.vm.ping("203.0.113.1"), "its next hop is not known yet")
    with machine.vm.host.capture(TUNNELS) as underlay:
        assert connect(outside.away.run, address, 22) == (1, f"{machine.name} 203.0.113.1")
        assert connect(machine.vm.run, "203.0.113.1", 80) == (1, f"away {address}")
    assert between(underlay.frames(), machine.ip, "203.0.113.1") == []
    outside.serve(machine.vm.start, 23, machine.name)
    assert connect(outside.away.run, address, 23) == (0, ""), "no rule allows port 23"


def test_machines_meet_by_floating_addresses_on_one_host_on_others_and_behind_other_routers(outside, red, blue, floating):
    """Those that have one are seen by it, the others by their router's; a machine meets itself too."""
    for machine, own in zip(red[1], floating, strict=True):
        for other, address in zip(red[1], floating, strict=True):
            assert connect(machine.vm.run, address, 22) == (1, f"{other.name} {own}"), f"{machine} to {other}"
    for machine in blue[1]:
        for other, address in zip(red[1], floating, strict=True):
            wait(lambda vm=machine.vm, to=address: vm.ping(to), f"{address} is not reached")
            assert connect(machine.vm.run, address, 22) == (1, f"{other.name} {outside.router_address(blue[0])}")


def test_a_floating_address_that_is_taken_away_is_gone_and_comes_back(outside):
    _, (a, b) = outside.tenant("indigo", 1, 2, security_groups=[outside.site.open_group("indigo")])
    one = outside.floating(a, "indigo")
    address = one["floating_ip_address"]
    for machine in (a, b):
        outside.serve(machine.vm.start, 22, machine.name)
    for machine in (a, None, b, None, a):
        outside.site.change("floatingip", one["id"], port_id=machine and machine.id)
        if machine is None:
            wait(lambda: not outside.away.ping(address), "it is still answered for")
        else:
            wait(lambda to=machine: connect(outside.away.run, address, 22) == (1, f"{to.name} 203.0.113.1"), f"not at {machine}")
            assert connect(machine.vm.run, "203.0.113.1", 80) == (1, f"away {address}")


def test_ports_of_one_address_are_services_of_two_machines(outside, red):
    _, (first, second, _) = outside.tenant("green", 1, 2, 3, security_groups=[outside.site.open_group("green")])
    address = outside.site.create("floatingip", floating_network_id=outside.world["id"], project_id="green")
    for machine, port in ((first, 8001), (second, 8002)):
        outside.serve(machine.vm.start, 9000, machine.name)
        outside.lead(address, machine, "tcp", port, 9000)
    for machine, port in ((first, 8001), (second, 8002)):
        assert connect(outside.away.run, address["floating_ip_address"], port) == (1, f"{machine.name} 203.0.113.1")
    assert connect(outside.away.run, address["floating_ip_address"], 8003) == (0, "")


def test_a_scan_from_outside_finds_nothing_but_what_nat_entries_and_rules_open(outside, red, floating):
    """To every address, by every MAC that answers outside, on many ports: each question has a source port of its own."""
    router, machines = red
    ports = outside.site.ask("GET", f"/v2.0/ports?network_id={outside.world['id']}")["ports"]
    macs = [port["mac_address"] for port in ports if port["device_id"] == router["id"]
            or port["fixed_ips"][0]["ip_address"] in floating]
    ips = ["10.0.0.1", *(machine.ip for machine in machines), *floating, outside.router_address(router), "203.0.113.250"]
    asked = [(mac, ip, kind, port) for mac in macs for ip in ips for kind in (frames.tcp, frames.udp)
             for port in (1, 22, 23, 53, 67, 80, 443, 6640, 6653, 8080)]
    own = [port["mac_address"] for address in floating for port in ports if port["fixed_ips"][0]["ip_address"] == address]
    asked += [(mac, ip, frames.tcp, 22) for mac, ip in zip(own, floating, strict=True)]           # these arrive, at last
    for machine in machines:
        machine.nic.frames()
    nic = Nic(outside.away.namespace.name)
    for number, (mac, ip, kind, port) in enumerate(asked):
        nic.send(kind(outside.away.mac, mac, "203.0.113.1", ip, 20000 + number, port))
    nic.close()
    for place, machine in enumerate(machines):
        heard: set[int] = set()

        def last(machine: Machine = machine, heard: set[int] = heard, place: int = place) -> bool:
            heard |= {int.from_bytes(frame[34:36], "big") - 20000 for frame in machine.nic.frames()
                      if frame[12:14] == b"\x08\0" and frame[26:30] == frames.raw_ip("203.0.113.1") and frame[23] in (6, 17)}
            return len(asked) - len(machines) + place in heard
        wait(last, f"{machine} does not hear what is allowed")
        found = [asked[number] for number in heard if 0 <= number < len(asked)]
        assert {(ip, kind, port) for _, ip, kind, port in found} == {(floating[place], frames.tcp, 22)}


@pytest.fixture(scope="module")
def again(outside: Outside, red: Any) -> tuple[Machine, str]:
    """Another of red's machines, and an address outside of which port 2200 leads to its 22."""
    network = outside.site.ask("GET", "/v2.0/networks?name=red")["networks"][0]
    (machine,) = outside.site.machines(Wish("again", network, 2, 0, {
        "fixed_ips": [{"ip_address": "10.0.0.77"}], "security_groups": red[1][0].port["security_groups"]}))
    machine.vm.run(["ip", "route", "replace", "default", "via", "10.0.0.1"])
    outside.serve(machine.vm.start, 22, "again")
    return machine, outside.forward(machine, "red", ("tcp", 2200, 22))


@pytest.mark.parametrize("guarded", [True, False], ids=["with groups", "without"])
@pytest.mark.parametrize("way", ["snat", "floating", "forwarded"])
def test_source_ports_may_be_used_again_and_again(outside, red, blue, floating, again, way, guarded):
    """Three rounds over the same ports: what Open vSwitch 3.1 drops, and aborts on, with address-less NAT."""
    machine = {"snat": blue[1][1], "floating": red[1][1], "forwarded": again[0]}[way]
    run, address, port = {"snat": (machine.vm.run, "203.0.113.1", 80), "floating": (outside.away.run, floating[1], 22),
                          "forwarded": (outside.away.run, again[1], 2200)}[way]
    groups = machine.port["security_groups"]
    if not guarded:
        outside.site.update(machine, security_groups=[], port_security_enabled=False)
    wait(lambda: connect(run, address, port)[0], "nobody answers")
    assert connect(run, address, port, first=20000, count=300, rounds=3)[0] == 900
    assert all(host.pid() for host in outside.site.cloud.hosts), "every ovs-vswitchd lives"
    if not guarded:
        outside.site.update(machine, port_security_enabled=True, security_groups=groups)


def test_the_doctor_names_a_version_of_open_vswitch_that_ends_by_itself(outside):
    said = [one for one in outside.site.ask("GET", "/inspect/doctor")["findings"] if "address-less nat" in one["text"]]
    if ovs_version() != "3.1.0":
        assert said == []
        return
    (finding,) = said
    assert finding["about"] == ", ".join(f"host {host.name}" for host in outside.site.cloud.hosts)
    assert "3.1.1 or later" in finding["remedy"]


def test_a_floating_address_moves_between_hosts_in_less_than_a_second(outside):
    _, (here, there, _) = outside.tenant("violet", 1, 2, 3, security_groups=[outside.site.open_group("violet")])
    floating = outside.floating(here, "violet")
    address = floating["floating_ip_address"]
    wait(lambda: outside.away.ping(address), f"{address} is not reached")
    pinging = outside.away.start(["ping", "-n", "-i", "0.02", "-c", "150", address])
    wait(lambda: (pinging.stdout.readline() or b"").startswith(b"64 bytes"), "no answer")
    outside.site.change("floatingip", floating["id"], port_id=there.id)
    said = pinging.communicate(timeout=30)[0].decode()
    received = int(said.split(" received")[0].split()[-1])
    assert received >= 150 - 50, f"lost more than a second of pings: {said[-300:]}"



def test_within_an_address_scope_nothing_is_translated_and_the_machines_own_address_is_reached(outside):
    site = outside.site
    scope = site.create("address_scope", name="one", ip_version=4)["id"]
    pool = site.create("subnetpool", name="one", prefixes=["10.64.0.0/10"], address_scope_id=scope, shared=True)["id"]
    world = site.create("network", **{"name": "scoped", "provider:network_type": "vlan", "provider:segmentation_id": 77,
                                      "provider:physical_network": "physnet1", "router:external": True})
    site.create("subnet", network_id=world["id"], ip_version=4, cidr="10.64.0.0/24", subnetpool_id=pool, enable_dhcp=False)
    away = site.cloud.external("near", "10.64.0.1/24", 77)
    router = site.create("router", name="scoped", project_id="grey", external_gateway_info={"network_id": world["id"]})
    for name, cidr, more in (("same", "10.65.0.0/24", {"subnetpool_id": pool}), ("other", "10.1.0.0/24", {})):
        network = site.network("grey", subnets=(), name=name)
        subnet = site.create("subnet", network_id=network["id"], project_id="grey", ip_version=4, cidr=cidr, **more)
        site.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    same, other = (site.ask("GET", f"/v2.0/networks?name={name}")["networks"][0] for name in ("same", "other"))
    group = [site.open_group("grey")]
    a, b = site.machines(*(Wish(name, network, host, 0, {"security_groups": group, "fixed_ips": [{"ip_address": ip}]})
                           for name, network, host, ip in (("sa", same, 1, "10.65.0.9"), ("sb", other, 2, "10.1.0.9"))))
    for machine in (a, b):
        machine.vm.run(["ip", "route", "replace", "default", "via", machine.ip.rpartition(".")[0] + ".1"])
    for block in ("10.65.0.0/24", "10.1.0.0/24"):
        away.run(["ip", "route", "replace", block, "via", outside.router_address(router)])
    outside.serve(away.start, 80, "near")
    for machine, seen in ((a, a.ip), (b, outside.router_address(router))):
        wait(lambda vm=machine.vm: vm.ping("10.64.0.1"), f"{machine} does not reach outside")
        assert connect(machine.vm.run, "10.64.0.1", 80) == (1, f"near {seen}")
    assert away.ping(a.ip) and not away.ping(b.ip)
    assert not a.vm.ping(b.ip) and not b.vm.ping(a.ip)


def fits(run: Any, address: str, size: int) -> str:
    """What ping says of one request of so many bytes, its IP header with them, that must not be cut."""
    head = 48 if ":" in address else 28
    return str(run(["ping", "-n", "-M", "do", "-s", str(size - head), "-c", "1", "-W", "2", address], check=False).stdout)


def test_a_machine_behind_two_routers_has_a_floating_address_of_the_outer_one(outside):
    """machine ─ inner router ─ transit ─ outer router ─ world: on whichever host the machine is."""
    site = outside.site
    outer, inner = (site.create("router", name=name, project_id="deep", **more) for name, more in (
        ("outer", {"external_gateway_info": {"network_id": outside.world["id"]}}), ("inner", {})))
    transit = site.network("transit", subnets=("10.9.0.0/24",))
    (subnet,) = site.ask("GET", f"/v2.0/subnets?network_id={transit['id']}")["subnets"]
    site.ask("PUT", f"/v2.0/routers/{outer['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    port = site.create("port", network_id=transit["id"], project_id="deep", fixed_ips=[{"ip_address": "10.9.0.2"}])
    site.ask("PUT", f"/v2.0/routers/{inner['id']}/add_router_interface", {"port_id": port["id"]})
    _, machines = outside.join(inner, "deep", 1, 2, 3, security_groups=[site.open_group("deep")])
    for router, destination, hop in ((inner, "0.0.0.0/0", "10.9.0.1"), (outer, "10.0.0.0/24", "10.9.0.2")):
        site.change("router", router["id"], routes=[{"destination": destination, "nexthop": hop}])
    for machine in machines:
        made = site.create("floatingip", floating_network_id=outside.world["id"], project_id="deep", port_id=machine.id,
                           router_id=outer["id"])
        address = made["floating_ip_address"]
        wait(lambda address=address: outside.away.ping(address, 1), f"{machine} is not reached")
        assert outside.away.ping(address, 3)
        assert connect(machine.vm.run, "203.0.113.1", 80) == (1, f"away {address}")
        outside.serve(machine.vm.start, 22, machine.name)
        assert connect(outside.away.run, address, 22) == (1, f"{machine.name} 203.0.113.1")
    site.change("router", outer["id"], routes=[])
    assert not outside.away.ping(address, 1, wait=0.5)


def test_who_sends_too_big_packets_hears_how_big_they_may_be_through_nat_too(outside):
    """From outside, of 1500 bytes, to a machine's network of 1450; and from there to one of 1300."""
    site = outside.site
    router, (a,) = outside.tenant("pink", 1, security_groups=[site.open_group("pink")])
    small = site.network("pink", subnets=("10.0.7.0/24",), name="small", mtu=1300)
    (subnet,) = site.ask("GET", f"/v2.0/subnets?network_id={small['id']}")["subnets"]
    site.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    (b,) = site.machines(Wish("pinkb", small, 2, 0, {"fixed_ips": [{"ip_address": "10.0.7.9"}],
                                                     "security_groups": a.port["security_groups"]}))
    b.vm.run(["ip", "route", "replace", "default", "via", "10.0.7.1"])
    address = outside.floating(a, "pink")["floating_ip_address"]
    wait(lambda: outside.away.ping(address), f"{address} is not reached")
    wait(lambda: a.vm.ping(b.ip), f"{b} is not reached")
    assert "1 received" in fits(outside.away.run, address, 1450)
    assert "mtu = 1450" in fits(outside.away.run, address, 1451)
    assert "1 received" in fits(a.vm.run, b.ip, 1300)
    assert "mtu = 1300" in fits(a.vm.run, b.ip, 1301)
