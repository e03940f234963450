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


def test_who_is_outside_hears_that_nobody_has_an_ipv6_address(net, cloud):
    net.port("a", on="host1", network=cloud.inside)
    for left in (2, 64):
        heard = told(cloud, asked(cloud, cloud.gateway.mac, "2001:db8:1::99", left), cloud.host(), routing.APP)
        assert (heard["icmpv6_type"], heard["icmpv6_code"], heard["ipv6_src"]) == (1, 3, number(cloud.gateway.ip6))
