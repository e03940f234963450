"""Ports: what the server decides about one, and what does not go together."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps import addresses, dhcp6_options, dhcp_options, dns_names, subnet_choice
from apps.router_ports import leads_outside
from apps.security_group_defaults import ensure_default
from controller import values
from controller.errors import Conflict, Forbidden, Invalid
from controller.types import Record, Type, parsed

SERVICE = "network:"                 # owners of ports that Hadron itself or an administrator's service makes
_PROFILE = 4095                      # characters of binding:profile, as in Neutron
_MACS = "network_id+mac_address"


def _address(text: str) -> str:
    """An address or a block that a host may send from."""
    found = values.cidr(text) if "/" in text else values.ip(text)
    if values.is_multicast(found.partition("/")[0]):
        raise ValueError(text)
    return found


ADDRESS = Type("address", parsed(_address, "an address or a block of addresses, not multicast"), {"type": "string"},
               ("10.0.0.7", "10.0.0.0/24", "2001:db8::/64", "0.0.0.0/0"),
               ("10.0.0", "10.0.0.0/33", "", 1, [], "224.0.0.1", "224.0.0.0/24", "ff02::1"))


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    network = write.need("network", document["network_id"])
    write.number("port", document, "key")
    _check_owner(write, document, asked)
    _choose_mac(write, document)
    wanted = asked.get("fixed_ips")
    document["fixed_ips"] = addresses.assign(write, document, wanted)
    document["addresses_wait"] = wanted is None and subnet_choice.waits(write, document)
    subnet_choice.check_place(write, document)
    if document["port_security_enabled"] is None:
        document["port_security_enabled"] = network.port_security_enabled and not _is_service(document)
    if document["security_groups"] is None:
        document["security_groups"] = _default_groups(write, document)
    document["extra_dhcp_opts"] = _merged_options((), document["extra_dhcp_opts"])
    document["tags"] = tuple(sorted(set(document["tags"])))
    _check(write, document)


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    _check_owner(write, document, asked)
    if "mac_address" in asked:
        _change_mac(write, document, before)
    if "fixed_ips" in asked or document["mac_address"] != before.mac_address:
        _change_addresses(write, document, asked, before)
    _settle_place(write, document, asked, before)
    if document["security_groups"] is None:
        document["security_groups"] = _default_groups(write, document)
    if "extra_dhcp_opts" in asked:
        document["extra_dhcp_opts"] = _merged_options(before.extra_dhcp_opts, asked["extra_dhcp_opts"])
    _check(write, document, before)


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    addresses.release(write, before.fixed_ips)


def _is_service(document: Mapping[str, Any]) -> bool:
    return document["device_owner"].startswith(SERVICE)


def _check_owner(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    if "device_owner" in asked and _is_service(document) and not write.context.is_admin:
        raise Forbidden(f"device_owner: {SERVICE}* may be set by an administrator only")


# ---- its MAC

def _choose_mac(write: Any, document: dict[str, Any]) -> None:
    """The address asked for; or else one made of the base and the port's own number, which nobody else has."""
    if document["mac_address"] is not None:
        _check_mac_free(write, document, None)
        return
    base, number = values.mac_number(write.settings["base_mac"]) & ~0xffffff, document["key"]
    while True:
        document["mac_address"] = values.mac_text(base | number & 0xffffff)
        if not write.count("port", _MACS, (document["network_id"], document["mac_address"])):
            return
        number += 1


def _check_mac_free(write: Any, document: Mapping[str, Any], before: Any) -> None:
    for port in write.find("port", _MACS, (document["network_id"], document["mac_address"])):
        if before is None or port.id != before.id:
            raise Conflict("MacAddressInUse", f"Unable to complete operation for network {document['network_id']}. "
                                              f"The mac address {document['mac_address']} is in use by port {port.id}.")


def _change_mac(write: Any, document: dict[str, Any], before: Any) -> None:
    _choose_mac(write, document) if document["mac_address"] is None else _check_mac_free(write, document, before)
    if document["mac_address"] == before.mac_address:
        return
    if before.binding_host_id and document["binding:host_id"] == before.binding_host_id:
        raise Conflict("PortBound", f"mac_address: port {before.id} is bound to host {before.binding_host_id}; "
                                    "unbind it first (binding:host_id)")
    document["allowed_address_pairs"] = tuple(
        pair if pair.get("mac_address") != before.mac_address else
        Record(ip_address=pair.ip_address, mac_address=document["mac_address"])
        for pair in document["allowed_address_pairs"])


# ---- its addresses

