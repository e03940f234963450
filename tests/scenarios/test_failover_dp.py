"""Gateway hosts that die and come back, and a controller that restarts, under real traffic through NAT."""
from __future__ import annotations

import re
import time
from typing import Any

import pytest

from scenarios.sockets import Nic
from tests.faults.fabric import Written
from tests.kit import frames
from tests.scenarios.leading import Outside
from tests.scenarios.site import Machine, Wish, wait

pytestmark = pytest.mark.root
FAILOVER, SETTLE = 2, 4         # seconds, as configured
SITE = {"failover_seconds": FAILOVER, "settle_seconds": SETTLE}
SLOW = 6                        # more seconds that a busy machine may need
Tenant = tuple[dict[str, Any], list[Machine]]


@pytest.fixture(scope="module")
def tenants(outside: Outside) -> dict[str, Tenant]:
    """Tenants with a machine on each host, by the host of their gateway: on at least two hosts."""
    found: dict[str, Tenant] = {}
    for number in range(20):
        if len(found) == 2:
            return found
        router = outside.site.create("router", name=f"t{number}", project_id=f"t{number}",
                                     external_gateway_info={"network_id": outside.world["id"]})
        host = outside.gateway_host(router).name
        if host not in found:
            found[host] = outside.join(router, f"t{number}", 1, 2, 3,
                                       security_groups=[outside.site.open_group(f"t{number}")])
    raise AssertionError("all gateways are on one host")


def on(machines: list[Machine], *hosts: str) -> Machine:
    """A machine on none of these hosts."""
    return next(machine for machine in machines if machine.vm.host.name not in hosts)


def reaches(machine: Machine) -> None:
    wait(lambda: machine.vm.ping("203.0.113.1"), f"{machine} does not reach outside", 20)


def test_a_gateway_host_dies_another_takes_over_and_others_lose_nothing(outside, tenants):
    (victim, (router, machines)), (other, (_, others)) = tenants.items()
    mine, theirs = on(machines, victim), on(others, victim)
    floating = outside.site.create("floatingip", floating_network_id=outside.world["id"], project_id=router["project_id"],
                                   port_id=on(machines, victim, mine.vm.host.name).id, distributed=False)["floating_ip_address"]
    reaches(mine)
    reaches(theirs)
    wait(lambda: outside.away.ping(floating), f"{floating} is not reached")
    session, untouched = outside.session(mine), outside.session(theirs)
    host = next(host for host in outside.site.cloud.hosts if host.name == victim)
    began = time.monotonic()
    host.stop_vswitchd(kill=True)
    reaches(mine)
    taken = time.monotonic() - began
    assert outside.gateway_host(router).name != victim
    wait(lambda: outside.away.ping(floating), f"{floating} is not reached any more", FAILOVER + SLOW)
    lost = [one["id"] for one in outside.site.ask("GET", "/v2.0/losses")["losses"]]
    shown = {one["hostname"]: one["alive"] for one in outside.site.ask("GET", "/v2.0/hosts")["hosts"]}
    assert len(lost) == 1 and shown[victim] is False and shown[other] is True
    print(f"outside again after {taken:.1f} s")
    assert taken < FAILOVER + SLOW
    host.start_vswitchd()
    wait(lambda: not outside.site.ask("GET", "/v2.0/losses")["losses"], "it is not trusted again", 30)
    assert outside.gateway_host(router).name == victim
    reaches(mine)
    heard, silence = session.stop()
    assert heard and silence < FAILOVER + SLOW, "the router's own connection goes on by the other host, and back again"
    heard, silence = untouched.stop()
    assert heard and silence < 1, f"a router on a host that lives lost {silence} s"


