"""Control: what the desk does with what it hears. Facts and packets in, differences out, and what is true of each port.

    HostFacts ───────► writer.learn ─► rows change ─┐
    REST writes ─────► writer.create … ─────────────┴─► compiler.update ─► switches.change(id, changes, seq)
    SwitchGreeted ───► known? read it (SwitchEmpty: get ready what it lacks)
                                                    SwitchRead ─► difference(desired, have) ─► switches.change
    SwitchConfirmed ─► who waited for it?           PacketReceived ─► the rule's answer ─► switches.send_packet

`seq` counts the batches that changed flows; a switch that has confirmed seq n holds all that was wanted then.
"""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any

from controller import host_rows
from controller.alarms import Alarms
from controller.announcements import PORTION, Announcements
from controller.certificates import Certificates
from controller.compile import Compiler
from controller.confirmations import Confirmations
from controller.fading import Fading
from controller.keeping import Keeping
from controller.later import Means, Told
from controller.model import Change
from controller.pace import Pace
from controller.queues import Furnishing
from controller.refusals import Refusals
from controller.remembered import Unremembered
from controller.replies import Replies
from controller.rollout import Rollout
from controller.seals import Seals
from controller.standing import Beat, Standing, Tick
from controller.store import StoreError
from controller.switch import events
from controller.switch.host_facts import HostFacts
from controller.switch.sparing import Sparing
from controller.switch.sync import Difference, agrees, difference, examples, held
from controller.switch_ports import SwitchPorts
from controller.tidings import Tidings
from controller.vigil import Vigil

log = logging.getLogger("hadron.control")

TURNS = 5                  # at most, of following changes that follow from changes
PATIENCE = 1.0             # seconds after a start within which switches call again
LATE = 3.0                 # seconds after which a tick says nothing about how long nothing was heard
EXAMPLES = 20              # of each kind of wrong entry, kept from the last reading of a switch


