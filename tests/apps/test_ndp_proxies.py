"""NDP proxies: a router answers outside for addresses behind it, and lets in what is for these and for no other."""

from __future__ import annotations

from typing import Any

import pytest

from controller.errors import Conflict, Invalid
from tests.kit.leading import WORLD, WORLD6, Leading, open_group
from tests.kit.net import Net, Port
from tests.kit.worlds import ADMIN


@pytest.fixture
def cloud(net: Net) -> Leading:
    return Leading(net, cidrs=("10.1.0.0/24", "2001:db8:1::/64"), hosts=("host1", "host2", "host3"), wires=("host2", "host3"),
                   world=(WORLD, WORLD6), enable_ndp_proxy=True)


def machine(net: Net, cloud: Leading, name: str) -> Port:
    group = net.things.get(("security_group", "in")) or open_group(net, "in", v=6)
    return net.port(name, on="host1", network=cloud.inside, groups=(group,))


def proxy(net: Net, cloud: Leading, port: Port, **more: Any) -> Any:
    (row,) = net.writer.create(ADMIN, "ndp_proxy", [{"router_id": cloud.router.thing.id, "port_id": port.id, **more}])
    net.settle()
    return row


def test_who_asks_outside_for_the_address_is_answered_with_the_routers_mac_and_reaches_the_machine(net: Net, cloud: Leading) -> None:
    a, b = machine(net, cloud, "a"), machine(net, cloud, "b")
    cloud.ask(a.ip6).reaches_nobody()
    proxy(net, cloud, a)
    cloud.ask(a.ip6).reaches(cloud.away)
    cloud.ask(b.ip6).reaches_nobody()
    cloud.come_in(cloud.gateway.mac, a.ip6).reaches(a)
    cloud.come_in(cloud.gateway.mac, b.ip6).reaches_nobody()
    net.send(cloud.out(a, v=6)).reaches(cloud.away)


def test_the_groups_of_the_machine_judge_what_comes_in(net: Net, cloud: Leading) -> None:
    closed = net.port("closed", on="host1", network=cloud.inside, groups=(net.group("closed"),))
    proxy(net, cloud, closed)
    cloud.ask(closed.ip6).reaches(cloud.away)
    cloud.come_in(cloud.gateway.mac, closed.ip6).reaches_nobody()


def test_without_the_word_nothing_is_answered_and_ipv6_comes_in_as_ever(net: Net, cloud: Leading) -> None:
    a, b = machine(net, cloud, "a"), machine(net, cloud, "b")
    row = proxy(net, cloud, a)
    net.writer.update(ADMIN, "router", cloud.router.thing.id, {"enable_ndp_proxy": False})
    net.settle()
    cloud.ask(a.ip6).reaches_nobody()
    cloud.come_in(cloud.gateway.mac, b.ip6).reaches(b)
    net.writer.update(ADMIN, "router", cloud.router.thing.id, {"enable_ndp_proxy": True})
    net.settle()
    cloud.ask(a.ip6).reaches(cloud.away)
    net.writer.delete(ADMIN, "ndp_proxy", row.id)
    net.settle()
    cloud.ask(a.ip6).reaches_nobody()


def test_the_host_that_takes_over_answers(net: Net, cloud: Leading) -> None:
    a = machine(net, cloud, "a")
    proxy(net, cloud, a)
    first = cloud.host()
    net.learn([("loss", {"id": net.switch_on(first)})])
    assert cloud.host() != first
    (answering,) = {host for host, *_ in cloud.ask(a.ip6).reaches(cloud.away).wires}
    assert answering == cloud.host()
    cloud.come_in(cloud.gateway.mac, a.ip6).reaches(a)


def test_what_does_not_go_together_is_refused_in_neutrons_words(net: Net, cloud: Leading) -> None:
    a = machine(net, cloud, "a")
    elsewhere = net.port("elsewhere", network=net.network("other", subnets=("2001:db8:9::/64",)))
    proxy(net, cloud, a)
    for error, more in (("NDPProxyInUse", {}), ("PortUnreachableRouter", {"port_id": elsewhere.id})):
        with pytest.raises(Conflict) as refused:
            proxy(net, cloud, a, **more)
        assert refused.value.type == error
    for wrong in (a.ip, "2001:db8:1::9999"):
        with pytest.raises(Invalid, match="ip_address"):
            proxy(net, cloud, a, ip_address=wrong)
    (subnet,) = [one for one in net.model.find("subnet", "network_id", cloud.inside.id) if one.ip_version == 6]
    router = cloud.router.thing
    for error, work in (
            ("RouterGatewayInUseByNDPProxy", lambda: net.writer.update(ADMIN, "router", router.id, {"external_gateway_info": None})),
            ("RouterInterfaceInUseByNDPProxy", lambda: net.writer.act(ADMIN, "router", router.id, "remove_router_interface",
                                                                      {"subnet_id": subnet.id}))):
        with pytest.raises(Conflict) as refused:
            work()
        assert refused.value.type == error
    net.remove(a)
    assert not net.model.rows["ndp_proxy"]
    (plain,) = net.writer.create(ADMIN, "router", [{"name": "plain"}])
    with pytest.raises(Conflict) as refused:
        net.writer.create(ADMIN, "ndp_proxy", [{"router_id": plain.id, "port_id": elsewhere.id}])
    assert refused.value.type == "RouterNDPProxyNotEnable"
