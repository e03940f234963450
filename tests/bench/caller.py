"""One REST client in a process of its own: sends prepared requests over one connection, one after another.

It reads no JSON while the clock runs: what is measured is the server. Standard input: where the server is, then for each
order a line of JSON and, when all clients are ready, a line to begin. Standard output: `ready`, then what was measured.
"""
from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any


class Caller:
    """An HTTP/1.1 connection that stays."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self.socket = socket.create_connection(address, timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.token = token
        self.head = b""                             # of the last answer, in lower case

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The bytes of a request."""
        return (f"{method} {path} HTTP/1.1\r\nHost: hadron\r\nX-Auth-Token: {self.token}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    def call(self, request: bytes) -> tuple[int, bytes]:
        """Send it; the status and the body of the answer."""
        self.socket.sendall(request)
        held = bytearray()
        while (end := held.find(b"\r\n\r\n")) < 0:
            self._more(held)
        head = self.head = bytes(held[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15:].split(b"\r\n", 1)[0]) if at >= 0 else 0
        whole = end + 4 + length
        while len(held) < whole:
            self._more(held)
        return int(head[9:12]), bytes(held[end + 4:whole])

    def _more(self, held: bytearray) -> None:
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise ConnectionError("the server hung up")
        held += piece

    def timed(self, requests: Iterable[bytes], wanted: int) -> tuple[list[float], list[bytes]]:
        """Seconds that each took, and the answers; each must have the status `wanted`."""
        times, answers = [], []
        for request in requests:
            began = time.perf_counter()
            status, body = self.call(request)
            times.append(time.perf_counter() - began)
            if status != wanted:
                raise RuntimeError(f"{status} {body[:300]!r}")
            answers.append(body)
        return times, answers


def perform(caller: Caller, order: dict[str, Any]) -> dict[str, Any]:
    """What was measured: when it began and ended (time.monotonic), the seconds of each call, the ids that were made."""
    body = json.dumps(order["body"]).encode() if order.get("body") else b""
    requests = [caller.request(order["method"], path, body) for path in order["paths"]]
    began = time.monotonic()
    times, answers = caller.timed(requests, order["wanted"])
    ended = time.monotonic()
    made = [] if order["wanted"] != 201 else [port["id"] for answer in map(json.loads, answers)
                                              for port in answer.get("ports", [answer.get("port")])]
    return {"began": began, "ended": ended, "times": times, "made": made}


def main() -> None:
    where = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        caller = Caller(tuple(where["address"]), where["token"])      # a new one: the server does not keep silent ones for ever
        print("ready", flush=True)
        sys.stdin.readline()                        # all are ready: begin
        print(json.dumps(perform(caller, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
