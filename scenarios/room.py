"""A room of its own for an experiment: network, processes and Open vSwitch apart from the rest of the machine.

    with Room() as room:
        room.start(["hadron", "serve", "--default-network", "flat"])
        print(room.run(["mn", "--topo", "torus,3,3", "--switch", "ovs,datapath=user", "--controller", "remote", "--test", "pingall"]))

Mininet's switches are bridges of the machine's one Open vSwitch, its links are in the machine's root namespace, and what
it cleans up it finds by name: here it has a machine to itself, where the usual ports are free, and several experiments run
side by side. Whatever was started in the room ends with it, also if this process is killed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from scenarios import leftovers
from scenarios.host import DATABASE, VSWITCHD, empty_database, ovs_version
from scenarios.namespace import Namespace, run

INSIDE = "HADRON_ROOM"              # the variable that says in which room a program runs
HERE = Path(__file__).resolve().parent.parent
BEGIN = """
ip link set lo up
""" + DATABASE + """
ovs-vsctl --no-wait -- init -- set Open_vSwitch . ovs_version=$VERSION external_ids:system-id=room
""" + VSWITCHD


class Room:
    """See above. Needs root and Open vSwitch; what runs inside needs what it needs."""

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = prefix or f"rm{os.getpid() % 46656:x}"
        self.directory = leftovers.RUN_DIRECTORY / self.prefix
        places = {f"OVS_{kind}DIR": str(self.directory) for kind in ("RUN", "LOG", "DB", "SYSCONF")}
        self.namespace = Namespace(f"{self.prefix}-room", {
            **places, INSIDE: self.prefix, "D": str(self.directory), "VERSION": ovs_version(), "PYTHONPATH": str(HERE)})

    def __enter__(self) -> Room:
        self._watchdog = leftovers.Watchdog(self.prefix)
        try:
            run(["ip", "netns", "add", self.namespace.name])
            self.directory.mkdir(parents=True)
            (self.directory / "state.json").write_text(json.dumps({"owner": os.getpid()}))
            empty_database(self.directory / "conf.db")
            self.namespace.script(BEGIN)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        leftovers.sweep(self.prefix)
        self._watchdog.dismiss()

    def start(self, command: Sequence[str], *, output: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a command that is left running, its output in a file (or nowhere). It ends all it has started with it."""
        with (output or Path(os.devnull)).open("wb") as file:
            return self.namespace.start(self._apart(command), stdout=file.fileno())

    def run(self, command: Sequence[str], *, timeout: float = 120, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. CommandFailed, or subprocess.TimeoutExpired."""
        return self.namespace.run(self._apart(command), timeout=timeout, check=check)

    @staticmethod
    def _apart(command: Sequence[str]) -> list[str]:
        """With processes of its own: nobody in it sees, or ends, any other."""
        return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *command]


def within(module: str, words: Sequence[str]) -> int:
    """Run a module of scenarios in a room of its own, its output here; its exit status, or 2 if there can be no room."""
    if missing := fits():
        print(f"{module}: needs {missing}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Room() as room:
        going = room.namespace.start(room._apart([sys.executable, "-u", "-m", f"scenarios.{module}", *words]), stdout=None, stderr=None)
        return going.wait()


def experiment(module: str, words: Sequence[str], do: Callable[[], int]) -> int:
    """Do it in here, if this is a room, and else in a new one."""
    return do() if INSIDE in os.environ else within(module, words)


def fits() -> str:
    """What is missing on this machine for a room with Mininet in it; empty if nothing is."""
    if os.geteuid() != 0:
        return "root"
    return ", ".join(tool for tool in ("ovs-vswitchd", "ovsdb-server", "mnexec", "unshare", "ip") if not shutil.which(tool))
