"""NDP proxies: who asks outside for the address of a machine behind a router is answered by the router.

What is then sent to the router goes the way of all that comes in. A router that has `enable_ndp_proxy` lets nothing else of
IPv6 in: only addresses that it answers for.
"""
from __future__ import annotations

from typing import Any

from apps.outside import announcement, answer, brought_within, by_wire, on_gateway, outside
from apps.pipeline import NAT_IN, NETWORK, ROUTER
from apps.places import gates
from controller.app import Missing, Said, every, flows
from controller.openflow import match

APP = 71
IPV6 = 0x86dd


def gate(world: Any, proxy: Any) -> Any:
    """The gateway by which the router answers: the first one."""
    ports, router = world.ask(gates, proxy.router_id), world.get("router", proxy.router_id)
    if not ports or router is None or not router.enable_ndp_proxy:
        raise Missing("router", proxy.router_id)
    return ports[0]


def answers_at(world: Any, proxy: Any) -> tuple[str, ...]:
    ports = world.ask(gates, proxy.router_id)
    return tuple(on_gateway(world, ports[0])) if ports else ()


@flows(per="ndp_proxy", on=answers_at)
def answer_for(world: Any, proxy: Any) -> Any:
    port = gate(world, proxy)
    router, network = outside(world, port)
    yield answer(network, port.mac_address, proxy.ip_address)
    yield NAT_IN, "own", match({ROUTER: router.key, NETWORK: network.key, "eth_type": IPV6, "ipv6_dst": proxy.ip_address}), (
        brought_within(world, port))


@every(60, per="ndp_proxy", to=lambda world, proxy: by_wire(world, gate(world, proxy)), at_once=True)
def announce(world: Any, proxy: Any) -> Any:
    """The address is here: told when another host becomes the gateway host, and again in its turn."""
    port = gate(world, proxy)
    return announcement(world, port, [proxy.ip_address]) if on_gateway(world, port) else Said()
