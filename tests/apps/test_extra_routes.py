"""Extra routes: which next hop a packet goes to, by distance, by weight, and by what is up."""

from __future__ import annotations

from collections import Counter
from typing import Any

import apps.extra_routes  # declares rules
from apps.routing import APP as ROUTING
from controller.openflow import Group
from tests.apps.cases import FAMILIES
from tests.kit.dummy_ovs import DummyOvs, dummy_ovs
from tests.kit.mirror import MirroredNet, RealSwitch
from tests.kit.net import Net
from tests.kit.router import Router, ping, tcp

__all__ = ["dummy_ovs"]
FAR = {4: ("198.51.100.0/24", "198.51.100.7"), 6: ("2001:db8:77::/48", "2001:db8:77::7")}


class Cloud:
    """A machine, and two next hops `x` and `y` to what is far, on another network of the same router."""

    def __init__(self, net: Net, v: int = 4) -> None:
        self.net, self.v = net, v
        self.red = net.network("red", subnets=("10.1.0.0/24", "2001:db8:1::/64"))
        self.blue = net.network("blue", subnets=("10.2.0.0/24", "2001:db8:2::/64"))
        self.a = net.port("a", on="host1", network=self.red)
        self.x, self.y = (net.port(name, on="host1", network=self.blue, security=False) for name in "xy")
        self.router = Router(net).join(self.red, self.blue)

    def routes(self, **said: dict[str, int]) -> None:
        """Replace the routes: next hop by name, with its distance and weight."""
        hops = {name: getattr(self, name) for name in said}
        self.net.change(self.router.thing, routes=[
            {"destination": FAR[self.v][0], "nexthop": hops[name].ip6 if self.v == 6 else hops[name].ip, **more}
            for name, more in said.items()])

    def goes_to(self) -> Any:
        return self.net.send(ping(self.a, self.router.on(self.red, self.v), FAR[self.v][1], v=self.v))


@FAMILIES
def test_several_next_hops_share_by_weight(net: Net, v: int) -> None:
    cloud = Cloud(net, v)
    cloud.routes(x={"weight": 3}, y={})
    cloud.goes_to().reaches(cloud.x)
    cloud.routes(x={"weight": 3}, y={"weight": 5})
    sent = cloud.goes_to().reaches(cloud.y)
    assert sent.arrived["nw_ttl"] == 63
    assert sent.arrived["eth_src"] == int(cloud.router.on(cloud.blue, v).mac.replace(":", ""), 16)
    cloud.routes(x={})
    cloud.goes_to().reaches(cloud.x)
    cloud.routes()
    cloud.goes_to().asks_controller(ROUTING)


@FAMILIES
def test_the_nearest_next_hop_is_used_as_long_as_it_is_up(net: Net, v: int) -> None:
    cloud = Cloud(net, v)
    cloud.routes(x={"distance": 10}, y={"distance": 20, "weight": 9})
    cloud.goes_to().reaches(cloud.x)
    net.unplug(cloud.x, "host1")
    cloud.goes_to().reaches(cloud.y)
    net.change(cloud.y, admin_state_up=False)
    cloud.goes_to().asks_controller(ROUTING)
    net.plug(cloud.x, "host1")
    cloud.goes_to().reaches(cloud.x)
    cloud.routes(x={"distance": 10}, y={})
    cloud.goes_to().reaches(cloud.x)
    net.change(cloud.y, admin_state_up=True)
    cloud.goes_to().reaches(cloud.y)


def test_a_next_hop_that_is_down_gets_no_share(net: Net) -> None:
    cloud = Cloud(net)
    cloud.routes(x={"weight": 200}, y={})
    cloud.goes_to().reaches(cloud.x)
    net.unplug(cloud.x, "host1")
    cloud.goes_to().reaches(cloud.y)
    assert not [entry for entry in net.flows("host1").values() if isinstance(entry, Group)]


def test_a_next_hop_that_is_said_to_be_down_gets_no_share(net: Net) -> None:
    cloud = Cloud(net)
    cloud.routes(x={"weight": 200}, y={})
    cloud.goes_to().reaches(cloud.x)
    net.change(cloud.x, data_plane_status="DOWN")
    cloud.goes_to().reaches(cloud.y)
    assert not [entry for entry in net.flows("host1").values() if isinstance(entry, Group)]


def test_an_address_that_is_nobodys_is_taken_to_be_up(net: Net) -> None:
    """It may be a machine behind a port without security, or one that shares an address."""
    cloud = Cloud(net)
    net.change(cloud.x, fixed_ips=[])
    cloud.routes(y={"distance": 2})
    net.change(cloud.router.thing, routes=[*cloud.router.thing.row.routes,
                                           {"destination": FAR[4][0], "nexthop": "10.2.0.77"}])
    cloud.goes_to().asks_controller(ROUTING)
    assert not [entry for entry in net.flows("host1").values() if isinstance(entry, Group)]


def test_every_destination_has_a_group_of_its_own(net: Net) -> None:
    cloud = Cloud(net)
    both = [{"destination": block, "nexthop": hop.ip} for block in ("198.51.100.0/24", "192.0.2.0/24", "0.0.0.0/0")
            for hop in (cloud.x, cloud.y)]
    net.change(cloud.router.thing, routes=both)
    other = Router(net, "other").join(net.network("green", subnets=("10.9.0.0/24",)))
    groups = [entry for entry in net.flows("host1").values() if isinstance(entry, Group)]
    assert len({one.id for one in groups}) == 3
    routers = {one.id // apps.extra_routes.GROUPS for one in groups}
    assert routers == {cloud.router.thing.row.key} != {other.thing.row.key}


def test_connections_are_spread_by_weight_and_each_stays_on_its_way(dummy_ovs: DummyOvs) -> None:
    real = RealSwitch(dummy_ovs)
    net = MirroredNet(real)
    cloud = Cloud(net)
    cloud.routes(x={"weight": 3}, y={"weight": 1})
    hops = {net.place(cloud.x)[1]: "x", net.place(cloud.y)[1]: "y"}
    seen: Counter[str] = Counter()
    for number in range(200):
        said = tcp(cloud.a, cloud.router.on(cloud.red), FAR[4][1], 80, source_port=20000 + number)
        sent = [real.ovs.send(f"p{net.place(cloud.a)[1]}", said.frame, "br-int") for _ in range(2)]
        ways = {hops[port] for found in sent for port in found}
        assert len(ways) == 1, "one way for one connection"
        seen.update(ways)
    assert 110 <= seen["x"] <= 185 and seen["x"] + seen["y"] == 200, seen
