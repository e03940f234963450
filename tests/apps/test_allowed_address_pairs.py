"""Allowed address pairs: further addresses from which a port may send."""

from __future__ import annotations

import pytest

from tests.kit import frames
from tests.kit.net import Net, Port


@pytest.fixture
def vrrp(net: Net) -> tuple[Port, Port]:
    """A port with an address, a block and an address with another MAC beside its own; and one who hears it."""
    open = net.group("open")
    for v in (4, 6):
        net.rule(open, "ingress", v=v)
    master = net.port(
        "master",
        on="host1",
        ip="10.0.0.5",
        groups=[open],
        pairs=["10.0.0.50", "10.8.0.0/28", ("10.0.0.60", "00:00:5e:00:01:07"), "2001:db8::50"],
    )
    return master, net.port("client", on="host2", ip=["10.0.0.6", "2001:db8::6"], groups=[open])


def test_a_port_may_send_from_its_allowed_address_pairs(net: Net, vrrp: tuple[Port, Port]) -> None:
    master, client = vrrp
    for mac, ip in (
        (master.mac, "10.0.0.50"),
        (master.mac, "10.8.0.0"),
        (master.mac, "10.8.0.15"),
        (master.mac, "2001:db8::50"),
        ("00:00:5e:00:01:07", "10.0.0.60"),
    ):
        to = client.ip if "." in ip else client.ip6
        net.send(master, frames.udp(mac, client.mac, ip, to, 1, 2)).reaches(client)
    for ip in ("10.0.0.50", "10.8.0.3"):
        net.send(master, frames.arp_request(master.mac, ip, ip)).reaches(client)
        net.send(master, frames.arp_reply(master.mac, ip, client.mac, client.ip)).reaches(client)
    net.send(master, frames.arp_request("00:00:5e:00:01:07", "10.0.0.60", "10.0.0.60")).reaches(client)
    net.send(master, frames.na(master.mac, "2001:db8::50")).reaches(client)


def test_a_pair_is_an_address_with_its_mac_and_not_each_by_itself(net: Net, vrrp: tuple[Port, Port]) -> None:
    master, client = vrrp
    for mac, ip in (
        ("00:00:5e:00:01:07", "10.0.0.5"),
        ("00:00:5e:00:01:07", "10.0.0.50"),
        (master.mac, "10.0.0.60"),
        (master.mac, "10.8.0.16"),
        (master.mac, "10.0.0.51"),
    ):
        net.send(master, frames.udp(mac, client.mac, ip, client.ip, 1, 2)).reaches_nobody(
            "source address is not the port's"
        )
        net.send(master, frames.arp_request(mac, ip, ip)).reaches_nobody("ARP with an address that is not the port's")


def test_a_frame_to_a_pairs_foreign_mac_reaches_the_port(net: Net, vrrp: tuple[Port, Port]) -> None:
    master, client = vrrp
    net.send(client, frames.udp(client.mac, "00:00:5e:00:01:07", client.ip, "10.0.0.60", 1, 2)).reaches(master)


def test_a_pair_that_is_taken_back_is_forged_from_then_on(net: Net, vrrp: tuple[Port, Port]) -> None:
    master, client = vrrp
    net.change(master, allowed_address_pairs=[])
    net.send(master, frames.udp(master.mac, client.mac, "10.0.0.50", client.ip, 1, 2)).reaches_nobody()
