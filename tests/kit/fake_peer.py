"""One switch that is not there: what it holds, what it answers, and what goes wrong with it."""
from __future__ import annotations

import random
import selectors
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.kit.fake_tables import Key, Refusal, Tables, pack, parts_of, u16, u32, u64

if TYPE_CHECKING:
    from tests.kit.fake_switch import FakeSwitches

HELLO, ERROR, ECHO, ECHO_REPLY, FEATURES, CONFIG, PACKET_IN, PACKET_OUT = 0, 1, 2, 3, 5, 9, 10, 13
PORT_STATUS, PORTS = 12, 13
FLOW_MOD, GROUP_MOD, METER_MOD, MULTIPART, BARRIER, ROLE, BUNDLE, BUNDLE_ADD = 14, 15, 29, 18, 20, 24, 33, 34
OPEN, CLOSE, COMMIT, DISCARD = 0, 2, 4, 6
_MODS = (FLOW_MOD, GROUP_MOD, METER_MOD)


@dataclass
class Faults:
    """What goes wrong. All may be changed at any time from the test's thread."""

    refuse: set[Key] = field(default_factory=set)   # entries that the switch does not take ...
    refuse_at: str = "add"                          # ... and when it says so: "add", "commit", or "nameless" at commit
    lose: list[str] = field(default_factory=list)   # answers about bundles that get lost, once each: "close", "commit"
    deaf: bool = False                              # reads nothing any more
    mute: bool = False                              # answers nothing any more
    cut_after: int | None = None                    # disconnects after this many more messages
    shuffle: random.Random | None = None            # meters, questions and echoes that come together change places
    no_bundles: bool = False


@dataclass
class Bundle:
    """A bundle that is being filled; `bad`: xids of messages that were refused when they were added."""

    messages: list[tuple[int, bytes]] = field(default_factory=list)
    closed: bool = False


@dataclass
class Port:
    """A port of a switch; the speed in Mbit/s."""

    number: int
    name: str
    up: bool = True
    speed: int = 1000

    def described(self, switch_id: str) -> bytes:
        """As OpenFlow 1.4 describes ports (7.2.1)."""
        mac = bytes.fromhex(f"02{switch_id[-6:]}{self.number & 0xFFFF:04x}")
        ethernet = pack("HHIIIIIII", 0, 32, 0, 0, 0, 0, 0, 1000 * self.speed, 0)
        return pack("IHH", self.number, 72, 0) + mac + bytes(2) + self.name.encode().ljust(16, b"\0") + pack(
            "II", 0, 0 if self.up else 1) + ethernet


