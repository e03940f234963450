"""Circuits: any frame from one place to another, with bandwidth of its own on every link."""

from __future__ import annotations

from typing import Any

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.bandwidth import shares
from apps.queues import PORTS, queues
from controller.errors import Conflict
from controller.openflow.group import Meter
from controller.queues import LAST_QUEUE
from tests.kit import frames
from tests.kit.journey import Journey, carry
from tests.kit.links import cut, lose, member, meshed
from tests.kit.net import Thing
from tests.kit.talk import packet_of, raw
from tests.kit.worlds import ADMIN, ANN, refused
from tests.topology.plain import Plain, dpid
from topology.paths import Wire, weight_of
from topology.reservations import Asked, reserve

END = 50  # OpenFlow port of the machine at an end


def cloud(graph: Any = None, speed: int = 100) -> Plain:
    """Six switches in a ring; links carry so many Mbit/s, of which nine tenths may be committed."""
    return meshed(graph if graph is not None else networkx.cycle_graph(6), speed=speed)


def circuit(net: Plain, one: int, other: int, kbps: int, name: str = "c", port: int = END, **more: Any) -> Thing:
    net.interface(one, port)
    net.interface(other, port)
    return net._create("circuit", name, "acme", {
        "a_switch_port": f"{dpid(one)}:{port}", "z_switch_port": f"{dpid(other)}:{port}", "committed_kbps": kbps, **more})


MAC, OTHER = "02:00:00:00:00:07", "02:00:00:00:00:08"


def sent(net: Plain, switch: int, port: int = END, ethertype: int = 0x88B5) -> Journey:
    """What became of a frame from the machine at an end."""
    return carry(net, "a machine", dpid(switch), port, packet_of(frames.ethernet(MAC, OTHER, ethertype, b"hadron" * 8)))


def crosses(net: Plain, one: int, other: int, port: int = END, ethertype: int = 0x88B5) -> list[int]:
    """The switches that a frame passes from one end to the other; [] if it does not arrive."""
    journey = sent(net, one, port, ethertype)
    if not journey.arrivals:
        return []
    (name, packet), = journey.arrivals
    assert name == f"s{other}-eth{port}", str(journey)
    assert [packet[field] for field in ("eth_src", "eth_dst", "eth_type")] == [
        int(MAC.replace(":", ""), 16), int(OTHER.replace(":", ""), 16), ethertype]
    return [one, *(int(there, 16) for _, there in journey.links)]


@pytest.mark.parametrize("ethertype", (0x88B5, 0x0800, 0x8137, 0x88CC))
def test_any_frame_crosses_unchanged_in_both_directions(ethertype: int) -> None:
    net = cloud()
    made = circuit(net, 1, 3, 1000)
    assert crosses(net, 1, 3, ethertype=ethertype) == [1, 2, 3] and crosses(net, 3, 1, ethertype=ethertype) == [3, 2, 1]
    assert net.model.show("circuit", made.row, admin=True)["status"] == "ACTIVE"
    assert net.model.show("circuit", made.row, admin=True)["path"] == (dpid(1), dpid(2), dpid(3))
    net.check()


def test_frames_with_labels_of_their_own_are_refused() -> None:
    net = cloud()
    circuit(net, 1, 3, 1000)
    assert "does not tell the labels" in sent(net, 1, ethertype=0x8847).refused


def test_both_ends_may_be_on_one_switch() -> None:
    net = cloud()
    net.interface(1, 50)
    net._create("circuit", "c", "acme", {"a_switch_port": f"{dpid(1)}:50", "z_switch_port": f"{dpid(1)}:51", "committed_kbps": 10})
    assert not sent(net, 1).arrivals
    net.interface(1, 51)
    assert [name for name, _ in sent(net, 1).arrivals] == ["s1-eth51"]
    net.check()


def test_a_port_at_an_end_speaks_into_the_circuit_and_not_into_its_network() -> None:
    net = cloud()
    red = net.network("red", subnets=())
    a, b, other = (member(net, red, name, switch) for name, switch in (("a", 1), ("b", 4), ("other", 2)))
    made = net._create("circuit", "c", "acme", {"a_port_id": a.id, "z_port_id": b.id, "committed_kbps": 10})
    net.send(raw(a, other)).reaches(b)
    net.remove(made)
    net.send(raw(a, other)).reaches(other)
    net.check()


