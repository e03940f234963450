"""Minimums of policies, as documents: what cannot be kept free for a port is not promised."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.qos_policies import check_policy
from controller.errors import Conflict

RULE = "minimum_bandwidth_rule"


def check_rule(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A policy promises no more than it allows, and only what its users can have."""
    policy, least = document["qos_policy_id"], document["min_kbps"]
    for limit in write.find("bandwidth_limit_rule", "qos_policy_id", policy):
        if limit.direction == document["direction"] and limit.max_kbps < least:
            raise _contradiction("min_kbps", least, limit.max_kbps)
    if before is not None:
        return
    check_policy(write, document, asked, before)
    for network in write.find("network", "qos_policy_id", policy):
        _must_have_queues(write, network, f"network {network.id}")
    for port in write.find("port", "qos_policy_id", policy):
        _must_have_queues(write, write.get("network", port.network_id), f"port {port.id}")


def check_limit(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """… and allows no less than it promises."""
    for promised in write.find(RULE, "qos_policy_id", document["qos_policy_id"]):
        if promised.direction == document["direction"] and document["max_kbps"] < promised.min_kbps:
            raise _contradiction("max_kbps", document["max_kbps"], promised.min_kbps)


def _contradiction(name: str, value: int, other: int) -> Conflict:
    return Conflict("QoSRuleParameterConflict", f"{name}: {value} contradicts the policy's other rule, which says {other}")


def check_port(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if document["qos_policy_id"] is not None and (before is None or before.qos_policy_id != document["qos_policy_id"]):
        _check(write, document, write.get("network", document["network_id"]), f"port {document['id']}")


def check_network(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if document["qos_policy_id"] is not None and (before is None or before.qos_policy_id != document["qos_policy_id"]):
        _check(write, document, write.writer.model.make("network", document), f"network {document['id']}")


def _check(write: Any, document: Mapping[str, Any], network: Any, what: str) -> None:
    if write.count(RULE, "qos_policy_id", document["qos_policy_id"]):
        _must_have_queues(write, network, what)


def _must_have_queues(write: Any, network: Any, what: str) -> None:
    if not any(one.queues for one in _ways(write, network)):
        raise Conflict("QosRuleNotSupported", f"Rule minimum_bandwidth is not supported by {what}: no host has queues where the "
                                              f"network leaves it (external_ids:hadron-queues=true on the interface)")


def _ways(write: Any, network: Any) -> Iterator[Any]:
    """Where a network may leave a host."""
    if network.provider_physical_network is None:
        yield from write.find("host", "all", True)
        return
    wires = {network.provider_physical_network, *(one.physical_network for one in write.find("segment", "network_id", network.id))}
    for wire in sorted(wires - {None}):
        yield from write.find("uplink", "physical_network", wire)
