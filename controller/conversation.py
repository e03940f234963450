"""One TCP connection of a machine to a service of ours, after its handshake: a request in, an answer out, the end (RFC 9293).

A pure machine: `hear` takes a segment, `say` the answer, `again` that time has passed; each returns segments to send.
The client's own segments and acknowledgements drive it; a clock is needed only for what was lost at the very end.
What was lost is sent anew from there on. There are no options but the segment size: no window scaling, no SACK.
"""
from __future__ import annotations

from controller.packet import tcp
from controller.packet.tcp import ACK, FIN, PSH, Segment, answer

FLIGHT = 10                 # segments on their way at once (RFC 6928)
DUPLICATES = 3              # acknowledgements of the same that say that something was lost (RFC 5681 §3.2)
TRIES = 6                   # times that the same is sent before the connection is given up
_HALF, _ALL = 1 << 31, (1 << 32) - 1


class Conversation:
    """`first` is the client's segment that completes the handshake, `most` the bytes of the longest request."""

    def __init__(self, first: Segment, mss: int, most: int, now: float) -> None:
        self.mss, self.most = mss, most
        self.request = bytearray()
        self.reply = b""                     # what is said, from `una` on, if it has been said
        self.told = False                    # the answer is there
        self.asked = False                   # the request is whole; what else comes is not looked at
        self.una = self.nxt = self.highest = first.ack
        self.rcv = first.seq
        self.window = first.window
        self.ended = False                   # the client has sent its FIN
        self.done = False                    # our FIN is acknowledged
        self.last = first                    # whom to speak to
        self.duplicates = self.tries = 0
        self.moved = now                     # when it last got on
        self.resend = now                    # when what is on its way was last sent

    @property
    def held(self) -> int:
        """Bytes that it keeps."""
        return len(self.request) + len(self.reply)

    @property
    def given_up(self) -> bool:
        return self.tries >= TRIES

    # ---- from the client
    def hear(self, segment: Segment, now: float) -> list[Segment]:
        """Take a segment with ACK; the segments to send. `request` has what was asked so far."""
        self.last = segment
        self._acknowledged(segment, now)
        self._take(segment, now)
        lost = self.duplicates == DUPLICATES
        sent = self._resend(now) if lost else self._pump(now)
        return sent or ([self._ack()] if segment.length or segment.seq != self.rcv else [])

    def _acknowledged(self, segment: Segment, now: float) -> None:
        new = segment.ack - self.una & _ALL
        if 0 < new <= (self.highest - self.una & _ALL):
            end = self.told and new > len(self.reply)
            self.reply = self.reply[new:]
            self.una = segment.ack
            if (self.nxt - self.una & _ALL) >= _HALF:         # more than we thought was on its way has come
                self.nxt = self.una
            self.done = self.done or end
            self.duplicates = self.tries = 0
            self.moved = self.resend = now
        elif new == 0 and not segment.length and segment.window == self.window and self.nxt != self.una:
            self.duplicates += 1
        self.window = segment.window

    def _take(self, segment: Segment, now: float) -> None:
        """What is new in a segment, if it is its turn."""
        ahead = self.rcv - segment.seq & _ALL
        if self.ended or ahead >= _HALF or ahead > segment.length:
            return
        new = segment.payload[ahead:]
        if not self.asked:
            new = new[:self.most - len(self.request)]
            self.request += new
        if new:
            self.moved = now
        self.rcv = self.rcv + len(new) & _ALL
        if segment.flags & FIN and not self.ended and self.rcv == segment.seq + len(segment.payload) & _ALL:
            self.rcv = self.rcv + 1 & _ALL
            self.ended = True

    # ---- to the client
    def say(self, text: bytes, now: float) -> list[Segment]:
        """This is the answer, and the end."""
        self.reply, self.told, self.asked = text, True, True
        self.request.clear()
        self.moved = now
        return self._pump(now)

    def again(self, now: float) -> list[Segment]:
        """Time has passed: what was sent and not acknowledged, if it is time for that; twice as long each time."""
        if not self.told or self.done or now - self.resend < 1 << self.tries:
            return []
        self.tries += 1
        return self._resend(now) or [self._piece(self.una, max(1, min(self.mss, self.window)))]

    def _resend(self, now: float) -> list[Segment]:
        self.nxt, self.duplicates = self.una, 0
        return self._pump(now)

    def _pump(self, now: float) -> list[Segment]:
        """As much as the client's window and our own patience let out."""
        sent: list[Segment] = []
        while self.told and not self.done:
            flying = self.nxt - self.una & _ALL
            left = len(self.reply) + 1 - flying               # with the FIN
            room = min(self.window, FLIGHT * self.mss) - flying
            size = min(left, room, self.mss)
            if size <= 0 or size < min(left, self.mss) and flying:       # no silly small pieces (RFC 9293 §3.8.6.2)
                break
            sent.append(self._piece(self.nxt, size))
            self.nxt = self.nxt + sent[-1].length & _ALL
            self.resend = now
        if (self.highest - self.nxt & _ALL) >= _HALF:
            self.highest = self.nxt
        return sent

    def _piece(self, seq: int, size: int) -> Segment:
        at = seq - self.una & _ALL
        text = self.reply[at:at + size]
        ends = at + len(text) == len(self.reply) and len(text) < size or not text
        if seq == self.nxt and (self.highest - (seq + len(text) + ends) & _ALL) >= _HALF:
            self.highest = seq + len(text) + ends & _ALL
        return answer(self.last, ACK | (PSH if text else 0) | (FIN if ends else 0), seq, self.rcv, window=self._room(),
                      payload=text)

    def _ack(self) -> Segment:
        return answer(self.last, ACK, self.highest, self.rcv, window=self._room())

    def _room(self) -> int:
        return min(0xFFFF, self.most if self.asked else self.most - len(self.request))


def reset(to: Segment) -> Segment | None:
    """The refusal of a segment that belongs to nothing (RFC 9293 §3.10.7.1); None for a refusal."""
    if to.flags & tcp.RST:
        return None
    if to.flags & ACK:
        return answer(to, tcp.RST, to.ack, 0)
    return answer(to, tcp.RST | ACK, 0, to.seq + to.length)
