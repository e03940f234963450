"""DHCP on a subnet whose gateway is a router: the server's address is the router's, and clients notice nothing."""
from __future__ import annotations

import apps.dhcp
from tests.apps.test_routing import Router
from tests.kit import frames
from tests.kit.dhcp import ACK, DISCOVER, OFFER, REQUEST, ask, read


def test_the_router_answers_for_the_gateway_and_the_server_keeps_silent(net):
    red = net.network("red", subnets=("10.1.0.0/24",))
    a = net.port("a", on="host1", network=red)
    question = frames.arp_request(a.mac, a.ip, "10.1.0.1")
    net.send(a, question).answered(arp_sha=apps.dhcp.server_mac(red.row))
    router = Router(net).join(red)
    net.send(a, question).answered(arp_sha=router.on(red).mac)
    router.leave(red)
    net.send(a, question).answered(arp_sha=apps.dhcp.server_mac(red.row))


def test_a_client_renews_by_way_of_the_router(net):
    red = net.network("red", subnets=("10.1.0.0/24",))
    a = net.port("a", on="host1", network=red)
    gateway = Router(net).join(red).on(red)
    world = net.compiler.world
    offer = read(apps.dhcp.offer(world, a.row, ask(a.mac, DISCOVER))[0])
    assert (offer.kind, offer.yiaddr, offer.from_ip) == (OFFER, a.ip, "10.1.0.1")
    renewal = ask(a.mac, REQUEST, ciaddr=a.ip, destination="10.1.0.1", to_mac=gateway.mac)
    assert len(net.send(a, renewal).punts) == 1, "goes to the controller, whoever it is addressed to"
    answer = read(apps.dhcp.offer(world, a.row, renewal)[0])
    assert (answer.kind, answer.yiaddr) == (ACK, a.ip)
