"""Port forwardings, as clients of Neutron know them: ports of a floating IP that lead to ports behind its router."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Invalid, Missing, Unsupported
from tests.derived.bodies import state
from tests.kit.outside import bad, behind, floating, leading
from tests.kit.routers import leave
from tests.kit.worlds import ADMIN, ANN, BOB, World, refused

DEAD = "deadbeef-0000-4000-8000-000000000000"


def forward(world: World, one: Any, port: Any, **more: Any) -> Any:
    return world.make("port_forwarding", **{"floatingip_id": one.id, "internal_port_id": port.id, "protocol": "tcp",
                                            "internal_port": 80, "external_port": 8080, **more})


def test_a_floating_ip_forwards_ports(world: World, network: Any, port: Any) -> None:
    one = floating(world, network)
    made = forward(world, one, port, description="web")
    shown = world.show(made)
    assert (shown["external_port"], shown["external_port_range"], shown["internal_port"], shown["internal_ip_address"]) == (
        8080, "8080:8080", 80, "10.0.0.2")
    listed = world.show(one)["port_forwardings"]
    assert [each["id"] for each in listed] == [made.id] and world.now(one).router_id is not None
    forward(world, one, port, protocol="udp")
    changed = world.change(made, external_port=8081, internal_port_range="90")
    assert (changed.external_port_range, changed.internal_port, changed.internal_port_range) == ("8081:8081", 90, "90:90")
    assert world.change(made, external_port=None, internal_port_range=None) == changed
    for each in world.model.find("port_forwarding", "floatingip_id", one.id):
        assert world.now(one).router_id is not None
        world.drop(each)
    assert world.now(one).router_id is None and world.now(one).revision_number == 5


def test_ranges_are_forwarded_one_to_one_or_to_one(world: World, network: Any, port: Any) -> None:
    one = floating(world, network)
    ranges = {"internal_port": None, "external_port": None}
    made = forward(world, one, port, internal_port_range="80:89", external_port_range="8080:8089", **ranges)
    assert (made.internal_port, made.external_port) == (None, None)
    forward(world, one, port, internal_port=22, external_port=None, external_port_range="9000:9009")
    with bad("The relation between internal and external ports does not match the pattern 1:N and N:N", "port_forwarding"):
        forward(world, one, port, internal_port_range="80:90", external_port_range="7080:7089", **ranges)
    for clash in ("8000:8080", "8085", "8089:9000"):
        with bad("A duplicate port forwarding entry with same attributes already exists", "port_forwarding"):
            forward(world, one, port, external_port=None, external_port_range=clash)
    with pytest.raises(Invalid, match="^external_port_range: cannot be given together with external_port"):
        forward(world, one, port, external_port_range="80:90")
    with pytest.raises(Invalid, match="^internal_port: is required, or internal_port_range"):
        forward(world, one, port, internal_port=None, external_port=7)


def test_a_floating_ip_forwards_or_stands_for_a_port(world: World, network: Any, port: Any) -> None:
    one, two = floating(world, network), floating(world, network, port_id=port.id)
    other = world.make("port", network_id=port.network_id)
    with refused("FloatingIPPortAlreadyAssociated"):
        forward(world, two, other)
    with refused("PortHasBindingFloatingIP"):
        forward(world, one, port)
    made = forward(world, one, other)
    with refused("FipInUseByPortForwarding"):
        world.change(one, port_id=world.make("port", network_id=port.network_id).id)
    with refused("FipInUseByPortForwarding"):
        world.drop(one)
    with refused("PortHasPortForwarding"):
        world.change(two, port_id=other.id)
    with refused("PortHasPortForwarding"):
        floating(world, network, port_id=other.id)
    assert world.change(one, port_id=None).router_id == world.now(one).router_id is not None
    world.drop(made)
    world.drop(one)


def test_one_router_forwards_for_a_floating_ip(world: World, network: Any, port: Any) -> None:
    one, far = floating(world, network), behind(world, leading(world, network), "10.7.0.0/24")
    made = forward(world, one, port)
    with bad(f"The Floating IP {one.id} had been set on router .* {far.id} can not reach it", "port_forwarding"):
        forward(world, one, far, external_port=9)
    assert world.change(made, internal_port_id=far.id).internal_ip_address == "10.7.0.2"
    with refused("RouterInterfaceInUseByFloatingIP"):
        leave(world, world.model.get("router", world.now(one).router_id),
              world.model.get("subnet", far.fixed_ips[0].subnet_id))
    with refused("RouterExternalGatewayInUseByFloatingIp"):
        world.change(world.model.get("router", world.now(one).router_id), external_gateway_info=None)


def test_what_is_forwarded_goes_with_the_port_and_its_address(world: World, network: Any, port: Any) -> None:
    one = floating(world, network)
    made = forward(world, one, port)
    world.change(port, ADMIN, fixed_ips=[{"ip_address": "10.0.0.9"}])
    assert world.now(made) is None and world.now(one).router_id is None
    again = forward(world, one, port)
    world.drop(port)
    assert world.now(again) is None and world.now(one).router_id is None


@pytest.mark.parametrize(("more", "words"), [
    ({"internal_ip_address": "10.0.0.77"}, "^Bad port_forwarding request: Requested internal IP address 10.0.0.77"),
    ({"external_port": 0}, "^external_port: must be between 1 and 65535"),
    ({"internal_port_id": DEAD}, f"^Port {DEAD} could not be found"),
    ({"protocol": "icmp"}, "^protocol: only tcp and udp are served"),
    ({"protocol": "nonsense"}, "^protocol: must be one of"),
])
def test_what_forwards_nothing_is_refused_and_changes_nothing(world: World, network: Any, port: Any, more: dict[str, Any],
                                                              words: str) -> None:
    one = floating(world, network)
    before = state(world)
    with pytest.raises((Invalid, Missing, Unsupported), match=words):
        forward(world, one, port, **more)
    assert state(world) == before


def test_forwardings_are_those_of_the_owner_of_the_floating_ip(world: World, network: Any, port: Any) -> None:
    made = forward(world, floating(world, network), port)
    seen = {who: world.writer.policy.visible(who, world.resources["port_forwarding"]) for who in (ANN, BOB, ADMIN)}
    assert seen == {ANN: [made], BOB: [], ADMIN: [made]}
    with refused("PortForwardingNotFound"):
        world.drop(made, BOB)
