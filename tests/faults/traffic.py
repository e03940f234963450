"""Traffic between machines that counts what was lost."""
from __future__ import annotations

import re
import signal
import subprocess
import time
from dataclasses import dataclass

from scenarios.vm import VM

RATE = 300              # echo requests a second in each direction

# Opens a connection, echoes a word, closes, again and again; says how many of them and the longest, in ms.
_CONNECTIONS = """
import socket, sys, time
done, longest, stop = 0, 0.0, False
import signal
def end(*_):
    global stop
    stop = True
signal.signal(signal.SIGTERM, end)
print("begun", flush=True)
while not stop:
    began = time.monotonic()
    with socket.create_connection((sys.argv[1], 7), timeout=5) as peer:
        peer.sendall(b"word")
        assert peer.recv(4) == b"word"
    done, longest = done + 1, max(longest, time.monotonic() - began)
    time.sleep(0.01)
print(done, round(1000 * longest), flush=True)
"""
_ECHO = """
import socket
server = socket.create_server(("0.0.0.0", 7), backlog=100)
print("begun", flush=True)
while True:
    peer, _ = server.accept()
    peer.sendall(peer.recv(4))
    peer.close()
"""


@dataclass(frozen=True)
class Counted:
    """What a stream came to."""

    sent: int
    lost: int


class Stream:
    """Echo requests at a high rate from one machine to an address, until stop(), or so many."""

    def __init__(self, source: VM, address: str, count: int = 0, rate: int = RATE) -> None:
        self.name = f"{source.name} to {address}"
        so_many = ["-c", str(count), "-W", "2"] if count else []
        self._process = source.start(["ping", "-n", "-q", "-i", str(1 / rate), *so_many, address])

    def stop(self) -> Counted:
        """End it and count, once the last answer has had time to come."""
        self._process.send_signal(signal.SIGINT)
        sent, received = self._result()
        # The one on its way when ping was told to end is not a lost one.
        return Counted(sent, max(0, sent - received - 1))

    @property
    def running(self) -> bool:
        """Whether not all that was to be sent has been answered or given up."""
        return self._process.poll() is None

    def ended(self) -> Counted:
        """Wait for the end of one of so many, and count."""
        sent, received = self._result()
        return Counted(sent, sent - received)

    def _result(self) -> tuple[int, int]:
        said = self._process.communicate(timeout=20)[0].decode()
        found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
        assert found, said
        return int(found[1]), int(found[2])


class Connections:
    """New TCP connections from one machine to another, one after another, until stop(). None may fail."""

    def __init__(self, source: VM, target: VM, address: str) -> None:
        self._server = _begun(target.start(["/usr/bin/env", "python3", "-c", _ECHO]))
        self._client = _begun(source.start(["/usr/bin/env", "python3", "-c", _CONNECTIONS, address]))

    def stop(self) -> tuple[int, int]:
        """How many there were, and the milliseconds of the longest; AssertionError if one failed."""
        self._client.terminate()
        said = self._client.communicate(timeout=10)[0].decode()
        self._server.kill()
        self._server.communicate(timeout=10)
        assert self._client.returncode == 0, said
        done, longest = map(int, said.split())
        return done, longest


def _begun(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == b"begun\n", line + process.stdout.read()
    return process


def seconds_since(moment: float) -> float:
    return round(time.monotonic() - moment, 3)
