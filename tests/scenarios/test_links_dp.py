"""Transport over links with real packets: switches that discovery and OpenFlow alone tell of, joined by wires that are cut."""

from __future__ import annotations

import itertools
import random
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx
import pytest

from scenarios.cloud import Cloud
from scenarios.controller import Hadron
from scenarios.mesh import EVERYBODY, Machine, Mesh, fat_tree
from scenarios.meshed import cut_each, paths_taken, upheld


def shapes() -> list[Any]:
    """Linear, tree, torus, fat tree, and twenty connected graphs of networkx's atlas."""
    atlas = [graph for graph in networkx.graph_atlas_g() if 4 <= len(graph) <= 5 and networkx.is_connected(graph)]
    return [networkx.path_graph(4), networkx.balanced_tree(2, 2), networkx.grid_2d_graph(3, 3, periodic=True), fat_tree(),
            *random.Random(7).sample(atlas, 20)]


def side_by_side(graphs: list[Any]) -> Any:
    """One graph of all, with numbers for nodes; text sorts as they do."""
    whole = networkx.disjoint_union_all([networkx.convert_node_labels_to_integers(graph) for graph in graphs])
    return networkx.relabel_nodes(whole, {node: f"{node:04}" for node in whole})


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud(hosts=1) as made:
        yield made


def serve(cloud: Cloud, directory: Path, **settings: Any) -> Hadron:
    return Hadron(directory, address=cloud.controller_address, adopt=["all"], settings=settings)


def test_on_every_topology_members_hear_each_other_once_and_nobody_else(cloud: Cloud, tmp_path: Path) -> None:
    """All of them at once, side by side: each has a network with a machine on every switch, and a second network."""
    graph = side_by_side(shapes())
    with serve(cloud, tmp_path) as hadron:
        mesh = Mesh(cloud.host(1), graph)
        mesh.wait_for_links(hadron)
        places = []
        for parts in networkx.connected_components(graph):
            red, blue = (hadron.create("network", name=name) for name in ("red", "blue"))
            switches = sorted(mesh.names[node] for node in parts)
            places += [(red, switch) for switch in switches] + [(blue, switches[0]), (blue, switches[-1])]
        machines = mesh.plug_all(hadron, places)
        mesh.wait_for_ports(hadron)
        networks: dict[str, list[Machine]] = {}
        for machine in machines:
            networks.setdefault(machine.port["network_id"], []).append(machine)
        for members in networks.values():
            for one, other in itertools.permutations(members, 2):
                one.send(other.mac, f"{one.device} to {other.device}".encode())
            for one in members:
                one.send(EVERYBODY, f"{one.device} to all".encode())
        for members in networks.values():
            for machine in members:
                machine.wait(2 * len(members) - 2)
        for members in networks.values():
            for machine in members:
                heard = Counter(frame[14:].rstrip(b"\0").decode() for frame in machine.listen())
                others = [one.device for one in members if one is not machine]
                assert heard == Counter([f"{one} to {machine.device}" for one in others] + [f"{one} to all" for one in others])
        mesh.remove()


@pytest.mark.parametrize(("protection", "most"), ((True, 50), (False, 1000)))
def test_any_link_that_is_cut_costs_milliseconds_and_one_that_comes_back_nothing(
        cloud: Cloud, tmp_path: Path, protection: bool, most: int) -> None:
    """1 000 frames a second over each link of a ring with a chord in turn."""
    with serve(cloud, tmp_path, path_protection=protection) as hadron:
        mesh = Mesh(cloud.host(1), networkx.Graph([*networkx.cycle_graph(4).edges, (0, 2)]))
        mesh.wait_for_links(hadron)
        red = hadron.create("network", name="red")
        machines = {one.switch: one for one in mesh.plug_all(hadron, [(red, number) for number in mesh.names.values()])}
        mesh.wait_for_ports(hadron)
        mesh.wait_for_switches(hadron)
        for one, other, costs in cut_each(mesh, hadron, machines, most):
            print(f"link {one} - {other}: {costs}")
            assert costs[-1].cut < most, f"link {one} - {other}: {costs} ms"
            assert costs[-1].mended == 0, f"lost while link {one} - {other} came back: {costs}"
        mesh.remove()


def test_connections_are_spread_over_equal_paths_each_keeps_to_one_and_answers_come_back_by_it(
        cloud: Cloud, tmp_path: Path) -> None:
    """A thousand five-tuples between two pods of a fat tree, seen at its four cores; each sent twice, and answered."""
    with serve(cloud, tmp_path) as hadron:
        mesh = Mesh(cloud.host(1), fat_tree())
        mesh.wait_for_links(hadron)
        red = hadron.create("network", name="red", port_security_enabled=False)
        one, other = mesh.plug_all(hadron, [(red, mesh.names["edge 0 0"]), (red, mesh.names["edge 3 1"])])
        mesh.wait_for_ports(hadron)
        taken = paths_taken(mesh, one, other, 1000)
        mesh.remove()
    assert len(taken) == 1000 and all(len(found) == 1 for found in taken.values()), "a connection over two paths"
    share = Counter(core for found in taken.values() for core in found)
    print(f"of 1000 connections each way: {dict(share)}")
    assert len(share) == 4 and all(250 * 0.75 <= count <= 250 * 1.25 for count in share.values()), share


def test_a_committed_rate_holds_beside_everything_else_and_any_frame_crosses_a_circuit_unchanged(
        cloud: Cloud, tmp_path: Path) -> None:
    """Wires of 20 Mbit/s; 8 are committed to a circuit, which sends 6, while a network sends 40 over the same wires."""
    with serve(cloud, tmp_path, link_speed_limit=20) as hadron:
        mesh = Mesh(cloud.host(1), networkx.path_graph(3))
        mesh.shape(20)
        mesh.wait_for_links(hadron)
        red = hadron.create("network", name="red")
        loud, deaf = mesh.plug_all(hadron, [(red, 1), (red, 3)])
        one, other = mesh.stand(1), mesh.stand(3)
        hadron.create("circuit", committed_kbps=8000, a_switch_port=one.place, z_switch_port=other.place)
        mesh.wait_for_ports(hadron)
        core = mesh.ears([1])
        one.send_until_heard(other, b"first")
        labelled = mesh.hear(core, 1, lambda frame: frame[12:14] == b"\x88\x47" and b"first" in frame)[1][0]
        frames = [one.frame(other.mac, text, kind) for text, kind in (
            (b"plain", 0x88B5), (b"ipx", 0x8137), (b"\x00\x07\x88\xb5inside a tag", 0x8100))]
        one.raw(*frames)
        crossed = [frame for frame in other.wait_raw(len(frames)) if b"first" not in frame]
        crossed += other.wait_raw(len(frames) - len(crossed))
        good, said = upheld(one, other, loud, deaf)
        places = [mesh.stand(switch).place for switch in (1, 3)]
        status, refused = hadron.request("POST", "/v2.0/circuits", {"circuit": {
            "committed_kbps": 12000, "a_switch_port": places[0], "z_switch_port": places[1]}})
        mesh.remove()
    label, = struct.unpack_from("!I", labelled, 14)
    assert label >> 12 & 1 << 19 and labelled[18:] == one.frame(other.mac, b"first")
    assert sorted(crossed) == sorted(frames)
    print(said)
    assert good, said
    assert status == 409 and f"link {1:016x}:1 to {2:016x}:1 has no room" in refused["NeutronError"]["message"]
