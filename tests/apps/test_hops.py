"""Who is outside sees the router on the way in, and hears of what it cannot deliver."""
from typing import Any

import pytest

from apps import hops, routing
from tests.kit import frames
from tests.kit.journey import answers, put_in
from tests.kit.leading import WORLD, WORLD6, Leading, number, open_group
from tests.kit.net import Net
from tests.kit.talk import packet_of
from tests.kit.wires import PHYSNET


@pytest.fixture
def cloud(net: Net) -> Leading:
    return Leading(net, cidrs=("10.1.0.0/24", "2001:db8:1::/64"), world=(WORLD, WORLD6), wires=("host1", "host2"))


def told(cloud: Leading, frame: bytes, host: str, app: int = hops.APP) -> dict[str, Any]:
    """What the machine outside hears from the controller about a packet of its own."""
    journey = cloud.net.send(cloud.away, frame).asks_controller(app)
    ((actions, error),) = answers(cloud.net, journey, frame)
    switch = cloud.net.model.get("uplink", f"{host}/{PHYSNET}").switch_id
    return put_in(cloud.net, switch, actions, packet_of(error)).reaches(cloud.away).arrived


def asked(cloud: Leading, mac: str, to: str, left: int, make: Any = frames.udp) -> bytes:
    ends = cloud.away.mac, mac, cloud.away.ip6 if ":" in to else cloud.away.ip, to
    return frames.aged(make(*ends, 40000, 33434) if make is frames.udp else make(*ends), left)


@pytest.mark.parametrize("host", ["host1", "host2"])
@pytest.mark.parametrize("left", [0, 1])
def test_on_the_way_to_a_floating_address_the_router_is_named_and_the_packet_is_quoted_as_it_was_sent(net, cloud, host, left):
    a = net.port("a", on=host, network=cloud.inside, groups=[open_group(net)])
    floating = cloud.floating(a)
    heard = told(cloud, asked(cloud, floating.mac, floating.ip, left), host)
    assert (heard["icmpv4_type"], heard["ipv4_src"]) == (11, number(cloud.gateway.ip))
    assert (heard["quoted"]["ipv4_dst"], heard["quoted"]["udp_dst"]) == (number(floating.ip), 33434)
    cloud.come_in(floating.mac, floating.ip).reaches(a)


def test_on_the_way_to_an_ipv6_address_the_router_is_named(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside, groups=[open_group(net, v=6)])
    heard = told(cloud, asked(cloud, cloud.gateway.mac, a.ip6, 1), cloud.host())
    assert (heard["icmpv6_type"], heard["ipv6_src"]) == (3, number(cloud.gateway.ip6))
    assert heard["quoted"]["ipv6_dst"] == number(a.ip6)
    cloud.come_in(cloud.gateway.mac, a.ip6).reaches(a)


@pytest.mark.parametrize("v", [4, 6])
def test_the_router_itself_is_the_last_hop_and_answers_whatever_the_time_to_live(net, cloud, v):
    net.port("a", on="host1", network=cloud.inside)
    own, kind = (cloud.gateway.ip6, "icmpv6_type") if v == 6 else (cloud.gateway.ip, "icmpv4_type")
    heard = told(cloud, asked(cloud, cloud.gateway.mac, own, 1, frames.echo), cloud.host())
    assert (heard[kind], heard["ipv6_src" if v == 6 else "ipv4_src"]) == (129 if v == 6 else 0, number(own))


@pytest.mark.parametrize("v", [4, 6])
def test_who_is_outside_hears_that_nobody_has_an_address_that_is_known_there(net, cloud, v):
    net.port("a", on="host1", network=cloud.inside)
    net.change(cloud.router.thing, external_gateway_info={"network_id": cloud.world.id, "enable_snat": False})
    to, said = ("2001:db8:1::99", {"icmpv6_type": 1, "icmpv6_code": 3, "ipv6_src": number(cloud.gateway.ip6)}) if v == 6 else \
        ("10.1.0.99", {"icmpv4_type": 3, "icmpv4_code": 1, "ipv4_src": number(cloud.gateway.ip)})
    for left in (2, 64):
        heard = told(cloud, asked(cloud, cloud.gateway.mac, to, left), cloud.host(), routing.APP)
        assert {name: heard[name] for name in said} == said


def test_an_address_that_is_translated_is_nobodys_outside_and_nothing_is_said_of_it(net, cloud):
    net.port("a", on="host1", network=cloud.inside)
    net.send(cloud.away, asked(cloud, cloud.gateway.mac, "10.1.0.99", 64)).reaches_nobody("no NAT entry")


def test_a_router_that_is_down_or_has_no_gateway_is_not_seen(net, cloud):
    a = net.port("a", on="host1", network=cloud.inside, groups=[open_group(net, v=6)])
    sent = asked(cloud, cloud.gateway.mac, a.ip6, 1)
    told(cloud, sent, cloud.host())
    net.change(cloud.router.thing, admin_state_up=False)
    net.send(cloud.away, sent).reaches_nobody()
    net.change(cloud.router.thing, admin_state_up=True, external_gateway_info=None)
    net.send(cloud.away, sent).reaches_nobody()
    assert not [key for host in ("host1", "host2") for key, flow in net.flows(host).items() if flow.cookie >> 56 == hops.APP]
