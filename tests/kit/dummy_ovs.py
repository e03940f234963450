"""A real Open vSwitch without privileges: a private ovsdb-server and ovs-vswitchd whose ports are dummies.

    with DummyOvs() as ovs:
        bridge = ovs.add_bridge("br-int")
        ovs.add_ports("br-int", {"web": 1, "db": 2})        # name -> OpenFlow port number
        bridge.ask([flow.add()])                            # [] or the switch's refusals and answers
        bridge.held()                                       # {key: (cookie, body)}
        print(ovs.trace("br-int", "in_port=1,tcp,...", ct_next=["trk,new"]))
        ovs.send("web", frame)                              # {2: [frame]}: what came out of which port

Everything lives in one directory under /tmp and ends with the block, or with the process that started it.
"""
from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from controller.openflow import bundle as bundles
from controller.openflow import messages, stats
from controller.openflow.actions import PORT_CONTROLLER
from controller.openflow.errors import Refusal, read_error
from controller.openflow.group import Key

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
_DEADLINE = 20.0        # seconds to wait for anything the daemons do
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


_READERS: dict[int, Callable[[bytes], Mapping[Any, tuple[int, bytes]]]] = {
    stats.FLOWS: stats.read_flow_stats, stats.GROUP_DESC: stats.read_groups, stats.METER_CONFIG: stats.read_meters}


def _connect(path: Path) -> socket.socket:
    """A connection to a socket that a daemon is about to listen on: its file is there a moment before it listens."""
    deadline = time.monotonic() + _DEADLINE
    while True:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(_DEADLINE)
        try:
            made.connect(str(path))
            return made
        except (FileNotFoundError, ConnectionRefusedError):
            made.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


class Bridge:
    """One OpenFlow 1.4 connection to one bridge."""

    def __init__(self, path: Path) -> None:
        self.socket = _connect(path)
        self.received = bytearray()
        self.waiting: list[bytes] = []
        self.xid = 0
        # A service connection gets packets only if it says how much of them it wants, and nobody gets those whose
        # TTL ran out unless they ask.
        self.socket.sendall(messages.hello() + messages.set_config() + messages.set_async(packet_in_reasons=0x3F))
        assert messages.VERSION in messages.read_hello(self.read())

    def close(self) -> None:
        self.socket.close()

    def read(self) -> bytes:
        """The next message, whatever it is; echo requests are answered on the way."""
        while True:
            while not self.waiting:
                more = self.socket.recv(1 << 18)
                if not more:
                    raise ConnectionError("the switch hung up")
                self.received += more
                self.waiting = messages.split(self.received)
            found = self.waiting.pop(0)
            if found[1] != messages.ECHO_REQUEST:
                return found
            self.socket.sendall(messages.echo_reply(found))

    def ask(self, wanted: Iterable[bytes]) -> list[bytes]:
        """Send messages and a barrier; everything that came back before the barrier's reply."""
        self.xid += 1
        self.socket.sendall(b"".join(wanted) + messages.barrier_request(self.xid))
        found: list[bytes] = []
        while True:
            each = self.read()
            if each[1] == messages.BARRIER_REPLY and messages.xid_of(each) == self.xid:
                return found
            found.append(each)

    def wait_for(self, kind: int) -> bytes:
        """The next message of a kind; others are passed over."""
        deadline = time.monotonic() + _DEADLINE
        while time.monotonic() < deadline:
            each = self.read()
            if each[1] == kind:
                return each
        raise TimeoutError(f"no message of type {kind}")

    def refusals(self, wanted: Iterable[bytes]) -> list[Refusal]:
        """Send messages; what the switch refused."""
        return [read_error(each) for each in self.ask(wanted) if each[1] == messages.ERROR]

    def commit(self, wanted: Sequence[bytes]) -> list[Refusal]:
        """Send messages as one bundle; the refusals, if any, in which case the bundle was discarded."""
        self.xid += 1
        number = self.xid
        opened = [bundles.bundle_open(number)]
        added = [bundles.bundle_add(number, each, xid) for xid, each in enumerate(wanted, start=1)]
        refused = self.refusals([*opened, *added, bundles.bundle_close(number)])
        end = bundles.bundle_discard(number) if refused else bundles.bundle_commit(number)
        return refused + self.refusals([end])

    def held(self) -> dict[Key, tuple[int, bytes]]:
        """Everything the bridge holds."""
        wanted = [stats.flow_stats_request(1), stats.group_desc_request(2), stats.meter_config_request(3)]
        found: dict[Key, tuple[int, bytes]] = {}
        for each in self.ask(wanted):
            if each[1] not in (messages.ERROR, messages.MULTIPART_REPLY):
                continue                # a report of a port, say
            if each[1] == messages.ERROR:
                raise AssertionError(read_error(each))
            kind, _ = stats.multipart_kind(each)
            found.update(_READERS[kind](each))
        return found


