"""Realms: an address is a member's only where the member's own packets can come from."""

from __future__ import annotations

from typing import Any

import pytest

from apps import realms
from tests.apps.cases import FAMILIES, HOSTS
from tests.kit import frames
from tests.kit.net import Net, Thing
from tests.kit.router import Router
from tests.kit.router import tcp as routed_tcp
from tests.kit.talk import Said, tcp, udp
from tests.kit.wires import Outsider, attach, vlan, wire


def realm_of(net: Net, network: Thing) -> int:
    return int(net.compiler.world.ask(realms.realm, network.id))


@pytest.fixture
def friends(net: Net) -> Thing:
    return net.group("friends")


@pytest.fixture
def servers(net: Net, friends: Thing) -> Thing:
    """A group whose ports are open to friends."""
    made = net.group("servers")
    for v in (4, 6):
        net.rule(made, remote=friends, v=v)
    return made


@HOSTS
@FAMILIES
def test_a_stranger_with_a_members_address_in_another_network_is_no_member(
    net: Net, friends: Thing, servers: Thing, there: str, v: int
) -> None:
    red, blue = net.network("red"), net.network("blue")
    address = ["10.0.0.50", "2001:db8::50"]
    member = net.port("member", network=red, on="host1", ip=address, groups=[friends])
    stranger = net.port("stranger", network=blue, on="host1", ip=address)
    beside, open = (net.port(f"in {net_.name}", network=net_, on=there, groups=[servers]) for net_ in (red, blue))
    net.passes(tcp(member, beside, v=v))
    net.send(tcp(stranger, open, v=v)).reaches_nobody("no rule of the receiver's groups allows it")
    net.change(stranger, security_groups=[friends.id])
    net.passes(tcp(stranger, open, v=v))
    net.change(member, security_groups=[])
    net.passes(tcp(stranger, open, v=v))
    net.send(udp(member, beside, v=v)).reaches_nobody()
    net.check()


@HOSTS
@FAMILIES
def test_a_rule_for_what_is_sent_means_the_members_of_ones_own_networks_too(
    net: Net, friends: Thing, there: str, v: int
) -> None:
    red, blue = net.network("red"), net.network("blue")
    address = ["10.0.0.50", "2001:db8::50"]
    everything = net.group("everything")
    net.rule(everything, v=v)
    callers = net.group("callers", egress=False)
    net.rule(callers, "egress", remote=friends, v=v)
    net.port("member", network=red, on=there, ip=address, groups=[friends])
    stranger = net.port("stranger", network=blue, on=there, ip=address, groups=[everything])
    caller = net.port("caller", network=blue, on="host1", groups=[callers])
    net.send(tcp(caller, stranger, v=v)).reaches_nobody("no rule of the sender's groups allows it")
    net.change(stranger, security_groups=[everything.id, friends.id])
    net.passes(tcp(caller, stranger, v=v))


@HOSTS
@FAMILIES
def test_a_member_counts_in_networks_that_are_routed_to_its_own_and_only_while_they_are(
    net: Net, friends: Thing, servers: Thing, there: str, v: int
) -> None:
    red, blue = net.network("red"), net.network("blue", subnets=("10.1.0.0/24", "2001:db8:1::/64"))
    member = net.port("member", network=red, on="host1", groups=[friends])
    other, open = net.port("other", network=red, on="host1"), net.port("open", network=blue, on=there, groups=[servers])
    router = Router(net).join(red, blue)
    net.send(routed_tcp(member, router.on(red, v), open, 80, v=v)).reaches(open)
    net.send(routed_tcp(other, router.on(red, v), open, 80, v=v)).reaches_nobody("no rule of the receiver's groups allows it")
    assert realm_of(net, red) == realm_of(net, blue) == min(red.key, blue.key)
    net.change(router.thing, admin_state_up=False)
    assert realm_of(net, red) != realm_of(net, blue)
    net.change(router.thing, admin_state_up=True)
    net.send(routed_tcp(member, router.on(red, v), open, 81, v=v)).reaches(open)
    router.leave(blue)
    assert realm_of(net, red) != realm_of(net, blue)
    net.check()


