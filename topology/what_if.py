"""What if wires, switches or hosts failed: who could not reach whom any more, and who would for a moment, or on another way.
Found on a copy of the graph; nothing is touched.

Two ports of one network, or of two that are routed to each other, reach each other if their switches are one; if both are
on hosts with tunnel addresses; or if a path over links joins them, or one to a host from which tunnels lead on (apps/ways.py,
apps/transport.py, apps/relays.py). What the wires between
hosts do is not known here: tunnels are taken for whole as long as both hosts are there.

    lost            no way is left
    moved           another way is taken than now …
    interrupted     … and not before the controller has found it: no switch knows a way around what has failed
"""
from collections import defaultdict
from itertools import combinations, product
from typing import NamedTuple

from apps.bandwidth import reserved, seat, shares, wishes
from apps.places import gateway_switch, plugged, routed, tunnel_address
from topology.detours import detours
from topology.graph import graph
from topology.in_use import ways
from topology.islands import relay_of

MOST = 200                          # ports that are named in an answer


class Failure(NamedTuple):
    """What fails: links, by the (switch, port) of both their ends; switches; and wires to machines, likewise."""
    links: frozenset = frozenset()
    switches: frozenset = frozenset()
    plugs: frozenset = frozenset()

    def breaks(self, wire):
        return wire.at in self.links or wire.source in self.switches or wire.target in self.switches


def cut(world, model, failure):
    """What would be lost. Plain data, ready for JSON."""
    before = world.ask(graph)
    after = before.copy()
    after.remove_nodes_from(failure.switches)
    after.remove_edges_from([(source, target, port) for source, target, port in before.edges(keys=True)
                             if (source, port) in failure.links])
    lost = Lost(world, model, parts(before), parts(after), failure)
    networks = [found for row in model.find("network", "all", True)
                if (found := lost.network(row))["pairs_lost"] or found["pairs_moved"]]
    circuits = circuits_without(world, model, failure)
    cut_off = sorted((id, counts) for id, counts in lost.ports.items() if counts["lost"] or counts["interrupted"])
    projects = lost.projects | {one["project_id"] for one in circuits if one["then"] == "cut"}
    return {"networks": networks, "projects": sorted(projects), **lost.sums,
            "ports_cut": sum(1 for _, counts in cut_off if counts["lost"]),
            "ports": [{"id": id, "name": model.get("port", id).name, **counts} for id, counts in cut_off[:MOST]],
            "circuits": circuits, "routers": lost.gateways(),
            "fine": not (lost.sums["pairs_lost"] or lost.gateways() or any(one["then"] == "cut" for one in circuits))}


def parts(found):
    """The part of the graph that each switch is in, as a number."""
    import networkx  # see topology/graph.py
    return {switch: number for number, part in enumerate(networkx.weakly_connected_components(found)) for switch in part}


