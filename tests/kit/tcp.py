"""A machine's side of TCP, over frames that a test may lose, cut or forge; written apart from controller/packet."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from tests.kit.frames import ACK, FIN, PSH, RST, SYN, TCP, _summed, checksum, packet, raw_ip

MAC, SERVICE_MAC = "fa:16:3e:00:00:05", "fa:16:3f:ff:a9:fe"


class Seen(NamedTuple):
    """A segment that came."""

    flags: int
    seq: int
    ack: int
    window: int
    payload: bytes
    mss: int


def read(frame: bytes) -> Seen:
    """A segment of the service's, with every checksum right; AssertionError if not."""
    six = frame[12:14] == b"\x86\xdd"
    start = 54 if six else 34
    source, destination = (frame[22:38], frame[38:54]) if six else (frame[26:30], frame[30:34])
    body = frame[start:]
    if six:
        assert int.from_bytes(frame[18:20], "big") == len(body) and frame[20] == TCP
        pseudo = source + destination + struct.pack("!II", len(body), TCP)
    else:
        assert checksum(frame[14:34]) == 0 and int.from_bytes(frame[16:18], "big") == len(body) + 20
        pseudo = source + destination + struct.pack("!HH", TCP, len(body))
    assert checksum(pseudo + body) == 0, "wrong checksum"
    _, _, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", body)
    size = (offset >> 4) * 4
    options = body[20:size]
    return Seen(flags, seq, ack, window, body[size:], int.from_bytes(options[2:4], "big") if options[:1] == b"\2" else 0)


class Machine:
    """`send(frame)` hands a frame to the service; its answers come by `take`."""

    def __init__(self, send: Callable[[bytes], None], ip: str = "10.0.0.5", to: str = "169.254.169.254", *,
                 port: int = 80, own: int = 40000, first: int = 1000, window: int = 65535) -> None:
        self._send, self.ip, self.to, self.port, self.own = send, ip, to, port, own
        self.seq, self.rcv, self.window = first, 0, window
        self.heard: list[Seen] = []
        self.text = b""
        self.ended = self.reset = False
        self.acks = True                # whether it acknowledges what comes

    def segment(self, flags: int, payload: bytes = b"", *, seq: int | None = None, ack: int | None = None,
                mss: int | None = None) -> bytes:
        option = struct.pack("!BBH", 2, 4, mss) if mss else b""
        body = struct.pack("!HHIIBBHHH", self.own, self.port, (self.seq if seq is None else seq) & 0xFFFFFFFF,
                           (self.rcv if ack is None else ack) & 0xFFFFFFFF, (5 + len(option) // 4) << 4, flags,
                           self.window, 0, 0) + option + payload
        return packet(MAC, SERVICE_MAC, self.ip, self.to, TCP, _summed(self.ip, self.to, TCP, body, 16))

    def open(self, mss: int | None = 1460) -> None:
        """The handshake; AssertionError if it is not answered."""
        self._send(self.segment(SYN, mss=mss))
        answer = self.heard.pop()
        assert answer.flags == SYN | ACK and answer.ack == self.seq + 1
        self.seq, self.rcv = self.seq + 1, answer.seq + 1
        self.mss = answer.mss
        self._send(self.segment(ACK))

    def say(self, text: bytes, *, size: int = 1400) -> None:
        for at in range(0, len(text), size):
            piece = text[at:at + size]
            self._send(self.segment(ACK | PSH, piece))
            self.seq += len(piece)

    def take(self, frame: bytes) -> None:
        """What the service sends: kept, put together if it is in order, and acknowledged."""
        assert raw_ip(self.ip) in frame
        seen = read(frame)
        self.heard.append(seen)
        if seen.flags & RST:
            self.reset = True
            return
        if seen.flags & SYN or not (seen.payload or seen.flags & FIN):
            return
        if seen.seq == self.rcv & 0xFFFFFFFF and not self.ended:
            self.text += seen.payload
            self.ended = bool(seen.flags & FIN)
            self.rcv += len(seen.payload) + self.ended
        if self.acks:
            self._send(self.segment(ACK))
