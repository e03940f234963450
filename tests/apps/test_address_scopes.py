"""Address scopes: routed as it is within one, kept apart from others, translated only outside of it."""
import pytest

import apps.address_scopes
from tests.kit import frames
from tests.kit.leading import Leading, number, open_group
from tests.kit.net import Net, Thing
from tests.kit.router import ping
from tests.kit.talk import SYN_ACK, Said
from tests.kit.wires import flat

SCOPED, SIX = "10.1.0.0/24", "2001:db8:1::/64"
OTHER, OTHER6 = "10.2.0.0/24", "2001:db8:2::/64"


class Scoped(Leading):
    """The router's network `inside` and the external network are of one scope for each IP version."""

    def __init__(self, net: Net, **more) -> None:
        self.scopes = {v: net._create("address_scope", f"scope {v}", "acme", {"ip_version": v, "shared": True}) for v in (4, 6)}
        blocks = {4: ["10.1.0.0/16", "203.0.113.0/24"], 6: ["2001:db8:1::/48", "2001:db8:f00d::/48"]}
        self.pools = {v: net._create("subnetpool", f"pool {v}", "acme", {
            "prefixes": blocks[v], "address_scope_id": self.scopes[v].id, "shared": True}) for v in (4, 6)}
        world = flat(net, "world", subnets=(), project="admin", **{"router:external": True})
        for cidr in ("203.0.113.0/24", "2001:db8:f00d::/64"):
            self.scope(net, world, cidr)
        super().__init__(net, cidrs=(), **more)
        for cidr in (SCOPED, SIX):
            self.scope(net, self.inside, cidr)
        self.router.join(self.inside)
        self.other = net.network("other", subnets=(OTHER, OTHER6))
        self.router.join(self.other)
        self.group = open_group(net)
        net.rule(self.group, "ingress", "tcp", 22, v=6)
        for v in (4, 6):
            net.rule(self.group, "ingress", "icmp" if v == 4 else "ipv6-icmp", v=v)

    def scope(self, net: Net, network: Thing, cidr: str) -> None:
        net.subnet(network, cidr, subnetpool_id=self.pools[6 if ":" in cidr else 4].id)


@pytest.fixture
def cloud(net):
    return Scoped(net)


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_within_a_scope_addresses_go_out_as_they_are_and_are_reached_by_them(net, cloud, host):
    a = net.port("a", on=host, network=cloud.inside, groups=[cloud.group])
    for v, own in ((4, a.ip), (6, a.ip6)):
        field = "ipv6_src" if v == 6 else "ipv4_src"
        assert net.send(cloud.out(a, v=v)).reaches(cloud.away).arrived[field] == number(own)
        cloud.come_in(cloud.gateway.mac, own, 22).reaches(a)
        assert net.send(cloud.out(a, 5000, source_port=22, v=v, flags=SYN_ACK)).reaches(cloud.away).arrived[field] == number(own)
        cloud.come_in(cloud.gateway.mac, own, 23).reaches_nobody("receiver")


def test_what_is_of_another_scope_is_translated_and_not_reached(net, cloud):
    b = net.port("b", on="host1", network=cloud.other, groups=[cloud.group])
    out = frames.tcp(b.mac, cloud.router.on(cloud.other).mac, b.ip, cloud.away.ip, 40000, 80)
    assert net.send(Said(b, out)).reaches(cloud.away).arrived["ipv4_src"] == number(cloud.gateway.ip)
    cloud.come_in(cloud.gateway.mac, b.ip, 22).reaches_nobody("no NAT entry")
    cloud.come_in(cloud.gateway.mac, b.ip6, 22).reaches_nobody("no NAT entry")
    six = frames.tcp(b.mac, cloud.router.on(cloud.other, 6).mac, b.ip6, cloud.away.ip6, 40000, 80)
    net.send(Said(b, six)).reaches_nobody("between two address scopes")


def test_without_snat_another_scope_does_not_get_out_but_by_a_floating_address(net, cloud):
    b = net.port("b", on="host1", network=cloud.other, groups=[cloud.group])
    net.change(cloud.router.thing, external_gateway_info={"network_id": cloud.world.id, "enable_snat": False})
    out = Said(b, frames.tcp(b.mac, cloud.router.on(cloud.other).mac, b.ip, cloud.away.ip, 40000, 80))
    net.send(out).reaches_nobody("between two address scopes")
    floating = cloud.floating(b)
    assert net.send(out).reaches(cloud.away).arrived["ipv4_src"] == number(floating.ip)
    cloud.come_in(floating.mac, floating.ip, 22).reaches(b)


@pytest.mark.parametrize("v", [4, 6])
def test_two_scopes_of_one_router_do_not_meet_and_two_networks_of_one_do(net, cloud, v):
    a, b = (net.port(name, on="host1", network=network, groups=[cloud.group])
            for name, network in (("a", cloud.inside), ("b", cloud.other)))
    for one, other, network in ((a, b, cloud.inside), (b, a, cloud.other)):
        net.send(ping(one, cloud.router.on(network, v), other, v=v)).reaches_nobody("between two address scopes")
    more = net.network("more", subnets=())
    cloud.scope(net, more, "2001:db8:1:2::/64" if v == 6 else "10.1.2.0/24")
    cloud.router.join(more)
    c = net.port("c", on="host2", network=more, groups=[cloud.group])
    net.send(ping(a, cloud.router.on(cloud.inside, v), c, v=v)).reaches(c)
    net.send(ping(b, cloud.router.on(cloud.other, v), c, v=v)).reaches_nobody("between two address scopes")


def test_routes_lead_into_no_other_scope_either(net, cloud):
    a, b = (net.port(name, on="host1", network=network, groups=[cloud.group])
            for name, network in (("a", cloud.inside), ("b", cloud.other)))
    cloud.router.route(("10.9.0.0/16", b.ip))
    net.send(ping(a, cloud.router.on(cloud.inside), "10.9.0.7")).reaches_nobody("between two address scopes")


def test_who_has_a_floating_address_too_answers_with_the_one_that_was_asked(net, cloud):
    a = net.port("a", on="host2", network=cloud.inside, groups=[cloud.group])
    floating = cloud.floating(a)
    for mac, address, port in ((cloud.gateway.mac, a.ip, 5000), (floating.mac, floating.ip, 5001)):
        cloud.come_in(mac, address, 22, source_port=port).reaches(a)
        answer = cloud.out(a, port, source_port=22, flags=SYN_ACK)
        assert net.send(answer).reaches(cloud.away).arrived["ipv4_src"] == number(address)


def test_without_scopes_nothing_is_kept_apart(net):
    cloud = Leading(net)
    net.port("a", on="host1", network=cloud.inside)
    assert not [entry for host in ("host1", "host2") for entry in net.flows(host).values()
                if entry.why and entry.why.app == apps.address_scopes.APP]
