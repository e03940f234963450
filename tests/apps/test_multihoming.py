"""Routers with several gateways: who leaves by which, with which address, and where answers go."""
import itertools
from typing import Any

import pytest

from tests.kit import frames
from tests.kit.leading import WORLD, WORLD6, Floating, Leading, number, open_group
from tests.kit.net import Net, Port
from tests.kit.talk import SYN_ACK, Said
from tests.kit.wires import Outsider, attach, flat, unwire, wire

OTHER, OTHER6, WIRE2 = "198.51.100.0/24", "2001:db8:beef::/64", "physnet2"
FAR, FAR6 = "192.0.2.7", "2001:db8:9::7"            # near no gateway


class Twice(Leading):
    """A router with a gateway on `world`, and then one on `world2`, which is on a wire of its own."""

    def __init__(self, net: Net, *, also: tuple[str, ...] = ("host2",), **more: Any) -> None:
        super().__init__(net, cidrs=("10.1.0.0/24", "2001:db8:1::/64"), world=(WORLD, WORLD6), **more)
        for host in also:
            wire(net, host, to=WIRE2)
        self.world2 = flat(net, "world2", wire=WIRE2, subnets=(OTHER, OTHER6), project="admin", **{"router:external": True})
        self.away2 = Outsider("away2", ip="198.51.100.99", ip6="2001:db8:beef::99", mac="02:00:00:00:02:99", wire=WIRE2)
        attach(net, self.away2)
        net.learn([("neighbour", {"id": f"{network.id}/{ip}", "network_id": network.id, "ip_address": ip, "mac_address": away.mac})
                   for network, away, *ips in ((self.world, self.away, "203.0.113.1", "2001:db8:f00d::1"), (
                       self.world2, self.away2, "198.51.100.1", "2001:db8:beef::1", self.away2.ip, self.away2.ip6)) for ip in ips])
        self.act("add_external_gateways", {"network_id": self.world2.id})

    def act(self, name: str, *gateways: dict[str, Any]) -> None:
        self.net.writer.act(self.net._asker("admin"), "router", self.router.thing.id, name, {"external_gateways": list(gateways)})
        self.net.settle()

    @property
    def gateway2(self) -> Port:
        (row,) = [row for row in self.net.model.find("port", "network_id", self.world2.id) if row.device_id == self.router.thing.id]
        return Port(self.net, "port", row.id, "outside2")

    def floating2(self, port: Port | None = None) -> Floating:
        return self.floating(port, floating_network_id=self.world2.id)

    def come_by(self, second: bool, mac: str, to: str, port: int = 22, source: str = "", source_port: int = 5000) -> Any:
        """From somebody far away, by the next hop outside of one of the gateways."""
        away = self.away2 if second else self.away
        return self.net.send(away, frames.tcp(away.mac, mac, source or (FAR6 if ":" in to else FAR), to, source_port, port))


@pytest.fixture
def cloud(net: Net) -> Twice:
    return Twice(net)


def answering(cloud: Twice, sender: Port, to: str, v: int = 4) -> Said:
    return cloud.out(sender, 5000, source_port=22, v=v, to=to, flags=SYN_ACK)


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_new_connections_leave_by_the_first_gateway_and_to_the_networks_of_others_by_theirs(net, cloud, host):
    a = net.port("a", on=host, network=cloud.inside)
    for to, away, gateway in ((FAR, cloud.away, cloud.gateway), (cloud.away.ip, cloud.away, cloud.gateway),
                              (cloud.away2.ip, cloud.away2, cloud.gateway2)):
        sent = net.send(cloud.out(a, to=to)).reaches(away).arrived
        assert (sent["ipv4_src"], sent["nw_ttl"]) == (number(gateway.ip), 63)
        assert sent["eth_src"] == int(gateway.mac.replace(":", ""), 16)
    for to, away in ((FAR6, cloud.away), (cloud.away2.ip6, cloud.away2)):
        assert net.send(cloud.out(a, v=6, to=to)).reaches(away).arrived["ipv6_src"] == number(a.ip6)