def _change_addresses(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    wanted = asked.get("fixed_ips")
    if wanted is None:                                   # its MAC changes: addresses made from it do too
        automatic = {subnet.id for subnet in write.find("subnet", "network_id", document["network_id"])
                     if addresses.is_automatic(subnet)}
        wanted = tuple(fixed for fixed in before.fixed_ips if fixed.subnet_id not in automatic)
    document["fixed_ips"] = addresses.assign(write, document, wanted, before)
    addresses.release(write, [fixed for fixed in before.fixed_ips if fixed not in document["fixed_ips"]])


def _settle_place(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """It comes to a host: that may be what its addresses have waited for, or where they are of no use."""
    if "fixed_ips" in asked:
        document["addresses_wait"] = False
    elif document["addresses_wait"] and document["binding:host_id"]:
        document["fixed_ips"] = addresses.assign(write, document, None, before)
        document["addresses_wait"] = False
    if document["binding:host_id"] != before.binding_host_id or "fixed_ips" in asked:
        subnet_choice.check_place(write, document)


# ---- its security

def _default_groups(write: Any, document: Mapping[str, Any]) -> tuple[str, ...]:
    """The project's default group, which is made if need be; none where nothing would apply it."""
    if not document["port_security_enabled"] or _is_service(document):
        return ()
    return (ensure_default(write, document["project_id"]).id,)


def _check(write: Any, document: dict[str, Any], before: Any = None) -> None:
    document["allowed_address_pairs"] = _with_macs(document)
    dns_names.check(write, document, before)
    _check_security(document, before)
    kinds = {write.get("security_group", id).stateful for id in document["security_groups"]}
    if len(kinds) > 1:
        raise Conflict("SecurityGroupConflict",
                       "security_groups: a port cannot be in stateful and stateless groups at once")
    if len(json.dumps(document["binding:profile"])) > _PROFILE:
        raise Invalid("binding:profile", f"must not be longer than {_PROFILE} characters as JSON")


def _with_macs(document: Mapping[str, Any]) -> tuple[Record, ...]:
    """Pairs with their MAC, which is the port's unless another is given."""
    pairs = tuple(Record(ip_address=pair.ip_address, mac_address=pair.get("mac_address") or document["mac_address"])
                  for pair in document["allowed_address_pairs"])
    if len(set(pairs)) < len(pairs):
        raise Invalid("allowed_address_pairs", "the same pair is there twice; say it once",
                      type="DuplicateAddressPairInRequest")
    return pairs


def _check_security(document: Mapping[str, Any], before: Any) -> None:
    if document["port_security_enabled"]:
        return
    if document["security_groups"]:
        if before is not None and document["security_groups"] == before.security_groups:
            raise Conflict("PortSecurityPortHasSecurityGroup",
                           "Port has security group associated. Cannot disable port security until security group is "
                           "removed: set security_groups to [].")
        raise Conflict("PortSecurityAndIPRequiredForSecurityGroups",
                       "Port security must be enabled in order to use security groups.")
    if document["allowed_address_pairs"]:
        raise Conflict("AddressPairAndPortSecurityRequired",
                       "Port Security must be enabled in order to have allowed address pairs on a port.")


# ---- its DHCP options

def _merged_options(before: tuple[Record, ...], asked: tuple[Record, ...]) -> tuple[Record, ...]:
    """The options after those asked for: a value replaces, null removes, the others stay."""
    merged = {(option.opt_name, option.ip_version): option for option in before}
    named = set()
    for option in asked:
        _check_option(option)
        key = option.opt_name, option.ip_version
        if key in named:
            raise Invalid("extra_dhcp_opts", f"{option.opt_name} is there twice; say it once")
        named.add(key)
        if option.opt_value is None:
            merged.pop(key, None)
        else:
            merged[key] = option
    return tuple(merged.values())


def _check_option(option: Record) -> None:
    check = dhcp6_options.check if option.ip_version == 6 else dhcp_options.check
    wrong = check(option.opt_name, option.opt_value)
    if wrong:
        raise Invalid("extra_dhcp_opts", wrong)


# ---- what a compute manager reads

def status(model: Any, port: Any) -> str:
    """What the running controller knows. A router's port is nowhere to be seen: it is wherever its router is."""
    if port.device_owner in (addresses.FLOATING, addresses.LOCAL_IP):
        return "N/A"
    known = model.live.get("port.status")
    seen = known(port) if known else "DOWN"
    if seen != "DOWN" or port.device_owner not in (addresses.INTERFACE, addresses.GATEWAY) or not port.admin_state_up:
        return seen
    router = model.get("router", port.device_id)
    up = router is not None and router.admin_state_up
    if port.device_owner == addresses.GATEWAY:
        up = up and leads_outside(model, model.get("network", port.network_id))
    return "ACTIVE" if up else "DOWN"


def vif_type(model: Any, port: Any) -> str:
    return "other" if port.switch_port else "ovs" if port.binding_host_id else "unbound"


def vif_details(model: Any, port: Any) -> dict:
    """How the compute manager plugs the interface: straight into the integration bridge, which does the filtering."""
    if not port.binding_host_id or port.switch_port:
        return {}
    hosts = model.find("host", "hostname", port.binding_host_id) or [model.get("host", port.binding_host_id)]
    kernel = not hosts[0] or not hosts[0].datapath_types or "system" in hosts[0].datapath_types
    return {"port_filter": True, "ovs_hybrid_plug": False, "connectivity": "l2", "bridge_name": "br-int",
            "datapath_type": "system" if kernel else "netdev"}


def ip_allocation(model: Any, port: Any) -> str:
    """Addresses are given at once, once it is known where it is, or not at all."""
    return "immediate" if port.fixed_ips else "deferred" if port.addresses_wait else "none"