def test_networks_behind_several_routers_are_one_realm(net: Net) -> None:
    made = [net.network(f"n{n}", subnets=(f"10.{n}.0.0/24",)) for n in range(4)]
    for n in range(2):
        router = Router(net, f"router{n}")
        router.join(made[n])
        router.join_as(made[n + 1], f"10.{n + 1}.0.{9 + n}")
    assert len({realm_of(net, one) for one in made[:3]}) == 1
    assert realm_of(net, made[3]) == made[3].key


@pytest.mark.parametrize("how", ("unguarded", "with pairs"))
def test_a_machine_that_forwards_joins_its_networks(net: Net, friends: Thing, servers: Thing, how: str) -> None:
    red, blue = net.network("red"), net.network("blue", subnets=("10.1.0.0/24", "2001:db8:1::/64"))
    forwards: dict[str, Any] = {"security": False} if how == "unguarded" else {"pairs": ["10.0.0.0/8"]}
    legs = [net.port(f"leg in {one.name}", network=one, on="host1", device_id="firewall", **forwards) for one in (red, blue)]
    member = net.port("member", network=red, on="host1", groups=[friends])
    open = net.port("open", network=blue, on="host2", groups=[servers])
    assert realm_of(net, red) == realm_of(net, blue)
    said = tcp(member, open)
    net.send(legs[1], bytes.fromhex((open.mac + legs[1].mac).replace(":", "")) + said.frame[12:]).reaches(open)
    net.change(legs[1], device_id="another")
    assert realm_of(net, red) != realm_of(net, blue)


def test_machines_that_send_from_their_own_addresses_only_join_nothing(net: Net) -> None:
    red, blue = net.network("red"), net.network("blue", subnets=("10.1.0.0/24",))
    for one in (red, blue):
        net.port(f"leg in {one.name}", network=one, on="host1", device_id="two-legged", pairs=["10.5.0.5"])
    net.port("in no machine", network=red, security=False)
    net.port("in none either", network=blue, security=False)
    assert (realm_of(net, red), realm_of(net, blue)) == (red.key, blue.key)


def test_machines_of_two_projects_are_two(net: Net) -> None:
    made = [net.network(project, project=project, subnets=(cidr,)) for project, cidr in (
        ("acme", "10.0.0.0/24"), ("evil", "10.1.0.0/24"))]
    for one in made:
        net.port(f"leg of {one.name}", network=one, security=False, device_id="firewall")
    assert len({realm_of(net, one) for one in made}) == 2


def test_networks_on_wires_may_be_routed_by_others_unless_they_have_the_same_addresses(net: Net) -> None:
    wire(net, "host1", "host2")
    red = vlan(net, "red", 101, subnets=("10.0.0.0/24",))
    blue = vlan(net, "blue", 102, subnets=("10.1.0.0/24",))
    assert realm_of(net, red) == realm_of(net, blue) == realms.WIRES
    alike = vlan(net, "alike", 103, subnets=("10.1.0.0/24",))
    assert realm_of(net, red) == realms.WIRES
    assert realm_of(net, blue) == blue.key and realm_of(net, alike) == alike.key
    net.remove(alike)
    assert realm_of(net, blue) == realms.WIRES


def test_a_member_in_another_vlan_is_let_in_by_way_of_a_router_outside(net: Net, friends: Thing, servers: Thing) -> None:
    wire(net, "host1", "host2")
    gateway = Outsider("gateway", ip="10.1.0.1", ip6="2001:db8:1::1", vlan=102)
    attach(net, gateway)
    red, blue = vlan(net, "red", 101, subnets=("10.0.0.0/24",)), vlan(net, "blue", 102, subnets=("10.1.0.0/24",))
    member = net.port("member", network=red, on="host1", groups=[friends], ip="10.0.0.50")
    net.port("stranger", network=red, on="host1", ip="10.0.0.51")
    open = net.port("open", network=blue, on="host2", groups=[servers])
    for ip, reaches in ((member.ip, True), ("10.0.0.51", False)):
        journey = net.send(Said(gateway, frames.tcp(gateway.mac, open.mac, ip, open.ip, 40000, 80)))
        journey.reaches(open) if reaches else journey.reaches_nobody()
