"""The framework: an os-ken application owns the switches' thread, and each greeted switch is a Datapath of os-ken.

This is the only file that imports os_ken.controller or os_ken.base. Other os-ken applications can be loaded beside
Hadron's: they observe the same event classes and send with Datapath.send_msg, but nothing they do can block the thread.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

from os_ken import exception
from os_ken.base import app_manager
from os_ken.controller import handler, ofp_event
from os_ken.controller.controller import Datapath
from os_ken.lib import hub
from os_ken.ofproto import ofproto_parser, ofproto_protocol
from os_ken.ofproto import ofproto_v1_4 as ofp
from os_ken.ofproto import ofproto_v1_4_parser as ofp_parser

LOG = logging.getLogger(__name__)

if hub.HUB_TYPE != "native":
    raise ImportError(f"OSKEN_HUB_TYPE is {hub.HUB_TYPE}: Hadron runs on os-ken's native threads only")
# An application that handles OpenFlow events would have AppManager start os-ken's own listener: ours serves it.
ofp_event._SERVICE_NAME = None

CONFIG, MAIN, DEAD = handler.CONFIG_DISPATCHER, handler.MAIN_DISPATCHER, handler.DEAD_DISPATCHER
# Messages that never reach os-ken's parser: Hadron reads them by hand, or their nesting is not judged down to the leaf.
_OURS = frozenset({ofp.OFPT_HELLO, ofp.OFPT_ECHO_REQUEST, ofp.OFPT_ECHO_REPLY, ofp.OFPT_BARRIER_REPLY,
                   ofp.OFPT_BUNDLE_CONTROL, ofp.OFPT_REQUESTFORWARD, ofp.OFPT_PACKET_IN})
_OUR_PARTS = frozenset({ofp.OFPMP_FLOW, ofp.OFPMP_GROUP_DESC, ofp.OFPMP_FLOW_MONITOR})


class HadronApp(app_manager.OSKenApp):
    """Source of OpenFlow events for os-ken, and owner of the thread that `serve` runs in until `stop` is called."""

    OFP_VERSIONS = [ofp.OFP_VERSION]

    def __init__(self, *args: Any, serve: Callable[[], None], halt: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._serve, self._halt = serve, halt
        self.name = ofp_event.NAME      # the name under which events are looked for; a second one has another
        while self.name in app_manager.SERVICE_BRICKS:
            self.name += "+"

    def start(self) -> Any:
        """Called by AppManager: run the switches' loop in a thread of os-ken's hub."""
        super().start()
        thread = hub.spawn(self._serve)
        thread.name = "switches"
        return thread

    def stop(self) -> None:
        """Called by AppManager: end the loop, then the application."""
        self._halt()
        if self.main_thread is not None:
            hub.joinall([self.main_thread])
        super().stop()

    @handler.set_ev_cls(ofp_event.EventOFPDescStatsReply, MAIN)
    def described(self, event: Any) -> None:
        """A switch has said what it is."""
        said = event.msg.body
        parts = (bytes(part).split(b"\0")[0].decode("utf-8", "replace")
                 for part in (said.mfr_desc, said.hw_desc, said.sw_desc))
        event.msg.datapath.description = " ".join(parts)

    def wants(self, event_class: type) -> bool:
        """True if an application has asked for events of this class."""
        return bool(self.observers.get(event_class))

    def offer(self, event: Any, state: str) -> int:
        """Give an event to who observes it, without ever waiting: one whose queue is full does not get it.

        Returns how many did not get it.
        """
        missed = 0
        for name in self.get_observers(event, state):
            app = app_manager.lookup_service_brick(name)
            if app is None:
                continue
            if app._events_sem.acquire(blocking=False):
                app.events.put((event, state))
            else:
                missed += 1
        return missed


class Channel(Datapath):
    """A greeted switch as os-ken's applications know it.

    Sockets, queues and threads of os-ken's Datapath are not used: `send` hands bytes to the switches' loop.
    """

    def __init__(self, app: HadronApp, address: str, datapath_id: int, *, send: Callable[[bytes], None],
                 close: Callable[[str], None]) -> None:
        ofproto_protocol.ProtocolDesc.__init__(self, ofp.OFP_VERSION)
        self.address, self.ofp_brick = address, app
        self.id = datapath_id
        self.ports: dict[int, Any] = {}
        self.xid = 0x40000000           # far from the numbers that Hadron's own messages take
        self.state = handler.HANDSHAKE_DISPATCHER
        self.is_active, self.missed = True, 0
        self.description = ""           # manufacturer, hardware, software, as the switch says
        self._send, self._close = send, close

    def send(self, buf: bytes, close_socket: bool = False) -> bool:
        """Queue a message from any thread; False if the switch is gone."""
        if not self.is_active:
            return False
        self._send(bytes(buf))
        if close_socket:
            self.close()
        return True

    def close(self) -> None:
        """End the connection, from any thread."""
        self._close("an application closed it")

    def serve(self) -> None:
        """Not for this class: the switches' loop serves all of them."""
        raise NotImplementedError("the switches' loop serves its channels")

    def set_state(self, state: str) -> None:
        """Note a new phase of the connection and tell who observes that."""
        if state == self.state:
            return
        self.state, self.is_active = state, state != DEAD
        event = ofp_event.EventOFPStateChange(self)
        event.state = state
        self.missed += self.ofp_brick.offer(event, state)

    def ask_description(self) -> None:
        """Ask what the switch is; the answer comes as an event of os-ken."""
        self.send_msg(ofp_parser.OFPDescStatsRequest(self, 0))

    def deliver(self, whole: bytes, kind: int, xid: int) -> None:
        """Parse a message that has been judged sound, if an application asked for it, and hand it on."""
        wanted = self._event_class(whole, kind)
        if wanted is None or not self.ofp_brick.wants(wanted):
            return
        try:
            message = ofproto_parser.msg(self, ofp.OFP_VERSION, kind, len(whole), xid, bytearray(whole))
        except exception.OFPTruncatedMessage as error:
            LOG.warning("%s: os-ken cannot read a message of type %d: %s", self.address, kind, error)
            return
        if message is not None:
            self.missed += self.ofp_brick.offer(ofp_event.ofp_msg_to_ev(message), self.state)

    @staticmethod
    def _event_class(whole: bytes, kind: int) -> type | None:
        """The class of os-ken's event for a message, if it is one that os-ken's parser may read."""
        if kind in _OURS:
            return None
        if kind == ofp.OFPT_MULTIPART_REPLY:
            part = int.from_bytes(whole[8:10], "big")
            message = None if part in _OUR_PARTS else ofp_parser.OFPMultipartReply._STATS_MSG_TYPES.get(part)
        else:
            message = getattr(ofp_parser._MSG_PARSERS.get(kind), "__self__", None)
        return None if message is None else ofp_event.ofp_msg_to_ev_cls(message)


def start_app(
    serve: Callable[[], None], halt: Callable[[], None], apps: Sequence[str] = ()
) -> tuple[app_manager.AppManager, HadronApp]:
    """Start HadronApp, and the os-ken application modules in `apps`, under an AppManager of their own."""
    manager = app_manager.AppManager()
    hadron = manager.instantiate(HadronApp, serve=serve, halt=halt)
    if apps:
        manager.load_apps(list(apps))
    manager.instantiate_apps(**manager.create_contexts())
    for app in manager.applications.values():
        for _, method in inspect.getmembers(app, inspect.ismethod):
            for event_class, caller in getattr(method, "callers", {}).items():
                if event_class.__module__ == ofp_event.__name__:
                    hadron.register_observer(event_class, app.name, caller.dispatchers)
    return manager, hadron
