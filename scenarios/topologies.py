"""Topologies for Mininet beside its own `single`, `linear`, `tree` and `torus`:

    hadron serve --default-network flat
    mn --custom scenarios/topologies.py --topo fattree,4 --switch ovs,datapath=user --controller remote --test pingall

    ring,SWITCHES[,HOSTS]       switches in a ring, so many hosts on each
    fattree,PORTS[,PODS]        of switches with so many ports (Al-Fares et al., 2008); with fewer pods there is less of it
    atlas,NUMBER                a connected graph of networkx's atlas
"""

from __future__ import annotations

from typing import Any

import networkx
from mininet.topo import Topo


class Graph(Topo):
    """A switch for each node, numbered from 1, so many hosts on each of some of them, a wire for each edge."""

    def join(self, graph: Any, hosts: int = 1, on: Any = None) -> None:
        names = {node: self.addSwitch(f"s{number}", dpid=f"{number:016x}") for number, node in enumerate(graph, 1)}
        for node in graph if on is None else on:
            for _ in range(hosts):
                self.addLink(names[node], self.addHost(f"h{len(self.hosts()) + 1}"))
        for one, other in graph.edges():
            self.addLink(names[one], names[other])


class Ring(Graph):
    """Switches in a ring."""

    def build(self, switches: int = 4, hosts: int = 1) -> None:
        self.join(networkx.cycle_graph(int(switches)), int(hosts))


class FatTree(Graph):
    """Edge and aggregation switches in pods, and a core: each edge switch has half as many hosts as ports."""

    def build(self, ports: int = 4, pods: int = 0) -> None:
        half, pods = int(ports) // 2, int(pods) or int(ports)
        graph, edges = networkx.Graph(), []
        for pod in range(pods):
            for number in range(half):
                edges.append(("edge", pod, number))
                graph.add_edges_from((("edge", pod, number), ("aggregation", pod, above)) for above in range(half))
                graph.add_edges_from((("aggregation", pod, number), ("core", number, up)) for up in range(half))
        self.join(graph, half, edges)


class Atlas(Graph):
    """One of the 1 253 graphs of at most seven nodes."""

    def build(self, number: int = 1000, hosts: int = 1) -> None:
        graph = networkx.graph_atlas(int(number))
        if not len(graph) or not networkx.is_connected(graph):
            raise ValueError(f"atlas: graph {number} is not connected; choose another")
        self.join(graph, int(hosts))


topos = {"ring": Ring, "fattree": FatTree, "atlas": Atlas}
