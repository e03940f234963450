"""Access rules, as documents: which of them make sense."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.protocols import exists_in, number_of
from apps.security_group_defaults import PROTOCOL
from controller import values
from controller.errors import Invalid, Unsupported

__all__ = ["PROTOCOL", "settle"]
FAMILY = {"IPv4": (4, 0x800), "IPv6": (6, 0x86dd)}
_WITH_PORTS, _WITH_TYPES = (6, 17, 132), (1, 58)
_PORTS_WITHOUT_FIELDS = (33, 136)                # OpenFlow has no fields for the ports of DCCP and UDP-Lite


def settle(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    """One IP version throughout, and ports or ICMP types only where the protocol has them."""
    said = {name: version for name, version in _versions(write, document) if version}
    if len(set(said.values())) > 1:
        last = list(said)[-1]
        raise Invalid(last, f"must be of the IP version of {' and '.join(list(said)[:-1])}")
    version = next(iter(said.values()), None)
    if version == 4 and not exists_in(document["protocol"], 0x800):
        raise Invalid("protocol", f"must be one of IPv4, as {next(iter(said))} is")
    _check_ports(document, version)


def _versions(write: Any, document: Mapping[str, Any]) -> Any:
    """What the rule says of the IP version, by the attribute that says it."""
    yield "ethertype", FAMILY[document["ethertype"]][0] if document["ethertype"] else None
    if document["subnet_id"]:
        subnet = write.need("subnet", document["subnet_id"])
        if subnet.network_id != document["network_id"]:
            raise Invalid("subnet_id", "must be a subnet of network_id")
        yield "subnet_id", subnet.ip_version
    if document["remote_ip_prefix"]:
        yield "remote_ip_prefix", values.ip_version(document["remote_ip_prefix"])


def _check_ports(document: Mapping[str, Any], version: int | None) -> None:
    least, most = document["port_range_min"], document["port_range_max"]
    if least is None and most is None:
        return
    number = number_of(document["protocol"], 0x86dd if version == 6 else 0x800)
    if number in _PORTS_WITHOUT_FIELDS:
        raise Unsupported("port_range_min", "OpenFlow cannot tell the ports of this protocol; leave them out")
    if number in _WITH_TYPES:
        if least is None:
            raise Invalid("port_range_min", "is required with port_range_max: the type that the code is of")
        if least > 255 or (most or 0) > 255:
            raise Invalid("port_range_min" if least > 255 else "port_range_max", "must be at most 255 for ICMP")
        return
    if number not in _WITH_PORTS:
        raise Invalid("port_range_min", "needs a protocol with ports: tcp, udp or sctp (or icmp, for its types)")
    if least is None or most is None:
        raise Invalid("port_range_min" if least is None else "port_range_max", "is required: give the first and the last port")
    if least > most:
        raise Invalid("port_range_min", "must not be above port_range_max")