def test_a_host_that_is_cut_off_from_hadron_alone_answers_on_and_the_other_holds_its_own(outside, tenants):
    """It keeps its flows, and its MACs come from two places whenever somebody asks; the one that stands in wins them back."""
    (victim, (router, machines)), _ = tenants.items()
    mine = on(machines, victim)
    reaches(mine)
    host = next(host for host in outside.site.cloud.hosts if host.name == victim)
    host.vsctl("del-manager", "--", "set-controller", "br-int", f"tcp:{outside.site.cloud.controller_address}:1")
    wait(lambda: len(outside.site.ask("GET", "/v2.0/losses")["losses"]) == 1, "nobody is lost", FAILOVER + SLOW)
    wait(lambda: holders(outside, router) == 2, "nobody stands in")
    session = outside.session(mine)
    nic = Nic(outside.away.namespace.name)
    for _ in range(4):                                  # both answer this, with one MAC from two places
        nic.send(frames.arp_request(outside.away.mac, "203.0.113.1", outside.router_address(router)))
        wait(lambda: mine.vm.ping("203.0.113.1"), "the other host has taken it away for good", 2 + SLOW)
    nic.close()
    heard, silence = session.stop()
    assert heard and silence < 2 + SLOW, f"silent for {silence} s, and it is said every two where the addresses are"
    host.set_manager(f"tcp:{outside.site.cloud.controller_address}:{outside.site.ovsdb_port}")
    wait(lambda: not outside.site.ask("GET", "/v2.0/losses")["losses"], "it is not trusted again", 30)
    reaches(mine)
    assert outside.gateway_host(router).name == victim


def holders(outside: Outside, router: dict[str, Any]) -> int:
    """On how many hosts the flows of the router's address outside are."""
    wanted = f"nw_dst={outside.router_address(router)} "
    return sum(any("table=33" in line and wanted in f"{line.replace(',', ' ')} " for line in host.dump_flows())
               for host in outside.site.cloud.hosts)


def test_a_restart_of_the_controller_loses_no_nated_connection_and_changes_no_flow(outside, tenants):
    """Neither is anybody taken for lost, though all are away for a while."""
    sessions = []
    for router, machines in tenants.values():
        floating = outside.site.create("floatingip", floating_network_id=outside.world["id"],
                                       project_id=router["project_id"], port_id=machines[0].id)
        for machine in machines:
            reaches(machine)
            sessions.append(outside.session(machine))
        assert floating["status"]
    written = [Written(host) for host in outside.site.cloud.hosts]
    outside.site.hadron.kill()
    outside.site.hadron.start()
    wait(lambda: all(one["state"] == "in step" for one in outside.site.ask("GET", "/inspect/switches")["switches"])
         and len(outside.site.ask("GET", "/inspect/switches")["switches"]) == 3, "switches are not in step", 40)
    for session in sessions:
        heard, silence = session.stop()
        assert heard and silence < 1.5, f"silent for {silence} s"
    assert [lines for one in written if (lines := one.lines())] == []
    assert outside.site.ask("GET", "/v2.0/losses")["losses"] == []


# ---- addresses that two machines may have, as with VRRP

class Shared:
    """An address of each IP version that several machines may have, and a port that only keeps it."""

    def __init__(self, outside: Outside, machines: list[Machine], network: dict[str, Any]) -> None:
        self.machines, self.ips = machines, ("10.0.0.50", "2001:db8:5::50")
        self.keeper = outside.site.create("port", network_id=network["id"], project_id=network["project_id"],
                                          fixed_ips=[{"ip_address": ip} for ip in self.ips])

    def take(self, machine: Machine) -> None:
        """What VRRP does: the others give the address up, this one takes it and tells everybody."""
        for one in self.machines:
            for ip in self.ips:
                one.vm.run(["ip", "addr", "del", ip, "dev", "eth0"], check=False)
        four, six = self.ips
        machine.vm.run(["ip", "addr", "add", four, "dev", "eth0"])
        machine.vm.run(["ip", "-6", "addr", "add", six, "dev", "eth0", "nodad"])
        machine.nic.send(frames.arp_request(machine.mac, four, four))
        machine.nic.send(frames.na(machine.mac, six, from_ip=six))


