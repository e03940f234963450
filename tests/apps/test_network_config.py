"""What is written into machines: the same in all formats, the same as DHCP tells, and cloud-init takes it."""

from __future__ import annotations

import json
import random
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import yaml

from apps import dhcp
from apps.network_config import interface, render
from apps.network_formats import WRITERS
from controller.types import Record
from controller.world import Glance
from tests.kit import cloud_init
from tests.kit.dhcp import DISCOVER, ask, read
from tests.kit.interfaces import READERS, Meaning
from tests.kit.worlds import World

MODES = (None, "slaac", "dhcpv6-stateless", "dhcpv6-stateful")
DEVICE = Record(device="eth0")
SEEDS = range(40)


def some_port(seed: int) -> tuple[World, Any]:
    """A port as chance will have it, on a network with some subnets."""
    chance, world = random.Random(seed), World()
    network = world.make("network", mtu=chance.choice((0, 1280, 1400)))
    for number in range(chance.randint(0, 3)):
        four = f"10.{number}.0"
        world.make("subnet", network_id=network.id, ip_version=4, cidr=f"{four}.0/24", enable_dhcp=chance.random() < 0.8,
                   dns_nameservers=chance.sample(["192.0.2.1", "192.0.2.2", "0.0.0.0"], chance.randint(0, 2)),
                   host_routes=chance.sample([{"destination": "198.51.100.0/24", "nexthop": f"{four}.9"},
                                              {"destination": "203.0.113.7/32", "nexthop": f"{four}.8"}],
                                             chance.randint(0, 2)),
                   **({"gateway_ip": chance.choice((None, f"192.0.2.{200 + number}"))} if chance.random() < 0.5 else {}))
    for number in range(chance.randint(0, 2)):
        mode = chance.choice(MODES)
        modes = {"ipv6_address_mode": mode, "ipv6_ra_mode": chance.choice((mode, None))} if mode else {}
        world.make("subnet", network_id=network.id, ip_version=6, cidr=f"2001:db8:{number}::/64",
                   dns_nameservers=chance.sample(["2001:db8::53", "2001:db8::54"], chance.randint(0, 2)),
                   host_routes=chance.sample([{"destination": "2001:db8:f::/48", "nexthop": f"2001:db8:{number}::9"}],
                                             chance.randint(0, 1)),
                   gateway_ip=chance.choice((None, "fe80::1", f"2001:db8:{number}::1")), **modes)
    options = [("mtu", "1300"), ("dns-server", "192.0.2.9"), ("domain-name", "example.org"), ("router", ""),
               ("domain-search", "a.example,b.example"), ("classless-static-route", "192.0.2.128/25,10.0.0.7")]
    wanted = [{"opt_name": name, "opt_value": value} for name, value in chance.sample(options, chance.randint(0, 2))]
    subnets = world.model.find("subnet", "network_id", network.id)
    all_of_them = {"fixed_ips": [{"subnet_id": subnet.id} for subnet in subnets]} if chance.random() < 0.4 else {}
    return world, world.make("port", network_id=network.id, extra_dhcp_opts=wanted, **all_of_them)


def meaning(world: World, port: Any, format: str) -> Meaning:
    return READERS[format](render(world.model, port, format, DEVICE))


