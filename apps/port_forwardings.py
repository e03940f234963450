"""Port forwardings, as documents: ports of a floating IP that lead to ports of addresses behind its router.

A floating IP either stands for a port whole, or forwards ports of its own: not both. It has the router of its
forwardings while there are any.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from apps.router_ports import bad, check_serves, router_between
from controller import values
from controller.errors import Conflict, Invalid, Unsupported
from controller.types import Record, Type

_SIDES = ("external", "internal")
MOST_SHIFTED = 256
_bad = partial(bad, resource="port_forwarding")


def _range(value: Any) -> str:
    """`80:89`; a single port, `80`, is `80:80`."""
    found = re.fullmatch(r"(\d{1,5})(?::(\d{1,5}))?", value, re.ASCII) if isinstance(value, str) else None
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= 65535:
        raise Invalid("", "must be the first and the last of some ports from 1 to 65535, as 80:89")
    return f"{first}:{last}"


RANGE = Type("ports", _range, {"type": "string"}, ("80:80", "80:89", "1:65535"),
             ("", "x", "80:", ":80", "89:80", "0:1", "1:65536", "1:2:3", "80-89", "-1:2", 1, [], True))


def ends(text: str) -> tuple[int, int]:
    """First and last of a range."""
    first, _, last = text.partition(":")
    return int(first), int(last)


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    _check(write, document, asked, None)


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if "internal_port_id" in asked and "internal_ip_address" not in asked and asked["internal_port_id"] != before.internal_port_id:
        document["internal_ip_address"] = None
    _check(write, document, asked, before)


def delete(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """The last one gone, the floating IP is nobody's again."""
    floating = write.get("floatingip", before.floatingip_id)
    if floating is not None and write.count("port_forwarding", "floatingip_id", floating.id) == 1:
        write.draft.put("floatingip", floating._replace(router_id=None))


# ---- what must hold of one

def _check(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    for side in _SIDES:
        _settle_ports(document, asked, before, side)
    outside, inside = (ends(document[f"{side}_port_range"]) for side in _SIDES)
    if inside[0] != inside[1] and inside[1] - inside[0] != outside[1] - outside[0]:
        raise _bad("The relation between internal and external ports does not match the pattern 1:N and N:N")
    if inside[0] != inside[1] and inside != outside and outside[1] - outside[0] >= MOST_SHIFTED:
        raise Unsupported("internal_port_range", f"other numbers than outside are served for {MOST_SHIFTED} ports at most: "
                                                 "each is a flow of its own")
    floating, port = write.get("floatingip", document["floatingip_id"]), write.get("port", document["internal_port_id"])
    if floating.port_id is not None:
        raise Conflict("FloatingIPPortAlreadyAssociated",
                       f"Floating IP {floating.floating_ip_address} ({floating.id}) stands for port {floating.port_id} "
                       f"already, so it cannot forward ports to port {port.id}.")
    check_serves(port, floating.project_id, write.context, "port_forwarding")
    fixed = _fixed(port, document["internal_ip_address"])
    document["internal_ip_address"] = fixed.ip_address
    _check_unbound(write, port, fixed.ip_address, floating)
    _check_alone(write, document, outside)
    _settle_router(write, document, floating, port, fixed)


def _settle_ports(document: dict[str, Any], asked: Mapping[str, Any], before: Any, side: str) -> None:
    """A range and a single port are two ways to say the same; the one that is asked for counts."""
    one, many = f"{side}_port", f"{side}_port_range"
    single, span = asked.get(one), asked.get(many)
    if single is not None and span is not None and span != f"{single}:{single}":
        raise Invalid(many, f"cannot be given together with {one}")
    if single is not None:
        span = f"{single}:{single}"
    elif span is None and before is not None:
        span = getattr(before, many)
    if span is None:
        raise Invalid(one, f"is required, or {many}")
    first, last = ends(span)
    document[many], document[one] = span, first if first == last else None


def _fixed(port: Any, address: str | None) -> Record:
    found = [fixed for fixed in port.fixed_ips if values.ip_version(fixed.ip_address) == 4]
    if not found:
        raise _bad(f"Requested internal port {port.id} has no IPv4 address")
    if address is None:
        return found[0]
    for fixed in found:
        if fixed.ip_address == address:
            return fixed
    raise _bad(f"Requested internal IP address {address} is not an IPv4 address of port {port.id}")


def _check_unbound(write: Any, port: Any, address: str, floating: Any) -> None:
    for other in write.find("floatingip", "port_id+fixed_ip_address", (port.id, address)):
        raise Conflict("PortHasBindingFloatingIP",
                       f"Cannot create port forwarding to floating IP {floating.floating_ip_address} ({floating.id}) with "
                       f"port {port.id} using fixed IP {address}, as that port already has a binding floating IP "
                       f"{other.floating_ip_address}.")


def _check_alone(write: Any, document: Mapping[str, Any], outside: tuple[int, int]) -> None:
    for other in write.find("port_forwarding", "floatingip_id", document["floatingip_id"]):
        first, last = ends(other.external_port_range)
        if other.id != document["id"] and other.protocol == document["protocol"] and first <= outside[1] \
                and outside[0] <= last:
            raise _bad("A duplicate port forwarding entry with same attributes already exists, conflicting values are "
                       f"{other.protocol} {other.external_port_range} of {other.id}")


def _settle_router(write: Any, document: Mapping[str, Any], floating: Any, port: Any, fixed: Record) -> None:
    """All forwardings of a floating IP are done by one router."""
    router_id = router_between(write, port, fixed, floating.floating_network_id)
    others = [one for one in write.find("port_forwarding", "floatingip_id", floating.id) if one.id != document["id"]]
    if others and floating.router_id not in (None, router_id):
        raise _bad(f"The Floating IP {floating.id} had been set on router {floating.router_id}, the internal Neutron port "
                   f"{port.id} can not reach it")
    if floating.router_id != router_id:
        write.draft.put("floatingip", floating._replace(router_id=router_id))


# ---- what becomes of it with others

def check_floating(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """It forwards ports, or it stands for a port; and an address has forwardings, or a floating IP of its own."""
    if before is not None and write.count("port_forwarding", "floatingip_id", before.id):
        if document["port_id"]:
            raise _in_use(before)
        document["router_id"] = before.router_id
    for one in write.find("port_forwarding", "internal_port_id", document["port_id"]):
        if one.internal_ip_address == document["fixed_ip_address"]:
            raise Conflict("PortHasPortForwarding",
                           f"Cannot associate floating IP {document['floating_ip_address']} ({document['id']}) with port "
                           f"{document['port_id']} using fixed IP {one.internal_ip_address}, as that port already has a "
                           "Port Forwarding binding.")


def keep_floating(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if write.count("port_forwarding", "floatingip_id", before.id):
        raise _in_use(before)


def check_port(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """A port that loses an address loses what is forwarded to it."""
    kept = {fixed.ip_address for fixed in document["fixed_ips"]}
    for one in write.find("port_forwarding", "internal_port_id", before.id):
        if one.internal_ip_address not in kept:
            write.remove("port_forwarding", one)


def _in_use(floating: Any) -> Conflict:
    return Conflict("FipInUseByPortForwarding", f"Floating IP {floating.id} in use by Port Forwarding resources.")
