"""How a router leads outside, as documents: external_gateways, and a port for each with the addresses that it names.

The port is the router's, belongs to no project, and comes and goes with the gateway. What the router says of it
(external_fixed_ips) is kept equal to what the port has. The first gateway is external_gateway_info, for clients that know
of one only; a network outside is told from the others by its id, so there is one gateway to each.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.addresses import GATEWAY
from apps.exits import exits
from apps.qos_policies import check_countable
from apps.router_ports import bad, check_apart, check_by_hand, drop, gateways
from controller.errors import Conflict, Invalid, Unsupported
from controller.policy import SYSTEM
from controller.types import Record
from controller.values import ip_version

INFO, ALL = "external_gateway_info", "external_gateways"
_FREE = Record(enable_snat=True, external_fixed_ips=())        # what anybody may ask for


# ---- what is asked for

def settle(write: Any, router: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """The router's gateways as they are asked for, where they are; the router's document says what came of it."""
    had = exits(before) if before is not None else ()
    if ALL in asked:
        _settle(write, router, asked[ALL], had, ALL)
    elif INFO in asked:
        first = asked[INFO]
        others = [one for one in had[1:] if not first or one.network_id != first.get("network_id")]
        _settle(write, router, [first, *others] if first else others, had, INFO)


def add(write: Any, router: Any, asked: Mapping[str, Any]) -> None:
    """`add_external_gateways`: beside those that there are."""
    there = {one.network_id for one in exits(router)}
    for one in asked[ALL]:
        if one.get("network_id") in there:
            raise _twice(one.network_id)
    _change(write, router, (*exits(router), *asked[ALL]))


def replace(write: Any, router: Any, asked: Mapping[str, Any]) -> None:
    """`update_external_gateways`: these and no others; those to the same networks stay what they are."""
    _change(write, router, asked[ALL])


def remove(write: Any, router: Any, asked: Mapping[str, Any]) -> None:
    """`remove_external_gateways`: each is named by its network, and by addresses that it has if any are given."""
    if asked[ALL] and not exits(router):
        raise Invalid(ALL, f"Unable to remove extra gateways from a router {router.id}: it has none",
                      type="UnableToRemoveGateways")
    gone = set()
    for one in asked[ALL]:
        _check(write, one, ALL)
        known = next((had for had in exits(router) if had.network_id == one.network_id), None)
        named = {fixed.get("ip_address") for fixed in one.get("external_fixed_ips", ())} - {None}
        if known is None or named and not named & {fixed.ip_address for fixed in known.external_fixed_ips}:
            raise Invalid(ALL, f"Unable to match a requested gateway port to existing gateway ports for router {router.id}: "
                               f"none on network {one.network_id} has such addresses", type="UnableToMatchGateways")
        gone.add(one.network_id)
    _change(write, router, tuple(one for one in exits(router) if one.network_id not in gone))


def _change(write: Any, router: Any, wanted: Iterable[Record]) -> None:
    """Whoever may not choose addresses and SNAT may not do so here either."""
    had = {one.network_id: one for one in exits(router)}
    for one in wanted:
        write.check_allowed("router", router, {INFO: (one, had.get(one.get("network_id"), _FREE))})
    write.update("router", router, {ALL: tuple(wanted)})


# ---- what comes of it

def _settle(write: Any, router: dict[str, Any], wanted: Iterable[Record], had: Iterable[Record], name: str) -> None:
    before = {one.network_id: one for one in had}
    named: set[str] = set()
    for one in wanted:
        _check(write, one, name)
        if one.network_id in named:
            raise _twice(one.network_id)
        named.add(one.network_id)
    for port in gateways(write, router["id"]):
        if port.network_id not in named:
            _leave(write, port)
    found = tuple(_lead(write, router["id"], one, before.get(one.network_id), name) for one in wanted)
    router[ALL], router[INFO] = found, found[0] if found else None


def leave(write: Any, router: Any) -> None:
    """The router leads outside no more; Conflict while a floating IP needs it."""
    for port in gateways(write, router.id):
        _leave(write, port)


def _leave(write: Any, port: Any) -> None:
    router_id = port.device_id
    if any(one.floating_network_id == port.network_id for one in write.find("floatingip", "router_id", router_id)):
        raise Conflict("RouterExternalGatewayInUseByFloatingIp",
                       f"Gateway cannot be updated for router {router_id}, since a gateway to external network "
                       f"{port.network_id} is required by one or more floating IPs.")
    drop(write, port)


def _twice(network_id: str) -> Unsupported:
    return Unsupported(ALL, f"a router has one gateway to a network, and there is one to {network_id}; give that several "
                            "addresses (external_fixed_ips), or choose another network")


def _check(write: Any, wanted: Record, name: str) -> None:
    if "network_id" not in wanted:
        raise Invalid(f"{name}.network_id", "is required")
    check_countable(write, wanted.get("qos_policy_id"), "router gateway", wanted.network_id)
    network = write.need("network", wanted.network_id)
    if not network.router_external:
        raise bad(f"Network {network.id} is not an external network")


def _lead(write: Any, router_id: str, wanted: Record, had: Record | None, name: str) -> Record:
    """The port with the addresses that are asked for, or with any that there are; what the router says of it.

    Outside a network without subnets it has none, and gets one with the first subnet (`widen`).
    """
    addresses = wanted.get("external_fixed_ips") or None
    for fixed in addresses or ():
        for subnet in write.find("subnet", "network_id", wanted.network_id):
            if fixed.get("ip_address") and fixed.ip_address == subnet.gateway_ip:
                raise bad(f"External IP {fixed.ip_address} is the same as the gateway IP")
    try:
        port = _port(write, router_id, wanted.network_id, addresses)
    except Invalid as wrong:
        if wrong.field != "fixed_ips":
            raise
        raise Invalid(f"{name}.external_fixed_ips", wrong.text, type=wrong.type) from None
    if not port.fixed_ips and write.find("subnet", "network_id", port.network_id):
        raise Invalid("", f"Unable to find any IP address on external network {port.network_id}.",
                      type="ExternalIpAddressExhausted")
    snat, policy = (wanted.get(part, had.get(part, free) if had else free) for part, free in (
        ("enable_snat", True), ("qos_policy_id", None)))
    return Record(network_id=port.network_id, enable_snat=snat, external_fixed_ips=port.fixed_ips, qos_policy_id=policy)


def _port(write: Any, router_id: str, network_id: str, addresses: tuple[Record, ...] | None) -> Any:
    port = next((one for one in gateways(write, router_id) if one.network_id == network_id), None)
    if port is not None:
        return write.update("port", port, {"fixed_ips": addresses}, by=SYSTEM) if addresses else port
    check_apart(write, router_id, write.find("subnet", "network_id", network_id))
    asked = {"network_id": network_id, "project_id": "", "device_id": router_id, "device_owner": GATEWAY}
    return write.create("port", {**asked, **({"fixed_ips": addresses} if addresses else {})}, by=SYSTEM)


# ---- what becomes of it with others

def widen(write: Any, document: Mapping[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """A new subnet outside: gateways that have no address of its IP version get one, as far as there are any."""
    write.then(lambda: _widen(write, write.get("subnet", document["id"])))


def _widen(write: Any, subnet: Any) -> None:
    for port in write.find("port", "network_id+device_owner", (subnet.network_id, GATEWAY)):
        router = write.get("router", port.device_id)
        if any(ip_version(fixed.ip_address) == subnet.ip_version for fixed in port.fixed_ips):
            continue
        try:
            check_apart(write, router.id, [subnet])
            wider = write.update("port", port, {"fixed_ips": (*port.fixed_ips, Record(subnet_id=subnet.id))}, by=SYSTEM)
        except (Conflict, Invalid):
            continue                             # it goes on as it is; the subnet is there all the same
        _tell(write, router, wider.network_id, wider.fixed_ips)


def _tell(write: Any, router: Any, network_id: str, fixed_ips: tuple[Record, ...]) -> None:
    """The router says which addresses it has now."""
    told = tuple(Record({**one, "external_fixed_ips": fixed_ips}) if one.network_id == network_id else one
                 for one in exits(router))
    write.draft.put("router", router._replace(external_gateways=told, external_gateway_info=told[0]))
    write.revise("router", router.id)


def check_port(write: Any, document: Mapping[str, Any], before: Any) -> None:
    """An administrator may give a gateway other addresses by its port: the router says so too."""
    check_by_hand(write, GATEWAY, document, before)
    if before is None or before.device_owner != GATEWAY or write.context is SYSTEM:
        return
    router = write.get("router", before.device_id)
    if router is None or document["fixed_ips"] == before.fixed_ips:
        return
    if not document["fixed_ips"]:
        raise bad("Router port must have at least one fixed IP")
    _tell(write, router, before.network_id, document["fixed_ips"])
