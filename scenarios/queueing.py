"""What an administrator does once for a device whose queues are to be heeded while Open vSwitch forwards in user space.

There `set_queue` has no effect: frames leave by a packet socket, all with the same priority, and wait in the device's first
class. A filter of the device's own puts what carries a circuit's label into the class of the circuit's queue. And few frames
may wait in a class: all ports of the switch send from one socket buffer, which a single long queue would fill.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from scenarios.host import Host

WAITING = 40            # frames in a class
MPLS, CIRCUIT = 0x8847, 1 << 31                 # Ethernet type, and the bit of a label that circuits' have
# Classic BPF: of circuits the label without its last bit (the direction) is the number of the queue, and Open vSwitch's
# class for queue n is 1:(n + 1); 0 is no opinion.
PROGRAM = ((0x28, 0, 0, 12), (0x15, 0, 6, MPLS), (0x20, 0, 0, 14), (0x45, 0, 4, CIRCUIT), (0x74, 0, 0, 13),
           (0x54, 0, 0, 0xFFFF), (0x04, 0, 0, 0x10001), (0x16, 0, 0, 0), (0x06, 0, 0, 0))

Program = Iterable[tuple[int, int, int, int]]


def give_queues(host: Host, device: str, seconds: float = 20) -> None:
    """Say that the device has queues, and let its frames find them. Raises TimeoutError if Hadron makes none."""
    host.run(["ip", "link", "set", device, "txqueuelen", str(WAITING)])
    host.vsctl("set", "Interface", device, "external_ids:hadron-queues=true")
    deadline = time.monotonic() + seconds
    while "htb" not in host.run(["tc", "qdisc", "show", "dev", device]).stdout:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{device} has no queues")
        time.sleep(0.05)
    classify(host, device)


def classify(host: Host, device: str) -> None:
    """The filter: what is a circuit's goes into its queue."""
    _filter(host, device, PROGRAM)


def put_into(host: Host, device: str, mac: str, place: int, queue: int) -> None:
    """Another filter, for one machine: frames with the last four octets of this MAC at this place go into a queue."""
    last = int.from_bytes(bytes.fromhex(mac.replace(":", ""))[2:], "big")
    mix_up(host, device)
    _filter(host, device, ((0x20, 0, 0, place), (0x15, 0, 1, last), (0x06, 0, 0, 0x10001 + queue), (0x06, 0, 0, 0)))


def _filter(host: Host, device: str, program: Program) -> None:
    lines = [" ".join(map(str, one)) for one in program]
    host.run(["tc", "filter", "add", "dev", device, "parent", "1:", "protocol", "all", "bpf", "bytecode",
              ",".join([str(len(lines)), *lines])])


def mix_up(host: Host, device: str) -> None:
    """Without the filter everything waits in the first queue."""
    host.run(["tc", "filter", "del", "dev", device, "parent", "1:"])
