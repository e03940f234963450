"""Connections: many at once, silent ones, deaf ones, two of one switch, and TLS."""
from __future__ import annotations

import contextlib
import logging
import os
import queue
import resource
import socket
import ssl
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controller.certificates import Certificates
from controller.switch import osken
from controller.switch.events import Impostor, SwitchConfirmed, SwitchGone, SwitchGreeted, SwitchTwice
from controller.switch.loop import open_doors
from controller.switch.switches import Switches
from controller.switch.tls import server_context
from tests.kit.certificates import Authority, Files, certificate
from tests.kit.fake_switch import FakeSwitches, packet_in
from tests.kit.fake_tables import pack, u32
from tests.kit.raw_peer import HELLO, RawPeer, features, message
from tests.switch.desk import Clock, Desk, Mistakes
from tests.switch.entries import entries, flow, flows, installed

A, B = "00000000000000aa", "00000000000000bb"


def test_five_hundred_switches_that_connect_at_once_are_all_served() -> None:
    with Desk() as desk:
        names = [f"{number:016x}" for number in range(1, 501)]
        for name in names:
            desk.know(name, flows(5))
        begun = time.monotonic()
        with FakeSwitches(*desk.address) as fakes:
            with fakes.lock:
                for name in names:
                    fakes.add(name)
            desk.until(lambda: all(name in desk.confirmed for name in names))
            took = time.monotonic() - begun
            assert all(switch.connections == 1 for switch in fakes.switches.values())
            assert all(switch.held() == installed(flows(5)) for switch in fakes.switches.values())
        assert took < 10


def test_switches_that_wait_at_the_door_are_served_once_all_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    held, start_app, came = Mistakes(), osken.start_app, threading.Event()
    probe = socket.create_server(("127.0.0.1", 0))
    address = probe.getsockname()[:2]
    probe.close()

    def slowly(*args: Any) -> Any:
        found = start_app(*args)
        came.wait(0.5)                      # its thread runs meanwhile, and must not take anybody in yet
        return found

    monkeypatch.setattr(osken, "start_app", slowly)
    logging.getLogger("controller.switch").addHandler(held)
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    try:
        with open_doors([address]), FakeSwitches(*address) as fakes:
            fake = fakes.add(A)
            while not fake.connections:
                came.wait(0.01)
            switches = Switches(lambda event: (events.put(event), came.set()))
            assert switches.listen(*address) == address
            with switches:
                assert isinstance(events.get(timeout=15), SwitchGreeted) and fake.connections == 1
    finally:
        logging.getLogger("controller.switch").removeHandler(held)
    assert held.found == []


def test_a_connect_storm_fits_the_listen_queue() -> None:
    desk = Desk()
    try:
        gate = threading.Event()
        desk.switches.loop.call(gate.wait, 10)          # the thread is busy: nothing is accepted meanwhile
        begun = time.monotonic()
        peers = [socket.create_connection(desk.address, timeout=5) for _ in range(500)]
        assert time.monotonic() - begun < 0.9, "no connection waited for a retransmission"
        gate.set()
        for peer in peers:
            peer.close()
    finally:
        desk.switches.close()


def test_without_descriptors_nobody_is_lost_and_nothing_spins() -> None:
    with Desk() as desk:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        held: list[socket.socket] = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, hard))
            with contextlib.suppress(OSError):
                while True:                             # ours fit, the controller's ends no longer do
                    held.append(socket.create_connection(desk.address, timeout=5))
            cpu = time.process_time()
            done = threading.Event()
            desk.switches.loop.call(done.set)
            assert done.wait(5)
            desk.answer_for(0.6)
            assert time.process_time() - cpu < 0.4
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for each in held:
                each.close()
        with RawPeer(desk.address) as peer:
            peer.greet(A)
            desk.until(lambda: A in desk.present)


def test_switches_come_over_ipv6_too() -> None:
    with Desk() as desk:
        address = desk.switches.listen("::1", 0)
        desk.know(A, flows(3))
        with FakeSwitches(*address) as fakes:
            fakes.add(A)
            desk.until(lambda: desk.settled(A))
            assert desk.row(A)["address"].startswith("[::1]:")


def test_a_switch_that_stops_reading_is_closed_with_its_reason_and_holds_up_no_other(
        caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with Desk(clock=clock) as desk, FakeSwitches(*desk.address) as fakes:
        for name in (A, B):
            desk.know(name)
            fakes.add(name)
        desk.until(lambda: desk.confirmed.keys() >= {A, B})
        fakes.switches[A].faults.deaf = True
        fakes.switches[A].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)     # the kernel is not to read for it
        desk.order(A, flows(60_000))
        desk.switches.loop.call(flood_with_packets, desk, A)
        for number in range(20):                        # the other one is served as if nothing had happened
            begun = time.monotonic()
            seq = desk.order(B, entries(flow(number)))
            desk.until(lambda seq=seq: desk.seen(SwitchConfirmed, switch_id=B, seq=seq))
            assert time.monotonic() - begun < 2.0
        desk.until(lambda: desk.row(A)["bytes_waiting"] > 0)
        clock.forward(11)
        with caplog.at_level(logging.WARNING):
            gone = desk.until(lambda: desk.seen(SwitchGone, switch_id=A))
        assert "does not read" in gone[0].reason and "does not read" in caplog.text
        fakes.switches[A].faults.deaf = False
        desk.until(lambda: desk.settled(A))
        assert fakes.switches[A].held() == installed(desk.desired[A])


