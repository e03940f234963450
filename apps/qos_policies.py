"""Policies of quality of service, as documents."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from controller.errors import Conflict, Invalid
from controller.rows import as_dict

RULES = {"bandwidth_limit": "bandwidth_limit_rule", "minimum_bandwidth": "minimum_bandwidth_rule", "packet_rate_limit": "packet_rate_limit_rule",
         "dscp_marking": "dscp_marking_rule"}
UNSERVED = ("minimum_packet_rate",)              # Neutron's other types of rules


def settle(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A name there must be, and one default policy for a project at most."""
    if not document["name"]:
        raise Invalid("name", "is required")
    if not document["is_default"]:
        return
    for other in write.find("qos_policy", "project_id+is_default", (document["project_id"], True)):
        if other.id != document["id"]:
            raise Conflict("QoSPolicyDefaultAlreadyExists",
                           f"A default QoS policy exists for project {document['project_id']}.")


def take_default(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """A new network that does not say otherwise has its project's default policy."""
    if "qos_policy_id" in asked:
        return
    for policy in write.find("qos_policy", "project_id+is_default", (document["project_id"], True)):
        document["qos_policy_id"] = policy.id


def rules(model: Any, policy: Any) -> list[dict[str, Any]]:
    """All rules of a policy, as its document lists them."""
    return [{**as_dict(rule), "type": type} for type, kind in RULES.items()
            for rule in model.find(kind, "qos_policy_id", policy.id)]


def network_policy(model: Any, port: Any) -> str | None:
    """The policy of the port's network."""
    network = model.get("network", port.network_id)
    return network.qos_policy_id if network is not None else None


def outside_policy(model: Any, floating: Any) -> str | None:
    """The policy of the floating IP's network."""
    network = model.get("network", floating.floating_network_id)
    return network.qos_policy_id if network is not None else None


def check_floating(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    check_countable(write, document["qos_policy_id"], "floating IP", document["id"])


def check_countable(write: Any, policy_id: str | None, what: str, id: str) -> None:
    """A floating IP and a router's gateway count bits, and neither packets nor marks."""
    for type, kind in RULES.items() if policy_id is not None else ():
        if type != "bandwidth_limit" and write.count(kind, "qos_policy_id", policy_id):
            raise Conflict("QosRuleNotSupported", f"Rule {type} is not supported by {what} {id}: use a policy that has "
                                                  "bandwidth limits only")


def check_policy(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """What they do not count is no rule of a policy that one has."""
    for kind, index, what in (("floatingip", "qos_policy_id", "floating IP"),
                              ("router", "external_gateways.qos_policy_id", "the gateway of router")):
        for user in write.find(kind, index, document["qos_policy_id"]):
            raise Conflict("QosRuleNotSupported", f"The rule is not supported by {what} {user.id}, which has the policy: use "
                                                  "another policy")


def rule_types(model: Any, wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The types of rules that are served, with the values that each attribute of one may have; all types, if somebody wants
    those."""
    flags = {name: True in wanted[name] for name in ("all_supported", "all_rules") if name in wanted}
    for type, kind in RULES.items():
        yield {"type": type, **flags, "drivers": [{"name": "hadron", "supported_parameters": [
            _parameter(name, one.schema()) for name, one in model.resources[kind].attributes.items()
            if name not in ("id", "qos_policy_id")]}]}
    if flags.get("all_rules") and not flags.get("all_supported"):
        yield from ({"type": type, **flags, "drivers": []} for type in UNSERVED)


def _parameter(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return {"parameter_name": name, "parameter_type": "choices", "parameter_values": schema["enum"]}
    return {"parameter_name": name, "parameter_type": "range",
            "parameter_values": {"start": schema["minimum"], "end": schema["maximum"]}}
