"""Security groups: what a new group starts with, the default group of a project, and which rules make sense."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.protocols import IPV6_ONLY, NUMBERS
from controller import values
from controller.errors import Conflict, Invalid, Unsupported
from controller.policy import SYSTEM
from controller.types import Type, parsed

DEFAULT = "default"
PARENT = "PARENT"                # in default rules: the group that begins with it
_ICMP, _ICMP6, _TCP, _UDP, _DCCP, _SCTP, _UDPLITE = 1, 58, 6, 17, 33, 132, 136
_WITH_PORTS = (_TCP, _UDP, _DCCP, _SCTP, _UDPLITE)
_MATCHED_PORTS = (_TCP, _UDP, _SCTP)                   # OpenFlow has no fields for the ports of the others
_TAKEN = ("description", "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
          "remote_group_id", "remote_address_group_id")
_SAME = ("direction", "ethertype", "port_range_min", "port_range_max", "normalized_cidr", "remote_group_id",
         "remote_address_group_id")


# ---- types

def _protocol(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return str(value)
    if isinstance(value, str):
        low = value.lower()
        if low == "any":
            return None
        if low in NUMBERS:
            return low
        if low.isascii() and low.isdigit() and len(low) <= 3 and int(low) <= 255:
            return str(int(low))
    raise Invalid("", f"must be any, a number from 0 to 255 or one of {', '.join(NUMBERS)}")


def _ethertype(value: Any) -> str:
    for known in ("IPv4", "IPv6"):
        if isinstance(value, str) and value.lower() == known.lower():
            return known
    raise Invalid("", "must be IPv4 or IPv6")


def _prefix(text: str) -> str:
    """The block as it was written, with its length: `10.0.0.7` -> `10.0.0.7/32`."""
    address, _, _ = text.partition("/")
    return f"{values.ip(address)}/{values.prefix(text).length}"


PROTOCOL = Type("protocol", _protocol, {"type": "string"}, ("tcp", "ICMP", 6, "132", "any"),
                ("xyz", 256, -1, "256", "", [], 1.5, True))
ETHERTYPE = Type("ethertype", _ethertype, {"type": "string", "enum": ["IPv4", "IPv6"]}, ("IPv4", "ipv6"),
                 ("IP", "", 4, []))
PREFIX = Type("prefix", parsed(_prefix, "an address or a block of addresses"), {"type": "string"},
              ("10.0.0.0/8", "10.0.0.7"), ("10.0.0", "10.0.0.0/33", "", 1, []))


# ---- groups

def ensure_default(write: Any, project: str) -> Any:
    """The project's default group, made as part of this write if there is none."""
    found = write.find("security_group", "project_id+name", (project, DEFAULT))
    if found:
        return found[0]
    return write.create("security_group", {"name": DEFAULT, "project_id": project,
                                           "description": "Default security group"}, by=SYSTEM)


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """A new group begins with the default rules (default_security_group_rules.py): unless an administrator has others,
    its members may open any connection, and those of a project's default group also accept each other's."""
    default = document["name"] == DEFAULT
    if default and write.find("security_group", "project_id+name", (document["project_id"], DEFAULT)):
        raise _default_exists()
    write.then(lambda: _first_rules(write, document, default))
    if not default:
        write.then(lambda: ensure_default(write, document["project_id"]))


def _default_exists() -> Conflict:
    return Conflict("SecurityGroupDefaultAlreadyExists",
                    "name: default is the group that each project has; choose another")


def _first_rules(write: Any, group: Mapping[str, Any], default: bool) -> None:
    used = "used_in_default_sg" if default else "used_in_non_default_sg"
    for one in write.find("default_security_group_rule", used, True):
        said = {name: getattr(one, name) for name in _TAKEN if getattr(one, name) is not None}
        if one.remote_group_id == PARENT:
            said["remote_group_id"] = group["id"]
        write.create("security_group_rule", {**said, "security_group_id": group["id"], "project_id": group["project_id"]},
                     by=SYSTEM)


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if "name" in asked and before.name == DEFAULT:
        raise Conflict("SecurityGroupCannotUpdateDefault",
                       "Updating the name of the default security group is not allowed.")
    if document["name"] == DEFAULT and before.name != DEFAULT:
        raise _default_exists()


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if before.name == DEFAULT and not write.context.is_admin:
        raise Conflict("SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group.")


def rules_of(model: Any, group: Any) -> list[dict]:
    """The rules as a client sees them."""
    return [model.show("security_group_rule", rule)
            for rule in model.find("security_group_rule", "security_group_id", group.id)]


# ---- rules

def create_rule(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    group = write.get("security_group", document["security_group_id"])
    if "project_id" not in asked:
        document["project_id"] = group.project_id
    elif document["project_id"] != group.project_id:
        raise Invalid("project_id", f"must be that of the group ({group.project_id}), or be left out")
    prefix = document["remote_ip_prefix"]
    document["normalized_cidr"] = values.cidr(prefix) if prefix else None
    check_rule(document)
    _check_new(write, document)


def check_rule(rule: Mapping[str, Any]) -> None:
    """What a rule says of protocol, ports and addresses must go together, in a default rule too."""
    _check_family(rule)
    _check_ports(rule)


def number_of(protocol: str | None, ethertype: str) -> int | None:
    """The number on the wire; None for any. IPv6 has an ICMP of its own."""
    if protocol is None:
        return None
    number = NUMBERS[protocol] if protocol in NUMBERS else int(protocol)
    return _ICMP6 if number == _ICMP and ethertype == "IPv6" else number


def _check_family(rule: Mapping[str, Any]) -> None:
    version = 4 if rule["ethertype"] == "IPv4" else 6
    prefix = rule["remote_ip_prefix"]
    if prefix and values.ip_version(prefix) != version:
        raise Invalid("remote_ip_prefix", f"must be of {rule['ethertype']}, as ethertype says",
                      type="SecurityGroupRuleParameterConflict")
    if version == 4 and number_of(rule["protocol"], "IPv4") in IPV6_ONLY:
        raise Invalid("ethertype", f"must be IPv6 for protocol {rule['protocol']}",
                      type="SecurityGroupEthertypeConflictWithProtocol")


def _check_ports(rule: Mapping[str, Any]) -> None:
    low, high = rule["port_range_min"], rule["port_range_max"]
    if low is None and high is None:
        return
    name = "port_range_min" if low is not None else "port_range_max"
    protocol = number_of(rule["protocol"], rule["ethertype"])
    if protocol is None:
        raise Invalid("protocol", f"is needed together with {name}", type="SecurityGroupProtocolRequiredWithPorts")
    if protocol in (_ICMP, _ICMP6):
        _check_icmp(low, high)
    elif protocol not in _WITH_PORTS:
        raise Invalid(name, f"protocol {rule['protocol']} has no ports; leave it out",
                      type="SecurityGroupInvalidProtocolForPort")
    elif low is None or high is None or low > high:
        raise Invalid(name, "port_range_min must be given with port_range_max, and not be greater",
                      type="SecurityGroupInvalidPortRange")
    elif low == 0:
        raise Invalid("port_range_min", "must be between 1 and 65535", type="SecurityGroupInvalidPortValue")
    elif protocol not in _MATCHED_PORTS:
        raise Unsupported(name, f"ports of protocol {rule['protocol']} are not served: OpenFlow cannot match them; "
                                "leave them out to allow all")


def _check_icmp(kind: int | None, code: int | None) -> None:
    for name, value in (("port_range_min", kind), ("port_range_max", code)):
        if value is not None and value > 255:
            raise Invalid(name, "must be between 0 and 255 for ICMP", type="SecurityGroupInvalidIcmpValue")
    if kind is None:
        raise Invalid("port_range_min", "is the ICMP type, needed together with port_range_max, the code",
                      type="SecurityGroupMissingIcmpType")


def _check_new(write: Any, rule: Mapping[str, Any]) -> None:
    protocol = number_of(rule["protocol"], rule["ethertype"])
    wanted = tuple(rule[name] for name in _SAME)
    for other in write.find("security_group_rule", "security_group_id", rule["security_group_id"]):
        same = tuple(getattr(other, name) for name in _SAME) == wanted
        if same and number_of(other.protocol, other.ethertype) == protocol:
            raise Conflict("SecurityGroupRuleExists", f"Security group rule already exists. Rule id is {other.id}.")


def in_default(model: Any, rule: Any) -> bool:
    group = model.get("security_group", rule.security_group_id)
    return group is not None and group.name == DEFAULT
