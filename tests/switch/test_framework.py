"""Hadron is an application of os-ken's AppManager; others can run beside it and see and say what they like."""
from __future__ import annotations

import threading
import time

import pytest
from os_ken.base.app_manager import SERVICE_BRICKS
from os_ken.ofproto import ofproto_v1_4_parser as parser

from controller.switch import osken
from controller.switch.events import SwitchConfirmed, SwitchGreeted
from tests.kit.dummy_ovs import DummyOvs, dummy_ovs  # noqa: F401
from tests.kit.fake_switch import FakeSwitches
from tests.switch.desk import Desk
from tests.switch.entries import entries, flow
from tests.switch.watching_app import WatchingApp

A = "00000000000000aa"


def test_the_switches_are_served_by_an_application_of_the_framework_that_leaves_nothing_behind() -> None:
    threads = threading.active_count()
    with Desk():
        assert isinstance(SERVICE_BRICKS["ofp_event"], osken.HadronApp)
        with Desk():
            assert len([app for app in SERVICE_BRICKS.values() if isinstance(app, osken.HadronApp)]) == 2
    assert not SERVICE_BRICKS and threading.active_count() == threads


def test_another_application_sees_switches_come_asks_them_and_sees_them_go(dummy_ovs: DummyOvs) -> None:  # noqa: F811
    dummy_ovs.add_bridge("br0", switch_id=A)
    dummy_ovs.add_ports("br0", {"p1": 1, "p2": 2})
    with Desk(apps=["tests.switch.watching_app"]) as desk:
        dummy_ovs.vsctl("set-controller", "br0", "tcp:{}:{}".format(*desk.address))
        desk.know(A)
        desk.until(lambda: desk.settled(A))
        app = WatchingApp.latest
        assert app is not None
        desk.until(lambda: [event for event in app.told if type(event).__name__ == "EventOFPPortStatsReply"])
        assert ("main", 0xAA) in app.told
        reply = next(event for event in app.told if type(event).__name__ == "EventOFPPortStatsReply")
        assert {port.port_no for port in reply.msg.body} >= {1, 2}
        desk.switches.drop(A, "a test")
        desk.until(lambda: ("dead", 0xAA) in app.told)


def test_an_application_that_never_comes_back_holds_up_no_switch() -> None:
    with Desk(apps=["tests.switch.watching_app"]) as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A)
        switch = fakes.add(A)
        desk.until(lambda: desk.settled(A))
        app, gate = WatchingApp.latest, threading.Event()
        assert app is not None
        app.event_handlers = {kind: [lambda event: gate.wait(30)] for kind in app.event_handlers}
        try:
            for _ in range(50):
                switch.send(parser_bytes() * 10)
            begun = time.monotonic()
            seq = desk.order(A, entries(flow(1)))
            desk.until(lambda: desk.seen(SwitchConfirmed, seq=seq))
            assert time.monotonic() - begun < 1.0
            desk.until(lambda: desk.switches._sessions[A].channel.missed > 0)
        finally:
            gate.set()


def parser_bytes() -> bytes:
    """A table-stats reply of one table: a message that only os-ken reads."""
    from tests.kit.fake_tables import pack
    return pack("BBHI", 5, 19, 40, 3) + pack("HHI", 3, 0, 0) + bytes(24)


def test_nothing_that_an_application_says_reaches_a_stranger() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        switch = fakes.add(A)
        desk.until(lambda: desk.seen(SwitchGreeted))
        channel = desk.switches._sessions[A].channel
        channel.send_msg(parser.OFPFlowMod(channel))
        desk.know(A)
        desk.switches.read(A)                                   # now it is ours
        desk.until(lambda: desk.row(A)["state"] == "reading")
        channel.send_msg(parser.OFPFlowMod(channel))
        desk.until(lambda: switch.mods)
        assert switch.mods == 1


def test_a_channel_has_no_loop_of_its_own() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        fakes.add(A)
        desk.until(lambda: desk.seen(SwitchGreeted))
        channel = desk.switches._sessions[A].channel
        with pytest.raises(NotImplementedError):
            channel.serve()
        fakes.switches[A].wanted = False
        channel.close()
        desk.until(lambda: not desk.present)
        assert channel.send(b"") is False
