"""Lanes: further connections of a switch, by which it is filled at once when it has come up empty (filling.py).

They come to a listener of their own, so none is ever taken for a second switch of that name; nothing is asked of them but
to carry changes, and nothing is told by them: packets and changes of ports come by the session alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from controller.openflow import frame
from controller.openflow import messages as wire
from controller.switch import validate
from controller.switch.greeting import Greeting
from controller.switch.link import Link, Peer
from controller.switch.loop import Loop
from controller.switch.pulse import SILENCE_SECONDS
from controller.switch.sender import BundleLost, BundleUnsupported, Sender
from controller.switch.xids import Xids

MOST = 8                    # lanes of one switch
IDLE_SECONDS = 200.0        # silence after which a lane is closed: the switch asks whether we are there every minute

Place = tuple[str, str, str]
"""Who has a lane: the switch's id, the host's address, the name in its certificate."""


class Lane:
    """One lane. At rest unless it has a `sender`; then `moved` is called when that has got on, `failed` with the reason
    if what it was given may not have been carried out."""

    def __init__(self, home: Lanes, link: Link, place: Place) -> None:
        self.home, self.link, self.place = home, link, place
        self.sender: Sender | None = None
        self._moved: Callable[[], None] = lambda: None
        self._failed: Callable[[str], None] = lambda _: None
        self._began, self.xids = 0.0, Xids()

    # ---- what filling asks

    def take(self, sender: Sender, moved: Callable[[], None], failed: Callable[[str], None]) -> Sender:
        """Carry what this sender sends."""
        self.sender, self._moved, self._failed, self._began = sender, moved, failed, self.link.loop.clock()
        return sender

    def rest(self) -> None:
        """Carry nothing more. Of what is on its way nobody would know what became of it: then the lane is closed."""
        sender, self.sender = self.sender, None
        if sender is not None and sender.flight is not None:
            self.link.close("what was on its way is not waited for")

    # ---- what the link tells

    def opened(self, certificate: str) -> None:
        """The connection stood before it was known whose it is."""

    def check(self, version: int, kind: int, length: int) -> None:
        """Judge a message by its header, before its body is waited for."""
        validate.header(version, kind, length, greeted=True)

    def received(self, whole: bytes, kind: int, xid: int) -> None:
        """Take one message: an answer, or the question whether we are there. All else is passed over."""
        try:
            if kind == frame.ECHO_REQUEST:
                self.link.send(wire.echo_reply(whole))
            elif self.sender is not None and self._answered(self.sender, whole, kind, xid):
                self.sender.go(self.link.loop.clock())
                self._moved()
        except (BundleLost, BundleUnsupported) as error:
            self._failed(str(error))

    def _answered(self, sender: Sender, whole: bytes, kind: int, xid: int) -> bool:
        """Whether this was about what is on its way. BundleLost, BundleUnsupported."""
        if kind == frame.BUNDLE_CONTROL:
            validate.body(whole, kind)
            return sender.answered(wire.read_bundle_reply(whole), self.link.loop.clock())
        if kind == frame.ERROR:
            return sender.refused(wire.read_error(whole))
        if kind == frame.ECHO_REPLY and sender.lost(xid):
            raise BundleLost("it has not answered about a bundle, but what came after it")
        return kind == frame.BARRIER_REPLY and sender.passed(xid)

    def ticked(self, now: float) -> None:
        """Time has passed: is it still there?"""
        if self.sender is None:
            if now - self.link.heard > IDLE_SECONDS:
                self.link.close(f"silent for {now - self.link.heard:.0f} s")
        elif now - max(self.link.heard, self._began) > SILENCE_SECONDS:
            self.link.close(f"no answer for {SILENCE_SECONDS:.0f} s")
        elif self.link.waiting == 0:
            self.sender.ask_if_late(now)

    def closed(self, reason: str) -> None:
        """The connection has ended."""
        self.home.left(self)
        if self.sender is not None:
            self._failed(f"a lane was closed: {reason}")


class Lanes:
    """All lanes of all switches, by whose they are."""

    questions = b""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._lanes: defaultdict[Place, list[Lane]] = defaultdict(list)

    def welcome(self, link: Link) -> Peer:
        """Someone has connected: greet."""
        return Greeting(self, link)

    def arrived(self, greeting: Greeting) -> None:
        """A switch has a lane more. That it comes from where its session does is asked when it is used."""
        place = place_of(greeting.switch_id, greeting.link, greeting.certificate)
        if len(self._lanes[place]) >= MOST:
            greeting.link.close(f"switch {greeting.switch_id} has {MOST} lanes already")
            return
        lane = Lane(self, greeting.link, place)
        greeting.link.peer = lane
        self._lanes[place].append(lane)
        lane.link.send(wire.set_async(packet_in_reasons=0, port_reasons=0, removal_reasons=0, xid=lane.xids(1)))

    def gave_up(self, greeting: Greeting) -> None:
        """A connection has ended that was no lane yet."""

    def left(self, lane: Lane) -> None:
        """A lane has ended."""
        lanes = self._lanes[lane.place]
        if lane in lanes:
            lanes.remove(lane)
        if not lanes:
            del self._lanes[lane.place]

    def of(self, place: Place) -> list[Lane]:
        """The lanes that are there and at rest. Any thread may ask how many."""
        return [lane for lane in self._lanes.get(place, ()) if lane.sender is None]


def place_of(switch_id: str, link: Link, certificate: str) -> Place:
    """Whose a connection is."""
    return switch_id, link.address.rpartition(":")[0], certificate
