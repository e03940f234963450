"""Limits: what policies of quality of service say for a port.

A port's own policy counts, or else its network's. `qos.py` has the flows.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from apps.exits import exit_to
from apps.guards import is_held
from apps.pipeline import ACCESS_IN, HAND_OVER, METERS
from apps.places import home, homes_of
from apps.watched import handed, peers_of
from controller.app import query
from controller.openflow import Meter, count, meter

SERVICE = "network:"             # owners of ports to which a network's policy does not apply, as in Neutron
_SECONDS = 0.4                   # of the rate that may come at once: with 0.1, BBR got half of it, with 0.2 all of it
_FRAMES_KBIT = 120               # ten frames of 1500 bytes


class Limit(NamedTuple):
    """How much passes in a second (kilobits, or packets), and how much at once."""
    rate: int
    burst: int


class Limits(NamedTuple):
    """What a policy says for a port."""
    bits_sent: Limit | None = None
    bits_received: Limit | None = None
    packets_sent: Limit | None = None
    packets_received: Limit | None = None
    mark: int | None = None
    least: int = 0              # kilobits that it has for sure of what leaves its host

    @property
    def sending(self) -> bool:
        """Whether anything applies to what it sends."""
        return self.bits_sent is not None or self.packets_sent is not None or self.mark is not None \
            or self.least > 0

    def of(self, what: str) -> Limit | None:
        """The limit of `bits sent`, `packets received` and so on."""
        found: Limit | None = getattr(self, what.replace(" ", "_"))
        return found


def at_once(kbps: int) -> int:
    """The kilobits that may come at once where nobody says how many: what TCP needs to reach a rate."""
    return max(int(kbps * _SECONDS), _FRAMES_KBIT)


def policy_of(world: Any, port: Any) -> str | None:
    """The policy that applies to a port: its own, or its network's unless the port is some service's."""
    if port.qos_policy_id is not None or port.device_owner.startswith(SERVICE):
        return port.qos_policy_id
    network = world.get("network", port.network_id)
    return network.qos_policy_id if network else None


@query
def limits_by(world: Any, policy_id: str) -> Limits:
    """What the rules of a policy say. Where none says how much may come at once, it is what TCP needs."""
    said: dict[str, Any] = {}
    for rule in world.find("bandwidth_limit_rule", "qos_policy_id", policy_id):
        said[f"bits_{_DONE[rule.direction]}"] = Limit(rule.max_kbps, rule.max_burst_kbps or at_once(rule.max_kbps))
    for rule in world.find("packet_rate_limit_rule", "qos_policy_id", policy_id):
        burst = rule.max_burst_kpps * 1000 or int(rule.max_kpps * 1000 * _SECONDS)
        said[f"packets_{_DONE[rule.direction]}"] = Limit(rule.max_kpps * 1000, burst)
    for rule in world.find("dscp_marking_rule", "qos_policy_id", policy_id):
        said["mark"] = rule.dscp_mark
    for rule in world.find("minimum_bandwidth_rule", "qos_policy_id", policy_id):
        said["least"] = rule.min_kbps
    return Limits(**said)


_DONE = {"egress": "sent", "ingress": "received"}
_NONE = Limits()


@query
def limits_of(world: Any, port_id: str) -> Limits:
    """What applies to a port."""
    port = world.get("port", port_id)
    policy = policy_of(world, port) if port else None
    return world.ask(limits_by, policy) if policy is not None else _NONE


def limited(world: Any, port: Any) -> tuple:
    """Where the port is and may come to, if anything limits it or holds it back."""
    return homes_of(world, port) if _is_limited(world, port) else ()


def limited_here(world: Any, port: Any) -> tuple:
    """Where the port is, if anything limits it or holds it back."""
    return home(world, port) if _is_limited(world, port) else ()


def _is_limited(world: Any, port: Any) -> bool:
    return bool(world.ask(limits_of, port.id) != _NONE or world.ask(is_held, port.network_id))


@query
def limits_outside(world: Any, floating_id: str) -> Limits:
    """What applies to a floating IP: its own policy, or that of its external network."""
    floating = world.need("floatingip", floating_id)
    policy = floating.qos_policy_id or world.need("network", floating.floating_network_id).qos_policy_id
    return world.ask(limits_by, policy) if policy is not None else _NONE


@query
def limits_of_gateway(world: Any, port_id: str) -> Limits:
    """What applies to a router's gateway: the policy that the router gives it, or that of its external network."""
    port = world.need("port", port_id)
    said = exit_to(world.need("router", port.device_id), port.network_id)
    policy = said.get("qos_policy_id") or world.need("network", port.network_id).qos_policy_id
    return world.ask(limits_by, policy) if policy is not None else _NONE


def meters(world: Any, port: Any, limits: Limits, *whats: str) -> Iterator[Meter]:
    """The meters of a port that its limits need, of these: `bits sent`, `packets received` and so on. Of a port that is watched it is
    counted what they drop."""
    for what in whats:
        limit = limits.of(what)
        if limit:
            rate: dict[str, Any] = {"kbps" if what.startswith("bits") else "pps": limit.rate}
            yield Meter(METERS[what] + port.key, **rate, burst=limit.burst, counts=None if world.ask(peers_of, port.id) is None else
                        count("dropped", "port", port.id, within=port.network_id, about=f"more {what} than its limit"))


def counted(port: Any, limits: Limits, what: str) -> tuple[Any, ...]:
    """What a flow does first where this is limited."""
    return (meter(METERS[what] + port.key),) if limits.of(what) else ()


def hand_over(world: Any, port: Any, out: tuple) -> tuple:
    """How the port gets what is for it; `out` are the actions that do it."""
    limits = world.ask(limits_of, port.id)
    bits, packets = counted(port, limits, "bits received"), counted(port, limits, "packets received")
    if world.ask(is_held, port.network_id):
        return (*packets, ACCESS_IN)
    return (*packets, HAND_OVER) if bits and packets else (*packets, *bits, *handed(world, port, out))
