"""Switches joined by wires: bridges of one Open vSwitch, veth pairs between them, and machines that are a device each.

    with Cloud(hosts=1) as cloud, Hadron(directory, address=cloud.controller_address, adopt=["all"], …) as hadron:
        mesh = Mesh(cloud.host(1), networkx.cycle_graph(6))
        mesh.wait_for_links(hadron)
        a, b = mesh.plug(hadron, network, 1), mesh.plug(hadron, network, 4)     # on switches 1 and 4
        a.send(b.mac, b"hello"); b.wait(1)
        mesh.cut(1, 2); mesh.mend(1, 2)

Switches are numbered from 1 in the order of the graph's nodes; wires are its edges. Nothing tells the controller of any
of this but OpenFlow and what discovery finds out.
"""

from __future__ import annotations

import itertools
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import networkx

from scenarios.controller import Hadron
from scenarios.host import Host
from scenarios.namespace import ip_batch
from scenarios.sockets import Nic

MTU = 1600
ETHERTYPE = 0x88B5                      # for experiments (IEEE 802)
MACHINES = 1000                         # OpenFlow port numbers of machines begin above this
EVERYBODY = "ff:ff:ff:ff:ff:ff"


class Machine:
    """A machine on a switch of the mesh: a device, and what it has heard of our frames."""

    def __init__(self, host: Host, device: str, port: dict[str, Any], switch: int) -> None:
        self.device, self.port, self.switch = device, port, switch
        self.mac = str(port["mac_address"])
        self._nic = Nic(host.name, device)
        self.heard: list[bytes] = []

    def send(self, to: str, text: bytes, ethertype: int = ETHERTYPE) -> None:
        """Put a frame on the wire."""
        self._nic.send(frame(self.mac, to, text, ethertype))

    def send_until_heard(self, other: Machine, text: bytes, seconds: float = 20) -> None:
        """Send it again and again until the other has it: what leads there may not be told to all switches yet."""
        deadline = time.monotonic() + seconds
        while not any(text in one for one in other.listen()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.device} does not reach {other.device}")
            self.send(other.mac, text)
            time.sleep(0.05)

    def raw(self, *frames: bytes) -> None:
        self._nic.send(*frames)

    @property
    def place(self) -> str:
        """Where it is plugged in, as <switch>:<port>."""
        return f"{self.switch:016x}:{self.device.removeprefix('m')}"

    def frame(self, to: str, text: bytes, ethertype: int = ETHERTYPE) -> bytes:
        return frame(self.mac, to, text, ethertype)

    def wait_raw(self, count: int, seconds: float = 10) -> list[bytes]:
        """So many frames as they come, of any kind but discovery's. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        found: list[bytes] = []
        while len(found) < count:
            found += [one for one in self._nic.frames() if one[12:14] != b"\x88\xcc"]
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.device} on switch {self.switch}: {len(found)} frames, not {count}")
            time.sleep(0.002)
        return found

    def listen(self) -> list[bytes]:
        """All frames heard since the beginning (or since forget) that are for experiments."""
        self.heard += [one for one in self._nic.frames() if one[12:14] == struct.pack("!H", ETHERTYPE)]
        return self.heard

    def forget(self) -> None:
        self._nic.frames()
        self.heard.clear()

    def close(self) -> None:
        self._nic.close()

    def wait(self, count: int, seconds: float = 10) -> list[bytes]:
        """What was heard, as soon as it is so many frames. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while len(found := self.listen()) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.device} on switch {self.switch}: {len(found)} frames, not {count}")
            time.sleep(0.002)
        return found


def frame(source: str, target: str, text: bytes, ethertype: int = ETHERTYPE) -> bytes:
    """An Ethernet frame."""
    macs = bytes.fromhex((target + source).replace(":", ""))
    return macs + struct.pack("!H", ethertype) + text.ljust(46, b"\0")


