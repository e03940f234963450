"""What a rendered network configuration means, as its readers take it: one reading for each format."""

from __future__ import annotations

import json
from ipaddress import ip_interface, ip_network
from typing import Any, NamedTuple

import yaml


class Meaning(NamedTuple):
    """What is set on the interface. Routers of what is on the link are ""."""

    mac: str
    mtu: int
    addresses: frozenset[str]
    routes: frozenset[tuple[str, str]]
    dns: tuple[str, ...]
    search: tuple[str, ...]
    hears_routers: bool
    asks_dhcpv6: bool


def of_version2(text: str) -> Meaning:
    """cloud-init's network config, version 2; netplan's file too."""
    whole = yaml.safe_load(text)
    ((name, said),) = whole.get("network", whole)["ethernets"].items()
    assert said["set-name"] == name and whole.get("network", whole)["version"] == 2 and said["dhcp4"] is False
    servers = said.get("nameservers", {})
    return Meaning(
        said["match"]["macaddress"],
        said["mtu"],
        frozenset(said.get("addresses", ())),
        frozenset(
            [(way["to"], _router(way["via"])) for way in said.get("routes", ())]
            + [(to, said[word]) for word, to in (("gateway4", "0.0.0.0/0"), ("gateway6", "::/0")) if word in said]
        ),
        tuple(servers.get("addresses", ())),
        tuple(servers.get("search", ())),
        said["accept-ra"],
        said["dhcp6"],
    )


def of_openstack(text: str) -> Meaning:
    """network_data.json with one link."""
    whole = json.loads(text)
    (link,) = whole["links"]
    assert all(network["link"] == link["id"] for network in whole["networks"])
    static = [network for network in whole["networks"] if network["type"] in ("ipv4", "ipv6")]
    modes = {network["type"] for network in whole["networks"]} - {"ipv4", "ipv6"}
    assert modes <= {"ipv6_slaac", "ipv6_dhcpv6-stateless", "ipv6_dhcpv6-stateful"}
    search = [tuple(network["dns_search"]) for network in whole["networks"] if "dns_search" in network]
    return Meaning(
        link["ethernet_mac_address"],
        link["mtu"],
        frozenset(f"{network['ip_address']}/{_length(network['netmask'])}" for network in static),
        frozenset(
            (f"{way['network']}/{_length(way['netmask'])}", _router(way["gateway"]))
            for network in static
            for way in network["routes"]
        ),
        tuple(service["address"] for service in whole["services"] if service["type"] == "dns"),
        search[0] if search else (),
        bool(modes),
        "ipv6_dhcpv6-stateful" in modes,
    )


def of_interfaces(text: str) -> Meaning:
    """Debian's /etc/network/interfaces with one interface (interfaces(5))."""
    found: dict[str, Any] = {"addresses": set(), "routes": set(), "dns": (), "search": (), "ra": False, "dhcp6": False}
    everywhere = ""
    for line in text.splitlines():
        match line.split():
            case ["iface", _, family, method]:
                everywhere = "::/0" if family == "inet6" else "0.0.0.0/0"
                found["ra"] |= method in ("auto", "dhcp")
                found["dhcp6"] |= method == "dhcp"
                assert method in ("static", "manual", "auto", "dhcp") and not (family == "inet" and method == "dhcp")
            case ["address", address]:
                found["addresses"].add(address)
            case ["gateway", router]:
                found["routes"].add((everywhere, router))
            case ["up", "ip", *words]:
                words = words[1:] if words[0] == "-6" else words
                assert words[:2] == ["route", "add"] and words[-2] == "dev"
                found["routes"].add((words[2], words[4] if words[3] == "via" else ""))
            case ["pre-up", "ip", "link", "set", "dev", _, "mtu", mtu]:
                found["mtu"] = int(mtu)
            case ["hwaddress", mac]:
                found["mac"] = mac
            case ["dns-nameservers", *servers]:
                found["dns"] = tuple(servers)
            case ["dns-search", *names]:
                found["search"] = tuple(names)
            case ["accept_ra", _] | ["dhcp", _] | ["auto", _] | []:
                pass
            case words:
                raise AssertionError(f"{words} is not known")
    return Meaning(
        found["mac"],
        found["mtu"],
        frozenset(found["addresses"]),
        frozenset(found["routes"]),
        found["dns"],
        found["search"],
        found["ra"],
        found["dhcp6"],
    )


READERS = {
    "cloud-init": of_version2,
    "netplan": of_version2,
    "network-data": of_openstack,
    "interfaces": of_interfaces,
}


def _router(said: str) -> str:
    return "" if said == "0.0.0.0" else said


def _length(mask: str) -> int:
    if ":" not in mask:
        return ip_network(f"0.0.0.0/{mask}").prefixlen
    return bin(int(ip_interface(mask).ip)).count("1")
