"""Default security group rules: what new security groups begin with, as an administrator has it.

Groups that are there already keep the rules that they have.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.security_group_defaults import PARENT, check_rule, number_of
from controller import values
from controller.errors import Conflict, Missing
from controller.rows import as_dict
from controller.types import TYPES, Type

KIND = "default_security_group_rule"
_SAME = ("direction", "ethertype", "port_range_min", "port_range_max", "remote_group_id", "remote_address_group_id")
_USES = ("used_in_default_sg", "used_in_non_default_sg")


def _group(value: Any) -> Any:
    return value if value == PARENT else TYPES["uuid"].read(value)


GROUP = Type("group", _group, {"type": "string"}, (PARENT,), ("parent", "", 1, [], "1234"))


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """Like a rule of a group; one that is used in neither kind of group waits for nothing, and harms nobody."""
    group = document["remote_group_id"]
    if group not in (None, PARENT) and write.get("security_group", group) is None:
        raise Missing("security_group", group)
    check_rule(document)
    wanted = _meaning(document)
    for other in write.find(KIND, "all", True):
        if any(getattr(other, use) and document[use] for use in _USES) and _meaning(as_dict(other)) == wanted:
            raise Conflict("DefaultSecurityGroupRuleExists", f"Default Security group rule already exists. Rule id is {other.id}.")


def _meaning(rule: Mapping[str, Any]) -> tuple[Any, ...]:
    prefix = rule["remote_ip_prefix"]
    return (*(rule[name] for name in _SAME), number_of(rule["protocol"], rule["ethertype"]), prefix and values.cidr(prefix))


def forget(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """With a group goes what names it."""
    for rule in write.find(KIND, "remote_group_id", before.id):
        write.remove(KIND, rule)
