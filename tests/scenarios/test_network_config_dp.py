"""Machines that are configured by what is written for them, by Debian's own ifupdown, reach their network and others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from scenarios.lease6 import addresses6
from tests.kit import cloud_init
from tests.scenarios.far_gateway import BEYOND, GATEWAY, behind_far_gateway
from tests.scenarios.routed import Net, Place, Tenant
from tests.scenarios.site import Machine, Site, Wish, wait

pytestmark = pytest.mark.root
MODES = ("slaac", "dhcpv6-stateless", "dhcpv6-stateful")
FORMATS = pytest.mark.parametrize("format", ["interfaces", "cloud-init", "network-data"])


class World(NamedTuple):
    """`blank` has no addresses of its own yet; `far` is behind a router, on another host."""

    site: Site
    near: Net
    blank: Machine
    beside: Machine
    far: Machine


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Site(hosts=2) as site:
        acme = Tenant(site, "acme")
        near, off = acme.network(1), acme.network(2, kind="geneve")
        acme.router("r").join(near, off)
        beside, far = acme.machines(Place("beside", near, 2, 11), Place("far", off, 2))
        (blank,) = acme.machines(Place("blank", near, 1), addresses=False)
        yield World(site, near, blank, beside, far)


def written(world: World, machine: Machine, format: str) -> str:
    return world.site.hadron.text(f"/v2.0/ports/{machine.id}/network-config?format={format}")


def as_interfaces(format: str, text: str) -> str:
    """/etc/network/interfaces: as it is, or as cloud-init makes it of its own formats."""
    if format == "interfaces":
        return text
    if format == "network-data":
        return cloud_init.as_interfaces(cloud_init.state_of_openstack(json.loads(text)))
    return cloud_init.as_interfaces(cloud_init.state_of_version2(yaml.safe_load(text)))


def bring_up(machine: Machine, text: str, directory: Path) -> None:
    """ifup has dhclient write resolv.conf, leases and a pid: into places of the machine's own, not into those of its host."""
    file = directory / "interfaces"
    file.write_text(text)
    own = {name: directory / name for name in ("state", "etc", "dhcp", "run")}
    for one in own.values():
        one.mkdir()
    machine.vm.namespace.script("ip addr flush dev eth0; ip -6 addr flush dev eth0; ip link set eth0 down")
    machine.vm.namespace.script(
        f"cp -a /etc/. {own['etc']}; mount --bind {own['etc']} /etc; mkdir -p /var/lib/dhcp\n"
        f"mount --bind {own['dhcp']} /var/lib/dhcp; mount --bind {own['run']} /run\n"
        f"ifup --all --no-scripts --interfaces={file} --state-dir={own['state']}")


@FORMATS
def test_a_machine_configured_from_it_reaches_its_network_and_beyond(world: World, format: str, tmp_path: Path) -> None:
    blank = world.blank
    bring_up(blank, as_interfaces(format, written(world, blank, format)), tmp_path)
    (link,) = json.loads(blank.vm.run(["ip", "-j", "link", "show", "dev", "eth0"]).stdout)
    assert (link["mtu"], link["address"]) == (world.near.row["mtu"], blank.mac)
    for address in (world.beside.ip, world.beside.ip6, world.near.ip(1), world.near.ip(1, 6), world.far.ip, world.far.ip6):
        wait(lambda address=address: blank.vm.ping(address), f"{address} does not answer")


def test_a_machine_configured_from_it_has_a_gateway_outside_of_its_subnet(world: World, tmp_path: Path) -> None:
    behind = behind_far_gateway(world.site, "afar")
    bring_up(behind, written(world, behind, "interfaces"), tmp_path)
    for ip in (GATEWAY, BEYOND):
        wait(lambda to=ip: behind.vm.ping(to), f"{ip} does not answer")


@pytest.fixture(scope="module")
def of_modes(world: World) -> dict[str, list[Machine]]:
    """Two machines for each mode of IPv6 addresses, on two hosts."""
    wishes = []
    for number, mode in enumerate(MODES, 5):
        network = world.site.network(mode, subnets=())
        world.site.create("subnet", network_id=network["id"], project_id=mode, cidr=f"2001:db8:{number}::/64", ip_version=6,
                          ipv6_ra_mode=mode, ipv6_address_mode=mode)
        wishes += [Wish(f"{mode[-6:]}{host}", network, host, None) for host in (1, 2)]
    made = world.site.machines(*wishes, addresses=False)
    return {mode: made[2 * number:2 * number + 2] for number, mode in enumerate(MODES)}


@pytest.mark.parametrize(("mode", "format"), [*((mode, "interfaces") for mode in MODES), ("slaac", "network-data"),
                                             ("dhcpv6-stateful", "cloud-init")])
def test_a_machine_comes_to_its_own_address_by_the_mode(
        world: World, of_modes: dict[str, list[Machine]], mode: str, format: str, tmp_path: Path) -> None:
    for machine in of_modes[mode]:
        (tmp_path / machine.name).mkdir()
        bring_up(machine, as_interfaces(format, written(world, machine, format)), tmp_path / machine.name)
    one, other = of_modes[mode]
    for machine in (one, other):
        wait(lambda machine=machine: machine.ip6 in addresses6(machine.vm.namespace), f"{machine} has not its address", 20)
    wait(lambda: one.vm.ping(other.ip6), "the other does not answer")
