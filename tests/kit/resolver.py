"""A resolver outside, for tests: it knows example.org, counts what it is asked, and may be silent."""

from __future__ import annotations

import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class FakeResolver:
    """Answers on a port of loopback, over UDP and TCP, until it is closed. `silent`: it hears, and says nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._tcp.getsockname()[1])
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def answer(self, raw: bytes, limit: int) -> bytes:
        query = dns.message.from_wire(raw)
        (question,) = query.question
        self.asked.append(question.name.to_text())
        answer = dns.message.make_response(query, recursion_available=True)
        if question.name.to_text() == "example.org.":
            answer.answer.append(dns.rrset.from_text("example.org.", 60, "IN", "A", "192.0.2.80"))
        elif question.name.to_text() == "long.example.org.":
            answer.answer.append(
                dns.rrset.from_text("long.example.org.", 60, "IN", "A", *[f"192.0.2.{n}" for n in range(200)])
            )
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        whole = answer.to_wire(max_size=65535)
        if len(whole) <= limit:
            return whole
        answer.answer.clear()
        answer.flags |= dns.flags.TC
        return answer.to_wire()

    def _serve_udp(self) -> None:
        while True:
            try:
                raw, who = self._udp.recvfrom(4096)
                if not self.silent:
                    self._udp.sendto(b"\0\0" + self.answer(raw, 512)[2:], who)      # of another question
                    self._udp.sendto(self.answer(raw, 512), who)
            except OSError:
                return

    def _serve_tcp(self) -> None:
        while True:
            try:
                with self._tcp.accept()[0] as to:
                    raw = to.recv(4096)
                    if not self.silent:
                        said = self.answer(raw[2:], 65535)
                        to.sendall(len(said).to_bytes(2, "big") + said)
            except OSError:
                return

    def close(self) -> None:
        for one in (self._udp, self._tcp):
            one.close()