class FakeSwitch:
    """One switch. Its connection is made and remade by FakeSwitches while `wanted` is true."""

    def __init__(self, fakes: FakeSwitches, switch_id: str) -> None:
        self.fakes, self.switch_id, self.faults, self.tables = fakes, switch_id, Faults(), Tables()
        self.socket: socket.socket | None = None
        self.to: tuple[str, int] | None = None      # where it connects to, if not where all do
        self.wanted, self.greeted = True, False
        self.mods = self.commits = self.connections = self.role_requests = 0
        self.role, self.generation, self.refuse_role = "equal", 0, False
        self.packets_out: deque[bytes] = deque(maxlen=1024)
        self.packets_out_count = 0
        self.on_packet_out: Callable[[FakeSwitch, bytes], None] | None = None
        self.ports: dict[int, Port] = {}
        self.bundles: dict[int, Bundle] = {}
        self.received, self.out = bytearray(), bytearray()

    # ---- from the test's thread

    def held(self) -> dict[Key, tuple[int, bytes]]:
        """Everything it holds now."""
        with self.fakes.lock:
            return self.tables.held()

    @property
    def address(self) -> str:
        """Its own end of the connection, as a controller would write it; empty without one."""
        with self.fakes.lock:
            return "{}:{}".format(*self.socket.getsockname()[:2]) if self.socket is not None else ""

    def disconnect(self) -> None:
        """Cut the connection; it comes back while `wanted`."""
        with self.fakes.lock:
            self._close()

    def send(self, message: bytes) -> None:
        """Send anything, sound or not."""
        with self.fakes.lock:
            self.out += message
            self._flush()

    def packet_in(self, data: bytes, *, cookie: int = 0, table: int = 0, in_port: int = 1) -> None:
        """A packet for the controller."""
        self.send(packet_in(data, cookie=cookie, table=table, in_port=in_port))

    def port(self, number: int, *, up: bool = True, name: str = "", speed: int = 1000) -> None:
        """A port is there, or changes."""
        known, self.ports[number] = number in self.ports, Port(number, name or f"eth{number}", up, speed)
        self._tell_port(2 if known else 0, self.ports[number])

    def unport(self, number: int) -> None:
        """A port is taken away."""
        self._tell_port(1, self.ports.pop(number))

    def _tell_port(self, reason: int, port: Port) -> None:
        with self.fakes.lock:
            if self.greeted:
                self._say(PORT_STATUS, pack("BIHB", reason, 0, 0, 0) + port.described(self.switch_id), 0)
                self._flush()

    # ---- connection

    def connect(self, address: tuple[str, int]) -> None:
        """Begin a connection without waiting for it."""
        self.received.clear()
        self.out.clear()
        self.bundles.clear()
        self.greeted = False
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(address)
        self.connections += 1
        self.role, self.generation = "equal", 0
        self.fakes.selector.register(self.socket, selectors.EVENT_READ, self)
        self._say(HELLO, pack("HHI", 1, 8, 1 << 5), 1)

    def readable(self) -> None:
        """Take what has come, unless deaf."""
        if self.faults.deaf or self.socket is None:
            if self.socket is not None:
                self.fakes.selector.unregister(self.socket)
                self.fakes.resting.append(self)
            return
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        self.received += data
        messages = list(self._split())
        for message in self._shuffled(messages):
            if self.socket is None:
                return
            if self.faults.cut_after is not None:
                self.faults.cut_after -= 1
                if self.faults.cut_after < 0:
                    self.faults.cut_after = None
                    self._close()
                    return
            self._take(message)
        self._flush()

    def _split(self):
        at = 0
        while len(self.received) - at >= 8:
            length = u16(self.received, at + 2)
            if len(self.received) - at < length:
                break
            yield bytes(self.received[at:at + length])
            at += length
        del self.received[:at]

    def _shuffled(self, messages: list[bytes]) -> list[bytes]:
        """Without a barrier between them, messages outside a bundle may be taken in any order."""
        if self.faults.shuffle is None:
            return messages
        found: list[bytes] = []
        run: list[bytes] = []
        for message in [*messages, b"\5\xff"]:
            if message[1] in (METER_MOD, ECHO, MULTIPART):
                run.append(message)
            else:
                self.faults.shuffle.shuffle(run)
                found += [*run, message]
                run = []
        return found[:-1]

    def _close(self) -> None:
        if self.socket is not None:
            if self in self.fakes.resting:
                self.fakes.resting.remove(self)
            else:
                self.fakes.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None

    def _say(self, kind: int, body: bytes, xid: int) -> None:
        if not self.faults.mute:
            self.out += pack("BBHI", 5, kind, 8 + len(body), xid) + body

    def _flush(self) -> None:
        if self.socket is None or not self.out:
            return
        try:
            sent = self.socket.send(self.out)
            del self.out[:sent]
        except OSError:
            pass                                    # not connected yet, or full: the thread tries again soon
        if self.out:
            self.fakes.unsent.add(self)

    # ---- messages

    def _take(self, message: bytes) -> None:
        kind, xid = message[1], u32(message, 4)
        if kind == ECHO:
            self._say(ECHO_REPLY, message[8:], xid)
        elif kind == FEATURES:
            self.greeted = True
            self._say(6, pack("QIBBHII", int(self.switch_id, 16), 0, 254, 0, 0, 0x4F, 0), xid)
        elif kind == BARRIER:
            self._say(21, b"", xid)
        elif kind == ROLE:
            self._take_role(message, xid)
        elif kind == MULTIPART:
            self._tell(message, xid)
        elif kind in _MODS:
            self.mods += 1
            self._apply_one(xid, message)
        elif kind == BUNDLE:
            self._take_bundle(message, xid)
        elif kind == BUNDLE_ADD:
            self._add(message, xid)
        elif kind == PACKET_OUT:
            self.packets_out.append(message)
            self.packets_out_count += 1
            if self.on_packet_out is not None:
                self.on_packet_out(self, message)

    def _refuse(self, refusal: Refusal, xid: int, message: bytes) -> None:
        self._say(ERROR, pack("HH", *refusal.args[:2]) + message[:64], xid)

    def _take_role(self, message: bytes, xid: int) -> None:
        self.role_requests += 1
        role, generation = u32(message, 8), u64(message, 16)
        if self.refuse_role or generation < self.generation:
            self._refuse(Refusal(11, 0), xid, message)
            return
        self.generation, self.role = generation, {2: "master", 3: "slave"}.get(role, "equal")
        self._say(25, message[8:24], xid)

    def _apply_one(self, xid: int, message: bytes) -> None:
        try:
            self._may_write()
            self._judge(message, "add")
            self._judge(message, "commit")
            self.tables.apply(message)
        except Refusal as refusal:
            self._refuse(refusal, xid, message)

    def _may_write(self) -> None:
        if self.role == "slave":
            raise Refusal(1, 10)

    def _judge(self, message: bytes, moment: str) -> None:
        at = "commit" if self.faults.refuse_at == "nameless" else self.faults.refuse_at
        if at == moment and Tables.comes(message) and Tables.key(message) in self.faults.refuse:
            raise Refusal(2, 5)

    def _tell(self, message: bytes, xid: int) -> None:
        """Flows in parts of a few thousand bytes, groups, meters, ports, what it is."""
        kind = u16(message, 8)
        bodies = self.tables.parts(kind)
        if kind == 0:
            text = [name.ljust(size, b"\0") for name, size in
                    ((b"Hadron", 256), (b"fake", 256), (b"1", 256), (b"", 32), (b"fake switch", 256))]
            bodies = [b"".join(text)]
        if kind == PORTS:
            bodies = parts_of([port.described(self.switch_id) for port in self.ports.values()])
        for place, body in enumerate(bodies):
            more = place + 1 < len(bodies)
            self._say(19, pack("HHI", kind, 1 if more else 0, 0) + body, xid)

    # ---- bundles

    def _about(self, bundle: int, step: int, xid: int) -> None:
        name = {CLOSE: "close", COMMIT: "commit"}.get(step)
        if name in self.faults.lose:
            self.faults.lose.remove(name)
            return
        self._say(BUNDLE, pack("IHH", bundle, step + 1, 3), xid)

    def _take_bundle(self, message: bytes, xid: int) -> None:
        number, step = u32(message, 8), u16(message, 12)
        try:
            self._may_write()
            if self.faults.no_bundles:
                raise Refusal(1, 1)
            if step == OPEN:
                if number in self.bundles:
                    raise Refusal(17, 3)
                self.bundles[number] = Bundle()
            elif number not in self.bundles:
                raise Refusal(17, 2)
            elif step == CLOSE:
                self.bundles[number].closed = True
            elif step == DISCARD:
                del self.bundles[number]
            else:
                self._commit(self.bundles.pop(number))
        except Refusal as refusal:
            self._refuse(refusal, xid, message)
            return
        self._about(number, step, xid)

    def _add(self, message: bytes, xid: int) -> None:
        bundle, inner = self.bundles.get(u32(message, 8)), message[16:]
        try:
            if bundle is None or bundle.closed:
                raise Refusal(17, 2)
            if inner[1] == METER_MOD:
                raise Refusal(17, 10)
            if u32(inner, 4) != xid:
                raise Refusal(17, 9)
            self._judge(inner, "add")
            bundle.messages.append((xid, inner))
        except Refusal as refusal:
            self._refuse(refusal, xid, message)

    def _commit(self, bundle: Bundle) -> None:
        """All or nothing; the first message that cannot be carried out is named, then the bundle has failed."""
        trial = self.tables.copy()
        for xid, inner in bundle.messages:
            try:
                self._judge(inner, "commit")
                trial.apply(inner)
            except Refusal as refusal:
                if self.faults.refuse_at != "nameless":
                    self._refuse(refusal, xid, inner)
                raise Refusal(17, 13) from None
        self.tables = trial
        self.mods += len(bundle.messages)
        self.commits += 1


class FakeLane(FakeSwitch):
    """A further connection of a switch: what it is told goes into the same tables."""

    def __init__(self, switch: FakeSwitch, address: tuple[str, int]) -> None:
        self.switch, tables = switch, switch.tables
        super().__init__(switch.fakes, switch.switch_id)
        switch.tables, self.to = tables, address

    @property
    def tables(self) -> Tables:
        return self.switch.tables

    @tables.setter
    def tables(self, tables: Tables) -> None:
        self.switch.tables = tables


def packet_in(data: bytes, *, cookie: int = 0, table: int = 0, in_port: int = 1) -> bytes:
    """A packet-in as Open vSwitch writes one for a `controller` action (OpenFlow 1.4, 7.4.1)."""
    match = pack("HHHBBI", 1, 12, 0x8000, 0, 4, in_port) + bytes(4)
    body = pack("IHBBQ", 0xFFFFFFFF, len(data), 1, table, cookie) + match + bytes(2) + data
    return pack("BBHI", 5, PACKET_IN, 8 + len(body), 0) + body
