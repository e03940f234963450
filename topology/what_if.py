"""What if wires, switches or hosts failed: who could not reach whom any more. Found on a copy of the graph; nothing is touched.

Two ports of one network, or of two that are routed to each other, reach each other if their switches are one; if both are
on hosts with tunnel addresses; or if a path over links joins them (apps/ways.py, apps/transport.py). What the wires between
hosts do is not known here: tunnels are taken for whole as long as both hosts are there.
"""
from collections import defaultdict
from itertools import combinations

from apps.places import gateway_switch, plugged, routed, tunnel_address
from topology.graph import graph

MOST = 200                          # ports that are named in an answer


def cut(world, model, links, switches):
    """What would be lost. `links`: ids of one direction of each wire; `switches`: ids. Plain data, ready for JSON."""
    before = world.ask(graph)
    after = before.copy()
    after.remove_nodes_from(switches)
    after.remove_edges_from([(source, target, port) for source, target, port, data in before.edges(keys=True, data=True)
                             if f"{source}:{port}" in links or f"{target}:{data['target_port']}" in links])
    lost = Lost(world, model, parts(before), parts(after), frozenset(switches))
    networks = [found for row in model.find("network", "all", True) if (found := lost.network(row))["pairs_lost"]]
    ports = sorted(lost.ports.items())
    return {"networks": networks, "projects": sorted(lost.projects), "pairs": lost.pairs, "pairs_lost": lost.pairs_lost,
            "ports_cut": len(ports), "ports": [{"id": id, "name": model.get("port", id).name, "lost": number}
                                               for id, number in ports[:MOST]],
            "routers": lost.gateways(), "fine": not networks and not lost.gateways()}


def parts(found):
    """The part of the graph that each switch is in, as a number."""
    import networkx  # see topology/graph.py
    return {switch: number for number, part in enumerate(networkx.weakly_connected_components(found)) for switch in part}


class Lost:
    """Adds up what is lost, network by network."""

    def __init__(self, world, model, before, after, gone):
        self.world, self.model, self.before, self.after, self.gone = world, model, before, after, gone
        self.ports, self.projects = defaultdict(int), set()
        self.pairs = self.pairs_lost = 0

    def network(self, network):
        """Pairs of its own ports, and those with ports of networks that come after it and are routed to it."""
        own = self.seats(network.id)
        others = [self.seats(id) for id in self.world.ask(routed, network.id) if id > network.id]
        all_pairs = lost = 0
        for here, there, same in [(own, own, True), *((own, other, False) for other in others)]:
            for one, other in (combinations(sorted(here), 2) if same else ((a, b) for a in sorted(here) for b in sorted(there))):
                number = len(here[one]) * len(there[other])
                if self.joined(one, other, self.before, frozenset()):
                    all_pairs += number
                    lost += self.lose(here[one], there[other]) if not self.joined(one, other, self.after, self.gone) else 0
            for switch in here.keys() & there.keys():
                inside = len(here[switch]) * (len(here[switch]) - 1) // 2 if same else len(here[switch]) * len(there[switch])
                all_pairs += inside
                lost += self.lose_within(here[switch], there[switch], same, inside) if switch in self.gone else 0
        self.pairs += all_pairs
        self.pairs_lost += lost
        if lost:
            self.projects.add(network.project_id)
        return {"id": network.id, "name": network.name, "project_id": network.project_id, "pairs": all_pairs, "pairs_lost": lost}

    def seats(self, network_id):
        """The network's ports that are plugged in, by switch."""
        found = defaultdict(list)
        for port in self.model.find("port", "network_id", network_id):
            seen = self.world.known(plugged, port.id)
            if seen is not None:
                found[seen.switch_id].append(port)
        return found

    def joined(self, one, other, part, gone):
        if one in gone or other in gone:
            return False
        if one == other or all(self.world.ask(tunnel_address, switch) for switch in (one, other)):
            return True
        return one in part and part.get(one) == part.get(other)

    def lose(self, some, others):
        for these, those in ((some, others), (others, some)):
            for port in these:
                self.ports[port.id] += len(those)
                self.projects.add(port.project_id)
        return len(some) * len(others)

    def lose_within(self, some, others, same, number):
        """All ports of a switch that is gone, among themselves."""
        if not same:
            return self.lose(some, others)
        for port in some:
            self.ports[port.id] += len(some) - 1
            self.projects.add(port.project_id)
        return number

    def gateways(self):
        """Routers whose way outside is on a switch that is gone."""
        return [{"id": row.id, "name": row.name, "project_id": row.project_id}
                for row in self.model.find("router", "all", True)
                if self.gone and self.world.ask(gateway_switch, row.id) in self.gone]
