"""Availability zones: a router leads outside from one of its zones while a host there can, and from elsewhere otherwise."""

from __future__ import annotations

import pytest

from apps.availability_zones import zones
from controller.errors import Missing
from tests.kit.leading import WORLD, WORLD6, Leading
from tests.kit.net import Net
from tests.kit.worlds import ADMIN

HOSTS = ("host1", "host2", "host3", "host4")


def say_zones(net: Net, **named: str) -> None:
    for host, zone in named.items():
        row = net.model.get("host", host)
        net.learn([("host", {"id": host, "hostname": row.hostname, "tunnel_ip": row.tunnel_ip, "availability_zone": zone})])


@pytest.fixture
def cloud(net: Net) -> Leading:
    return Leading(net, cidrs=("10.1.0.0/24",), hosts=HOSTS, wires=HOSTS, world=(WORLD, WORLD6))


def wish(net: Net, cloud: Leading, *hints: str) -> None:
    """The router with other hints than it was made with, which only the model can say."""
    net.writer.changes.append(net.model.put("router", cloud.router.thing.row._replace(availability_zone_hints=hints)))
    net.settle()


def test_the_gateway_is_in_the_routers_zone_while_a_host_there_is_not_lost(net: Net, cloud: Leading) -> None:
    say_zones(net, host1="east", host2="east", host3="west", host4="west")
    for zone, inside in (("east", {"host1", "host2"}), ("west", {"host3", "host4"})):
        wish(net, cloud, zone)
        first = cloud.host()
        assert first in inside
        net.learn([("loss", {"id": net.switch_on(first)})])
        second = cloud.host()
        assert {first, second} == inside
        net.learn([("loss", {"id": net.switch_on(second)})])
        assert cloud.host() not in inside, "a way outside is worth more than where it is"
        net.learn([], [("loss", net.switch_on(host)) for host in inside])
        assert cloud.host() == first


def test_without_hints_zones_mean_nothing_and_a_host_that_changes_its_zone_gives_the_gateway_back(net: Net, cloud: Leading) -> None:
    before = cloud.host()
    say_zones(net, **dict.fromkeys(HOSTS, "east"))
    assert cloud.host() == before
    wish(net, cloud, "west")
    assert cloud.host() == before, "nobody is there"
    other = next(host for host in HOSTS if host != before)
    say_zones(net, **{other: "west"})
    assert cloud.host() == other
    say_zones(net, **{other: "east"})
    assert cloud.host() == before


def test_zones_are_listed_with_what_may_be_in_them_and_whether_a_host_is_left(net: Net, cloud: Leading) -> None:
    say_zones(net, host1="east", host2="west")
    net.host("host9")
    say_zones(net, host9="north")
    net.learn([("loss", {"id": net.switch_on("host2")})])
    assert {(one["name"], one["resource"], one["state"]) for one in zones(net.model)} == {
        ("east", "network", "available"), ("east", "router", "available"), ("west", "network", "unavailable"),
        ("west", "router", "unavailable"), ("north", "network", "available")}


def test_a_zone_that_there_is_not_is_refused(net: Net, cloud: Leading) -> None:
    say_zones(net, host1="east")
    with pytest.raises(Missing) as refused:
        net.writer.create(ADMIN, "router", [{"availability_zone_hints": ["north"]}])
    assert refused.value.type == "AvailabilityZoneNotFound"
    (made,) = net.writer.create(ADMIN, "router", [{"availability_zone_hints": ["east"]}])
    assert made.availability_zone_hints == ("east",)
