"""What each feature makes of a small cloud, as text to be read. `pytest --golden` rewrites it; read the difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.golden import golden
from tests.kit.net import Net
from tests.kit.router import Router
from tests.kit.wires import flat, vlan, wire

FOLDER = Path(__file__).parent / "golden"


def switching(net: Net) -> None:
    """Two networks; one on three hosts, with a port that may have any address; the other on one."""
    red = net.network("red", subnets=(), tunnel_key=1001)
    blue = net.network("blue", type="gre", subnets=(), project="other", tunnel_key=2002)
    net.port("web", network=red, on="host1", groups=[])
    net.port("db", network=red, on="host2", groups=[])
    net.port("bridge", network=red, on="host3", security=False)
    net.port("lone", network=blue, on="host1", groups=[])


def provider_networks(net: Net) -> None:
    """A VLAN and a flat network of one physical network; a host that is not on it; a tenant's network beside them."""
    wire(net, "host1", "host2")
    red = vlan(net, "red", 101, subnets=())
    for host in ("host1", "host2", "host3"):
        net.port(f"red{host[-1]}", network=red, on=host, groups=[])
    net.port("plain", network=flat(net, "plain", subnets=()), on="host1", groups=[])
    net.port("green", network=net.network("green", subnets=()), on="host1", groups=[])


def port_security(net: Net) -> None:
    """A port with two addresses and two pairs; one on a network without subnets; one that is not secured."""
    net.port(
        "web",
        network=net.network("red"),
        on="host1",
        ip=["10.0.0.5", "2001:db8::5"],
        groups=[],
        pairs=["10.0.0.50", ("2001:db8:1::/64", "00:00:5e:00:02:07")],
    )
    bare = net.network("bare", subnets=())
    net.port("plain", network=bare, on="host1", groups=[])
    net.port("free", network=bare, on="host1", security=False)


def neighbours(net: Net) -> None:
    net.port("web", on="host1", ip=["10.0.0.5", "2001:db8::5"], groups=[])
    net.port("db", on="host2", ip="10.0.0.6", groups=[])


def security_groups(net: Net) -> None:
    """A web server for everybody, a database for web servers, and a name server that keeps no connections."""
    web, db, dns = net.group("web"), net.group("db", egress=False), net.group("dns", stateful=False, egress=False)
    net.rule(web, protocol="tcp", ports=(80, 83))
    net.rule(web, protocol="icmp", type=8)
    net.rule(db, protocol="tcp", ports=5432, remote=web)
    net.rule(db, "egress", "udp", 53, remote=dns)
    net.rule(dns, protocol="udp", ports=53, remote="10.0.0.0/24")
    net.rule(dns, "egress", "udp", v=4)
    net.port("web", on="host1", ip=["10.0.0.5", "2001:db8::5"], groups=[web])
    net.port("db", on="host2", ip="10.0.0.6", groups=[db])
    net.port("dns", on="host2", ip="10.0.0.7", groups=[dns])


def dhcp(net: Net) -> None:
    """One subnet with a gateway, one without, and one that is served by nobody."""
    red = net.network("red", subnets=())
    net.subnet(red, "10.0.0.0/24", name="red")
    net.subnet(red, "10.0.1.0/24", gateway_ip=None, name="closed")
    net.port("web", network=red, on="host1", ip="10.0.0.5", groups=[])
    blue = net.network("blue", subnets=())
    net.subnet(blue, "10.0.0.0/24", enable_dhcp=False, name="blue")
    net.port("other", network=blue, on="host2", ip="10.0.0.5", groups=[])


def routing(net: Net) -> None:
    """A router between two dual-stack networks, with an extra route; of three hosts the last has neither network."""
    red = net.network("red", subnets=("10.1.0.0/24", "2001:db8:1::/64"), tunnel_key=1001)
    blue = net.network("blue", subnets=("10.2.0.0/24",), tunnel_key=1002)
    net.port("web", network=red, on="host1", ip=["10.1.0.5", "2001:db8:1::5"], groups=[])
    net.port("db", network=blue, on="host2", ip="10.2.0.5", groups=[], pairs=["10.2.0.50", "10.2.0.64/28"])
    net.host("host3")
    Router(net).join(red, blue).route(("192.0.2.0/24", "10.2.0.5"))


def extra_routes(net: Net) -> None:
    """One destination by one next hop; another by two, of which one gets most, and by a third that is too far."""
    red, blue = net.network("red", subnets=("10.1.0.0/24",)), net.network("blue", subnets=("10.2.0.0/24",))
    net.port("web", network=red, on="host1", groups=[])
    for last in (5, 6, 7):
        net.port(f"hop{last}", network=blue, on="host1", ip=f"10.2.0.{last}", groups=[])
    router = Router(net).join(red, blue)
    router.route(("192.0.2.0/24", "10.2.0.5"))
    router.act("add_extraroutes", {"routes": [
        {"destination": "198.51.100.0/24", "nexthop": f"10.2.0.{last}", **more}
        for last, more in ((5, {"weight": 3}), (6, {}), (7, {"distance": 2}))]})


def questions(net: Net) -> None:
    """What is asked where only DHCPv4 is served, on a dual-stack network, and where others advertise the router."""
    four = net.network("four", subnets=("10.0.0.0/24",))
    dual = net.network("dual", subnets=("10.0.0.0/24",))
    net.subnet(dual, "2001:db8::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    told = net.network("told", subnets=())
    net.subnet(told, "2001:db8::/64", ipv6_address_mode="dhcpv6-stateful")
    for name, network in (("a", four), ("b", dual), ("c", told)):
        net.port(name, network=network, on="host1", groups=[])


def router_advertisements(net: Net) -> None:
    questions(net)


@pytest.mark.parametrize(
    "make", (switching, provider_networks, routing, extra_routes, port_security, neighbours, security_groups, dhcp,
             questions, router_advertisements), ids=lambda make: make.__name__
)
def test_the_flows_are_those_that_were_read_and_agreed_to(
    net: Net, make: Callable[[Net], None], request: pytest.FixtureRequest
) -> None:
    make(net)
    found, file = golden(net, make.__name__), FOLDER / f"{make.__name__}.flows"
    if request.config.getoption("--golden"):
        file.write_text(found)
    assert found == file.read_text(), "if this is as it should be: pytest --golden, and read the difference"


def test_the_same_cloud_built_in_another_order_has_the_same_text() -> None:
    """Numbers and MACs are given in order of creation, and none of them is in the text."""

    def cloud(order: tuple[str, ...]) -> Net:
        net = Net()
        group = net.group("web")
        net.rule(group, remote=group)
        net.network("red", subnets=("10.0.0.0/24",))
        for name in order:
            net.port(
                name, on={"a": "host1", "b": "host2", "c": "host1"}[name], ip=f"10.0.0.{ord(name)}", groups=[group]
            )
        return net

    one, other = cloud(("a", "b", "c")), cloud(("c", "b", "a"))
    for app in ("switching", "port_security", "neighbours", "security_groups", "dhcp", "questions"):
        assert in_no_order(golden(one, app)) == in_no_order(golden(other, app))


def in_no_order(text: str) -> list[list[str]]:
    """Lines of flows, each as its sorted parts: copies are made in the order in which ports came to be."""
    return sorted(sorted(line.replace("actions=", ",").split(",")) for line in text.splitlines())
