"""Routing with real packets: on one host and between hosts, over every kind of tunnel, IPv4 and IPv6."""

from __future__ import annotations

import time
from typing import NamedTuple

import pytest

from apps.pipeline import LARGE
from apps.routing import APP as ROUTING
from apps.routing import RATE
from tests.kit import frames
from tests.scenarios.routed import TUNNELS, Net, Place, Router, Tenant, between, complaint, traced
from tests.scenarios.site import Machine, Site, wait
from tests.scenarios.talk import REVIVAL, Conversation, ping, settles, tcp, udp

pytestmark = pytest.mark.root
HOSTS = 3
BOTH = pytest.mark.parametrize("v", [4, 6], ids=["IPv4", "IPv6"])


class World(NamedTuple):
    """red (VXLAN), blue (Geneve) and middle are joined by one router, middle and green (GRE) by another.

    `a` is in red and `b` in blue on host 1, `c` in blue on host 2, `d` in green on host 3.
    """

    site: Site
    tenant: Tenant
    red: Net
    blue: Net
    green: Net
    middle: Net
    near: Router
    far: Router
    a: Machine
    b: Machine
    c: Machine
    d: Machine


@pytest.fixture(scope="module")
def world(site: Site) -> World:
    acme = Tenant(site, "acme")
    red, blue, middle = acme.network(1), acme.network(2, kind="geneve"), acme.network(9)
    green = acme.network(3, kind="gre")
    near, far = acme.router("near").join(red, blue, middle), acme.router("far").join(green).join_as(middle, 2)
    for v in (4, 6):
        near.route((green.cidr(v), middle.ip(2, v)))
        far.route((red.cidr(v), middle.ip(1, v)), (blue.cidr(v), middle.ip(1, v)))
    machines = acme.machines(Place("a", red, 1), Place("b", blue, 1), Place("c", blue, 2, 11), Place("d", green, 3))
    return World(site, acme, red, blue, green, middle, near, far, *machines)


def everything(one: Machine, other: Machine, v: int) -> list:
    return [tcp(one, other, 80, v), udp(one, other, 53, v), ping(one, other, v)]


# ---- where packets go


@BOTH
def test_two_machines_of_one_host_meet_without_leaving_it(world: World, v: int) -> None:
    with world.site.cloud.host(1).capture(TUNNELS) as wire:
        settles(reached=[*everything(world.a, world.b, v), *everything(world.b, world.a, v)])
        settles(reached=[ping(world.a, world.c, v)])
        wait(lambda: between(wire.frames(), world.a.address(v), world.c.address(v)), "the wire shows nothing at all")
        assert not between(wire.frames(), world.a.address(v), world.b.address(v))


@BOTH
def test_between_hosts_a_packet_is_wrapped_once_in_the_receivers_network(world: World, v: int) -> None:
    a, c = world.a, world.c
    settles(reached=[*everything(a, c, v), *everything(c, a, v)])
    sender, third = world.site.cloud.host(1), world.site.cloud.host(3)
    ends = a.address(v), c.address(v)
    with sender.capture("udp port 6081", direction="out") as out, \
            sender.capture("udp port 4789", direction="in") as back, third.capture(TUNNELS) as elsewhere:
        assert a.vm.ping(ends[1], 3)
        there = wait(lambda: found if len(found := between(out.frames(), *ends)) == 3 else None)
        answers = wait(lambda: found if len(found := between(back.frames(), *ends)) == 3 else None)
        assert not between(elsewhere.frames(), *ends)
    for frame in there:
        assert (frame[:6].hex(":"), frame[6:12].hex(":")) == (c.mac, world.near.mac(world.blue, v))
    for frame in answers:
        assert (frame[:6].hex(":"), frame[6:12].hex(":")) == (a.mac, world.near.mac(world.red, v))


@BOTH
def test_each_router_on_the_way_takes_one_from_the_time_to_live(world: World, v: int) -> None:
    requests = "icmp[icmptype] = icmp-echo" if v == 4 else "icmp6 and ip6[40] = 128"
    for to, hops in ((world.b, 1), (world.c, 1), (world.d, 2)):
        with to.vm.capture(requests, direction="in") as seen:
            assert world.a.vm.ping(to.address(v))
            (frame,) = seen.wait(1)
        assert frame[22 if v == 4 else 21] == 64 - hops


