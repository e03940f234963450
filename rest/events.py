"""/v2.0/events: what happens to a project's objects, and how they do, as it happens (server-sent events).

    GET /v2.0/events?since=PLACE&resource=port,network       or with Last-Event-ID: PLACE

    id: 1234.2
    event: created | updated | deleted
    data: {"resource": "port", "id": …, "port": {…}}

    event: status                                                        or what else is told of an object
    data: {"resource": "port", "id": …, "status": "ACTIVE", "was": "BUILD"}

Administrators are told of what is seen of the fabric too: hosts, switches, interfaces, links, losses. First comes `event: begin`, with the place from which on it is told. Whoever comes back with the last place that he has seen
misses nothing and hears nothing twice, even if Hadron was started anew meanwhile; who has been away longer than the log goes
back is answered 410 and lists anew. One thread serves all readers and waits for none: each is at a place of its own, and who
falls behind what is kept is told to list anew (`event: lost`). A stream ends after some minutes; come back with the last place.
"""
from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from webob import Request, Response

from controller.policy import Context
from rest.connection import TAKER
from rest.errors import Answered, bad_request, no_such_address, not_allowed
from rest.feed import END, Feed, Happening, Place, name_of, place_of
from rest.openapi import Part, operation
from rest.query import pairs
from rest.render import Gallery, dumps

log = logging.getLogger(__name__)

MOST = 500                  # readers at once
BUFFER = 1 << 16            # bytes that wait for one of them
AT_ONCE = 200               # events that are looked through for one before the next has its turn
ALIVE = 15.0                # seconds after which something is said if there is nothing to say
PATIENCE = 60.0             # seconds for which a reader may take nothing of what waits for it
WAIT = 10.0                 # seconds for the log to be opened
LIFE = 900.0                # seconds of one stream: who may no longer is asked again
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Stream:
    """One reader: whose, from where on, about which kinds."""

    def __init__(self, sock: socket.socket, context: Context, place: Place, kinds: frozenset[str], chunked: bool, now: float) -> None:
        self.sock, self.context, self.place, self.kinds, self.chunked = sock, context, place, kinds, chunked
        self.out, self.began, self.moved, self.ending = bytearray(), now, now, False
        sock.settimeout(0)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self.say("begin", place, b"{}")

    def say(self, event: str, place: Place | None, data: bytes) -> None:
        """Put an event behind what waits already."""
        id = f"id: {name_of(place)}\n".encode() if place is not None else b""
        self.put(id + b"event: " + event.encode() + b"\ndata: " + data + b"\n\n")

    def put(self, text: bytes) -> None:
        self.out += b"%x\r\n%b\r\n" % (len(text), text) if self.chunked else text

    def end(self) -> None:
        """Nothing more is said; what waits is still sent."""
        if not self.ending:
            self.ending = True
            self.out += b"0\r\n\r\n" if self.chunked else b""

    def flush(self, now: float) -> bool:
        """Give the socket what it takes; False if that is the end."""
        try:
            while self.out:
                del self.out[:self.sock.send(self.out)]
                self.moved = now
        except _WOULD_BLOCK:
            return now - self.moved < PATIENCE
        except (OSError, ValueError):
            return False
        return not self.ending

    def hears(self) -> bool:
        """False if the other side has gone."""
        try:
            return bool(self.sock.recv(4096))
        except _WOULD_BLOCK:
            return True
        except (OSError, ValueError):
            return False


