"""The same against a real Open vSwitch (dummy datapath)."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.openflow import Flow, controller, match, output
from controller.switch.events import PacketsWaiting, SwitchDemoted, SwitchRead, SwitchRefused
from controller.switch.tls import server_context
from tests.kit.certificates import certificate
from tests.kit.dummy_ovs import DummyOvs, dummy_ovs  # noqa: F401
from tests.switch.desk import Desk
from tests.switch.entries import FIRST, blocked, entries, flood, flows, installed, limit, to_group, to_meter

A = "00000000000000a1"


@pytest.fixture
def desk(dummy_ovs: DummyOvs) -> Iterator[Desk]:  # noqa: F811
    """A desk to which bridge br0, without any entry, is told to connect."""
    if "br0" not in dummy_ovs.bridges:
        dummy_ovs.add_bridge("br0", switch_id=A)
        dummy_ovs.add_ports("br0", {"p1": 1, "p2": 2})
    for what in ("flows", "groups", "meters"):
        dummy_ovs.ofctl(f"del-{what}", "br0")
    with Desk() as desk:
        dummy_ovs.vsctl("set-controller", "br0", "tcp:{}:{}".format(*desk.address), "--", "set", "controller", "br0",
                        "max_backoff=1000")
        yield desk


def bad(number: int) -> Flow:
    """A flow that Open vSwitch understands and refuses: its group is not there."""
    return to_group(number, 4000 + number)


def nonsense(number: int) -> Flow:
    """A flow that Open vSwitch cannot understand: an action of no known type."""
    return Flow(FIRST, 7, match(eth_type=0x0800, ipv4_dst=number), (b"\0\x63\0\x08\0\0\0\0",))


def test_the_first_sync_makes_a_real_switch_right_and_the_second_sends_nothing(
        desk: Desk, dummy_ovs: DummyOvs) -> None:  # noqa: F811
    desk.know(A, {**flows(5000), **entries(limit(1, 100), limit(2, 200), flood(7, 1, 2), to_group(1, 7), to_meter(1, 2),
                                           blocked(9))})
    desk.until(lambda: desk.settled(A))
    assert dummy_ovs.bridges["br0"].held() == installed(desk.desired[A])
    assert len(desk.differences[-1][1]) == 5006
    desk.switches.read(A)
    desk.until(lambda: len(desk.seen(SwitchRead)) == 2)
    assert desk.differences[-1][1] == {}
    assert "Open vSwitch" in desk.row(A)["description"]


def test_groups_and_meters_change_and_go(desk: Desk, dummy_ovs: DummyOvs) -> None:  # noqa: F811
    desk.know(A, entries(limit(2, 200), flood(7, 1, 2), to_group(1, 7), to_meter(1, 2)))
    desk.until(lambda: desk.settled(A))
    desk.order(A, entries(flood(7, 2), limit(2, 9)))
    desk.until(lambda: desk.settled(A))
    assert dummy_ovs.bridges["br0"].held() == installed(desk.desired[A])
    desk.order(A, {("group", 7): None, ("meter", 2): None, to_group(1, 7).key: None, to_meter(1, 2).key: None})
    desk.until(lambda: desk.settled(A))
    assert dummy_ovs.bridges["br0"].held() == {} and desk.row(A)["errors"] == 0


@pytest.mark.parametrize("culprit", [bad, nonsense])
def test_refused_entries_are_set_aside_and_all_others_are_installed(
        desk: Desk, dummy_ovs: DummyOvs, culprit) -> None:  # noqa: F811
    wrong = entries(culprit(1), culprit(2), culprit(3))
    desk.know(A, {**flows(500), **wrong, **flows(500, first=600)})
    desk.until(lambda: desk.settled(A))
    assert {event.key for event in desk.seen(SwitchRefused)} == wrong.keys()
    assert dummy_ovs.bridges["br0"].held() == installed({**flows(500), **flows(500, first=600)})
    desk.switches.read(A, audit=True)
    desk.until(lambda: desk.seen(SwitchRead, audit=True) and desk.settled(A))
    assert len(desk.seen(SwitchRefused)) == 3, "what was refused is not sent again as it was"


def test_an_entry_that_was_refused_is_sent_again_when_it_changes(desk: Desk, dummy_ovs: DummyOvs) -> None:  # noqa: F811
    desk.know(A, entries(bad(1)))
    desk.until(lambda: desk.settled(A) and desk.seen(SwitchRefused))
    desk.order(A, entries(Flow(bad(1).table, bad(1).priority, bad(1).match, (output(2),))))
    desk.until(lambda: desk.settled(A))
    assert dummy_ovs.bridges["br0"].held() == installed(desk.desired[A])


def test_wiped_and_altered_flows_are_found_by_an_audit(desk: Desk, dummy_ovs: DummyOvs) -> None:  # noqa: F811
    desk.know(A, flows(100))
    desk.until(lambda: desk.settled(A))
    dummy_ovs.ofctl("del-flows", "br0", "ip,nw_dst=10.0.0.0/29")
    dummy_ovs.ofctl("add-flow", "br0", "table=0,priority=100,ip,nw_dst=10.0.0.20,actions=output:9")
    dummy_ovs.ofctl("add-flow", "br0", "table=3,priority=1,actions=normal")
    desk.switches.read(A, audit=True)
    desk.until(lambda: desk.seen(SwitchRead, audit=True) and desk.settled(A))
    found = desk.differences[-1][1]
    assert (len(found.missing), len(found.altered), len(found.alien)) == (8, 1, 1)
    assert dummy_ovs.bridges["br0"].held() == installed(desk.desired[A])


def test_a_restarted_bridge_is_whole_again(desk: Desk, dummy_ovs: DummyOvs) -> None:  # noqa: F811
    desk.know(A, {**flows(50), **entries(limit(1, 5), flood(7, 1))})
    desk.until(lambda: desk.settled(A))
    for what in ("flows", "groups", "meters"):
        dummy_ovs.ofctl(f"del-{what}", "br0")
    dummy_ovs.vsctl("set-controller", "br0", "tcp:{}:{}".format(*desk.address), "--", "set", "controller", "br0",
                    "inactivity_probe=4000")
    desk.switches.drop(A, "a test")
    desk.until(lambda: len(desk.differences) == 2 and desk.settled(A))
    assert dummy_ovs.bridges["br0"].held() == installed(desk.desired[A])


def test_packets_reach_us_and_leave_again(desk: Desk, dummy_ovs: DummyOvs) -> None:  # noqa: F811
    desk.know(A, entries(Flow(FIRST, 1, match(in_port=1), (controller(),))))
    desk.until(lambda: desk.settled(A))
    frame = bytes.fromhex("ffffffffffff" "0242ac110002" "0806") + bytes(46)
    dummy_ovs.appctl("netdev-dummy/receive", "p1", frame.hex())
    desk.until(lambda: desk.packets)
    received = desk.packets[0]
    assert (received.switch_id, received.packet.in_port, received.packet.data[:14]) == (A, 1, frame[:14])
    assert desk.seen(PacketsWaiting)
    desk.switches.send_packet(A, output(2), frame)
    desk.until(lambda: " tx:n_packets=1" in statistics(dummy_ovs) or "tx pkts=1" in statistics(dummy_ovs))


def statistics(ovs: DummyOvs) -> str:
    return ovs.ofctl("dump-ports", "br0", "p2")


def test_a_newer_master_stops_our_writing_until_we_claim_again(desk: Desk, dummy_ovs: DummyOvs) -> None:  # noqa: F811
    with Desk(generation=5) as newer:
        desk.know(A, flows(5))
        newer.know(A, flows(5))
        desk.until(lambda: desk.settled(A))
        dummy_ovs.vsctl("set-controller", "br0", "tcp:{}:{}".format(*desk.address), "tcp:{}:{}".format(*newer.address))
        newer.until(lambda: newer.settled(A))
        desk.until(lambda: desk.seen(SwitchDemoted))
        desk.order(A, flows(5, port=2))
        newer.order(A, flows(2, first=10))
        newer.until(lambda: newer.settled(A))
        assert dummy_ovs.bridges["br0"].held() == installed(newer.desired[A])
        desk.switches.claim(6)
        desk.until(lambda: desk.settled(A))
        assert dummy_ovs.bridges["br0"].held() == installed(desk.desired[A])


def test_a_real_switch_is_served_over_tls_with_certificates_on_both_sides(
        dummy_ovs: DummyOvs, tmp_path: Path) -> None:  # noqa: F811
    ours, theirs = certificate(tmp_path, "controller"), certificate(tmp_path, "host1")
    name = "00000000000000c1"
    with Desk() as desk:
        context = server_context(ours.certificate, ours.key, client_ca=theirs.authority)
        address = desk.switches.listen("127.0.0.1", 0, context)
        desk.know(name, flows(5000))
        dummy_ovs.add_bridge("br-tls", switch_id=name)
        dummy_ovs.vsctl("set-ssl", theirs.key, theirs.certificate, ours.authority)
        dummy_ovs.vsctl("set-controller", "br-tls", "ssl:{}:{}".format(*address))
        desk.until(lambda: desk.settled(name))
        assert dummy_ovs.bridges["br-tls"].held() == installed(desk.desired[name])
        assert desk.row(name)["certificate"] == "host1"
        desk.switches.read(name)
        desk.until(lambda: len(desk.differences) == 2)
        assert desk.differences[-1][1] == {}
