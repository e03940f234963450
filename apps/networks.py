"""Networks: what the server decides about one."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps import segment_ranges, wires
from apps.security_group_defaults import ensure_default
from apps.segments import provider
from apps.wires import LAST_VLAN, PHYSICAL
from controller.errors import Conflict, Invalid, Unsupported
from controller.types import Record, Type, freeze

KIND, WIRE, KEY = "provider:network_type", "provider:physical_network", "provider:segmentation_id"
TYPE_AND_KEY = "provider_network_type+provider_segmentation_id"
GATEWAY = "network:router_gateway"
# Bytes that a tunnel adds to an IP packet over IPv4: outer IP, (UDP, tunnel header,) inner Ethernet.
OVERHEAD = {"vxlan": 50, "geneve": 58, "gre": 42}
_IPV6_MORE, _TAG = 20, 4


def _keys(bits: int) -> Type:
    """First and last of the tunnel keys that networks are given."""
    most = (1 << bits) - 1

    def read(value: Any) -> tuple[int, int]:
        whole = isinstance(value, (list, tuple)) and len(value) == 2 and all(type(one) is int for one in value)
        if not whole or not 1 <= value[0] <= value[1] <= most:
            raise Invalid("", f"must be the first and the last of some numbers from 1 to {most}")
        return value[0], value[1]
    return Type(f"keys{bits}", read, {"type": "array"}, ((1, most), [7, 7]),
                (1, "x", [], [1], [2, 1], [0, 1], [1, most + 1], [1, 2, 3], [1, "2"], [True, 2]))


def _vlan_ranges(value: Any) -> Record:
    """{physical network: first and last of the VLANs that networks are given}."""
    if not isinstance(value, Mapping):
        raise Invalid("", "must say for physical networks the first and the last VLAN, as {physnet1: [100, 199]}")
    for name, ends in value.items():
        whole = isinstance(ends, (list, tuple)) and len(ends) == 2 and all(type(one) is int for one in ends)
        if not isinstance(name, str) or not whole or not 1 <= ends[0] <= ends[1] <= LAST_VLAN:
            raise Invalid("", f"{name}: must be the first and the last of some numbers from 1 to {LAST_VLAN}")
    found: Record = freeze(value)
    return found


KEYS_24, KEYS_32 = _keys(24), _keys(32)
VLAN_RANGES = Type("vlan_ranges", _vlan_ranges, {"type": "object"}, ({}, {"physnet1": [100, 199]}),
                   (1, "x", [], {"physnet1": 1}, {"physnet1": [2, 1]}, {"physnet1": [0, 1]}, {"physnet1": [1, 4095]},
                    {"physnet1": [1, "2"]}))
_SMALLEST_MTU = {4: 68, 6: 1280}          # RFC 791, RFC 8200


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """Choose the encapsulation and the MTU. A project with a network has its default security group too."""
    _choose_provider(write, document, asked)
    if document["vlan_transparent"] and document[KIND] in PHYSICAL:
        raise Unsupported("vlan_transparent", f"a {document[KIND]} network carries no tags but its own; use one in tunnels")
    document["mtu"] = _mtu(write, document, document["mtu"])
    _check_external(write, document, None)
    write.then(lambda: ensure_default(write, document["project_id"]))


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if "mtu" in asked:
        document["mtu"] = _mtu(write, document, asked["mtu"])
    _check_external(write, document, before)


def _take_segments(document: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """The network is made with the first of the segments asked for."""
    segments = asked["segments"]
    if any(document[name] is not None for name in (KIND, WIRE, KEY)):
        raise Invalid("segments", "Segments and provider values cannot both be set.",
                      type="SegmentsSetInConjunctionWithProviders")
    document.update((name, segments[0].get(name)) for name in (KIND, WIRE, KEY))
    if document[KIND] is None:
        raise Invalid("segments", f"{KIND} is required in each")


def _choose_provider(write: Any, document: dict[str, Any], asked: Mapping[str, Any]) -> None:
    if asked.get("segments"):
        _take_segments(document, asked)
    kind = document[KIND]
    for name in (WIRE, KEY):
        if document[name] is not None and kind is None:
            raise Invalid(KIND, f"is needed together with {name}")
    if kind is None:
        kind = _default_provider(write, document)
    if kind in PHYSICAL:
        document[KEY] = wires.place(write, kind, document[WIRE], document[KEY], document["project_id"], said=provider)
    elif document[WIRE] is not None:
        raise Invalid(WIRE, f"must be left out: {kind} networks are carried in tunnels")
    elif document[KEY] is None:
        _choose_key(write, document, kind)
    elif document[KEY] > segment_ranges.LARGEST[kind]:
        raise Invalid(KEY, f"must be between 1 and {segment_ranges.LARGEST[kind]} for {kind}")


def _default_provider(write: Any, document: dict[str, Any]) -> str:
    """How a network is carried that does not say it: in tunnels, unless it leads outside and there is a wire for that."""
    outside = write.settings["external_physical_network"] if document["router:external"] else None
    document[KIND], document[WIRE] = ("vlan", outside) if outside else (write.settings["network_type"], None)
    return str(document[KIND])


def _choose_key(write: Any, document: dict[str, Any], kind: str) -> None:
    """Its tunnel key, if ranges were made; else the pool gives the next."""
    document[KEY] = segment_ranges.choose(
        write, kind, None, document["project_id"], [write.settings["segmentation_ranges"][kind]],
        lambda number: write.count("network", TYPE_AND_KEY, (kind, number)) > 0)
    if document[KEY] is not None:
        write.number("network", document, KEY)


def _mtu(write: Any, document: Mapping[str, Any], wanted: int) -> int:
    """The MTU asked for, or the largest there can be."""
    most = largest_mtu(write.settings, document["provider:network_type"]) - _TAG * document["vlan_transparent"]
    least = max([_SMALLEST_MTU[4], *(_SMALLEST_MTU[subnet.ip_version]
                                     for subnet in write.find("subnet", "network_id", document["id"]))])
    if wanted and not least <= wanted <= most:
        raise Invalid("mtu", f"must be between {least} and {most}, or 0 for the largest")
    return wanted or most


def largest_mtu(settings: Mapping[str, Any], network_type: str) -> int:
    """Bytes of an IP packet that fit through a tunnel of the underlay, or onto a physical network."""
    if network_type in PHYSICAL:
        return int(settings["underlay_mtu"])
    more = _IPV6_MORE if settings["tunnel_overhead_ipv6"] else 0
    return int(settings["underlay_mtu"]) - OVERHEAD[network_type] - more


def _check_external(write: Any, document: Mapping[str, Any], before: Any) -> None:
    """Only a physical network leads outside; and it stays so while somebody goes out through it."""
    if document["router:external"] and document[KIND] not in PHYSICAL:
        raise Unsupported("router:external", "only flat and vlan networks lead outside: say provider:physical_network, or set "
                          "external_physical_network in the configuration")
    if document["router:external"] and write.count("segment", "network_id", document["id"]) > 1:
        raise Unsupported("router:external", "a network of several segments does not lead outside")
    if before is None or document["router:external"] or not before.router_external:
        return
    if write.count("port", "network_id+device_owner", (before.id, GATEWAY)):
        raise in_use(before)


def in_use(network: Any) -> Conflict:
    """Somebody goes out through an external network, and it is to lead outside no more."""
    return Conflict("ExternalNetworkInUse", f"External network {network.id} cannot be updated to be made "
                                            "non-external, since it has existing gateway ports.")


def status(model: Any, network: Any) -> str:
    """A network is there as soon as it is written: no part of it can be down on its own."""
    return "ACTIVE"


def subnet_ids(model: Any, network: Any) -> list[str]:
    return [subnet.id for subnet in model.find("subnet", "network_id", network.id)]