class Lost:
    """Adds up what is lost, network by network."""

    def __init__(self, world, model, before, after, failure):
        self.world, self.model, self.before, self.after, self.failure = world, model, before, after, failure
        self.ports: dict[str, dict[str, int]] = defaultdict(lambda: {"lost": 0, "interrupted": 0})
        self.projects = set()
        self.sums = dict.fromkeys(("pairs", "pairs_lost", "pairs_moved", "pairs_interrupted"), 0)

    def network(self, network):
        """Pairs of its own ports, and those with ports of networks that come after it and are routed to it."""
        own, sums = self.seats(network.id), dict.fromkeys(self.sums, 0)
        for here, there in combinations(sorted(own), 2):
            self.pair(network.id, here, there, list(product(own[here], own[there])), sums)
        for switch, ports in own.items():
            self.pair(network.id, switch, switch, list(combinations(ports, 2)), sums)
        for other in [self.seats(id) for id in self.world.ask(routed, network.id) if id > network.id]:
            for here, there in product(sorted(own), sorted(other)):
                self.pair(network.id, here, there, list(product(own[here], other[there])), sums)
        for name, number in sums.items():
            self.sums[name] += number
        if sums["pairs_lost"]:
            self.projects.add(network.project_id)
        return {"id": network.id, "name": network.name, "project_id": network.project_id, **sums}

    def seats(self, network_id):
        """The network's ports that are plugged in, by switch: each with whether it loses its own wire or switch."""
        found = defaultdict(list)
        for port in self.model.find("port", "network_id", network_id):
            seen = self.world.known(plugged, port.id)
            if seen is not None:
                gone = seen.switch_id in self.failure.switches or (seen.switch_id, seen.ofport) in self.failure.plugs
                found[seen.switch_id].append((port, gone))
        return found

    def pair(self, network_id, here, there, pairs, sums):
        """All pairs of ports of two switches, or of one: ((port, gone), (port, gone)) each."""
        if not self.joined(here, there, self.before):
            return
        sums["pairs"] += len(pairs)
        parted = not self.joined(here, there, self.after)
        lost = [pair for pair in pairs if parted or pair[0][1] or pair[1][1]]
        sums["pairs_lost"] += len(lost)
        self.note(lost, "lost")
        if len(lost) == len(pairs) or here == there or self.by_tunnel(here, there):
            return
        left = [pair for pair in pairs if not (pair[0][1] or pair[1][1])]
        paths = [path for leg in self.legs(here, there) for path in ways(self.world, network_id, *leg)
                 if any(map(self.failure.breaks, path.wires))]
        sums["pairs_moved"] += len(left) if paths else 0
        if any(interrupts(self.world, self.failure, path) for path in paths):
            sums["pairs_interrupted"] += len(left)
            self.note(left, "interrupted")

    def joined(self, one, other, part):
        if one == other or one in part and part.get(one) == part.get(other):
            return True
        out = {part[switch] for switch in part if self.world.ask(tunnel_address, switch)}      # parts that tunnels lead to
        return all(switch in part and part[switch] in out for switch in (one, other)) or self.by_tunnel(one, other)

    def legs(self, one, other):
        """The parts of a way that lead over links: all of it, or up to a relay on either side."""
        if self.before.get(one) == self.before.get(other):
            return [(one, other)]
        return [(relay, end) for end in (one, other) if (relay := self.world.ask(relay_of, end)) is not None and relay != end]

    def by_tunnel(self, one, other):
        return all(self.world.ask(tunnel_address, switch) for switch in (one, other))

    def note(self, pairs, what):
        for pair in pairs:
            for port, _ in pair:
                self.ports[port.id][what] += 1
                if what == "lost":
                    self.projects.add(port.project_id)

    def gateways(self):
        """Routers whose way outside is on a switch that is gone."""
        gone = self.failure.switches
        return [{"id": row.id, "name": row.name, "project_id": row.project_id}
                for row in self.model.find("router", "all", True)
                if gone and self.world.ask(gateway_switch, row.id) in gone]


def interrupts(world, failure, path):
    """Whether a path breaks where its switches know no way around."""
    if any(switch in failure.switches for switch in path.switches):
        return True
    broken = [wire for wire in path.wires if failure.breaks(wire)]
    around = world.ask(detours).at if world.setting("path_protection") else {}
    instead = [around.get(wire.source, {}).get(wire.port) for wire in broken]
    return any(way is None or any(map(failure.breaks, way.wires)) for way in instead)


def circuits_without(world, model, failure):
    """Circuits that would be cut, and those that would take another path; `full` is the link without room for one."""
    asked, had = world.ask(wishes), world.ask(shares).given
    rows = {row.key: row for row in model.find("circuit", "all", True)}
    gone = {key for key, row in rows.items() for end in "az"
            if (at := seat(world, row, end)) and (at[0] in failure.switches or at in failure.plugs)}
    left = tuple(one for one in asked if one.key not in gone)
    then = reserved(world, left, failure.breaks).given if left else {}
    found = []
    for one in asked:
        once, now, row = had[one.key], then.get(one.key), rows[one.key]
        if once.path is None or now is not None and now.path == once.path:
            continue
        full = now.full if now is not None else None
        found.append({"id": row.id, "name": row.name, "project_id": row.project_id,
                      "then": "cut" if now is None or now.path is None else "moved",
                      "interrupted": interrupts(world, failure, once.path),
                      "path": list(now.path.switches) if now is not None and now.path is not None else [],
                      "full": f"{full.source}:{full.port}" if full is not None else None})
    return found
