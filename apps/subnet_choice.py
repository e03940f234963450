"""From which subnets a port that asks for no certain address gets one: by what uses it, and by where it is.

    service types    a subnet that names some is for ports with such an owner; others get theirs from subnets that name none
    segments         where subnets are on segments, a port's are those of the segment that its host reaches; without a
                     host it has no address yet
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from controller.errors import Conflict

SERVICE = "network:"                 # owners of ports that are on no host
DHCP = "network:dhcp"


def choice(write: Any, document: Mapping[str, Any], subnets: Iterable[Any], *, needed: bool) -> list[Any] | None:
    """The subnets, the best first; None if they depend on a host that is not known yet. Conflict if an address is needed
    and none of the network's subnets is for such a port."""
    everything = list(subnets)
    found = _for_owner(document["device_owner"], everything)
    if found and is_routed(everything) and not document["device_owner"].startswith(SERVICE):
        if not document["binding:host_id"]:
            return None
        here = segment_at(write, document["network_id"], document["binding:host_id"])
        found = [one for one in found if one.segment_id in (None, here)]
    if needed and everything and not found:
        raise Conflict("IpAddressGenerationFailureNoMatchingSubnet",
                       f"No valid service subnet for the given device owner, network {document['network_id']}, service type "
                       f"{document['device_owner']}.")
    return found


def waits(write: Any, document: Mapping[str, Any]) -> bool:
    """Whether a port gets its addresses once it is known where it is."""
    subnets = write.find("subnet", "network_id", document["network_id"])
    return choice(write, document, subnets, needed=False) is None


def choosable(write: Any, port: Any, subnet: Any) -> bool:
    """Whether a port that is there may have an address of a new subnet."""
    document = {"network_id": port.network_id, "device_owner": port.device_owner, "binding:host_id": port.binding_host_id}
    return bool(choice(write, document, [subnet], needed=False))


def _for_owner(owner: str, subnets: list[Any]) -> list[Any]:
    if owner == DHCP:
        return subnets
    return [one for one in subnets if owner and owner in one.service_types] + [one for one in subnets if not one.service_types]


def is_routed(subnets: Iterable[Any]) -> bool:
    return any(one.segment_id is not None for one in subnets)


def segment_at(write: Any, network_id: str, host: str) -> str:
    """The segment by which a host carries a network; Conflict if it reaches none. `host` is its hostname or its id."""
    ids = [row.id for row in write.find("host", "hostname", host)] or [host]
    reached = {seen.physical_network for id in ids for seen in write.find("uplink", "host_id", id) if seen.ofport}
    found = sorted((one.physical_network, one.id) for one in write.find("segment", "network_id", network_id)
                   if one.physical_network in reached)
    if not found:
        raise Conflict("HostNotConnectedToAnySegment",
                       f"Host {host} is not connected to any segments on routed provider network '{network_id}'. It should be "
                       "connected to one.")
    return str(found[0][1])


def check_place(write: Any, document: Mapping[str, Any]) -> None:
    """A port's addresses are of use on the host that it is bound to."""
    host = document["binding:host_id"]
    on = {subnet.segment_id for fixed in document["fixed_ips"]
          if (subnet := write.get("subnet", fixed.subnet_id)) is not None} - {None}
    if host and on and on != {segment_at(write, document["network_id"], host)}:
        raise Conflict("HostNotCompatibleWithFixedIps",
                       f"Host {host} is not connected to a segment where the existing fixed_ips on port {document['id']} will "
                       "function given the routed network topology.")
