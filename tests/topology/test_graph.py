"""The graph of switches: what is on it, and when it is another."""

from __future__ import annotations

from typing import Any

from controller.compile import Compiler
from tests.kit.worlds import World
from topology.graph import graph

A, B = "000000000000000a", "000000000000000b"


class Seen:
    """Switches and links as facts, and the graph that follows from them."""

    def __init__(self, *switches: str) -> None:
        self.world = World()
        self.compiler = Compiler(self.world.model, [], [], strict=True)
        self.learn(*(("switch", {"id": switch}) for switch in switches))

    def learn(self, *puts: tuple[str, dict[str, Any]], removed: Any = ()) -> None:
        self.compiler.update(self.world.writer.learn(puts, removed))

    def way(self, source: str, port: int, target: str, target_port: int, **more: Any) -> None:
        """One direction of a wire is seen."""
        self.learn(("link", {"id": f"{source}:{port}", "source_switch_id": source, "source_port": port,
                             "target_switch_id": target, "target_port": target_port, **more}))

    def wire(self, source: str, port: int, target: str, target_port: int, **more: Any) -> None:
        self.way(source, port, target, target_port, **more)
        self.way(target, target_port, source, port, **more)

    @property
    def graph(self) -> Any:
        return self.compiler.world.ask(graph)


def test_a_wire_seen_both_ways_is_two_edges_with_its_ports_speed_and_latency() -> None:
    seen = Seen(A, B)
    seen.wire(A, 1, B, 2, speed=1000, latency=70)
    assert sorted(seen.graph.edges(keys=True, data=True)) == [
        (A, B, 1, {"port": 1, "target_port": 2, "speed": 1000, "latency": 70}),
        (B, A, 2, {"port": 2, "target_port": 1, "speed": 1000, "latency": 70})]


def test_a_wire_seen_one_way_only_is_on_no_path() -> None:
    seen = Seen(A, B)
    seen.way(A, 1, B, 2)
    assert set(seen.graph) == {A, B} and not seen.graph.edges
    seen.way(B, 2, A, 1)
    assert seen.graph.number_of_edges() == 2


def test_two_one_way_wires_are_not_taken_for_one_two_way_wire() -> None:
    seen = Seen(A, B)
    seen.way(A, 1, B, 2)
    seen.way(B, 3, A, 4)
    assert not seen.graph.edges


def test_parallel_wires_are_edges_of_their_own() -> None:
    seen = Seen(A, B)
    seen.wire(A, 1, B, 1)
    seen.wire(A, 2, B, 2)
    assert seen.graph.number_of_edges(A, B) == seen.graph.number_of_edges(B, A) == 2


def test_the_graph_is_the_same_object_until_a_link_changes() -> None:
    seen = Seen(A, B)
    seen.wire(A, 1, B, 2)
    before = seen.graph
    seen.learn(("host", {"id": "h", "hostname": "h"}))
    seen.way(A, 1, B, 2)                                    # heard again
    assert seen.graph is before
    seen.learn(removed=[("link", f"{A}:1")])
    assert seen.graph is not before and not seen.graph.edges
