"""Sockets inside network namespaces, held by this process: no helper to start, nothing to clean up after.

A socket belongs for ever to the namespace that its thread was in when it was made. So a thread steps in, makes the
socket, and steps out again; other threads do not notice.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
_ETH_P_ALL, _SOL_PACKET, _AUXDATA, _OUTGOING = 3, 263, 8, 4
_TAG_IS_VALID, _TPID_IS_VALID = 1 << 4, 1 << 6
_BUFFER = 8 << 20
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread is in a network namespace meanwhile: a name of `ip netns`, or the path of one. Raises OSError."""
    there = os.open(namespace if "/" in namespace else f"/run/netns/{namespace}", os.O_RDONLY)
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(back)
    finally:
        os.close(there)
        os.close(back)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def socket_in(namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket of the namespace, which does not block."""
    with inside(namespace):
        return socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)


class Nic:
    """A network card as hardware sees it: raw frames out, and all that come in, whomever they are for."""

    def __init__(self, namespace: str, device: str = "eth0") -> None:
        with inside(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
            self._socket.setsockopt(_SOL_PACKET, _AUXDATA, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, 33, _BUFFER)          # SO_RCVBUFFORCE
            index = socket.if_nametoindex(device)
            self._socket.bind((device, _ETH_P_ALL))
            # As long as the socket lives (packet(7)): what is not for this card's own address is received too.
            self._socket.setsockopt(_SOL_PACKET, 1, struct.pack("iHH8s", index, 1, 0, b""))

    def send(self, *frames: bytes) -> None:
        """Put frames on the wire as they are, from the Ethernet header on."""
        for frame in frames:
            self._send(frame)

    def _send(self, frame: bytes) -> None:
        while True:
            try:
                self._socket.send(frame)
                return
            except (BlockingIOError, OSError) as error:
                if error.errno not in (11, 105):                              # EAGAIN, ENOBUFS: the queue is full
                    raise

    def frames(self) -> list[bytes]:
        """The frames that have come in since the last time this was asked."""
        found: list[bytes] = []
        while True:
            try:
                frame, notes, _, address = self._socket.recvmsg(65536, 256)
            except BlockingIOError:
                return found
            if address[2] != _OUTGOING:
                found.append(_with_tag(frame, notes))

    def close(self) -> None:
        self._socket.close()


def _with_tag(frame: bytes, notes: list[tuple[int, int, bytes]]) -> bytes:
    """The frame with the VLAN tag that the kernel has taken out of it."""
    for level, kind, data in notes:
        if level == _SOL_PACKET and kind == _AUXDATA:
            status, _, _, _, _, tag, ethertype = struct.unpack("=IIIHHHH", data[:20])
            if status & _TAG_IS_VALID:
                known = ethertype if status & _TPID_IS_VALID else 0x8100
                return frame[:12] + struct.pack("!HH", known, tag) + frame[12:]
    return frame