def segment(source: str, target: str, port: int, other: int, *, turned: bool = False) -> bytes:
    """A TCP segment from 10.0.0.1 to 10.0.0.2, or `turned` back from there: its addresses and ports are what counts."""
    ends = [bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))]
    ports = (other, port) if turned else (port, other)
    tcp = struct.pack("!HHIIBBHHH", *ports, 1, 0, 5 << 4, 2, 1024, 0, 0)
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + b"".join(ends[::-1] if turned else ends) + tcp
    return bytes.fromhex((target + source).replace(":", "")) + b"\x08\x00" + packet


def fat_tree(ports: int = 4, pods: int = 0) -> Any:
    """Cores, and pods of aggregation and edge switches (Al-Fares et al., 2008); with fewer pods there is less of it."""
    half, graph = ports // 2, networkx.Graph()
    for pod, one in itertools.product(range(pods or ports), range(half)):
        graph.add_edges_from((f"agg {pod} {one}", f"core {one * half + core}") for core in range(half))
        graph.add_edges_from((f"agg {pod} {one}", f"edge {pod} {edge}") for edge in range(half))
    return graph


class Mesh:
    """The switches of a graph."""

    def __init__(self, host: Host, graph: Any, *, controller: str = "") -> None:
        self.host, self.graph = host, graph
        self.names = {node: number for number, node in enumerate(sorted(graph, key=str), start=1)}
        ports: dict[int, Any] = {number: itertools.count(1) for number in self.names.values()}
        edges = sorted(tuple(sorted((self.names[one], self.names[other]))) for one, other, *_ in graph.edges)
        self.wires = [(one, next(ports[one]), other, next(ports[other])) for one, other in edges]
        self.machines: list[Machine] = []
        self._lay(controller or f"tcp:{host.controller_address}:6653")

    def _lay(self, controller: str) -> None:
        """Everything in one transaction."""
        ends = [(device(one, port), device(other, into)) for one, port, other, into in self.wires]
        ip_batch([f"link add {a} mtu {MTU} type veth peer name {b} mtu {MTU}" for a, b in ends]
                 + [f"link set {end} up" for pair in ends for end in pair], namespace=self.host.name)
        words: list[str] = []
        for number in self.names.values():
            words += ["--", "add-br", f"s{number}", "--", "set", "Bridge", f"s{number}", "datapath_type=netdev",
                      "fail_mode=secure", "protocols=OpenFlow14", "other_config:disable-in-band=true",
                      f"other_config:datapath-id={number:016x}", "--", "set-controller", f"s{number}", controller]
        for one, port, other, into in self.wires:
            for switch, number in ((one, port), (other, into)):
                words += ["--", "add-port", f"s{switch}", device(switch, number), "--", "set", "Interface",
                          device(switch, number), f"ofport_request={number}"]
        self.host.vsctl(*words[1:], timeout=60)
        backoffs = [word for number in self.names.values() for word in ("--", "set", "Controller", f"s{number}", "max_backoff=1000")]
        self.host.vsctl(*backoffs[1:], timeout=60)

    def wait_for_links(self, hadron: Hadron, seconds: float = 60, *, missing: int = 0) -> None:
        """Until discovery has found each wire, both ways, but so many that are cut. Raises TimeoutError."""
        deadline, wanted = time.monotonic() + seconds, 2 * (len(self.wires) - missing)
        while (found := len(hadron.request("GET", "/v2.0/links")[1]["links"])) != wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{found} links found, not {wanted}")
            time.sleep(0.05)

    def wait_for_switches(self, hadron: Hadron, seconds: float = 60) -> None:
        """Until all switches hold what they should. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while late := [one["switch"] for one in hadron.request("GET", "/inspect/switches")[1]["switches"] if one["state"] != "in step"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not in step: {late}")
            time.sleep(0.02)

    def plug(self, hadron: Hadron, network: dict[str, Any], switch: int, **more: Any) -> Machine:
        """A machine on a switch, and a port of the network that is bound to where it is plugged in."""
        return self.plug_all(hadron, [(network, switch)], **more)[0]

    def plug_all(self, hadron: Hadron, places: Iterable[tuple[dict[str, Any], int]], **more: Any) -> list[Machine]:
        """A machine for each (network, switch), at once; what is wrong with their ports, or not yet done, is not waited for."""
        first = MACHINES + len(self.machines) + 1
        found = [(number, network, switch) for number, (network, switch) in enumerate(places, first)]
        lines, words = [], []
        for number, _, switch in found:
            lines += [f"link add m{number}p mtu {MTU} type veth peer name m{number} mtu {MTU}", f"link set m{number}p up",
                      f"link set m{number} up"]
            words += ["--", "add-port", f"s{switch}", f"m{number}p", "--", "set", "Interface", f"m{number}p",
                      f"ofport_request={number}"]
        ip_batch(lines, namespace=self.host.name)
        self.host.vsctl(*words[1:], timeout=60)
        made = []
        for number, network, switch in found:
            where = {"local_link_information": [{"switch_id": f"{switch:016x}", "port_id": str(number)}]}
            port = hadron.create("port", network_id=network["id"], **{"binding:profile": where, **more})
            made.append(Machine(self.host, f"m{number}", port, switch))
        self.machines += made
        return made

    def stand(self, switch: int) -> Machine:
        """A machine on a switch that is no network's: there is no port for it."""
        number = MACHINES + len(self.machines) + 1
        ip_batch([f"link add m{number}p mtu {MTU} type veth peer name m{number} mtu {MTU}", f"link set m{number}p up",
                  f"link set m{number} up"], namespace=self.host.name)
        self.host.vsctl("add-port", f"s{switch}", f"m{number}p", "--", "set", "Interface", f"m{number}p",
                        f"ofport_request={number}")
        self.machines.append(Machine(self.host, f"m{number}", {"mac_address": f"02:00:00:00:01:{number % 256:02x}"}, switch))
        return self.machines[-1]

    def shape(self, mbits: int) -> None:
        """Let every wire carry so many Mbit/s and no more, in each direction."""
        ends = [device(switch, port) for one, near, other, far in self.wires for switch, port in ((one, near), (other, far))]
        self.host.namespace.script("\n".join(
            f"tc qdisc add dev {end} root tbf rate {mbits}mbit burst 16kb limit 60kb" for end in ends))

    def wait_for_ports(self, hadron: Hadron, seconds: float = 60) -> None:
        """Until every machine's port is active: all switches hold what it needs. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while down := [port["id"] for port in hadron.request("GET", "/v2.0/ports")[1]["ports"] if port["status"] != "ACTIVE"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(down)} ports are not active: {down[:3]}")
            time.sleep(0.05)

    def remove(self) -> None:
        """Take it all away; the host stays."""
        for machine in self.machines:
            machine.close()
        words = [word for number in self.names.values() for word in ("--", "--if-exists", "del-br", f"s{number}")]
        self.host.vsctl(*words[1:], timeout=60)
        ends = [device(one, port) for one, port, _, _ in self.wires] + [machine.device for machine in self.machines]
        ip_batch([f"link del {end}" for end in ends], namespace=self.host.name, force=True)

    def ears(self, names: Iterable[Any]) -> dict[Any, list[Nic]]:
        """What listens at all wires of these switches, from now on."""
        numbers = {self.names[name]: name for name in names}
        found: dict[Any, list[Nic]] = {name: [] for name in numbers.values()}
        for one, port, other, into in self.wires:
            for switch, number in ((one, port), (other, into)):
                if switch in numbers:
                    found[numbers[switch]].append(Nic(self.host.name, device(switch, number)))
        return found

    @staticmethod
    def hear(ears: dict[Any, list[Nic]], count: int, wanted: Callable[[bytes], bool], seconds: float = 20) -> dict[Any, list[bytes]]:
        """The frames that came in at each switch, as soon as there are so many in all that are wanted. Raises TimeoutError."""
        found: dict[Any, list[bytes]] = {name: [] for name in ears}
        deadline = time.monotonic() + seconds
        while (known := sum(map(len, found.values()))) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{known} frames, not {count}")
            for name, nics in ears.items():
                found[name] += [frame for nic in nics for frame in nic.frames() if wanted(frame)]
            time.sleep(0.01)
        for nic in itertools.chain(*ears.values()):
            nic.close()
        return found

    def between(self, one: int, other: int) -> list[str]:
        """The devices of the wires between two switches, of one end each."""
        return [device(a, port) for a, port, b, _ in self.wires if {a, b} == {one, other}]

    def cut(self, one: int, other: int) -> None:
        """The wires between two switches break: both ends lose their carrier."""
        self.set(self.between(one, other), "down")

    def mend(self, one: int, other: int) -> None:
        self.set(self.between(one, other), "up")

    def set(self, devices: Iterable[str], state: str) -> None:
        """One end of wires goes up or down, and so the other's carrier."""
        ip_batch([f"link set {one} {state}" for one in devices], namespace=self.host.name)

    def wait_for_state(self, devices: Iterable[str], state: str) -> None:
        """Until Open vSwitch has seen it of the devices and their wires' other ends. Raises CommandFailed after 30 s."""
        names = {device(*end): device(*other) for one, port, other_one, into in self.wires
                 for end, other in (((one, port), (other_one, into)), ((other_one, into), (one, port)))}
        for each in devices:
            for name in filter(None, (each, names.get(each))):
                self.host.vsctl("wait-until", "Interface", name, f"link_state={state}", timeout=30)

    def all_of(self, switch: int) -> list[str]:
        """The devices of a switch's wires, to others and to machines."""
        return [device(*end) for one, port, other, into in self.wires for end in ((one, port), (other, into)) if end[0] == switch] + [
            f"{machine.device}p" for machine in self.machines if machine.switch == switch]


