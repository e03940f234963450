"""One interface's configuration as cloud-init, OpenStack, netplan and Debian write it: the same meaning, four ways."""
from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import yaml

from controller.values import ip_text, prefix

if TYPE_CHECKING:
    from apps.network_config import Address, Interface, Route

RA_ONLY = ("slaac", "dhcpv6-stateless")
ON_LINK = "0.0.0.0"                     # a router that is none, as DHCP writes it (RFC 3442)
AUTOMATIC = {"slaac": "dhcp 0", "dhcpv6-stateless": "dhcp 1"}


# ---- cloud-init and netplan

def cloud_init(interface: Interface, device: str) -> str:
    """Network config version 2, as a NoCloud seed or a config drive has it.

    Default routes are gateways there: cloud-init 22.4 takes a route to ::/0 for one to ::/64.
    """
    document = _version2(interface, device)
    said = document["ethernets"][device]
    ways = said.pop("routes", [])
    for word, destination in (("gateway4", "0.0.0.0/0"), ("gateway6", "::/0")):
        near = (way for way in ways if way["to"] == destination and not way.keys() & {"scope", "on-link"})
        if (gateway := next(near, None)) is not None:
            said[word] = gateway["via"]
            ways.remove(gateway)
    if ways:
        said["routes"] = ways
    return _yaml(document)


def netplan(interface: Interface, device: str) -> str:
    """The same as netplan likes it: /etc/netplan/*.yaml."""
    return _yaml({"network": _version2(interface, device)})


def _yaml(document: Any) -> str:
    return str(yaml.safe_dump(document, sort_keys=False))


def _version2(interface: Interface, device: str) -> dict[str, Any]:
    addresses = interface.addresses
    modes = {address.mode for address in addresses} - {""}
    said: dict[str, Any] = {"match": {"macaddress": interface.mac}, "set-name": device, "mtu": interface.mtu,
                            "dhcp4": False, "dhcp6": "dhcpv6-stateful" in modes, "accept-ra": bool(modes)}
    static = [f"{address.ip}/{address.length}" for address in addresses if not address.mode]
    routes = [_way(address, route) for address in addresses for route in address.routes]
    servers = {"addresses": list(interface.dns), "search": list(interface.search)}
    for word, value in (("addresses", static), ("routes", routes),
                        ("nameservers", {word: some for word, some in servers.items() if some})):
        if value:
            said[word] = value
    return {"version": 2, "ethernets": {device: said}}


def _way(address: Address, route: Route) -> dict[str, Any]:
    if route.router is None:
        return {"to": route.destination, "via": ON_LINK, "scope": "link"}
    return {"to": route.destination, "via": route.router, **({} if _is_near(address, route.router) else {"on-link": True})}


def _is_near(address: Address, router: str) -> bool:
    """Whether the machine finds a router on the link without being told that it is there."""
    return router in prefix(f"{address.ip}/{address.length}") or router.startswith("fe80:")


# ---- OpenStack

def network_data(interface: Interface, device: str) -> str:
    """network_data.json, as Nova gives it to machines."""
    return json.dumps(openstack([interface]), indent=1) + "\n"


def openstack(interfaces: list[Interface]) -> dict[str, Any]:
    """What network_data.json holds, for one interface or several."""
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    servers: list[str] = []
    for interface in interfaces:
        link = f"tap{interface.port_id[:11]}"
        links.append({"id": link, "vif_id": interface.port_id, "type": "ovs", "mtu": interface.mtu,
                      "ethernet_mac_address": interface.mac})
        for address in interface.addresses:
            networks.append({"id": f"network{len(networks)}", "link": link, **_network(address, interface)})
        servers += [server for server in interface.dns if server not in servers]
    return {"links": links, "networks": networks, "services": [{"type": "dns", "address": one} for one in servers]}


def _network(address: Address, interface: Interface) -> dict[str, Any]:
    six = ":" in address.ip
    routes = [{"network": route.destination.partition("/")[0], "netmask": _mask(prefix(route.destination).length, six),
               "gateway": route.router or ON_LINK} for route in address.routes]
    said = {"type": f"ipv6_{address.mode}" if address.mode else "ipv6" if six else "ipv4", "ip_address": address.ip,
            "netmask": _mask(address.length, six), "routes": routes, "network_id": address.network_id}
    if not address.mode:
        said["services"] = [{"type": "dns", "address": one} for one in interface.dns if (":" in one) == six]
    if interface.search:
        said["dns_search"] = list(interface.search)         # not Nova's word; cloud-init reads it
    return said


def _mask(length: int, six: bool) -> str:
    bits = 128 if six else 32
    return ip_text(6 if six else 4, (1 << bits) - (1 << bits - length))


# ---- Debian

def interfaces(interface: Interface, device: str) -> str:
    """/etc/network/interfaces, or a file that it names with `source`."""
    stanzas = [_stanza(address, device) for address in interface.addresses if not address.mode]
    modes = {address.mode for address in interface.addresses} - {""}
    if "dhcpv6-stateful" in modes:
        stanzas.append([f"iface {device} inet6 dhcp", "accept_ra 1"])
    elif modes:
        stanzas.append([f"iface {device} inet6 auto", AUTOMATIC[max(modes, key=RA_ONLY.index)]])
    elif any(":" in address.ip for address in interface.addresses):
        stanzas = [[*stanza, "accept_ra 0"] if " inet6 " in stanza[0] else stanza for stanza in stanzas]
    stanzas = stanzas or [[f"iface {device} inet manual"]]
    first = [f"pre-up ip link set dev {device} mtu {interface.mtu}", f"hwaddress {interface.mac}"]
    if interface.dns:
        first.append(f"dns-nameservers {' '.join(interface.dns)}")
    if interface.search:
        first.append(f"dns-search {' '.join(interface.search)}")
    stanzas[0][1:1] = first
    lines = [f"auto {device}"]
    for head, *rest in stanzas:
        lines += ["", head, *(f"    {line}" for line in rest)]
    return "\n".join(lines) + "\n"


def _stanza(address: Address, device: str) -> list[str]:
    family = "inet6" if ":" in address.ip else "inet"
    lines = [f"iface {device} {family} static", f"address {address.ip}/{address.length}"]
    for route in address.routes:
        if route.destination in ("0.0.0.0/0", "::/0") and route.router and _is_near(address, route.router):
            lines.append(f"gateway {route.router}")
        else:
            via = f"via {route.router} " if route.router else ""
            lines.append(f"up ip {'-6 ' if family == 'inet6' else ''}route add {route.destination} {via}dev {device}")
    return lines


WRITERS: dict[str, Callable[[Interface, str], str]] = {
    "cloud-init": cloud_init, "network-data": network_data, "interfaces": interfaces, "netplan": netplan}
