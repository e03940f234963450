"""One connection with one switch, as a machine of few states:

    GREETING -> STRANGE -> READING -> FOLLOWING <-> SENDING        GONE from any of them

GREETING (greeting.py): versions and identity. STRANGE: it is known who it is; nothing is written until the desk says
read(). READING: what it holds is being read, and changes wait for the desk's answer. FOLLOWING: it holds what was
asked. SENDING: a bundle is on its way. An audit reads while FOLLOWING or SENDING goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.openflow import frame
from controller.openflow import messages as wire
from controller.openflow.group import Entry, Key
from controller.openflow.messages import Refusal
from controller.switch import events, validate
from controller.switch.counting import Counting
from controller.switch.filling import UNNUMBERED, WORTH, Filling
from controller.switch.greeting import TABLES_XID
from controller.switch.lanes import Lane, place_of
from controller.switch.link import Link, Refused
from controller.switch.osken import CONFIG, DEAD, MAIN, Channel
from controller.switch.port_news import PortNews
from controller.switch.pulse import Pulse
from controller.switch.reading import Reading
from controller.switch.readout import Readout
from controller.switch.sender import BundleLost, BundleUnsupported, Sender
from controller.switch.sync import Difference
from controller.switch.xids import Xids

if TYPE_CHECKING:
    from controller.switch.switches import Switches

LOG = logging.getLogger(__name__)

READ_SECONDS = 30.0         # between two parts of what is being read
PACKET_OUT_LIMIT = 1 << 20  # bytes waiting for a switch beyond which packets to it are dropped
LOSSES = 3                  # bundles in a row whose outcome may get lost before the connection is given up
_LOGGED_ERRORS = 5          # errors that are written to the log between two ticks
_IS_SLAVE, _ROLE_REFUSED = (1, 10), 11


class State(StrEnum):
    """Where a session stands."""

    STRANGE = "strange"
    READING = "reading"
    FOLLOWING = "following"
    SENDING = "sending"
    GONE = "gone"


class Session:
    """One switch's connection. Everything here runs in the loop's thread."""

    def __init__(self, home: Switches, link: Link, switch_id: str, certificate: str) -> None:
        self.home, self.link, self.switch_id, self.certificate = home, link, switch_id, certificate
        self.state, self.role = State.STRANGE, "none"
        self.xids = Xids()
        self.channel: Channel = home.channel(self)
        self.readout = Readout(switch_id, home.counted_tables, home.post)
        self.sender = Sender(switch_id, link.send_now, home.post, self.xids, limit=home.bundle,
                             readout=self.readout)
        self.reading: Reading | None = None
        self.filling: Filling | None = None
        self.counting = Counting()
        self.pulse = Pulse(link, self.xids)
        self.since = home.loop.clock()
        self.packets_in = self.packets_dropped = self.packets_out = self.errors = self.reads = self.losses = 0
        self._role_xid = -1
        self.ports = PortNews(switch_id, home.post)
        self._empty = False                         # it held nothing when it was read
        self._reread = False                        # a reading was asked for while a bundle is on its way
        self._errors_to_log = _LOGGED_ERRORS
        self._handlers: Mapping[int, Callable[[bytes, int], None]] = {
            frame.ECHO_REQUEST: self._on_echo_request, frame.ECHO_REPLY: self._on_echo_reply,
            frame.ERROR: self._on_error, frame.MULTIPART_REPLY: self._on_multipart,
            frame.BUNDLE_CONTROL: self._on_bundle, frame.BARRIER_REPLY: self._on_barrier,
            frame.PACKET_IN: self._on_packet_in, frame.PORT_STATUS: self._on_port_status,
            frame.ROLE_REPLY: self._on_role, frame.ROLE_STATUS: self._on_role,
            frame.FLOW_REMOVED: lambda whole, _: self.readout.removed(whole),
        }

    @property
    def place(self) -> tuple[str, str, str]:
        """Whose connection it is; its lanes are theirs who say the same."""
        return place_of(self.switch_id, self.link, self.certificate)

    # ---- what the link tells

    def opened(self, certificate: str) -> None:
        """The connection stood before the session began."""

    def check(self, version: int, kind: int, length: int) -> None:
        """Judge a message by its header, before its body is waited for."""
        validate.header(version, kind, length, greeted=True)

    def received(self, whole: bytes, kind: int, xid: int) -> None:
        """Take one message. What is unsound ends the connection."""
        if kind not in _JUDGED_BY_READER:
            validate.body(whole, kind)
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(whole, xid)
        self.channel.deliver(whole, kind, xid)

    def ticked(self, now: float) -> None:
        """Time has passed: what is overdue?"""
        self._errors_to_log = _LOGGED_ERRORS
        self.ports.ticked()
        self.pulse.ticked(now)
        if self.state is State.GONE:
            return
        if self.reading is not None and now - self.reading.heard > READ_SECONDS:
            self.link.close(f"it has not told what it holds for {READ_SECONDS:.0f} s")
        elif self.link.waiting == 0:
            self.sender.ask_if_late(now)

    def closed(self, reason: str) -> None:
        """The connection has ended."""
        self.home.loop.strangers.warning(LOG, "%s %s: closed: %s", self.switch_id, self.link.address, reason,
                                         always=self.state is not State.STRANGE)
        self._enter(State.GONE)
        self._let_go()
        self.counting.fail(reason)
        self.home.left(self, reason)

    # ---- what the desk asks

    def read(self, *, audit: bool, changed: set[Key] | None = None) -> None:
        """Read what the switch holds. The first time, this is what makes a stranger one of ours."""
        if self.state is State.STRANGE:
            LOG.info("%s %s: ours, certificate of %s", self.switch_id, self.link.address, self.certificate or "nobody")
            self._claim()
            self._ask(audit=False)
            self._learn_ports()
            return
        if self.reading is not None:
            self._reread |= self.reading.audit and not audit
            self.reading.collect_in(changed)
        elif audit and self.state is not State.READING:
            self._ask(audit=True, changed=changed)
        elif self.sender.flight is not None or self.filling is not None:
            self._reread = True
        else:
            self._ask(audit=False)

    def change(self, changes: Mapping[Key, Entry | None], seq: int) -> None:
        """Have the switch changed. A Difference is the desk's answer to a reading: what waited for it goes out too."""
        if self.state is State.STRANGE:
            return
        awaited = self.state is State.READING and self.reading is None and isinstance(changes, Difference)
        if awaited and self._empty and self.filling is None and self._fill(changes):
            changes = {}
        if self.filling is not None:
            self.filling.defer(changes, UNNUMBERED if self.state is State.READING and not awaited else seq)
        else:
            self.sender.merge(changes, seq)
        if awaited:
            self._enter(State.FOLLOWING)
        self._go()

    def foresee(self, changes: Mapping[Key, Entry | None]) -> None:
        """The switch has no flow: it is filled with this while it is still being read, if lanes are there and it is worth it."""
        if self.state is State.READING and self.reading is not None and self.filling is None and self._fill(changes):
            self._go()

    def _fill(self, changes: Mapping[Key, Entry | None]) -> bool:
        """Have a switch that has come up empty filled by its lanes too, if there are some and it is worth it."""
        lanes = self.home.lanes.of(self.place) if self.sender.asked < 0 and len(changes) >= WORTH else []
        if lanes and self.role != "slave":
            self.filling = Filling(changes, self.sender, lanes, self._sender_of, self._go, self._lost)
        return self.filling is not None

    def _sender_of(self, lane: Lane) -> Sender:
        return Sender(self.switch_id, lane.link.send_now, self.home.post, lane.xids, limit=self.sender.limit,
                      readout=self.readout)

    def _let_go(self) -> None:
        """What the lanes are about is not waited for any more."""
        filling, self.filling = self.filling, None
        if filling is not None:
            filling.stop()

    def claim_again(self) -> None:
        """Ask once more to be master, under the generation that holds now."""
        if self.state is not State.STRANGE:
            self._role_xid = self.xids(1)
            self.link.send(wire.role_request(wire.ROLE_MASTER, self.home.generation, self._role_xid))

    def _claim(self) -> None:
        """Ask to be master; say how packets are to be sent here."""
        self._role_xid = self.xids(2)
        self.link.send(wire.role_request(wire.ROLE_MASTER, self.home.generation, self._role_xid)
                       + wire.set_config(fragments=wire.SHOW_FIRST, xid=self._role_xid + 1))

    def _learn_ports(self) -> None:
        """Ask which ports there are, and what the switch is; what it holds is asked before, because that is waited for."""
        self.ports.xid = self.xids(1)
        self.link.send(wire.port_desc_request(self.ports.xid))
        self.channel.ask_description()

    def send_packet(self, message: bytes | Callable[[], bytes]) -> None:
        """Send a packet out, or what makes it as it leaves; dropped for a stranger, or if the switch does not take what it is sent."""
        if self.state is State.STRANGE or self.link.waiting > PACKET_OUT_LIMIT:
            self.packets_dropped += 1
            return
        self.packets_out += 1
        self.link.send_fresh(message) if callable(message) else self.link.send(message)

    def send_foreign(self, data: bytes) -> None:
        """Send what an application of os-ken wants to say; nothing to a stranger."""
        if self.state in (State.READING, State.FOLLOWING, State.SENDING):
            self.link.send(data)
        else:
            LOG.warning("%s: a message of an application is dropped, the switch is %s", self.switch_id, self.state)

    # ---- states

    def admitted(self) -> None:
        """The identity is this connection's alone: it is greeted, and a stranger until read() is called."""
        self.channel.set_state(CONFIG)
        self.home.post(events.SwitchGreeted(self.switch_id, self.link.address, self.certificate))

    def _enter(self, state: State) -> None:
        if state is self.state:
            return
        LOG.debug("%s: %s -> %s", self.switch_id, self.state, state)
        self.state = state
        self.channel.set_state(DEAD if state is State.GONE else MAIN)

    def _go(self) -> None:
        """Between two bundles: read if that was asked, else send what is next."""
        if self.role == "slave" or self.state in (State.STRANGE, State.GONE):
            return
        if self.state is State.READING:
            if self.filling is not None:
                self.sender.go(self.home.loop.clock())
                self.filling.go(self.home.loop.clock())
            return
        if self._reread and self.sender.flight is None and self.reading is None and self.filling is None:
            self._ask(audit=False)
            return
        self.sender.go(self.home.loop.clock())
        if self.filling is not None and not self.filling.go(self.home.loop.clock()):
            self.filling = None
            self._go()
            return
        self._enter(State.FOLLOWING if self.sender.flight is None and self.filling is None else State.SENDING)

    def _ask(self, *, audit: bool, changed: set[Key] | None = None) -> None:
        if not audit:
            self._reread = False
            self.sender.hold()
            self._enter(State.READING)
        self.reads += 1
        self.reading = Reading(self.xids(3), self.home.loop.clock(), audit=audit, seq=max(self.sender.asked, 0),
                               changed=(self.filling or self.sender).keys() if audit else set())
        self.reading.collect_in(changed)
        self.link.send(self.reading.requests)

    def _read_on(self) -> None:
        """If all is read, tell the desk."""
        reading = self.reading
        if reading is None or not reading.done:
            return
        self.reading = None
        if not reading.audit:
            self._empty = not reading.have
            if self.filling is None:            # else what it has by now is known better
                self.sender.learn(reading.have)
                self.readout.learn(reading.have)
        coming = self.filling.changes if self.filling is not None and not reading.audit else {}
        self.home.post(events.SwitchRead(self.switch_id, reading.have, reading.audit, reading.seq, reading.changed, coming))
        if self._reread:
            self._go()

    def _lost(self, text: str) -> None:
        """What a bundle has done is unknown: read, rather than guess."""
        self._let_go()
        self.losses += 1
        if self.losses > LOSSES:
            self.link.close(f"{text}, {self.losses} times in a row")
            return
        LOG.warning("%s: %s: it is read again", self.switch_id, text)
        self.reading = None
        self._ask(audit=False)

    # ---- messages

    def _on_echo_request(self, whole: bytes, xid: int) -> None:
        self.link.send(wire.echo_reply(whole))

    def _on_echo_reply(self, whole: bytes, xid: int) -> None:
        if self.sender.lost(xid):
            self._lost("it has not answered about a bundle, but what came after it")
        loser = self.pulse.answered(xid)
        if loser is not None:
            self.home.post(events.SwitchTwice(self.switch_id, self.link.address, loser.link.address))
            loser.link.close(f"switch {self.switch_id} is connected from {self.link.address}, and answers there")

    def _on_multipart(self, whole: bytes, xid: int) -> None:
        if self.reading is not None and self.reading.concerns(xid):
            self.reading.part(whole, xid, self.home.loop.clock())
            self._read_on()
            return
        if self.counting.concerns(xid):
            self.counting.part(whole)
            return
        if self.readout.concerns(xid):
            self.readout.part(whole, xid)
            return
        validate.body(whole, frame.MULTIPART_REPLY)
        if xid == self.ports.xid:
            self.ports.part(whole)
        elif xid == TABLES_XID and wire.multipart_kind(whole) == (wire.TABLES, False) and not wire.read_flow_count(whole):
            self.home.post(events.SwitchEmpty(self.switch_id))

    def _on_bundle(self, whole: bytes, xid: int) -> None:
        reply = wire.read_bundle_reply(whole)
        if self.sender.answered(reply, self.home.loop.clock()):
            if reply.step == wire.COMMIT_REPLY:
                self.losses = 0
            self._go()

    def _on_barrier(self, whole: bytes, xid: int) -> None:
        if self.sender.passed(xid):
            self._go()

    def _on_packet_in(self, whole: bytes, xid: int) -> None:
        self.packets_in += 1
        if self.state is State.STRANGE or self.home.packet_queue.full(self.switch_id):
            self.packets_dropped += 1
            return
        self.home.packet_queue.put(self.switch_id, wire.read_packet_in(whole), self.link.came)

    def _on_port_status(self, whole: bytes, xid: int) -> None:
        self.ports.changed(whole, tell=self.state is not State.STRANGE)

    def _on_role(self, whole: bytes, xid: int) -> None:
        role, generation = wire.read_role(whole)
        if role == wire.ROLE_SLAVE and self.state is not State.STRANGE:
            self._demoted(f"another controller is master, with generation {generation}")
        elif role == wire.ROLE_MASTER and xid == self._role_xid:
            again, self.role = self.role == "slave", "master"
            if again:
                self.read(audit=False)

    def _demoted(self, text: str) -> None:
        """Another controller is master. What it writes is not ours to undo: hold everything back."""
        if self.role == "slave":
            return
        LOG.warning("%s: nothing is written to it any more: %s", self.switch_id, text)
        self.role = "slave"
        self._let_go()
        self.sender.hold()
        if self.state is State.SENDING:
            self._enter(State.FOLLOWING)
        self.home.post(events.SwitchDemoted(self.switch_id, text))

    def _on_error(self, whole: bytes, xid: int) -> None:
        refusal = wire.read_error(whole)
        self.errors += 1
        if (refusal.type, refusal.code) == _IS_SLAVE or (refusal.type == _ROLE_REFUSED and xid == self._role_xid):
            self._demoted(refusal.text)
            return
        try:
            if self.sender.refused(refusal):
                self._go()
                return
        except BundleLost as error:
            self._lost(str(error))
            return
        except BundleUnsupported as error:
            raise Refused(f"it opens no bundle: {error}") from error
        self._other_error(refusal)

    def _other_error(self, refusal: Refusal) -> None:
        if self.reading is not None and self.reading.concerns(refusal.xid):
            LOG.warning("%s: %s", self.switch_id, self.reading.refused(refusal, self.home.loop.clock()))
            self._read_on()
        elif self.counting.concerns(refusal.xid):
            self.counting.fail(refusal.text)
        elif self.readout.concerns(refusal.xid):
            self.readout.fail()
        elif self._errors_to_log > 0 and refusal.xid != TABLES_XID:
            self._errors_to_log -= 1
            LOG.warning("%s: it refused message %d: %s", self.switch_id, refusal.xid, refusal.text)


_JUDGED_BY_READER = frozenset({frame.MULTIPART_REPLY, frame.PACKET_IN, frame.ECHO_REQUEST, frame.ECHO_REPLY,
                               frame.BARRIER_REPLY, frame.FEATURES_REPLY, frame.ERROR, frame.ROLE_REPLY})
