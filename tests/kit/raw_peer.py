"""A peer that says exactly the bytes a test gives it, over plain TCP or TLS."""
from __future__ import annotations

import socket
import ssl
import time

from tests.kit.fake_tables import pack, u16, u32

HELLO = pack("BBHI", 5, 0, 16, 1) + pack("HHI", 1, 8, 1 << 5)


def message(kind: int, body: bytes = b"", *, xid: int = 0, version: int = 5, length: int | None = None) -> bytes:
    """A message, with a length of its own if a lie is wanted."""
    return pack("BBHI", version, kind, 8 + len(body) if length is None else length, xid) + body


def features(switch_id: str, xid: int = 2) -> bytes:
    return message(6, pack("QIBBHII", int(switch_id, 16), 0, 254, 0, 0, 0x4F, 0), xid=xid)


class RawPeer:
    """One connection. Blocking, with a deadline on everything."""

    def __init__(self, address: tuple[str, int], *, tls: ssl.SSLContext | None = None, within: float = 5.0) -> None:
        self.socket = socket.create_connection(address, timeout=within)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.received = bytearray()

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes:
        """The next whole message; ConnectionError at the end of the stream."""
        while len(self.received) < 8 or len(self.received) < u16(self.received, 2):
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self.received += data
        length = u16(self.received, 2)
        found = bytes(self.received[:length])
        del self.received[:length]
        return found

    def read_until(self, kind: int, **wanted: int) -> bytes:
        """The next message of a kind (and, for multipart, of a part); others are passed over."""
        while True:
            found = self.read()
            if found[1] == kind and ("part" not in wanted or u16(found, 8) == wanted["part"]):
                return found

    def greet(self, switch_id: str) -> None:
        """Say hello and who one is."""
        self.send(HELLO)
        request = self.read_until(5)
        self.send(features(switch_id, u32(request, 4)))

    def seconds_until_closed(self, within: float = 5.0) -> float:
        """How long the controller takes to hang up; AssertionError if it does not."""
        begun = time.monotonic()
        self.socket.settimeout(within)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            raise AssertionError(f"the connection still stands after {within} s") from None
        except OSError:
            pass
        return time.monotonic() - begun