def test_a_circuit_goes_where_there_is_room_and_one_that_fits_nowhere_is_refused_naming_the_link() -> None:
    net = cloud()
    circuit(net, 1, 2, 60_000, "first", 50)
    circuit(net, 1, 2, 60_000, "second", 51)
    assert crosses(net, 1, 2, 50) == [1, 2] and crosses(net, 1, 2, 51) == [1, 6, 5, 4, 3, 2]
    with pytest.raises(Conflict, match=f"link {dpid(1)}:1 to {dpid(2)}:1 has no room for 60000"):
        circuit(net, 1, 2, 60_000, "third", 52)
    circuit(net, 1, 2, 30_000, "fourth", 53)
    assert crosses(net, 1, 2, 53) == [1, 2]
    net.check()


def test_a_deleted_circuit_gives_its_room_back() -> None:
    net = cloud(networkx.path_graph(2))
    first = circuit(net, 1, 2, 90_000)
    with refused("CircuitDoesNotFit"):
        circuit(net, 1, 2, 1, "second", 51)
    net.change(first, admin_state_up=False)
    second = circuit(net, 1, 2, 90_000, "second", 51)
    with refused("CircuitDoesNotFit"):
        net.change(first, admin_state_up=True)
    net.remove(second)
    net.change(first, admin_state_up=True)
    assert crosses(net, 1, 2) == [1, 2]


def test_a_higher_priority_takes_the_place_of_a_lower_one_and_an_equal_one_does_not() -> None:
    net = cloud(networkx.path_graph(2))
    low = circuit(net, 1, 2, 60_000, "low", 50, priority=1)
    with refused("CircuitDoesNotFit"):
        circuit(net, 1, 2, 60_000, "equal", 51, priority=1)
    high = circuit(net, 1, 2, 60_000, "high", 52, priority=2)
    assert crosses(net, 1, 2, 52) == [1, 2] and crosses(net, 1, 2, 50) == []
    assert net.model.show("circuit", low.row)["status"] == "DOWN"
    net.remove(high)
    assert crosses(net, 1, 2, 50) == [1, 2]
    with refused("CircuitDoesNotFit"):
        net.change(low, committed_kbps=95_000)
    net.check()


def test_a_protected_circuit_keeps_two_paths_free_and_is_refused_without() -> None:
    net = cloud()
    circuit(net, 1, 3, 50_000, "safe", 50, protected=True)
    with refused("CircuitDoesNotFit"):
        circuit(net, 5, 6, 50_000, "other", 51)
    with refused("CircuitDoesNotFit"):
        circuit(net, 2, 4, 30_000, "second", 52, protected=True) and circuit(net, 2, 4, 30_000, "third", 53, protected=True)
    lose(net, 1, 2)
    assert crosses(net, 1, 3) == [1, 6, 5, 4, 3]
    with refused("CircuitDoesNotFit"):
        circuit(cloud(networkx.path_graph(3)), 1, 3, 10, protected=True)


def test_a_link_that_breaks_is_gone_around_at_once_and_then_by_a_path_with_room() -> None:
    net = cloud()
    made = circuit(net, 1, 3, 50_000)
    cut(net, 1, 2)
    assert crosses(net, 1, 3)[-1] == 3
    lose(net, 1, 2)
    net.cut.clear()
    assert crosses(net, 1, 3) == [1, 6, 5, 4, 3]
    lose(net, 5, 6)
    assert crosses(net, 1, 3) == [] and net.model.show("circuit", made.row)["status"] == "DOWN"
    net.check()


def test_what_comes_in_is_held_to_the_peak_and_everything_else_to_what_is_left() -> None:
    net = cloud(networkx.path_graph(3))
    circuit(net, 1, 3, 40_000, peak_kbps=60_000)
    meters = {switch: sorted(entry.kbps for entry in bridge.held.values() if isinstance(entry, Meter) and entry.kbps)
              for switch, bridge in net.bridges.items()}
    assert meters == {dpid(1): [40_000, 60_000], dpid(2): [40_000, 40_000], dpid(3): [40_000, 60_000]}


def test_peaks_that_do_not_go_together_get_a_part_each_and_leave_something_for_the_rest() -> None:
    net = cloud(networkx.path_graph(2))
    for number in range(3):
        circuit(net, 1, 2, 20_000, f"c{number}", 50 + number, peak_kbps=90_000)
    found = net.compiler.world.ask(shares)
    rates = [one.rate for one in found.given.values()]
    assert all(20_000 < rate < 90_000 for rate in rates) and sum(rates) + found.left[dpid(1), 1] == 100_000
    assert found.left[dpid(1), 1] >= 4_900


# ---- queues


def queued(graph: Any, *places: tuple[int, int], **settings: Any) -> Plain:
    """Switches of hosts h1, h2, … ; what is sent by these ports (switch, port) waits in queues."""
    net = meshed(graph, speed=100, settings=settings)
    for number in range(1, len(graph) + 1):
        net.learn([("host", {"id": f"h{number}"}), ("switch", {"id": dpid(number), "host_id": f"h{number}"})])
    for place in places:
        net.interface(*place, queues=True)
    return net


def furnished(net: Plain, host: int) -> dict[str, dict[int, int]]:
    """{interface: {number of a queue: what it has for sure}} of a host."""
    return {one.interface: {queue.number: queue.least for queue in one.queues} for one in net.compiler.world.ask(queues, f"h{host}")}


def test_on_a_port_with_queues_a_circuit_waits_in_its_own_with_what_is_committed_and_nothing_is_metered() -> None:
    net = queued(networkx.path_graph(3), (1, 1), (2, 1), (2, 2))
    first = circuit(net, 1, 3, 40_000, peak_kbps=60_000).row.key
    second = circuit(net, 2, 3, 10_000, "d", 51).row.key
    assert furnished(net, 1) == {"s1-eth1": {0: 5_000, first: 40_000}}
    assert furnished(net, 2) == {"s2-eth1": {0: 5_000, first: 40_000}, "s2-eth2": {0: 5_000, first: 40_000, second: 10_000}}
    assert sent(net, 1).queues == [(dpid(1), 1, first), (dpid(2), 2, first)]
    assert sent(net, 2, 51).queues == [(dpid(2), 2, second)] and sent(net, 3).queues == [(dpid(2), 1, first)]
    meters = {switch: sorted(entry.kbps for entry in bridge.held.values() if isinstance(entry, Meter) and entry.kbps)
              for switch, bridge in net.bridges.items()}
    assert meters == {dpid(1): [60_000], dpid(2): [10_000], dpid(3): [10_000, 30_000, 60_000]}
    net.check()


def test_queues_go_with_their_circuit_and_those_of_a_marked_port_stay() -> None:
    net = queued(networkx.path_graph(2), (1, 1))
    assert furnished(net, 1) == {"s1-eth1": {0: 5_000}} and furnished(net, 2) == {}
    made = circuit(net, 1, 2, 40_000)
    assert furnished(net, 1) == {"s1-eth1": {0: 5_000, made.row.key: 40_000}}
    net.interface(1, 1, queues=None)
    assert furnished(net, 1) == {} and not sent(net, 1).queues
    net.interface(1, 1, queues=True)
    net.remove(made)
    assert furnished(net, 1) == {"s1-eth1": {0: 5_000}}
    net.check()


def test_no_queue_of_a_circuit_is_ever_one_of_a_port() -> None:
    assert cloud().model.resources["circuit"].attributes["key"].number["max"] < PORTS <= LAST_QUEUE


def test_a_circuit_says_what_holds_its_rate() -> None:
    net = queued(networkx.path_graph(3), (1, 1), (2, 1), (2, 2))
    made = circuit(net, 1, 3, 1000)
    assert net.model.show("circuit", made.row)["held_by"] == ("queues", "meters")
    net.interface(3, 1, queues=True)
    assert net.model.show("circuit", made.row)["held_by"] == ("queues",)
    for place in ((1, 1), (2, 1), (2, 2), (3, 1)):
        net.interface(*place, queues=None)
    assert net.model.show("circuit", made.row)["held_by"] == ("meters",)
    for one, other in ((1, 2), (2, 3)):
        lose(net, one, other)
    assert net.model.show("circuit", made.row)["held_by"] == ()


# ---- who may ask for what


