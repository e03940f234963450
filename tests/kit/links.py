"""Fabrics of switches joined by links: any networkx graph as plain switches, with a port on each that is asked for.

    net = meshed(networkx.cycle_graph(6))            # switches 1 to 6, links as the graph has edges
    red = net.network("red", subnets=())
    a, b = member(net, red, "a", 1), member(net, red, "b", 4)
    net.send(raw(a, b)).reaches(b)                    # … over links: journey.links
    cut(net, 1, 2)                                    # the wire breaks, and the controller has not heard
    lose(net, 1, 2)                                   # … and the controller has
"""

from __future__ import annotations

import itertools
from typing import Any

import networkx

from tests.kit.net import Port, Thing
from tests.topology.plain import Plain, dpid

HOST_PORTS = 100


def numbered(graph: Any) -> list[tuple[int, int, int, int]]:
    """(switch, port, switch, port) of each edge of a graph; nodes become switches from 1 on."""
    names = {node: number for number, node in enumerate(sorted(graph, key=str), start=1)}
    ports: dict[int, Any] = {number: itertools.count(1) for number in names.values()}
    edges = sorted((names[one], names[other]) for one, other, *_ in graph.edges)
    return [(one, next(ports[one]), other, next(ports[other])) for one, other in edges]


def meshed(graph: Any, *, settings: dict[str, Any] | None = None, **more: Any) -> Plain:
    """A cloud on plain switches, joined as a graph is."""
    net = Plain(**settings or {})
    for number in range(1, len(graph) + 1):
        net.switch(number)
    for one, port, other, into in numbered(graph):
        net.wire((one, port), (other, into), **more)
    return net


def member(net: Plain, network: Thing, name: str, switch: int, **more: Any) -> Port:
    """A port of a network, plugged into a port of a switch that nobody else has."""
    used = [seen.ofport for seen in net.model.find("interface", "switch_id", dpid(switch))]
    port = max(used, default=HOST_PORTS) + 1
    net.interface(switch, port)
    return net.port(name, network=network, at=(switch, port), **more)


def ends(net: Plain, one: int, other: int) -> list[tuple[str, int]]:
    """Both ends of the links between two switches."""
    return [(link.source_switch_id, link.source_port) for link in net.model.find("link", "all", True)
            if {link.source_switch_id, link.target_switch_id} == {dpid(one), dpid(other)}]


def cut(net: Plain, one: int, other: int) -> None:
    """The links between two switches carry nothing; the switches see that their ports are down, and nobody else."""
    net.cut |= set(ends(net, one, other))


def lose(net: Plain, one: int, other: int) -> None:
    """The controller hears that the links between two switches are gone."""
    net.learn([], [("link", f"{switch}:{port}") for switch, port in ends(net, one, other)])


def bridges(graph: Any) -> set[frozenset[int]]:
    """The pairs of switches between which is a link that nothing leads around."""
    names = {node: number for number, node in enumerate(sorted(graph, key=str), start=1)}
    return {frozenset((names[one], names[other])) for one, other in networkx.bridges(networkx.Graph(graph))}