def flood_with_packets(desk: Desk, switch_id: str) -> None:
    """More for a switch than the kernel takes for a deaf peer, from the loop's own thread."""
    session = desk.switches._sessions.get(switch_id)
    for _ in range(6 if session is not None else 0):
        session.link.send(message(2, bytes(60_000)) * 20)


def test_more_than_a_switch_may_leave_waiting_closes_it() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A)
        fakes.add(A)
        desk.until(lambda: desk.settled(A))
        fakes.switches[A].faults.deaf = True
        for _ in range(5):
            desk.switches.loop.call(flood_with_packets, desk, A)
        gone = desk.until(lambda: desk.seen(SwitchGone, switch_id=A))
        assert "does not read" in gone[0].reason


def test_a_silent_switch_is_asked_and_then_closed_a_talking_one_is_kept() -> None:
    clock = Clock()
    with Desk(clock=clock) as desk, FakeSwitches(*desk.address) as fakes:
        for name in (A, B):
            desk.know(name)
            fakes.add(name)
        desk.until(lambda: desk.confirmed.keys() >= {A, B})
        fakes.switches[A].faults.mute = True
        clock.forward(6)                                # both are asked; one answers
        desk.until(lambda: desk.row(B)["bytes_out"] > 0 and clock() - desk.switches._sessions[B].link.heard < 2)
        clock.forward(10)
        gone = desk.until(lambda: desk.seen(SwitchGone, switch_id=A))
        assert "silent" in gone[0].reason
        desk.until(lambda: clock() - desk.switches._sessions[B].link.heard < 2)
        assert not desk.seen(SwitchGone, switch_id=B)


def test_who_does_not_greet_in_time_is_closed() -> None:
    clock = Clock()
    with Desk(clock=clock) as desk, RawPeer(desk.address) as peer:
        peer.read()
        clock.forward(6)
        assert peer.seconds_until_closed() < 1.0


def test_a_switch_may_tell_of_ports_and_packets_before_it_has_said_who_it_is() -> None:
    """Open vSwitch does so when a port appears, or a flow sends a packet, while it connects."""
    with Desk() as desk, RawPeer(desk.address) as peer:
        peer.send(HELLO)
        request = peer.read_until(5)
        port_status = message(12, bytes(8) + pack("IHH", 1, 40, 0) + bytes(32))
        peer.send(port_status + packet_in(bytes(3000)) + features(A, u32(request, 4)) + message(2, b"still there?"))
        assert peer.read_until(3)[8:] == b"still there?"
        desk.until(lambda: A in desk.present)


def test_of_two_connections_of_one_switch_the_older_is_kept_if_it_answers() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, flows(3))
        fakes.add(A)
        desk.until(lambda: desk.settled(A))
        with RawPeer(desk.address) as second:
            second.greet(A)
            assert second.seconds_until_closed() < 1.0
        twice = desk.until(lambda: desk.seen(SwitchTwice))
        assert twice[0].switch_id == A and twice[0].kept == desk.row(A)["address"]
        assert len(desk.seen(SwitchGreeted)) == 1 and not desk.seen(SwitchGone)


def test_of_two_connections_of_one_switch_the_newer_wins_if_the_older_is_dead() -> None:
    with Desk() as desk, FakeSwitches(*desk.address) as fakes:
        desk.know(A, flows(3))
        fakes.add(A)
        desk.until(lambda: desk.settled(A))
        fakes.switches[A].faults.mute = True
        with RawPeer(desk.address) as second, RawPeer(desk.address) as third:
            second.greet(A)
            third.greet(A)
            assert third.seconds_until_closed() < 1.0, "a third one need not wait"
            desk.until(lambda: len(desk.seen(SwitchGreeted)) == 2)
            assert "newer connection" in desk.seen(SwitchGone)[0].reason
            assert not desk.seen(SwitchTwice)
            second.read_until(18, part=1)


# ---- TLS

@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    """Each of an authority of its own; switches must show one of host1's."""
    here = tmp_path_factory.mktemp("tls")
    return {name: certificate(here, name) for name in ("controller", "host1", "stranger")}


def client(certificates: dict[str, Files], name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates["controller"].authority)
    context.check_hostname = False
    if name:
        context.load_cert_chain(certificates[name].certificate, certificates[name].key)
    return context