def test_ends_are_given_once_each_and_are_of_one_circuit() -> None:
    net = cloud()
    red = net.network("red", subnets=())
    a, b = member(net, red, "a", 1), member(net, red, "b", 2)
    for wrong in ({"a_port_id": a.id}, {"a_port_id": a.id, "z_port_id": a.id},
                  {"a_port_id": a.id, "a_switch_port": f"{dpid(1)}:50", "z_port_id": b.id},
                  {"a_port_id": a.id, "z_port_id": b.id, "committed_kbps": 10, "peak_kbps": 9}):
        with refused("InvalidInput"):
            net._create("circuit", "wrong", "acme", {"committed_kbps": 1, **wrong})
    net._create("circuit", "right", "acme", {"committed_kbps": 1, "a_port_id": a.id, "z_port_id": b.id})
    with refused("CircuitEndInUse"):
        net._create("circuit", "again", "acme", {"committed_kbps": 1, "a_port_id": a.id, "z_switch_port": f"{dpid(4)}:50"})
    for taken in (f"{dpid(1)}:1", a.switch_port):
        with refused("CircuitEndInUse"):
            net._create("circuit", "taken", "acme", {"committed_kbps": 1, "a_switch_port": taken, "z_switch_port": f"{dpid(4)}:50"})


def test_tenants_join_their_own_ports_and_leave_switch_ports_and_priorities_to_administrators() -> None:
    net = cloud()
    writer, red = net.writer, net.network("red", subnets=(), project=ANN.project_id)
    a, b = (member(net, red, name, switch) for name, switch in (("a", 1), ("b", 2)))
    ours = {"a_port_id": a.id, "z_port_id": b.id, "committed_kbps": 1}
    for wrong in ({**ours, "priority": 3}, {**ours, "z_port_id": None, "z_switch_port": f"{dpid(4)}:50"}):
        with refused("PolicyNotAuthorized"):
            writer.create(ANN, "circuit", [wrong])
    made, = writer.create(ANN, "circuit", [ours])
    shown = net.model.show("circuit", made)
    assert "path" not in shown and "a_switch_port" not in shown and net.model.show("circuit", made, admin=True)["path"]
    writer.delete(ADMIN, "port", a.id)
    assert net.model.get("circuit", made.id) is None


# ---- reservations


def ring(count: int, broken: frozenset[int], speed: int) -> tuple[Wire, ...]:
    """A ring with a chord from each switch to the one opposite; some wires are broken."""
    ends = [(one, (one + 1) % count) for one in range(count)] + [(one, one + count // 2) for one in range(count // 2)]
    found = []
    for number, (one, other) in enumerate(ends):
        if number not in broken:
            near, far = (f"s{one}", 2 * number + 1), (f"s{other}", 2 * number + 2)
            found += [Wire(*here, *there, weight_of(1, near, far), speed) for here, there in ((near, far), (far, near))]
    return tuple(sorted(found))


_circuits = st.builds(lambda priority, source, target, committed, more, protected: Asked(
    priority, 0, f"s{source}", f"s{target}", committed, committed + more, protected),
    st.integers(0, 2), st.integers(0, 5), st.integers(0, 5), st.integers(1, 60_000), st.integers(0, 60_000), st.booleans())
_operations = st.lists(st.one_of(_circuits, st.integers(0, 40), st.tuples(st.just("cut"), st.integers(0, 8))), min_size=30, max_size=60)


@settings(max_examples=230, deadline=None)  # of 45 operations on average: above ten thousand
@given(_operations)
def test_whatever_is_created_deleted_and_cut_no_link_is_ever_committed_beyond_its_capacity(operations: list[Any]) -> None:
    held: dict[int, Asked] = {}
    broken: set[int] = set()
    for number, operation in enumerate(operations, 1):
        if isinstance(operation, Asked):
            held[number] = operation._replace(key=number)
        elif isinstance(operation, int):
            held.pop(operation, None)
        else:
            broken ^= {operation[1]}
        wires = ring(6, frozenset(broken), 100)
        found = reserve(wires, tuple(sorted(held.values())), 0.9, 1000, None)
        committed: dict[tuple[str, int], int] = {}
        sent: dict[tuple[str, int], int] = {}
        for key, got in found.given.items():
            assert got.path is None or held[key].committed <= got.rate <= held[key].peak
            for path in (got.path, got.spare):
                for end in path.links if path else ():
                    committed[end] = committed.get(end, 0) + held[key].committed
            for end in got.path.links if got.path else ():
                sent[end] = sent.get(end, 0) + got.rate
        assert all(taken <= 90_000 for taken in committed.values())
        assert all(taken + found.left[end] <= 100_001 for end, taken in sent.items())