@BOTH
@pytest.mark.parametrize("how", [(), ("-I",), ("-T", "-p", "80")], ids=["UDP", "ICMP", "TCP"])
def test_traceroute_names_every_router(world: World, v: int, how: tuple[str, ...]) -> None:
    red, blue, middle = world.red, world.blue, world.middle
    assert traced(world.a, world.b.address(v), *how) == [red.ip(1, v), world.b.address(v)]
    assert traced(world.c, world.a.address(v), *how) == [blue.ip(1, v), world.a.address(v)]
    assert traced(world.a, world.d.address(v), *how) == [red.ip(1, v), middle.ip(2, v), world.d.address(v)]
    assert traced(world.d, world.c.address(v), *how) == [world.green.ip(1, v), middle.ip(1, v), world.c.address(v)]


# ---- what routers say


@BOTH
def test_every_address_of_every_router_answers_ping_of_any_size(world: World, v: int) -> None:
    middle = world.middle
    for address in (world.red.ip(1, v), world.blue.ip(1, v), middle.ip(1, v), middle.ip(2, v), world.green.ip(1, v)):
        assert world.a.vm.ping(address, 2), address
        assert world.a.vm.ping(address, size=3000), f"{address}, in pieces"
    assert traced(world.a, world.red.ip(1, v)) == [world.red.ip(1, v)]
    # A router speaks by its address on the network that the question came from.
    assert traced(world.a, world.green.ip(1, v)) == [world.red.ip(1, v), middle.ip(2, v)]


def test_a_routers_link_local_address_answers_too(world: World) -> None:
    own = frames.link_local(world.near.mac(world.red, 6))
    assert world.a.vm.ping(f"{own}%eth0", 2)


@BOTH
def test_what_cannot_be_reached_is_said_so(world: World, v: int) -> None:
    nowhere, nobody = ("2001:db8:77::1", world.blue.ip(99, 6)) if v == 6 else ("192.0.2.1", world.blue.ip(99))
    gateway = world.red.ip(1, v)
    no_route, no_host = ("No route", "Address unreachable") if v == 6 else ("Net Unreachable", "Host Unreachable")
    for address, why in ((nowhere, no_route), (nobody, no_host)):
        said = complaint(world.a, address)
        assert said.startswith(f"{gateway}: Destination") and why in said
    refused = world.a.vm.run(["busybox", "nc", "-w", "2", gateway, "80"], check=False)
    assert "refused" in refused.stderr


def test_a_router_answers_who_asks_it_alone_and_without_an_option(world: World) -> None:
    """How kernels ask whether a neighbour is still there."""
    a, mac4, mac6 = world.a, world.near.mac(world.red), world.near.mac(world.red, 6)
    four, six = world.red.ip(1), world.red.ip(1, 6)
    reply, advertisement = b"\x08\x06\0\1\x08\0\6\4\0\2" + frames.raw_mac(mac4), bytes((136, 0))
    for frame, at, answer in (
        (frames.arp_request(a.mac, a.ip, four, to_mac=mac4), 12, reply),
        (frames.ns(a.mac, a.ip6, six, to_mac=mac6, to_ip=six), 54, advertisement),
        (frames.ns(a.mac, a.ip6, six, to_mac=mac6, to_ip=six, sll=None), 54, advertisement),
    ):
        a.nic.frames()
        a.nic.send(frame)
        wait(lambda at=at, answer=answer: any(one[at:at + len(answer)] == answer for one in a.nic.frames()),
             "the router does not answer")


def test_errors_are_rationed(world: World) -> None:
    a = world.a
    probe = frames.udp(a.mac, world.near.mac(world.red), a.ip, "192.0.2.1", 40000, 9)
    a.nic.frames()
    asked, began = 600, time.monotonic()
    for _ in range(asked):
        a.nic.send(probe)
    heard: list[bytes] = []
    wait(lambda: heard.extend(frame for frame in a.nic.frames() if frame[23:24] == b"\1") or heard, "no error comes")
    settles(reached=everything(a, world.c, 4))
    heard += [frame for frame in a.nic.frames() if frame[23:24] == b"\1" and frame[34:36] == b"\3\0"]
    assert len(heard) <= RATE * (2 + time.monotonic() - began) < asked


# ---- who may


