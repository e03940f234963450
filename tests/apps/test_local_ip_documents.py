"""Local IPs, as clients of Neutron know them: an address of a port, and the ports that it stands for."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Forbidden, Invalid
from tests.derived.bodies import state
from tests.kit.outside import bad, external
from tests.kit.worlds import ADMIN, ANN, BOB, World, refused


@pytest.fixture
def network(world: World) -> Any:
    made = world.make("network")
    world.make("subnet", network_id=made.id, ip_version=4, cidr="10.0.0.0/24")
    return made


def stand(world: World, local: Any, port: Any, by: Any = ANN, **more: Any) -> Any:
    return world.make("local_ip_association", by, local_ip_id=local.id, fixed_port_id=port.id, **more)


def test_an_address_is_taken_of_the_network_and_given_back(world: World, network: Any) -> None:
    local = world.make("local_ip", network_id=network.id)
    held = world.model.get("port", local.local_port_id)
    assert (local.local_ip_address, held.device_owner, held.device_id, held.project_id) == (
        "10.0.0.2", "network:local_ip", local.id, local.project_id)
    chosen = world.make("local_ip", network_id=network.id, local_ip_address="10.0.0.77")
    assert chosen.local_ip_address == "10.0.0.77"
    with refused("IpAddressInUse"):
        world.make("local_ip", network_id=network.id, local_ip_address="10.0.0.77")
    with refused("NetworkInUse"):
        world.drop(network)
    world.drop(local)
    world.drop(chosen)
    assert not world.model.find("port", "network_id", network.id)


def test_or_it_is_that_of_a_port_which_keeps_it(world: World, network: Any) -> None:
    port = world.make("port", network_id=network.id)
    local = world.make("local_ip", local_port_id=port.id)
    assert (local.local_ip_address, local.network_id) == (port.fixed_ips[0].ip_address, network.id)
    before = state(world)
    with pytest.raises(Invalid, match="^fixed_ips: 10.0.0.2 is local IP .*; delete that first"):
        world.change(port, fixed_ips=[{"ip_address": "10.0.0.50"}])
    with refused("ServicePortInUse"):
        world.drop(port)
    assert state(world) == before
    world.drop(local)
    world.drop(port)


def test_the_port_that_holds_the_address_comes_and_goes_with_it(world: World, network: Any) -> None:
    local = world.make("local_ip", network_id=network.id)
    held = world.model.get("port", local.local_port_id)
    before = state(world)
    with refused("ServicePortInUse"):
        world.drop(held, by=ADMIN)
    for change in ({"device_owner": ""}, {"device_id": "another"}, {"fixed_ips": []}):
        with pytest.raises(Invalid):
            world.change(held, by=ADMIN, **change)
    with pytest.raises(Invalid, match="comes and goes with a local IP"):
        world.make("port", ADMIN, network_id=network.id, device_owner="network:local_ip")
    assert state(world) == before


def test_what_it_is_of_must_be_said(world: World, network: Any) -> None:
    other = world.make("network")
    empty = world.make("port", network_id=other.id)
    two = world.make("port", network_id=network.id, fixed_ips=[{"ip_address": "10.0.0.20"}, {"ip_address": "10.0.0.21"}])
    before = state(world)
    with refused("LocalIPPortOrNetworkRequired"):
        world.make("local_ip")
    with bad(f"Network {other.id} does not contain any IPv4 subnet", "local_ip"):
        world.make("local_ip", network_id=other.id)
    with refused("LocalIPNoIP"):
        world.make("local_ip", local_port_id=empty.id)
    with refused("LocalIPNoRequestedIP"):
        world.make("local_ip", local_port_id=two.id)
    with refused("LocalIPRequestedIPNotFound"):
        world.make("local_ip", local_port_id=two.id, local_ip_address="10.0.0.22")
    with bad(f"Port {two.id} is not on network {other.id}", "local_ip"):
        world.make("local_ip", local_port_id=two.id, network_id=other.id, local_ip_address="10.0.0.20")
    with pytest.raises(Invalid, match="^local_ip_address"):
        world.make("local_ip", network_id=network.id, local_ip_address="10.9.9.9")
    assert state(world) == before
    assert world.make("local_ip", local_port_id=two.id, local_ip_address="10.0.0.21").local_ip_address == "10.0.0.21"


def test_only_ipv4(world: World, network: Any) -> None:
    world.make("subnet", network_id=network.id, ip_version=6, cidr="2001:db8::/64")
    both = world.make("port", network_id=network.id)
    six = next(fixed.ip_address for fixed in both.fixed_ips if ":" in fixed.ip_address)
    before = state(world)
    for wrong in ({"network_id": network.id}, {"local_port_id": both.id}):
        with pytest.raises(Invalid, match="^local_ip_address: must be an IPv4 address"):
            world.make("local_ip", **wrong, local_ip_address=six)
    assert state(world) == before
    local = world.make("local_ip", local_port_id=both.id)
    assert ":" not in local.local_ip_address
    other = world.make("port", network_id=network.id)
    with pytest.raises(Invalid, match="^fixed_ip: must be an IPv4 address"):
        stand(world, local, other, fixed_ip=next(fixed.ip_address for fixed in other.fixed_ips if ":" in fixed.ip_address))
    assert ":" not in stand(world, local, other).fixed_ip


def test_a_port_is_associated_once_and_released_with_its_address(world: World, network: Any) -> None:
    local = world.make("local_ip", network_id=network.id)
    port = world.make("port", network_id=network.id, fixed_ips=[{"ip_address": "10.0.0.20"}, {"ip_address": "10.0.0.21"}])
    with refused("LocalIPNoRequestedIP"):
        stand(world, local, port)
    with refused("LocalIPRequestedIPNotFound"):
        stand(world, local, port, fixed_ip="10.0.0.22")
    made = stand(world, local, port, fixed_ip="10.0.0.21")
    shown = world.show(made)
    assert {name: shown[name] for name in ("local_ip_id", "local_ip_address", "fixed_port_id", "fixed_ip", "host")} == {
        "local_ip_id": local.id, "local_ip_address": local.local_ip_address, "fixed_port_id": port.id, "fixed_ip": "10.0.0.21",
        "host": ""}
    with refused("LocalIPAssociationExists"):
        stand(world, local, port, fixed_ip="10.0.0.20")
    with refused("LocalIPInUse"):
        world.drop(local)
    world.change(port, name="another")
    assert world.model.get("local_ip_association", made.id)
    world.change(port, fixed_ips=[{"ip_address": "10.0.0.20"}])
    assert world.model.get("local_ip_association", made.id) is None
    world.drop(local)


def test_the_zone_of_a_port_stays_with_it_and_is_free_again_when_it_goes(world: World, network: Any) -> None:
    one, other = (world.make("local_ip", network_id=network.id) for _ in range(2))
    port = world.make("port", network_id=network.id)
    first = stand(world, one, port)
    zone = world.now(port).zone
    owners = world.writer.numbers.pools["network_key"].owners
    assert zone and owners[zone] == port.id and zone != network.key
    stand(world, other, port)
    world.drop(first)
    assert world.now(port).zone == zone
    world.drop(port)
    assert zone not in owners
    passed = world.make("local_ip", network_id=network.id, ip_mode="passthrough")
    plain = world.make("port", network_id=network.id)
    stand(world, passed, plain)
    assert world.now(plain).zone is None


def test_it_stands_for_ports_of_machines_of_its_own_project_only(world: World, network: Any) -> None:
    local, other = (world.make("local_ip", network_id=network.id) for _ in range(2))
    router = world.make("router")
    subnet = world.model.find("subnet", "network_id", network.id)[0]
    world.writer.act(ANN, "router", router.id, "add_router_interface", {"subnet_id": subnet.id})
    (interface,) = world.model.find("port", "device_id", router.id)
    for port in (interface, world.model.get("port", other.local_port_id)):
        with bad(f"Port {port.id} is of no machine, and on no host: its device owner is {port.device_owner}", "local_ip"):
            stand(world, local, port)
    theirs = world.make("network", BOB)
    world.make("subnet", BOB, network_id=theirs.id, ip_version=4, cidr="10.5.0.0/24")
    with refused("PortNotFound"):
        stand(world, local, world.make("port", BOB, network_id=theirs.id))


def test_on_a_shared_network_nobody_takes_over_addresses_of_elsewhere(world: World, network: Any) -> None:
    """Else machines of others would be led astray that mean somebody far away."""
    shared = world.make("network", ADMIN, project_id=BOB.project_id, shared=True)
    world.make("subnet", BOB, network_id=shared.id, ip_version=4, cidr="10.7.0.0/24")
    mine = world.make("port", network_id=shared.id)
    far = world.make("local_ip", network_id=network.id)
    with bad(f"Port {mine.id} is on a network of another project, where only addresses of that network may be local IPs", "local_ip"):
        stand(world, far, mine)
    with pytest.raises(Forbidden, match="^local_ip_address: is for the owner of the network to choose"):
        world.make("local_ip", network_id=shared.id, local_ip_address="10.7.0.1")
    near = world.make("local_ip", network_id=shared.id)
    stand(world, near, mine)
    theirs = world.make("port", BOB, network_id=shared.id)
    with pytest.raises(Exception, match="could not be found|different project"):
        stand(world, near, theirs)
    world.make("local_ip", BOB, network_id=shared.id, local_ip_address="10.7.0.9")


def test_who_only_sees_a_network_takes_no_address_of_it(world: World) -> None:
    outside = external(world)
    with pytest.raises(Forbidden, match="^network_id: "):
        world.make("local_ip", network_id=outside.id)
