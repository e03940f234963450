"""All switches, as the desk sees them: orders in, events out. One thread serves their sockets."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from controller.certificates import Certificates
from controller.openflow import messages as wire
from controller.openflow.actions import PORT_LOCAL
from controller.openflow.group import Entry, Key
from controller.switch import osken
from controller.switch.counting import Counters
from controller.switch.events import Event, Impostor, PacketReceived, SwitchGone
from controller.switch.greeting import TABLES_XID, Greeting
from controller.switch.lanes import Lanes
from controller.switch.link import Link, Peer
from controller.switch.loop import Loop
from controller.switch.packets import EACH, PacketQueue
from controller.switch.sender import BUNDLE_MESSAGES
from controller.switch.session import Session, State

LOG = logging.getLogger(__name__)


class Switches:
    """The switches' side of the controller.

    `post` takes events (controller.switch.events) and must not block: it is called from the switches' thread.
    `generation` fences off controllers with an older one (OpenFlow 1.4, 6.3.6). `apps` are modules of os-ken
    applications to run beside Hadron's. `certificates` says which one a switch must show. `clock` (seconds) may be a
    test's own.
    Orders may come from any one thread, and are carried out in the order given; for a switch that is not there they
    are forgotten, because it will be read when it comes.
    """

    def __init__(self, post: Callable[[Event], None], *, generation: int = 1, apps: Sequence[str] = (),
                 bundle: int = BUNDLE_MESSAGES, packets_each: int = EACH, certificates: Certificates | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.questions = wire.table_stats_request(TABLES_XID)
        self.post, self.generation, self.bundle = post, generation, bundle
        self._certificates = certificates or Certificates({"switch": {}})
        self.loop = Loop(clock=clock)
        self.lanes = Lanes(self.loop)
        self.packet_queue = PacketQueue(post, each=packets_each)
        self.counted_tables: set[int] = set()       # tables with flows that count; only ever grows
        self.addresses: list[tuple[str, int]] = []
        self._apps = apps
        self._sessions: dict[str, Session] = {}
        self._changed: dict[str, set[Key]] = {}     # keys of orders since the last audit of a switch began
        self._manager: Any = None
        self._app: osken.HadronApp | None = None
        self._started = threading.Event()

    # ---- life

    def listen(self, address: str, port: int, tls: ssl.SSLContext | None = None) -> tuple[str, int]:
        """Wait for switches at an address (port 0: any free one); returns the one taken. OSError if it is in use."""
        found = self.loop.listen(address, port, self._welcome, tls=tls)
        self.addresses.append(found)
        return found

    def listen_for_lanes(self, address: str, port: int, tls: ssl.SSLContext | None = None) -> tuple[str, int]:
        """Wait for switches' further connections, by which they are filled when they have come up empty. OSError."""
        return self.loop.listen(address, port, self.lanes.welcome, tls=tls)

    def start(self) -> None:
        """Start os-ken's applications, and with Hadron's own the thread that serves the switches."""
        try:
            self._manager, self._app = osken.start_app(self._serve, self.loop.stop, self._apps)
        finally:
            self._started.set()

    def _serve(self) -> None:
        """In the switches' thread, which begins before `start` is done: some switches may wait at the door already."""
        self._started.wait()
        self.loop.run()

    def close(self) -> None:
        """Close all connections and end the thread."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None
        else:
            self.loop.stop()
            self.loop.run()

    def __enter__(self) -> Switches:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- orders

    def read(self, switch_id: str, audit: bool = False) -> None:
        """Ask a switch for everything it holds; SwitchRead follows, to be answered by change().

        Without `audit`, changes are held back until that answer; the first time, it makes the switch one of ours.
        With `audit`, changes go on meanwhile, and the event names the keys that they touched.
        """
        changed: set[Key] = set()
        self._changed[switch_id] = changed
        self.loop.call(self._order, switch_id, _read, audit, changed)

    def change(self, switch_id: str, changes: Mapping[Key, Entry | None], seq: int) -> None:
        """Have entries put (or, for None, deleted) in a switch; the latest order for a key wins.

        SwitchConfirmed tells when everything up to `seq`, which never falls, is carried out or refused. The mapping is
        read later, by another thread: do not change it any more.
        """
        touched = self._changed.get(switch_id)
        if touched is not None:
            touched.update(changes)
        self.loop.call(self._order, switch_id, Session.change, changes, seq)

    def foresee(self, switch_id: str, changes: Mapping[Key, Entry | None]) -> None:
        """Fill a switch that is empty with this, before it has been read: `coming` says then that it is done."""
        self.loop.call(self._order, switch_id, Session.foresee, changes)

    def send_packet(self, switch_id: str, actions: bytes, data: bytes, in_port: int = PORT_LOCAL) -> None:
        """Have a switch send a packet as the actions say. ValueError if it is longer than a message can be.

        It enters by the bridge's own port: what comes back from connection tracking Open vSwitch 3.1 loses unless it
        has come from a port that is there.
        """
        self.loop.call(self._order, switch_id, Session.send_packet, wire.packet_out(actions, data, in_port))

    def send_fresh(self, switch_id: str, actions: bytes, make: Callable[[], bytes]) -> None:
        """The same for a packet that is made, by the switches' thread, at the moment at which it leaves."""
        self.loop.call(self._order, switch_id, Session.send_packet, lambda: wire.packet_out(actions, make(), PORT_LOCAL))

    def packets(self, limit: int = 64) -> list[PacketReceived]:
        """Packets that flows have sent here, at most `limit`, taken from the switches in turn.

        Call it on PacketsWaiting, which is posted again if some remain.
        """
        return self.packet_queue.take(limit)

    def claim(self, generation: int) -> None:
        """Become master of all switches again, with a generation that is newer than any before."""
        self.loop.call(self._claim, generation)

    def drop(self, switch_id: str, reason: str) -> None:
        """Close the connection of a switch that should not be there; it may come again."""
        self.loop.call(self._order, switch_id, _close, reason)

    def counters(self, switch_id: str) -> Future[Counters]:
        """Ask a switch what it holds and what went through each flow. LookupError if it is not there or unknown."""
        answer: Future[Counters] = Future()
        self.loop.call(self._count, switch_id, answer)
        return answer

    def count(self, switch_id: str) -> None:
        """Ask what the flows in the counted tables have counted; FlowsCounted follows, unless the switch goes."""
        self.loop.call(self._order, switch_id, _count)

    def round_trip(self, switch_id: str) -> float | None:
        """Seconds to a switch and back, if that could be measured."""
        session = self._sessions.get(switch_id)
        return session.pulse.round_trip if session is not None else None

    def report(self) -> list[dict[str, Any]]:
        """State and counters of every greeted switch, as plain data, by switch id."""
        return [_row(session) | {"lanes": len(self.lanes.of(session.place))} for _, session in sorted(self._sessions.items())]

    def silent(self, switch_id: str) -> float | None:
        """Seconds since anything was heard of a connected switch; None for one that is not."""
        session = self._sessions.get(switch_id)
        return None if session is None else max(0.0, self.loop.clock() - session.link.heard)

    # ---- the loop's thread

    def _order(self, switch_id: str, what: Callable[..., None], *args: Any) -> None:
        session = self._sessions.get(switch_id)
        if session is not None:
            what(session, *args)

    def _count(self, switch_id: str, answer: Future[Counters]) -> None:
        session = self._sessions.get(switch_id)
        if session is None or session.state is State.STRANGE:
            answer.set_exception(LookupError(f"switch {switch_id} is not followed"))
        elif question := session.counting.ask(answer, session.xids(1), self.loop.clock()):
            session.link.send(question)

    def _claim(self, generation: int) -> None:
        self.generation = generation
        for session in self._sessions.values():
            session.claim_again()

    def _welcome(self, link: Link) -> Peer:
        return Greeting(self, link)

    def channel(self, session: Session) -> osken.Channel:
        """The switch as os-ken's applications know it."""
        assert self._app is not None
        link = session.link
        return osken.Channel(self._app, link.address, int(session.switch_id, 16),
                             send=lambda data: self.loop.call(session.send_foreign, data),
                             close=lambda reason: self.loop.call(link.close, reason))

    def arrived(self, greeting: Greeting) -> None:
        """Someone says it is a switch. If that switch is connected already, the older connection may answer first."""
        owner = self._certificates.of_switch(greeting.switch_id, greeting.certificate)
        if owner is not None:
            self.post(Impostor("switch", greeting.switch_id, greeting.link.address, greeting.certificate, owner))
            greeting.link.close(f"it says it is switch {greeting.switch_id}, which belongs to the certificate of {owner}: "
                                f"it has shown that of {greeting.certificate}")
            return
        older = self._sessions.get(greeting.switch_id)
        if older is None:
            self._admit(greeting)
        elif older.pulse.rival is None:
            older.pulse.contend(greeting, self.loop.clock())
        else:
            greeting.link.close(f"two other connections say they are switch {greeting.switch_id}")

    def gave_up(self, greeting: Greeting) -> None:
        """A connection has ended that was no switch's."""
        older = self._sessions.get(greeting.switch_id)
        if older is not None and older.pulse.rival is greeting:
            older.pulse.rival = None

    def _admit(self, greeting: Greeting) -> None:
        session = Session(self, greeting.link, greeting.switch_id, greeting.certificate)
        self._sessions[greeting.switch_id] = session
        greeting.link.peer = session
        session.admitted()

    def left(self, session: Session, reason: str) -> None:
        """A greeted switch's connection has ended; a newer one of the same switch, if it waits, takes its place."""
        if self._sessions.pop(session.switch_id, None) is None:
            return
        self.packet_queue.forget(session.switch_id)
        self._changed.pop(session.switch_id, None)
        self.post(SwitchGone(session.switch_id, reason))
        rival, session.pulse.rival = session.pulse.rival, None
        if rival is not None and rival.link.open:
            self._admit(rival)