@BOTH
def test_security_groups_judge_on_both_sides_and_members_are_known_across_the_router(world: World, v: int) -> None:
    site, (a, b, c) = world.site, (world.a, world.b, world.c)
    web, db, other = (site.group("acme", name) for name in ("web", "db", "other"))
    site.rule(db, v=v, protocol="tcp", port_range_min=5432, port_range_max=5432, remote_group_id=web)
    for machine, group in ((a, web), (b, db), (c, db)):
        site.update(machine, security_groups=[group])
    try:
        for server in (b, c):
            other_ways = [tcp(a, server, 22, v), udp(a, server, 5432, v), ping(a, server, v), tcp(server, a, 5432, v)]
            settles(reached=[tcp(a, server, 5432, v)], refused=[*other_ways, tcp(world.d, server, 5432, v)])
        with Conversation(tcp(a, c, 5432, v)) as talk:
            site.update(a, security_groups=[other])
            assert talk.is_cut()
            settles(refused=[tcp(a, b, 5432, v)])
            site.update(a, security_groups=[web])
            assert talk.both_ways()
        for rule in site.rules(web):
            site.delete("security_group_rule", rule["id"])
        settles(refused=[tcp(a, b, 5432, v), tcp(a, c, 5432, v)])
        site.rule(web, "egress", v=v, remote_group_id=db)
        settles(reached=[tcp(a, b, 5432, v), tcp(a, c, 5432, v)])
    finally:
        for machine in (a, b, c):
            site.update(machine, security_groups=[world.tenant.open])
        for rule in [*site.rules(web), *site.rules(db)]:
            site.delete("security_group_rule", rule["id"])
        for group in (web, db, other):
            site.delete("security_group", group)


@BOTH
def test_an_error_from_beyond_comes_back_through_groups_that_let_nothing_in(world: World, v: int) -> None:
    site, a = world.site, world.a
    closed = site.group("acme", "closed")
    site.update(a, security_groups=[closed])
    assert traced(a, world.d.address(v)) == [world.red.ip(1, v), world.middle.ip(2, v), world.d.address(v)]
    site.update(a, security_groups=[world.tenant.open])
    site.delete("security_group", closed)


# ---- changes


@BOTH
def test_connections_outlive_the_controller_and_changes_elsewhere(world: World, v: int) -> None:
    site = world.site
    with Conversation(tcp(world.a, world.b, 81, v)) as here, Conversation(tcp(world.a, world.d, 82, v)) as there:
        extra = site.rule(world.tenant.open, v=v, protocol="tcp", port_range_min=9, port_range_max=9)
        site.delete("security_group_rule", extra)
        assert here.both_ways() and there.both_ways()
        held = [host.dump_flows() for host in site.cloud.hosts]
        site.hadron.kill()
        assert here.both_ways() and there.both_ways()
        settles(reached=[*everything(world.a, world.b, v), *everything(world.d, world.c, v)])
        site.hadron.start()
        site.wait_active(world.a, world.b, world.c, world.d)
        assert here.both_ways() and there.both_ways()
        assert [host.dump_flows() for host in site.cloud.hosts] == held


@BOTH
def test_a_network_that_is_left_is_cut_off_and_joined_again(world: World, v: int) -> None:
    solo, x = world.tenant.network(20 + v), Place(f"x{v}", world.tenant.network(30 + v), 2)
    (machine,) = world.tenant.machines(x)
    router = world.tenant.router("short").join(solo, x.net)
    (partner,) = world.tenant.machines(Place(f"y{v}", solo, 1))
    with Conversation(tcp(partner, machine, 81, v)) as talk:
        left = router.mac(x.net, v)
        router.leave(x.net)
        assert talk.is_cut()
        settles(refused=everything(partner, machine, v))
        assert router.join(x.net).mac(x.net, v) != left, "another MAC than before: machines are told"
        assert talk.both_ways(REVIVAL)
        world.site.change("router", router.id, admin_state_up=False)
        settles(refused=everything(partner, machine, v))
        world.site.change("router", router.id, admin_state_up=True)
        settles(reached=everything(partner, machine, v))


