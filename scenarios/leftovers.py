"""Take an emulated cloud down by its prefix alone, and watch over one whose process may be killed.

Works from what the kernel knows (namespaces, links, processes), so that it also removes a cloud whose state file is lost
or half written. Runs by itself, with the standard library only: `python leftovers.py PREFIX PID` waits for the process PID
to end, or for a word on its standard input, which means that the cloud has been taken down already.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

RUN_DIRECTORY = Path("/run/hadron-cloud")
NAMESPACES = Path("/run/netns")
# A root link is called <prefix>-mgmt, and a link's name has 15 characters at most.
PREFIX = re.compile(r"[a-z][a-z0-9]{0,9}\Z")


def check_prefix(prefix: str) -> str:
    """The prefix, if clouds can be told apart by it: no dash, so that no cloud's names begin with another's."""
    if not PREFIX.match(prefix):
        raise ValueError(f"prefix: {prefix!r} must be a lower-case letter and up to 9 letters or digits")
    return prefix


def namespaces(prefix: str) -> list[str]:
    """Names of all network namespaces of one cloud."""
    if not NAMESPACES.is_dir():
        return []
    return sorted(entry.name for entry in NAMESPACES.iterdir() if entry.name.startswith(f"{prefix}-"))


def processes(names: Iterable[str]) -> list[int]:
    """Processes that live in any of these namespaces, whoever started them."""
    inodes = set()
    for name in names:
        try:
            inodes.add(f"net:[{os.stat(NAMESPACES / name).st_ino}]")
        except OSError:
            continue
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _network_of(pid) in inodes]


def _network_of(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""


def end_processes(names: Iterable[str], *, seconds: float = 10) -> None:
    """Kill what runs in these namespaces, and return when nothing is left (or after so many seconds)."""
    names = list(names)
    deadline = time.monotonic() + seconds
    while (pids := processes(names)) and time.monotonic() < deadline:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)


def sweep(prefix: str) -> list[str]:
    """Remove everything that a cloud of this prefix may have left; return the names of what was found."""
    check_prefix(prefix)
    names = namespaces(prefix)
    end_processes(names)
    batch = [f"netns del {name}" for name in names]
    links = [link for link in os.listdir("/sys/class/net") if link.startswith(f"{prefix}-")]
    batch = [f"link del {link}" for link in links] + batch
    if batch:
        # -force: go on after a failure, such as a link that went with its namespace a moment ago.
        subprocess.run(["ip", "-force", "-batch", "-"], input="\n".join(batch) + "\n", text=True, capture_output=True)
    shutil.rmtree(RUN_DIRECTORY / prefix, ignore_errors=True)
    return links + names


def orphans() -> list[str]:
    """Prefixes of clouds whose owner has ended without taking them down; clouds that are meant to stay are not listed."""
    found = []
    for state in sorted(RUN_DIRECTORY.glob("*/state.json")):
        try:
            owner = json.loads(state.read_text()).get("owner")
        except (OSError, ValueError):
            continue
        if owner and not Path(f"/proc/{owner}").exists():
            found.append(state.parent.name)
    return found


class Watchdog:
    """A child process that takes the cloud down when this process ends without doing so, however it ends."""

    def __init__(self, prefix: str) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__, prefix, str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, cwd="/",
        )

    def dismiss(self) -> None:
        """The cloud is down: nothing is left to watch."""
        self._child.communicate(b"down\n", timeout=10)


def watch(prefix: str, pid: int) -> None:
    """Wait for the process to end or for a word on standard input; sweep unless the word came."""
    # Not only the pipe: a child that the owner forked would hold its other end open.
    waiting = [0]
    try:
        waiting.append(os.pidfd_open(pid))
    except ProcessLookupError:
        pass
    else:
        select.select(waiting, [], [])
    if not (select.select([0], [], [], 0)[0] and os.read(0, 100)):
        sweep(prefix)


if __name__ == "__main__":
    # A Ctrl-C or a hang-up is meant for the owner; whatever it makes of it, the sweep comes after.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.argv[1], int(sys.argv[2]))
