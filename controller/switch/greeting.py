"""The first words with whoever connects: which OpenFlow it speaks, and which switch it says it is."""

from __future__ import annotations

import logging
import struct
from typing import Protocol

from controller.openflow import frame
from controller.openflow import messages as wire
from controller.switch import validate
from controller.switch.link import Link, Refused
from controller.switch.loop import Loop

LOG = logging.getLogger(__name__)

GREETING_SECONDS = 5.0      # from the connection (and its TLS) to the features reply
_HELLO_XID, _FEATURES_XID, TABLES_XID = 1, 2, 3
_NEEDED = b"OpenFlow 1.4 is needed (ovs-vsctl set bridge NAME protocols=OpenFlow14)"


class Home(Protocol):
    """Where who has been greeted goes on."""

    loop: Loop
    questions: bytes
    """What is asked beside who it is."""

    def arrived(self, greeting: Greeting) -> None: ...
    def gave_up(self, greeting: Greeting) -> None: ...


class Greeting:
    """A connection that is not known to be any switch's yet. Ends in home.arrived(), or closed."""

    state = "greeting"

    def __init__(self, home: Home, link: Link) -> None:
        self.home, self.link = home, link
        self.switch_id, self.certificate = "", ""
        self.waiting = False                    # for the switch's older connection to answer or be closed
        self._since = home.loop.clock()
        self._asked = False                     # who it is: from then on it may also tell of ports and packets

    def opened(self, certificate: str) -> None:
        """The connection (and TLS, if any) stands: greet."""
        self.certificate = certificate
        self.link.send(wire.hello(_HELLO_XID))

    def check(self, version: int, kind: int, length: int) -> None:
        """Judge a message by its header, before its body is waited for."""
        validate.header(version, kind, length, greeted=self._asked and kind in validate.UNASKED
                        or bool(self.switch_id) and kind == frame.MULTIPART_REPLY)

    def received(self, whole: bytes, kind: int, xid: int) -> None:
        """Take one message. What a switch tells unasked is passed over: its session asks for the ports anew."""
        if kind == frame.HELLO:
            self._hello(whole, xid)
        elif kind == frame.FEATURES_REPLY:
            self._features(whole)
        elif kind == frame.ECHO_REQUEST:
            self.link.send(wire.echo_reply(whole))
        elif kind == frame.ERROR:
            raise Refused(f"it refuses the greeting: {wire.read_error(whole).text}")

    def _hello(self, whole: bytes, xid: int) -> None:
        validate.body(whole, frame.HELLO)
        versions = wire.read_hello(whole)
        if wire.VERSION not in versions:
            self.link.send(wire.message(frame.ERROR, struct.pack("!HH", 0, 0) + _NEEDED, xid))
            raise Refused(f"it does not speak OpenFlow 1.4, only versions with bytes {sorted(versions)}")
        self.link.send(wire.features_request(_FEATURES_XID) + self.home.questions)
        self._asked = True

    def _features(self, whole: bytes) -> None:
        features = wire.read_features(whole)
        if features.auxiliary:
            raise Refused("auxiliary connections are not served")
        if not self.switch_id:
            self.switch_id = features.switch_id
            self.home.arrived(self)

    def ticked(self, now: float) -> None:
        """Time has passed: was that enough to say who it is?"""
        if not self.waiting and now - self._since > GREETING_SECONDS:
            self.link.close(f"no greeting within {GREETING_SECONDS:.0f} s")

    def closed(self, reason: str) -> None:
        """The connection has ended before it was any switch's."""
        self.home.loop.strangers.warning(LOG, "%s: closed: %s", self.link.address, reason)
        self.home.gave_up(self)
