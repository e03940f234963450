"""Routes with real packets: two subnets joined by one request, on one network too, and shares of several next hops."""
from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.kit import frames
from tests.scenarios.routed import Net, Place, Router, Tenant, traced
from tests.scenarios.site import Machine, Site, Wish, wait
from tests.scenarios.talk import ping, settles, tcp, udp

pytestmark = pytest.mark.root
BOTH = pytest.mark.parametrize("v", [4, 6], ids=["IPv4", "IPv6"])
BEYOND = {4: ("10.200.0.0/16", "10.200.7.7"), 6: ("2001:db8:200::/48", "2001:db8:200::7")}


@pytest.fixture(scope="module")
def acme(site: Site) -> Tenant:
    return Tenant(site, "acme")


def subnet(site: Site, network: str, cidr: str) -> str:
    return str(site.ask("GET", f"/v2.0/subnets?network_id={network}&cidr={cidr}")["subnets"][0]["id"])


@contextmanager
def route(site: Site, one: str, other: str) -> Iterator[None]:
    made = site.create("route", subnet_a_id=one, subnet_b_id=other, project_id="acme")
    yield
    site.delete("route", made["id"])


def everything(one: Machine, other: Machine, v: int) -> list[Any]:
    return [said for ends in ((one, other), (other, one)) for said in (ping(*ends, v), tcp(*ends, 80, v), udp(*ends, 53, v))]


@BOTH
def test_one_request_joins_two_subnets_both_ways_and_one_parts_them(acme: Tenant, v: int) -> None:
    site = acme.site
    red, blue = acme.network(10 + v), acme.network(20 + v, kind="geneve")
    a, b, c = acme.machines(Place(f"a{v}", red, 1), Place(f"b{v}", blue, 2), Place(f"c{v}", blue, 1, 11))
    settles(refused=[*everything(a, b, v), *everything(a, c, v)])
    with route(site, subnet(site, red.id, red.cidr(v)), subnet(site, blue.id, blue.cidr(v))):
        settles(reached=[*everything(a, b, v), *everything(a, c, v)])
        assert traced(a, b.address(v), "-I") == [red.ip(1, v), b.address(v)]
        settles(refused=everything(a, b, 10 - v))
    settles(refused=[*everything(a, b, v), *everything(a, c, v)])


def test_two_subnets_of_one_network_are_joined_by_a_route_and_by_a_router(acme: Tenant) -> None:
    site = acme.site
    network = site.network("acme", subnets=("10.5.0.0/24", "10.6.0.0/24"), name="both")
    ids = [subnet(site, network["id"], cidr) for cidr in ("10.5.0.0/24", "10.6.0.0/24")]
    a, b = site.machines(*(Wish(f"two{number}", network, number, 0, {
        "fixed_ips": [{"ip_address": f"10.{4 + number}.0.9"}], "security_groups": [acme.open]}) for number in (1, 2)))
    for machine in (a, b):
        machine.vm.run(["ip", "route", "replace", "default", "via", machine.ip[:-1] + "1"])
    settles(refused=everything(a, b, 4))
    with route(site, *ids):
        settles(reached=everything(a, b, 4))
        assert traced(a, b.ip, "-I") == ["10.5.0.1", b.ip]
    settles(refused=everything(a, b, 4))
    router = acme.router("both")
    for id in ids:
        router.act("add_router_interface", {"subnet_id": id})
    settles(reached=everything(a, b, 4))


# ---- several next hops

@pytest.fixture(scope="module")
def hub(acme: Tenant) -> tuple[Router, Net, Machine, list[Machine]]:
    """A router, a machine on one of its networks, and on the other four to which it may lead, two for each IP version."""
    near, far = acme.network(30), acme.network(31)
    router = acme.router("hub").join(near, far)
    sender, *hops = acme.machines(Place("sender", near, 1), *(Place(f"hop{n}", far, 1 + n % 2, 10 + n) for n in (1, 2, 3, 4)))
    return router, near, sender, hops


