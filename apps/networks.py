"""Networks: what the server decides about one."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.security_group_defaults import ensure_default
from controller.errors import Conflict, Invalid
from controller.types import Type

# Bytes that a tunnel adds to an IP packet over IPv4: outer IP, (UDP, tunnel header,) inner Ethernet.
OVERHEAD = {"vxlan": 50, "geneve": 58, "gre": 42}
_IPV6_MORE = 20


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


KEYS_24, KEYS_32 = _keys(24), _keys(32)
_LARGEST_KEY = {"vxlan": (1 << 24) - 1, "geneve": (1 << 24) - 1, "gre": (1 << 32) - 1}
_SMALLEST_MTU = {4: 68, 6: 1280}          # RFC 791, RFC 8200


def create(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: None) -> None:
    """Choose the encapsulation and the MTU. A project with a network has its default security group too."""
    _choose_provider(write, document)
    document["mtu"] = _mtu(write, document, document["mtu"])
    write.then(lambda: ensure_default(write, document["project_id"]))


def update(write: Any, document: dict[str, Any], asked: Mapping[str, Any], before: Any) -> None:
    if "mtu" in asked:
        document["mtu"] = _mtu(write, document, asked["mtu"])
    if before.shared and not document["shared"]:
        _check_unshared(write, before)


def _choose_provider(write: Any, document: dict[str, Any]) -> None:
    kind, key = document["provider:network_type"], document["provider:segmentation_id"]
    if key is not None and kind is None:
        raise Invalid("provider:network_type", "is needed together with provider:segmentation_id")
    if kind is None:
        kind = document["provider:network_type"] = write.settings["network_type"]
    if key is not None and key > _LARGEST_KEY[kind]:
        raise Invalid("provider:segmentation_id", f"must be between 1 and {_LARGEST_KEY[kind]} for {kind}")


def _mtu(write: Any, document: Mapping[str, Any], wanted: int) -> int:
    """The MTU asked for, or the largest that the tunnel leaves."""
    most = largest_mtu(write.settings, document["provider:network_type"])
    least = max([_SMALLEST_MTU[4], *(_SMALLEST_MTU[subnet.ip_version]
                                     for subnet in write.find("subnet", "network_id", document["id"]))])
    if wanted and not least <= wanted <= most:
        raise Invalid("mtu", f"must be between {least} and {most}, or 0 for the largest")
    return wanted or most


def largest_mtu(settings: Mapping[str, Any], network_type: str) -> int:
    """Bytes of an IP packet that fit through a tunnel of the underlay."""
    return settings["underlay_mtu"] - OVERHEAD[network_type] - (_IPV6_MORE if settings["tunnel_overhead_ipv6"] else 0)


def _check_unshared(write: Any, network: Any) -> None:
    """Nobody else may be using it when it stops being shared."""
    for kind in ("port", "subnet"):
        for row in write.find(kind, "network_id", network.id):
            if row.project_id != network.project_id:
                raise Conflict("InvalidSharedSetting",
                               f"Unable to reconfigure sharing settings for network {network.id}. Project "
                               f"{row.project_id} has {kind} {row.id} on it.")


def status(model: Any, network: Any) -> str:
    """A network is there as soon as it is written: no part of it can be down on its own."""
    return "ACTIVE"


def subnet_ids(model: Any, network: Any) -> list[str]:
    return [subnet.id for subnet in model.find("subnet", "network_id", network.id)]
