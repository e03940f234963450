"""Quality of service: how much a port may send and receive, and how what it sends is marked.

    bandwidth   a meter of kilobits for each direction; what exceeds it is dropped
    packets     a meter of packets for each direction
    marking     IP packets get a code point; tunnels copy it to their own header

OpenFlow 1.4 has one meter for a flow: where both kinds limit a direction, packets are counted in one table (`admit`,
`deliver`) and bits in the next (`police`, `hand_over`).
"""
from __future__ import annotations

from typing import Any

from apps.guards import first_judge, is_held
from apps.limits import Limit, limits_of, meter_number
from apps.pipeline import HAND_OVER, POLICE, RECEIVER, SENDER
from apps.places import here, home
from apps.seats import carried_by
from controller.app import flows
from controller.openflow import Meter, match, meter, set_field
from controller.openflow.actions import IN_PORT

APP = 50
IPV4, IPV6 = 0x800, 0x86dd


def _meters(port: Any, direction: str, bits: Limit | None, packets: Limit | None) -> Any:
    """The meters of one direction; `admit` and `deliver` use them, too."""
    if bits:
        yield Meter(meter_number(port, "bits", direction), kbps=bits.rate, burst=bits.burst)
    if packets:
        yield Meter(meter_number(port, "packets", direction), pps=packets.rate, burst=packets.burst)


@flows(per="port", on=home)
def police(world: Any, port: Any) -> Any:
    """What the port sends: counted, marked, and on to where it is judged."""
    limits = world.ask(limits_of, port.id)
    if not limits.sending:
        return
    yield from _meters(port, "egress", limits.bits_out, limits.packets_out)
    bits = (meter(meter_number(port, "bits", "egress")),) if limits.bits_out else ()
    onward = first_judge(world, port)
    if limits.mark is not None:
        for kind in (IPV4, IPV6):
            yield POLICE, "ip", match({SENDER: port.key, "eth_type": kind}), (
                *bits, set_field(ip_dscp=limits.mark), onward)
    yield POLICE, "port", match({SENDER: port.key}), (*bits, onward)


@flows(per="port", on=home)
def receive(world: Any, port: Any) -> Any:
    """What the port receives: its bits are counted by themselves where packets are counted, or rules asked, before."""
    limits = world.ask(limits_of, port.id)
    yield from _meters(port, "ingress", limits.bits_in, limits.packets_in)
    if limits.bits_in and limits.packets_in or world.ask(is_held, port.network_id):
        counted, seen = (meter(meter_number(port, "bits", "ingress")),) if limits.bits_in else (), here(world, port)
        yield HAND_OVER, "port", match({RECEIVER: port.key}), (*counted, *seen.out)
        if seen.trunk:                                   # from a port of the same trunk: see trunks.py
            yield HAND_OVER, "twin", match({RECEIVER: port.key, "in_port": seen.ofport}), (
                *counted, *carried_by(seen.tag, IN_PORT))