def _read(session: Session, audit: bool, changed: set[Key]) -> None:
    session.read(audit=audit, changed=changed)


def _count(session: Session) -> None:
    if session.state is not State.STRANGE and (questions := session.readout.ask(session.xids, session.home.loop.clock())):
        session.link.send(questions)


def _close(session: Session, reason: str) -> None:
    session.link.close(reason)


def _row(session: Session) -> dict[str, Any]:
    """A session as plain data. Seconds are the loop's clock's; counters begin with the connection."""
    sender, link = session.sender, session.link
    return {
        "switch_id": session.switch_id, "address": link.address, "certificate": session.certificate,
        "description": session.channel.description, "state": str(session.state), "role": session.role,
        "connected_seconds": round(link.loop.clock() - session.since, 1),
        "bytes_in": link.bytes_in, "bytes_out": link.bytes_out, "bytes_waiting": link.waiting,
        "changes": sender.sent.changes, "bundles": sender.sent.bundles, "bundles_discarded": sender.sent.discarded,
        "bundles_lost": session.losses, "refused": sender.sent.refused, "pending": len(sender.pending),
        "errors": session.errors, "reads": session.reads, "packets_in": session.packets_in,
        "packets_dropped": session.packets_dropped, "packets_out": session.packets_out,
    }