class Control:
    """Lives on the desk thread, but for `status`, which any thread may ask."""

    def __init__(self, *, model: Any, writer: Any, compiler: Compiler, switches: Any,
                 home: Callable[[str], str | None], now: Callable[[], float], passed: Callable[[], float] = monotonic,
                 audit_interval: float = 300.0,
                 sayings: Iterable[Any] = (), fading: Mapping[str, Any] = {}, seals: Seals | None = None,
                 adopted: Iterable[str] = (), failover: float = 6.0, settle: float = 60.0,
                 kept: Iterable[Any] = (), tellers: Iterable[Any] = (), furnished: Iterable[Any] = (),
                 furnish: Callable[[str, Any], None] = lambda host, queues: None, means: Means | None = None, statistics: Any = None,
                 certificates: Certificates | None = None,
                 followed: Callable[[int], None] = lambda _: None,
                 write_down: Callable[[dict[str, Any], float], None] = lambda *_: None) -> None:
        self.model, self.writer, self.compiler, self.switches = model, writer, compiler, switches
        # Clocks may be put right at any time: `now` is what people read, `passed` how long something takes.
        self.home, self.now, self.passed, self.audit_interval = home, now, passed, audit_interval
        self.seq = 0
        self.standing: dict[str, Standing] = {}                          # switches that are connected
        self.alarms = Alarms(now)
        self._alarm = self.alarms.note
        self.fading, self.pace = Fading(model, writer.learn, fading), Pace(PORTION)
        self.replies = Replies(model=model, compiler=compiler, switches=switches, learn=writer.learn, alarm=self._alarm,
                               seals=seals or Seals(now, bytes), fading=self.fading, pace=self.pace,
                               passed=passed, means=means, write_down=write_down)
        self.announcements = Announcements(model, compiler.world, sayings, self.replies.hand, self.pace)
        self.keeping = Keeping(model, compiler.world, writer, kept, self._alarm)
        self.furnishing = Furnishing(model, compiler.world, furnished, furnish)
        self.tidings = Tidings(model, compiler.world, writer, tellers, self._known)
        self.refusals = Refusals(compiler.why, self._alarm, self.tidings.may_differ)
        self.rollout = Rollout(self._change)
        self.confirmations = Confirmations(self.standing, lambda: bool(self.rollout.waiting), self.tidings.may_differ)
        self.ports = SwitchPorts(model, writer.learn, tuple(adopted))
        self.statistics, self.followed = statistics, followed
        self.certificates = certificates or Certificates(model.rows, writer.learn)
        self.remembered = Unremembered()
        self.vigil = Vigil(model, writer.learn, failover=failover, settle=settle, alarm=self._alarm)
        self._hearing: dict[str, int] = {}                               # who must confirm what before we speak
        self._strangers = Sparing(passed)
        self._early: set[str] = set()                                    # switches that are being read before the desk knows
        self._foreseen: dict[str, Difference] = {}                       # what switches that seem empty will be told
        self._arriving: frozenset[str] = frozenset()                     # ports of which flows are being made
        self._next_audit: dict[str, float] = {}
        self._afterwards: tuple[Callable[[], None], float] | None = None
        self._on: dict[type, Callable[[Any], None]] = {
            events.SwitchGreeted: self._greeted, events.SwitchEmpty: self._empty, events.SwitchGone: self._gone,
            events.SwitchRead: self._read, events.SwitchConfirmed: self._confirmed, events.SwitchRefused: self.refusals.refused,
            events.PacketsWaiting: self.replies.take, events.SwitchTwice: self._twice, events.Impostor: self._impostor,
            events.SwitchAccepted: self.refusals.accepted,
            events.SwitchDemoted: self._demoted, events.PortChanged: self._port_changed,
            events.PortsTold: self.ports.told, HostFacts: self._facts, Tick: self._tick,
            Beat: self._beat, Told: lambda event: event.done(event.answer), **(statistics.handlers if statistics else {})}

    # ---- what the desk calls
    def on_event(self, event: Any) -> None:
        handle = self._on.get(type(event))
        if handle:
            handle(event)

    def after_batch(self) -> None:
        """Rows changed: let each switch concerned have its difference; then save what was seen, which can wait so long."""
        try:
            for _ in range(TURNS):               # what follows from what was seen may have consequences of its own
                changes = self.writer.changes[:]
                if changes:
                    del self.writer.changes[:len(changes)]
                    began = self.passed()
                    self._follow(changes)
                    self.replies.worked(self.passed() - began)
                self.keeping.work()
                if not self.writer.changes:
                    break
            self.writer.flush()
        except StoreError as error:              # what was seen is followed all the same, and saved once that works
            self._alarm("unsaved", said=str(error))
        self.followed(self.writer.revision)
        if not self.writer.changes:
            self.remembered.settle(self.passed())

    def _follow(self, changes: Sequence[Change]) -> None:
        self._foreseen.clear()
        self._arriving = _ports_of_interfaces(changes)                   # with thousands at once that takes a while
        delta = self.compiler.update(changes)
        self.remembered.changed()
        self.fading.changed(changes)
        self.announcements.take(changes, delta.news)
        self.keeping.take(changes, delta.news)
        self.furnishing.take(changes, delta.news)
        self.tidings.take(changes, delta.news)
        self.tidings.may_differ(delta.concerned)
        for kind, id, before, after, _ in changes:
            if kind == "switch" and id in self.model.rows["switch"]:
                self._greet_known(id)
            elif kind == "interface":
                self.tidings.may_differ(("port", row.port_id) for row in (before, after) if row is not None and row.port_id)
            elif kind == "loss":
                self._look_again(id)
        if delta.changes or delta.lingering.ends:
            self._send(delta)
        self._arriving = frozenset()
        if self.announcements.urgent:
            self._hearing.update({switch: self.seq for switch in delta.changes
                                  if switch in self.standing and self.standing[switch].sent == self.seq})
            self._hurry()

    def _hurry(self) -> None:
        """What cannot wait is said once the switches have what goes with it: an old place must be silent by then."""
        for switch, seq in list(self._hearing.items()):
            if switch not in self.standing or self.standing[switch].confirmed >= seq:
                del self._hearing[switch]
        if not self._hearing:
            self.announcements.hurry()

    def load(self) -> None:
        """Compile everything, before anybody is told."""
        self.ports.load()
        self.fading.load()
        del self.writer.changes[:]               # what follows takes in all rows there are
        rows = [(kind, id, None, None, ()) for kind, held in self.model.rows.items() for id in held]
        then = self.remembered.take_back()
        changes = rows if then is None else self.model.changes_since(then)
        self.compiler.update(changes, tell=False)
        if changes:
            self.remembered.changed()
        self.announcements.take(rows, (), tell=False)
        self.keeping.take(rows, ())
        self.furnishing.take(rows, ())
        self.tidings.load()

    def afterwards(self, work: Callable[[], None]) -> None:
        """After a start: do this once all switches are in step again, or a while later, so that it keeps nobody waiting."""
        self._afterwards = work, self.passed() + PATIENCE
        self._go_on()

    def _go_on(self) -> None:
        if self._afterwards is None:
            return
        work, latest = self._afterwards
        known = self.model.rows["switch"]
        if self.passed() > latest or all(id in self.standing and self.standing[id].in_step for id in known):
            self._afterwards = None
            self.compiler.world.enter()              # before somebody is waiting for it
            work()

    def _send(self, delta: Any) -> None:
        sent = self.rollout.take(delta.changes, delta.late, self.passed(), delta.lingering)
        self.confirmations.sent(delta.concerned, sent)

    def _change(self, changes: Mapping[str, Mapping[tuple, Any]]) -> dict[str, int]:
        """Tell switches; the number by which each will confirm. Of who is away, or not read yet, a read finds what differs."""
        self.seq += 1
        sent = {}
        for switch, told in changes.items():
            standing = self.standing.get(switch)
            if standing is not None and standing.first is not None:
                for key in told:
                    self.refusals.forgive(switch, key)
                standing.sent = sent[switch] = self.seq
                self._account(switch, told)
                self.switches.change(switch, told, self.seq)
        return sent

    def _account(self, switch: str, told: Mapping[tuple, Any]) -> None:
        if self.statistics is not None:
            self.statistics.told(switch, told)

    # ---- switches
    def _greeted(self, event: Any) -> None:
        early = event.switch_id in self._early
        self.standing[event.switch_id] = Standing(event.address, event.certificate, asked=early)
        if early:
            self.certificates.keep_switch(event.switch_id, event.certificate)
        self._early.discard(event.switch_id)
        self.ports.greeted(event.switch_id)
        self.vigil.greeted(event.switch_id)
        if event.switch_id in self.model.rows["switch"]:
            self._greet_known(event.switch_id)
        else:
            self._strangers.warning(log, "switch %s (%s) is unknown: watched, never written", event.switch_id, event.address)

    def _empty(self, event: Any) -> None:
        """It has come up empty: that is what it can be filled with at once."""
        standing = self.standing.get(event.switch_id)
        if standing is not None and standing.asked and standing.first is None:
            self._foreseen[event.switch_id] = found = difference(self.compiler.desired(event.switch_id), {})
            self.switches.foresee(event.switch_id, found)
            self._account(event.switch_id, found)

    def read_early(self, switch: str) -> None:
        """For the switches' thread: a switch of ours that comes says what it holds while the desk has other things to do."""
        if switch in self.model.rows["switch"]:
            self._early.add(switch)
            self.switches.read(switch)

    def _greet_known(self, switch: str) -> None:
        standing = self.standing.get(switch)
        if standing is not None and not standing.asked and self._shows_its_own(switch, standing):
            self.certificates.keep_switch(switch, standing.certificate)
            standing.asked = True
            self.switches.read(switch)

    def _shows_its_own(self, switch: str, standing: Standing) -> bool:
        """Whether a switch that came before its certificate was known has shown that; else it goes."""
        owner = self.certificates.of_switch(switch, standing.certificate)
        if owner is not None:
            self.switches.drop(switch, f"it belongs to the certificate of {owner}")
            self._impostor(events.Impostor("switch", switch, standing.address, standing.certificate, owner))
        return owner is None

    def _gone(self, event: Any) -> None:
        standing = self.standing.pop(event.switch_id, None)
        self._foreseen.pop(event.switch_id, None)
        if self.statistics is not None:
            self.statistics.gone(event.switch_id)
        self.vigil.gone(event.switch_id)
        self.ports.gone(event.switch_id)
        if standing:
            self.confirmations.release(event.switch_id, standing, None)
        self.rollout.gone(event.switch_id, self.passed())
        self.refusals.forgive_all(event.switch_id)
        self._hurry()
        self.confirmations.notify()

    def _read(self, event: Any) -> None:
        """The switch says what it holds: send what differs from what it should hold."""
        standing = self.standing.get(event.switch_id)
        if standing is None:
            return
        if event.switch_id not in self.model.rows["switch"]:
            standing.asked = standing.first is not None
            return
        foreseen = self._foreseen.pop(event.switch_id, None)
        as_foreseen = foreseen is not None and foreseen is event.coming and agrees(event.have, foreseen)
        desired: Mapping[Any, Any] = event.coming if as_foreseen else self.compiler.desired(event.switch_id)
        if standing.first is None:
            self.rollout.gone(event.switch_id, self.passed())          # it is told everything at once
            if not as_foreseen:
                self._account(event.switch_id, desired)
            if self.statistics is not None:
                self.statistics.begin(event.switch_id, self.now())
        found = Difference() if as_foreseen else difference(
            desired, {**event.have, **held(event.coming)} if event.coming else event.have,
            changed={*event.changed, *self.rollout.held_back(event.switch_id)})
        for key in [key for key in found if (event.switch_id, key) in self.refusals.entries] if self.refusals.entries else ():
            del found[key]
        standing.audit = {"at": self.now(), "first": standing.first is None, "wanted": len(desired),
                          "held": len(event.have), "alien": len(found.alien), "missing": len(found.missing) + len(event.coming),
                          "altered": len(found.altered), "examples": examples(found, event.have, EXAMPLES)}
        self._next_audit[event.switch_id] = self.passed() + self.audit_interval
        if standing.first is None:
            standing.first = self.seq = self.seq + 1
            log.info("switch %s: %d entries held, %d to change", event.switch_id, len(event.have), len(found) + len(event.coming))
        elif found:
            self.seq += 1
            self._alarm("drift", switch=event.switch_id, alien=len(found.alien), missing=len(found.missing),
                        altered=len(found.altered))
        standing.sent = self.seq
        self.switches.change(event.switch_id, found, self.seq)
        self.confirmations.notify()

    def _confirmed(self, event: Any) -> None:
        standing = self.standing.get(event.switch_id)
        if standing is None:
            return
        standing.confirmed = max(standing.confirmed, event.seq)
        if standing.first is not None and standing.confirmed >= standing.first:
            if not standing.in_step:
                self._look_again(event.switch_id)
            standing.in_step = True
            self.vigil.in_step(event.switch_id)
        self.confirmations.release(event.switch_id, standing, event.seq)
        self.rollout.confirmed(event.switch_id, event.seq, self.passed())
        self._hurry()
        self.confirmations.notify()

    def _twice(self, event: Any) -> None:
        self._alarm("twice", switch=event.switch_id, kept=event.kept, refused=event.refused)

    def _impostor(self, event: Any) -> None:
        self._alarm("impostor", object=f"{event.kind} {event.id}", address=event.address, certificate=event.shown,
                    belongs_to=event.owner)

    def _demoted(self, event: Any) -> None:
        self._alarm("demoted", switch=event.switch_id, said=event.text)

    # ---- facts and packets
    def _facts(self, event: Any) -> None:
        """Rows of a host came or went."""
        if self.certificates.keep_host(event.host_id, event.certificate):
            for switch in self.model.find("switch", "host_id", event.host_id):
                if switch.id in self.standing:
                    self._shows_its_own(switch.id, self.standing[switch.id])
        removes = host_rows.gone(self.model, event)
        for switch in host_rows.taken_over(self.model, event):
            if switch.host_id is not None:
                self._alarm("moved", switch=switch.id, was=switch.host_id, now=event.host_id)
            removes += host_rows.left_behind(self.model, switch, event.host_id)
        self.writer.learn(event.puts, removes)

    def _port_changed(self, event: Any) -> None:
        self.ports.changed(event)
        if event.state != "up":
            self.fading.lost((event.switch_id, event.ofport))

    # ---- time
    def _beat(self, _: Beat) -> None:
        """A part of a second has passed: say what must be said soon; see which ports have settled."""
        self._go_on()
        self.announcements.beat()
        self.tidings.work()
        self.replies.follow_proved()
        if not self.announcements.waiting and not self.replies.gathering:
            self.ports.beat(lambda id: id in self.standing and self.standing[id].in_step)

    def _tick(self, tick: Tick) -> None:
        """Once a second: say what is to be said; name those who flood us; audit the switches whose turn it is."""
        self.vigil.tick(tick.now, self.standing)
        self.remembered.tick(tick.passed)
        if self.statistics is not None:
            self.statistics.tick(tick.now, [id for id, one in self.standing.items() if one.in_step])
        self.pace.tick()
        self.announcements.tick(tick.now)
        self.rollout.advance(self.passed())
        self.replies.tick()
        if self.passed() - tick.passed < LATE:       # else the desk was busy, and what has been heard meanwhile still waits
            self.fading.tick(self.standing, self.announcements.stretch)
        if self.audit_interval:
            due = [id for id, one in self.standing.items() if one.in_step and self._next_audit.get(id, 0) <= tick.passed]
            # One after the other, as many a second as it takes: what a full switch says is a tenth of a second's work.
            for switch in due[:1 + int(len(self.standing) / self.audit_interval)]:
                self._next_audit[switch] = tick.passed + self.audit_interval
                self.switches.read(switch, audit=True)

    def audit(self, switches: Iterable[str] = ()) -> None:
        """Read these switches (all, if none is named) again, and repair what differs."""
        for switch in list(switches) or [id for id, standing in self.standing.items() if standing.in_step]:
            self.switches.read(switch, audit=True)

    # ---- what is true of a port; from any thread
    def status(self, port_id: str) -> str:
        """DOWN until its interface is seen, BUILD until every switch concerned has confirmed, then ACTIVE."""
        if ("port", port_id) in self.refusals.objects:
            return "ERROR"
        home = self.home(port_id)
        if home is None:
            return "DOWN"
        standing = self.standing.get(home)
        if standing is None or not standing.in_step or ("port", port_id) in self.confirmations.pending \
                or port_id in self._arriving:
            return "BUILD"
        return "ACTIVE"

    def _known(self, kind: str, id: str) -> bool:
        """Whether it is known how an object does: of a port that is on a switch, if that is in step, or lost; of others,
        if nothing is under way."""
        if kind != "port":
            return (kind, id) not in self.confirmations.pending
        home = self.home(id)
        return home is None or home in self.model.rows["loss"] or home in self.standing and self.standing[home].in_step

    def _look_again(self, switch: str) -> None:
        """A switch has come, or gone for good: how its ports do may be told."""
        self.tidings.may_differ([("switch", switch), *(
            ("port", seen.port_id) for seen in self.model.find("interface", "switch_id", switch) if seen.port_id)])


def _ports_of_interfaces(changes: Iterable[Change]) -> frozenset[str]:
    """The ports of interfaces that have come, or are elsewhere than before."""
    return frozenset(after.port_id for kind, _, before, after, _ in changes if kind == "interface" and after is not None
                     and after.port_id and (before is None or _place(before) != _place(after)))


def _place(seen: Any) -> tuple:
    return seen.port_id, seen.switch_id, seen.ofport