def of(hub: tuple[Router, Net, Machine, list[Machine]], v: int) -> list[Machine]:
    return hub[3][:2] if v == 4 else hub[3][2:]


def shares(hub: tuple[Router, Net, Machine, list[Machine]], v: int, hops: list[Machine], count: int = 20) -> list[int]:
    """How many of so many TCP connections each of these next hops is asked to lead.

    Of UDP Open vSwitch's symmetric hash takes the addresses alone: two machines' datagrams go one way.
    """
    router, near, sender, _ = hub
    to, gateway = BEYOND[v][1], router.mac(near, v)
    for hop in hops:
        hop.nic.frames()
    asked = {port.to_bytes(2, "big"): frames.tcp(sender.mac, gateway, sender.address(v), to, port, 80)
             for port in range(20000, 20000 + count)}
    heard: list[set[bytes]] = [set() for _ in hops]
    source, ends = (34, slice(30, 34)) if v == 4 else (54, slice(38, 54))

    def all_there() -> bool:
        for hop, ports in zip(hops, heard, strict=True):
            ports |= {frame[source:source + 2] for frame in hop.nic.frames() if frame[ends] == frames.raw_ip(to)}
        missing = [port for port in asked if not any(port in ports for ports in heard)]
        sender.nic.send(*(asked[port] for port in missing[:20]))
        return not missing
    wait(all_there, "some are lost", 20)
    return [len(ports & asked.keys()) for ports in heard]


def told(hops: list[Machine], v: int, *attributes: dict[str, int]) -> dict[str, Any]:
    """Routes to one destination by each hop, with these attributes."""
    return {"router": {"routes": [{"destination": BEYOND[v][0], "nexthop": hop.address(v), **more}
                                  for hop, more in zip(hops, attributes, strict=False)]}}


@BOTH
def test_next_hops_share_by_weight_and_the_nearest_that_is_up_is_used(hub: tuple[Router, Net, Machine, list[Machine]], v: int) -> None:
    router, hops = hub[0], of(hub, v)
    router.act("add_extraroutes", told(hops, v, {"weight": 3}, {"weight": 1}))
    first, second = shares(hub, v, hops, 400)
    assert 240 <= first <= 360 and first + second == 400
    router.act("remove_extraroutes", told(hops, v, {}, {}))
    router.act("add_extraroutes", told(hops, v, {"distance": 1}, {"distance": 5}))
    wait(lambda: shares(hub, v, hops) == [20, 0], "the nearest is not the only one")
    router.site.cloud.unplug(hops[0].vm)
    wait(lambda: shares(hub, v, hops[1:]) == [20], "the next one does not take over")
    router.act("remove_extraroutes", told(hops, v, {}, {}))


def test_routes_that_many_add_and_remove_at_once_are_all_there_and_lead(hub: tuple[Router, Net, Machine, list[Machine]]) -> None:
    router, near, sender, hops = hub
    blocks = [f"10.201.{number}.0/24" for number in range(20)]
    by = hops[1].ip
    with ThreadPoolExecutor(8) as many:
        list(many.map(lambda block: router.route((block, by)), blocks))
        routes = router.site.ask("GET", f"/v2.0/routers/{router.id}")["router"]["routes"]
        assert sorted(one["destination"] for one in routes) == sorted(blocks)
        list(many.map(lambda block: router.route((block, by), action="remove_extraroutes"), blocks[::2]))
    hops[1].nic.frames()
    sender.nic.send(*(frames.udp(sender.mac, router.mac(near), sender.ip, block.replace("0/24", "7"), 4000, 53) for block in blocks))
    heard: set[int] = set()

    def last() -> bool:
        heard.update(frame[32] for frame in hops[1].nic.frames() if frame[30:32] == b"\x0a\xc9")
        return 19 in heard
    wait(last, "what is routed last does not arrive")
    assert heard == set(range(1, 20, 2))