class Control:
    """The daemon's own control socket (what ovs-appctl uses), without a process for every question."""

    def __init__(self, path: Path) -> None:
        self.socket = _connect(path)
        self.decoder, self.text, self.number = json.JSONDecoder(), "", 0

    def ask(self, command: str, *arguments: str) -> str:
        """Run a command. Raises RuntimeError with the daemon's words if it refuses."""
        self.number += 1
        question = {"id": self.number, "method": command, "params": list(arguments)}
        self.socket.sendall(json.dumps(question).encode())
        while True:
            self.text = self.text.lstrip()
            try:
                answer, end = self.decoder.raw_decode(self.text)
            except json.JSONDecodeError:
                more = self.socket.recv(1 << 16)
                if not more:
                    raise ConnectionError("ovs-vswitchd hung up") from None
                self.text += more.decode()
                continue
            self.text = self.text[end:]
            if answer["error"]:
                raise RuntimeError(f"{command} {' '.join(arguments)}: {answer['error'].strip()}")
            return answer["result"]


class Recording:
    """What a dummy port has sent: a pcap file that grows."""

    def __init__(self, path: Path) -> None:
        self.path, self.at = path, 24       # the file's own header

    def more(self) -> list[bytes]:
        """The frames since the last time."""
        if not self.path.exists():
            return []
        data, found = self.path.read_bytes(), []
        while len(data) - self.at >= 16:
            length, = struct.unpack_from("=I", data, self.at + 8)
            found.append(data[self.at + 16:self.at + 16 + length])
            self.at += 16 + length
        return found