class Events:
    """A mount of rest.api.Api. `revision` says which commit the model has followed."""

    part = Part("event", "What happens to objects, as it happens (server-sent events)", {"/v2.0/events": {
        "get": operation("event", "follow_events", "Follow what happens", {
            200: ("A stream without an end; each event has its place as id", {"text/event-stream": {"type": "string"}})}, {
            "since": ("Go on after this place; so does the header Last-Event-ID", {"type": "string"}),
            "resource": ("Only these, as port,network", {"type": "string"})})}})

    def __init__(self, store: Any, model: Any, policy: Any, revision: Callable[[], int], *,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._model, self._revision, self._clock = model, revision, clock
        self._gallery = Gallery(model, policy)
        self._wake, self._woken = socket.socketpair()
        for one in (self._wake, self._woken):
            one.setblocking(False)
        self.feed = Feed(store, model, policy, self.awake)
        self._new: list[Stream] = []
        self._streams: set[Stream] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._starting = threading.Lock()

    def close(self) -> None:
        """End all streams; who comes back goes on where it was."""
        self._closing = True
        self.awake()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def awake(self) -> None:
        """There may be something to do. From any thread."""
        with contextlib.suppress(OSError):
            self._wake.send(b"\0")

    # ---- a request, on a thread of the listener
    def __call__(self, request: Request, context: Context, path: list[str]) -> Response:
        """Begin a stream. Raises Refused."""
        if path:
            raise no_such_address()
        if request.method != "GET":
            raise not_allowed(request.method, ("GET",))
        place, kinds = self._asked(request)
        if len(self._streams) + len(self._new) >= MOST:
            raise Answered(503, "HTTPServiceUnavailable", "Too many listen to events; try again.", (("Retry-After", "5"),))
        chunked = request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1"

        def take(sock: socket.socket) -> None:
            self._new.append(Stream(sock, context, place, kinds, chunked, self._clock()))
            self.awake()
        request.environ[TAKER] = take
        response = Response(content_type="text/event-stream", charset="UTF-8", app_iter=[])
        response.headers["Cache-Control"] = "no-store"
        return response

    def _start(self) -> None:
        with self._starting:
            if not self._thread.is_alive() and not self._closing:
                self.feed.start(self._revision())
                self._thread.start()

    def _asked(self, request: Request) -> tuple[Place, frozenset[str]]:
        """From where on, and about which kinds; Refused if that cannot be."""
        given = dict(pairs(request.environ.get("QUERY_STRING", "")))
        for name in given.keys() - {"since", "resource"}:
            raise bad_request(f"{name}: is no parameter here; there are since and resource")
        by_name = {one.name: kind for kind, one in self._model.resources.items() if one.view is None}
        names = given["resource"].split(",") if "resource" in given else list(by_name)
        for name in names:
            if name not in by_name:
                raise bad_request(f"resource: there is no {name}")
        now = self._revision()
        said = request.headers.get("Last-Event-ID") or given.get("since")
        place = (now, END) if said is None else place_of(said)
        if place is None or place[0] > now:
            raise bad_request("since: must be the id of an event that was told, as 1234.2")
        self._start()
        if said is not None and place < self.feed.oldest(WAIT):
            raise Answered(410, "EventsLost", "What came after that is no longer known: list the objects, and begin without since.")
        return place, frozenset(by_name[name] for name in names)

    # ---- the thread
    def _run(self) -> None:
        while not self._closing:
            busy = self._turn()
            for key, _ in self._selector.select(0 if busy else 1.0):
                if key.fileobj is self._woken:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(4096)
                elif key.data in self._streams and not key.data.hears():
                    self._drop(key.data)
        for stream in list(self._streams):
            stream.end()
            stream.flush(self._clock())
            self._drop(stream)

    def _turn(self) -> bool:
        """Everybody has a turn; whether there is more to tell somebody at once."""
        self.feed.take()
        while self._new:
            stream = self._new.pop()
            self._streams.add(stream)
            self._selector.register(stream.sock, selectors.EVENT_READ, stream)
        now = self._clock()
        return sum(self._serve(stream, now) for stream in list(self._streams)) > 0

    def _serve(self, stream: Stream, now: float) -> bool:
        more = self._tell(stream, now) if not stream.ending and len(stream.out) < BUFFER else False
        if not stream.flush(now):
            self._drop(stream)
            return False
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if stream.out else 0)
        if self._selector.get_key(stream.sock).events != events:
            self._selector.modify(stream.sock, events, stream)
        return more and not stream.out

    def _tell(self, stream: Stream, now: float) -> bool:
        """Say what comes next, as far as there is room; whether there is more."""
        if stream.place < self.feed.oldest():
            stream.say("lost", None, b'{"message": "you are too far behind: list the objects, and come without since"}')
            stream.end()
            return False
        found = self.feed.after(stream.place, AT_ONCE)
        for one in found:
            if len(stream.out) >= BUFFER:
                return False
            stream.place = one.place
            if one.kind in stream.kinds and self.feed.concerns(stream.context, one):
                stream.say(one.verb, one.place, self._said(stream, one))
        if now - stream.began > LIFE:
            stream.end()
        elif not stream.out and now - stream.moved > ALIVE:
            stream.put(b": alive\n\n")
        return len(found) == AT_ONCE

    def _said(self, stream: Stream, one: Happening) -> bytes:
        resource = self._model.resources[one.kind]
        if one.told is not None:
            return dumps({"resource": resource.name, "id": one.told.id, one.told.name: one.told.now, "was": one.told.before})
        document = self._gallery.to(stream.context, resource).document(one.row)
        return dumps({"resource": resource.name, "id": one.row[0], resource.name: document})

    def _drop(self, stream: Stream) -> None:
        self._streams.discard(stream)
        self._selector.unregister(stream.sock)
        with contextlib.suppress(OSError):
            stream.sock.close()
