"""Gateway hosts that die and come back, and a controller that restarts, under real traffic through NAT."""
from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.fabric import Written
from tests.scenarios.leading import Outside
from tests.scenarios.site import Machine, Site, wait

pytestmark = pytest.mark.root
FAILOVER, SETTLE = 2, 4         # seconds, as configured
SLOW = 6                        # more seconds that a busy machine may need
Tenant = tuple[dict[str, Any], list[Machine]]


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    if os.geteuid() != 0:
        pytest.skip("makes network namespaces")
    with Site(hosts=3, external=True, failover_seconds=FAILOVER, settle_seconds=SETTLE) as site, Outside(site) as made:
        yield made


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