def lost(pinging: list[Any], change: Any) -> list[int]:
    """Pings lost, at fifty a second, while something changes."""
    for one in pinging:
        wait(lambda one=one: b"bytes from" in (one.stdout.readline() or b""), "no answer")
    change()
    counted = []
    for one in pinging:
        said = one.communicate(timeout=60)[0].decode()
        sent, received = (int(number) for number in re.search(r"(\d+) packets transmitted, (\d+) received", said).groups())
        counted.append(sent - received)
    return counted


NETS = {"10.0.0": "2001:db8:5:", "10.0.9": "2001:db8:9:"}


def routed(outside: Outside, project: str) -> list[dict[str, Any]]:
    """Two dual-stack networks of a project behind a router that leads outside."""
    router = outside.site.create("router", name=project, project_id=project,
                                 external_gateway_info={"network_id": outside.world["id"]})
    networks = [outside.site.network(project, subnets=(f"{four}.0/24", f"{six}:/64")) for four, six in NETS.items()]
    for subnet in outside.site.ask("GET", f"/v2.0/subnets?project_id={project}")["subnets"]:
        outside.site.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    return networks


def machines(outside: Outside, networks: list[dict[str, Any]], *places: tuple[str, int, int, int], **more: Any) -> list[Machine]:
    """Machines that know their gateways: (name, network, host, number) each."""
    wishes = []
    for name, network, host, number in places:
        four, six = list(NETS.items())[network]
        fixed = [{"ip_address": f"{four}.{number}"}, {"ip_address": f"{six}:{number}"}]
        wishes.append(Wish(name, networks[network], host, 0, {**more, "fixed_ips": fixed}))
    made = outside.site.machines(*wishes)
    for machine, (_, network, _, _) in zip(made, places, strict=True):
        four, six = list(NETS.items())[network]
        machine.vm.run(["ip", "route", "replace", "default", "via", f"{four}.1"])
        machine.vm.run(["ip", "-6", "route", "replace", "default", "via", f"{six}:1"])
    return made


def test_a_shared_address_moves_within_a_second_for_neighbours_behind_routers_and_by_its_floating_ip(outside):
    networks, group = routed(outside, "vrrp"), [outside.site.open_group("vrrp")]
    pairs = [{"ip_address": "10.0.0.50"}, {"ip_address": "2001:db8:5::50"}]
    bearers = machines(outside, networks, ("va", 0, 1, 20), ("vb", 0, 2, 21), ("vc", 0, 1, 22), security_groups=group,
                       allowed_address_pairs=pairs)
    near, far = machines(outside, networks, ("near", 0, 3, 30), ("far", 1, 3, 30), security_groups=group)
    shared = Shared(outside, bearers, networks[0])
    floating = outside.site.create("floatingip", floating_network_id=outside.world["id"], project_id="vrrp",
                                   port_id=shared.keeper["id"], fixed_ip_address=shared.ips[0])["floating_ip_address"]
    shared.take(bearers[0])
    wait(lambda: outside.away.ping(floating), f"{floating} is not reached")
    for to in (bearers[1], bearers[2], bearers[0]):          # another host, another, another machine of one host
        pinging = [machine.vm.start(["ping", "-n", "-i", "0.02", "-c", "100", ip])
                   for machine in (near, far) for ip in shared.ips]
        pinging.append(outside.away.start(["ping", "-n", "-i", "0.02", "-c", "100", floating]))
        counted = lost(pinging, lambda to=to: shared.take(to))
        assert max(counted) < 50, f"to {to}, of 100 pings lost: near {counted[:2]}, behind the router {counted[2:4]}, " \
                                  f"by the floating IP {counted[4]}"
        print(counted)
    assert {one["port_id"] for one in outside.site.ask("GET", "/v2.0/claims")["claims"]} == {bearers[0].id}
