"""Port bindings: in a live migration the next host of a machine is ready before the machine comes.

    where it is        as ever. All other hosts send what is for it there
    where it may come  its interface is admitted and guarded, and what others send it there already is handed over;
                       what machines of this host send it goes to where it is

With the activation two flows change places on each host: which tunnel leads to the machine. Whichever host turns first,
what it sends is taken at the other end, so the order does not matter, and where the machine was stays ready in turn until
its binding is deleted. Connections are picked up in their middle.
"""
from __future__ import annotations

from typing import Any

from apps.pipeline import FORWARD, NETWORK, SENDER
from apps.qos import handed_over
from apps.seats import seat_at
from apps.switching import admitted, brought_in, delivered
from apps.watches import counted_in
from controller.app import Missing, flows
from controller.openflow import match

APP = 70


def ready_on(world: Any, binding: Any) -> tuple[str, ...]:
    seat = world.ask(seat_at, binding.id)
    return (seat.switch_id,) if seat else ()


@flows(per="port_binding", on=ready_on)
def be_ready(world: Any, binding: Any) -> Any:
    """What else a host holds of a port is there as on its own (`homes_of`): this names the interface."""
    port, seat = world.need("port", binding.port_id), world.ask(seat_at, binding.id)
    if seat is None:
        raise Missing("interface", port.id)
    network = world.need("network", port.network_id)
    yield admitted(world, port, seat)
    yield FORWARD, "outside", match({SENDER: 0, NETWORK: network.key, "eth_dst": port.mac_address}), brought_in(world, port)
    yield from delivered(world, port, seat)
    yield from handed_over(world, port, seat)
    yield from counted_in(world, port, seat)