class DummyOvs:
    """A private Open vSwitch with dummy ports."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="dovs", dir="/tmp"))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.bridges: dict[str, Bridge] = {}
        self.recordings: dict[int, Recording] = {}
        self.control: Control | None = None
        self.database = f"unix:{self.directory}/db.sock"
        self.environment = os.environ | {name: str(self.directory) for name in
                                         ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        here = self.directory
        self._run("ovsdb-tool", "create", str(here / "conf.db"), str(SCHEMA))
        self._daemon("ovsdb-server", str(here / "conf.db"), f"--remote=punix:{here}/db.sock",
                     f"--unixctl={here}/ovsdb.ctl", f"--log-file={here}/ovsdb.log")
        self._until((here / "db.sock").exists)
        self.vsctl("--no-wait", "init")
        self._daemon("ovs-vswitchd", self.database, f"--unixctl={here}/vswitchd.ctl", f"--log-file={here}/vswitchd.log",
                     "--disable-system", "--enable-dummy=override")
        self.control = Control(here / "vswitchd.ctl")
        self.cache(False)

    def _daemon(self, *command: str) -> None:
        self.processes.append(subprocess.Popen(
            command, env=self.environment, preexec_fn=_die_with_parent,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=_DEADLINE)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _DEADLINE
        while not condition():
            for process in self.processes:
                if process.poll() is not None:
                    raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"Open vSwitch did not come up in {self.directory}")
            time.sleep(0.005)

    def __enter__(self) -> DummyOvs:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End both daemons and remove their directory."""
        for bridge in self.bridges.values():
            bridge.close()
        if self.control:
            self.control.socket.close()
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def vsctl(self, *arguments: str) -> str:
        """Run ovs-vsctl against this Open vSwitch."""
        return self._run("ovs-vsctl", f"--db={self.database}", "--timeout=15", *arguments)

    def appctl(self, command: str, *arguments: str) -> str:
        """Ask this ovs-vswitchd what ovs-appctl would."""
        assert self.control
        return self.control.ask(command, *arguments)

    def cache(self, on: bool) -> None:
        """Whether the datapath may remember what was done with packets. It starts without: each packet then meets the
        flows as they are now. (To empty the cache instead, with revalidator/purge, aborts 3.1.0 one time in thousands.)
        """
        self.vsctl("set", "Open_vSwitch", ".", f"other_config:flow-limit={200000 if on else 0}")
        if not on and self.bridges:
            for _ in range(2):      # the round of clearing up that is under way, and one that begins after the change
                self.appctl("revalidator/wait")

    def ofctl(self, command: str, bridge: str, *arguments: str) -> str:
        """Run ovs-ofctl, speaking OpenFlow 1.4, against a bridge."""
        return self._run("ovs-ofctl", "-O", "OpenFlow14", command, f"unix:{self.directory}/{bridge}.mgmt", *arguments)

    def add_bridge(self, name: str, *, switch_id: str | None = None) -> Bridge:
        """A bridge that does nothing by itself, and a connection to it."""
        command = ["add-br", name, "--", "set", "bridge", name, "datapath_type=dummy", "fail_mode=secure",
                   "protocols=OpenFlow14"]
        if switch_id:
            command.append(f"other_config:datapath-id={switch_id}")
        self.vsctl(*command)
        self.bridges[name] = Bridge(self.directory / f"{name}.mgmt")
        return self.bridges[name]

    def add_ports(self, bridge: str, ports: Mapping[str, int]) -> None:
        """Dummy ports of given names and OpenFlow port numbers; what they send is recorded."""
        command: list[str] = []
        for name, number in ports.items():
            path = self.directory / f"{name}.pcap"
            command += ["--", "add-port", bridge, name, "--", "set", "interface", name, "type=dummy",
                        f"ofport_request={number}", f"options:tx_pcap={path}"]
            self.recordings[number] = Recording(path)
        self.vsctl(*command[1:])

    def send(self, port: str, frame: bytes, bridge: str = "") -> dict[int, list[bytes]]:
        """Let a port receive a frame; what came out because of it, by OpenFlow port number, the controller's too.

        A barrier over OpenFlow is answered only after the frame has been through, for the main loop forwards first;
        what goes to the controller is sent in the round after.
        """
        self.appctl("netdev-dummy/receive", port, frame.hex())
        speaker = self.bridges[bridge] if bridge else next(iter(self.bridges.values()))
        seen = speaker.ask([]) + speaker.ask([])
        punted = [messages.read_packet_in(each).data for each in seen if each[1] == messages.PACKET_IN]
        out = {number: frames for number, recording in self.recordings.items() if (frames := recording.more())}
        return out | ({PORT_CONTROLLER: punted} if punted else {})

    def trace(self, bridge: str, packet: str, frame: bytes = b"", *, ct_next: Iterable[str] = ()) -> str:
        """What Open vSwitch says it would do with a packet: "in_port=1,tcp,..." or "in_port=1" and a frame. `ct_next`
        are the connection states ("trk,new") that its successive lookups find.
        """
        states = [part for state in ct_next for part in ("--ct-next", state)]
        return self.appctl("ofproto/trace", bridge, packet, *states, *([frame.hex()] if frame else []))


@pytest.fixture(scope="module")
def dummy_ovs() -> Iterator[DummyOvs]:
    """One private Open vSwitch for a module's tests."""
    if not shutil.which("ovs-vswitchd") or not SCHEMA.exists():
        pytest.skip("Open vSwitch is not installed")
    with DummyOvs() as ovs:
        yield ovs