def secured(certificates: dict[str, Files]) -> ssl.SSLContext:
    own = certificates["controller"]
    return server_context(own.certificate, own.key, client_ca=certificates["host1"].authority)


def test_a_switch_with_a_certificate_is_served_over_tls_and_named(certificates: dict[str, Files]) -> None:
    with Desk() as desk:
        address = desk.switches.listen("127.0.0.1", 0, secured(certificates))
        desk.know(A, flows(2000))
        with RawPeer(address, tls=client(certificates, "host1")) as peer:
            peer.greet(A)
            desk.until(lambda: desk.seen(SwitchGreeted))
            assert desk.seen(SwitchGreeted)[0].certificate == "host1"
            peer.read_until(18, part=1)
            peer.send(message(2, b"x" * 60_000, xid=77) * 3)       # several TLS records in one go
            for _ in range(3):
                assert len(peer.read_until(3)) == 60_008


@pytest.mark.parametrize(("subject", "dns", "said"), [
    ("host1 id:5f1c0e4a-0f5c-4a3e-9d53-6a3d1b8f0c11", "", "host1"),        # as ovs-pki writes it
    ("", "host1.example", "host1.example"), ("host1", "other.example", "host1"), ("", "", "sha256:")])
def test_whose_a_certificate_is(tmp_path: Path, subject: str, dns: str, said: str) -> None:
    authority = Authority(tmp_path)
    own, shown = authority.issue("controller"), authority.issue("peer", subject=subject, dns=dns)
    with Desk() as desk:
        address = desk.switches.listen("127.0.0.1", 0, server_context(own.certificate, own.key, client_ca=own.authority))
        with RawPeer(address, tls=client({"controller": own, "peer": shown}, "peer")) as peer:
            peer.greet(A)
            name = desk.until(lambda: desk.seen(SwitchGreeted))[0].certificate
            assert name == said if said != "sha256:" else name.startswith(said) and len(name) == 7 + 64


@pytest.mark.parametrize("there", [True, False], ids=["there", "away"])
def test_a_switch_is_nobodys_who_shows_another_certificate(tmp_path: Path, there: bool) -> None:
    authority = Authority(tmp_path)
    shown = {name: authority.issue(name) for name in ("controller", "host1", "host2")}
    own, owners = shown["controller"], Certificates({"switch": {A: SimpleNamespace(host_id="host1")}})
    owners.of_host("host1", "host1")
    with Desk(certificates=owners) as desk:
        address = desk.switches.listen("127.0.0.1", 0, server_context(own.certificate, own.key, client_ca=own.authority))
        desk.know(A)
        with contextlib.ExitStack() as stack:
            if there:
                first = stack.enter_context(RawPeer(address, tls=client(shown, "host1")))
                first.greet(A)
                desk.until(lambda: A in desk.present)
            other = stack.enter_context(RawPeer(address, tls=client(shown, "host2")))
            other.greet(A)
            assert other.seconds_until_closed() < 1.0
            event = desk.until(lambda: desk.seen(Impostor))[0]
            assert (event.kind, event.id, event.shown, event.owner) == ("switch", A, "host2", "host1")
            assert (A in desk.present) is there and not desk.seen(SwitchGone) and not desk.seen(SwitchTwice)


@pytest.mark.parametrize("name", [None, "stranger"])
def test_without_a_certificate_of_the_right_authority_nobody_gets_in(
        certificates: dict[str, Files], name: str | None) -> None:
    with Desk() as desk:
        address = desk.switches.listen("127.0.0.1", 0, secured(certificates))
        with pytest.raises((ssl.SSLError, ConnectionError)), \
                RawPeer(address, tls=client(certificates, name)) as peer:
            peer.greet(A)
        assert not desk.seen(SwitchGreeted)


def test_a_handshake_that_never_goes_on_holds_up_nobody(certificates: dict[str, Files]) -> None:
    clock = Clock()
    with Desk(clock=clock) as desk:
        address = desk.switches.listen("127.0.0.1", 0, secured(certificates))
        with RawPeer(address) as mute, RawPeer(address) as chatter:
            chatter.send(b"\x16\x03\x01\x02\x00\x01")          # the beginning of a ClientHello
            with RawPeer(address, tls=client(certificates, "host1"), within=2.0) as peer:
                peer.greet(A)
                desk.until(lambda: desk.seen(SwitchGreeted))
            clock.forward(6)
            assert mute.seconds_until_closed() < 1.0
            assert chatter.seconds_until_closed() < 1.0


def test_plain_bytes_to_the_tls_port_end_the_connection(certificates: dict[str, Files]) -> None:
    with Desk() as desk:
        address = desk.switches.listen("127.0.0.1", 0, secured(certificates))
        with RawPeer(address) as peer:
            peer.send(message(0))
            assert peer.seconds_until_closed() < 1.0
