"""Paths that follow what is seen of links, against paths found from nothing, and against networkx."""

from __future__ import annotations

import random
from typing import Any

import networkx
import pytest

from apps.multipath import equal
from apps.transport import onward
from controller.derived import Derived, differing
from tests.kit.links import member, meshed
from tests.laws.fabric import load
from tests.topology.plain import Plain, dpid
from topology.detours import detours
from topology.paths import COST, COSTS
from topology.trees import Trees, trees

SWITCHES, WIRES, STEPS = 9, 24, 60


class Wires:
    """Wires between chance switches, some of them parallel; each direction is seen, or not, by itself, now so, now otherwise."""

    def __init__(self, net: Plain, chance: random.Random) -> None:
        self.net, self.chance = net, chance
        pairs = [chance.sample(range(1, SWITCHES + 1), 2) for _ in range(WIRES - 4)]
        self.ends = [(one, 2 * place, other, 2 * place + 1) for place, (one, other) in enumerate([*pairs, *pairs[:4]], 1)]

    def change(self) -> None:
        """One direction is seen, or no more; now and then both of several."""
        puts, removed = [], []
        for _ in range(self.chance.choice((1, 1, 2, 8))):
            one, port, other, into = self.chance.choice(self.ends)
            both = [(one, port, other, into), (other, into, one, port)]
            for source, number, target, end in both if self.chance.random() < 0.8 else both[:1]:
                if self.chance.random() < 0.4:
                    removed.append(("link", f"{dpid(source)}:{number}"))
                else:
                    puts.append(("link", {
                        "id": f"{dpid(source)}:{number}", "source_switch_id": dpid(source), "source_port": number,
                        "target_switch_id": dpid(target), "target_port": end, "speed": self.chance.choice((None, 100, 1000, 10_000)),
                        "latency": self.chance.choice((None, 0, 10, 900))}))
        self.net.learn(puts, removed)

    def graph(self, by: str) -> Any:
        """What carries frames: wires that are seen both ways, of which the dearer direction counts."""
        found, seen = networkx.MultiGraph(), {link.id: link for link in self.net.model.find("link", "all", True)}
        for one, port, other, into in self.ends:
            ways = [seen.get(f"{dpid(one)}:{port}"), seen.get(f"{dpid(other)}:{into}")]
            if None not in ways:
                found.add_edge(dpid(one), dpid(other), cost=max(price(by, way) for way in ways))
        return found


def price(by: str, link: Any) -> int:
    if by == "hop":
        return 1
    if by == "speed":
        return {None: 100, 100: 1000, 1000: 100, 10_000: 10}[link.speed]
    return 1000 if link.latency is None else max(1, int(link.latency))


@pytest.mark.parametrize("by", COSTS)
def test_paths_follow_links_that_are_parallel_or_lead_one_way_as_if_found_from_nothing(by: str) -> None:
    net = meshed(networkx.empty_graph(SWITCHES), settings={"path_cost": by})
    red = net.network("red", subnets=())
    for switch in range(1, SWITCHES, 2):
        member(net, red, f"red{switch}", switch)
    wires, switches = Wires(net, random.Random(COSTS.index(by))), [dpid(number) for number in range(1, SWITCHES + 1)]
    for _ in range(STEPS):
        wires.change()
        world, anew = net.compiler.world, load(net.model).world
        found, graph = world.ask(trees), wires.graph(by)
        fresh = Trees.over(found.around)
        assert (found.distance, found.steps, found.wires) == (fresh.distance, fresh.steps, fresh.wires)
        assert {target: {source: weight >> COST for source, weight in ways.items()} for target, ways in found.distance.items()} == dict(
            networkx.all_pairs_dijkstra_path_length(graph, weight="cost"))
        around, once = ({switch: held for switch, held in each.ask(detours).at.items() if held} for each in (world, anew))
        assert around == once
        for switch in switches:
            assert world.ask(equal, switch) == anew.ask(equal, switch)
            assert dict(world.ask(onward, switch).entries) == dict(anew.ask(onward, switch).entries)


@pytest.mark.parametrize("number", range(3))
def test_a_derived_mapping_is_a_mapping_that_says_what_may_differ(number: int) -> None:
    chance = random.Random(number)
    known: list[Derived] = [Derived({})]
    for _ in range(200):
        made = Derived(chance.choice(known[-3:]))
        for _ in range(chance.randrange(3)):
            if chance.random() < 0.5:
                made.put(chance.randrange(9), chance.randrange(2))
            else:
                made.drop(chance.randrange(9))
        known.append(made)
        for other in known[-6:]:
            assert (made == other) == (dict(made) == dict(other)) != (made != other)
            if (keys := differing(made, other)) is not None:
                assert {key for key in {*made, *other} if made.get(key, -1) != other.get(key, -1)} <= set(keys)
    assert differing(known[-1], dict(known[-1])) is None and known[-1] == dict(known[-1])
