"""Limits: what policies of quality of service say for a port.

A port's own policy counts, or else its network's. `qos.py` has the flows.
"""
from __future__ import annotations

from typing import Any, NamedTuple

from apps.guards import is_held
from apps.pipeline import ACCESS_IN, HAND_OVER
from controller.app import query
from controller.openflow import Meter, meter

SERVICE = "network:"             # owners of ports to which a network's policy does not apply, as in Neutron
# Numbers of meters: a port's key, which the meter of its questions has itself, and above that what is metered; 1 << 24 and a
# key are routers' errors.
_METERS = {("bits", "egress"): 2 << 24, ("packets", "egress"): 3 << 24,
           ("bits", "ingress"): 4 << 24, ("packets", "ingress"): 5 << 24}


class Limit(NamedTuple):
    """How much passes in a second (kilobits, or packets), and how much at once."""
    rate: int
    burst: int


class Limits(NamedTuple):
    """What a policy says for a port."""
    bits_out: Limit | None = None
    bits_in: Limit | None = None
    packets_out: Limit | None = None
    packets_in: Limit | None = None
    mark: int | None = None

    @property
    def sending(self) -> bool:
        """Whether anything applies to what it sends."""
        return self.bits_out is not None or self.packets_out is not None or self.mark is not None


@query
def policy_of(world: Any, port_id: str) -> str | None:
    """The policy that applies to a port: its own, or its network's unless the port is some service's."""
    port = world.need("port", port_id)
    if port.qos_policy_id is not None or port.device_owner.startswith(SERVICE):
        return port.qos_policy_id
    return world.need("network", port.network_id).qos_policy_id


@query
def limits_by(world: Any, policy_id: str) -> Limits:
    """What the rules of a policy say. Where none says how much may come at once, it is what TCP needs."""
    said: dict[str, Any] = {}
    for rule in world.find("bandwidth_limit_rule", "qos_policy_id", policy_id):
        burst = rule.max_burst_kbps or max(int(rule.max_kbps * BURST), _FRAMES_KBIT)
        said["bits_out" if rule.direction == "egress" else "bits_in"] = Limit(rule.max_kbps, burst)
    for rule in world.find("packet_rate_limit_rule", "qos_policy_id", policy_id):
        burst = rule.max_burst_kpps * 1000 or int(rule.max_kpps * 1000 * BURST)
        said["packets_out" if rule.direction == "egress" else "packets_in"] = Limit(rule.max_kpps * 1000, burst)
    for rule in world.find("dscp_marking_rule", "qos_policy_id", policy_id):
        said["mark"] = rule.dscp_mark
    return Limits(**said)


BURST = 0.4                      # of a second's worth: with 0.1, BBR got half of the rate, with 0.2 all of it
_FRAMES_KBIT = 120               # ten frames of 1500 bytes
_NONE = Limits()


@query
def limits_of(world: Any, port_id: str) -> Limits:
    """What applies to a port."""
    policy = world.ask(policy_of, port_id)
    return world.ask(limits_by, policy) if policy is not None else _NONE


@query
def limits_outside(world: Any, floating_id: str) -> Limits:
    """What applies to a floating IP: its own policy, or that of its external network."""
    floating = world.need("floatingip", floating_id)
    policy = floating.qos_policy_id or world.need("network", floating.floating_network_id).qos_policy_id
    return world.ask(limits_by, policy) if policy is not None else _NONE


def bit_meters(port: Any, limits: Limits) -> Any:
    """The meters of bits, for both directions."""
    for direction, limit in (("egress", limits.bits_out), ("ingress", limits.bits_in)):
        if limit:
            yield Meter(meter_number(port, "bits", direction), kbps=limit.rate, burst=limit.burst)


def counted(port: Any, direction: str, limit: Limit | None) -> tuple:
    """What a flow does first whose bits are limited."""
    return (meter(meter_number(port, "bits", direction)),) if limit else ()


def meter_number(port: Any, what: str, direction: str) -> int:
    return port.key + _METERS[what, direction]


def count_packets(world: Any, port: Any) -> tuple:
    """What ADMIT does first with what the port sends."""
    return (meter(meter_number(port, "packets", "egress")),) if world.ask(limits_of, port.id).packets_out else ()


def hand_over(world: Any, port: Any, out: tuple) -> tuple:
    """How the port gets what is for it; `out` are the actions that do it."""
    limits, held = world.ask(limits_of, port.id), world.ask(is_held, port.network_id)
    bits = (meter(meter_number(port, "bits", "ingress")),) if limits.bits_in else ()
    packets = (meter(meter_number(port, "packets", "ingress")),) if limits.packets_in else ()
    if held:
        return (*packets, ACCESS_IN)
    return (*packets, HAND_OVER) if bits and packets else (*packets, *bits, *out)