@pytest.mark.parametrize("seed", SEEDS)
def test_all_formats_mean_the_same(seed: int) -> None:
    world, port = some_port(seed)
    meanings = {format: meaning(world, port, format) for format in WRITERS}
    assert len(set(meanings.values())) == 1, meanings
    assert set(WRITERS) == set(READERS)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_written_is_what_the_model_says(seed: int) -> None:
    world, port = some_port(seed)
    found, subnets = meaning(world, port, "interfaces"), world.model.rows["subnet"]
    mine = {fixed.ip_address: subnets[fixed.subnet_id] for fixed in port.fixed_ips}
    assert found.mac == port.mac_address
    assert found.addresses == {f"{ip}/{subnet.cidr.partition('/')[2]}" for ip, subnet in mine.items()
                               if not subnet.ipv6_address_mode}
    modes = {subnet.ipv6_address_mode for subnet in mine.values()} - {None}
    assert (found.hears_routers, found.asks_dhcpv6) == (bool(modes), "dhcpv6-stateful" in modes)
    destinations = [destination for destination, _ in found.routes]
    assert len(set(destinations)) == len(destinations), "two ways to one destination: a machine takes one"
    on_link = [ip_network(address, strict=False) for address in found.addresses]
    assert not {ip_network(destination) for destination in destinations} & set(on_link)
    on_link += [ip_network(destination) for destination, router in found.routes if not router]
    for _, router in found.routes:
        reached = not router or router.startswith("fe80:") or any(ip_address(router) in block for block in on_link)
        assert reached or router in str(port.extra_dhcp_opts), f"{router} is not on the link"


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_written_is_what_dhcp_tells(seed: int) -> None:
    world, port = some_port(seed)
    offered = dhcp.offer(Glance(world.model), port, ask(port.mac_address, DISCOVER))
    four = [fixed for fixed in port.fixed_ips if ":" not in fixed.ip_address]
    if not offered or len(four) > 1:
        return
    told, found = read(offered[0]), meaning(world, port, "cloud-init")
    assert told.yiaddr == four[0].ip_address
    assert int.from_bytes(told.options[26], "big") == found.mtu
    ways = {destination: router for destination, router in found.routes if ":" not in destination}
    routes = dict(_classless(told.options[121])) if 121 in told.options else {}
    assert ways == {key: value if value != "0.0.0.0" else "" for key, value in routes.items()} or not routes
    router = told.options.get(3)
    if router and not routes:
        assert ways == {"0.0.0.0/0": ".".join(map(str, router))}
    dns = told.options.get(6, b"")
    assert [ip for ip in found.dns if ":" not in ip] == [".".join(map(str, dns[at:at + 4])) for at in range(0, len(dns), 4)]
    assert (found.search[:1] == (told.options[15].decode(),)) if 15 in told.options else True


def _classless(raw: bytes) -> list[tuple[str, str]]:
    found = []
    while raw:
        size = (raw[0] + 7) // 8
        destination, router = raw[1:1 + size] + bytes(4 - size), raw[1 + size:5 + size]
        found.append((f"{'.'.join(map(str, destination))}/{raw[0]}", ".".join(map(str, router))))
        raw = raw[5 + size:]
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_cloud_init_takes_it_and_can_write_it_for_every_system(seed: int) -> None:
    world, port = some_port(seed)
    states = [cloud_init.state_of_version2(yaml.safe_load(render(world.model, port, "cloud-init", DEVICE))),
              cloud_init.state_of_openstack(json.loads(render(world.model, port, "network-data", DEVICE)))]
    wanted = meaning(world, port, "interfaces")
    for state in states:
        (nic,) = [nic for nic in state.iter_interfaces() if nic["name"] == "eth0"]
        static = [subnet for subnet in nic["subnets"] if subnet["type"] in ("static", "static6")]
        assert {f"{subnet['address']}/{subnet['prefix']}" for subnet in static} == wanted.addresses
        routes = {(f"{way['network']}/{way['prefix']}", way["gateway"]) for subnet in nic["subnets"]
                  for way in subnet["routes"]}
        routes |= {("::/0" if ":" in subnet["gateway"] else "0.0.0.0/0", subnet["gateway"])
                   for subnet in static if "gateway" in subnet}
        assert routes == {(to, via or "0.0.0.0") for to, via in wanted.routes}
        assert int(nic["mtu"]) == wanted.mtu and nic["mac_address"] == wanted.mac
        assert set(state.dns_nameservers) == set(wanted.dns)
        for write in (cloud_init.as_interfaces, cloud_init.as_netplan, cloud_init.as_networkd):
            assert write(state)


def test_a_machine_without_addresses_has_its_mac_and_mtu() -> None:
    world = World()
    port = world.make("port", network_id=world.make("network").id)
    assert {meaning(world, port, format) for format in WRITERS} == {
        Meaning(port.mac_address, 1450, frozenset(), frozenset(), (), (), False, False)}


def test_a_subnet_without_dhcp_is_written_all_the_same() -> None:
    world = World()
    network = world.make("network")
    world.make("subnet", network_id=network.id, ip_version=4, cidr="10.0.0.0/24", enable_dhcp=False,
               dns_nameservers=["192.0.2.1"])
    found = interface(Glance(world.model), world.make("port", network_id=network.id))
    assert [(one.router, one.destination) for one in found.addresses[0].routes] == [
        (None, "169.254.169.254/32"), ("10.0.0.1", "0.0.0.0/0")]
    assert found.dns == ("192.0.2.1",)
