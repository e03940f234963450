"""Floating IPs of machines behind further routers: the router that leads outside translates, on its gateway host."""
from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Invalid, Missing
from tests.derived.bodies import state
from tests.kit.leading import Leading, open_group
from tests.kit.net import Net, Port
from tests.kit.outside import bad, behind, external, floating, leading
from tests.kit.router import Router
from tests.kit.talk import SYN_ACK
from tests.kit.worlds import ADMIN, ANN, BOB, World

HOSTS = ("host1", "host2", "host3")


class Behind:
    """machine ─ inner router ─ transit ─ outer router ─ world"""

    def __init__(self, net: Net, wires: tuple[str, ...] = ("host2",)) -> None:
        self.cloud = Leading(net, "outer", cidrs=("10.9.0.0/24",), hosts=HOSTS, wires=wires)
        self.tenant = net.network("tenant", subnets=("10.1.0.0/24",))
        self.inner = Router(net, "inner").join(self.tenant)
        self.transit = self.inner.join_as(self.cloud.inside, "10.9.0.2")
        net.change(self.inner.thing, routes=[{"destination": "0.0.0.0/0", "nexthop": self.cloud.within().ip}])
        net.change(self.cloud.router.thing, routes=[{"destination": "10.1.0.0/24", "nexthop": self.transit.ip}])
        self.net = net

    def machine(self, host: str) -> Port:
        return self.net.port(f"machine{host}", on=host, network=self.tenant, groups=[
            self.net.things.get(("security_group", "open")) or open_group(self.net)])

    def out(self, machine: Port, **more: Any) -> Any:
        said = self.cloud.out(machine, **more)
        said.frame = bytes.fromhex(self.inner.on(self.tenant, 4).mac.replace(":", "")) + said.frame[6:]
        return said


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("wires", [("host2",), HOSTS])
def test_a_machine_behind_another_router_has_an_address_outside(net: Net, host: str, wires: tuple[str, ...]) -> None:
    way = Behind(net, wires)
    machine = way.machine(host)
    with pytest.raises(Missing):
        way.cloud.floating(machine)
    one = way.cloud.floating(machine, router_id=way.cloud.router.thing.id)
    way.cloud.ask(one.ip).reaches(way.cloud.away)
    there = way.cloud.come_in(one.mac, one.ip).reaches(machine)
    assert there.arrived["ipv4_dst"] == int.from_bytes(bytes(map(int, machine.ip.split("."))), "big")
    answer = way.out(machine, port=5000, source_port=22, flags=SYN_ACK)
    back = net.send(answer).reaches(way.cloud.away)
    outside = int.from_bytes(bytes(map(int, one.ip.split("."))), "big")
    assert back.arrived["ipv4_src"] == outside
    assert net.send(way.out(machine, source_port=41000)).reaches(way.cloud.away).arrived["ipv4_src"] == outside
    net.check()


def test_without_a_way_between_the_routers_nothing_passes(net: Net) -> None:
    way = Behind(net)
    machine = way.machine("host1")
    one = way.cloud.floating(machine, router_id=way.cloud.router.thing.id)
    net.change(way.cloud.router.thing, routes=[])
    assert machine.name not in [name for name, _ in way.cloud.come_in(one.mac, one.ip).arrivals]
    net.check()


def test_which_routers_may_be_named(world: World) -> None:
    network, other = external(world), external(world, "198.51.100.0/24")
    near, far, elsewhere = leading(world, network), leading(world, network), leading(world, other)
    port = behind(world, near)
    before = state(world)
    with pytest.raises(Conflict) as refused:
        floating(world, network, port_id=port.id, router_id=elsewhere.id)
    assert refused.value.type == "FloatingIPRouterWithoutGateway"
    with pytest.raises(Missing):
        floating(world, network, port_id=port.id, router_id=world.make("router", BOB).id)
    with bad("router_id cannot be specified without a port_id"):
        floating(world, network, router_id=far.id)
    assert {kind: rows for kind, rows in state(world)[0].items() if kind != "router"} == {
        kind: rows for kind, rows in before[0].items() if kind != "router"}
    one = floating(world, network, port_id=port.id, router_id=far.id)
    assert one.router_id == far.id
    assert world.change(one, description="kept").router_id == far.id
    assert world.change(one, router_id=near.id).router_id == near.id
    assert world.change(one, router_id=far.id).fixed_ip_address == port.fixed_ips[0].ip_address
    assert world.change(one, router_id=None).router_id == near.id
    assert world.change(one, port_id=port.id, router_id=far.id).router_id == far.id
    assert world.change(one, port_id=port.id).router_id == near.id
    with pytest.raises(Conflict):
        world.change(one, router_id=elsewhere.id)
    freed = world.change(one, port_id=None)
    assert (freed.router_id, freed.fixed_ip_address) == (None, None)
    with pytest.raises(Invalid):
        world.change(one, router_id=far.id)


def test_the_router_that_translates_keeps_its_gateway(world: World) -> None:
    network = external(world)
    near, far = leading(world, network), leading(world, network)
    floating(world, network, port_id=behind(world, near).id, router_id=far.id)
    world.change(near, external_gateway_info=None)
    with pytest.raises(Conflict) as refused:
        world.change(far, external_gateway_info=None)
    assert refused.value.type == "RouterExternalGatewayInUseByFloatingIp"
    with pytest.raises(Conflict):
        world.drop(far, ADMIN)
    assert ANN.project_id == far.project_id
