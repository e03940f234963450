"""Tunnels and links together, with real packets: a machine on a host that has tunnels alone, one on a host with a wire to
plain switches too, and one on a switch that nothing but links join.

    host 2 ══ underlay ══ host 1 ── s1 ── s2          the world outside is on the underlay side of both hosts
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from scenarios.mesh import frame
from tests.scenarios.leading import AWAY, Outside, connect
from tests.scenarios.mixed import Mixed
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def mixed() -> Iterator[Mixed]:
    with Site(hosts=2, external=True, adopt=["all"]) as site:
        made = Mixed(site)
        yield made
        made.mesh.remove()


def heard(machine: Machine, text: bytes) -> int:
    """How many frames with it have come since this was last asked."""
    return sum(text in one for one in machine.nic.frames())


def test_a_network_spans_hosts_with_tunnels_and_switches_with_links(mixed: Mixed) -> None:
    red = mixed.site.network("red", subnets=())
    far, near = mixed.site.machines(Wish("far", red, 2, 0), Wish("near", red, 1, 0))
    plain = mixed.machine(Wish("plain", red, 1, 0))
    members = [far, near, plain]
    for one, other in itertools.permutations(members, 2):
        meet(one, other)
    for machine in members:
        machine.nic.frames()
    for one in members:
        everybody(one, [other for other in members if other is not one])


def meet(one: Machine, other: Machine) -> None:
    text = f"{one} says to {other}".encode()

    def arrives() -> int:
        one.nic.send(frame(one.mac, other.mac, text))
        return heard(other, text)
    wait(arrives, f"{one} does not reach {other}", 20)


def everybody(one: Machine, others: list[Machine]) -> None:
    """A broadcast, and then another: by then each has the first once."""
    text, found = f"{one} says to all".encode(), dict.fromkeys(others, 0)

    def have_heard(count: int) -> bool:
        for each in found:
            found[each] += heard(each, text)
        return min(found.values()) >= count
    for count in (1, 2):
        one.nic.send(frame(one.mac, "ff:ff:ff:ff:ff:ff", text))
        wait(lambda count=count: have_heard(count), f"not all hear {one}")
    assert set(found.values()) == {2}, f"some hear {one} more than once"


def test_machines_behind_links_reach_outside_and_are_reached_there_wherever_the_gateway_host_is(mixed: Mixed) -> None:
    """By the router's address and by one of their own; of enough routers each host is gateway host of one."""
    site = mixed.site
    with Outside(site) as outside:
        outside.serve(outside.away.start, 80, "away")
        seen = set()
        for number in range(8):
            project = f"blue{number}"
            router, _ = outside.tenant(project, 2)
            if (host := outside.gateway_host(router).number) in seen:
                continue
            seen.add(host)
            network, = site.ask("GET", f"/v2.0/networks?name={project}")["networks"]
            group = site.open_group(project)
            fixed = [{"ip_address": "10.0.0.9"}]
            machine = mixed.machine(Wish(project, network, 1, 0, {"fixed_ips": fixed, "security_groups": [group]}))
            machine.vm.run(["ip", "route", "replace", "default", "via", "10.0.0.1"])
            own = outside.router_address(router)
            wait(lambda vm=machine.vm: vm.ping(AWAY), f"{machine} does not reach outside by host {host}", 20)
            assert connect(machine.vm.run, AWAY, 80) == (1, f"away {own}")
            address = outside.floating(machine, project)["floating_ip_address"]
            wait(lambda address=address: outside.away.ping(address), f"{address} is not reached by host {host}", 20)
            assert connect(machine.vm.run, AWAY, 80) == (1, f"away {address}")
        assert seen == {1, 2}
