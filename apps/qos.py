"""Quality of service: how much a port may send and receive, and how what it sends is marked.

    bandwidth   a meter of kilobits for each direction; what exceeds it is dropped
    packets     a meter of packets for each direction
    minimum     a queue of the port's own at the interface by which its frames leave the host; see queues.py
    marking     IP packets get a code point; tunnels copy it to their own header

OpenFlow 1.4 has one meter for a flow: where both kinds limit a direction, packets are counted in one table (`admit`,
`deliver`) and bits in the next (`police`, `hand_over`).
"""
from __future__ import annotations

from typing import Any

from apps.guards import first_judge, is_held
from apps.limits import counted, limited, limited_here, limits_of, meters
from apps.pipeline import HAND_OVER, POLICE, RECEIVER, SENDER
from apps.places import here
from apps.queues import queue_of
from apps.seats import Seat, carried_by
from apps.watched import handed
from controller.app import flows
from controller.openflow import match, set_field, set_queue
from controller.openflow.actions import IN_PORT

APP = 50
IPV4, IPV6 = 0x800, 0x86dd


@flows(per="port", on=limited)
def police(world: Any, port: Any) -> Any:
    """What the port sends: counted, marked, and on to where it is judged."""
    limits = world.ask(limits_of, port.id)
    if not limits.sending:
        return
    yield from meters(world, port, limits, "bits sent", "packets sent")
    bits = counted(port, limits, "bits sent")
    bits += (set_queue(queue_of(port)),) if limits.least else ()
    onward = first_judge(world, port)
    if limits.mark is not None:
        for kind in (IPV4, IPV6):
            yield POLICE, "ip", match({SENDER: port.key, "eth_type": kind}), (
                *bits, set_field(ip_dscp=limits.mark), onward)
    yield POLICE, "port", match({SENDER: port.key}), (*bits, onward)


@flows(per="port", on=limited_here)
def receive(world: Any, port: Any) -> Any:
    yield from handed_over(world, port, here(world, port))


def handed_over(world: Any, port: Any, seen: Seat) -> Any:
    """What the port receives: its bits are counted by themselves where packets are counted, or rules asked, before."""
    limits = world.ask(limits_of, port.id)
    yield from meters(world, port, limits, "bits received", "packets received")
    if limits.bits_received and limits.packets_received or world.ask(is_held, port.network_id):
        bits = counted(port, limits, "bits received")
        yield HAND_OVER, "port", match({RECEIVER: port.key}), (*bits, *handed(world, port, seen.out))
        if seen.trunk:                                   # from a port of the same trunk: see trunks.py
            yield HAND_OVER, "twin", match({RECEIVER: port.key, "in_port": seen.ofport}), (
                *bits, *handed(world, port, carried_by(seen.tag, IN_PORT)))
