"""Floating IPs, as clients of Neutron know them: the address outside, and the port that it stands for."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Forbidden, Invalid, Missing
from tests.derived.bodies import state
from tests.kit.outside import bad, behind, external, floating, leading, reached
from tests.kit.routers import join, subnet
from tests.kit.worlds import ADMIN, ANN, BOB, World, refused

DEAD = "deadbeef-0000-4000-8000-000000000000"
FLOATING = "network:floatingip"


def held(world: World, one: Any) -> Any:
    return world.model.find("port", "device_id+device_owner", (one.id, FLOATING))[0]


# ---- the address outside

def test_a_floating_ip_has_an_address_that_a_port_of_nobodys_holds(world: World, network: Any) -> None:
    one = floating(world, network, description="web")
    shown = world.show(one)
    assert (shown["floating_ip_address"], shown["status"], shown["description"]) == ("203.0.113.2", "DOWN", "web")
    assert [shown[name] for name in ("port_id", "fixed_ip_address", "router_id", "port_details")] == [None] * 4
    assert "name" not in shown and shown["port_forwardings"] == [] and shown["qos_policy_id"] is None
    port = held(world, one)
    assert (port.project_id, port.network_id, port.security_groups) == ("", network.id, ())
    assert world.show(port, ADMIN)["status"] == "N/A"
    assert port not in world.writer.policy.visible(ANN, world.resources["port"])
    world.drop(one)
    assert not world.model.rows["port"]


def test_an_address_is_asked_for_by_an_administrator_and_a_subnet_by_anybody(world: World) -> None:
    network = external(world, "203.0.113.0/24", "198.51.100.0/24", "2001:db8::/64")
    with pytest.raises(Forbidden, match="^floating_ip_address"):
        floating(world, network, floating_ip_address="203.0.113.9")
    one = world.make("floatingip", ADMIN, floating_network_id=network.id, floating_ip_address="203.0.113.9")
    assert one.floating_ip_address == "203.0.113.9"
    second = next(each for each in world.model.rows["subnet"].values() if each.cidr == "198.51.100.0/24")
    two = floating(world, network, subnet_id=second.id)
    assert (two.floating_ip_address, two.subnet_id) == ("198.51.100.2", second.id)
    with refused("IpAddressInUse"):
        world.make("floatingip", ADMIN, floating_network_id=network.id, floating_ip_address="203.0.113.9")


def test_the_next_subnet_is_taken_when_one_is_full(world: World) -> None:
    network = external(world, "203.0.113.0/30", "198.51.100.0/30")
    assert [floating(world, network).floating_ip_address for _ in range(2)] == ["203.0.113.2", "198.51.100.2"]
    before = state(world)
    with refused("IpAddressGenerationFailure"):
        floating(world, network)
    assert state(world) == before


@pytest.mark.parametrize(("more", "words"), [
    ({"floating_ip_address": "10.7.7.7"}, "^floating_ip_address: IP address 10.7.7.7 is not a valid IP"),
    ({"floating_ip_address": "2001:db8::9"}, "^floating_ip_address: must be an IPv4 address"),
    ({"subnet_id": DEAD}, "^subnet_id: .* is no IPv4 subnet of network"),
    ({"fixed_ip_address": "10.0.0.2"}, "^Bad floatingip request: fixed_ip_address cannot be specified without a port_id"),
])
def test_a_wrong_address_is_refused_by_name(world: World, network: Any, more: dict[str, Any], words: str) -> None:
    before = state(world)
    with pytest.raises(Invalid, match=words):
        world.make("floatingip", ADMIN, floating_network_id=network.id, **more)
    assert state(world) == before


def test_a_floating_ip_is_of_an_external_network_with_ipv4(world: World) -> None:
    own, six = world.network("10.0.0.0/24"), external(world, "2001:db8::/64")
    with bad(f"Network {own.id} is not a valid external network"):
        floating(world, own)
    with bad(f"Network {six.id} does not contain any IPv4 subnet"):
        floating(world, six)
    for id in (world.make("network", BOB).id, DEAD):
        with refused("NetworkNotFound"):
            world.make("floatingip", floating_network_id=id)


def test_a_missing_floating_ip_is_called_as_neutron_calls_it(world: World) -> None:
    with pytest.raises(Missing, match=f"^Floating IP {DEAD} could not be found.$") as wrong:
        world.writer.delete(ANN, "floatingip", DEAD)
    assert wrong.value.type == "FloatingIPNotFound"


def test_a_project_has_so_many_floating_ips_and_their_ports_do_not_count(network: Any) -> None:
    world = World(quotas={"floatingip": 1, "port": 0})
    network = external(world)
    floating(world, network)
    with refused("OverQuota"):
        floating(world, network)


def test_a_name_is_one_floating_ips_of_a_project(world: World, network: Any) -> None:
    one = floating(world, network, dns_name="WWW", dns_domain="Acme.example.")
    assert (world.show(one)["dns_name"], world.show(one)["dns_domain"]) == ("www", "acme.example.")
    for more in ({"dns_name": "www", "dns_domain": "acme.example."}, {"dns_name": "www.acme.example.", "dns_domain": "acme.example."}):
        with pytest.raises(Conflict, match="www.*is duplicated"):
            floating(world, network, **more)
    floating(world, network, dns_name="www")
    world.make("floatingip", BOB, floating_network_id=network.id, dns_name="www", dns_domain="acme.example.")
    with pytest.raises(Invalid, match="^dns_name: "):
        world.change(one, dns_name="web")


@pytest.mark.parametrize(("more", "words"), [
    ({"dns_domain": "example.org."}, "dns_domain: is the domain of a name"),
    ({"dns_name": "-"}, "dns_name: "), ({"dns_name": "www", "dns_domain": "example.org"}, "dns_domain: "),
    ({"dns_name": "www.example.org.", "dns_domain": "example.com."}, "dns_name: a name with a dot at its end must be within")])
def test_what_is_no_name_is_refused(world: World, network: Any, more: dict[str, Any], words: str) -> None:
    before = state(world)
    with pytest.raises(Invalid, match=words):
        floating(world, network, **more)
    assert state(world) == before


def test_the_port_that_holds_an_address_stays_as_it_is(world: World, network: Any) -> None:
    one = floating(world, network)
    port = held(world, one)
    with refused("ServicePortInUse"):
        world.drop(port, ADMIN)
    with pytest.raises(Invalid, match="^fixed_ips: the address of a floating IP stays"):
        world.change(port, ADMIN, fixed_ips=[{"ip_address": "203.0.113.9"}])
    for work in (lambda: world.change(port, ADMIN, device_owner=""), lambda: world.change(port, ADMIN, device_id=""),
                 lambda: world.make("port", ADMIN, network_id=network.id, device_owner=FLOATING, device_id=one.id)):
        with pytest.raises(Invalid, match="^device_owner: network:floatingip comes and goes with a floating IP"):
            work()
    with refused("NetworkInUse"):
        world.drop(network, ADMIN)


def test_a_new_subnet_outside_changes_no_floating_ip(world: World, network: Any) -> None:
    port = held(world, floating(world, network))
    made = subnet(world, "2001:db8::/64", network, by=ADMIN, ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    assert world.now(port) == port
    world.drop(made, ADMIN)


# ---- the port that it stands for

def test_it_stands_for_a_port_from_the_start_or_later_until_it_does_not(world: World, network: Any, port: Any) -> None:
    router_id = next(iter(world.model.rows["router"]))
    one, two = floating(world, network, port_id=port.id), floating(world, network)
    assert (one.port_id, one.fixed_ip_address, one.router_id) == (port.id, "10.0.0.2", router_id)
    details = world.show(one)["port_details"]
    assert (details["network_id"], details["mac_address"], details["status"]) == (port.network_id, port.mac_address, "DOWN")
    assert set(details) == {"name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner"}
    world.change(one, port_id=None)
    assert [getattr(world.now(one), name) for name in ("port_id", "fixed_ip_address", "router_id")] == [None] * 3
    world.change(two, port_id=port.id, fixed_ip_address="10.0.0.2")
    assert world.now(two).router_id == router_id
    assert world.change(two, port_id=port.id) == world.now(two)
    assert world.change(two, description="x", fixed_ip_address=None).fixed_ip_address == "10.0.0.2"
    world.drop(two)
    assert world.now(port) == port


def test_it_moves_from_one_port_to_another(world: World, network: Any, port: Any) -> None:
    other = world.make("port", network_id=port.network_id)
    one = floating(world, network, port_id=port.id)
    moved = world.change(one, port_id=other.id)
    assert (moved.port_id, moved.fixed_ip_address, moved.floating_ip_address) == (other.id, "10.0.0.3", one.floating_ip_address)


def test_one_address_has_one_floating_ip_of_a_network(world: World, network: Any, port: Any) -> None:
    floating(world, network, port_id=port.id)
    with pytest.raises(Conflict, match="that fixed IP already has a floating IP on external network") as wrong:
        floating(world, network, port_id=port.id)
    assert wrong.value.type == "FloatingIPPortAlreadyAssociated"
    free = floating(world, network)
    with refused("FloatingIPPortAlreadyAssociated"):
        world.change(free, port_id=port.id)


def test_a_port_with_several_addresses_says_which(world: World, network: Any) -> None:
    port = behind(world, leading(world, network), fixed_ips=[{"ip_address": f"10.0.0.{n}"} for n in (7, 8)])
    with bad(f"Port {port.id} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address"):
        floating(world, network, port_id=port.id)
    one, two = (floating(world, network, port_id=port.id, fixed_ip_address=f"10.0.0.{n}") for n in (7, 8))
    assert (one.fixed_ip_address, two.fixed_ip_address) == ("10.0.0.7", "10.0.0.8")
    with bad(f"Port {port.id} does not have fixed ip 10.0.0.9"):
        world.change(one, port_id=port.id, fixed_ip_address="10.0.0.9")
    with bad("Cannot bind a floating IP to fd00::1, since that is not an IPv4 address"):
        world.change(one, port_id=port.id, fixed_ip_address="fd00::1")
    with bad("fixed_ip_address cannot be specified without a port_id"):
        world.change(one, fixed_ip_address="10.0.0.8")


def test_a_port_without_ipv4_has_none(world: World, network: Any) -> None:
    router = leading(world, network)
    port = behind(world, router, "fd00::/64")
    with bad(f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses"):
        floating(world, network, port_id=port.id)
    interface = world.model.find("port", "device_id+device_owner", (router.id, "network:router_interface"))[0]
    with bad(f"Port {interface.id} is unable to be assigned a floating IP"):
        floating(world, network, port_id=interface.id)


def test_outside_is_reached_by_a_router_with_a_gateway_on_that_network(world: World, network: Any) -> None:
    other = external(world, "192.0.2.0/24")
    router = leading(world, other)
    port = behind(world, router)
    alone = world.make("port", network_id=world.network("10.5.0.0/24").id)
    for one in (port, alone):
        with pytest.raises(Missing, match=f"is not reachable from subnet .* cannot associate Port {one.id}") as wrong:
            floating(world, network, port_id=one.id)
        assert wrong.value.type == "ExternalGatewayForFloatingIPNotFound" and wrong.value.status == 404
    assert floating(world, other, port_id=port.id).router_id == router.id


def test_of_two_routers_the_subnets_gateway_translates(world: World, network: Any) -> None:
    side, main = leading(world, network), leading(world, network)
    inner = subnet(world, "10.0.0.0/24")
    join(world, side, world.make("port", network_id=inner.network_id, fixed_ips=[{"ip_address": "10.0.0.99"}]))
    join(world, main, inner)
    assert side.id < main.id
    assert floating(world, network, port_id=world.make("port", network_id=inner.network_id).id).router_id == main.id


def test_a_port_of_another_project_is_for_an_administrator_to_join(world: World, network: Any) -> None:
    shared = world.make("network", shared=True, by=ADMIN, project_id=ANN.project_id)
    inner = subnet(world, "10.0.0.0/24", shared)
    join(world, leading(world, network), inner)
    port = world.make("port", BOB, network_id=shared.id)
    with bad(f"Cannot process floating IP association with Port {port.id}, since that port is owned by a different project"):
        floating(world, network, port_id=port.id)
    world.make("floatingip", ADMIN, floating_network_id=network.id, project_id=ANN.project_id, port_id=port.id)
    with refused("PortNotFound"):
        world.make("floatingip", BOB, floating_network_id=network.id, port_id=world.make("port", network_id=shared.id).id)


def test_it_stands_for_nothing_once_the_port_or_its_address_is_gone(world: World, network: Any, port: Any) -> None:
    one = floating(world, network, port_id=port.id)
    world.change(port, fixed_ips=[{"ip_address": "10.0.0.2"}, {"ip_address": "10.0.0.3"}], by=ADMIN)
    assert world.now(one).port_id == port.id
    world.change(port, fixed_ips=[{"ip_address": "10.0.0.3"}], by=ADMIN)
    assert (world.now(one).port_id, world.now(one).router_id) == (None, None)
    world.change(one, port_id=port.id)
    world.drop(port)
    assert world.now(one).port_id is None and world.now(one).revision_number == one.revision_number + 3


def test_a_network_that_leads_outside_no_more_takes_those_with_it_that_nobody_uses(world: World, network: Any, port: Any) -> None:
    own = behind(world, world.make("router"), "10.9.0.0/24")
    unused, used = floating(world, network), floating(world, network, port_id=port.id)
    before = state(world)
    with pytest.raises(Conflict) as refused:
        world.change(network, ADMIN, router__external=False)
    assert refused.value.type == "ExternalNetworkInUse" and state(world) == before
    (router,) = [row for row in world.model.rows["router"].values() if row.external_gateway_info]
    world.change(used, port_id=None)
    world.change(router, external_gateway_info=None)
    world.change(network, ADMIN, router__external=False)
    assert not world.model.rows["floatingip"] and world.model.get("port", own.id) is not None
    assert not world.model.find("port", "device_id", unused.id)


def test_it_is_up_where_the_router_is_and_some_host_has_the_wire(world: World, network: Any, port: Any) -> None:
    one, free = floating(world, network, port_id=port.id), floating(world, network)
    assert world.show(one)["status"] == "DOWN"
    reached(world, network)
    assert (world.show(one)["status"], world.show(free)["status"]) == ("ACTIVE", "DOWN")
    world.change(world.model.get("router", one.router_id), admin_state_up=False)
    assert world.show(one)["status"] == "DOWN"
