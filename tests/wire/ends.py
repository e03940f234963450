"""Two machines that tests of the walk have speak with each other, and what they say first."""
from __future__ import annotations

from tests.kit import frames
from tests.kit.dummy_ovs import DummyOvs
from tests.wire.agreement import Pair

A, B = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
X, Y = "10.0.0.1", "10.0.0.2"
X6, Y6 = "fd00::1", "fd00::2"
IP, IP6 = {"eth_type": 0x0800}, {"eth_type": 0x86DD}
SYN, ACK, FIN, RST = frames.SYN, frames.ACK, frames.FIN, frames.RST
HELLO = frames.udp(A, B, X, Y, 1000, 53)


def pair_of(ovs: DummyOvs, letter: str) -> Pair:
    """A bridge with three ports, named after a letter, and the walk beside it."""
    name, ports = f"br-{letter}", {number: f"{letter}{number}" for number in (1, 2, 3)}
    bridge = ovs.add_bridge(name)
    ovs.add_ports(name, {port: number for number, port in ports.items()})
    return Pair(ovs, bridge, name, ports)