@pytest.mark.parametrize("host", ["host1", "host2"])
@pytest.mark.parametrize("second", [False, True])
def test_answers_leave_by_the_gateway_where_the_question_came_in(net, cloud, host, second):
    """IPv6 addresses are reached by their own names, by either gateway."""
    group = open_group(net)
    net.rule(group, "ingress", "tcp", 22, v=6)
    a = net.port("a", on=host, network=cloud.inside, groups=[group])
    away, gateway = (cloud.away2, cloud.gateway2) if second else (cloud.away, cloud.gateway)
    cloud.come_by(second, gateway.mac, a.ip6).reaches(a)
    sent = net.send(answering(cloud, a, FAR6, 6)).reaches(away).arrived
    assert (sent["ipv6_src"], sent["eth_src"]) == (number(a.ip6), int(gateway.mac.replace(":", ""), 16))
    assert net.send(cloud.out(a, v=6, to=FAR6, source_port=41000)).reaches(cloud.away)
    cloud.come_by(second, gateway.mac, a.ip6, port=23).reaches_nobody("receiver")


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_floating_addresses_of_both_gateways_stand_for_one_machine(net, cloud, host):
    a = net.port("a", on=host, network=cloud.inside, groups=[open_group(net)])
    one, two = cloud.floating(a), cloud.floating2(a)
    cloud.come_by(True, two.mac, two.ip).reaches(a)
    cloud.come_by(False, one.mac, one.ip, source_port=5001).reaches(a)
    assert net.send(answering(cloud, a, FAR)).reaches(cloud.away2).arrived["ipv4_src"] == number(two.ip)
    back = cloud.out(a, 5001, source_port=22, to=FAR, flags=SYN_ACK)
    assert net.send(back).reaches(cloud.away).arrived["ipv4_src"] == number(one.ip)
    assert net.send(cloud.out(a, to=FAR)).reaches(cloud.away).arrived["ipv4_src"] == number(one.ip)
    assert net.send(cloud.out(a, to=cloud.away2.ip)).reaches(cloud.away2).arrived["ipv4_src"] == number(two.ip)
    net.change(one, port_id=None)
    assert net.send(cloud.out(a, to=FAR, source_port=41000)).reaches(cloud.away2).arrived["ipv4_src"] == number(two.ip)


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_a_machine_with_a_floating_address_of_the_second_gateway_leaves_by_that(net, cloud, host):
    a = net.port("a", on=host, network=cloud.inside, groups=[open_group(net)])
    two = cloud.floating2(a)
    for to in (FAR, cloud.away2.ip):
        assert net.send(cloud.out(a, to=to)).reaches(cloud.away2).arrived["ipv4_src"] == number(two.ip)
    cloud.come_by(True, two.mac, two.ip).reaches(a)
    assert net.send(answering(cloud, a, FAR)).reaches(cloud.away2).arrived["ipv4_src"] == number(two.ip)


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_what_is_near_another_gateway_than_a_machines_floating_address_is_reached_by_that(net, host):
    cloud = Twice(net, wires=("host1", "host2"), also=("host2",))
    a = net.port("a", on=host, network=cloud.inside)
    one = cloud.floating(a)
    assert net.send(cloud.out(a, to=FAR)).reaches(cloud.away).arrived["ipv4_src"] == number(one.ip)
    sent = net.send(cloud.out(a, to=cloud.away2.ip)).reaches(cloud.away2).arrived
    assert sent["ipv4_src"] == number(cloud.gateway2.ip)


def test_forwarded_ports_of_the_second_gateways_address_are_answered_by_it(net, cloud):
    web = net.port("web", on="host1", network=cloud.inside, groups=[open_group(net)])
    address = cloud.floating2()
    wish = {"floatingip_id": address.id, "protocol": "tcp", "internal_port_id": web.id,
            "external_port": 8000, "internal_port": 22}
    net.writer.create(net._asker("acme"), "port_forwarding", [wish])
    net.settle()
    cloud.come_by(True, cloud.gateway2.mac, address.ip, 8000).reaches(web)
    sent = net.send(answering(cloud, web, FAR)).reaches(cloud.away2).arrived
    assert (sent["ipv4_src"], sent["tcp_src"]) == (number(address.ip), 8000)
    assert net.send(cloud.out(web, to=FAR)).reaches(cloud.away).arrived["ipv4_src"] == number(cloud.gateway.ip)


