"""What Hadron itself says to machines over HTTP, made of their ports: enough for cloud-init to name a machine and to
configure its interfaces.

    /openstack                                  versions; /openstack/VERSION/meta_data.json, network_data.json,
                                                vendor_data.json
    /, /latest, /latest/meta-data/…             the same in EC2's way: instance-id, hostname, local-hostname, local-ipv4,
                                                public-ipv4, mac, network/interfaces/macs/MAC/…

There are no keys, no user data and no passwords: Hadron knows of none.
"""
from __future__ import annotations

import json
from typing import Any

from apps import dns_names, network_config, network_formats

OPENSTACK = ("2015-10-15", "2018-08-27", "latest")          # since then there is network_data.json
EC2 = ("2009-04-04", "latest")
JSON, TEXT = "application/json", "text/plain"
MOST = 32                                                    # interfaces of one machine

Tree = dict[str, Any]


def find(world: Any, port: Any, path: str) -> tuple[bytes, str] | None:
    """What is at a path, and its media type; None if there is nothing."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return _list([*EC2, "openstack"])
    if parts[0] == "openstack":
        return _openstack(world, port, parts[1:])
    if parts[0] not in EC2:
        return None
    if len(parts) == 1:
        return _list(["meta-data/"])
    return _walk(_ec2(world, port), parts[2:]) if parts[1] == "meta-data" else None


def _list(names: list[str]) -> tuple[bytes, str]:
    return "\n".join(names).encode(), TEXT


def machine_ports(world: Any, port: Any) -> list[Any]:
    """The ports of the machine, this one first: those of its project that have its device_id."""
    others = world.find("port", "device_id", port.device_id) if port.device_id else []
    return [port, *(one for one in others if one.id != port.id and one.project_id == port.project_id)][:MOST]


def hostname(world: Any, port: Any) -> str:
    """The machine's whole name: of its first address; of the port, if it has none."""
    network = world.need("network", port.network_id)
    address = next((fixed.ip_address for fixed in port.fixed_ips), "")
    return dns_names.full_name(world.settings, network, port, address) if address else port.dns_name or port.id


# ---- OpenStack's way

def _openstack(world: Any, port: Any, parts: list[str]) -> tuple[bytes, str] | None:
    if not parts:
        return _list(list(OPENSTACK))
    if parts[0] not in OPENSTACK:
        return None
    if len(parts) == 1:
        return _list(["meta_data.json", "network_data.json", "vendor_data.json"])
    if len(parts) > 2 or parts[1] not in _DOCUMENTS:
        return None
    return json.dumps(_DOCUMENTS[parts[1]](world, port)).encode(), JSON


def _meta_data(world: Any, port: Any) -> Tree:
    name = hostname(world, port)
    return {"uuid": port.device_id or port.id, "name": port.name or name.partition(".")[0], "hostname": name,
            "project_id": port.project_id, "launch_index": 0, "availability_zone": "", "meta": {}, "keys": [],
            "devices": []}


def _network_data(world: Any, port: Any) -> Tree:
    return network_formats.openstack([network_config.interface(world, one) for one in machine_ports(world, port)])


_DOCUMENTS = {"meta_data.json": _meta_data, "network_data.json": _network_data,
              "vendor_data.json": lambda world, port: {}}


# ---- EC2's way

def _ec2(world: Any, port: Any) -> Tree:
    four = _four(port)
    public = _public(world, port)
    name = hostname(world, port)
    tree: Tree = {"instance-id": port.device_id or port.id, "hostname": name, "local-hostname": name,
                  "mac": port.mac_address, "placement": {"availability-zone": ""},
                  "network": {"interfaces": {"macs": {one.mac_address: _nic(world, one, number)
                                                      for number, one in enumerate(machine_ports(world, port))}}}}
    if four:
        tree["local-ipv4"] = four[0]
    if public:
        tree["public-ipv4"] = public[0]
    return tree


def _nic(world: Any, port: Any, number: int) -> Tree:
    found: Tree = {"mac": port.mac_address, "device-number": str(number), "interface-id": port.id,
                   "vpc-id": port.network_id}
    six = [fixed.ip_address for fixed in port.fixed_ips if ":" in fixed.ip_address]
    for name, values in (("local-ipv4s", _four(port)), ("ipv6s", six), ("public-ipv4s", _public(world, port))):
        if values:
            found[name] = "\n".join(values)
    first = next((fixed for fixed in port.fixed_ips if ":" not in fixed.ip_address), None)
    if first is not None:
        found["subnet-id"] = first.subnet_id
        found["subnet-ipv4-cidr-block"] = world.need("subnet", first.subnet_id).cidr
    return found


def _four(port: Any) -> list[str]:
    return [fixed.ip_address for fixed in port.fixed_ips if ":" not in fixed.ip_address]


def _public(world: Any, port: Any) -> list[str]:
    """The floating IPs that stand for the port."""
    return [one.floating_ip_address for one in world.find("floatingip", "port_id", port.id)]


def _walk(tree: Any, parts: list[str]) -> tuple[bytes, str] | None:
    for part in parts:
        if not isinstance(tree, dict) or part not in tree:
            return None
        tree = tree[part]
    if isinstance(tree, dict):
        return _list([f"{name}/" if isinstance(value, dict) else name for name, value in tree.items()])
    return tree.encode(), TEXT


