"""Many clients of one listener from a process of their own: `python -m tests.kit.crowd PORT COUNT TOKEN PATH [flood]`.

Each asks once. Then they stay and say nothing; or, to flood, each asks again as soon as it is answered. When all have been
answered once it says `ready`; at the end of its input it tells, as JSON, how many are still connected, how often they were
answered with what, and how long half of the answers took at most.
"""
import json
import os
import resource
import selectors
import socket
import statistics
import sys
import time
from collections import Counter
from typing import Any

SPARE = 200                 # files for other things


class Client:
    """One connection and what it waits for."""

    def __init__(self, port: int, number: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(f"127.0.1.{1 + number // 5000}", 0))
        self.socket.setblocking(False)
        self.request, self.held, self.began = request, bytearray(), 0.0
        self.answers = 0

    def ask(self) -> None:
        self.began, self.held = time.monotonic(), bytearray()
        self.socket.sendall(self.request)

    def answered(self) -> int | None:
        """The status, once the answer is whole. ConnectionError if it never will be."""
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise ConnectionError("the server hung up")
        self.held += piece
        end = self.held.find(b"\r\n\r\n")
        at = self.held.lower().find(b"content-length:", 0, end)
        if end < 0 or len(self.held) < end + 4 + int(self.held[at + 15:].split(b"\r\n", 1)[0]):
            return None
        self.answers += 1
        return int(self.held[9:12])


class Crowd:
    """All of them, served by one thread."""

    def __init__(self, port: int, count: int, request: bytes, *, flood: bool) -> None:
        self.flood, self.count = flood, count
        self.selector = selectors.DefaultSelector()
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        self.statuses: Counter[int] = Counter()
        self.times: list[float] = []
        self.connected = self.quiet = 0
        for number in range(count):
            client = Client(port, number, request)
            client.ask()
            self.selector.register(client.socket, selectors.EVENT_READ, client)
            self.connected += 1
            self.turn(0)

    def turn(self, seconds: float | None) -> bool:
        """Take in what there is; False once the input has ended."""
        for key, _ in self.selector.select(seconds):
            if key.data is None:
                if not os.read(sys.stdin.fileno(), 1):
                    return False
            else:
                self.heard(key.data)
        return True

    def heard(self, client: Client) -> None:
        try:
            status = client.answered()
        except OSError:
            self.selector.unregister(client.socket)
            client.socket.close()
            self.connected -= 1
            return
        if status is None:
            return
        self.statuses[status] += 1
        self.times.append(time.monotonic() - client.began)
        if client.answers == 1:
            self.quiet += 1
            if self.quiet == self.count:
                print("ready", flush=True)
        if self.flood:
            client.ask()

    def told(self) -> dict[str, Any]:
        return {"connected": self.connected, "statuses": self.statuses, "median": statistics.median(self.times)}


def main() -> None:
    port, count, token, path, *how = sys.argv[1:]
    allow_files(int(count) + SPARE)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {token}\r\n\r\n".encode()
    crowd = Crowd(int(port), int(count), request, flood=how == ["flood"])
    while crowd.turn(None):
        pass
    print(json.dumps(crowd.told()), flush=True)


def allow_files(count: int) -> None:
    """Have this process open so many files. ValueError or OSError if it must not."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))


if __name__ == "__main__":
    main()