def device(switch: int, port: int) -> str:
    """The device that is a port of a switch."""
    return f"w{switch}x{port}"


class Stream(threading.Thread):
    """So many frames a second from one machine to another, numbered: which of them were lost.

    Where others keep the machine busy it sends fewer, and never many at once to make up for that: they would be lost for want
    of room on the way, and say nothing of it.
    """

    AT_ONCE = 0.005             # seconds' worth of frames

    def __init__(self, source: Machine, target: Machine, rate: int = 1000, *, size: int = 60) -> None:
        super().__init__(daemon=True)
        self.filling = bytes(max(0, size - 18))
        self.source, self.target, self.rate = source, target, rate
        self.sent_at: list[float] = []
        self._stop_asked = threading.Event()

    @property
    def sent(self) -> int:
        return len(self.sent_at)

    def run(self) -> None:
        due = time.monotonic()
        while not self._stop_asked.is_set():
            now = time.monotonic()
            due = max(due, now - self.AT_ONCE)
            while due < now:
                self.source.send(self.target.mac, struct.pack("!I", self.sent) + self.filling)
                self.sent_at.append(time.monotonic())
                due += 1 / self.rate
            self.target.listen()
            time.sleep(0.5 / self.rate)

    def wait(self, count: int) -> None:
        """Until so many have been sent."""
        while self.sent < count:
            time.sleep(0.01)

    def end(self, seconds: float = 10.0) -> list[int]:
        """End it, and wait for what is still on its way, the last one: the numbers of the frames that did not come."""
        self._stop_asked.set()
        self.join()
        deadline = time.monotonic() + seconds
        while (missing := self.missing()) and missing[-1] == self.sent - 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        return missing

    def lasted(self, lost: Iterable[int]) -> int:
        """Milliseconds in which these frames were sent: from the first to the last of those that follow each other."""
        runs = itertools.groupby(enumerate(lost), lambda one: one[1] - one[0])
        held = [[number for _, number in run] for _, run in runs]
        return round(1000 * sum(self.sent_at[run[-1]] - self.sent_at[run[0]] + 1 / self.rate for run in held))

    def missing(self) -> list[int]:
        came = {struct.unpack_from("!I", one, 14)[0] for one in self.target.listen() if one[6:12] == bytes.fromhex(
            self.source.mac.replace(":", ""))}
        return [number for number in range(self.sent) if number not in came]
