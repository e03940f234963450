"""Names that are known beyond their own network: across routers, and by floating IPs."""
from __future__ import annotations

from typing import Any

import dns.rcode
import dns.reversename
import pytest

from tests.kit.leading import Leading
from tests.kit.net import Net, Thing
from tests.kit.questions import ask, found
from tests.kit.router import Router

ZONE = "openstacklocal"


def pointer(address: str) -> str:
    return str(dns.reversename.from_address(address).to_text())


# ---- across routers

def test_a_name_is_known_where_a_router_leads_and_no_longer_than_it_does(net: Net, red: Thing, blue: Thing) -> None:
    there = net.port("there", network=blue, dns_name="there")
    net.port("here", network=red, dns_name="here")
    assert ask(net, red, f"there.{ZONE}").rcode() == dns.rcode.NXDOMAIN
    router = Router(net).join(red, blue)
    for name in ("there", f"there.{ZONE}"):
        assert (found(ask(net, red, name)), found(ask(net, red, name, "AAAA"))) == ([there.ip], [there.ip6])
    for address in (there.ip, there.ip6):
        assert found(ask(net, red, pointer(address), "PTR")) == [f"there.{ZONE}."]
    assert ask(net, red, f"nobody.{ZONE}").rcode() == dns.rcode.NXDOMAIN
    assert ask(net, red, pointer("10.2.0.77"), "PTR").rcode() == dns.rcode.NXDOMAIN
    router.leave(blue)
    assert ask(net, red, f"there.{ZONE}").rcode() == dns.rcode.NXDOMAIN
    assert ask(net, red, pointer(there.ip), "PTR").rcode() == dns.rcode.REFUSED


def test_ones_own_network_comes_first_and_a_domain_tells_names_apart(net: Net) -> None:
    red = net.network("red", subnets=("10.1.0.0/24",), dns_domain="red.example.")
    blue = net.network("blue", subnets=("10.2.0.0/24",), dns_domain="blue.example.")
    a, b = (net.port(f"web {one.name}", network=one, dns_name="web") for one in (red, blue))
    Router(net).join(red, blue)
    for network, own in ((red, a), (blue, b)):
        assert found(ask(net, network, "web")) == [own.ip]
        assert found(ask(net, network, "web.red.example")) == [a.ip]
        assert found(ask(net, network, "web.blue.example")) == [b.ip]
        assert ask(net, network, "db.blue.example").rcode() == dns.rcode.NXDOMAIN


def test_names_of_another_projects_network_stay_there_though_a_router_leads_to_it(net: Net, red: Thing) -> None:
    other = net.network("other", subnets=("10.2.0.0/24",), project="other")
    secret = net.port("secret", network=other, dns_name="secret")
    Router(net).join(red, other)
    assert ask(net, red, f"secret.{ZONE}").rcode() == dns.rcode.NXDOMAIN
    assert ask(net, red, pointer(secret.ip), "PTR").rcode() == dns.rcode.REFUSED


# ---- floating IPs

@pytest.fixture
def cloud(net: Net) -> Leading:
    return Leading(net)


def floating(cloud: Leading, **more: Any) -> Any:
    return cloud.floating(cloud.net.port("a", network=cloud.inside, dns_name="inner"), **more)


def test_a_floating_ips_name_is_its_address_for_every_machine_of_its_project(net: Net, cloud: Leading, red: Thing) -> None:
    one = floating(cloud, dns_name="www", dns_domain="acme.example.")
    for network in (cloud.inside, red):
        assert found(ask(net, network, "www.acme.example")) == [one.ip]
        assert found(ask(net, network, pointer(one.ip), "PTR")) == ["www.acme.example."]
        assert ask(net, network, "www.acme.example", "AAAA").rcode() == dns.rcode.NOERROR
        assert ask(net, network, "other.acme.example").rcode() == dns.rcode.REFUSED, "the domain may have other names outside"
    other = net.network("other", project="other")
    assert ask(net, other, "www.acme.example", asker="other").rcode() == dns.rcode.REFUSED
    net.remove(one)
    assert ask(net, red, "www.acme.example").rcode() == dns.rcode.REFUSED


def test_without_a_domain_it_is_in_that_of_its_network(net: Net, cloud: Leading, red: Thing) -> None:
    one = floating(cloud, dns_name="www")
    assert found(ask(net, red, f"www.{ZONE}")) == [one.ip]
    net.change(cloud.world, dns_domain="world.example.")
    assert found(ask(net, red, "www.world.example")) == [one.ip]
    assert ask(net, red, f"www.{ZONE}").rcode() == dns.rcode.NXDOMAIN


def test_without_a_name_it_is_called_as_its_port_is_where_that_has_a_domain_of_its_choice(
        net: Net, cloud: Leading, red: Thing) -> None:
    one = floating(cloud)
    assert ask(net, red, f"inner.{ZONE}").rcode() == dns.rcode.NXDOMAIN
    net.change(cloud.inside, dns_domain="in.example.")
    assert found(ask(net, red, "inner.in.example")) == [one.ip]
    (own,) = found(ask(net, cloud.inside, "inner.in.example"))
    assert own.startswith("10.1.0."), "on its own network a name is its own address"
    net.change(one, port_id=None)
    assert ask(net, red, "inner.in.example").rcode() == dns.rcode.REFUSED


# ---- subnets that publish

def test_names_on_a_subnet_that_publishes_them_are_known_on_every_network_of_the_project(
        net: Net, red: Thing, blue: Thing) -> None:
    there = net.port("there", network=blue, dns_name="there")
    assert ask(net, red, f"there.{ZONE}").rcode() == dns.rcode.NXDOMAIN
    (subnet,) = [row for row in net.model.find("subnet", "network_id", blue.id) if row.ip_version == 4]
    for publish, answer in ((True, [there.ip]), (False, [])):
        net.change(Thing(net, "subnet", subnet.id, "subnet"), dns_publish_fixed_ip=publish)
        assert found(ask(net, red, f"there.{ZONE}")) == answer
        assert found(ask(net, red, f"there.{ZONE}", "AAAA")) == [], "the other subnet does not"
        assert found(ask(net, red, pointer(there.ip), "PTR")) == ([f"there.{ZONE}."] if publish else [])
