"""One peer's socket: whole frames in, bytes out, both bounded; nothing here ever blocks."""

from __future__ import annotations

import logging
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from controller.openflow.frame import Malformed
from controller.switch.tls import peer_name

if TYPE_CHECKING:
    from controller.switch.loop import Loop

LOG = logging.getLogger(__name__)

HEADER = struct.Struct("!BBHI")     # OpenFlow 1.4, 7.1.1: version, type, length, xid
READ_SIZE = 1 << 16                 # bytes taken from one peer before the next one has its turn
WRITE_SIZE = 1 << 17
OUT_LIMIT = 16 << 20                # bytes that may wait for a peer
STALL_SECONDS = 10.0                # how long a peer with bytes waiting may take none of them
FRESH = 1024                        # messages that may wait to be made
_STAMP, _WHEN = 35, struct.Struct("@qq")        # SO_TIMESTAMPNS (socket(7)): seconds and nanoseconds


class Refused(Exception):
    """A peer said something that ends its connection; the text is the logged reason."""


class Peer(Protocol):
    """What a link talks to: it judges frames by their header, takes them whole, and is told the end. Refused, or Malformed of what
    is unsound, ends the connection."""

    def opened(self, certificate: str) -> None: ...
    def check(self, version: int, kind: int, length: int) -> None: ...
    def received(self, frame: bytes, kind: int, xid: int) -> None: ...
    def ticked(self, now: float) -> None: ...
    def closed(self, reason: str) -> None: ...


