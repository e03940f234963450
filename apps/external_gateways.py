"""How a router leads outside, as documents: external_gateway_info, and the port that holds the addresses it names.

The port is the router's, belongs to no project, and comes and goes with the gateway. What the router says of it
(external_fixed_ips) is kept equal to what the port has.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.addresses import GATEWAY
from apps.router_ports import bad, check_apart, check_by_hand, drop, gateway
from controller.errors import Conflict, Invalid, Unsupported
from controller.policy import SYSTEM
from controller.types import Record
from controller.values import ip_version

INFO = "external_gateway_info"


def settle(write: Any, router: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """The router's gateway as it is asked for, where it is; the router's document says what came of it."""
    if INFO not in asked:
        return
    wanted, had = asked[INFO], before[before.NAMES.index(INFO)] if before is not None else None
    if wanted:
        _check(write, wanted)
    if had and (not wanted or wanted.network_id != had.network_id):
        leave(write, before)
        had = None
    router[INFO] = _lead(write, router["id"], wanted, had) if wanted else None


def leave(write: Any, router: Any) -> None:
    """The router leads outside no more; Conflict while a floating IP needs it."""
    port = gateway(write, router.id)
    if port is None:
        return
    if write.count("floatingip", "router_id", router.id):
        raise Conflict("RouterExternalGatewayInUseByFloatingIp",
                       f"Gateway cannot be updated for router {router.id}, since a gateway to external network "
                       f"{port.network_id} is required by one or more floating IPs.")
    drop(write, port)


def _check(write: Any, wanted: Record) -> None:
    if "network_id" not in wanted:
        raise Invalid(f"{INFO}.network_id", "is required")
    if wanted.get("qos_policy_id") is not None:
        raise Unsupported(f"{INFO}.qos_policy_id", "quality of service is not served yet")
    network = write.need("network", wanted.network_id)
    if not network.router_external:
        raise bad(f"Network {network.id} is not an external network")


def _lead(write: Any, router_id: str, wanted: Record, had: Record | None) -> Record:
    """The port with the addresses that are asked for, or with any; what the router says of it."""
    addresses = wanted.get("external_fixed_ips") or None
    for fixed in addresses or ():
        for subnet in write.find("subnet", "network_id", wanted.network_id):
            if fixed.get("ip_address") and fixed.ip_address == subnet.gateway_ip:
                raise bad(f"External IP {fixed.ip_address} is the same as the gateway IP")
    try:
        port = _port(write, router_id, wanted.network_id, addresses, had)
    except Invalid as wrong:
        if wrong.field != "fixed_ips":
            raise
        raise Invalid(f"{INFO}.external_fixed_ips", wrong.text, type=wrong.type) from None
    if not port.fixed_ips:
        raise Invalid("", f"Unable to find any IP address on external network {port.network_id}.",
                      type="ExternalIpAddressExhausted")
    return _info(port, wanted.get("enable_snat", had.enable_snat if had else True))


def _port(write: Any, router_id: str, network_id: str, addresses: tuple[Record, ...] | None, had: Record | None) -> Any:
    if had is not None:
        port = gateway(write, router_id)
        return write.update("port", port, {"fixed_ips": addresses}, by=SYSTEM) if addresses else port
    check_apart(write, router_id, write.find("subnet", "network_id", network_id))
    asked = {"network_id": network_id, "project_id": "", "device_id": router_id, "device_owner": GATEWAY}
    return write.create("port", {**asked, **({"fixed_ips": addresses} if addresses else {})}, by=SYSTEM)


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
        _tell(write, router, wider.fixed_ips)


def _tell(write: Any, router: Any, fixed_ips: tuple[Record, ...]) -> None:
    """The router says which addresses it has now."""
    info = Record({**router.external_gateway_info, "external_fixed_ips": fixed_ips})
    write.draft.put("router", router._replace(external_gateway_info=info))
    write.revise("router", router.id)


def _info(port: Any, enable_snat: bool) -> Record:
    return Record(network_id=port.network_id, enable_snat=enable_snat, external_fixed_ips=port.fixed_ips)


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
    _tell(write, router, document["fixed_ips"])
