"""NDP proxies with real packets: a machine outside that has no route to the tenants' addresses reaches those that are proxied."""
from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.leading import AWAY6, Outside
from tests.scenarios.site import Machine, Wish, wait

pytestmark = pytest.mark.root
SIX = True
INSIDE = "2001:db8:f00e::/64"


@pytest.fixture(scope="module")
def red(outside: Outside) -> tuple[dict[str, Any], Machine, Machine]:
    """A router that answers for others, and two machines behind it on the hosts on which its gateway is, and is not."""
    site = outside.site
    router = site.create("router", name="red", project_id="red", enable_ndp_proxy=True,
                         external_gateway_info={"network_id": outside.world["id"]})
    network = site.network("red", subnets=(INSIDE,))
    (subnet,) = site.ask("GET", f"/v2.0/subnets?network_id={network['id']}")["subnets"]
    site.ask("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    group = site.open_group("red")
    first, second = site.machines(*(Wish(f"red{host}", network, host, None, {"security_groups": [group]}) for host in (1, 2)))
    for machine in (first, second):
        machine.vm.run(["ip", "-6", "route", "replace", "default", "via", subnet["gateway_ip"], "dev", "eth0"])
    outside.away.run(["ip", "-6", "route", "replace", INSIDE, "dev", "eth0"])
    return router, first, second


def proxy(outside: Outside, router: dict[str, Any], machine: Machine) -> str:
    said = {"router_id": router["id"], "port_id": machine.id, "project_id": "red"}
    return str(outside.site.ask("POST", "/v2.0/ndp_proxies", {"ndp_proxy": said})["ndp_proxy"]["id"])


def test_whose_address_is_proxied_is_a_neighbour_outside_and_nobody_else_is(outside: Outside, red: Any) -> None:
    router, first, second = red
    site = outside.site
    assert not outside.away.ping(first.ip6, 1, wait=0.5) and not outside.away.ping(second.ip6, 1, wait=0.5)
    made = proxy(outside, router, first)
    wait(lambda: outside.away.ping(first.ip6, 1), f"{first} is not reached")
    assert outside.away.ping(first.ip6, 5) and first.vm.ping(AWAY6, 3)
    assert not outside.away.ping(second.ip6, 1, wait=0.5)
    proxy(outside, router, second)
    wait(lambda: outside.away.ping(second.ip6, 1), f"{second} is not reached")
    seen = outside.away.run(["ip", "-6", "neigh"]).stdout.splitlines()
    macs = {line.split("lladdr ")[1].split()[0] for line in seen if "lladdr" in line and line.startswith((first.ip6, second.ip6))}
    (outer,) = site.ask("GET", f"/v2.0/ports?device_id={router['id']}&device_owner=network:router_gateway")["ports"]
    assert macs == {outer["mac_address"]}
    site.ask("DELETE", f"/v2.0/ndp_proxies/{made}")
    assert not outside.away.ping(first.ip6, 1, wait=0.5) and outside.away.ping(second.ip6, 2)
