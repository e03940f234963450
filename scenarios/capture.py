"""Frames seen on a device, recorded by tcpdump."""

import contextlib
import select
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from scenarios.namespace import CommandFailed, Namespace


class Capture:
    """Frames seen on a device while in use as a context: `with vm.capture("icmp") as seen: ...; seen.count()`."""

    def __init__(self, namespace: Namespace, device: str, expression: str = "", direction: str = "inout") -> None:
        self._namespace, self._device, self._direction = namespace, device, direction
        self._expression = expression
        self._tcpdump: subprocess.Popen[bytes] | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="hadron-capture-")
        self.path = Path(self._directory.name) / "capture.pcap"

    def __enter__(self) -> "Capture":
        command = ["tcpdump", "-i", self._device, "-Q", self._direction, "-n", "-U", "--immediate-mode", "-s", "0",
                   "-Z", "root", "-w", str(self.path), *([self._expression] if self._expression else [])]
        self._tcpdump = self._namespace.start(command)
        said = self._said_until(b"listening on", 10)
        if b"listening on" not in said:
            self._tcpdump.kill()
            raise CommandFailed(command, self._tcpdump.wait(), said.decode(errors="replace"))
        return self

    def _said_until(self, words: bytes, seconds: float) -> bytes:
        assert self._tcpdump and self._tcpdump.stdout
        said, deadline = b"", time.monotonic() + seconds
        while words not in said and select.select([self._tcpdump.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
            chunk = self._tcpdump.stdout.read1(4096)  # type: ignore[attr-defined]
            if not chunk:
                break
            said += chunk
        return said

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the recording; what was seen stays readable."""
        if self._tcpdump and self._tcpdump.poll() is None:
            self._tcpdump.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._tcpdump.communicate(timeout=5)
            self._tcpdump.kill()

    def frames(self) -> list[bytes]:
        """All frames so far, from the Ethernet header on; may be asked while recording."""
        try:
            return read_pcap(self.path.read_bytes())
        except FileNotFoundError:
            return []

    def count(self) -> int:
        return len(self.frames())

    def wait(self, count: int = 1, seconds: float = 5) -> list[bytes]:
        """The frames, as soon as there are so many of them. Raises TimeoutError if they do not come in time."""
        deadline = time.monotonic() + seconds
        while len(frames := self.frames()) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._namespace.name} {self._device} {self._expression}: {len(frames)} frames, not {count}")
            time.sleep(0.005)
        return frames


def read_pcap(data: bytes) -> list[bytes]:
    """The frames of a pcap file; a last frame that is not complete yet is left out."""
    frames, at = [], 24
    while at + 16 <= len(data):
        length = struct.unpack_from("=I", data, at + 8)[0]
        if at + 16 + length > len(data):
            break
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames
