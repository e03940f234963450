"""The oracle: every attribute of the core resources against Neutron's own definition of it (neutron-lib).

Compared are whether it is there, whether POST and PUT take it, whether answers show it, its default, and for each
example value of the type whether both take it or both refuse it. A difference needs a reason, written here beside it.
"""
from __future__ import annotations

import copy
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import neutron_lib.api.definitions
import pytest
from neutron_lib import constants
from neutron_lib.api import attributes as neutron
from oslo_config import cfg

from controller.errors import Invalid, Unsupported
from controller.resource import Attribute
from tests.kit.worlds import core

KINDS = {"network": "networks", "subnet": "subnets", "port": "ports", "router": "routers", "floatingip": "floatingips",
         "security_group": "security_groups", "security_group_rule": "security_group_rules",
         "subnetpool": "subnetpools", "address_scope": "address_scopes", "trunk": "trunks",
         "address_group": "address_groups", "ndp_proxy": "ndp_proxies", "local_ip": "local_ips", "flavor": "flavors", "service_profile": "service_profiles", "network_segment_range": "network_segment_ranges", "segment": "segments", "qos_policy": "policies",
         "metering_label": "metering_labels", "metering_label_rule": "metering_label_rules",
         "log": "logs"}
PARTS = {"bandwidth_limit_rule": "bandwidth_limit_rules", "packet_rate_limit_rule": "packet_rate_limit_rules",
         "dscp_marking_rule": "dscp_marking_rules", "port_binding": "bindings",
         "local_ip_association": "port_associations"}           # objects that are inside others
PLAIN = ("flavors", "service_profiles")                # without the standard attributes
OTHERS = ("bgpvpn",)                                   # definitions whose parts have names of served ones
# The last definition read wins where extensions widen one: those that make it settable come last.
LATER = ("network_mtu_writable", "port_mac_address_regenerate", "uplink_status_propagation_updatable",
         "subnet_segmentid_writable", "floatingip_router_writable", "port_numa_affinity_policy_socket")
# neutron-lib has no definition of the security group API itself: this is Neutron's, from its API reference.
_UUID, _TEXT = {"validate": {"type:uuid": None}}, {"validate": {"type:string": 255}}


def _own(post: bool, put: bool, default: Any = None, **more: Any) -> dict[str, Any]:
    return {"allow_post": post, "allow_put": put, "is_visible": True, **({"default": default} if post else {}), **more}


GROUPS: dict[str, dict[str, dict[str, Any]]] = {
    "security_groups": {
        "id": _own(False, False, **_UUID), "name": _own(True, True, "", **_TEXT),
        "tenant_id": _own(True, False, **_TEXT),
        "security_group_rules": _own(False, False)},
    "security_group_rules": {
        "id": _own(False, False, **_UUID), "tenant_id": _own(True, False, **_TEXT),
        "security_group_id": _own(True, False, **_UUID),
        "remote_group_id": _own(True, False, validate={"type:uuid_or_none": None}),
        "direction": _own(True, False, validate={"type:values": ["ingress", "egress"]}),
        "protocol": _own(True, False), "port_range_min": _own(True, False), "port_range_max": _own(True, False),
        "ethertype": _own(True, False, "IPv4"), "remote_ip_prefix": _own(True, False)}}
GROUPS["ports"] = {"security_groups": _own(True, True, constants.ATTR_NOT_SPECIFIED)}
STANDARD = {"description": _own(True, True, "", **_TEXT), "created_at": _own(False, False),
            "updated_at": _own(False, False), "revision_number": _own(False, False), "tags": _own(False, False)}

NOT_OFFERED = "the extension is not offered; its harmless value is taken, so that clients that send it work"
NO_RENUMBER = "Neutron's plugins refuse to change it too (ML2: 'does not support updating provider attributes')"

# (kind, attribute, what differs): why.
REASONS: dict[tuple[str, str, str], str] = {
    **{(kind, "revision_number", "default"): "read-only; it counts from 0" for kind in KINDS if KINDS[kind] not in PLAIN},
    **{(kind, "tags", "default"): "set by themselves; there are none at first" for kind in KINDS if KINDS[kind] not in PLAIN},
    ("router", "enable_ndp_proxy", "default"): "false, which is what Neutron makes of it",
    ("port_binding", "host", "put"): "a binding is one for a host; for another host there is another",
    ("port_binding", "port_id", "alone"): "taken in bodies if it is the one in the address",
    ("port_binding", "profile", "default"): "an empty object, which is what Neutron makes of it",
    ("port_binding", "project_id", "there"): "hidden in Neutron: it is the port's",
    ("local_ip_association", "project_id", "there"): "hidden in Neutron: it is the local IP's",
    ("local_ip_association", "local_ip_id", "post"): "taken in bodies if it is the one in the address",
    ("port", "tags", "post"): "as the extension tag-ports-during-bulk-creation says, which names no attribute in neutron-lib",
    ("network", "subnets", "default"): "read-only; what there is",
    ("security_group_rule", "description", "put"): "rules cannot be changed: Neutron's API has no PUT for them",
    ("network", "provider:network_type", "put"): NO_RENUMBER,
    ("network", "provider:physical_network", "put"): NO_RENUMBER,
    ("network", "provider:segmentation_id", "put"): NO_RENUMBER,
    ("network", "segments", "put"): NO_RENUMBER,
    ("network_segment_range", "default", "post"): "openstacksdk sends false, which is what it is",
    ("address_group", "addresses", "default"): "an empty list, which is what Neutron makes of it",
    ("address_group", "shared", "visible"): "says whether others may use it, as other kinds do",
    ("metering_label_rule", "name", "alone"): "as every object has",
    **{("metering_label_rule", f"{end}_ip_prefix", "alone"): "of an extension that neutron-lib keeps apart"
       for end in ("source", "destination")},
    ("segment", "name", "default"): "an empty string, as for every object",
    ("segment", "tenant_id", "visible"): "says whose it is, as every object does",
    ("network", "project_default", "visible"): NOT_OFFERED,
    ("network", "pvlan", "visible"): NOT_OFFERED, ("network", "qinq", "visible"): NOT_OFFERED,
    ("network", "qinq", "default"): NOT_OFFERED, ("network", "vlan_transparent", "default"): "says that it is off",
    ("network", "availability_zones", "default"): "there are none, and the answer says so",
    ("subnet", "shared", "there"): "hidden and read-only in Neutron: no client can see or set it",
    ("subnet", "leak_routes", "visible"): NOT_OFFERED,
    ("subnet", "dns_nameservers", "default"): "an empty list, which is what Neutron makes of it",
    ("subnet", "host_routes", "default"): "an empty list, which is what Neutron makes of it",
    ("subnet", "service_types", "default"): "an empty list, which is what Neutron makes of it",
    ("port", "allowed_address_pairs", "default"): "an empty list, which is what Neutron makes of it",
    ("port", "extra_dhcp_opts", "default"): "an empty list, which is what Neutron shows for null",
    ("port", "binding:host_id", "default"): "an empty string, which is what Neutron makes of it",
    ("port", "binding:profile", "default"): "an empty object, which is what Neutron makes of it",
    ("port", "pvlan_type", "visible"): NOT_OFFERED, ("port", "pvlan_community", "visible"): NOT_OFFERED,
    ("port", "propagate_uplink_status", "visible"): NOT_OFFERED, ("port", "trusted", "visible"): NOT_OFFERED,
    **{("router", name, "visible"): NOT_OFFERED for name in (
        "evpn_vni", "enable_default_route_bfd", "service_type_id")},
    **{("router", name, "there"): "read-only, of an extension that is not offered" for name in (
        "conntrack_helpers",)},
    ("router", "enable_snat", "default"): "worked out from external_gateway_info",
    ("router", "distributed", "default"): "says what every router is",
    ("router", "ha", "default"): "says what every router is",
    ("router", "routes", "default"): "an empty list, which is what Neutron makes of it",
    ("router", "availability_zones", "default"): "there are none, and the answer says so",
    ("floatingip", "subnet_id", "visible"): "says what the address outside is part of",
    ("subnetpool", "name", "default"): "it must be given and not be empty, which is found in the next step",
    **{(kind, "qos_policy_id", "alone"): "Neutron shows it in the policy's list of rules" for kind in PARTS if kind.endswith("_rule")},
    ("security_group", "shared", "default"): "read-only; groups are not shared",
    ("router", "external_gateways", "default"): "read-only; a router without gateways has an empty list of them",
}
TEXT = ["a\0b", "\ud800"]
LINES = [*TEXT, "a\nb", "a\rb"]
NUMBERS = [1.5, True, 1 << 70]
NO_TEXT = "NUL and half of a surrogate pair can be neither stored nor shown"
ONE_LINE = "control characters end up in terminals, logs and file names"
A_NUMBER = "true is no number, 1.5 no whole one, and 2^70 fits nowhere"
A_LIST = "an object or a string is no list; Neutron takes empty ones for one"
NULL = "null stands for the default"
# Values that Hadron refuses and Neutron takes, and why; then the other way round.
REFUSED: dict[str, tuple[list[Any], str]] = {
    "description": (TEXT, NO_TEXT),
    **dict.fromkeys(("tenant_id", "project_id", "device_id", "device_owner", "provider:physical_network",
                     "physical_network", "network_type", "driver", "resource_type"), (LINES, ONE_LINE)),
    **dict.fromkeys(("mtu", "prefixlen", "default_quota", "default_prefixlen", "min_prefixlen", "max_prefixlen"),
                    (NUMBERS, A_NUMBER)),
    **dict.fromkeys(("minimum", "maximum"), (NUMBERS[:2], A_NUMBER)),
    **dict.fromkeys(("provider:segmentation_id", "segmentation_id"), ([*NUMBERS, 0, -1], A_NUMBER)),
    "allocation_pools": ([{}, "", [{"start": "10.0.0.1", "end": "10.0.0.1"}] * 101,
                          [{"start": "10.0.0.1", "end": "10.0.0.1"}] * 2], A_LIST + "; the same pool twice overlaps"),
    "dns_nameservers": ([{}, ""], A_LIST),
    "service_types": ([{}, "", 0, ["network:a\nb"], ["compute:nova"] * 51, ["compute:nova"] * 2],
                      A_LIST + "; " + ONE_LINE + "; once is enough"),
    "segments": ([{}, "", *([{f"provider:{part}": bad}] for part, wrong in (
        ("network_type", (1, [], {}, *LINES, None, "x" * 33)), ("physical_network", (1, True, [], {}, *LINES, "x" * 65)),
        ("segmentation_id", ("", *NUMBERS, [], {}, 0, 1 << 32))) for bad in wrong)],
        "the parts of a segment are what the provider attributes are"),
    **dict.fromkeys(("max_kbps", "max_kpps"), ([1.5, True, 0], A_NUMBER + "; 0 says nothing, and a limit says something")),
    **dict.fromkeys(("max_burst_kbps", "max_burst_kpps"), ([1.5, True], A_NUMBER)),
    "availability_zone_hints": ([["a\0b"], ["\ud800"], ["a\nb"], ["a\rb"]], ONE_LINE),
    "dns_name": (["a\n"], "no name has a newline: Neutron's pattern forgets it"),
    "cidr": (["10.0.0.1"], "a block needs its length; Neutron refuses it in its next step"),
    "external_gateway_info": ([[], "", 0], "none is an object; null and {} stand for no gateway"),
    "mac_address": (["1", 1, True, "01:00:5e:00:00:01"], "an interface has no multicast address; a number is no MAC"),
    "fixed_ips": ([[{"nonsense": 1}], [{}] * 33], "unknown members are refused by name; 32 addresses are the most"),
}
TAKEN: dict[str, tuple[list[Any], str]] = {
    **dict.fromkeys(("tenant_id", "device_id", "device_owner", "mac_address", "provider:network_type",
                     "provider:physical_network", "provider:segmentation_id"), ([None], NULL)),
    "cidr": ([None], "refused in the next step: it is required"),
    "remote_ip_prefix": ([None], "as its extension says that names source and destination, which neutron-lib keeps apart"),
    "extra_dhcp_opts": ([[{"opt_name": "", "opt_value": ""}], [{"opt_name": "", "opt_value": "", "ip_version": 4}]],
                        "refused in the next step, which knows the names of options"),
    **dict.fromkeys(("binding:profile", "profile"), (["{}"], "text that holds JSON is read as JSON, as in Gluon's profile")),
    **dict.fromkeys(("qinq", "vlan_transparent", "trusted", "hardware_offload_type", "segments", "prefixlen",
                     "evpn_vni", "default_quota", "project_id", "physical_network",
                     "segmentation_id"), ([None], NULL)),
    "routes": ([[{"destination": "10.0.0.0/24", "nexthop": "10.0.0.1", "distance": "7", "weight": "7"}]],
               "distance and weight are Hadron's own"),
    "name": ([""], "refused in the next step where there must be one"),
    "service_type": (["L3_ROUTER_NAT", "FLAVORS"], "neutron-lib asks which plugins are loaded"),
    "hints": (["{}"], "an empty object, as text, hints at nothing"),
}


def _definitions() -> dict[str, dict[str, dict[str, Any]]]:
    modules = sorted((one.name for one in pkgutil.iter_modules(neutron_lib.api.definitions.__path__)
                      if not one.name.startswith("_") and one.name != "base"), key=lambda name: (name in LATER, name))
    found: dict[str, dict[str, dict[str, Any]]] = {plural: {} for plural in KINDS.values()}
    parts: dict[str, dict[str, dict[str, Any]]] = {}
    for name in modules:
        module = importlib.import_module(f"neutron_lib.api.definitions.{name}")
        for plural, attributes in getattr(module, "RESOURCE_ATTRIBUTE_MAP", {}).items():
            if plural in found:
                found[plural].update(attributes)
        for plural, part in (getattr(module, "SUB_RESOURCE_ATTRIBUTE_MAP", None) or {}).items():
            if plural in PARTS.values() and not name.startswith(OTHERS):
                parts.setdefault(plural, {}).update(part.get("parameters") or {})
    for plural, own in found.items():
        found[plural] = {**GROUPS.get(plural, {}), **({} if plural in PLAIN else STANDARD), **own}
    return {**found, **parts}


THEIRS = _definitions()


def _pairs() -> Iterator[tuple[str, str, dict[str, Any], Attribute | None]]:
    for kind, plural in {**KINDS, **PARTS}.items():
        ours = core()[kind]
        for name, theirs in THEIRS[plural].items():
            yield kind, name, theirs, ours.attributes.get(ours.aliases.get(name, name))


def _differences() -> Iterator[tuple[tuple[str, str, str], str]]:
    for kind, name, theirs, ours in _pairs():
        if ours is None:
            yield (kind, name, "there"), "Hadron has no such attribute"
            continue
        said = {"post": ours.settable in ("always", "create"), "put": ours.settable in ("always", "update"),
                "visible": ours.visible in ("everyone", "admin")}
        wanted = {"post": theirs["allow_post"], "put": theirs["allow_put"], "visible": theirs["is_visible"]}
        for what, value in said.items():
            if value != wanted[what]:
                yield (kind, name, what), f"Hadron {value}, Neutron {wanted[what]}"
        default = theirs.get("default")
        default = None if default is constants.ATTR_NOT_SPECIFIED else default
        mine = ours.default if ours.has_default else None
        if (list(mine) if isinstance(mine, tuple) else mine) != default:
            yield (kind, name, "default"), f"Hadron {mine!r}, Neutron {default!r}"
    for kind, plural in {**KINDS, **PARTS}.items():
        ours_all = core()[kind]
        aliased = set(ours_all.aliases.values())
        for name, attribute in ours_all.attributes.items():
            known = name in THEIRS[plural] or name in aliased
            if not known and attribute.visible != "nobody":
                yield (kind, name, "alone"), "Neutron has no such attribute"


def test_there_are_no_differences_but_those_with_a_reason() -> None:
    found = dict(_differences())
    assert {key: text for key, text in found.items() if key not in REASONS} == {}
    assert {key for key in REASONS if key not in found} == set(), "reasons for differences that are none"


def _neutron_takes(name: str, definition: dict[str, Any], value: Any) -> bool:
    try:
        neutron.AttributeInfo({name: definition}).convert_values({name: value})
    except Exception:
        return False
    return True


def _hadron_takes(attribute: Attribute, value: Any) -> bool:
    try:
        attribute.check_served(attribute.read(value))
    except (Invalid, Unsupported):
        return False
    return True


COMPARED = [(kind, name, theirs, ours) for kind, name, theirs, ours in _pairs()
            if ours is not None and ours.settable != "never" and ("validate" in theirs or "convert_to" in theirs)]


@pytest.mark.parametrize(("kind", "name", "theirs", "ours"), COMPARED, ids=[f"{one[0]}.{one[1]}" for one in COMPARED])
def test_both_take_and_refuse_the_same_values(kind: str, name: str, theirs: dict[str, Any], ours: Attribute) -> None:
    for taken, value in _disagreements(name, theirs, ours):
        reasons = (TAKEN if taken else REFUSED).get(name, ([], ""))[0]
        assert any(same(value, one) for one in reasons), f"only {'Hadron' if taken else 'Neutron'} takes {value!r}"


def _disagreements(name: str, theirs: dict[str, Any], ours: Attribute) -> Iterator[tuple[bool, Any]]:
    """(whether Hadron takes it, value) where the two differ. What Hadron does not serve, it may refuse."""
    if "max_allowed_address_pair" not in cfg.CONF:
        cfg.CONF.register_opt(cfg.IntOpt("max_allowed_address_pair", default=10))
        cfg.CONF.register_opt(cfg.StrOpt("dns_domain", default="openstacklocal"))
    for value in [*ours.type.good, *ours.values, *ours.type.bad, None, "", 0, 1, "1", True, "x", [], {}]:
        neutron_takes = _neutron_takes(name, theirs, copy.deepcopy(value))
        if _hadron_takes(ours, value) != neutron_takes and (ours.serves is None or not neutron_takes):
            yield not neutron_takes, value


def test_every_reason_is_needed() -> None:
    found = [(taken, name, value) for _, name, theirs, ours in COMPARED
             for taken, value in _disagreements(name, theirs, ours)]
    for taken, table in ((True, TAKEN), (False, REFUSED)):
        for name, (values, reason) in table.items():
            assert reason
            for value in values:
                assert any(one[0] == taken and one[1] == name and same(one[2], value) for one in found), (name, value)


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other