class Link:
    """One connection, owned by its loop: every method but none other than the loop's thread may call.

    `peer` must be set before the loop serves the link. `heard` is when the last bytes were read (the loop's clock), and
    `came` when the last of them were here, seconds since 1970: as the kernel says, without TLS, however long nobody read them.
    """

    def __init__(self, loop: Loop, sock: socket.socket, address: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.loop, self.address = loop, address
        self.peer: Peer | None = None
        self.open, self.reason = True, ""
        self.bytes_in = self.bytes_out = 0
        self.heard = self._moved = loop.clock()
        self._handshaking = tls is not None
        self._swapped = False               # TLS: reading waits for the socket to be writable
        self._in, self._out = bytearray(), bytearray()
        self._fresh: list[Callable[[], bytes]] = []
        self.came = time.time()
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, _STAMP, 1)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self.sock = sock

    # ---- out

    @property
    def waiting(self) -> int:
        """Bytes that the peer has not taken yet."""
        return len(self._out)

    def send(self, data: bytes) -> None:
        """Queue bytes; they leave when the loop's present round ends. Too many waiting closes the link."""
        if not self.open:
            return
        if not self._out:
            self._moved = self.loop.clock()
            self.loop.dirty.append(self)
        self._out += data
        if len(self._out) > OUT_LIMIT:
            self.close(f"it does not read: {len(self._out)} bytes wait for it")

    def send_fresh(self, make: Callable[[], bytes]) -> None:
        """Send what is made at the moment at which the socket takes it: it may say when that is."""
        if not self._fresh:
            self.loop.dirty.append(self)
        if len(self._fresh) < FRESH:
            self._fresh.append(make)

    def send_now(self, data: bytes) -> None:
        """Send bytes, as far as the socket takes them, before the round ends: the caller has more work to do."""
        self.send(data)
        self.flush()

    def flush(self) -> None:
        """Give the socket what it takes now."""
        try:
            while (self._out or self._fresh) and self.open and not self._handshaking:
                if not self._out:
                    fresh, self._fresh = self._fresh, []
                    self._out += b"".join([make() for make in fresh])
                with memoryview(self._out)[:WRITE_SIZE] as view:
                    sent = self.sock.send(view)
                del self._out[:sent]
                self.bytes_out += sent
                self._moved = self.loop.clock()
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            self.close(_words(error))
        self.loop.watch(self, writing=self.open and (bool(self._out) or self._swapped))

    # ---- in

    def readable(self) -> None:
        """The socket has something: take a bounded part of it and hand over the frames that are whole."""
        try:
            if self._handshaking:
                self._shake_hands()
                return
            data = self._read()
            self._swapped = False
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except ssl.SSLWantWriteError:
            self._swapped = True
            self.loop.watch(self, writing=True)
            return
        except OSError as error:
            self.close(_words(error))
            return
        if not data:
            self.close("the peer closed it")
            return
        self.heard = self.loop.clock()
        self.bytes_in += len(data)
        self._in += data
        self._frames()
        if self.open and isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            self.loop.again.append(self)

    def _read(self) -> bytes:
        if isinstance(self.sock, ssl.SSLSocket):
            data, self.came = self.sock.recv(READ_SIZE), time.time()
            return data
        data, said, *_ = self.sock.recvmsg(READ_SIZE, 64)
        stamp = next((told for level, kind, told in said if (level, kind, len(told)) == (socket.SOL_SOCKET, _STAMP, _WHEN.size)), None)
        if stamp is None:
            self.came = time.time()
        else:
            seconds, nanoseconds = _WHEN.unpack(stamp)
            self.came = seconds + nanoseconds / 1e9
        return data

    def writable(self) -> None:
        """The socket takes bytes again."""
        if self._handshaking or self._swapped:
            self.readable()
        if self.open and not self._handshaking:
            self.flush()

    def _shake_hands(self) -> None:
        assert isinstance(self.sock, ssl.SSLSocket) and self.peer is not None
        try:
            self.sock.do_handshake()
        except ssl.SSLWantWriteError:
            self.loop.watch(self, writing=True)
            return
        self._handshaking = False
        self.peer.opened(peer_name(self.sock))
        self.flush()

    def begin(self) -> None:
        """The loop serves the link from now on; without TLS the peer may talk at once."""
        assert self.peer is not None
        if not self._handshaking:
            self.peer.opened("")

    def _frames(self) -> None:
        """Cut what has come into frames. A header is judged before its body is waited for."""
        data, at, end = self._in, 0, len(self._in)
        try:
            with memoryview(data) as view:
                while end - at >= 8 and self.open:
                    version, kind, length, xid = HEADER.unpack_from(view, at)
                    peer = self.peer                    # a greeting hands over to a session
                    assert peer is not None
                    peer.check(version, kind, length)
                    if end - at < length:
                        break
                    peer.received(bytes(view[at:at + length]), kind, xid)
                    at += length
        except Refused as error:
            self.close(str(error))
        except Malformed as error:
            self.close(f"malformed: {error}")
        del data[:at]

    # ---- life

    def tick(self, now: float) -> None:
        """Called a few times a second: a peer that takes nothing is closed, so that it cannot hold memory."""
        if self._out and not self._handshaking and now - self._moved > STALL_SECONDS:
            self.close(f"it does not read: {len(self._out)} bytes wait for {STALL_SECONDS:.0f} s")
        elif self.peer is not None:
            self.peer.ticked(now)

    def close(self, reason: str) -> None:
        """End the connection; the first reason given counts and is what the peer's owner is told."""
        if not self.open:
            return
        if self._out and not self._handshaking:
            self._last_words()
        self.open, self.reason = False, reason
        self._out.clear()
        self._fresh.clear()
        self.loop.forget(self)
        self.sock.close()
        if self.peer is not None:
            self.peer.closed(reason)

    def _last_words(self) -> None:
        """What is queued (an error message, usually) leaves if the socket takes it at once."""
        try:
            self.sock.send(self._out[:WRITE_SIZE])
        except OSError:
            LOG.debug("%s: what was queued for it is lost", self.address)


def _words(error: OSError) -> str:
    """An error's own words, without its number."""
    return getattr(error, "reason", None) or error.strerror or str(error) or error.__class__.__name__
