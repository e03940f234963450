"""One thread for the sockets of all switches: accept, read, write, time. No peer can make another wait."""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from controller.switch.link import Link, Peer
from controller.switch.sparing import Sparing

LOG = logging.getLogger(__name__)

BACKLOG = 4096          # connections the kernel may hold until they are accepted (a fleet that reconnects at once)
ACCEPTS = 128           # connections accepted before the others' turn
LINK_LIMIT = 8192
TICK_SECONDS = 0.25     # how finely peers' silence and stalls are noticed
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

Welcome = Callable[[Link], Peer]
_doors: dict[tuple[str, int], socket.socket] = {}


@contextmanager
def open_doors(addresses: Iterable[tuple[str, int]]) -> Iterator[None]:
    """Listen already, before there is a loop: whoever calls until then waits. A switch that is refused calls again only after
    a second or more. Where nothing can listen, `Loop.listen` will say so."""
    for address, port in addresses:
        with suppress(OSError):
            _doors[address, port] = _listening(address, port)
    try:
        yield
    finally:
        while _doors:
            _doors.popitem()[1].close()


def _listening(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=BACKLOG)


class Listener:
    """A listening socket and what is done with who comes."""

    def __init__(self, sock: socket.socket, welcome: Welcome, tls: ssl.SSLContext | None, link: type[Link]) -> None:
        self.sock, self.welcome, self.tls, self.link = sock, welcome, tls, link


class Loop:
    """Serves links until stop(). `clock` (seconds) may be a test's own; call() works from any thread.

    An exception in what a link's peer does closes that link, with the trace in the log; the others go on.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.links: set[Link] = set()
        self.dirty: list[Link] = []         # links with bytes queued in the present round
        self.again: list[Link] = []         # links whose TLS holds bytes that the selector cannot see
        self.refused = 0
        self.strangers = Sparing(clock)     # what is logged of peers that may be anybody
        self._writing: set[Link] = set()
        self._calls: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._selector = selectors.DefaultSelector()
        self._listeners: list[Listener] = []
        self._resting: list[Listener] = []  # those that have failed and are looked at again after a tick
        self.running, self._awake = True, False
        self._bell, self._ear = socket.socketpair()
        self._ear.setblocking(False)
        self._selector.register(self._ear, READ, None)

    # ---- from any thread

    def listen(self, address: str, port: int, welcome: Welcome, *, tls: ssl.SSLContext | None = None,
               link: type[Link] = Link) -> tuple[str, int]:
        """Open a listening socket at once (OSError if it cannot be) and serve it; port 0 takes any free one.

        `link` says how frames are cut: OpenFlow's, or another protocol's subclass.
        """
        sock = _doors.pop((address, port), None) or _listening(address, port)
        sock.setblocking(False)
        listener = Listener(sock, welcome, tls, link)
        self._listeners.append(listener)
        self.call(self._selector.register, sock, READ, listener)
        host, number = sock.getsockname()[:2]
        return host, number

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        """Have the loop's thread call a function soon, in the order asked. A loop that has ended calls nothing."""
        self._calls.append((function, args))
        if not self._awake:
            self._awake = True
            try:
                self._bell.send(b"!")
            except OSError:
                self._calls.clear()

    def stop(self) -> None:
        """End run(): links and listeners are closed by the loop's own thread."""
        self.running = False
        self.call(lambda: None)

    # ---- the loop's thread

    def run(self) -> None:
        """Serve until stop()."""
        try:
            ticked = self.clock()
            while self.running:
                self._round()
                now = self.clock()
                if now - ticked >= TICK_SECONDS:
                    ticked = now
                    self._tick(now)
        except BaseException:
            LOG.exception("the loop of the switches ends")
            raise
        finally:
            self._close_all()

    def _tick(self, now: float) -> None:
        while self._resting:
            listener = self._resting.pop()
            self._selector.register(listener.sock, READ, listener)
        for link in list(self.links):
            self._guard(link, link.tick, now)
        self._flush()

    def _round(self) -> None:
        again, self.again = self.again, []
        for key, mask in self._selector.select(0 if again else TICK_SECONDS):
            self._serve(key, mask)
        for link in again:
            if link.open:
                self._guard(link, link.readable)
        self._run_calls()
        self._flush()

    def _serve(self, key: selectors.SelectorKey, mask: int) -> None:
        link = key.data
        if isinstance(link, Link):
            if mask & READ and link.open:
                self._guard(link, link.readable)
            if mask & WRITE and link.open:
                self._guard(link, link.writable)
        elif isinstance(link, Listener):
            self._accept(link)
        else:
            self._ear.recv(4096)

    def _accept(self, listener: Listener) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, peer = listener.sock.accept()
            except BlockingIOError:
                return
            except OSError as error:        # out of descriptors, or the peer is gone again
                LOG.warning("a connection could not be accepted: %s", error)
                self._selector.unregister(listener.sock)
                self._resting.append(listener)
                return
            address = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
            if len(self.links) >= LINK_LIMIT:
                self.refused += 1
                self.strangers.warning(LOG, "%s: refused, %d connections are open", address, len(self.links))
                sock.close()
                continue
            self._begin(listener, sock, address)

    def _begin(self, listener: Listener, sock: socket.socket, address: str) -> None:
        try:
            link = listener.link(self, sock, address, tls=listener.tls)
            link.peer = listener.welcome(link)
        except OSError as error:            # the peer is gone again
            self.strangers.warning(LOG, "%s: %s", address, error)
            sock.close()
            return
        except Exception:
            LOG.exception("%s: it could not be welcomed", address)
            sock.close()
            return
        self.links.add(link)
        self._selector.register(link.sock, READ, link)
        self._guard(link, link.begin)

    def _run_calls(self) -> None:
        self._awake = False
        for _ in range(len(self._calls)):
            function, args = self._calls.popleft()
            try:
                function(*args)
            except Exception:
                LOG.exception("a call in the loop of the switches failed")

    def _flush(self) -> None:
        while self.dirty:
            dirty, self.dirty = self.dirty, []
            for link in dirty:
                if link.open:
                    self._guard(link, link.flush)

    def _guard(self, link: Link, function: Callable[..., None], *args: Any) -> None:
        """A peer's mistake, or ours about it, ends its own link and nothing else."""
        try:
            function(*args)
        except Exception:
            LOG.exception("%s: closed, serving it failed", link.address)
            self._drop(link, "serving it failed, see the log")

    def _drop(self, link: Link, reason: str) -> None:
        try:
            link.close(reason)
        except Exception:
            LOG.exception("%s: its end could not be told", link.address)

    def watch(self, link: Link, *, writing: bool) -> None:
        """Ask the selector for writability of a link only while it has something to write."""
        if writing == (link in self._writing) or link not in self.links:
            return
        if writing:
            self._writing.add(link)
        else:
            self._writing.discard(link)
        self._selector.modify(link.sock, READ | WRITE if writing else READ, link)

    def forget(self, link: Link) -> None:
        """A link is about to close its socket."""
        if link in self.links:
            self.links.discard(link)
            self._writing.discard(link)
            self._selector.unregister(link.sock)

    def _close_all(self) -> None:
        for listener in self._listeners:
            listener.sock.close()
        for link in list(self.links):
            self._drop(link, "the controller stops")
        self._selector.close()
        self._ear.close()
        self._bell.close()