@BOTH
def test_routes_lead_through_an_appliance(world: World, v: int) -> None:
    """A machine that routes for a block of its own, behind its port's address pair."""
    block, inside = ("2001:db8:aa::/64", "2001:db8:aa::1") if v == 6 else ("192.0.2.0/24", "192.0.2.1")
    pairs = {"allowed_address_pairs": [{"ip_address": block}]}
    (appliance,) = world.tenant.machines(Place(f"box{v}", world.blue, 2, 40 + v, pairs))
    appliance.vm.run(["ip", "addr", "add", f"{inside}/{128 if v == 6 else 32}", "dev", "lo"])
    world.near.route((block, appliance.address(v)))
    settles(reached=[ping(world.a, appliance, v, to=inside), ping(world.b, appliance, v, to=inside)])
    assert traced(world.a, inside) == [world.red.ip(1, v), inside]
    world.near.route((block, appliance.address(v)), action="remove_extraroutes")
    settles(refused=[ping(world.a, appliance, v, to=inside)])


# ---- others


@BOTH
def test_tenants_with_the_same_addresses_behind_their_own_routers_stay_apart(world: World, v: int) -> None:
    rival = Tenant(world.site, f"rival{v}")
    red, blue = rival.network(1, kind="gre"), rival.network(2)
    rival.router("r").join(red, blue)
    a, b, c = rival.machines(Place(f"ra{v}", red, 1), Place(f"rb{v}", blue, 1), Place(f"rc{v}", blue, 2, 11))
    words = {}
    for sender, receiver in ((a, b), (a, c), (world.a, world.b), (world.a, world.c)):
        receivers = [world.b, world.c, b, c]
        for one in receivers:
            one.nic.frames()
        settles(reached=[udp(sender, receiver, 53, v)])
        own = frames.raw_ip(sender.address(v))
        words[sender.name, receiver.name] = [one.name for one in receivers if own in b"".join(one.nic.frames())]
    assert words == {pair: [pair[1]] for pair in words}


def test_a_machine_configured_by_dhcp_reaches_the_other_network(world: World) -> None:
    (machine,) = world.tenant.machines(Place("dhcp", world.red, 3, 77), addresses=False)
    lease = machine.vm.dhcp()
    assert lease.gateway == world.red.ip(1)
    assert machine.vm.ping(world.b.ip) and machine.vm.ping(world.d.ip)


def test_a_router_made_with_openstacksdk_routes(world: World) -> None:
    network = world.site.hadron.sdk("admin").network
    one, other = world.tenant.network(51), world.tenant.network(52)
    a, b = world.tenant.machines(Place("sa", one, 1), Place("sb", other, 2))
    settles(refused=[ping(a, b)])
    router = network.create_router(name="sdk", project_id="acme")
    for net in (one, other):
        for subnet in network.subnets(network_id=net.id):
            network.add_interface_to_router(router, subnet_id=subnet.id)
    settles(reached=[*everything(a, b, 4), *everything(b, a, 6)])
    for net in (one, other):
        for subnet in network.subnets(network_id=net.id):
            network.remove_interface_from_router(router, subnet_id=subnet.id)
    network.delete_router(router, ignore_missing=False)
    settles(refused=[ping(a, b), ping(b, a, 6)])


def sent_by_routing(site: Site) -> dict[str, int]:
    """Packets that routing's flows have handed to the controller, by flow; machines that start have questions of their own.

    Open vSwitch counts the first packet of a kind for both ends of check_pkt_larger: what is too big is not asked for here.
    """
    lines = [line for host in site.cloud.hosts for line in host.dump_flows(counters=True) if "CONTROLLER" in line]
    ours = [line for line in lines if int(line.split("cookie=")[1].split(",")[0], 0) >> 56 == ROUTING and f"{LARGE.field.name}=0x1" not in line]
    return {line.split("n_bytes=")[1].split(",", 1)[1]: int(line.split("n_packets=")[1].split(",")[0]) for line in ours}


def test_in_steady_state_the_controller_hears_nothing(world: World) -> None:
    talks = [said for v in (4, 6) for one, other in ((world.a, world.b), (world.a, world.c), (world.d, world.a))
             for said in everything(one, other, v)]
    settles(reached=talks)
    before = sent_by_routing(world.site)
    for _ in range(3):
        settles(reached=talks)
        assert world.a.vm.ping(world.red.ip(1)) and world.a.vm.ping(world.middle.ip(2, 6))
    assert sent_by_routing(world.site) == before