def test_connections_are_spread_over_the_gateways_and_each_keeps_to_its_own(net, cloud):
    net.change(cloud.router.thing, enable_default_route_ecmp=True)
    a = net.port("a", on="host1", network=cloud.inside)
    net.choose = lambda group, buckets: next(turns) % len(buckets)
    for v, to in ((4, FAR), (6, FAR6)):
        turns, took = itertools.count(), {}
        for port in range(40000, 40004):
            ((took[port], _),) = net.send(cloud.out(a, to=to, v=v, source_port=port)).arrivals
        assert set(took.values()) == {"away", "away2"}
    sources = {net.send(cloud.out(a, to=FAR, source_port=port, flags=0x10)).arrived["ipv4_src"] for port in took}
    assert sources == {number(cloud.gateway.ip), number(cloud.gateway2.ip)}
    net.change(cloud.router.thing, enable_default_route_ecmp=False)
    for port, away in took.items():
        assert [name for name, _ in net.send(cloud.out(a, to=FAR6, v=6, source_port=port, flags=0x10)).arrivals] == [away]


def test_the_second_gateway_takes_over_while_the_first_ones_wire_is_away(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    assert net.send(cloud.out(a, to=FAR)).reaches(cloud.away).arrived["ipv4_src"] == number(cloud.gateway.ip)
    unwire(net, "host2")
    assert net.send(cloud.out(a, to=FAR)).reaches(cloud.away2).arrived["ipv4_src"] == number(cloud.gateway2.ip)
    wire(net, "host2")
    assert net.send(cloud.out(a, to=FAR, source_port=41000)).reaches(cloud.away).arrived["ipv4_src"] == number(cloud.gateway.ip)


def test_one_host_is_the_gateway_host_for_all_gateways_if_it_has_their_wires(net):
    cloud = Twice(net, wires=("host1", "host2", "host3"), hosts=("host1", "host2", "host3"), also=("host3",))
    a = net.port("a", on="host1", network=cloud.inside)
    for to, away in ((FAR, cloud.away), (cloud.away2.ip, cloud.away2)):
        assert {host for host, _, _ in net.send(cloud.out(a, to=to)).reaches(away).wires} >= {"host3"}
    unwire(net, "host3", WIRE2)
    net.send(cloud.out(a, to=cloud.away2.ip, source_port=41000)).reaches(cloud.away)          # it is beyond the first, then


def test_taking_gateways_away_leaves_no_flow_of_them_and_the_next_is_first(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    before = {host: set(net.flows(host)) for host in ("host1", "host2")}
    cloud.act("remove_external_gateways", {"network_id": cloud.world.id})
    assert net.send(cloud.out(a, to=FAR)).reaches(cloud.away2).arrived["ipv4_src"] == number(cloud.gateway2.ip)
    cloud.act("update_external_gateways", {"network_id": cloud.world.id}, {"network_id": cloud.world2.id})
    after = {host: set(net.flows(host)) for host in ("host1", "host2")}
    assert {host: len(keys) for host, keys in after.items()} == {host: len(keys) for host, keys in before.items()}
    cloud.act("update_external_gateways")
    assert not [entry for host in after for entry in net.flows(host).values() if entry.why and entry.why.app in (20, 21, 23)]
    net.send(cloud.out(a, to=FAR, source_port=42000)).asks_controller(9)


def test_a_route_of_the_tenants_own_may_lead_by_a_machine_beyond_either_gateway(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside)
    cloud.router.route(("192.0.2.0/24", cloud.away2.ip))
    assert net.send(cloud.out(a, to=FAR)).reaches(cloud.away2).arrived["ipv4_src"] == number(cloud.gateway2.ip)


def test_a_router_with_one_gateway_looks_nothing_up(net):
    cloud = Leading(net)
    net.port("a", on="host1", network=cloud.inside)
    assert not [entry for entry in net.flows("host2").values() if entry.why and entry.why.app == 23]
